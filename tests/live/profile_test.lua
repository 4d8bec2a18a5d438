-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('profile', tap)

tap.workload = 'build/tests/targets/chain'
local SPIN = tap.slow and 2500 or 500 -- an emulated CPU is often not there when a sample is due
local rows = tool.json('spin ' .. SPIN, '-F 199')
local sum, inside = 0, 0
for _, row in ipairs(rows) do
  sum = sum + row.value
  if table.concat(row.ustack, '\n'):find 'chain_spin.*main' then inside = inside + row.value end
end
tap.ok(sum >= 30 and sum <= 0.24 * SPIN, '199 times a second', sum)
tap.ok(inside >= 0.8 * sum, 'where it spins', rows)

local lines = tool.text('spin ' .. SPIN, '-f -U')
local most, folded = 0, nil
for _, line in ipairs(lines) do
  local stack, count = line:match '^(.*) (%d+)$'
  if tonumber(count) > most then most, folded = tonumber(count), stack end
end
tap.like(folded, '^chain;.*main;chain_spin$', '-f: folded')
tap.ok(most >= 5, '-U: the same function is one line', lines)
lines = tool.text('spin 300', '-P --top 1')
tap.is(lines[1], 'samples', 'text: a heading')
tap.like(lines[#lines], '^chain  %d+ +%d+$', '-P: the process')
tap.workload = 'build/tests/workload'

tool.finish()
