-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('exitsnoop', tap)

local rows = tool.json('exit 7')
tap.is(#rows, 1, 'one process')
tap.is(tool.count(rows, { comm = 'workload', exit_code = 7, signal = tool.null, core_dumped = false }), 1, 'its code')

rows = tool.json('exec 23')
local parent = rows[#rows] or {}
tap.is(#rows, 24, '23 children and their parent')
tap.is(tool.count(rows, { ppid = parent.pid, exit_code = 0 }), 23, 'children of the parent')
local older = true
for _, row in ipairs(rows) do older = older and row.age > 0 and row.age <= parent.age and row.pid == row.tid end
tap.ok(older, 'ages')

rows = tool.json('kill-self 9', '-x')
tap.is(tool.count(rows, { exit_code = 0, signal = 'SIGKILL' }), 1, '-x: a signal')
tap.is(tool.count(tool.json('exit 3', '-x'), { exit_code = 3 }), 1, '-x: a code')
tap.is(#tool.json('exec 5', '-x'), 0, '-x: none failed')

local lines = tool.text('exit 7', '-t')
tap.like(lines[1], '^TIME +PCOMM +PID +PPID +TID +AGE%(s%) +EXIT_CODE SIGNAL$', '-t: heading')
tap.like(lines[2], '^%d+:%d+:%d+ workload +%d+ +%d+ +%d+ +%d+%.%d%d +7 %-$', '-t: row')

rows = tool.json('threads 23', '--threads')
local threads = 0
for _, row in ipairs(rows) do if row.tid ~= row.pid then threads = threads + 1 end end
tap.is({ #rows, threads }, { 24, 23 }, '--threads: 23 threads and the process')
tap.is(#tool.json('threads 23'), 1, 'without it: the process')

tool.finish()
