-- SPDX-License-Identifier: Apache-2.0
--- syncsnoop: calls that wait until data is on the disk, and for how long they wait.
---
---   moonprobe run syncsnoop                  sync, fsync, fdatasync, syncfs, msync, ...
---   moonprobe run syncsnoop -t -m 10ms       only slow ones, with seconds
---   moonprobe run syncsnoop -s fsync,fdatasync   only these calls
---   moonprobe run -f json syncsnoop | jq .   as JSON also descriptor, offset, length and flags
---
--- Overhead: hooks in calls that wait for a disk, 2 us each, and an event for each.
--- Cannot see: writes that sync by themselves (O_SYNC, O_DSYNC, RWF_SYNC); io_uring and aio;
--- which file was mapped for msync(2); calls of 32-bit programs.

local mp = require 'moonprobe'

local opt = mp.options {
  timestamp = mp.flag('t', 'show seconds since the start of the trace'),
  failed = mp.flag('x', 'only calls that failed'),
  min = mp.duration(nil, 'only calls that take at least this long', 'm'),
  calls = mp.choices({ 'sync', 'fsync', 'fdatasync', 'syncfs', 'sync_file_range', 'msync' },
    'only these calls, with commas between', 's'),
  print_uid = mp.flag('U', 'show the user id'),
  uid = mp.whole(nil, 'only this user id', 'u'),
  name = mp.text(nil, 'only where the name of the thread has this text', 'n'),
}

local started = mp.now()

local row = mp.columns {
  { 'time', width = -8, format = mp.clock },
  { 'seconds', title = 'TIME(s)', width = -8, decimals = 3, shown = opt.timestamp },
  { 'uid', width = -6, shown = opt.print_uid },
  { 'pid', width = -7 },
  { 'comm', width = -16 },
  { 'call', width = -15 },
  { 'error', title = 'ERR', width = -6, none = '0' },
  { 'latency_ms', title = 'LAT(ms)', width = 9, decimals = 3 },
  { 'file', width = -1 },
  { 'fd', shown = false },
  { 'offset', shown = false },
  { 'bytes', shown = false },
  { 'flags', shown = false },
}

mp.probe 'file_sync'
  :when(opt.uid, function(e) return e.uid == opt.uid end)
  :when(opt.failed, function(e) return e.result < 0 end)
  :when(opt.min, function(e) return e.latency_ns >= opt.min end)
  :when(opt.calls, function(e) return opt.calls[e.call] end)
  :when(opt.name, function(e) return e.comm:find(opt.name, 1, true) ~= nil end)
  :each(function(e)
    local name = e.name
    row(e.time, e.time - started, e.uid, e.pid, e.comm, e.call, e.result < 0 and mp.error_name(-e.result) or nil,
      e.latency_ns / 1e6, name ~= '' and name or nil, e.fd >= 0 and e.fd or nil, e.offset, e.bytes, e.flags)
  end)
