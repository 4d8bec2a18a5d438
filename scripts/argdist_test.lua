-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run, probe)
  for i, retval in ipairs { 5, -2, 5, 100, 5 } do
    run:feed(probe or 'kretprobe:vfs_read', { comm = i < 4 and 'cat' or 'sh', retval = retval, latency_ns = 1000 * i,
      args = { count = 4096 } })
  end
  return run
end

-- Only what the expressions read has a place in the event.
local function plain(run)
  for i, retval in ipairs { 5, -2, 5, 100, 5 } do
    run:feed('kretprobe:vfs_read', { comm = i < 4 and 'cat' or 'sh', retval = retval, latency_ns = 1000 * i })
  end
  return run
end

test.case('counts', function()
  local run = feed(test.load('argdist', { '-C', 'r:vfs_read', '-e', 'e.retval, e.args.count' })):finish()
  test.is(run:rows()[1], { count = 3, event = 'e.retval = 5, e.args.count = 4096', values = { '5', '4096' } },
    'two values')
  test.golden('counts', run:text())
  run = plain(test.load('argdist', { '-C', 'r:vfs_read', '-e', 'math.max(e.retval, 0)', '-w', 'e.comm == "cat"' }))
  test.is(run:finish():rows(), { { count = 2, event = 'math.max(e.retval, 0) = 5', values = { 5 } },
    { count = 1, event = 'math.max(e.retval, 0) = 0', values = { 0 } } }, 'a comma within, a filter')
  run = plain(test.load('argdist', { '-C', 'kretprobe:vfs_read' })):finish()
  test.is(run:rows(), { { count = 5, event = 'vfs_read', values = { 'vfs_read' } } }, 'calls by function')
  test.is(#plain(test.load('argdist', { '-C', 'r:vfs_read', '-e', 'e.retval', '-T', '2' })):finish():rows(), 2,
    '-T: so many')
end)

test.case('histograms', function()
  local run = plain(test.load('argdist', { '-H', 'r:vfs_read', '-e', 'e.latency_ns / 1000' }))
  test.is(run:aggregates()['kretprobe:vfs_read e.latency_ns / 1000'].count, 5, 'all')
  test.golden('histogram', run:finish():text())
  run = plain(test.load('argdist', { '-H', 'r:vfs_read', '-e', 'e.retval', '-b', 'e.comm' })):finish()
  test.golden('by', run:text())
end)

test.case('intervals', function()
  local timed = plain(test.load('argdist', { '-C', 'r:vfs_read', '-e', 'e.comm', '-i', '1', '-n', '2' })):advance '1s'
  test.is(#timed:rows(), 2, 'the first')
  plain(timed):advance '1s'
  test.is(timed:rows()[3].count, 3, 'the second begins at zero')
  test.ok(timed:stopped(), '-n: ends')
  timed = plain(test.load('argdist', { '-cC', 'r:vfs_read', '-e', 'e.comm', '1', '2' })):advance '1s'
  plain(timed):advance '1s'
  test.is(timed:rows()[3].count, 6, '-c: goes on')
end)

local function refused(pattern, ...)
  local arguments = { ... }
  test.raises(function() test.load('argdist', arguments) end, pattern)
end
refused 'one of %-C TARGET and %-H TARGET'
refused('one of %-C TARGET', '-C', 'vfs_read', '-H', 'vfs_read')
refused('%-H needs %-e with one value', '-H', 'vfs_read')
refused('%-H needs %-e with one value', '-H', 'vfs_read', '-e', 'e.arg0, e.arg1')
refused('%-b is for %-H', '-C', 'vfs_read', '-b', 'e.comm')
refused("expressions 'e%.retval %+': unexpected symbol near '<eof>'", '-C', 'r:vfs_read', '-e', 'e.retval +')
refused("expressions 'e end': '<eof>' expected", '-C', 'vfs_read', '-e', 'e end')
refused("args has no 'cuont'", '-C', 'vfs_read', '-e', 'e.args.cuont')
refused("no field 'retval'", '-C', 'vfs_read', '-e', 'e.retval')
test.is(plain(test.load('argdist', { '-C', 'r:vfs_read', '-e', 'e.retval' }, { json = true })):finish():lines()[1],
  '{"count":3,"event":"e.retval = 5","values":[5]}', 'JSON')
