-- SPDX-License-Identifier: Apache-2.0
--- opensnoop: files as they are opened, and opens that fail.
---
---   moonprobe run opensnoop                  every open
---   moonprobe run opensnoop -x               only those that failed
---   moonprobe run opensnoop -T -f O_WRONLY,O_RDWR     opened to be written
---   moonprobe run -p 181 --for 10s opensnoop
---
--- Overhead: hooks at the begin and end of each open and an event with the path: 2 us, as
--- much as a cheap open itself. Rows cost more, on another CPU: past 200,000 a second some
--- are lost, and the summary says how many. The hooks take half a second to remove.
--- Cannot see: opens by io_uring, by handle or inside the kernel; calls of 32-bit programs;
--- which file it was (the path is as given, links not followed).

local mp = require 'moonprobe'

local opt = mp.options {
  time = mp.flag('T', 'show the time of day'),
  timestamp = mp.flag('t', 'show seconds since the start of the trace'),
  failed = mp.flag('x', 'only opens that failed'),
  print_uid = mp.flag('U', 'show the user id'),
  uid = mp.whole(nil, 'only this user id', 'u'),
  name = mp.text(nil, 'only where the name of the thread has this text', 'n'),
  extended = mp.flag('e', 'show flags and mode (octal) and how long it took'),
  flags = mp.choices({ 'O_RDONLY', 'O_WRONLY', 'O_RDWR', 'O_CREAT', 'O_EXCL', 'O_TRUNC',
    'O_APPEND', 'O_NONBLOCK' }, 'only opens with one of these flags, with commas between', 'f'),
}

local access = { O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2 } -- in the two lowest bits
local bits = { O_CREAT = 0x40, O_EXCL = 0x80, O_TRUNC = 0x200, O_APPEND = 0x400, O_NONBLOCK = 0x800 }

local started = mp.now()

--- One of the flags asked for.
local function has_flag(flags)
  for name in pairs(opt.flags) do
    if access[name] == bit.band(flags, 3) or bit.band(flags, bits[name] or 0) ~= 0 then return true end
  end
  return false
end

local function octal(value) return ('%05o'):format(value) end

local row = mp.columns {
  { 'time', width = -8, format = mp.clock, shown = opt.time },
  { 'seconds', title = 'TIME(s)', width = -8, decimals = 3, shown = opt.timestamp },
  { 'uid', width = -6, shown = opt.print_uid },
  { 'pid', width = -7 },
  { 'comm', width = -16 },
  { 'fd', width = 3, none = '-1' },
  { 'error', title = 'ERR', width = -6, none = '0' },
  { 'flags', width = -8, format = octal, shown = opt.extended },
  { 'mode', width = -5, format = octal, shown = opt.extended },
  { 'latency_us', title = 'LAT(us)', width = 8, decimals = 1, shown = opt.extended },
  { 'path', width = -1 },
}

mp.probe('file_open', { failed_only = opt.failed })
  :when(opt.uid, function(e) return e.uid == opt.uid end)
  :when(opt.name, function(e) return e.comm:find(opt.name, 1, true) ~= nil end)
  :when(opt.flags, function(e) return has_flag(e.flags) end)
  :each(function(e)
    local result = e.result
    row(e.time, e.time - started, e.uid, e.pid, e.comm, result >= 0 and result or nil,
      result < 0 and mp.error_name(-result) or nil, e.flags, e.mode, e.latency_ns / 1e3, e.path)
  end)
