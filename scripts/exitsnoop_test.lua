-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run)
  run:feed('process_exit', { time_ns = 1e9, pid = 7, tid = 7, parent_pid = 5, comm = 'true', run_ns = 1.5e9 })
  run:feed('process_exit', { pid = 8, tid = 8, parent_pid = 5, comm = 'false', exit_code = 1 })
  run:feed('process_exit', { pid = 9, tid = 9, parent_pid = 5, comm = 'sleep', run_ns = 3600e9,
    signal = 'SIGSEGV', core_dumped = true })
  return run
end

local run = feed(test.load 'exitsnoop')
test.is(run:rows()[1], { time = 946684801, comm = 'true', pid = 7, ppid = 5, tid = 7, age = 1.5, exit_code = 0,
  core_dumped = false }, 'a row')
test.is(run:rows()[3].signal, 'SIGSEGV', 'the signal by name')
test.golden('plain', run:text())
test.is(run:probes(), { process_exit = { threads = 0 } }, 'threads are not asked for')

test.golden('timestamp', feed(test.load('exitsnoop', { '-t' })):text())

local failed = feed(test.load('exitsnoop', { '-x' }))
test.is(#failed:rows(), 2, '-x: code or signal')
test.is(failed:rows()[1].comm, 'false', '-x: not who ended well')

local threads = test.load('exitsnoop', { '--threads' })
threads:feed('process_exit', { pid = 7, tid = 70, comm = 'pool', is_thread = true })
test.is(threads:probes(), { process_exit = { threads = 1 } }, '--threads asks for them')
test.is({ threads:rows()[1].pid, threads:rows()[1].tid }, { 7, 70 }, '--threads: their ids')

local json = feed(test.load('exitsnoop', nil, { json = true }))
test.is(json:lines()[3], '{"time":946684801,"comm":"sleep","pid":9,"ppid":5,"tid":9,"age":3600,'
  .. '"exit_code":0,"signal":"SIGSEGV","core_dumped":true}', 'JSON has the hidden column')

test.case('a recording', function() -- workload fork 7 , threads 3 , kill-self 10
  local recorded = test.load('exitsnoop'):replay 'recordings/exitsnoop.rec'
  test.is(#recorded:rows(), 8, 'seven children and itself')
  test.golden('recording', recorded:text())
  test.is(#test.load('exitsnoop', { '--threads' }):replay('recordings/exitsnoop.rec'):rows(), 11, '--threads')
  recorded = test.load('exitsnoop', { '-x' }):replay 'recordings/exitsnoop.rec'
  test.is(#recorded:rows(), 1, '-x')
  test.is(recorded:rows()[1].signal, 'SIGUSR1', '-x: what killed it')
end)
