-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('vfsstat', tap)

local first = tap.moonprobe "run -q -c 'sleep 0' vfsstat"
if first.err:find('kprobes', 1, true) then tap.skip_all('this kernel has no kprobes') end

local scratch = os.tmpname()
local work = ('write 23 10 %s , read 7 10 %s , make-files 5 /tmp , sync 3 %s'):format(scratch, scratch, scratch)

local rows = tool.json(work, '1000')
local row = rows[1] or {}
tap.is(#rows, 1, 'one row')
tap.is({ row.read, row.write, row.fsync, row.create, row.unlink, row.mkdir, row.rmdir }, { 7, 23, 6, 5, 5, 5, 5 },
  'as often as they were made')
tap.is(row.open - tool.json('exit 0', '1000')[1].open, 3, 'opens, but for those that start a program')
tap.ok(row.seconds > 0 and row.seconds < 60, 'of so many seconds', row)

local lines = tool.text(work)
tap.like(lines[1], '^TIME +READ/s +WRITE/s +FSYNC/s +OPEN/s +CREATE/s +UNLINK/s +MKDIR/s +RMDIR/s$', 'text: heading')
tap.like(lines[2], '^%d%d:%d%d:%d%d' .. (' +%d+'):rep(8) .. '$', 'text: row')
tap.is(#tool.text('sleep 1000 50', '0.2 2'), 3, 'COUNT ends the run')

-- Intervals: what each has adds up.
local writes = 0
for _, one in ipairs(tool.json(('%s , sleep 10 50 , %s'):format(work, work), '100ms')) do writes = writes + one.write end
tap.is(writes, 46, 'INTERVAL: no call is lost or counted twice')

os.remove(scratch)
tool.finish()
