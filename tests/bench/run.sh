#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds what the benchmark needs and runs it (tests/bench/bench.lua says what it measures).
# Prints a table and writes build/bench.json. The figures decide nothing: it fails only when
# it cannot run. As root, from `make bench`; settings are environment variables:
#
#   ROUNDS=9 IDLE_SECONDS=30 EVENTS=5000000 make bench
#   KERNEL=6.12 tests/bench/run.sh hooks    under a kernel of the matrix, emulated: only ratios count
#   tests/bench/run.sh flood        only that part; the others: start, idle, costs, hooks,
#                                   promises
set -eu
cd "$(dirname "$0")/../.."

PATH=$PATH:/usr/sbin:/sbin
BENCH_BUILD=build/bench
BENCH_CPUS=$(getconf _NPROCESSORS_ONLN)
BENCH_MARK=mpload$$ # what our load is called, so that execsnoop -n can find it
export PATH BENCH_BUILD BENCH_CPUS BENCH_MARK

if [ "$(id -u)" != 0 ]; then
	echo 'bench: tracing needs root: sudo make bench' >&2
	exit 1
fi
mkdir -p "$BENCH_BUILD"
build() {
	out=$BENCH_BUILD/$1 source=tests/bench/$1.c
	shift
	"${CC:-gcc}" -O2 -g -std=gnu11 -Wall -Wextra -Ibpf/include -o "$out" "$source" "$@"
}
build load -static
# A thousand functions to attach to.
awk 'BEGIN { for (i = 0; i < 1000; i++) print "int many_" i "(void) { return " i "; }"; print "int main(void) { return 0; }" }' \
	>"$BENCH_BUILD/many.c"
"${CC:-gcc}" -O1 -o "$BENCH_BUILD/many" "$BENCH_BUILD/many.c"
build consumer -Wl,-Bstatic -lbpf -Wl,-Bdynamic -lelf -lz
build peer -Wl,-Bstatic -lbpf -Wl,-Bdynamic -lelf -lz
for source in tests/bench/peers/*.bpf.c; do
	name=$(basename "$source" .c)
	"${CLANG:-clang}" -g -O2 -target bpf -mcpu=v3 -Wall -Wextra -Wno-unused-parameter \
		"-D__TARGET_ARCH_$(uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')" \
		-Ibpf/include -isystem "/usr/include/$("${CC:-gcc}" -print-multiarch)" \
		-c -o "$BENCH_BUILD/$name.o" "$source"
done

trap 'rm -f "$BENCH_BUILD/$BENCH_MARK" "$BENCH_BUILD/printed"' EXIT
trap 'exit 130' INT TERM HUP
ln -f "$BENCH_BUILD/load" "$BENCH_BUILD/$BENCH_MARK"
if [ -z "${KERNEL:-}" ]; then
	luajit tests/bench/bench.lua "$@"
else
	tests/kernels/boot.sh "$KERNEL" -t 1200 -M 2048 -p bpftrace -p ps -f moonprobe -f build/stdlib -f build/bench -f tests/bench -- \
		"export BENCH_BUILD=$BENCH_BUILD BENCH_CPUS=1 BENCH_MARK=$BENCH_MARK ROUNDS=${ROUNDS:-3} \
		EVENTS=${EVENTS:-200000}; luajit tests/bench/bench.lua $*"
fi
