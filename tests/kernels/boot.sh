#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command under another kernel, in a virtual machine made for that one command.
#
#   boot.sh KERNEL [-f PATH].. [-p PROGRAM].. [-m MODULE].. [-o PATH].. [-O DIR]
#           [-t S] [-M MB] [-v] -- COMMAND
#
#   KERNEL      start of a release in /boot: 6.1, 6.12, 6.12.117+deb12-cloud-amd64
#   -f PATH     file or directory to take along: what is in the checkout appears at the same
#               place under /moonprobe, anything else at its own path
#   -p PROGRAM  host program or shared library to take along, by name or path (bpftool,
#               bpftrace, libbpf.so.1); it keeps its path, and PATH finds it
#   -m MODULE   kernel module to take along with what it depends on, for modprobe;
#               always there: null_blk (loaded, /dev/nullb0) and those in `modules` below
#   -o PATH     file or directory the command writes; brought back to the same place in the
#               checkout, or with -O DIR to DIR/PATH
#   -t S        seconds until the machine is stopped, default 60
#   -M MB       memory, default 1024 (bpftrace with its LLVM needs 2048)
#   -v          show the kernel's messages, too, on stderr
#
# The command is a line for sh (dash) and runs as root in /moonprobe, with busybox, luajit and
# the shared libraries of all programs taken along. Its stdout and stderr arrive on stdout as they
# are written, without kernel messages or carriage returns. The exit status is the command's
# own; 124 when the time was up, 125 when the kernel died first, 1 and a message when the
# machine could not be made, 2 for wrong use.
#
#   tests/kernels/boot.sh 6.1 -- uname -r
#   tests/kernels/boot.sh 6.12 -f build/probes -f tests/kernels/load.lua -p libbpf.so.1 -- \
#       'luajit tests/kernels/load.lua build/probes/*.bpf.o'
#   tests/kernels/boot.sh 6.1 -p bpftool -- bpftool feature probe kernel
#   tests/kernels/boot.sh 6.1 -f moonprobe -f tests -o build/bench.json -- \
#       'luajit tests/bench.lua >build/bench.json'
#
# The machine has four serial ports: kernel console, output, exit status, files brought back.
# Its only file system is two cpio archives: a base, kept per kernel in build/kernels/, and
# one of this run.
set -euo pipefail
umask 022
PATH=$PATH:/usr/sbin:/sbin

modules=(null_blk veth dummy tun bridge sch_netem tls loop brd tcp_diag unix_diag tcp_bbr)
packages='linux-image-cloud-amd64 (6.1), linux-image-6.12-cloud-amd64 (6.12), qemu-system-x86, busybox-static, dash, luajit, cpio, xz-utils'

root=$(cd "$(dirname "$0")/../.." && pwd -P)
here=$root/tests/kernels

fail() { echo "boot.sh: $1" >&2; exit "${2:-1}"; }
usage() { sed -n '3,/^set /s/^# \{0,1\}//p' "$0" >&2; exit 2; }

# The newest installed release that KERNEL names: 6.1 is 6.1.0-56 and not 6.12.
find_release() {
	local image
	# shellcheck disable=SC2012 # a kernel's name has no blanks
	image=$(ls /boot/vmlinuz-"$1" /boot/vmlinuz-"$1"[.-]* 2>/dev/null | sort -V | tail -n 1) || true
	[ "$image" ] || fail "no kernel $1 in /boot; install $packages"
	echo "${image#/boot/vmlinuz-}"
}

find_program() {
	local file
	file=$(command -v "$1" || ldconfig -p | awk -v name="$1" '$1 == name && !seen++ { print $NF }')
	[ "$file" ] || fail "no such program or library: $1"
	echo "$file"
}

# copy FILE ROOT: to the same place under ROOT, with links in the directory resolved.
copy() {
	local directory
	directory=$(realpath "$(dirname "$1")")
	mkdir -p "$2$directory"
	cp -L "$1" "$2$directory/"
}

