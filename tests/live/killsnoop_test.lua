-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('killsnoop', tap)

local rows = tool.json('signal 23')
tap.is(tool.count(rows, { signal = 'SIGUSR1', comm = 'workload', call = 'kill', error = tool.null }), 23, '23 SIGUSR1')
tap.is(#rows, 23, 'and nothing else')
local good = true
for _, row in ipairs(rows) do
  good = good and row.pid > 1 and row.target > 1 and row.target ~= row.pid and row.target == rows[1].target
end
tap.ok(good, 'sender and target')

rows = tool.json('kill 23')
for _, call in ipairs { 'kill', 'tkill', 'tgkill' } do
  tap.is(tool.count(rows, { call = call, signal = tool.null, target = rows[1].pid }), 23, '23 times ' .. call)
end
tap.is(tool.count(rows, { call = 'tgkill', target_tid = rows[1].pid }), 23, 'the thread of tgkill')

rows = tool.json('kill-missing 23')
tap.is(tool.count(rows, { signal = 'SIGTERM', error = 'ESRCH' }), 23, '23 that fail')
tap.is(#tool.json('kill-missing 23', '-x'), 23, '-x: those')
tap.is(#tool.json('kill 5', '-x'), 0, '-x: no others')

local lines = tool.text('kill-missing 3')
tap.like(lines[1], '^TIME +PID +COMM +SIG +TPID +RESULT$', 'text: heading')
tap.is(tap.matching(lines, '^%d%d:%d%d:%d%d %d+ +workload +SIGTERM +%d+ +ESRCH$'), 3, 'text: rows')
lines = tool.text('kill 1', '-tU')
tap.like(lines[1], '^TIME +TIME%(s%) +UID +PID ', '-tU: heading')
tap.is(tap.matching(lines, '^%d%d:%d%d:%d%d %d+%.%d%d%d +0 +(%d+) +workload +0 +%1 +0$'), 3, '-tU: rows')

tap.is(#tool.json('signal 5 , kill-missing 3', '-s TERM'), 3, '-s: this signal')
tap.is(#tool.json('signal 5', '-s 10'), 5, '-s: by number')
tap.is(#tool.json('signal 5', '-s 9'), 0, '-s: another')
tap.is(#tool.json('kill 5', '-T 1'), 0, '-T: another target')
tap.is(#tool.json('kill 5', '-n work'), 15, '-n: part of the name')
tap.is(#tool.json('kill 5', '-n nosuchname'), 0, '-n: another name')
tap.is(tool.count_of_nobody('kill 5', 65534), 15, '-u: of nobody')
tap.is(tool.count_of_nobody('kill 5', 0), 0, '-u: not of root')

-- Each child that ends is one SIGCHLD, and the workload itself is one of moonprobe's.
rows = tool.json('fork 23', '-k')
tap.is(tool.count(rows, { call = 'kernel', signal = 'SIGCHLD' }), 24, '-k: of 23 children')
tap.is(#tool.json('fork 23'), 0, 'without -k none')

tool.finish()
