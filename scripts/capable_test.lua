-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run)
  for i, one in ipairs { { 21, 0 }, { 7, 4 }, { 21, 2 }, { 21, 0 }, { 63, 0 } } do
    run:feed('kprobe:cap_capable', { time_ns = i * 1e9, uid = i % 2 * 1000, pid = 7, tid = 70 + i, comm = 'mount',
      args = { cap = one[1], opts = one[2] } })
  end
  return run
end

local function caps(...)
  local found = {}
  for i, row in ipairs(feed(test.load('capable', { ... })):rows()) do found[i] = row.cap end
  return found
end

local run = feed(test.load 'capable')
test.is(run:rows()[1], { time = 946684801, uid = 1000, pid = 7, tid = 71, comm = 'mount', cap = 21,
  name = 'CAP_SYS_ADMIN', audit = true, insetid = false }, 'a row')
test.golden('plain', run:text())
test.golden('extra', feed(test.load('capable', { '-vx' })):text())
test.is(caps(), { 21, 7, 21, 63 }, 'those that the audit sees')
test.is(caps '-v', { 21, 7, 21, 21, 63 }, '-v: all')
test.is(caps '--unique', { 21, 7, 63 }, '--unique: once')
test.is(caps('-n', 'CAP_SETUID'), { 7 }, '-n: by name')
test.is(caps('-n', 'sys_admin'), { 21, 21 }, '-n: a shorter one')
test.is(caps('-n', '63'), { 63 }, '-n: by number')
test.is(caps('-U', '0'), { 7, 21 }, '-U: this user')
test.raises(function() test.load('capable', { '-n', 'sysadmin' }) end, "name 'sysadmin': there is no such capability")
test.like(feed(test.load('capable', {}, { json = true })):lines()[1],
  '^{"time":946684801,"uid":1000,"pid":7,"tid":71,"comm":"mount","cap":21,"name":"CAP_SYS_ADMIN","audit":true,', 'JSON')