# The shared libraries and loaders of all programs under ROOT.
copy_libraries() {
	local library
	find "$1" -type f \( -perm /111 -o -name '*.so*' \) -print0 |
		xargs -0r ldd 2>/dev/null |
		awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 ~ /^\(/ { print $1 }' |
		sort -u | while read -r library; do
			copy "$library" "$1"
		done || true
}

# The modules named and all they depend on, uncompressed, and the indexes modprobe reads.
copy_modules() {
	local to=$1 file source=/lib/modules/$release
	shift
	mkdir -p "$to$source"
	for name in "$@"; do
		grep -m 1 -E "(^|/)${name//[-_]/[-_]}\.ko(\.xz)?:" "$source/modules.dep" ||
			echo "boot.sh: $release has no module $name" >&2
	done | tr -d : | tr ' ' '\n' | sort -u | while read -r file; do
		mkdir -p "$to$source/$(dirname "$file")"
		case $file in
		*.xz) xz -dc "$source/$file" >"$to$source/${file%.xz}" ;;
		*) cp "$source/$file" "$to$source/$file" ;;
		esac
	done
	sed 's/\.ko\.xz/.ko/g' "$source/modules.dep" >"$to$source/modules.dep"
	cp "$source/modules.alias" "$to$source/"
}

# archive ROOT FILE
archive() { (cd "$1" && find . -mindepth 1 | cpio --quiet -o -H newc -R 0:0) >"$2"; }

# Everything that is the same in every run on this kernel.
build_base() {
	local base=$work/base
	mkdir -p "$base"/{dev,proc,sys,tmp,run,root,etc,var,moonprobe,usr/{bin,sbin,lib,lib64}}
	ln -s usr/bin usr/sbin usr/lib usr/lib64 "$base"
	ln -s /run "$base/var/run"
	ln -s /tmp "$base/var/tmp"
	ln -s /proc/self/mounts "$base/etc/mtab"
	echo 'root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false' >"$base/etc/passwd"
	echo 'root:x:0:
nogroup:x:65534:' >"$base/etc/group"
	echo '127.0.0.1 localhost' >"$base/etc/hosts"
	echo 'hosts: files' >"$base/etc/nsswitch.conf"
	cp "$here/init.sh" "$base/init"
	chmod 755 "$base/init"
	busybox --list-full | while read -r applet; do
		case $applet in
		usr/*) ;;
		*/*) applet=usr/$applet ;;
		*) applet=usr/bin/$applet ;;
		esac
		ln -sf /usr/bin/busybox "$base/$applet"
	done
	# dash, as on Debian: the sh of busybox would prefer its applets to programs taken along.
	rm -f "$base"/usr/bin/{busybox,sh}
	ln -s dash "$base/usr/bin/sh"
	for program in busybox dash luajit; do
		copy "$(command -v $program)" "$base"
	done
	mkdir -p "$base/usr/share"
	cp -r /usr/share/luajit-* "$base/usr/share/" 2>/dev/null || true
	copy_libraries "$base"
	copy_modules "$base" "${modules[@]}"
	archive "$base" "$work/base.cpio"
	mkdir -p "$cache"
	mv "$work/base.cpio" "$cache/base.cpio"
}

