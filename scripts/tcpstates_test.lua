-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local SYN_SENT, ESTABLISHED, CLOSE = 2, 1, 7

local function change(run, ms, socket, old, new, common)
  run:feed('rawtracepoint:inet_sock_set_state', { time_ns = ms * 1e6, pid = 7, comm = 'a,long,name',
    arg0 = 0xffff888100000000ULL + socket,
    args = { oldstate = old, newstate = new, sk = { sk_protocol = common.protocol or 6, __sk_common = {
      skc_family = common.v6 and 10 or 2, skc_num = common.num, skc_dport = common.dport,
      skc_rcv_saddr = 0x0a000001, skc_daddr = 0x7f000001,
      skc_v6_rcv_saddr = common.v6 or nil, skc_v6_daddr = common.v6 or nil } } } })
end

local function feed(run)
  change(run, 1000, 0x1000, CLOSE, SYN_SENT, { num = 0, dport = 443 })
  change(run, 1250, 0x1000, SYN_SENT, ESTABLISHED, { num = 40000, dport = 443 })
  change(run, 1253, 0x2000, SYN_SENT, ESTABLISHED, { num = 40001, dport = 80, v6 = '2001:db8::1' })
  change(run, 1253, 0x3000, SYN_SENT, ESTABLISHED, { num = 40002, dport = 80, protocol = 132 })
  change(run, 1750, 0x1000, ESTABLISHED, CLOSE, { num = 0, dport = 443 })
  change(run, 2000, 0x1000, CLOSE, SYN_SENT, { num = 0, dport = 443 })
  return run
end

local run = feed(test.load 'tcpstates')
test.is(#run:rows(), 5, 'TCP only')
test.is(run:rows()[2], { time = 946684801.25, seconds = 1.25, skaddr = 'ffff888100001000', pid = 7,
  comm = 'a,long,name', ip = 4, laddr = '10.0.0.1', lport = 40000, raddr = '127.0.0.1', rport = 443,
  oldstate = 'SYN_SENT', newstate = 'ESTABLISHED', ms = 250 }, 'a row')
test.is({ run:rows()[1].ms, run:rows()[4].ms, run:rows()[4].lport, run:rows()[5].ms }, { nil, 500, 40000, nil },
  'times, and the port of a socket that lost it')
test.golden('plain', run:text())
test.golden('wide', feed(test.load('tcpstates', { '-Ttw' })):text())
test.golden('csv', feed(test.load('tcpstates', { '-s', '-T' })):text())
test.is(feed(test.load('tcpstates', { '-s' }, { json = true })):text(),
  feed(test.load('tcpstates', {}, { json = true })):text(), 'JSON has no other form')

local function count(...) return #feed(test.load('tcpstates', { ... })):rows() end
test.is({ count('-L', '40000'), count('-D', '80'), count('-D', '80,443'), count '-4', count '-6', count '-46' },
  { 2, 1, 5, 4, 1, 5 }, 'filters')

test.case('a recording', function() -- workload tcp 3 1000 , tcp6 2
  local recorded = test.load('tcpstates'):replay 'recordings/tcpstates.rec'
  local opened, closed = 0, 0
  for _, row in ipairs(recorded:rows()) do
    if row.oldstate == 'SYN_SENT' and row.newstate == 'ESTABLISHED' then opened = opened + 1 end
    if row.oldstate == 'LAST_ACK' and row.newstate == 'CLOSE' then closed = closed + 1 end
  end
  test.is({ opened, closed }, { 5, 5 }, 'each connection')
  test.golden('recording', recorded:text())
end)
