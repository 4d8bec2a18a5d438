-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function sock(port, v6)
  return { __sk_common = { skc_family = v6 and 10 or 2, skc_num = 443, skc_dport = port, skc_rcv_saddr = 0x0a000001,
    skc_daddr = 0xc0a80002, skc_v6_rcv_saddr = v6, skc_v6_daddr = v6 } }
end

local function feed(run)
  for _ = 1, 3 do
    run:feed('kprobe:tcp_sendmsg', { pid = 7, comm = 'nginx', args = { size = 100000, sk = sock(40000) } })
  end
  run:feed('kprobe:tcp_cleanup_rbuf', { pid = 7, comm = 'nginx', args = { copied = 1000, sk = sock(40000) } })
  run:feed('kprobe:tcp_cleanup_rbuf', { pid = 7, comm = 'nginx', args = { copied = -11, sk = sock(40000) } })
  run:feed('kprobe:tcp_cleanup_rbuf', { pid = 8, comm = 'sshd',
    args = { copied = 5000, sk = sock(50000, '2001:db8::1') } })
  return run
end

local run = feed(test.load('tcptop')):advance '1s'
test.is(run:rows(), {
  { pid = 7, comm = 'nginx', laddr = '10.0.0.1:443', raddr = '192.168.0.2:40000', sent_bytes = 300000,
    received_bytes = 1000 },
  { pid = 8, comm = 'sshd', laddr = '[2001:db8::1]:443', raddr = '[2001:db8::1]:50000', sent_bytes = 0,
    received_bytes = 5000 },
}, 'sizes added up, the busiest first')
test.golden('plain', run:text())
feed(run:clear()):advance '1s'
test.is(run:rows()[1].sent_bytes, 300000, 'each interval begins at zero')

local function pids(...)
  local list = {}
  for i, row in ipairs(feed(test.load('tcptop', { ... })):finish():rows()) do list[i] = row.pid end
  return list
end
test.is(pids('-s', 'received'), { 8, 7 }, '-s: what comes first')
test.is(pids('-r', '1'), { 7 }, '-r: so many')
test.is({ pids('-4')[1], pids('-6')[1] }, { 7, 8 }, '-4 and -6')
run = feed(test.load('tcptop', { '5', '1' })):advance '5s'
test.ok(run:stopped(), 'COUNT: ends')
test.is(feed(test.load('tcptop', {}, { json = true })):finish():lines()[2],
  '{"pid":7,"comm":"nginx","laddr":"10.0.0.1:443","raddr":"192.168.0.2:40000","received_bytes":1000,'
  .. '"sent_bytes":300000}', 'JSON')
