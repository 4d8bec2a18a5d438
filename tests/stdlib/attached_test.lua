-- SPDX-License-Identifier: Apache-2.0
--- stdlib/stage/attached.lua: aggregates of which programs count a part, through the API that
--- scripts see. The maps are the test's (tests/kernel_maps.lua).
local tap = require 'tap'
local aggregate = require 'moonprobe.aggregate'
local buffer = require 'string.buffer'
local engine = require 'moonprobe.engine'
local ffi = require 'ffi'
local kernel_maps = require 'kernel_maps'
local output = require 'moonprobe.output'
local state = require 'moonprobe.state'
local cells = require 'moonprobe.stage.cells'
local timers = require 'moonprobe.timers'

kernel_maps.install()
local MS = 1e6
local function later(ms) kernel_maps.now = kernel_maps.now + ms * MS end

local parts = {} -- [aggregate] = its part of the state
local part = state.part
state.part = function(_, save, restore) parts.last = { save = save, restore = restore } end

local function new(kind_name, names, options)
  options = options or {}
  options.name = options.name or 'test'
  local kind = aggregate.kind(kind_name)
  local one = aggregate.new(kind, { probe = 'probe', field = kind.takes_value and 'bytes' or nil,
    names = names or {}, options = options })
  parts[one] = parts.last
  return one, kind.kernel(options)
end

