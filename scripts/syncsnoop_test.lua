-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run)
  run:feed('file_sync', { time_ns = 1e9, pid = 7, uid = 1000, comm = 'postgres', call = 'fdatasync', fd = 5,
    name = '00000001', latency_ns = 2.5e6 })
  run:feed('file_sync', { pid = 8, comm = 'sync', call = 'sync', fd = -1, latency_ns = 1e9 })
  run:feed('file_sync', { pid = 9, comm = 'dd', call = 'fsync', fd = 77, result = -9 })
  run:feed('file_sync', { pid = 10, comm = 'db', call = 'msync', fd = -1, offset = 4096, bytes = 8192, flags = 4 })
  return run
end

local function pids(...)
  local found = {}
  for i, row in ipairs(feed(test.load('syncsnoop', { ... })):rows()) do found[i] = row.pid end
  return found
end

local run = feed(test.load 'syncsnoop')
test.is(run:rows()[1], { time = 946684801, seconds = 1, uid = 1000, pid = 7, comm = 'postgres', call = 'fdatasync',
  latency_ms = 2.5, file = '00000001', fd = 5, offset = 0, bytes = 0, flags = 0 }, 'a row')
test.is(run:rows()[3].error, 'EBADF', 'one that failed: the error by name')
test.is({ run:rows()[4].fd, run:rows()[4].offset, run:rows()[4].bytes }, { nil, 4096, 8192 }, 'one without a file')
test.golden('plain', run:text())
test.golden('all columns', feed(test.load('syncsnoop', { '-tU' })):text())

test.is(pids('-x'), { 9 }, '-x: those that failed')
test.is(pids('-m', '2500us'), { 7, 8 }, '-m: at least so long')
test.is(pids('-s', 'fsync,sync'), { 8, 9 }, '-s: these calls')
test.is(pids('-u', '1000'), { 7 }, '-u: this user')
test.is(pids('-n', 'd'), { 9, 10 }, '-n: part of the name')
test.raises(function() test.load('syncsnoop', { '-s', 'flush' }) end, 'needs some of sync,fsync,')

test.like(feed(test.load('syncsnoop', {}, { json = true })):lines()[2],
  '"call":"sync","error":null,"latency_ms":1000,"file":null,"fd":null,"offset":0,"bytes":0,"flags":0}$', 'JSON')

test.case('a recording', function() -- workload sync 2 , sync-wrong 1
  local recorded = test.load('syncsnoop'):replay 'recordings/syncsnoop.rec'
  test.is(#recorded:rows(), 11, 'twice five calls and one that fails')
  test.is(recorded:rows()[2].file, 'direct', 'the name of the file')
  test.golden('recording', recorded:text())
  test.is(#test.load('syncsnoop', { '-s', 'fsync' }):replay('recordings/syncsnoop.rec'):rows(), 3, '-s')
end)
