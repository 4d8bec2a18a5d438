-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('tcpstates', tap)

-- What a packet changes happens in whatever process the interrupt has found, and is left out when that
-- is not the workload; on a slow machine some of 23 do. So: a run in which none did, of five.
local rows
local function changes(old, new) return tool.count(rows, { oldstate = old, newstate = new, ip = 4, comm = 'workload' }) end
local function begun()
  return { changes('CLOSE', 'LISTEN'), changes('CLOSE', 'SYN_SENT'), changes('SYN_SENT', 'ESTABLISHED'),
    changes('LISTEN', 'SYN_RECV'), changes('SYN_RECV', 'ESTABLISHED') }
end
local function ended()
  return { changes('ESTABLISHED', 'FIN_WAIT1'), changes('ESTABLISHED', 'CLOSE_WAIT'), changes('CLOSE_WAIT', 'LAST_ACK') }
end
for _ = 1, 5 do
  rows = tool.json('tcp 23 100')
  if tap.show(begun()) == tap.show { 1, 23, 23, 23, 23 } and tap.show(ended()) == tap.show { 23, 23, 23 } then break end
end
tap.is(begun(), { 1, 23, 23, 23, 23 }, '23 connections begin')
tap.is(ended(), { 23, 23, 23 }, 'and end')
local port
for _, row in ipairs(rows) do if row.newstate == 'LISTEN' then port = row.lport end end
tap.ok(port and port > 0, 'the port', rows)
local timed = true
for _, row in ipairs(rows) do
  if row.oldstate == 'ESTABLISHED' then
    timed = timed and row.ms > 0 and row.ms < 60000 and row.laddr == '127.0.0.1' and row.raddr == '127.0.0.1'
      and (row.lport == port or row.rport == port)
  end
end
tap.ok(timed, 'how long it was established; addresses and ports', rows)

rows = tool.json('tcp 2 , tcp6 5', '-6')
tap.is({ tool.count(rows, { ip = 6, newstate = 'SYN_SENT', raddr = '::1' }), tool.count(rows, { ip = 4 }) }, { 5, 0 }, '-6')
rows = tool.json('tcp 2 , tcp6 5', '-4')
tap.is({ tool.count(rows, { ip = 4, newstate = 'SYN_SENT' }), tool.count(rows, { ip = 6 }) }, { 2, 0 }, '-4')
tap.is(#tool.json('tcp 3', '-D 1'), 0, '-D: another port')
tap.is(#tool.json('tcp 3', '-L 1'), 0, '-L: another port')
for _ = 1, 5 do
  rows = tool.json('tcp-refused 3')
  if tool.count(rows, { oldstate = 'SYN_SENT', newstate = 'CLOSE' }) == 3 then break end
end
tap.is(tool.count(rows, { oldstate = 'SYN_SENT', newstate = 'CLOSE' }), 3, 'refused connections')

local lines = tool.text('tcp 1', '-Tt')
tap.like(lines[1], '^TIME +TIME%(s%) +SKADDR +C%-PID +C%-COMM +LADDR +LPORT +RADDR +RPORT +OLDSTATE +%-> NEWSTATE +MS$',
  'text: heading')
tap.like(lines[2], '^%d%d:%d%d:%d%d +%d+%.%d+ +%x+ +%d+ +workload +127%.0%.0%.1 +%d+ +0%.0%.0%.0 +0 +CLOSE +%-> LISTEN +%-$',
  'text: row')
lines = tool.text('tcp 1', '-s')
tap.is(lines[1], 'SKADDR,C-PID,C-COMM,LADDR,LPORT,RADDR,RPORT,OLDSTATE,NEWSTATE,MS', '-s: heading')
tap.like(lines[2], '^%x+,%d+,workload,127%.0%.0%.1,%d+,0%.0%.0%.0,0,CLOSE,LISTEN,$', '-s: row')

tool.examples()
tool.finish()
