-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('execsnoop', tap)

local rows = tool.json('exec 23')
tap.is(#rows, 24, 'the workload and its 23 children')
local parent = rows[1] or {}
tap.like(parent.args, 'workload exec 23$', 'arguments of the first')
tap.is(tool.count(rows, { ppid = parent.pid, comm = 'workload', args = 'workload exit 0', error = tool.null }), 23,
  'parent, name and arguments of the children')
local pids, started = {}, true
for _, row in ipairs(rows) do
  pids[row.pid] = true
  started = started and row.time > 1.6e9 and row.seconds >= 0
end
local different = 0
for _ in pairs(pids) do different = different + 1 end
tap.is(different, 24, 'a process id for each')
tap.ok(started, 'times')

local lines = tool.text('exec 23')
tap.is(#lines, 25, 'text: a heading and 24 rows')
tap.like(lines[1], '^PCOMM +PID +PPID +RET +ARGS$', 'text: heading')
tap.is(tap.matching(lines, '^workload +%d+ +%d+ +0 +workload exit 0$'), 23, 'text: rows')

rows = tool.json('exec-fail 23')
tap.is(#rows, 1, 'failed calls are left out')
rows = tool.json('exec-fail 23', '-x')
tap.is(tool.count(rows, { error = 'ENOENT', args = 'moonprobe --argument', comm = 'workload' }), 23, '-x: failed calls')
tap.is(#rows, 24, '-x: and the one that did not')

lines = tool.text('exec 2', '-TtUq')
tap.like(lines[1], '^TIME +TIME%(s%) +UID +PCOMM ', '-TtU: columns')
tap.is(tap.matching(lines, '^%d%d:%d%d:%d%d +%d+%.%d%d%d +%d+ +workload .*"workload" "exit" "0"$'), 2,
  '-TtUq: times, user, quotes')
lines = tool.text('exec 2', '--max-args=1')
tap.is(tap.matching(lines, ' workload exit %.%.%.$'), 2, '--max-args')

-- Arguments that do not fit: at most 1023 bytes of a program that started, of a failed call at
-- most 20, each of at most 127 bytes.
local room = 1023 - #tool.json('exec 0 x')[1].args
local whole = tool.json('exec 0 ' .. ('x'):rep(room))[1].args
tap.is({ #whole, whole:sub(-2) }, { 1022, 'xx' }, 'arguments that just fit')
local cut = tool.json('exec 0 ' .. ('x'):rep(room + 1))[1].args
tap.is({ #cut, cut:sub(-5) }, { 1027, 'x ...' }, 'arguments that do not')
tap.like(tool.json('exec 0 ' .. ('x '):rep(2000), '-q --max-args=5000')[1].args, '"x" "x" %.%.%.$', '-q: nor many')

local function failed_args(arguments)
  local run = tap.undisturbed(('run -f json -c %s execsnoop -x --max-args=100'):format(
    tap.quote(('sh -c "/nonexistent/moonprobe %s"'):format(arguments))))
  return run.out:match('"error":"ENOENT","args":"/nonexistent/moonprobe ([^"]*)"')
end
tap.is(failed_args(('x '):rep(19)), ('x '):rep(19):sub(1, -2), '-x: 20 arguments')
tap.is(failed_args(('x '):rep(20)), ('x '):rep(19) .. '...', '-x: 21')
tap.is(failed_args(('x'):rep(127)), ('x'):rep(127), '-x: a long one')
tap.is(failed_args(('x'):rep(128)), ('x'):rep(127) .. ' ...', '-x: a longer one')
local long = ('x'):rep(127) .. ' '
tap.is(failed_args(long:rep(7)), long:rep(7):sub(1, -2), '-x: seven long ones')
tap.is(failed_args(long:rep(8)), long:rep(7) .. '...', '-x: eight')

tap.is(#tool.json('exec 5', "-l 'exit 0' -n work"), 5, '-l and -n')
tap.is(#tool.json('exec 5', '-n nosuchname'), 0, '-n: another name')
tap.is(#tool.json('exec 5', ('-u %d'):format(parent.uid)), 6, '-u: this user')
tap.is(#tool.json('exec 5', ('-u %d'):format(parent.uid + 1)), 0, '-u: another user')

tool.finish()
