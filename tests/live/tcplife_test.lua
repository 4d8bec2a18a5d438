-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('tcplife', tap)

local rows = tool.json('tcp 23 1000')
tap.is(#rows, 46, '23 connections, both ends')
for _, side in ipairs { 'client', 'server' } do
  tap.is(tool.count(rows, { direction = side, comm = 'workload', ip = 4, laddr = '127.0.0.1', raddr = '127.0.0.1',
    sent_bytes = 1000, received_bytes = 1000, error = tool.null }), 23, side .. ': addresses and bytes')
end
local ends, lived = {}, true
for _, row in ipairs(rows) do
  ends[row.lport .. '-' .. row.rport] = row.direction
  lived = lived and row.ms > 0 and row.pid > 1
end
local pairs_found = 0
for ports, side in pairs(ends) do
  if side == 'client' and ends[ports:gsub('(%d+)-(%d+)', '%2-%1')] == 'server' then pairs_found = pairs_found + 1 end
end
tap.is(pairs_found, 23, 'ports: each client has its server')
tap.ok(lived, 'process ids and durations')

local lines = tool.text('tcp 5 3000')
tap.like(lines[1], '^PID +COMM +LADDR +LPORT RADDR +RPORT TX_KB RX_KB MS$', 'text: heading')
tap.is(tap.matching(lines, '^%d+ +workload +127%.0%.0%.1 +%d+ +127%.0%.0%.1 +%d+ +3 +3 %d+%.%d%d$'), 10, 'text: rows')

tap.is(#tool.json('tcp 5 100', '-6'), 0, '-6: no IPv4')
tap.is(#tool.json('tcp 5 100', '-4'), 10, '-4: IPv4')
tap.is(tool.count(tool.json('tcp6 5 100', '-6'), { laddr = '::1', ip = 6 }), 10, '-6: IPv6')
tap.is(#tool.json('tcp 5 100', '-D 1,2'), 0, '-D: other ports')
tap.is(#tool.json('tcp 5 100', '-L 1'), 0, '-L: other ports')
tap.is(tool.count(tool.json('tcp-reset 3'), { direction = 'client' }), 3, 'connections that were reset')
local wide = tool.run('tcp6 1 100', '-wTt')
tap.like(wide.rows[1], '^TIME +TIME%(s%) +PID +COMM +IP LADDR ', '-wTt: columns')
tap.like(wide.rows[2], ' 6 +::1 +%d+ +::1 +%d+ +', '-w: row')

tool.finish()