# take PATH: a file or directory for /moonprobe, or outside the checkout for its own place.
take() {
	local path directory
	[ -e "$1" ] || fail "no such file: $1"
	directory=$(realpath "$(dirname "$1")")
	path=$(realpath -s "$directory/$(basename "$1")")
	case $path in
	"$root" | "$root"/*)
		tar -C "$root" -ch --exclude=./build/kernels --exclude=.git ".${path#"$root"}" |
			tar -C "$extra/moonprobe" -x
		;;
	*)
		mkdir -p "$extra$directory"
		cp -rL "$path" "$extra$directory/"
		;;
	esac
}

[ $# -ge 1 ] || usage
case $1 in -*) usage ;; esac
kernel=$1
shift
timeout=60 memory=1024 loglevel=5 outputs=() out=$root more_modules=()
work=$(mktemp -d)
machine=''
trap '[ -z "$machine" ] || kill "$machine" 2>/dev/null || true; rm -rf "$work"' EXIT
extra=$work/extra
mkdir -p "$extra/moonprobe" "$extra/etc/moonprobe"
while getopts f:p:m:o:O:t:M:v option; do
	case $option in
	f) take "$OPTARG" ;;
	p) program=$(find_program "$OPTARG") && copy "$program" "$extra" || exit ;;
	m) more_modules+=("$OPTARG") ;;
	o) outputs+=("${OPTARG#"$root"/}") ;;
	O) out=$OPTARG ;;
	t) timeout=$OPTARG ;;
	M) memory=$OPTARG ;;
	v) loglevel=7 ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || usage

release=$(find_release "$kernel")
for program in qemu-system-x86_64 busybox dash luajit cpio xz; do
	command -v $program >/dev/null || fail "no $program; install $packages"
done
cache=$root/build/kernels/$release
for part in "$here/boot.sh" "$here/init.sh" "/boot/vmlinuz-$release" "$(command -v luajit)" "$(command -v busybox)"; do
	if [ ! "$cache/base.cpio" -nt "$part" ]; then
		build_base
		break
	fi
done

echo "$*" >"$extra/etc/moonprobe/command"
printf '%s\n' "${outputs[@]}" >"$extra/etc/moonprobe/outputs"
[ ${#more_modules[@]} = 0 ] || copy_modules "$extra" "${more_modules[@]}"
copy_libraries "$extra"
archive "$extra" "$work/extra.cpio"
cat "$cache/base.cpio" "$work/extra.cpio" >"$work/initramfs"

# The file system may grow to half of the memory that the archive leaves: a full one would make
# everything fail that writes.
taken=$(($(stat -c %s "$work/initramfs") >> 20))
[ $((taken * 5)) -lt "$memory" ] ||
	fail "$taken MB are taken along, more than a fifth of the $memory MB of memory; take less, or give more with -M"

# thread=single: with a host thread per CPU the emulator now and then runs an instruction that the
# kernel is just patching (a tracepoint's jump in __schedule), and the kernel dies of it. With two
# machines on two host CPUs it is no slower.
# tsc=reliable: 6.1 would fall back to the slower HPET, 6.12 does not.
status=0
timeout -k 2 "$timeout" qemu-system-x86_64 -accel tcg,thread=single -cpu max -smp 2 -m "$memory" \
	-nodefaults -no-reboot -display none \
	-kernel "/boot/vmlinuz-$release" -initrd "$work/initramfs" \
	-append "console=ttyS0 panic=-1 lsm=landlock,lockdown,capability,bpf tsc=reliable loglevel=$loglevel" \
	-serial "file:$work/console" \
	-chardev stdio,id=output,signal=off -serial chardev:output \
	-serial "file:$work/status" -serial "file:$work/files" </dev/null 2>"$work/qemu" &
machine=$!
wait $machine || status=$?
machine=''

# The kernel's messages: all when asked for, else its complaints or its last words.
exit_status=$(grep -x '[0-9]\+' "$work/status" || true)
tr -d '\r' <"$work/console" >"$work/messages"
if [ $loglevel = 7 ]; then
	cat "$work/messages" >&2
elif [ "$exit_status" ]; then
	grep -A 20 -E 'BUG: |WARNING: |Oops: ' "$work/messages" >&2 || true
else
	tail -n 40 "$work/messages" >&2
fi
if [ ${#outputs[@]} -gt 0 ]; then
	mkdir -p "$out"
	cpio --quiet -idmu --no-absolute-filenames -D "$out" <"$work/files" || true
fi
[ -z "$exit_status" ] || exit "$exit_status"
if [ $status = 124 ] || [ $status = 137 ]; then
	fail "$release: stopped after $timeout s" 124
fi
cat "$work/qemu" >&2
fail "$release: ended without an exit status (qemu: $status)" 125
