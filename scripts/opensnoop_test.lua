-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run)
  run:feed('file_open', { time_ns = 1e9, pid = 7, uid = 1000, comm = 'cat', result = 3, path = '/etc/passwd',
    latency_ns = 2500 })
  run:feed('file_open', { pid = 8, comm = 'vim', result = -2, path = 'none', flags = 0x241, mode = 420 })
  run:feed('file_open', { pid = 9, comm = 'vi\27m', result = 1023, path = 'a\nb', flags = 0x402 })
  return run
end

local function paths(...)
  local found = {}
  for i, row in ipairs(feed(test.load('opensnoop', { ... })):rows()) do found[i] = row.path end
  return found
end

local run = feed(test.load 'opensnoop')
test.is(run:rows()[1], { time = 946684801, seconds = 1, uid = 1000, pid = 7, comm = 'cat', fd = 3, flags = 0,
  mode = 0, latency_us = 2.5, path = '/etc/passwd' }, 'a row')
test.is({ run:rows()[2].fd, run:rows()[2].error }, { nil, 'ENOENT' }, 'one that failed: the error by name')
test.golden('plain', run:text())
test.golden('extended', feed(test.load('opensnoop', { '-TtUe' })):text())

test.is(paths('-u', '1000'), { '/etc/passwd' }, '-u: this user')
test.is(paths('-n', 'vi'), { 'none', 'a\nb' }, '-n: part of the name')
test.is(paths('-f', 'O_RDONLY'), { '/etc/passwd' }, '-f: the access mode')
test.is(paths('-f', 'O_RDWR,O_CREAT'), { 'none', 'a\nb' }, '-f: one of several')
test.is(paths('-f', 'O_APPEND'), { 'a\nb' }, '-f: a flag')
test.is(test.load('opensnoop', { '-x' }):probes(), { file_open = { failed_only = 1 } }, '-x: the probe chooses')
test.raises(function() test.load('opensnoop', { '-f', 'O_NONE' }) end, "flags 'O_NONE': needs some of O_RDONLY")

test.like(feed(test.load('opensnoop', {}, { json = true })):lines()[2],
  '"fd":null,"error":"ENOENT","flags":577,"mode":420,"latency_us":0,"path":"none"}$', 'JSON')

test.case('a recording', function() -- workload open 7 /dev/null , open-missing 3
  local recorded = test.load('opensnoop'):replay 'recordings/opensnoop.rec'
  test.is(#recorded:rows(), 10, 'every open')
  test.golden('recording', recorded:text())
  recorded = test.load('opensnoop', { '-x' }):replay 'recordings/opensnoop.rec'
  test.is(#recorded:rows(), 3, '-x')
  test.is({ recorded:rows()[3].fd, recorded:rows()[3].error }, { nil, 'ENOENT' }, '-x: why')
end)
