-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run)
  for _ = 1, 3 do run:feed('kprobe:vfs_*', { place = 'vfs_read' }) end
  run:feed('kprobe:vfs_*', { place = 'vfs_write' })
  return run
end

local run = feed(test.load('funccount', { 'vfs_*' }))
test.is(run:rows(), {}, 'nothing before the end')
test.is(run:finish():rows(), { { func = 'vfs_read', count = 3 }, { func = 'vfs_write', count = 1 } },
  'most frequent first')
test.golden('plain', run:text())
test.is(#feed(test.load('funccount', { 'vfs_*', '-t', '1' })):finish():rows(), 1, '-t: so many')
test.is(feed(test.load('funccount', { 'vfs_*', '-w', 'e.place == "vfs_write"' })):finish():rows(),
  { { func = 'vfs_write', count = 1 } }, '-w: a filter')

test.case('intervals', function()
  local timed = test.load('funccount', { '-Ti', '1', '-d', '2', 'vfs_*' })
  feed(timed):advance '1s'
  test.is(#timed:rows(), 2, 'the first')
  timed:feed('kprobe:vfs_*', { place = 'vfs_open' }):advance '1s'
  test.is(timed:rows()[3], { func = 'vfs_open', count = 1 }, 'the second begins at zero')
  test.ok(timed:stopped(), '-d: ends')
  test.golden('intervals', timed:finish():text())
end)

test.case('an end between two intervals', function()
  local timed = test.load('funccount', { '-Ti', '100ms', '-d', '350ms', 'vfs_*' })
  for _ = 1, 4 do feed(timed):advance '100ms' end
  test.ok(timed:stopped(), '-d: ends')
  local _, times = timed:finish():text():gsub('%f[%d]%d%d:%d%d:%d%d\n', '')
  test.is(times, 4, 'the last one is shorter')
end)

test.case('names', function()
  for text, probe in pairs { vfs_read = 'kprobe:vfs_read', ['kprobe:vfs_read'] = 'kprobe:vfs_read',
    ['p:vfs_read'] = 'kprobe:vfs_read', ['r:vfs_read'] = 'kretprobe:vfs_read', ['r::vfs_read'] = 'kretprobe:vfs_read',
    ['libc:malloc'] = 'uprobe:libc:malloc', ['c:malloc'] = 'uprobe:libc:malloc',
    ['r:libc:malloc'] = 'uretprobe:libc:malloc', ['profile:99'] = 'profile:99' } do
    test.is((next(test.load('funccount', { text }):probes())), probe, text)
  end
  local one = test.load('funccount', { 'c:malloc' })
  one:feed('uprobe:libc:malloc', {})
  test.is(one:finish():rows(), { { func = 'malloc', count = 1 } }, 'one function')
end)

test.raises(function() test.load('funccount') end, 'PATTERN is missing')
test.raises(function() test.load('funccount', { 'a b' }) end, "pattern 'a b': needs a function")
test.raises(function() test.load('funccount', { 'vfs_rea' }) end, "did you mean")
test.raises(function() test.load('funccount', { 'vfs_*', '-w', 'e.' }) end, "where 'e%.': .*expected near '<eof>'")
test.raises(function() test.load('funccount', { 'vfs_*', '-w', 'e.plac' }) end, "no field 'plac'")
test.is(feed(test.load('funccount', { 'vfs_*' }, { json = true })):finish():lines()[1],
  '{"func":"vfs_read","count":3}', 'JSON')
