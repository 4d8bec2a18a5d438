-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run)
  for i, name in ipairs { 'read', 'write', 'open', 'create', 'unlink', 'mkdir', 'rmdir' } do
    for _ = 1, 10 * i do run:feed('kprobe:vfs_' .. name, { pid = 7 }) end
  end
  for _, call in ipairs { 'fsync', 'fdatasync', 'sync', 'msync' } do run:feed('file_sync', { call = call }) end
  return run
end

local run = feed(test.load 'vfsstat')
test.is(run:rows(), {}, 'nothing before the end of the interval')
run:advance '1s'
test.is(run:rows(), { { time = 946684801, read = 10, write = 20, fsync = 2, open = 30, create = 40, unlink = 50,
  mkdir = 60, rmdir = 70, seconds = 1 } }, 'what is counted')

test.case('intervals', function()
  local timed = feed(test.load('vfsstat', { '10', '2' })):advance '20s'
  test.ok(timed:stopped(), 'ends after two')
  test.is({ timed:rows()[1].read, timed:rows()[2].read }, { 10, 0 }, 'counts, from zero each time')
  test.golden('intervals', timed:finish():text())
end)

test.like(feed(test.load('vfsstat', {}, { json = true })):advance('2s'):lines()[1],
  '"read":10,"write":20,"fsync":2,"open":30,"create":40,"unlink":50,"mkdir":60,"rmdir":70,"seconds":1}$', 'JSON')

test.case('a recording', function() -- workload write 23 , read 7 , make-files 3 , sync 2
  local recorded = test.load('vfsstat'):replay('recordings/vfsstat.rec'):finish()
  local row = recorded:rows()[1]
  test.is({ row.read, row.write, row.fsync, row.open, row.create, row.unlink, row.mkdir, row.rmdir },
    { 7, 23, 4, 3, 3, 3, 3, 3 }, 'as often as they were made')
end)
