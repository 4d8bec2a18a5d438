-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('syscount', tap)

local rows = tool.json('syscall 23')
tap.is(tool.count(rows, { syscall = 'getppid', count = 23 }), 1, '23 calls')
tap.ok(#rows > 1 and #rows <= 10, 'the first ten')
tap.is(rows[1].syscall, 'getppid', 'the most frequent first')

local lines = tool.text('syscall 23', '-T 1')
tap.is(#lines, 2, '-T 1: a heading and a row')
tap.like(lines[1], '^SYSCALL +COUNT$', 'text: heading')
tap.like(lines[2], '^getppid +23$', 'text: row')

rows = tool.json('open-missing 23', '-e ENOENT')
tap.is({ #rows, rows[1] and rows[1].count }, { 1, 23 }, '-e: calls with this error')
tap.like(rows[1] and rows[1].syscall, '^open', '-e: which call')
tap.is(#tool.json('open-missing 23', '-e EPERM'), 0, '-e: another error')
rows = tool.json('open-missing 23', '-x')
tap.is(rows[1] and rows[1].count, 23, '-x: calls that failed')
tap.is(tool.count(rows, { syscall = 'close' }), 0, '-x: no others')

rows = tool.json('sleep 3 10', '-L')
tap.like(rows[1] and rows[1].syscall, 'nanosleep$', '-L: the longest first')
tap.ok(rows[1] and rows[1].count == 3 and rows[1].time_ns >= 30e6, '-L: the time in it', rows[1])
lines = tool.text('sleep 3 10', '-Lm')
tap.like(lines[1], '^SYSCALL +COUNT +TIME %(ms%)$', '-Lm: heading')
tap.like(lines[2], 'nanosleep +3 +%d%d+%.%d%d%d$', '-Lm: row')

rows = tool.json('exec 3', '-P')
tap.is({ #rows, tool.count(rows, { comm = 'workload' }) }, { 4, 4 }, '-P: four processes')
lines = tool.text('exec 3', '-P')
tap.like(lines[1], '^PID +COMM +COUNT$', '-P: heading')

-- Intervals: what each has adds up.
rows = tool.json('sleep 30 10', '-i 100ms -T 1000')
local sum = 0
for _, row in ipairs(rows) do if row.syscall:find('nanosleep$') then sum = sum + row.count end end
tap.is(sum, 30, 'INTERVAL: no call is lost or counted twice')
rows = tool.json('sleep 1000 50', '--time 0.1 2')
local times = 0
for _, row in ipairs(rows) do if row.time then times = times + 1 end end
tap.is(times, 2, 'COUNT ends the run')
tap.is(tool.run('exit 0', '0').status, 2, 'INTERVAL: 0 is refused')

tool.finish()
