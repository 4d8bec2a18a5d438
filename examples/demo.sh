#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The main job on real events, in half a minute: a script watches a workload, is edited while
# it runs, and ends with a summary. Traces only what it starts itself. `make demo` runs it.
set -eu

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
watched=$scratch/watched.lua
workload=$PWD/build/tests/workload

if [ "$(id -u)" != 0 ]; then
	echo "demo: probes need root; run: sudo make demo" >&2
	exit 1
fi

cat > "$watched" <<'LUA'
local mp = require 'moonprobe'

local seen = mp.state('seen', { execs = 0 }) -- survives the edit below

mp.probe 'process_exec':each(function(e)
  seen.execs = seen.execs + 1
  mp.row('version 1', 'exec ' .. seen.execs, e.comm, e.args)
end)
LUA

# What is watched: programs, files and connections; and in the middle, somebody edits the
# script: connections are reported too from then on.
cat > "$scratch/workload.sh" <<SH
"$workload" exec 2
sleep 0.4
"$workload" open 3 /etc/hostname
cat > "$scratch/new.lua" <<'LUA'
local mp = require 'moonprobe'

local seen = mp.state('seen', { execs = 0 })

mp.probe 'process_exec':each(function(e)
  seen.execs = seen.execs + 1
  mp.row('VERSION 2', 'exec ' .. seen.execs, e.comm, e.args)
end)

-- New in this version.
mp.probe 'tcp_connect':each(function(e)
  mp.row('VERSION 2', 'connect', e.comm, e.daddr .. ':' .. e.dport, e.latency_ns / 1e3 .. ' us')
end)

local files = mp.probe 'file_open':count 'path'
mp.probe 'syscall':histogram('latency_ns')
mp.finally(function()
  print(('\n%d programs were seen by both versions. Files opened most:'):format(seen.execs))
  files:print(5)
  print('\nLatency of their system calls:')
end)
LUA
mv "$scratch/new.lua" "$watched"
sleep 0.6
"$workload" tcp 3 1000
"$workload" exec 2
ls / > /dev/null
SH

echo "--- The script, version 1:"
cat "$watched"
echo "--- Running it on a workload; version 2 is saved over it in the middle (-w reloads):"
./moonprobe run -w -c "sh $scratch/workload.sh" "$watched"
echo "--- What of version 2 runs in the kernel, and what does not:"
./moonprobe explain "$watched"
echo "--- The same from the command line, as JSON:"
./moonprobe run -f json -c "$workload exec 3" -e "probe 'process_exec':count('comm')"
