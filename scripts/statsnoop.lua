-- SPDX-License-Identifier: Apache-2.0
--- statsnoop: files that programs ask about by their path, and questions that fail.
---
---   moonprobe run statsnoop                  every stat(2) and its kin
---   moonprobe run statsnoop -x               only those that failed
---   moonprobe run statsnoop -te              with seconds, the call and how long it took
---   moonprobe run -c 'ls -l' statsnoop -n ls
---
--- Overhead: hooks at the begin and end of each call and an event with the path: 4 us, three
--- times a cheap stat itself; with -x 1 us for those that do not fail. Rows cost more, on another
--- CPU: past 200,000 a second some are lost, and the summary says how many.
--- Cannot see: fstat(2) and fstatfs(2) (they have no path; -a shows those that C libraries make of
--- fstatat(2)); questions by io_uring; calls of 32-bit programs; which file it was (the
--- path is as given, links not followed).

local mp = require 'moonprobe'

local opt = mp.options {
  time = mp.flag('T', 'show the time of day'),
  timestamp = mp.flag('t', 'show seconds since the start of the trace'),
  failed = mp.flag('x', 'only calls that failed'),
  all = mp.flag('a', 'also calls with an empty path, which ask about a descriptor'),
  extended = mp.flag('e', 'show the call and how long it took'),
  print_uid = mp.flag('U', 'show the user id'),
  uid = mp.whole(nil, 'only this user id', 'u'),
  name = mp.text(nil, 'only where the name of the thread has this text', 'n'),
}

local EFAULT = 14 -- of a path that cannot be read, which is empty, too
local started = mp.now()

local row = mp.columns {
  { 'time', width = -8, format = mp.clock, shown = opt.time },
  { 'seconds', title = 'TIME(s)', width = -8, decimals = 3, shown = opt.timestamp },
  { 'uid', width = -6, shown = opt.print_uid },
  { 'pid', width = -7 },
  { 'comm', width = -16 },
  { 'result', title = 'RET', width = 3 },
  { 'error', title = 'ERR', width = -6, none = '0' },
  { 'call', width = -7, shown = opt.extended },
  { 'latency_us', title = 'LAT(us)', width = 8, decimals = 1, shown = opt.extended },
  { 'path', width = -1 },
}

mp.probe('file_stat', { failed_only = opt.failed })
  :when(opt.uid, function(e) return e.uid == opt.uid end)
  :when(opt.name, function(e) return e.comm:find(opt.name, 1, true) ~= nil end)
  :when(not opt.all, function(e) return e.path ~= '' or e.result == -EFAULT end)
  :each(function(e)
    local failed = e.result < 0
    row(e.time, e.time - started, e.uid, e.pid, e.comm, failed and -1 or 0,
      failed and mp.error_name(-e.result) or nil, e.call, e.latency_ns / 1e3, e.path)
  end)
