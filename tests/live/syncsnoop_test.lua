-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('syncsnoop', tap)

local scratch = os.tmpname()
local name = scratch:match('[^/]+$')

local rows = tool.json('sync 7 ' .. scratch)
for _, call in ipairs { 'fsync', 'fdatasync', 'syncfs', 'sync_file_range' } do
  tap.is(tool.count(rows, { call = call, file = name, comm = 'workload', error = tool.null }), 7, '7 times ' .. call)
end
tap.is(tool.count(rows, { call = 'sync_file_range', bytes = 4096, flags = 2 }), 7, 'length and flags of the range')
tap.is(tool.count(rows, { call = 'msync', bytes = 4096, flags = 4, file = tool.null, fd = tool.null }), 7, '7 times msync')
tap.is(#rows, 35, 'and nothing else')
local good = true
for _, row in ipairs(rows) do good = good and row.latency_ms > 0 and row.pid > 1 end
tap.ok(good, 'latency and process id')

rows = tool.json('sync-all 2')
tap.is(tool.count(rows, { call = 'sync', fd = tool.null, file = tool.null }), 2, 'twice sync')

rows = tool.json('sync-wrong 23')
tap.is(tool.count(rows, { call = 'fsync', error = 'EBADF' }), 23, '23 that fail')
tap.is(#tool.json('sync-wrong 23', '-x'), 23, '-x: those')
tap.is(#tool.json('sync 2 ' .. scratch, '-x'), 0, '-x: no others')

local lines = tool.text('sync 2 ' .. scratch)
tap.like(lines[1], '^TIME +PID +COMM +CALL +ERR +LAT%(ms%) +FILE$', 'text: heading')
tap.is(tap.matching(lines, '^%d%d:%d%d:%d%d %d+ +workload +fsync +0 +%d+%.%d%d%d ' .. name .. '$'), 2, 'text: rows')
lines = tool.text('sync 2 ' .. scratch, '-tU')
tap.like(lines[1], '^TIME +TIME%(s%) +UID +PID ', '-tU: columns')
tap.is(tap.matching(lines, '^%d%d:%d%d:%d%d %d+%.%d%d%d +0 +%d+ +workload '), 10, '-tU: rows')

tap.is(#tool.json('sync 2 ' .. scratch, '-s fsync,msync'), 4, '-s: these calls')
tap.is(#tool.json('sync-wrong 5', '-m 1m'), 0, '-m: none took a minute')
tap.is(#tool.json('sync-wrong 5', '-n work'), 5, '-n: part of the name')
tap.is(#tool.json('sync-wrong 5', '-n nosuchname'), 0, '-n: another name')
tap.is(tool.count_of_nobody('sync-wrong 5', 65534), 5, '-u: of nobody')
tap.is(tool.count_of_nobody('sync-wrong 5', 0), 0, '-u: not of root')

os.remove(scratch)
tool.finish()
