-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run)
  run:feed('block_io', { time_ns = 1.5e9, pid = 7, comm = 'postgres', device = 'sda', operation = 'write',
    sector = 359198656, bytes = 4096, latency_ns = 87500, queue_ns = 3e6 })
  run:feed('block_io', { time_ns = 2e9, pid = 8, comm = 'kworker/u4:1-ev', device = 'nvme0n1', operation = 'read',
    sector = 8, bytes = 1048576, latency_ns = 12e6, error = 'EIO' })
  run:feed('block_io', { time_ns = 3e9, comm = 'jbd2/sda1-8', device = 'sda', operation = 'flush', latency_ns = 5e6 })
  return run
end

local function sectors(...)
  local found = {}
  for i, row in ipairs(feed(test.load('biosnoop', { ... })):rows()) do found[i] = row.sector end
  return found
end

local run = feed(test.load 'biosnoop')
test.is(run:rows()[1], { time = 946684801.5, seconds = 1.5, comm = 'postgres', pid = 7, disk = 'sda',
  operation = 'write', sector = 359198656, bytes = 4096, queue_ms = 3, latency_ms = 0.0875 }, 'a row')
test.golden('plain', run:text())
test.golden('all columns', feed(test.load('biosnoop', { '-TQ' })):text())
test.golden('failed', feed(test.load('biosnoop', { '-x' })):text())

test.is(sectors('-d', 'sda'), { 359198656, 0 }, '-d: this disk')
test.is(sectors('-x'), { 8 }, '-x: those that failed')
test.is(sectors('-m', '5ms'), { 8, 0 }, '-m: at least so long')
test.is(sectors('-n', 'gres'), { 359198656 }, '-n: part of the name')

test.like(feed(test.load('biosnoop', {}, { json = true })):lines()[2],
  '"disk":"nvme0n1","operation":"read","sector":8,"bytes":1048576,"error":"EIO","queue_ms":0,"latency_ms":12}$', 'JSON')

test.case('a recording', function() -- workload direct-write 7 4096
  local recorded = test.load('biosnoop'):replay 'recordings/biosnoop.rec'
  test.is(#recorded:rows(), 7, 'every write')
  for _, row in ipairs(recorded:rows()) do
    test.is({ row.operation, row.bytes, row.comm }, { 'write', 4096, 'workload' }, 'what it was')
  end
  test.golden('recording', recorded:text())
end)
