-- SPDX-License-Identifier: Apache-2.0
--- exitsnoop: processes as they end: how old they were, and why.
---
---   moonprobe run exitsnoop                  every process that ends
---   moonprobe run exitsnoop -x               only those that failed or were killed
---   moonprobe run exitsnoop -t --threads     with the time of day, and single threads
---   moonprobe run -c 'make test' exitsnoop -x
---
--- Overhead: one event per process that ends; nothing to worry about. With --threads one
--- per thread: still small beside making and ending a thread.
--- Cannot see: when the parent collects the exit code; what a program that handles its
--- signal and then exits was sent (it exits with a code).

local mp = require 'moonprobe'

local opt = mp.options {
  timestamp = mp.flag('t', 'show the time of day'),
  failed = mp.flag('x', 'only a code other than 0, or a signal'),
  threads = mp.flag('T', 'also threads that end while their process goes on'),
}

local row = mp.columns {
  { 'time', width = -8, format = mp.clock, shown = opt.timestamp },
  { 'comm', title = 'PCOMM', width = -16 },
  { 'pid', width = -7 },
  { 'ppid', width = -7 },
  { 'tid', width = -7 },
  { 'age', title = 'AGE(s)', width = -8, decimals = 2 },
  { 'exit_code', width = 9 },
  { 'signal', width = -7 },
  { 'core_dumped', shown = false },
}

mp.probe('process_exit', { threads = opt.threads })
  :when(opt.failed, function(e) return e.exit_code ~= 0 or e.signal ~= nil end)
  :each(function(e)
    row(e.time, e.comm, e.pid, e.parent_pid, e.tid, e.run_ns / 1e9, e.exit_code, e.signal,
      e.core_dumped)
  end)
