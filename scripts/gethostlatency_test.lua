-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run)
  run:feed('uretprobe:libc:getaddrinfo', { time_ns = 1e9, pid = 7, comm = 'curl', latency_ns = 12345678, arg0 = 4096,
    string = { arg0 = 'www.example.org' } })
  run:feed('uretprobe:libc:gethostbyname2', { time_ns = 2e9, pid = 8, comm = 'getent', latency_ns = 5000, arg0 = 4096,
    string = { arg0 = 'localhost' } })
  run:feed('uretprobe:libc:getaddrinfo', { time_ns = 3e9, pid = 9, comm = 'sshd', latency_ns = 1e6 })
  return run
end

local run = feed(test.load 'gethostlatency')
test.is(run:rows(), {
  { time = 946684801, pid = 7, comm = 'curl', ms = 12.345678, host = 'www.example.org', func = 'getaddrinfo' },
  { time = 946684802, pid = 8, comm = 'getent', ms = 0.005, host = 'localhost', func = 'gethostbyname2' },
  { time = 946684803, pid = 9, comm = 'sshd', ms = 1, func = 'getaddrinfo' },
}, 'rows')
test.golden('plain', run:text())
test.is(#feed(test.load('gethostlatency', { '-m', '1ms' })):rows(), 2, '-m: what takes longer')
test.like(feed(test.load('gethostlatency', {}, { json = true })):lines()[2],
  '^{"time":946684802,"pid":8,"comm":"getent","ms":0.005,"host":"localhost","func":"gethostbyname2"}$', 'JSON')
