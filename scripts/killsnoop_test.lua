-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run)
  run:feed('signal_send', { time_ns = 1e9, pid = 7, comm = 'bash', uid = 1000, number = 'SIGKILL', target = 181 })
  run:feed('signal_send', { pid = 8, comm = 'kill', number = 'SIGTERM', target = -1, result = -1 })
  run:feed('signal_send', { pid = 9, comm = 'postgres', target = 9, call = 'tgkill', target_tid = 10 })
  return run
end

local function pids(...)
  local found = {}
  for i, row in ipairs(feed(test.load('killsnoop', { ... })):rows()) do found[i] = row.pid end
  return found
end

local run = feed(test.load 'killsnoop')
test.is(run:rows()[1], { time = 946684801, seconds = 1, uid = 1000, pid = 7, comm = 'bash', signal = 'SIGKILL',
  target = 181, call = 'kill' }, 'a row')
test.is({ run:rows()[2].target, run:rows()[2].error }, { -1, 'EPERM' }, 'one that failed: the error by name')
test.is({ run:rows()[3].signal, run:rows()[3].target_tid }, { nil, 10 }, 'one that only asks; its thread')
test.golden('plain', run:text())
test.golden('all columns', feed(test.load('killsnoop', { '-tU' })):text())
test.is(run:probes(), { signal_send = { failed_only = 0 } }, 'what the kernel sends is not asked for')

test.is(test.load('killsnoop', { '-x' }):probes(), { signal_send = { failed_only = 1 } }, '-x: the probe chooses')
for _, name in ipairs { '9', 'KILL', 'SIGKILL', 'sigkill' } do test.is(pids('-s', name), { 7 }, '-s ' .. name) end
test.raises(function() test.load('killsnoop', { '-s', 'NONE' }) end, "signal 'NONE': needs a signal like SIGTERM or 15")
test.is(pids('-T', '181'), { 7 }, '-T: this target')
test.is(pids('-T', '-1'), { 8 }, '-T: everybody')
test.is(pids('-u', '1000'), { 7 }, '-u: this user')
test.is(pids('-n', 'gres'), { 9 }, '-n: part of the name')

test.case("the kernel's", function()
  local both = feed(test.load('killsnoop', { '-k' }))
  both:feed('signal', { pid = 11, comm = 'crash', number = 'SIGSEGV', code = 1, target_pid = 11, target_tid = 11 })
  both:feed('signal', { pid = 7, comm = 'bash', number = 'SIGKILL', code = 0, target_pid = 181 })
  test.is(#both:rows(), 4, '-k: those of the kernel, calls not twice')
  test.is({ both:rows()[4].signal, both:rows()[4].call, both:rows()[4].uid }, { 'SIGSEGV', 'kernel', nil }, '-k: a row')
  test.golden('kernel', both:text())
  test.is(test.load('killsnoop', { '-kx' }):probes(), { signal_send = { failed_only = 1 } }, '-kx: none of them fail')
end)

test.like(feed(test.load('killsnoop', {}, { json = true })):lines()[2],
  '"signal":"SIGTERM","target":%-1,"error":"EPERM","call":"kill","target_tid":null}$', 'JSON')

test.case('a recording', function() -- workload kill 3 , kill-missing 2 , signal 2
  local recorded = test.load('killsnoop'):replay 'recordings/killsnoop.rec'
  test.is(#recorded:rows(), 13, 'three times three calls that ask, two that fail, two that arrive')
  test.golden('recording', recorded:text())
  recorded = test.load('killsnoop', { '-x' }):replay 'recordings/killsnoop.rec'
  test.is({ #recorded:rows(), recorded:rows()[1].error }, { 2, 'ESRCH' }, '-x')
  recorded = test.load('killsnoop', { '-k', '-s', 'CHLD' }):replay 'recordings/killsnoop.rec'
  test.is({ #recorded:rows(), recorded:rows()[1].call }, { 3, 'kernel' }, '-k: two children end, and itself')
  test.is(#test.load('killsnoop', { '-s', 'USR1' }):replay('recordings/killsnoop.rec'):rows(), 2, '-s')
end)
