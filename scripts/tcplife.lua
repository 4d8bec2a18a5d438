-- SPDX-License-Identifier: Apache-2.0
--- tcplife: TCP connections that ended: how long they lived, how much they carried.
---
---   moonprobe run tcplife                    every connection that ends
---   moonprobe run tcplife -T -D 80,443       only to these remote ports, with the time
---   moonprobe run tcplife -w6                wide columns, only IPv6
---   moonprobe run -f json tcplife | jq .     as JSON also direction, rtt and retransmits
---
--- Overhead: a look-up when a connection begins, one event when it ends; no packet and no
--- send or receive is touched. 10 us for each end of a connection with its row, up to 100 us
--- when each wakes the tool.
--- Cannot see: connections before they end; how long those lived that began before the
--- trace (MS is then -); the owner (PID 0) of some that the peer reset; bytes that come after
--- the last close(2).

local mp = require 'moonprobe'

local opt = mp.options {
  time = mp.flag('T', 'show the time of day'),
  timestamp = mp.flag('t', 'show seconds since the start of the trace'),
  remoteport = mp.ports(nil, 'only these remote ports', 'D'),
  localport = mp.ports(nil, 'only these local ports', 'L'),
  ipv4 = mp.flag('4', 'only IPv4'),
  ipv6 = mp.flag('6', 'only IPv6'),
  wide = mp.flag('w', 'wide columns, IPv6 addresses fit'),
}

local started = mp.now()
local address = opt.wide and -39 or -15
local name = opt.wide and 16 or 10

local function kilobytes(bytes) return ('%.0f'):format(bytes / 1024) end

local row = mp.columns {
  { 'time', width = -8, format = mp.clock, shown = opt.time },
  { 'seconds', title = 'TIME(s)', width = -8, decimals = 3, shown = opt.timestamp },
  { 'pid', width = -6 },
  { 'comm', width = -name, format = function(comm) return comm:sub(1, name) end },
  { 'ip', width = -2, shown = opt.wide },
  { 'laddr', width = address },
  { 'lport', width = -5 },
  { 'raddr', width = address },
  { 'rport', width = -5 },
  { 'sent_bytes', title = 'TX_KB', width = 5, format = kilobytes },
  { 'received_bytes', title = 'RX_KB', width = 5, format = kilobytes },
  { 'ms', width = -1, decimals = 2 },
  { 'direction', shown = false },
  { 'error', shown = false },
  { 'rtt_us', shown = false },
  { 'retransmits', shown = false },
}

mp.probe 'tcp_close'
  :when(opt.remoteport, function(e) return opt.remoteport[e.dport] end)
  :when(opt.localport, function(e) return opt.localport[e.sport] end)
  :when(opt.ipv4 ~= opt.ipv6, function(e) return e.ip_version == (opt.ipv4 and 4 or 6) end)
  :each(function(e)
    row(e.time, e.time - started, e.pid, e.comm, e.ip_version, e.saddr, e.sport, e.daddr, e.dport,
      e.sent_bytes, e.received_bytes, e.duration_ns > 0 and e.duration_ns / 1e6 or nil,
      e.direction, e.error, e.rtt_us, e.retransmits)
  end)
