-- SPDX-License-Identifier: Apache-2.0
--- biosnoop: requests to block devices as they complete, with who caused them.
---
---   moonprobe run biosnoop                   every request
---   moonprobe run biosnoop -Q -d sda         of one disk, with the time in the queue
---   moonprobe run biosnoop -x                only requests that failed
---   moonprobe run --for 10s biosnoop -m 10ms     only slow ones
---
--- T is R: read, W: write, F: flush, D: discard, Z: write zeroes, or O: other.
---
--- Overhead: hooks at queue, issue and completion, and an event per request. When requests
--- come one by one, each event wakes the tool: 30 to 50 us, which a fast disk's writer that
--- waits for each request feels. At high rates events are taken in batches, a few us each.
--- Cannot see: devices without a request queue (brd, zram, device mapper: the disks below
--- are seen); what the page cache answers; requests issued before the trace; who wrote what the
--- kernel's threads write back. With -p or -c what they write is missing.

local mp = require 'moonprobe'

local opt = mp.options {
  time = mp.flag('T', 'show the time of day'),
  queued = mp.flag('Q', 'with the time in the queue of the system'),
  failed = mp.flag('x', 'only requests that failed'),
  disk = mp.text(nil, 'only this disk, as sda', 'd'),
  name = mp.text(nil, 'only where the name of the thread has this text', 'n'),
  min = mp.duration(nil, 'only what takes at least this long, without the queue', 'm'),
}

local letters = { read = 'R', write = 'W', flush = 'F', discard = 'D', write_zeroes = 'Z' }
local started = mp.now()

local row = mp.columns {
  { 'time', width = -8, format = mp.clock, shown = opt.time },
  { 'seconds', title = 'TIME(s)', width = -11, decimals = 6 },
  { 'comm', width = -14, format = function(comm) return comm:sub(1, 14) end },
  { 'pid', width = -7 },
  { 'disk', width = -8 },
  { 'operation', title = 'T', width = -1, format = function(name) return letters[name] or 'O' end },
  { 'sector', width = -10 },
  { 'bytes', width = -7 },
  { 'error', title = 'ERR', width = -6, none = '0', shown = opt.failed },
  { 'queue_ms', title = 'QUE(ms)', width = 7, decimals = 3, shown = opt.queued },
  { 'latency_ms', title = 'LAT(ms)', width = 7, decimals = 3 },
}

mp.probe 'block_io'
  :when(opt.disk, function(e) return e.device == opt.disk end)
  :when(opt.failed, function(e) return e.error ~= nil end)
  :when(opt.min, function(e) return e.latency_ns >= opt.min end)
  :when(opt.name, function(e) return e.comm:find(opt.name, 1, true) ~= nil end)
  :each(function(e)
    row(e.time, e.time - started, e.comm, e.pid, e.device, e.operation, e.sector, e.bytes, e.error,
      e.queue_ns / 1e6, e.latency_ns / 1e6)
  end)
