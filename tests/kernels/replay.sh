#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# For prove --exec: repeats what a test in the machine printed and how it ended, which the last
# line says. What went wrong goes to stderr, too, where prove leaves it to be seen.
#
#   replay.sh build/kernels/6.1/tap/NAME.tap
awk '
	function report(text) { print text | "cat >&2" }

	/^== end / { ended = 1; status = $NF; next }
	{ line[++count] = $0 }
	/^(ok|not ok|1\.\.)/ { failed = /^not ok/ && !/# *(TODO|SKIP)/ }
	failed || /^# left running/ { report($0) }

	END {
		if (!ended) {
			status = 255
			report("# the machine ended during this test")
		} else if (status == 137)
			report("# killed: it took too long, or too much memory")
		if (status != 0)
			for (i = count > 10 ? count - 10 : 1; i <= count; i++)
				report("#   " line[i])
		for (i = 1; i <= count; i++)
			print line[i]
		exit status
	}' "$1"
