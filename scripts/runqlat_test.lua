-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run)
  for i, us in ipairs { 1, 5, 6, 7, 3000 } do
    run:feed('sched_latency', { pid = 7, tid = 70 + i % 2, comm = 'make', latency_ns = us * 1000 })
  end
  run:feed('sched_latency', { pid = 8, tid = 8, comm = 'sh', latency_ns = 500 })
  return run
end

local run = feed(test.load 'runqlat')
test.is(run:aggregates()['run queue latency'], { count = 6, sum = 3019.5, buckets = {
  { from = 0, to = 1, count = 1 }, { from = 1, to = 2, count = 1 }, { from = 2, to = 4, count = 0 },
  { from = 4, to = 8, count = 3 }, { from = 8, to = 16, count = 0 }, { from = 16, to = 32, count = 0 },
  { from = 32, to = 64, count = 0 }, { from = 64, to = 128, count = 0 }, { from = 128, to = 256, count = 0 },
  { from = 256, to = 512, count = 0 }, { from = 512, to = 1024, count = 0 }, { from = 1024, to = 2048, count = 0 },
  { from = 2048, to = 4096, count = 1 } } }, 'what is counted')
test.golden('plain', run:finish():text())
test.golden('milliseconds', feed(test.load('runqlat', { '-m' })):finish():text())
test.golden('processes', feed(test.load('runqlat', { '-P' })):finish():text())

local threads = feed(test.load('runqlat', { '-L' })):aggregates()['run queue latency']
test.is({ threads[70].count, threads[71].count, threads[8].count }, { 2, 3, 1 }, '-L: each thread')

test.case('intervals', function()
  local timed = test.load('runqlat', { '-T', '1', '1' })
  feed(timed):advance '1s'
  test.ok(timed:stopped(), 'ends after one')
  test.golden('intervals', timed:finish():text())
end)

test.like(feed(test.load('runqlat', { '-P' }, { json = true })):finish():lines()[1],
  '^{"aggregate":"run queue latency","pid":7,"comm":"make","label":"usecs","value":{', 'JSON')

test.case('a recording', function() -- workload switch 23
  local recorded = test.load('runqlat'):replay 'recordings/runqlat.rec'
  test.ok(recorded:aggregates()['run queue latency'].count >= 46, 'two for each round trip')
  test.golden('recording', recorded:finish():text())
  local by_thread = test.load('runqlat', { '-L' }):replay('recordings/runqlat.rec')
  local names = 0
  for _ in pairs(by_thread:aggregates()['run queue latency']) do names = names + 1 end
  test.is(names, 2, '-L: the two of them')
end)
