-- SPDX-License-Identifier: Apache-2.0
--- tcpstates: TCP connections as they change their state, and how long each state lasted.
---
---   moonprobe run tcpstates                  every change
---   moonprobe run tcpstates -T -D 80,443     only to these remote ports, with the time
---   moonprobe run tcpstates -w6              wide columns, only IPv6
---   moonprobe run tcpstates -sL 8080         comma-separated values
---
--- Overhead: one event per change, 5 us with its row; a connection makes about ten changes at both
--- of its ends. No packet, send or receive is touched.
--- Cannot see: how long a state lasted that began before the trace (MS is then -); the owner of
--- changes that packets cause: PID and COMM are of whoever was running on that CPU.

local mp = require 'moonprobe'

-- include/net/tcp_states.h
local states = { 'ESTABLISHED', 'SYN_SENT', 'SYN_RECV', 'FIN_WAIT1', 'FIN_WAIT2', 'TIME_WAIT', 'CLOSE', 'CLOSE_WAIT',
  'LAST_ACK', 'LISTEN', 'CLOSING', 'NEW_SYN_RECV', 'BOUND_INACTIVE' }
local CLOSE = 7
local TCP, IPV4, IPV6 = 6, 2, 10

local opt = mp.options {
  time = mp.flag('T', 'show the time of day'),
  timestamp = mp.flag('t', 'show seconds since the start of the trace'),
  wide = mp.flag('w', 'wide columns, IPv6 addresses fit'),
  csv = mp.flag('s', 'comma-separated values'),
  localport = mp.ports(nil, 'only these local ports', 'L'),
  remoteport = mp.ports(nil, 'only these remote ports', 'D'),
  ipv4 = mp.flag('4', 'only IPv4'),
  ipv6 = mp.flag('6', 'only IPv6'),
}

local started = mp.now()
local address = opt.wide and -39 or -15

local columns = {
  { 'time', width = -8, format = mp.clock, shown = opt.time },
  { 'seconds', title = 'TIME(s)', width = -9, decimals = 6, shown = opt.timestamp },
  { 'skaddr', width = -16 },
  { 'pid', title = 'C-PID', width = -7 },
  { 'comm', title = 'C-COMM', width = opt.wide and -16 or -10,
    format = function(comm) return comm:sub(1, opt.wide and 16 or 10) end },
  { 'ip', width = -2, shown = opt.wide },
  { 'laddr', width = address },
  { 'lport', width = -5 },
  { 'raddr', width = address },
  { 'rport', width = -5 },
  { 'oldstate', title = 'OLDSTATE    ->', width = -14,
    format = function(state) return ('%-11s ->'):format(state) end },
  { 'newstate', width = -11 },
  { 'ms', width = -1, decimals = 3 },
}

local row = mp.columns(columns)

if opt.csv and not mp.json then
  local names = {}
  for _, column in ipairs(columns) do
    local title = column[1] == 'oldstate' and 'OLDSTATE' or column.title or column[1]:upper()
    if column.shown ~= false then names[#names + 1] = title end
  end
  print(table.concat(names, ','))
  row = function(...)
    local words = {}
    for i, column in ipairs(columns) do
      local value = select(i, ...)
      if column.shown ~= false then
        words[#words + 1] = value == nil and '' or column.decimals and ('%.' .. column.decimals .. 'f'):format(value)
          or column[1] == 'time' and mp.clock(value) or mp.show(value):gsub('[",]', '_')
      end
    end
    print(table.concat(words, ','))
  end
end

-- When a socket last changed, and its port, which it loses before it is closed. What the trace does not
-- see end gives way after a while.
local MOST = 65536
local last, older, count = {}, {}, 0

local function remember(socket, now, port)
  if count == MOST then older, last, count = last, {}, 0 end
  count = count + (last[socket] and 0 or 1)
  last[socket] = { time = now, port = port }
end

local function forget(socket)
  count = count - (last[socket] and 1 or 0)
  last[socket], older[socket] = nil, nil
end

local function ipv4(number)
  return ('%d.%d.%d.%d'):format(bit.rshift(number, 24), bit.band(bit.rshift(number, 16), 255),
    bit.band(bit.rshift(number, 8), 255), bit.band(number, 255))
end

mp.probe 'rawtracepoint:inet_sock_set_state'
  :where(function(e) return e.args.sk.sk_protocol == TCP end)
  :when(opt.localport, function(e)
    local port = e.args.sk.__sk_common.skc_num
    return port == 0 or opt.localport[port]
  end)
  :when(opt.remoteport, function(e) return opt.remoteport[e.args.sk.__sk_common.skc_dport] end)
  :when(opt.ipv4 ~= opt.ipv6, function(e) return e.args.sk.__sk_common.skc_family == (opt.ipv4 and IPV4 or IPV6) end)
  :each(function(e)
    local common = e.args.sk.__sk_common
    local socket, now, new = bit.tohex(e.arg0 + 0ULL), tonumber(e.time_ns), e.args.newstate
    local before, is_v4 = last[socket] or older[socket], common.skc_family == IPV4
    local port = common.skc_num == 0 and before and before.port or common.skc_num
    if opt.localport and not opt.localport[port] then return end
    row(e.time, e.time - started, socket, e.pid, e.comm, is_v4 and 4 or 6,
      is_v4 and ipv4(common.skc_rcv_saddr) or common.skc_v6_rcv_saddr, port,
      is_v4 and ipv4(common.skc_daddr) or common.skc_v6_daddr, common.skc_dport,
      states[e.args.oldstate] or e.args.oldstate, states[new] or new, before and (now - before.time) / 1e6)
    if new == CLOSE then forget(socket) else remember(socket, now, port) end
  end)
