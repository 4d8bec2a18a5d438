-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local EXEC = 'rawtracepoint:sched_process_exec'
local shell, make = { 'begin_new_exec', 'exec_binprm', 'do_syscall_64' }, { 'begin_new_exec', 'do_syscall_64' }

local function feed(run)
  for _ = 1, 3 do run:feed(EXEC, { comm = 'sh', kstack = shell, ustack = { 'execve', 'main' } }) end
  run:feed(EXEC, { comm = 'make', kstack = shell, ustack = {} })
  run:feed(EXEC, { comm = 'make', kstack = make })
  return run
end

local run = feed(test.load('stackcount', { EXEC }))
test.is(run:text(), '', 'nothing before the end')
test.is(run:aggregates(), { [EXEC] = { ['do_syscall_64;exec_binprm;begin_new_exec'] = 4,
  ['do_syscall_64;begin_new_exec'] = 1 } }, 'what is counted')
test.golden('plain', run:finish():text())
test.golden('by name', feed(test.load('stackcount', { '-P', EXEC })):finish():text())
test.golden('folded, with both stacks', feed(test.load('stackcount', { '-fPKU', EXEC })):finish():text())
test.golden('JSON', feed(test.load('stackcount', { EXEC, '--top', '1' }, { json = true })):finish():text())

test.case('which stack', function()
  test.is(test.load('stackcount', { '-U', EXEC }):feed(EXEC, { ustack = { 'execve', 'main' } }):aggregates(),
    { [EXEC] = { ['main;execve'] = 1 } }, "-U: the process's")
  test.is(test.load('stackcount', { '-K', EXEC }):feed(EXEC, { kstack = make }):aggregates(),
    { [EXEC] = { ['do_syscall_64;begin_new_exec'] = 1 } }, "-K: the kernel's")
  test.is(test.load('stackcount', {}):probes(), { ['profile:99'] = {} }, 'without a name: samples')
end)

test.case('intervals', function()
  local timed = test.load('stackcount', { '-T', EXEC, '1', '2' })
  feed(timed):advance '1s'
  timed:feed(EXEC, { kstack = make }):advance '1s'
  test.ok(timed:stopped(), 'so many')
  timed:finish()
  test.golden('intervals', timed:text())
end)

test.case('a recording', function() -- workload exec 7
  local recorded = test.load('stackcount', { EXEC }):replay 'recordings/stackcount.rec'
  local counts, sum, from_syscall = recorded:aggregates()[EXEC], 0, 0
  for stack, count in pairs(counts) do
    sum = sum + count
    if stack:find 'do_syscall_64;__x64_sys_execve;' then from_syscall = from_syscall + count end
  end
  test.is({ sum, from_syscall }, { 8, 8 }, 'by the system call, all of them')
  test.golden('recording', recorded:finish():text())
end)
