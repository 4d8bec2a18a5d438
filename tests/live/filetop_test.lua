-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('filetop', tap)

local scratch = os.tmpname()
local name = scratch:match('[^/]+$')
local work = ('write 23 1000 %s , read 7 1000 %s'):format(scratch, scratch)

local rows = tool.json(work)
tap.is(tool.count(rows, { file = name, reads = 7, writes = 23, rbytes = 7000, wbytes = 23000, comm = 'workload',
  kind = 'regular' }), 1, '23 writes and 7 reads in one row')
tap.is(#rows, 1, 'and nothing else')
tap.ok(rows[1] and rows[1].tid > 1 and rows[1].inode > 0 and rows[1].device ~= '', 'thread, device and inode', rows)

local lines = tool.text(work)
tap.like(lines[1], '^%d%d:%d%d:%d%d$', 'text: the time')
tap.like(lines[2], '^TID +COMM +READS +WRITES +R_Kb +W_Kb +T +FILE$', 'text: heading')
tap.like(lines[3], '^%d+ +workload +7 +23 +7 +22 +R ' .. name .. '$', 'text: row')

-- The signals go over pipes.
rows = tool.json('signal 23', '-a')
local reads, writes = 0, 0
for _, row in ipairs(rows) do
  if row.kind == 'fifo' then reads, writes = reads + row.reads, writes + row.writes end
end
tap.ok(reads >= 24 and writes == 24, '-a: pipes', rows)
tap.is(#tool.json('signal 23'), 0, 'without -a none')

local two = ('%s , write 3 9000 %s2'):format(work, scratch)
tap.is(tool.json(two, '-s wbytes')[1].file, name .. '2', '-s wbytes: the one with more bytes first')
rows = tool.json(two, '-s writes -r 1')
tap.is({ #rows, rows[1].file }, { 1, name }, '-s writes, -r: the one with more writes alone')

-- Intervals: what each has adds up.
rows = tool.json(('%s , sleep 10 50 , %s'):format(work, work), '-C 200ms')
reads, writes = 0, 0
for _, row in ipairs(rows) do reads, writes = reads + row.reads, writes + row.writes end
tap.is({ reads, writes }, { 14, 46 }, 'INTERVAL: no call is lost or counted twice')
lines = tool.text('sleep 1000 50', '0.1 2')
tap.is(tap.matching(lines, '^%d%d:%d%d:%d%d$'), 2, 'COUNT ends the run')
tap.is(tap.matching(lines, '\27'), 0, 'no screen is cleared where there is none')

os.remove(scratch)
os.remove(scratch .. '2')
tool.finish()
