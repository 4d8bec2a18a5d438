-- SPDX-License-Identifier: Apache-2.0
--- biolatency: how long block devices take for a request, as a histogram.
---
---   moonprobe run biolatency                 until Ctrl-C, then one picture
---   moonprobe run biolatency -mT 1 10        ten pictures of a second each, in milliseconds
---   moonprobe run biolatency -QD             with the time in the queue, each disk for itself
---   moonprobe run -f json biolatency -F -d sda
---
--- The bar of [128, 256) is for requests of 128 to below 256 microseconds, as bpftrace draws it.
---
--- Overhead: hooks at queue, issue and completion, and an event per request. When requests
--- come one by one, each event wakes the tool: 30 to 50 us, which a fast disk's writer that
--- waits for each request feels. At high rates events are taken in batches, a few us each.
--- Cannot see: devices without a request queue (brd, zram, device mapper: the disks below
--- are seen); what the page cache answers; requests issued before the trace. With -p or -c
--- write-back is missing: the kernel's threads do it.

local mp = require 'moonprobe'

local opt = mp.options {
  interval = mp.argument(1, mp.interval(nil, 'print and clear every so many seconds')),
  count = mp.argument(2, mp.whole(nil, 'end after so many', nil, 1)),
  time = mp.flag('T', 'print the time of day, too'),
  queued = mp.flag('Q', 'with the time in the queue of the system'),
  milliseconds = mp.flag('m', 'in milliseconds instead of microseconds'),
  disks = mp.flag('D', 'a histogram for each disk'),
  flags = mp.flag('F', 'a histogram for each operation: read, write, flush, ...'),
  disk = mp.text(nil, 'only this disk, as sda', 'd'),
}

local unit = opt.milliseconds and 1e6 or 1e3
local served = function(e) return e.latency_ns / unit end
local waited = function(e) return (e.queue_ns + e.latency_ns) / unit end

local by = {}
if opt.disks then by[#by + 1] = 'device' end
if opt.flags then by[#by + 1] = 'operation' end

local latency = mp.probe 'block_io'
  :when(opt.disk, function(e) return e.device == opt.disk end)
  :histogram(opt.queued and waited or served, {
    by = #by > 0 and by or nil,
    name = 'block I/O latency',
    label = opt.milliseconds and 'msecs' or 'usecs',
  })

mp.intervals(opt, function()
  latency:print()
  latency:clear()
end)
