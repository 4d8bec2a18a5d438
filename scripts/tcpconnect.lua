-- SPDX-License-Identifier: Apache-2.0
--- tcpconnect: TCP connections that programs here open.
---
---   moonprobe run tcpconnect                 every attempt, when its outcome is known
---   moonprobe run tcpconnect -t -P 80,443    only to these ports, with times
---   moonprobe run tcpconnect -x              only those that failed, and why
---   moonprobe run --for 1m tcpconnect -c     count by address and port
---
--- Overhead: one event per connection opened; accepted ones cost a look-up. With its row and
--- the wake-up of the tool up to 100 us, more than a handshake over loopback and less than
--- one over most networks.
--- Cannot see: UDP; an attempt before it is over (a SYN without answer takes minutes, a
--- namesake would show it at once); connections that were open before.

local mp = require 'moonprobe'

local opt = mp.options {
  time = mp.flag('T', 'show the time of day'),
  timestamp = mp.flag('t', 'show seconds since the start of the trace'),
  print_uid = mp.flag('U', 'show the user id'),
  uid = mp.whole(nil, 'only this user id', 'u'),
  lport = mp.flag('L', 'show the local port'),
  port = mp.ports(nil, 'only to these remote ports', 'P'),
  failed = mp.flag('x', 'only attempts that failed; shows the error'),
  count = mp.flag('c', 'only count, by addresses and remote port'),
  source_port = mp.flag('s', 'with -c: also by local port'),
}

local connects = mp.probe 'tcp_connect'
  :when(opt.uid, function(e) return e.uid == opt.uid end)
  :when(opt.port, function(e) return opt.port[e.dport] end)
  :when(opt.failed, function(e) return e.error ~= nil end)

if opt.count then
  local counts = connects:count { by = { 'saddr', 'daddr', 'dport', opt.source_port and 'sport' or nil } }
  mp.finally(function()
    local row = mp.columns {
      { 'laddr', width = -25 },
      { 'lport', width = -6, shown = opt.source_port },
      { 'raddr', width = -25 },
      { 'rport', width = -6 },
      { 'connects', width = 8 },
    }
    for _, one in ipairs(counts:rows()) do
      local laddr, raddr, rport, lport = unpack(one.parts)
      row(laddr, tonumber(lport), raddr, tonumber(rport), one.value)
    end
    counts:print_overflow()
  end)
  return
end

local started = mp.now()

local row = mp.columns {
  { 'time', width = -8, format = mp.clock, shown = opt.time },
  { 'seconds', title = 'TIME(s)', width = -8, decimals = 3, shown = opt.timestamp },
  { 'uid', width = -6, shown = opt.print_uid },
  { 'pid', width = -7 },
  { 'comm', width = -12 },
  { 'ip', width = -2 },
  { 'saddr', width = -15 },
  { 'lport', width = -5, shown = opt.lport },
  { 'daddr', width = -15 },
  { 'dport', width = -5 },
  { 'error', width = -12, none = '0', shown = opt.failed },
  { 'latency_ms', title = 'LAT(ms)', decimals = 2, width = 8, shown = false },
}

connects:each(function(e)
  row(e.time, e.time - started, e.uid, e.pid, e.comm, e.ip_version, e.saddr, e.sport, e.daddr,
    e.dport, e.error, e.latency_ns / 1e6)
end)
