-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run)
  for i, us in ipairs { 3, 100, 130, 140, 5000 } do
    run:feed('block_io', { device = i % 2 == 0 and 'sda' or 'nvme0n1', operation = us < 1000 and 'write' or 'flush',
      latency_ns = us * 1000, queue_ns = 1e6 })
  end
  return run
end

local run = feed(test.load 'biolatency')
test.is(run:aggregates()['block I/O latency'].count, 5, 'all are counted')
test.is(run:text(), '', 'nothing before the end')
test.golden('plain', run:finish():text())
test.golden('queued', feed(test.load('biolatency', { '-Qm' })):finish():text())
test.golden('disks', feed(test.load('biolatency', { '-DF' })):finish():text())

local one = feed(test.load('biolatency', { '-d', 'sda' }))
test.is(one:aggregates()['block I/O latency'].count, 2, '-d: this disk')

test.case('intervals', function()
  local timed = test.load('biolatency', { '-T', '500ms', '2' })
  feed(timed):advance '1s'
  test.ok(timed:stopped(), 'ends after two')
  test.golden('intervals', timed:finish():text())
end)

test.like(feed(test.load('biolatency', { '-D' }, { json = true })):finish():lines()[1],
  '^{"aggregate":"block I/O latency","device":"nvme0n1","label":"usecs","value":{"buckets":%[{"count":1,"from":2,',
  'JSON')

test.case('a recording', function() -- workload direct-write 7 4096
  local recorded = test.load('biolatency'):replay 'recordings/biolatency.rec'
  test.is(recorded:aggregates()['block I/O latency'].count, 7, 'every write')
  test.golden('recording', recorded:finish():text())
  test.golden('recording, disks', test.load('biolatency', { '-DF' }):replay('recordings/biolatency.rec')
    :finish():text())
end)
