-- SPDX-License-Identifier: Apache-2.0
--- gethostlatency: how long programs waited for a host's name to be looked up.
---
---   moonprobe run gethostlatency             every look-up that ends
---   moonprobe run -p 181 gethostlatency      by one process
---   moonprobe run -f json gethostlatency -m 10ms      only what takes longer
---
--- Traces getaddrinfo(3), gethostbyname(3) and gethostbyname2(3) of the C library.
---
--- Overhead: two hooks and an event per look-up, 5 us; a look-up takes longer.
--- Cannot see: programs that are linked statically or bring a resolver of their own (Go, c-ares,
--- browsers); the reentrant gethostbyname_r(3); look-ups that have not ended.

local mp = require 'moonprobe'

local opt = mp.options {
  library = mp.text('libc', 'the C library', 'l'),
  minimum = mp.duration('0ms', 'only what takes longer', 'm'),
}

local row = mp.columns {
  { 'time', width = -9, format = mp.clock },
  { 'pid', width = -7 },
  { 'comm', width = -16 },
  { 'ms', title = 'LATms', width = 10, decimals = 3 },
  { 'host', width = -1 },
  { 'func', shown = false },
}

for _, name in ipairs { 'getaddrinfo', 'gethostbyname', 'gethostbyname2' } do
  mp.probe(('uretprobe:%s:%s'):format(opt.library, name))
    :where(function(e) return e.latency_ns >= opt.minimum end)
    :each(function(e)
      -- getaddrinfo() without a name is about this host's own addresses.
      row(e.time, e.pid, e.comm, tonumber(e.latency_ns) / 1e6, e.arg0 ~= 0 and e.string.arg0 or nil, name)
    end)
end
