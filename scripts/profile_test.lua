-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local PROBE = 'profile:49'

local function feed(run)
  for _ = 1, 5 do run:feed(PROBE, { comm = 'cc1', pid = 7, ustack = { 'parse', 'main' }, kstack = {} }) end
  run:feed(PROBE, { comm = 'cc1', pid = 8, ustack = { 'parse', 'main' }, kstack = {} })
  run:feed(PROBE, { comm = 'cc1', pid = 7, kstack = { 'vfs_read', 'do_syscall_64' }, ustack = { 'read', 'main' } })
  return run
end

local run = feed(test.load 'profile')
test.is(run:text(), '', 'nothing before the end')
test.golden('plain', run:finish():text())
test.golden('folded', feed(test.load('profile', { '-f' })):finish():text())
test.golden('each process', feed(test.load('profile', { '-fP' })):finish():text())
test.golden('JSON', feed(test.load('profile', {}, { json = true })):finish():text())
test.is(feed(test.load('profile', { '-U', '--top', '1' })):finish():lines()[4],
  ('%-40s %12d'):format('cc1', 6), '-U: of two processes, the same is one')
test.is(test.load('profile', { '-F', '99' }):probes(), { ['profile:99'] = {} }, '-F: how often')

test.case('intervals', function()
  local timed = test.load('profile', { '-Tf', '1', '2' })
  feed(timed):advance '1s'
  timed:feed(PROBE, { comm = 'sh', kstack = { 'schedule' }, ustack = {} }):advance '1s'
  test.ok(timed:stopped(), 'so many')
  timed:finish()
  test.golden('intervals', timed:text())
end)

test.case('a recording', function() -- workload spin 300
  local recorded = test.load('profile', { '-f' }):replay 'recordings/profile.rec'
  recorded:finish()
  local sum = 0
  for _, line in ipairs(recorded:lines()) do
    test.like(line, '^workload;.*clock_gettime.* %d+$', 'it asks for the time, all the time')
    sum = sum + tonumber(line:match '%d+$')
  end
  test.ok(sum >= 10 and sum <= 16, '49 times a second, for 300 ms', sum)
  test.golden('recording', recorded:text())
end)
