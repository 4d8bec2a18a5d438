-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('execsnoop', tap)

local rows = tool.json('exec 23')
tap.is(#rows, 24, 'the workload and its 23 children')
local parent = rows[1] or {}
tap.like(parent.args, 'workload exec 23$', 'arguments of the first')
tap.is(tool.count(rows, { ppid = parent.pid, comm = 'workload', args = 'workload exit 0', error = tool.null }), 23,
  'parent, name and arguments of the children')
local pids, started = {}, true
for _, row in ipairs(rows) do
  pids[row.pid] = true
  started = started and row.time > 1.6e9 and row.seconds >= 0
end
local different = 0
for _ in pairs(pids) do different = different + 1 end
tap.is(different, 24, 'a process id for each')
tap.ok(started, 'times')

local lines = tool.text('exec 23')
tap.is(#lines, 25, 'text: a heading and 24 rows')
tap.like(lines[1], '^PCOMM +PID +PPID +RET +ARGS$', 'text: heading')
tap.is(tap.matching(lines, '^workload +%d+ +%d+ +0 +workload exit 0$'), 23, 'text: rows')

rows = tool.json('exec-fail 23')
tap.is(#rows, 1, 'failed calls are left out')
rows = tool.json('exec-fail 23', '-x')
tap.is(tool.count(rows, { error = 'ENOENT', args = 'moonprobe --argument', comm = 'workload' }), 23, '-x: failed calls')
tap.is(#rows, 24, '-x: and the one that did not')

lines = tool.text('exec 2', '-TtUq')
tap.like(lines[1], '^TIME +TIME%(s%) +UID +PCOMM ', '-TtU: columns')
tap.is(tap.matching(lines, '^%d%d:%d%d:%d%d +%d+%.%d%d%d +%d+ +workload .*"workload" "exit" "0"$'), 2,
  '-TtUq: times, user, quotes')
lines = tool.text('exec 2', '--max-args=1')
tap.is(tap.matching(lines, ' workload exit %.%.%.$'), 2, '--max-args')
tap.is(#tool.json('exec 5', "-l 'exit 0' -n work"), 5, '-l and -n')
tap.is(#tool.json('exec 5', '-n nosuchname'), 0, '-n: another name')
tap.is(#tool.json('exec 5', ('-u %d'):format(parent.uid)), 6, '-u: this user')
tap.is(#tool.json('exec 5', ('-u %d'):format(parent.uid + 1)), 0, '-u: another user')

tool.finish()
