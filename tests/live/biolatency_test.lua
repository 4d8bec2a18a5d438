-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('biolatency', tap)

local function exists(path)
  local file = io.open(path)
  return file and file:close()
end

local null = exists('/dev/nullb0')
local path = null and '/dev/nullb0' or 'build/tests/biolatency'
local writes = 'direct-write 23 4096 ' .. path
-- The file is there before it is measured. A file system may still add a write of its own.
os.execute('mkdir -p build/tests')
tap.shell(tap.workload .. ' ' .. writes)

local function counted(rows)
  local count = 0
  for _, row in ipairs(rows) do count = count + row.value.count end
  return count
end

local rows = tool.json(writes)
local disk = counted(rows) > 0

if disk then
  tap.is(#rows, 1, 'one histogram')
  local all = counted(rows)
  tap.ok(all == 23 or not null and all == 24, '23 writes', all)
  local value = rows[1].value
  local sum = 0
  for _, bucket in ipairs(value.buckets) do sum = sum + bucket.count end
  tap.is(sum, value.count, 'the buckets have them all')
  tap.is({ rows[1].aggregate, rows[1].label }, { 'block I/O latency', 'usecs' }, 'name and unit')

  rows = tool.json(writes, '-DF')
  local device = rows[1].device
  tap.ok(tool.count(rows, { operation = 'write', device = device }) == 1 and (not null or device == 'nullb0'),
    '-DF: device and operation', rows)
  tap.ok(counted(tool.json(writes, '-d ' .. device)) >= 23, '-d: this disk')
  tap.is(#tool.json(writes, '-d nosuchdisk'), 0, '-d: another disk')
  rows = tool.json(writes, '-Qm')
  tap.ok(rows[1].label == 'msecs' and counted(rows) >= 23, '-Qm: milliseconds, with the queue', rows)

  local lines = tool.text(writes, '-TD')
  tap.like(lines[1], '^%d%d:%d%d:%d%d$', '-T: the time')
  tap.is(lines[2], 'block I/O latency', 'text: name')
  tap.is(lines[3], 'device = ' .. device, '-D: device')
  tap.is(lines[4], 'usecs:', 'text: unit')
  tap.like(lines[5], '^%[%d+%u?, %d+%u?%) +%d+ |@* *|$', 'text: the picture')
else
  tap.skip('23 writes', 'the file system here is not on a disk of this kernel')
end

if not null then os.remove(path) end
tool.finish()
