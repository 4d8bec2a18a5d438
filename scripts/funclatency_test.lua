-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run)
  for i, us in ipairs { 1, 5, 6, 7, 3000 } do
    run:feed('kretprobe:vfs_*', { place = i % 2 == 1 and 'vfs_read' or 'vfs_write', latency_ns = us * 1000,
      retval = i - 3 })
  end
  return run
end

local run = feed(test.load('funclatency', { 'vfs_*', '-u' }))
test.is(run:aggregates()['vfs_* latency'].count, 5, 'all together')
test.golden('microseconds', run:finish():text())
test.golden('nanoseconds', feed(test.load('funclatency', { 'vfs_*' })):finish():text())
test.golden('milliseconds', feed(test.load('funclatency', { 'vfs_*', '-mF' })):finish():text())
local each = feed(test.load('funclatency', { 'vfs_*', '-F' })):aggregates()['vfs_* latency']
test.is({ each.vfs_read.count, each.vfs_write.count }, { 3, 2 }, '-F: each function')
test.is(feed(test.load('funclatency', { 'vfs_*', '-w', 'e.retval < 0' })):aggregates()['vfs_* latency'].count, 2,
  '-w: a filter')
test.is((next(test.load('funclatency', { 'libc:malloc' }):probes())), 'uretprobe:libc:malloc', 'a user function')
test.is((next(test.load('funclatency', { 'kretprobe:vfs_read' }):probes())), 'kretprobe:vfs_read', 'a return')

test.case('intervals', function()
  local timed = test.load('funclatency', { '-uTi', '1', '-d', '1', 'vfs_*' })
  feed(timed):advance '1s'
  test.ok(timed:stopped(), '-d: ends')
  test.golden('intervals', timed:finish():text())
end)

test.like(feed(test.load('funclatency', { 'vfs_*', '-u' }, { json = true })):finish():text(),
  '^{"aggregate":"vfs_%* latency","label":"usecs","value":{[^\n]*}\n$', 'JSON: no more than the histogram')
test.raises(function() test.load('funclatency') end, 'PATTERN is missing')
test.raises(function() test.load('funclatency', { 'profile:99' }) end, "no field 'latency_ns'")
