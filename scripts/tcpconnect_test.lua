-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run)
  run:feed('tcp_connect', { time_ns = 1e9, pid = 7, uid = 1000, comm = 'curl', ip_version = 4,
    saddr = '10.0.0.1', sport = 40000, daddr = '93.184.216.34', dport = 443, latency_ns = 25e6 })
  run:feed('tcp_connect', { pid = 8, comm = 'ssh', ip_version = 6, saddr = '::1', sport = 40001,
    daddr = '2001:db8::17', dport = 22, error = 'ECONNREFUSED' })
  run:feed('tcp_connect', { pid = 7, uid = 1000, comm = 'curl', ip_version = 4,
    saddr = '10.0.0.1', sport = 40002, daddr = '93.184.216.34', dport = 443 })
  return run
end

local function pids(...)
  local found = {}
  for i, row in ipairs(feed(test.load('tcpconnect', { ... })):rows()) do found[i] = row.pid end
  return found
end

local run = feed(test.load 'tcpconnect')
test.is(run:rows()[1], { time = 946684801, seconds = 1, uid = 1000, pid = 7, comm = 'curl', ip = 4,
  saddr = '10.0.0.1', lport = 40000, daddr = '93.184.216.34', dport = 443, latency_ms = 25 }, 'a row')
test.golden('plain', run:text())
test.golden('wide', feed(test.load('tcpconnect', { '-TtULx' })):text())

test.is(pids('-x'), { 8 }, '-x: failed ones')
test.is(pids('-P', '22,80'), { 8 }, '-P: these ports')
test.is(pids('-u', '1000'), { 7, 7 }, '-u: this user')

test.case('count', function()
  local counted = feed(test.load('tcpconnect', { '-c' }))
  test.is(counted:aggregates(), { ['tcp_connect count by saddr, daddr, dport'] = {
    ['10.0.0.1, 93.184.216.34, 443'] = 2, ['::1, 2001:db8::17, 22'] = 1 } }, '-c')
  test.golden('count', counted:finish():text())
  test.golden('count by local port', feed(test.load('tcpconnect', { '-cs' })):finish():text())
end)

test.like(feed(test.load('tcpconnect', {}, { json = true })):lines()[2],
  '"saddr":"::1","lport":40001,"daddr":"2001:db8::17","dport":22,"error":"ECONNREFUSED","latency_ms":0}$', 'JSON')

test.case('a recording', function() -- workload tcp 5 , tcp6 2 , tcp-refused 3
  local recorded = test.load('tcpconnect'):replay 'recordings/tcpconnect.rec'
  test.is(#recorded:rows(), 10, 'every attempt')
  test.golden('recording', recorded:text())
  recorded = test.load('tcpconnect', { '-x' }):replay 'recordings/tcpconnect.rec'
  test.is({ #recorded:rows(), recorded:rows()[3].error }, { 3, 'ECONNREFUSED' }, '-x')
end)
