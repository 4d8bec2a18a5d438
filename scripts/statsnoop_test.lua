-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run)
  run:feed('file_stat', { time_ns = 1e9, pid = 7, uid = 1000, comm = 'ls', call = 'statx', path = '/etc', flags = 256,
    latency_ns = 2500 })
  run:feed('file_stat', { pid = 8, comm = 'sh', call = 'stat', path = 'none', result = -2 })
  run:feed('file_stat', { pid = 9, comm = 'cat', call = 'fstatat', path = '', flags = 4096 })
  run:feed('file_stat', { pid = 10, comm = 'vi\27m', call = 'fstatat', path = '', result = -14 })
  return run
end

local function pids(...)
  local found = {}
  for i, row in ipairs(feed(test.load('statsnoop', { ... })):rows()) do found[i] = row.pid end
  return found
end

local run = feed(test.load 'statsnoop')
test.is(run:rows()[1], { time = 946684801, seconds = 1, uid = 1000, pid = 7, comm = 'ls', result = 0, call = 'statx',
  latency_us = 2.5, path = '/etc' }, 'a row')
test.is({ run:rows()[2].result, run:rows()[2].error }, { -1, 'ENOENT' }, 'one that failed: the error by name')
test.golden('plain', run:text())
test.golden('all columns', feed(test.load('statsnoop', { '-TtUea' })):text())

test.is(pids(), { 7, 8, 10 }, 'not those of a descriptor, but those of no readable path')
test.is(pids('-a'), { 7, 8, 9, 10 }, '-a: all')
test.is(pids('-u', '1000'), { 7 }, '-u: this user')
test.is(pids('-n', 's'), { 7, 8 }, '-n: part of the name')
test.is(test.load('statsnoop', { '-x' }):probes(), { file_stat = { failed_only = 1 } }, '-x: the probe chooses')

test.like(feed(test.load('statsnoop', {}, { json = true })):lines()[2],
  '"result":%-1,"error":"ENOENT","call":"stat","latency_us":0,"path":"none"}$', 'JSON')

test.case('a recording', function() -- workload stat 3 /dev/null , stat-missing 2 , stat-open 1
  local recorded = test.load('statsnoop'):replay 'recordings/statsnoop.rec'
  test.is(#recorded:rows(), 17, 'three times five calls and two that fail')
  test.golden('recording', recorded:text())
  test.golden('recording, extended', test.load('statsnoop', { '-e' }):replay('recordings/statsnoop.rec'):text())
  test.is(#test.load('statsnoop', { '-a' }):replay('recordings/statsnoop.rec'):rows(), 18, '-a')
  recorded = test.load('statsnoop', { '-x' }):replay 'recordings/statsnoop.rec'
  test.is({ #recorded:rows(), recorded:rows()[1].error }, { 2, 'ENOENT' }, '-x')
end)
