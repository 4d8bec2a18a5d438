-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('capable', tap)

tool.needs 'kprobe:cap_capable'

local rows = tool.json('chroot 23')
tap.is(tool.count(rows, { cap = 18, name = 'CAP_SYS_CHROOT', comm = 'workload', uid = 0, audit = true }), 23, '23 checks')
local all = #tool.json('chroot 23', '-v')
tap.ok(all >= #rows, '-v: others, too', all)
tap.is(#tool.json('chroot 23', '-n CAP_SYS_CHROOT'), 23, '-n: by name')
tap.is(#tool.json('chroot 23', '-n 18'), 23, '-n: by number')
tap.is(#tool.json('chroot 23', '-n sys_boot'), 0, '-n: another')
tap.is(#tool.json('chroot 23', '-n 18 --unique'), 1, '--unique: once')
tap.is(#tool.json('chroot 23', '-U 4711'), 0, '-U: another user')

local run = tool.run('exit 0', '-n nosuch')
tap.is(run.status, 2, 'no such capability: status')
local lines = tool.text('chroot 3', '-n 18')
tap.like(lines[1], '^TIME +UID +PID +COMM +CAP +NAME +AUDIT$', 'text: heading')
tap.is(tap.matching(lines, '^%d%d:%d%d:%d%d +0 +%d+ +workload +18 +CAP_SYS_CHROOT +1$'), 3, 'text: rows')
lines = tool.text('chroot 3', '-x')
tap.like(lines[1], '^TIME +UID +PID +TID +COMM +CAP +NAME +AUDIT +INSETID$', '-x: heading')

tool.finish()
