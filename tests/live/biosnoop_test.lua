-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('biosnoop', tap)

local function exists(path)
  local file = io.open(path)
  return file and file:close()
end

local null = exists('/dev/nullb0')
local path = null and '/dev/nullb0' or 'build/tests/biosnoop'
local writes = 'direct-write 23 4096 ' .. path
-- The file is there before it is measured. A file system may still add a write of its own.
os.execute('mkdir -p build/tests')
tap.shell(tap.workload .. ' ' .. writes)

local rows = tool.json(writes)

if #rows > 0 then
  local mine = tool.count(rows, { operation = 'write', bytes = 4096, comm = 'workload', error = tool.null })
  tap.ok(mine == 23 or not null and mine == 24, '23 writes of 4096 bytes', rows)
  local good, device = true, rows[1].disk
  for i, row in ipairs(rows) do
    good = good and row.pid > 1 and row.latency_ms > 0 and row.queue_ms >= 0 and row.seconds > 0
      and (i == 1 or row.time >= rows[i - 1].time)
  end
  tap.ok(good, 'process, times and latency', rows)
  if null then
    local sectors = {}
    for i, row in ipairs(rows) do sectors[i] = row.sector - 8 * (i - 1) end
    tap.is(tap.show(sectors), tap.show((function()
      local zeros = {}
      for i = 1, #rows do zeros[i] = 0 end
      return zeros
    end)()), 'sectors, one write behind the other')
  end

  local lines = tool.text(writes)
  tap.like(lines[1], '^TIME%(s%) +COMM +PID +DISK +T SECTOR +BYTES +LAT%(ms%)$', 'text: heading')
  tap.ok(tap.matching(lines, '^%d+%.%d%d%d%d%d%d +workload +%d+ +' .. device .. ' +W %d+ +4096 +%d+%.%d%d%d$') >= 23,
    'text: rows', lines)
  lines = tool.text(writes, '-TQ')
  tap.like(lines[1], '^TIME +TIME%(s%) .* QUE%(ms%) LAT%(ms%)$', '-TQ: heading')
  tap.ok(tap.matching(lines, '^%d%d:%d%d:%d%d .* 4096 +%d+%.%d%d%d +%d+%.%d%d%d$') >= 23, '-TQ: rows', lines)

  tap.ok(#tool.json(writes, '-d ' .. device) >= 23, '-d: this disk')
  tap.is(#tool.json(writes, '-d nosuchdisk'), 0, '-d: another disk')
  tap.ok(#tool.json(writes, '-n work') >= 23, '-n: part of the name')
  tap.is(#tool.json(writes, '-n nosuchname'), 0, '-n: another name')
  tap.is(#tool.json(writes, '-x'), 0, '-x: none failed')
  tap.is(#tool.json(writes, '-m 1m'), 0, '-m: none took a minute')
else
  tap.skip('23 writes', 'the file system here is not on a disk of this kernel')
end

if not null then os.remove(path) end
tool.finish()
