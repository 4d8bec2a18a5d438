#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first process in the machines of boot.sh: prepares, runs one command, powers off.
export PATH=/usr/local/bin:/usr/sbin:/usr/bin HOME=/root TERM=dumb
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
mount -t securityfs securityfs /sys/kernel/security
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
chmod 755 /
chmod 1777 /tmp
hostname moonprobe
ip link set lo up
modprobe null_blk nr_devices=1

for port in 1 2 3; do
	stty -F /dev/ttyS$port raw -echo 115200
done

# The command gets a pipe, not a terminal, as it would under prove.
cd /moonprobe || exit
mkfifo /run/output
cat /run/output >/dev/ttyS1 &
cat=$!
sh /etc/moonprobe/command >/run/output 2>&1 </dev/null
status=$?

# What the command left running may hold the pipe: it has two seconds.
tries=20
while kill -0 $cat 2>/dev/null && [ $tries -gt 0 ]; do
	sleep 0.1
	tries=$((tries - 1))
done
kill -9 -1

while read -r file; do
	[ -e "$file" ] && find "$file"
done </etc/moonprobe/outputs | cpio -o -H newc >/dev/ttyS3 2>/dev/null
echo $status >/dev/ttyS2
poweroff -f
