-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('funccount', tap)

-- A user function: the workload's own.
local FUNCTION = tap.workload .. ':syscall'
tap.is(tool.json('syscall 23', FUNCTION), { { func = 'syscall', count = 23 } }, 'a user function')
tap.is(tool.json('syscall 23', '-w false ' .. FUNCTION), {}, '-w: none')
local rows = tool.json('syscall 23', tap.workload .. ':sysc*')
tap.is(tool.count(rows, { func = 'syscall', count = 23 }), 1, 'user functions by a wildcard')

local lines = tool.text('syscall 23', '-T ' .. FUNCTION)
tap.like(lines[1], '^%d%d:%d%d:%d%d$', '-T: the time')
tap.like(lines[2], '^FUNC +COUNT$', 'text: heading')
tap.like(lines[3], '^syscall +23$', 'text: row')

local run = tool.run('sleep 100 50', '-Ti 100ms -d 350ms ' .. FUNCTION, '--for 20s')
-- On an emulated machine a beat that comes too late is left out, and the end may be late, too; exactly four on
-- the clock of scripts/funccount_test.lua.
local intervals = tap.matching(run.rows, '^%d%d:%d%d:%d%d$')
tap.ok(run.status == 0 and (intervals == 4 or tap.slow and intervals >= 2), '-i, -d: intervals, and an end', run)

run = tap.moonprobe('run funccount')
tap.is({ run.status, run.out }, { 2, '' }, 'no pattern: status')
tap.like(run.err, '^moonprobe: funccount: PATTERN is missing[^\n]*\n$', 'no pattern: one line')
run = tool.run('exit 0', "-w 'e.pid ==' " .. FUNCTION)
tap.is(run.status, 2, 'a bad expression: status')
tap.like(run.err, "^moonprobe: funccount: where 'e.pid ==': unexpected symbol near '<eof>'[^\n]*\n$",
  'a bad expression: one line')

tool.needs 'kprobe:vfs_read'
local path = os.tmpname()
tap.spit(path, 'abc')
tap.is(tool.json('read 23 3 ' .. path, 'vfs_read'), { { func = 'vfs_read', count = 23 } }, 'a kernel function')
rows = tool.json('read 23 3 ' .. path, "'vfs_*'")
tap.is(tool.count(rows, { func = 'vfs_read', count = 23 }), 1, 'kernel functions by a wildcard')
tap.ok(#rows > 1 and rows[1].count == 23, 'most frequent first', rows)
tap.is(#tool.json('read 23 3 ' .. path, "-t 1 'vfs_*'"), 1, '-t: so many')
rows = tool.json('read 23 3 ' .. path, "-w 'e.arg2 == 3' 'vfs_rea*'")
tap.is(rows, { { func = 'vfs_read', count = 23 } }, '-w: a filter')
os.remove(path)
rows = tool.json('syscall 23 , open 3 /dev/null', "'t:syscalls:sys_enter_open*'")
tap.is(rows, { { func = 'sys_enter_openat', count = 3 } }, 'tracepoints by a wildcard')

tool.examples()

tool.finish()
