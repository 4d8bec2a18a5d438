#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the live tests on every kernel of the matrix; the exit status says whether all passed.
#
#   run.sh [-k KERNELS] [-s SECONDS] [-t SECONDS] [-1] [-f|-p|-m|-M ..] [TEST..]
#
#   -k KERNELS  releases, default "6.1 6.12"
#   -s SECONDS  for one test file, default 480
#   -t SECONDS  for one machine, default 2700
#   -1          one machine after the other instead of all together
#   -f -p -m -M more files, programs, modules or memory for the machine, as in boot.sh
#   TEST        files, default tests/live/*_test.lua
#
# Needs ./moonprobe and build/tests/workload. A test is run as in `make test`: luajit FILE in
# the root of the checkout, MOONPROBE=./moonprobe, TAP on stdout. What it printed is kept in
# build/kernels/KERNEL/tap/; a file that printed nothing, died or ran out of time fails.
set -euo pipefail
cd "$(dirname "$0")/../.."

kernels='6.1 6.12' each=480 all=2700 one='' more=(-p bash) # which tests/live/bashreadline_test.lua types into
while getopts k:s:t:1f:p:m:M: option; do
	case $option in
	k) kernels=$OPTARG ;;
	s) each=$OPTARG ;;
	t) all=$OPTARG ;;
	1) one=1 ;;
	[fpmM]) more+=("-$option" "$OPTARG") ;;
	*) sed -n '3,/^set /s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- tests/live/*_test.lua
command -v prove >/dev/null || { echo "run.sh: no prove; install perl" >&2; exit 1; }
for file in "$@" ./moonprobe build/tests/workload; do
	[ -f "$file" ] || { echo "run.sh: no $file" >&2; exit 1; }
done

# boot KERNEL TEST..: leaves the whole output in log, and one file per test in tap/.
boot() {
	local kernel=$1 to=build/kernels/$1 status=0
	shift
	rm -rf "$to/tap"
	mkdir -p "$to/tap"
	tests/kernels/boot.sh "$kernel" -t "$all" -f moonprobe -f build/tests/workload \
		-f build/tests/objects -f build/tests/targets -f tests -f stdlib "${more[@]}" -- \
		"sh tests/kernels/live.sh $each $*" >"$to/log" 2>"$to/errors" &
	# shellcheck disable=SC2064 # this machine, now
	trap "kill $!" TERM
	wait $! || status=$?
	for file in "$@"; do
		: >"$to/tap/$(basename "$file" .lua).tap"
	done
	awk -v to="$to/tap" '
		/^== begin / { name = $3; sub(/.*\//, "", name); sub(/\.lua$/, "", name); next }
		name { print >(to "/" name ".tap") }
		/^== end / { close(to "/" name ".tap"); name = "" }' "$to/log"
	return $status
}

machines=()
trap 'kill "${machines[@]}" 2>/dev/null || true' EXIT
for kernel in $kernels; do
	mkdir -p "build/kernels/$kernel"
	boot "$kernel" "$@" &
	machines+=($!)
	[ -z "$one" ] || wait $! || true
done

failed=0
for kernel in $kernels; do
	status=0
	wait "${machines[0]}" || status=$?
	machines=("${machines[@]:1}")
	echo "== Linux $kernel"
	cat "build/kernels/$kernel/errors" >&2
	if [ $status -ne 0 ]; then
		echo "run.sh: $kernel: the machine ended with status $status" >&2
		failed=1
	fi
	[ ! -s "build/kernels/$kernel/log" ] ||
		prove ${PROVE_FLAGS:-} --exec 'sh tests/kernels/replay.sh' "build/kernels/$kernel"/tap/*.tap || failed=1
done
exit $failed
