-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('stackcount', tap)

local EXEC = 'rawtracepoint:sched_process_exec'

--- The sum of the rows in whose stack a function is.
local function sum_of(rows, field, name)
  local sum = 0
  for _, row in ipairs(rows) do
    if table.concat(row[field], '\n'):find(name) then sum = sum + row.value end
  end
  return sum
end

tap.is(sum_of(tool.json('exec 23', EXEC), 'kstack', 'sys_execve'), 24, 'each execve')
local rows = tool.json('exec 23', '-P -K -U ' .. EXEC)
tap.ok(#rows > 0 and rows[1].comm == 'workload' and rows[1].ustack and rows[1].kstack, '-PKU: all of it', rows)

tap.workload = 'build/tests/targets/chain'
local LEAF = 'uretprobe:build/tests/targets/chain:chain_leaf'
rows = tool.json('50 30', LEAF)
tap.is({ sum_of(rows, 'ustack', 'chain_middle'), sum_of(rows, 'ustack', 'chain_outer') }, { 50, 80 },
  'a function of a program, by its stack')
local lines = tool.text('50 30', '-fP ' .. LEAF)
tap.ok(#lines == 2 and lines[1]:find 'main;chain_outer;chain_middle 50$' and lines[2]:find 'main;chain_outer 30$'
  and lines[1]:find '^chain;', '-f: folded', lines)
lines = tool.text('50 30', '-T --top 1 ' .. LEAF)
tap.like(lines[1], '^%d%d:%d%d:%d%d$', '-T: the time')
tap.like(lines[3], '^  chain_middle%+%d+ %[chain%]$', 'text: innermost first')
tap.like(lines[#lines], '^ +50$', '--top: the most frequent')
tap.workload = 'build/tests/workload'

tool.finish()
