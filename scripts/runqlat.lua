-- SPDX-License-Identifier: Apache-2.0
--- runqlat: how long threads that could run waited for a CPU, as a histogram.
---
---   moonprobe run runqlat                    until Ctrl-C, then one picture
---   moonprobe run runqlat -mT 1 10           ten pictures of a second each, in milliseconds
---   moonprobe run -c 'make -j8' runqlat -P   each process for itself
---   moonprobe run -p 181 -f json runqlat -L
---
--- The bar of [4, 8) is for waits of 4 to below 8 microseconds, as bpftrace draws it.
---
--- Overhead: hooks on every wake-up and every switch of the scheduler, and an event per
--- switch: 1.4 us for both. 100,000 switches a second are common on busy machines: that is
--- 14% of a CPU. -p and -c save the events, but the hooks still run.
--- Cannot see: waits that are not over (a starved thread shows up when it runs at last);
--- waits from before the trace; time a virtual machine waits for a real CPU.

local mp = require 'moonprobe'

local opt = mp.options {
  interval = mp.argument(1, mp.interval(nil, 'print and clear every so many seconds')),
  count = mp.argument(2, mp.whole(nil, 'end after so many', nil, 1)),
  time = mp.flag('T', 'print the time of day, too'),
  milliseconds = mp.flag('m', 'in milliseconds instead of microseconds'),
  pids = mp.flag('P', 'a histogram for each process'),
  tids = mp.flag('L', 'a histogram for each thread'),
}

local unit = opt.milliseconds and 1e6 or 1e3
local by = opt.tids and 'tid' or opt.pids and 'pid' or nil

local latency = mp.probe 'sched_latency'
  :histogram(function(e) return e.latency_ns / unit end, {
    by = by,
    note = by and 'comm',
    name = 'run queue latency',
    label = opt.milliseconds and 'msecs' or 'usecs',
  })

mp.intervals(opt, function()
  latency:print()
  latency:clear()
end)
