-- SPDX-License-Identifier: Apache-2.0
--- filetop: reads and writes of files, by thread and file, the busiest first.
---
---   moonprobe run filetop                    every second, on a cleared screen
---   moonprobe run filetop -C 5 12            a minute in five-second steps, one below the other
---   moonprobe run filetop -r 5 -s writes     five rows, most calls of write first
---   moonprobe run -p 181 --for 10s filetop -a    also pipes, sockets and terminals
---
--- T is R: a regular file, or with -a S: a socket, O: other.
---
--- Overhead: two hooks on each read(2) and write(2) of the machine: 1.3 us for one of a file,
--- 0.4 us for others (1.3 us with -a). They are added up in the kernel, so no event is sent.
--- Cannot see: memory-mapped files, sendfile, splice, io_uring; calls of 32-bit programs; two
--- files of one name in different directories are told apart by -f json's inode only.

local mp = require 'moonprobe'

local opt = mp.options {
  interval = mp.argument(1, mp.interval('1', 'print and clear every so many seconds')),
  count = mp.argument(2, mp.whole(nil, 'end after so many', nil, 1)),
  all = mp.flag('a', 'also what is no regular file: sockets, pipes, terminals'),
  noclear = mp.flag('C', 'do not clear the screen'),
  maxrows = mp.whole(20, 'show at most so many', 'r', 1),
  sort = mp.choice({ 'all', 'reads', 'writes', 'rbytes', 'wbytes' }, 'what comes first; all: bytes of both', 's'),
}

local letters = { regular = 'R', socket = 'S' }
local columns = {
  { 'tid', width = -7 },
  { 'comm', width = -16 },
  { 'reads', width = -6 },
  { 'writes', width = -6 },
  { 'rbytes', title = 'R_Kb', width = -7, format = function(bytes) return ('%.0f'):format(bytes / 1024) end },
  { 'wbytes', title = 'W_Kb', width = -7, format = function(bytes) return ('%.0f'):format(bytes / 1024) end },
  { 'kind', title = 'T', width = -1, format = function(kind) return letters[kind] or 'O' end },
  { 'file', width = -1 },
  { 'device', shown = false },
  { 'inode', shown = false },
}

local io = mp.probe('file_io', { all_kinds = opt.all })
local key = { by = { 'operation', 'tid', 'kind', 'device', 'inode', 'name' }, note = 'comm' }
local calls, bytes = io:count(key), io:sum('bytes', key)

--- The two operations on a file make one row.
local function files()
  local list, known, sums = {}, {}, {}
  for _, one in ipairs(bytes:rows()) do sums[one.key] = one.value end
  for _, one in ipairs(calls:rows()) do
    local operation, tid, kind, device, inode, name = unpack(one.parts)
    local id = table.concat({ tid, kind, device, inode, name }, '\31')
    local file = known[id]
    if not file then
      file = { tid = tonumber(tid), comm = one.note, kind = kind, device = device, inode = tonumber(inode),
        name = name, reads = 0, writes = 0, rbytes = 0, wbytes = 0 }
      known[id], list[#list + 1] = file, file
    end
    local is_read = operation == 'read'
    file[is_read and 'reads' or 'writes'] = one.value
    file[is_read and 'rbytes' or 'wbytes'] = sums[one.key] or 0
    file.all = file.rbytes + file.wbytes
  end
  table.sort(list, function(a, b)
    if a[opt.sort] ~= b[opt.sort] then return a[opt.sort] > b[opt.sort] end
    if a.name ~= b.name then return a.name < b.name end
    return a.tid < b.tid
  end)
  return list
end

local turns = { interval = opt.interval, count = opt.count, time = not mp.json, clear = not opt.noclear }

mp.intervals(turns, function()
  local row = mp.columns(columns) -- with a heading for each interval
  for i, file in ipairs(files()) do
    if i > opt.maxrows then break end
    row(file.tid, file.comm, file.reads, file.writes, file.rbytes, file.wbytes, file.kind, file.name,
      file.device, file.inode)
  end
  calls:print_overflow()
  calls:clear()
  bytes:clear()
end)
