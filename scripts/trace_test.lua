-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function feed(run, probe)
  for i = 1, 3 do
    run:feed(probe or 'kretprobe:vfs_read', { time_ns = i * 1e9, pid = 7, tid = 70 + i, comm = i < 3 and 'cat' or 'sh',
      retval = i - 2, cpu = 1 })
  end
  return run
end

local function messages(run)
  local list = {}
  for i, row in ipairs(run:rows()) do list[i] = row.message end
  return list
end

test.case('plain', function()
  local run = feed(test.load('trace', { 'r:vfs_read' }))
  test.is(run:rows()[1], { time = 946684801, seconds = 1, cpu = 1, pid = 7, tid = 71, comm = 'cat', func = 'vfs_read' },
    'a row')
  test.golden('plain', run:text())
  test.golden('columns', feed(test.load('trace', { '-TtC', 'r:vfs_read', '-e', 'e.retval' })):text())
end)

test.case('messages', function()
  local function of(...) return messages(feed(test.load('trace', { 'r:vfs_read', ... }))) end
  test.is(of('-e', 'e.retval, e.comm'), { '-1 cat', '0 cat', '1 sh' }, '-e: values')
  test.is(of('-e', 'e.retval, e.comm', '-f', '%d bytes, "%s" 100%%'),
    { '-1 bytes, "cat" 100%', '0 bytes, "cat" 100%', '1 bytes, "sh" 100%' }, '-f: a format')
  test.is(of('-e', 'e.tid, e.retval', '-f', '%x %5.1f'), { '47  -1.0', '48   0.0', '49   1.0' }, '-f: numbers')
  test.is(of('-f', 'here'), { 'here', 'here', 'here' }, '-f: alone')
  test.is(of('-e', 'mp.error_name(-e.retval), nil'), { 'EPERM -', '- -', '-1 -' }, '-e: mp is there, nil is shown')
  local run = feed(test.load('trace', { 'r:vfs_read', '-e', 'e.retval' }, { json = true }))
  test.is(run:lines()[1], '{"time":946684801,"seconds":1,"cpu":1,"pid":7,"tid":71,"comm":"cat","func":"vfs_read",'
    .. '"message":"-1","values":[-1]}', 'JSON')
end)

test.case('filters', function()
  local function tids(...)
    local list = {}
    for i, row in ipairs(feed(test.load('trace', { 'r:vfs_read', ... })):rows()) do list[i] = row.tid end
    return list
  end
  test.is(tids('-w', 'e.retval < 0'), { 71 }, '-w')
  test.is(tids('-L', '72'), { 72 }, '-L')
  test.is(tids('-n', 's'), { 73 }, '-n')
  test.is(tids('-M', '2'), { 71, 72 }, '-M: so many')
  local run = feed(test.load('trace', { 'r:vfs_read', '-M', '2' }))
  test.ok(run:stopped(), '-M: ends')
end)

test.case('wildcards', function()
  local run = test.load('trace', { 'vfs_*', '-e', 'e.arg2' })
  run:feed('kprobe:vfs_*', { place = 'vfs_write', arg2 = 12 })
  test.is({ run:rows()[1].func, run:rows()[1].message }, { 'vfs_write', '12' }, 'which function')
  run = test.load('trace', { 'vfs_*' })
  run:feed('kprobe:vfs_*', { place = 'vfs_write' })
  test.is(run:rows()[1].func, 'vfs_write', 'without values')
end)

local function refused(pattern, ...)
  local arguments = { ... }
  test.raises(function() test.load('trace', arguments) end, pattern)
end
refused 'PROBE is missing'
refused("format '%%d %%d': it asks for other values", 'vfs_read', '-f', '%d %d', '-e', 'e.pid')
refused("format '%%d': it asks for other values", 'vfs_read', '-f', '%d')
refused("where 'e.pid ==': unexpected symbol near '<eof>'", 'vfs_read', '-w', 'e.pid ==')
refused("where 'e.pid, 3': is one value", 'vfs_read', '-w', 'e.pid, 3')
refused("args has no 'cuont'", 'vfs_read', '-e', 'e.args.cuont')
