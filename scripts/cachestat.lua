-- SPDX-License-Identifier: Apache-2.0
--- cachestat: how often the page cache had what was asked of it.
---
---   moonprobe run cachestat                  every second
---   moonprobe run cachestat -T 5 12          a minute in five-second steps, with the time
---   moonprobe run -p 181 --for 10s cachestat 10
---
---   HITS     pages that were there        DIRTIES  pages that were changed
---   MISSES   pages that were not
---
--- BUFFERS_MB and CACHED_MB are what /proc/meminfo says when the row is printed. The others come
--- from four functions of the kernel: every access less those that mark a buffer dirty are
--- reads; pages added to the cache less those that writes add are misses.
---
--- Overhead: a hook for each page that is touched; it counts in the kernel and sends nothing.
--- Small reads from the cache feel it most.
--- Cannot see: exact numbers (pages may be touched several times, or added ahead of what is asked);
--- memory-mapped files once a page is mapped; file systems in memory. Needs kprobes.

local mp = require 'moonprobe'

local opt = mp.options {
  interval = mp.argument(1, mp.interval('1', 'print and clear every so many seconds')),
  count = mp.argument(2, mp.whole(nil, 'end after so many', nil, 1)),
  timestamp = mp.flag('T', 'show the time of day'),
}

--- The first of the probes that the kernel has.
local function first_of(...)
  local problem
  for _, name in ipairs { ... } do
    local ok, probe = pcall(mp.probe, name)
    if ok then return probe:count() end
    problem = problem or tostring(probe):gsub('^[^:]*:%d+: ', '')
  end
  error(problem, 0)
end

-- What was a page's became a folio's with Linux 5.16 to 5.18.
local accessed = first_of('kprobe:folio_mark_accessed', 'kprobe:mark_page_accessed')
local added = first_of('kprobe:filemap_add_folio', 'kprobe:add_to_page_cache_lru')
local dirtied = first_of('rawtracepoint:writeback_dirty_folio', 'rawtracepoint:writeback_dirty_page')
local buffers = first_of('kprobe:mark_buffer_dirty')

--- What each counter has reached, all at about the same moment; they are then 0 again.
local function taken(...)
  local counters, values = { ... }, {}
  for i, counter in ipairs(counters) do
    local reached = counter:rows()[1]
    values[i] = reached and reached.value or 0
  end
  for _, counter in ipairs(counters) do counter:clear() end
  return unpack(values)
end

--- In MB, of /proc/meminfo.
local function memory()
  local file = io.open '/proc/meminfo'
  local text = file and file:read('*a') or ''
  if file then file:close() end
  local function megabytes(name)
    local kilobytes = text:match('\n' .. name .. ': *(%d+) kB')
    return kilobytes and math.floor(kilobytes / 1024) or nil
  end
  return megabytes 'Buffers', megabytes 'Cached'
end

local row = mp.columns {
  { 'time', width = -8, format = mp.clock, shown = opt.timestamp },
  { 'hits', width = 8 },
  { 'misses', width = 8 },
  { 'dirties', width = 8 },
  { 'hit_ratio', title = 'HITRATIO', width = 8, format = function(ratio) return ('%.2f%%'):format(ratio * 100) end },
  { 'buffers_mb', width = 12 },
  { 'cached_mb', width = 10 },
}

mp.intervals({ interval = opt.interval, count = opt.count, joined = true }, function()
  local touched, new, changed, buffer = taken(accessed, added, dirtied, buffers)
  local total = math.max(touched - buffer, 0)
  local misses = math.min(math.max(new - changed, 0), total)
  local hits = total - misses
  row(mp.now(), hits, misses, changed, total > 0 and hits / total or 0, memory())
end)
