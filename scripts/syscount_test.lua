-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run)
  for i = 1, 3 do
    run:feed('syscall', { pid = 7, comm = 'cat', number = 'read', latency_ns = 1000 * i, result = 10 })
  end
  run:feed('syscall', { pid = 8, comm = 'sh', number = 'openat', latency_ns = 9000, result = -2 })
  run:feed('syscall', { pid = 7, comm = 'cat', number = 'close', latency_ns = 500 })
  return run
end

local run = feed(test.load 'syscount')
test.is(run:rows(), {}, 'nothing before the end')
test.is(run:aggregates(), { ['syscall count by number'] = { read = 3, openat = 1, close = 1 } }, 'what is counted')
run:finish()
test.is(run:rows(), { { syscall = 'read', count = 3 }, { syscall = 'close', count = 1 },
  { syscall = 'openat', count = 1 } }, 'most frequent first')
test.golden('plain', run:text())

test.golden('latency', feed(test.load('syscount', { '-L' })):finish():text())
test.golden('milliseconds', feed(test.load('syscount', { '-PLm' })):finish():text())
test.is(feed(test.load('syscount', { '-P' })):finish():rows(),
  { { pid = 7, comm = 'cat', count = 4 }, { pid = 8, comm = 'sh', count = 1 } }, '-P: by process')
test.is(#feed(test.load('syscount', { '-T', '1' })):finish():rows(), 1, '-T: so many')
test.is(feed(test.load('syscount', { '-e', 'ENOENT' })):finish():rows(), { { syscall = 'openat', count = 1 } },
  '-e: this error')
test.is(test.load('syscount', { '-x' }):probes(), { syscall = { failed_only = 1 } }, '-x: the probe chooses')

test.case('intervals', function()
  local timed = test.load('syscount', { '1', '2', '--time' })
  feed(timed):advance '1s'
  test.is(#timed:rows(), 3, 'the first')
  timed:feed('syscall', { number = 'close' }):advance '1s'
  test.is(timed:rows()[4], { syscall = 'close', count = 1 }, 'the second begins at zero')
  test.ok(timed:stopped(), 'and is the last')
  timed:finish()
  test.golden('intervals', timed:text())
end)

test.case('what comes after COUNT', function()
  local timed = feed(test.load('syscount', { '1', '1', '-L' })):advance '1s'
  timed:clear()
  test.is(feed(timed):finish():text(), '', 'is not printed')
end)

test.like(feed(test.load('syscount', {}, { json = true })):finish():text(), '^{"syscall":"read","count":3}\n', 'JSON')

test.case('a recording', function() -- workload syscall 23 , open-missing 3
  local recorded = test.load('syscount'):replay 'recordings/syscount.rec'
  local counts = recorded:aggregates()['syscall count by number']
  test.is({ counts.getppid, counts.openat }, { 23, 3 }, 'as often as they were made')
  test.is(test.load('syscount', { '-e', 'ENOENT' }):replay('recordings/syscount.rec'):finish():rows(),
    { { syscall = 'openat', count = 3 } }, '-e: of one error')
  test.golden('recording', recorded:finish():text())
end)
