-- SPDX-License-Identifier: Apache-2.0
--- vfsstat: how often files are read, written, synced, opened, created and removed.
---
---   moonprobe run vfsstat                    every second
---   moonprobe run vfsstat 5 12               a minute in five-second steps
---   moonprobe run -f json -p 181 vfsstat 10  of one process, as JSON counts and their seconds
---
--- These are calls of vfs_read() and so on, but for FSYNC: fsync(2) and fdatasync(2).
---
--- Overhead: a hook for each of these calls; it counts in the kernel and sends nothing. Small
--- reads and writes feel it most.
--- Cannot see: io_uring and aio, memory-mapped files, readv(2) and splice(2), which go around
--- vfs_read(). A file that open(2) creates is only opened: CREATE is mknod(2)'s and that of
--- network file servers. Needs kprobes.

local mp = require 'moonprobe'

local opt = mp.options {
  interval = mp.argument(1, mp.interval('1', 'print and clear every so many seconds')),
  count = mp.argument(2, mp.whole(nil, 'end after so many', nil, 1)),
}

local names = { 'read', 'write', 'fsync', 'open', 'create', 'unlink', 'mkdir', 'rmdir' }
local counters, last = {}, mp.now()
local seconds = 1 -- of the interval that is printed

local function per_second(count) return ('%.0f'):format(count / seconds) end

local columns = { { 'time', width = -8, format = mp.clock } }
for i, name in ipairs(names) do
  if name == 'fsync' then -- compilers put vfs_fsync() into its callers, where no hook is
    counters[i] = mp.probe('file_sync')
      :where(function(e) return e.call == 'fsync' or e.call == 'fdatasync' end)
      :count()
  else
    counters[i] = mp.probe('kprobe:vfs_' .. name):count()
  end
  columns[#columns + 1] = { name, title = name:upper() .. '/s', width = #name < 6 and 7 or 8, format = per_second }
end
columns[#columns + 1] = { 'seconds', shown = false }
local row = mp.columns(columns)

--- What the counter has reached, which is then 0 again.
local function taken(counter)
  local reached = counter:rows()[1]
  counter:clear()
  return reached and reached.value or 0
end

mp.intervals({ interval = opt.interval, count = opt.count, joined = true }, function()
  local now, values = mp.now(), {}
  seconds, last = math.max(now - last, 1e-3), now
  for i, counter in ipairs(counters) do values[i] = taken(counter) end
  values[#values + 1] = seconds
  row(now, unpack(values))
end)
