-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('tcpconnect', tap)

local rows = tool.json('tcp 23 100')
local port = rows[1] and rows[1].dport
tap.is(#rows, 23, '23 connections')
tap.is(tool.count(rows, { comm = 'workload', ip = 4, saddr = '127.0.0.1', daddr = '127.0.0.1', dport = port,
  error = tool.null }), 23, 'addresses and port')
local ports = true
for _, row in ipairs(rows) do ports = ports and row.lport > 0 and row.lport ~= port and row.latency_ms > 0 end
tap.ok(ports, 'local ports and latency')

local lines = tool.text('tcp 5 100')
tap.like(lines[1], '^PID +COMM +IP SADDR +DADDR +DPORT$', 'text: heading')
tap.is(tap.matching(lines, '^%d+ +workload +4 +127%.0%.0%.1 +127%.0%.0%.1 +%d+$'), 5, 'text: rows')

rows = tool.json('tcp6 5 100')
tap.is(tool.count(rows, { ip = 6, saddr = '::1', daddr = '::1' }), 5, 'IPv6')

rows = tool.json('tcp-refused 5', '-x')
tap.is({ #rows, tool.count(rows, { error = 'ECONNREFUSED' }) }, { 5, 5 }, '-x: refused')
tap.is(#tool.json('tcp 5 100', '-x'), 0, '-x: none failed')
tap.is(#tool.json('tcp 5 100', '-P 1,2'), 0, '-P: other ports')
tap.is(tool.count(tool.json('tcp 5 100', '-u 0'), { uid = 0 }), 5, '-u: this user')
tap.is(#tool.json('tcp 5 100', '-u 1'), 0, '-u: another user')
tap.is(tool.count_of_nobody('tcp 5 100', 65534), 5, '-u: of nobody')
tap.is(tool.count_of_nobody('tcp 5 100', 0), 0, '-u: not of root')
tap.is(#tool.json('tcp 5 100', '-c -u 1'), 0, '-c -u: nothing of another user to count')
lines = tool.text('tcp 5 100', '-U')
tap.like(lines[1], '^UID +PID +COMM ', '-U: column')
tap.is(tap.matching(lines, '^0 +%d+ +workload '), 5, '-U: root')
lines = tool.text('tcp-refused 2', '-L -x')
tap.like(lines[1], ' LPORT DADDR +DPORT ERROR$', '-L -x: columns')

rows = tool.json('tcp 23 100', '-c')
tap.is(#rows, 1, '-c: one destination')
tap.is(tool.count(rows, { laddr = '127.0.0.1', raddr = '127.0.0.1', connects = 23 }), 1, '-c: how often')
tap.is(#tool.json('tcp 5 100', '-cs'), 5, '-cs: by local port')
lines = tool.text('tcp6 3 100', '-c')
tap.like(lines[1], '^LADDR +RADDR +RPORT +CONNECTS$', '-c: heading')
tap.like(lines[2], '^::1 +::1 +%d+ +3$', '-c: row')

tool.finish()
