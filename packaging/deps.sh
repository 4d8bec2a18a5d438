#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what a set of targets needs: deps.sh build|test|check|kernels|bench ...
# Asks nothing. Does nothing when all is there. Where it cannot install, it names the packages.
set -eu

build='gcc make clang llvm pkg-config libbpf-dev libseccomp-dev libelf-dev libdw-dev zlib1g-dev libzstd-dev libluajit-5.1-dev'
test='g++ luajit libcmocka-dev perl procps systemtap-sdt-dev'
check='clang-format cppcheck lua-check'
kernels='qemu-system-x86 busybox-static dash cpio kmod xz-utils linux-image-cloud-amd64 linux-image-6.12-cloud-amd64'
bench='bpftrace libbpf-tools'

wanted=
for set in "$@"; do
	case $set in
	build) wanted="$wanted $build" ;;
	test) wanted="$wanted $test" ;;
	check) wanted="$wanted $check" ;;
	kernels) wanted="$wanted $kernels" ;;
	bench) wanted="$wanted $bench" ;;
	*) echo "deps.sh: unknown set '$set'" >&2; exit 2 ;;
	esac
done

if ! command -v dpkg-query >/dev/null 2>&1; then
	# Other distributions: only say so when something is really missing.
	for program in gcc make clang llvm-strip pkg-config luajit prove; do
		command -v "$program" >/dev/null 2>&1 && continue
		cat >&2 <<-END
		deps: $program is missing, and this is not Debian. Install the packages by hand:
		  Debian, Ubuntu:$wanted
		  Fedora: gcc gcc-c++ make clang llvm pkgconf libbpf-devel libbpf-static libseccomp-devel elfutils-libelf-devel
		          elfutils-devel elfutils-devel-static
		          zlib-devel luajit luajit-devel libcmocka-devel perl-Test-Harness
		          systemtap-sdt-devel
		  Arch:   gcc make clang llvm pkgconf libbpf libseccomp elfutils zlib luajit cmocka perl
		END
		exit 1
	done
	exit 0
fi

missing=
for package in $wanted; do
	case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true) in
	'install ok installed') ;;
	*) missing="$missing $package" ;;
	esac
done
[ -z "$missing" ] && exit 0

become=
if [ "$(id -u)" != 0 ]; then
	become='sudo -n'
	if ! command -v sudo >/dev/null 2>&1 || ! sudo -n true 2>/dev/null; then
		echo "deps: not root; run: apt-get install$missing" >&2
		exit 1
	fi
fi
echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$become apt-get install -qq -y --no-install-recommends $missing >/dev/null 2>&1 || {
	$become apt-get update -qq
	$become apt-get install -qq -y --no-install-recommends $missing >/dev/null
}
