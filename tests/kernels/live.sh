#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Inside the machine: runs live tests one after the other, each for at most $1 seconds, and
# marks where the TAP of each begins and how it ended. run.sh takes the two apart again.
#
#   live.sh SECONDS tests/live/NAME_test.lua..
seconds=$1
shift
export MOONPROBE=./moonprobe MOONPROBE_SLOW=1

# A cgroup for the test, so that what it leaves running can be named and ended. Lines are
# flushed, so that a test which is killed has said how far it came.
group=/sys/fs/cgroup/live
# shellcheck disable=SC2016
test='echo 0 >$0/cgroup.procs; exec luajit -e "io.stdout:setvbuf [[line]]" "$1" </dev/null'

exec 2>&1
for file in "$@"; do
	echo "== begin $file"
	mkdir -p $group
	began=$(date +%s)
	timeout -s KILL "$seconds" sh -c "$test" $group "$file"
	status=$?
	echo
	while read -r pid; do
		# busybox's timeout leaves a watcher behind for as long as it was given.
		command=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || continue
		case $command in timeout*) ;; *) echo "# left running: $command" ;; esac
	done <$group/cgroup.procs
	echo 1 >$group/cgroup.kill
	echo "== end $file after $(($(date +%s) - began)) s: $status"
done
