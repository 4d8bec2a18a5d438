-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('runqlat', tap)

-- 23 round trips between two processes on one CPU: each waits for the other.
local rows = tool.json('switch 23')
tap.is(#rows, 1, 'one histogram')
local value = rows[1].value
tap.ok(value.count >= 46 and value.sum > 0, 'at least two waits for each round trip', value)
local sum = 0
for _, bucket in ipairs(value.buckets) do sum = sum + bucket.count end
tap.is(sum, value.count, 'the buckets have them all')
tap.is({ rows[1].aggregate, rows[1].label }, { 'run queue latency', 'usecs' }, 'name and unit')

rows = tool.json('switch 23', '-P')
tap.is(tool.count(rows, { comm = 'workload' }), 2, '-P: two processes')
for i, row in ipairs(rows) do tap.ok(row.pid > 1 and row.value.count >= 23, '-P: process ' .. i, row) end

rows = tool.json('threads 5', '-Lm')
local most = 0
for _, row in ipairs(rows) do most = math.max(most, row.tid) end
tap.ok(#rows >= 5 and rows[1].label == 'msecs' and most > 1, '-Lm: each thread, milliseconds', rows)

local lines = tool.text('switch 23', '-TP')
tap.like(lines[1], '^%d%d:%d%d:%d%d$', '-T: the time')
tap.is(lines[2], 'run queue latency', 'text: name')
tap.like(lines[3], '^pid = %d+  workload$', '-P: process')
tap.is(lines[4], 'usecs:', 'text: unit')
tap.ok(tap.matching(lines, '^%[%d+%u?, %d+%u?%) +%d+ |@* *|$') >= 2, 'text: the picture', lines)

rows = tool.json('sleep 1000 50', '-T 100ms 2')
local times = 0
for _, row in ipairs(rows) do if row.time then times = times + 1 end end
tap.is(times, 2, 'COUNT ends the run')

tool.finish()
