#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes scripts/recordings/NAME.rec, which the tests of the tools replay (scripts/NAME_test.lua), of
# the workload's own events and nobody else's. As root, from the top of the tree, after
# `make moonprobe build/tests/workload`; with names, only these. Counts in the tests are of these
# numbers; ids and times are in their golden files, so `moonprobe test --update scripts` comes next.
#
# A probe that a tool uses with other knobs for some of its options is recorded with each.
set -eu

to=scripts/recordings
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cp build/tests/workload "$folder/"
PATH="$folder:$PATH"
names=" $* "

# Names of processes in a recording that are not ours.
strangers() {
	./moonprobe show -f json "$1" | grep -o '"[a-z_]*comm":"[^"]*"' |
		grep -Ev ':"(workload|moonprobe[^"]*|swapper[^"]*)"$' || true
}

# record NAME WORKLOAD [PROBES]: another attempt when somebody came in between. Without PROBES what
# the tool itself reads, of probes whose types are the kernel's.
record() {
	case $names in "  " | *" $1 "*) ;; *) return 0 ;; esac
	for attempt in 1 2 3 4 5 6 7 8 9 10; do
		if [ $# -gt 2 ]; then
			./moonprobe record -q -o "$to/$1.rec" -c "workload $2" -e "$3"
		else
			./moonprobe record -q -o "$to/$1.rec" -c "workload $2" "$1" >/dev/null
		fi
		[ -n "$(strangers "$to/$1.rec")" ] || break
		[ "$attempt" -lt 10 ] || { echo "$1: $(strangers "$to/$1.rec")" >&2; exit 1; }
	done
	chmod 644 "$to/$1.rec"
	./moonprobe show -n 0 "$to/$1.rec" | sed -n "s|.* recorded, |$1: &|p"
}

# machine NAME WORKLOAD: of the probes that the tool itself uses, in a machine of tests/kernels.
machine() {
	case $names in "  " | *" $1 "*) ;; *) return 0 ;; esac
	tests/kernels/boot.sh 6.12 -f moonprobe -f build/tests/workload -o "$to/$1.rec" -- \
		"mkdir -p $to; cp build/tests/workload /usr/bin/; ./moonprobe record -q -o $to/$1.rec -c 'workload $2' $1"
	[ -z "$(strangers "$to/$1.rec")" ] || { echo "$1: $(strangers "$to/$1.rec")" >&2; exit 1; }
	./moonprobe show -n 0 "$to/$1.rec" | sed -n "s|.* recorded, |$1: &|p"
}

mkdir -p $to
record execsnoop 'exec 7 , exec-fail 3' \
	"probe('process_exec', { failed = 0 }) probe('process_exec', { failed = 1 })"
record exitsnoop 'fork 7 , threads 3 , kill-self 10' \
	"probe('process_exit', { threads = 0 }) probe('process_exit', { threads = 1 })"
record opensnoop 'open 7 /dev/null , open-missing 3' \
	"probe('file_open', { failed_only = 0 }) probe('file_open', { failed_only = 1 })"
record syscount 'syscall 23 , open-missing 3' \
	"probe('syscall', { failed_only = 0 }) probe('syscall', { failed_only = 1 })"
record tcpconnect 'tcp 5 , tcp6 2 , tcp-refused 3' "probe 'tcp_connect'"
record tcplife 'tcp 5 1000 , tcp6 3 100' "probe 'tcp_close'"
record tcpstates 'tcp 3 1000 , tcp6 2'
record runqlat 'switch 23' "probe 'sched_latency'"
record stackcount 'exec 7' "probe 'rawtracepoint:sched_process_exec' probe 'profile:99'"
record profile 'spin 300' "probe 'profile:49' probe 'profile:99'"
# The file is there before; a file system may still add writes of its own.
build/tests/workload direct-write 7 4096 build/tests/direct
record biolatency 'direct-write 7 4096 build/tests/direct' "probe 'block_io'"
record biosnoop 'direct-write 7 4096 build/tests/direct' "probe 'block_io'"
record filetop 'write 7 1000 build/tests/direct , read 3 1000 build/tests/direct' \
	"probe('file_io', { all_kinds = 0 }) probe('file_io', { all_kinds = 1 })"
record killsnoop 'kill 3 , kill-missing 2 , signal 2' \
	"probe('signal_send', { failed_only = 0 }) probe('signal_send', { failed_only = 1 }) probe 'signal'"
record statsnoop 'stat 3 /dev/null , stat-missing 2 , stat-open 1' \
	"probe('file_stat', { failed_only = 0 }) probe('file_stat', { failed_only = 1 })"
record syncsnoop 'sync 2 build/tests/direct , sync-wrong 1' "probe 'file_sync'"
record mountsnoop 'mount 2 /tmp , mount-missing 1 , mount-steps 1 /tmp' "probe 'mount_call'"

# Some of what these count is not on every kernel: a machine with another one makes them.
machine cachestat 'cached-read 23 /dev/nullb0 , cached-write 7 /dev/nullb0'
machine vfsstat 'write 23 10 /tmp/x , read 7 10 /tmp/x , make-files 3 /tmp , sync 2 /tmp/x'
