-- SPDX-License-Identifier: Apache-2.0
--- On a block device that has nothing on it: what starting the workload touches is the same each
--- time and is taken off.
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('cachestat', tap)

local first = tap.moonprobe "run -q -c 'sleep 0' cachestat"
if first.err:find('kprobes', 1, true) then tap.skip_all('this kernel has no kprobes') end
if not io.open '/dev/nullb0' then tap.skip_all('there is no /dev/nullb0 to read') end

local function counts(workload)
  local rows = tool.json(workload, '1000')
  tap.is(#rows, 1, workload .. ': one row')
  return rows[1]
end

local none, some = counts 'cached-read 0 /dev/nullb0', counts 'cached-read 23 /dev/nullb0'
tap.is({ none.misses, some.misses }, { 0, 23 }, '23 pages that were not there')
tap.is(some.hits - none.hits, 23, '23 pages that were')
tap.is({ none.dirties, some.dirties }, { 0, 0 }, 'none changed')
tap.ok(math.abs(some.hit_ratio - some.hits / (some.hits + 23)) < 1e-9, 'their ratio', some)
tap.ok(some.buffers_mb >= 0 and some.cached_mb > 0, 'memory', some)

tap.is(counts('cached-write 7 /dev/nullb0').dirties, 7, '7 pages changed')

local lines = tool.text('cached-read 23 /dev/nullb0')
tap.like(lines[1], '^ +HITS +MISSES +DIRTIES +HITRATIO +BUFFERS_MB +CACHED_MB$', 'text: heading')
tap.like(lines[#lines], '^ +%d+ +%d+ +0 +%d+%.%d%d%% +%d+ +%d+$', 'text: row')
lines = tool.text('sleep 1000 50', '-T 0.2 2')
tap.is(#lines, 3, 'COUNT ends the run')
tap.like(lines[2], '^%d%d:%d%d:%d%d ', '-T: the time')

-- Intervals: what each has adds up. (Hits and misses are made of two counters, which need not end an
-- interval between the same two pages.)
local dirties = 0
for _, row in ipairs(tool.json('cached-write 7 /dev/nullb0 , sleep 10 50 , cached-write 7 /dev/nullb0', '100ms')) do
  dirties = dirties + row.dirties
end
tap.is(dirties, 14, 'INTERVAL: none is lost or counted twice')

tool.finish()
