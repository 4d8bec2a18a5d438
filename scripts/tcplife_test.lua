-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run)
  run:feed('tcp_close', { time_ns = 1e9, pid = 7, comm = 'a-long-name', ip_version = 4, direction = 'client',
    saddr = '10.0.0.1', sport = 40000, daddr = '10.0.0.2', dport = 443, sent_bytes = 2048, received_bytes = 1e6,
    duration_ns = 12.34e6, rtt_us = 100, retransmits = 1 })
  run:feed('tcp_close', { ip_version = 6, direction = 'server', saddr = 'fe80::1', sport = 80,
    daddr = 'fe80::2', dport = 50000, sent_bytes = 2 ^ 53, error = 'ECONNRESET' })
  return run
end

local function ports(...)
  local found = {}
  for i, row in ipairs(feed(test.load('tcplife', { ... })):rows()) do found[i] = row.lport end
  return found
end

local run = feed(test.load 'tcplife')
test.is(run:rows()[1], { time = 946684801, seconds = 1, pid = 7, comm = 'a-long-name', ip = 4, laddr = '10.0.0.1',
  lport = 40000, raddr = '10.0.0.2', rport = 443, sent_bytes = 2048, received_bytes = 1e6, ms = 12.34,
  direction = 'client', rtt_us = 100, retransmits = 1 }, 'a row')
test.is(run:rows()[2].ms, nil, 'older than the trace: nobody knows how long it lived')
test.golden('plain', run:text())
test.golden('wide', feed(test.load('tcplife', { '-Ttw' })):text())

test.is(ports('-D', '443,80'), { 40000 }, '-D: remote ports')
test.is(ports('-L', '80'), { 80 }, '-L: local ports')
test.is(ports('-4'), { 40000 }, '-4')
test.is(ports('-6'), { 80 }, '-6')
test.is(ports('-46'), { 40000, 80 }, '-4 and -6: both')

test.like(feed(test.load('tcplife', {}, { json = true })):lines()[2],
  '"sent_bytes":9007199254740992,"received_bytes":0,"ms":null,"direction":"server","error":"ECONNRESET",'
  .. '"rtt_us":0,"retransmits":0}$', 'JSON has more')

test.case('a recording', function() -- workload tcp 5 1000 , tcp6 3 100
  local recorded = test.load('tcplife'):replay 'recordings/tcplife.rec'
  test.is(#recorded:rows(), 16, 'both ends of each')
  test.golden('recording', recorded:text())
  recorded = test.load('tcplife', { '-6' }):replay 'recordings/tcplife.rec'
  test.is({ #recorded:rows(), recorded:rows()[1].sent_bytes }, { 6, 100 }, '-6')
end)
