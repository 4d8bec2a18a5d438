-- SPDX-License-Identifier: Apache-2.0
--- stdlib/state.lua: what a new version of a script inherits.
local tap = require 'tap'
local mp = require 'moonprobe'
local state = require 'moonprobe.state'

local FILE = debug.getinfo(1, 'S').short_src:gsub('%p', '%%%0')

local first = mp.state('first', { count = 1 })
tap.is(first, { count = 1 }, 'a state starts as it is given')
first.count = 2
first.nested = { list = { 1, 'two', { deep = true } }, [5] = 'five', [true] = 'yes' }
first.large = 18446744073709551615ULL
first.signed = -9007199254740993LL
first.number = 0.1
first.text = 'zero\0inside \255'
local same = first.nested

local saved = state.save()
tap.is(type(saved), 'string', 'saved as bytes')

first.count, first.new = 77, 'gone'
same.list[1] = 'changed'
state.restore(saved)
tap.is(first.count, 2, 'a number is back')
tap.is(first.new, nil, 'what was not there is gone')
tap.is(first.nested, { list = { 1, 'two', { deep = true } }, [5] = 'five', [true] = 'yes' },
  'tables in tables are back')
tap.ok(first.large == 18446744073709551615ULL, 'unsigned 64 bits are exact', tostring(first.large))
tap.ok(first.signed == -9007199254740993LL, 'signed 64 bits are exact', tostring(first.signed))
tap.is(first.number, 0.1, 'a fraction is exact')
tap.is(first.text, 'zero\0inside \255', 'text may hold any byte')

-- The next version has other parts.
local buffer = require 'string.buffer'
local second = mp.state('second', { kept = true })
state.restore(buffer.encode { ['state first'] = { count = 5 }, ['state dropped'] = { x = 1 } })
tap.is(first, { count = 5 }, 'what both versions have is taken over')
tap.is(second, { kept = true }, 'what only the new one has stays as it is')
tap.ok(pcall(state.restore, buffer.encode {}), 'nothing to take over')
tap.ok(not pcall(state.restore, 'garbage'), 'garbage raises: the host tells it')

-- Parts of the stdlib.
local value = 'old'
state.part('part of the test', function() return value end, function(old) value = old end)
saved = state.save()
value = 'new'
state.restore(saved)
tap.is(value, 'old', 'a part saves and restores')
local nothing = 'untouched'
state.part('nothing', function() return nil end, function(old) nothing = old end)
state.restore(state.save())
tap.is(nothing, 'untouched', 'a part that saves nothing restores nothing')

-- Misuse.
tap.raises(function() mp.state('first', {}) end, '^' .. FILE .. ":%d+: state '.*first' exists already",
  'a name given twice')
tap.raises(function() mp.state(5, {}) end, '^' .. FILE .. ':%d+: state: needs a name', 'no name')
tap.raises(function() mp.state('third') end, '^' .. FILE .. ':%d+: state: needs a table', 'no table')

-- What cannot be handed over must not take the rest with it: a reload would end the script.
local bad = mp.state('with a function', { n = 3 })
bad.fn = print
local ok, bytes, problems = pcall(state.save)
tap.ok(ok, 'a function in a state does not raise', bytes)
if ok then
  first.count = 0
  state.restore(bytes)
  tap.is(first.count, 5, 'the other states are saved')
  tap.like(problems, 'with a function', 'and it is told which one is not')
end
bad.fn = nil
state.part('broken', function() error('cannot be read', 0) end, function() end)
bytes, problems = state.save()
tap.is(problems, 'broken: cannot be read', 'a part that cannot be saved is told')
first.count = 0
state.restore(bytes)
tap.is(first.count, 5, 'and costs no other')
tap.done()
