-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('opensnoop', tap)

local path = 'tests/live/opensnoop_test.lua'
local scratch = os.tmpname()

local rows = tool.json('open 23 ' .. path)
tap.is(tool.count(rows, { path = path, comm = 'workload', error = tool.null, mode = 0 }), 23, '23 opens')
local good = true
for _, row in ipairs(rows) do good = good and row.fd >= 3 and row.latency_us > 0 and row.pid > 1 end
tap.ok(good, 'descriptor, latency and process id')

local lines = tool.text('open 23 ' .. path)
tap.like(lines[1], '^PID +COMM +FD ERR +PATH$', 'text: heading')
tap.is(tap.matching(lines, '^%d+ +workload +%d+ 0 +' .. path:gsub('%.', '%%.') .. '$'), 23, 'text: rows')

rows = tool.json('open-missing 23', '-x')
tap.is(tool.count(rows, { path = '/nonexistent/moonprobe', fd = tool.null, error = 'ENOENT' }), 23, '-x: 23 failed')
tap.is(#rows, 23, '-x: and nothing else')
tap.is(#tool.json('open 23 ' .. path, '-x'), 0, '-x: none failed')
lines = tool.text('open-missing 3')
tap.is(tap.matching(lines, '^%d+ +workload +%-1 ENOENT /nonexistent/moonprobe$'), 3, 'text: failed opens')

tap.is(#tool.json('write 2 10 ' .. scratch, '-f O_WRONLY,O_RDWR'), 1, '-f: opened to be written')
tap.is(#tool.json('open 5 ' .. path, '-f O_CREAT'), 0, '-f: none creates')
tap.is(#tool.json('open 5 ' .. path, '-f O_RDONLY -n work'), 5, '-f: the one without a bit; -n')
tap.is(#tool.json('open 5 ' .. path, '-n nosuchname'), 0, '-n: another name')
tap.is(tool.count(tool.json('open 5 ' .. path, '-u 0'), { uid = 0 }), 5, '-u: this user')
tap.is(#tool.json('open 5 ' .. path, '-u 1'), 0, '-u: another user')
tap.is(tool.count_of_nobody('open 5 /etc/passwd', 65534), 5, '-u: of nobody')
tap.is(tool.count_of_nobody('open 5 /etc/passwd', 0), 0, '-u: not of root')
lines = tool.text('open 5 ' .. path, '-U')
tap.like(lines[1], '^UID +PID +COMM ', '-U: column')
tap.is(tap.matching(lines, '^0 +%d+ +workload '), 5, '-U: root')
lines = tool.text('write 1 10 ' .. scratch, '-eTt')
tap.like(lines[1], '^TIME +TIME%(s%) +PID +COMM +FD ERR +FLAGS +MODE +LAT%(us%) +PATH$', '-eTt: columns')
tap.is(tap.matching(lines, '^%d+:%d+:%d+ +%d+%.%d+ .* 0 +%d+1101 +00600 +%d+%.%d ' .. scratch), 1,
  '-e: flags and mode in octal')
local run = tool.run('open 1 ' .. path, '-f O_NOSUCH')
tap.is(run.status, 2, '-f: an unknown flag is refused')

os.remove(scratch)
tool.finish()
