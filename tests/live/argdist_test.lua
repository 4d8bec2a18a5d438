-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('argdist', tap)

-- A user function: the workload's own. 110 is getppid's number.
local FUNCTION = tap.workload .. ':syscall'
tap.is(tool.json('syscall 23', ('-C %s -e "e.comm, e.arg0"'):format(FUNCTION)),
  { { count = 23, event = 'e.comm = workload, e.arg0 = 110', values = { 'workload', '110' } } }, '-C: a user function')
local rows = tool.json('syscall 23', ('-H %s -e "e.arg0 / 10"'):format(FUNCTION))
tap.is({ rows[1] and rows[1].value.count, rows[1] and rows[1].value.sum }, { 23, 253 }, '-H: a user function')
local run = tool.run('sleep 100 50', ('-C %s 100ms 3'):format(FUNCTION), '--for 20s')
tap.is(tap.matching(run.rows, '^%d%d:%d%d:%d%d$'), 3, 'intervals, and an end')
for options, problem in pairs { [''] = 'one of %-C TARGET and %-H TARGET is needed',
  ['-C vfs_read -e "e.retval +"'] = "expressions 'e.retval %+': unexpected symbol near '<eof>'" } do
  run = tool.run('exit 0', options)
  tap.is({ run.status, run.out }, { 2, '' }, options .. ': status')
  tap.like(run.err, '^moonprobe: argdist: ' .. problem .. '[^\n]*\n$', options .. ': one line')
end

tool.needs 'kretprobe:vfs_read'
local path = os.tmpname()
tap.spit(path, 'abc')
rows = tool.json('read 23 10 ' .. path, '-C r:vfs_read -e "e.retval, e.args.count"')
tap.is(rows, { { count = 23, event = 'e.retval = 3, e.args.count = 10', values = { '3', '10' } } },
  '-C: results and arguments')
rows = tool.json('read 23 10 ' .. path, '-C r:vfs_read -e e.args.file.f_inode.i_size -w "e.args.count == 10"')
tap.is({ #rows, rows[1] and rows[1].count, rows[1] and rows[1].event }, { 1, 23, 'e.args.file.f_inode.i_size = 3' },
  '-C: members of what an argument points to')
rows = tool.json('read 23 10 ' .. path, '-H vfs_read -e e.args.count -b e.comm')
tap.is({ #rows, rows[1] and rows[1]['e.comm'], rows[1] and rows[1].value.count, rows[1] and rows[1].value.sum },
  { 1, 'workload', 23, 230 }, '-H: by name')
local lines = tool.text('read 23 10 ' .. path, '-C vfs_read')
tap.like(lines[1], '^ +COUNT EVENT$', 'text: heading')
tap.like(lines[2], '^ +23 vfs_read$', 'text: calls by function')
os.remove(path)
tool.examples()

tool.finish()