local function text_key(pointer) return ffi.string(pointer) end
local function key(text) return text .. ('\0'):rep(8 - #text) end

--- Maps for an aggregate, which counts there from now on.
local function attach(one, kernel, also)
  also = also or {}
  local maps = also.maps or kernel_maps.new { keyed = #one.names > 0, key_bytes = 8, ops = kernel.words,
    note_bytes = one.note_name and 8 or 0, cpus = 2, max_entries = also.max_entries }
  one:attach_kernel { name = also.name or 'maps of test', cells = assert(cells.open(maps.options)),
    kernel = kernel, scale = also.scale, key = text_key, note = text_key }
  return maps
end

local function rows(one)
  local list = {}
  for i, row in ipairs(one:rows()) do
    list[i] = { row.parts[1] or '', row.value, row.note }
  end
  return list
end

local function printed(fn)
  local text, write = '', engine.write
  output.flush()
  engine.write = function(_, more) text = text .. more return true end
  fn()
  output.flush()
  engine.write = write
  return text
end

-- Both parts are shown together.
local calls, kernel = new('count', { 'comm' }, { note = 'comm' })
local maps = attach(calls, kernel)
tap.is({ rows(calls), calls.size, calls.overflow }, { {}, 0, 0 }, 'nothing')
maps:count(0, key 'cat', { [0] = 3 }, { note = 'tom' })
maps:count(1, key 'dog', { [0] = 1 }, { note = 'rex' })
calls:add(1, 'dog')
calls:add(1, 'dog')
calls:add(1, 'emu')
tap.is(rows(calls), { { 'cat', 3, 'tom' }, { 'dog', 3, 'rex' }, { 'emu', 1 } },
  'what programs and the worker count is added')
tap.is({ calls.size, calls.cells, calls.notes }, { 3, { dog = 3, cat = 3, emu = 1 }, { dog = 'rex', cat = 'tom' } },
  'cells, notes and size are of both')
calls:clear()
tap.is({ rows(calls), calls.size, calls.cells }, { {}, 0, {} }, 'clear clears both')
maps:count(0, key 'cat', { [0] = 1 })
calls:add(1, 'cat')
tap.is(rows(calls), { { 'cat', 2, '' } }, 'and both go on')

-- Values are divided once, exactly where the worker's would be.
for name, expected in pairs { sum = 2.5, avg = 1.25, max = 2, min = 0.5 } do
  local one, form = new(name, { 'comm' })
  maps = attach(one, form, { scale = 1000 })
  for cpu, value in pairs { [0] = 500, 2000 } do
    local changes, at = {}, 0
    for _, op in ipairs(form.words) do
      changes[at] = op.of == 'one' and 1 or op.op == 'add' and value
        or 2 ^ 62 * 1LL + (op.of == 'negated' and -value or value)
      at = at + 1
    end
    maps:count(cpu, key 'a', changes)
  end
  tap.is(rows(one), { { 'a', expected } }, name .. ' of values divided by 1000')
end
local sizes, sizes_kernel = new('histogram', {}, { label = 'bytes' })
maps = attach(sizes, sizes_kernel)
maps:count(1, '', { [0] = 5, [1 + 4] = 1 }) -- [4, 8)
sizes:add(6)
tap.is(rows(sizes), { { '', { count = 2, sum = 11, buckets = { { from = 4, to = 8, count = 2 } } } } },
  'a histogram without keys')

-- What is shown in one call of a timer is of one moment, and a clear forgets that and no more.
local one
one, kernel = new('count', { 'comm' })
maps = attach(one, kernel)
local seen = {}
timers.add(1e9, true, function()
  maps:count(0, key 'a', { [0] = 1 })
  local row = one:rows()[1]
  maps:count(0, key 'a', { [0] = 10 }) -- meanwhile
  maps:count(0, key 'b', { [0] = 10 })
  later(5000)                          -- stdout was slow
  seen = { row.value, one.cells.a, one.size, one:rows()[1].value }
  one:clear()
end)
later(1000)
timers.run(function(fn) fn() end)
tap.is(seen, { 1, 1, 1, 1 }, 'in a timer all is of one moment')
tap.is(rows(one), { { 'a', 10 }, { 'b', 10 } }, 'what came meanwhile is not cleared')
maps:count(0, key 'a', { [0] = 1 })
tap.is(one.cells.a, 10, 'outside, a look may be a little old')
later(101)
tap.is(one.cells.a, 11, 'but not more')
maps:count(0, key 'a', { [0] = 1 })
later(101)
one:clear()
tap.is(rows(one), {}, 'a clear long after the last look forgets all')

-- every().
local ticking, ticking_kernel = new('count', { 'comm' }, { name = 'ticking' })
local ticking_maps = attach(ticking, ticking_kernel)
ticking:every('2s')
local function tick()
  later(2000)
  return (printed(function() timers.run(function(fn) fn() end) end):gsub(' +', ' '))
end
ticking_maps:count(0, key 'a', { [0] = 4 })
tap.is(tick(), 'ticking\na 4\n', 'every prints')
ticking_maps:count(0, key 'a', { [0] = 1 })
ticking_maps:count(0, key 'b', { [0] = 2 })
tap.is(tick(), 'ticking\nb 2\na 1\n', 'and clears')
ticking_maps:count(0, key 'b', { [0] = 5 })
tap.like(printed(aggregate.print_rest), 'ticking\nb +5\n', 'the rest is printed at the end')

-- No room.
one, kernel = new('count', { 'comm' }, { name = 'few', max_keys = 2 })
maps = attach(one, kernel, { max_entries = 2 })
for _, name in ipairs { 'a', 'b', 'c', 'd' } do maps:count(0, key(name), { [0] = 1 }) end
tap.like(printed(function() one:print() end), '\n2 events not counted: more than 2 keys, raise max_keys\n$',
  'events that found no room are told')
one:clear()
tap.is(one.overflow, 0, 'once')
one, kernel = new('count', { 'comm' }, { name = 'many' })
maps = attach(one, kernel, { max_entries = 1 })
for _, name in ipairs { 'a', 'b' } do maps:count(0, key(name), { [0] = 1 }) end
tap.like(printed(function() one:print() end), '\n1 events not counted: too many new keys at once\n$',
  'also when it was not the number of keys')

-- The next version.
local function hand_over(from, to)
  parts[to].restore(buffer.decode(buffer.encode(parts[from].save())))
end
local function version(names, also)
  local made, form = new('count', names or { 'comm' }, { note = 'comm' })
  return made, also ~= false and attach(made, form, also) or nil
end
local old
old, maps = version()
maps:count(0, key 'a', { [0] = 1 }, { note = 'x' })
old:clear()
maps:count(0, key 'a', { [0] = 2 }, { note = 'x' })
maps:count(0, key 'b', { [0] = 4 }, { note = 'y' })
old:add(10, 'a')
local expected = { { 'b', 4, 'y' }, { 'a', 3, 'x' } }
local same = version({ 'comm' }, { maps = maps })
hand_over(old, same)
tap.is(rows(same), expected, 'a version with the same maps goes on with them')
maps:count(0, key 'a', { [0] = 3 })
tap.is(rows(same)[1], { 'a', 6, 'x' }, 'they count on')
hand_over(same, (version({ 'comm' }, { maps = maps })))
local fresh, fresh_maps = version({ 'comm' }, { name = 'other maps' })
hand_over(same, fresh)
fresh_maps:count(0, key 'a', { [0] = 1 }, { note = 'z' })
tap.is(rows(fresh), { { 'a', 7, 'x' }, { 'b', 4, 'y' } }, 'one with other maps takes over what was counted')
local worker = version({ 'comm' }, false)
hand_over(fresh, worker)
tap.is(rows(worker), { { 'a', 7, 'x' }, { 'b', 4, 'y' } }, 'one without maps, too')
local again, again_maps = version({ 'comm' }, { name = 'maps once more' })
hand_over(worker, again)
again_maps:count(1, key 'b', { [0] = 10 }, { note = 'y' })
tap.is(rows(again), { { 'b', 14, 'y' }, { 'a', 7, 'x' } }, 'and one with maps again')

-- New maps, or none, while it runs.
local next_maps = kernel_maps.new { keyed = true, key_bytes = 8, ops = { { op = 'add', of = 'one' } }, note_bytes = 8,
  cpus = 2 }
local _, form = new('count', { 'comm' })
attach(again, form, { maps = next_maps, name = 'next maps' })
next_maps:count(0, key 'b', { [0] = 1 }, { note = 'y' })
tap.is(rows(again), { { 'b', 15, 'y' }, { 'a', 7, 'x' } }, 'other maps: what was counted stays')
attach(again, form, { maps = next_maps, name = 'next maps' })
tap.is(rows(again), { { 'b', 15, 'y' }, { 'a', 7, 'x' } }, 'the same maps once more: nothing counts twice')
again:detach_kernel()
next_maps:count(0, key 'b', { [0] = 1 })
tap.is(rows(again), { { 'b', 15, 'y' }, { 'a', 7, 'x' } }, 'no maps any more: what was counted stays')
again:add(1, 'a')
tap.is(again.cells.a, 8, 'and the worker counts on')

-- Errors.
maps.failing = 'Out of luck'
tap.raises(function() same:rows() end, 'reading a map: Out of luck', 'a map that cannot be read')
maps.failing = nil
tap.is(rows(same)[1], { 'a', 6, 'x' }, 'is read the next time')
state.part = part
tap.done()
