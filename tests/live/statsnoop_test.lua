-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('statsnoop', tap)

local path = 'tests/live/statsnoop_test.lua'

local rows = tool.json('stat 23 ' .. path)
local calls = { 'fstatat', 'statx', 'statfs' }
if tap.shell('uname -m').out == 'x86_64\n' then
  calls = { 'stat', 'lstat', 'fstatat', 'statx', 'statfs' }
end
for _, call in ipairs(calls) do
  tap.is(tool.count(rows, { path = path, comm = 'workload', call = call, result = 0, error = tool.null }), 23,
    '23 times ' .. call)
end
tap.is(tool.count(rows, { path = path }), 23 * #calls, 'and no others of this path')
local good = true
for _, row in ipairs(rows) do good = good and row.latency_us > 0 and row.pid > 1 end
tap.ok(good, 'latency and process id')

rows = tool.json('stat-missing 23', '-x')
tap.is(tool.count(rows, { path = '/nonexistent/moonprobe', result = -1, error = 'ENOENT' }), 23, '-x: 23 failed')
tap.is(#rows, 23, '-x: and nothing else')
tap.is(#tool.json('stat 5 ' .. path, '-x'), 0, '-x: none failed')

tap.is(#tool.json('stat-open 23'), 0, 'none of a descriptor')
tap.is(tool.count(tool.json('stat-open 23', '-a'), { path = '', call = 'fstatat' }), 23, '-a: 23 of a descriptor')

local lines = tool.text('stat 3 ' .. path)
tap.like(lines[1], '^PID +COMM +RET ERR +PATH$', 'text: heading')
tap.is(tap.matching(lines, '^%d+ +workload +0 0 +' .. path:gsub('%.', '%%.') .. '$'), 3 * #calls, 'text: rows')
lines = tool.text('stat-missing 3')
tap.is(tap.matching(lines, '^%d+ +workload +%-1 ENOENT /nonexistent/moonprobe$'), 3, 'text: failed calls')
lines = tool.text('stat-missing 3', '-TtUe')
tap.like(lines[1], '^TIME +TIME%(s%) +UID +PID +COMM +RET ERR +CALL +LAT%(us%) +PATH$', '-TtUe: columns')
tap.is(tap.matching(lines, '^%d+:%d+:%d+ %d+%.%d+ +0 +%d+ +workload +%-1 ENOENT fstatat +%d+%.%d /nonexistent'), 3,
  '-TtUe: rows')

tap.is(#tool.json('stat-missing 5', '-n work'), 5, '-n: part of the name')
tap.is(#tool.json('stat-missing 5', '-n nosuchname'), 0, '-n: another name')
tap.is(tool.count_of_nobody('stat-missing 5', 65534), 5, '-u: of nobody')
tap.is(tool.count_of_nobody('stat-missing 5', 0), 0, '-u: not of root')

tool.finish()
