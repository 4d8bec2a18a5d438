-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('trace', tap)

-- A user function: the workload's own. 110 is getppid's number.
local FUNCTION = tap.workload .. ':syscall'
local rows = tool.json('syscall 23', FUNCTION .. ' -e e.arg0')
tap.is({ #rows, tool.count(rows, { comm = 'workload', func = 'syscall', message = '110' }) }, { 23, 23 },
  'a user function')
rows = tool.json('syscall 23', '-M 5 ' .. FUNCTION)
tap.is(#rows, 5, '-M: so many')
local run = tool.run('exit 0', FUNCTION .. ' -f %d')
tap.is({ run.status, run.out }, { 2, '' }, 'a bad format: status')
tap.like(run.err, "^moonprobe: trace: format '%%d': it asks for other values than %-e has;[^\n]*\n$",
  'a bad format: one line')
local lines = tool.text('syscall 3', FUNCTION)
tap.like(lines[1], '^PID +TID +COMM +FUNC$', 'text: heading')
tap.is(tap.matching(lines, '^%d+ +%d+ +workload +syscall$'), 3, 'text: rows')

tool.needs 'kretprobe:vfs_read'
local path = os.tmpname()
tap.spit(path, 'abc')
rows = tool.json('read 23 10 ' .. path, 'r:vfs_read -e "e.retval, e.args.count"')
tap.is({ #rows, tool.count(rows, { comm = 'workload', func = 'vfs_read', message = '3 10' }) }, { 23, 23 },
  'results and arguments')
tap.is(#tool.json('read 23 10 ' .. path, 'r:vfs_read -w "e.retval ~= 3"'), 0, '-w: none')
tap.is(#tool.json('read 23 10 ' .. path, 'vfs_read -n nosuchname'), 0, '-n: another name')
rows = tool.json('read 23 10 ' .. path, "'vfs_*' -e e.arg2")
tap.is(tool.count(rows, { func = 'vfs_read', message = '10' }), 23, 'a wildcard')
lines = tool.text('read 3 10 ' .. path, "-TtC r:vfs_read -f '%d of %s bytes' -e 'e.retval, e.args.count'")
tap.like(lines[1], '^TIME +TIME%(s%) +CPU +PID +TID +COMM +FUNC +MESSAGE$', '-TtC: columns')
tap.is(tap.matching(lines, '^%d%d:%d%d:%d%d +%d+%.%d+ +%d+ +%d+ +%d+ +workload +vfs_read +3 of 10 bytes$'), 3,
  '-f: a format')
os.remove(path)

tool.finish()
