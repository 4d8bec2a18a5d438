-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run)
  run:feed('process_exec', { time_ns = 1e9, pid = 7, comm = 'ls', parent_pid = 5, uid = 1000,
    args = { 'ls', '-l', 'a "b"' } })
  run:feed('process_exec', { time_ns = 62.5e9, pid = 8, comm = 'sh', parent_pid = 7, error = 'ENOENT',
    args = { '/bin/none', 'x' }, args_cut = true })
  return run
end

test.case('plain', function()
  local run = feed(test.load('execsnoop'))
  test.is(run:rows(), {
    { time = 946684801, seconds = 1, uid = 1000, comm = 'ls', pid = 7, ppid = 5, args = 'ls -l a "b"' },
    { time = 946684862.5, seconds = 62.5, uid = 0, comm = 'sh', pid = 8, ppid = 7, error = 'ENOENT',
      args = '/bin/none x ...' },
  }, 'rows')
  test.golden('plain', run:text())
  test.is(run:probes(), { process_exec = { failed = 0 } }, 'failed calls are not asked for')
end)

test.case('columns', function()
  local run = feed(test.load('execsnoop', { '-TtUxq' }))
  test.golden('wide', run:text())
  test.is(run:probes(), { process_exec = { failed = 1 } }, '-x asks for failed calls')
  test.is(feed(test.load('execsnoop', { '--max-args', '1' })):rows()[1].args, 'ls -l ...', '--max-args')
end)

test.case('filters', function()
  local function pids(...)
    local found = {}
    for i, row in ipairs(feed(test.load('execsnoop', { ... })):rows()) do found[i] = row.pid end
    return found
  end
  test.is(pids('-n', 'l'), { 7 }, '-n: part of the name')
  test.is(pids('-n', '.'), {}, '-n: no pattern')
  test.is(pids('-l', '-l a'), { 7 }, '-l: across arguments')
  test.is(pids('-u', '0'), { 8 }, '-u: this user')
  test.is(pids('-u', '0', '-n', 'ls'), {}, 'all of them together')
end)

test.case('json', function()
  test.is(feed(test.load('execsnoop', {}, { json = true })):lines()[1],
    '{"time":946684801,"seconds":1,"uid":1000,"comm":"ls","pid":7,"ppid":5,"error":null,"args":"ls -l a \\"b\\""}')
end)

test.raises(function() test.load('execsnoop', { '--fail' }) end, "unknown option %-%-fail; did you mean %-%-fails%?")
test.raises(function() test.load('execsnoop', { '--help' }) end, 'usage: moonprobe run .*\n  %-x, %-%-fails ')

test.case('a recording', function() -- workload exec 7 , exec-fail 3
  local run = test.load('execsnoop'):replay 'recordings/execsnoop.rec'
  test.is(#run:rows(), 8, 'a row for each program')
  test.golden('recording', run:text())
  run = test.load('execsnoop', { '-x' }):replay 'recordings/execsnoop.rec'
  test.is(#run:rows(), 11, '-x: failed ones too')
  test.is({ run:rows()[11].error, run:rows()[11].args }, { 'ENOENT', 'moonprobe --argument' }, '-x: why it failed')
  test.is(#test.load('execsnoop', { '-l', 'exit 0' }):replay('recordings/execsnoop.rec'):rows(), 7, '-l')
end)
