-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('tcptop', tap)

tool.needs 'kprobe:tcp_sendmsg'

--- The rows without the times before them; together, for an interval may end in between.
local function sums(rows)
  local by, all = {}, { sent = 0, received = 0, connections = 0 }
  for _, row in ipairs(rows) do
    if row.pid then
      local ends = row.laddr .. ' ' .. row.raddr
      if not by[ends] then by[ends], all.connections = true, all.connections + 1 end
      all.sent, all.received = all.sent + row.sent_bytes, all.received + row.received_bytes
      all.comm, all.laddr = row.comm, row.laddr
    end
  end
  return all
end

-- Bytes there and back, seen at both ends.
local all = sums(tool.json('tcp 5 10000'))
tap.is({ all.connections, all.sent, all.received, all.comm }, { 10, 100000, 100000, 'workload' }, 'five connections')
tap.like(all.laddr, '^127%.0%.0%.1:%d+$', 'address and port')
all = sums(tool.json('tcp 2 1000 , tcp6 3 1000', '-6'))
tap.is({ all.connections, all.sent, all.received }, { 6, 6000, 6000 }, '-6')
tap.like(all.laddr, '^%[::1%]:%d+$', '-6: address and port')
all = sums(tool.json('tcp 2 1000 , tcp6 3 1000', '-4'))
tap.is({ all.connections, all.sent, all.received }, { 4, 4000, 4000 }, '-4')
local rows = tool.json('tcp 5 1000', '-r 3 -s sent')
local count = 0
for _, row in ipairs(rows) do if row.pid then count = count + 1 end end
tap.is(count, 3, '-r: so many')
rows = tool.json('sleep 1000 50', '100ms 2')
tap.is(#rows, 2, 'INTERVAL and COUNT: two times')

local lines = tool.text('tcp 1 100000', '-C')
tap.like(lines[1], '^%d%d:%d%d:%d%d$', 'text: the time')
tap.like(lines[2], '^PID +COMM +LADDR +RADDR +RX_KB +TX_KB$', 'text: heading')
tap.is(tap.matching(lines, '^%d+ +workload +127%.0%.0%.1:%d+ +127%.0%.0%.1:%d+ +98 +98$'), 2, 'text: rows')
local longest = 0
for _, line in ipairs(lines) do longest = math.max(longest, #line) end
tap.ok(longest < 80, 'text: lines below 80 columns', lines)

tool.finish()
