-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('funclatency', tap)

local function sum_of(value)
  local sum = 0
  for _, bucket in ipairs(value.buckets) do sum = sum + bucket.count end
  return sum
end

-- A user function: the workload's own.
local rows = tool.json('sleep 7 10', ('-u %s:nanosleep'):format(tap.workload))
if #rows == 0 then rows = tool.json('sleep 7 10', ('-u %s:clock_nanosleep'):format(tap.workload)) end
tap.is({ #rows, rows[1] and rows[1].value.count, rows[1] and rows[1].label }, { 1, 7, 'usecs' }, 'seven sleeps')
tap.ok(rows[1] and rows[1].value.sum >= 70000 and sum_of(rows[1].value) == 7, 'of at least 10 ms', rows)
local lines = tool.text('syscall 23', tap.workload .. ':syscall')
tap.is({ lines[1], lines[2] }, { 'syscall latency', 'nsecs:' }, 'text: name and unit')
tap.like(lines[#lines], '^avg = %d+ nsecs, total: %d+ nsecs, count: 23$', 'text: the mean')

tool.needs 'kretprobe:vfs_read'
local path = os.tmpname()
tap.spit(path, 'abc')
rows = tool.json('read 23 3 ' .. path, 'vfs_read')
tap.is({ #rows, rows[1] and rows[1].value.count, rows[1] and rows[1].label }, { 1, 23, 'nsecs' }, '23 reads')
tap.ok(rows[1] and rows[1].value.sum > 0 and sum_of(rows[1].value) == 23, 'and their times', rows)
rows = tool.json('read 23 3 ' .. path, "-F 'vfs_*'")
local reads
for _, row in ipairs(rows) do if row.place == 'vfs_read' then reads = row.value.count end end
tap.ok(reads == 23 and #rows > 1, '-F: each function', rows)
rows = tool.json('read 23 3 ' .. path, "-mw 'e.retval == 3' 'vfs_*'")
tap.is({ #rows, rows[1] and rows[1].value.count, rows[1] and rows[1].label }, { 1, 23, 'msecs' }, '-mw: a filter')
lines = tool.text('read 23 3 ' .. path, '-T vfs_read')
tap.like(lines[1], '^%d%d:%d%d:%d%d$', '-T: the time')
os.remove(path)

tool.finish()
