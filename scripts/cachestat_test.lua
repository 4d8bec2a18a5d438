-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local ACCESSED, ADDED = 'kprobe:folio_mark_accessed', 'kprobe:filemap_add_folio'
local DIRTIED, BUFFER = 'rawtracepoint:writeback_dirty_folio', 'kprobe:mark_buffer_dirty'

local function feed(run, counts)
  for probe, count in pairs(counts) do
    for _ = 1, count do run:feed(probe, { pid = 7 }) end
  end
  return run
end

--- Without what the machine has of memory.
local function numbers(run)
  local row = run:rows()[#run:rows()]
  return { row.hits, row.misses, row.dirties, row.hit_ratio }
end

local function memoryless(text) return (text:gsub(' +[%d-]+ +[%d-]+\n', ' BUFFERS CACHED\n')) end

test.is(numbers(feed(test.load 'cachestat', { [ACCESSED] = 8, [ADDED] = 2 }):finish()), { 6, 2, 0, 0.75 }, 'reads')
test.is(numbers(feed(test.load 'cachestat', { [ACCESSED] = 8, [ADDED] = 5, [DIRTIED] = 3, [BUFFER] = 2 }):finish()),
  { 4, 2, 3, 4 / 6 }, 'what writes add is no miss, what they touch no hit')
test.is(numbers(feed(test.load 'cachestat', { [ADDED] = 9 }):finish()), { 0, 0, 0, 0 }, 'read ahead of what is asked')
test.is(numbers(feed(test.load 'cachestat', { [DIRTIED] = 3, [BUFFER] = 3 }):finish()), { 0, 0, 3, 0 }, 'only dirtied')
test.is(numbers(test.load('cachestat'):finish()), { 0, 0, 0, 0 }, 'nothing at all')

test.case('intervals', function()
  local timed = feed(test.load('cachestat', { '-T', '2', '2' }), { [ACCESSED] = 3, [ADDED] = 1 }):advance '2s'
  feed(timed, { [ACCESSED] = 4 }):advance '2s'
  test.ok(timed:stopped(), 'ends after two')
  test.golden('intervals', memoryless(timed:finish():text()))
end)

test.like(feed(test.load('cachestat', {}, { json = true }), { [ACCESSED] = 2, [ADDED] = 1 }):finish():lines()[1],
  '"hits":1,"misses":1,"dirties":0,"hit_ratio":0.5,"buffers_mb":', 'JSON')

test.case('a recording', function() -- workload cached-read 23 , cached-write 7
  local recorded = test.load('cachestat'):replay('recordings/cachestat.rec'):finish()
  test.is({ recorded:rows()[1].misses, recorded:rows()[1].dirties }, { 23, 7 }, 'pages read first, and written')
  test.golden('recording', memoryless(recorded:text()))
end)
