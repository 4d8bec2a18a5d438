-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function io(run, tid, operation, name, bytes, more)
  local event = { pid = 7, tid = tid, comm = 'cat', operation = operation, name = name, bytes = bytes, result = bytes,
    kind = 'regular', inode = 100, device = 'sda' }
  for field, value in pairs(more or {}) do event[field] = value end
  run:feed('file_io', event)
end

local function feed(run)
  for _ = 1, 3 do io(run, 7, 'read', 'small', 10) end
  io(run, 7, 'write', 'small', 4096)
  io(run, 8, 'write', 'large', 8192)
  io(run, 8, 'write', 'large', 1e6, { inode = 101 })
  io(run, 9, 'read', 'socket', 100, { kind = 'socket' })
  io(run, 9, 'read', 'failed', 0, { result = -5 })
  return run
end

local function files(...)
  local found = {}
  for i, row in ipairs(feed(test.load('filetop', { ... })):finish():rows()) do found[i] = row.file end
  return found
end

local run = feed(test.load 'filetop')
test.is(run:rows(), {}, 'nothing before the end of the interval')
run:advance '1s'
test.is(run:rows()[1], { tid = 8, comm = 'cat', reads = 0, writes = 1, rbytes = 0, wbytes = 1e6, kind = 'regular',
  file = 'large', device = 'sda', inode = 101 }, 'most bytes first')
test.is({ run:rows()[3].reads, run:rows()[3].writes, run:rows()[3].rbytes, run:rows()[3].wbytes },
  { 3, 1, 30, 4096 }, 'reads and writes of a file in one row')
test.golden('plain', run:text())
run:clear()
io(run, 7, 'read', 'small', 10)
run:advance '1s'
test.is(#run:rows(), 1, 'the next interval begins at zero')

test.is(files(), { 'large', 'large', 'small', 'socket', 'failed' }, 'by bytes of both')
test.is(files('-s', 'reads'), { 'small', 'failed', 'socket', 'large', 'large' }, '-s reads')
test.is(files('-s', 'writes'), { 'large', 'large', 'small', 'failed', 'socket' }, '-s writes')
test.is(files('-s', 'rbytes')[1], 'socket', '-s rbytes')
test.is(files('-s', 'wbytes')[1], 'large', '-s wbytes')
test.is(#files('-r', '2'), 2, '-r: so many rows')
test.raises(function() test.load('filetop', { '-s', 'size' }) end, "needs one of all, reads, writes, rbytes, wbytes")
test.is(test.load('filetop'):probes(), { file_io = { all_kinds = 0 } }, 'regular files only')
test.is(test.load('filetop', { '-a' }):probes(), { file_io = { all_kinds = 1 } }, '-a: all kinds')

test.case('intervals', function()
  local timed = feed(test.load('filetop', { '-C', '500ms', '2' })):advance '500ms'
  io(timed, 7, 'read', 'small', 10)
  timed:advance '500ms'
  test.ok(timed:stopped(), 'ends after two')
  test.golden('intervals', timed:finish():text())
end)

test.like(feed(test.load('filetop', {}, { json = true })):finish():lines()[1],
  '^{"tid":8,"comm":"cat","reads":0,"writes":1,"rbytes":0,"wbytes":1000000,"kind":"regular","file":"large",', 'JSON')

test.case('a recording', function() -- workload write 7 1000 , read 3 1000
  local recorded = test.load('filetop'):replay('recordings/filetop.rec'):finish()
  local row = recorded:rows()[1]
  test.is({ #recorded:rows(), row.reads, row.writes, row.rbytes, row.wbytes, row.file },
    { 1, 3, 7, 3000, 7000, 'direct' }, 'all of it in one row')
  test.golden('recording', recorded:text())
  test.is(#test.load('filetop', { '-a' }):replay('recordings/filetop.rec'):finish():rows(), 1, '-a')
end)
