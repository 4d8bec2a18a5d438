-- SPDX-License-Identifier: Apache-2.0
--- stdlib/stage/cells.lua on maps that the test fills as programs would.
local tap = require 'tap'
local buffer = require 'string.buffer'
local ffi = require 'ffi'
local kernel_maps = require 'kernel_maps'
local cells = require 'moonprobe.stage.cells'

kernel_maps.install()
local MS = 1e6
local function later(ms) kernel_maps.now = kernel_maps.now + ms * MS end

local COUNT = { { op = 'add', of = 'one' } }
local SUM = { { op = 'add', of = 'one' }, { op = 'add', of = 'value' } }
local ENDS = { { op = 'most', of = 'value' }, { op = 'most', of = 'negated' } }
local ZERO = 2 ^ 62 * 1LL

local function new(ops, also)
  local shape = { keyed = true, key_bytes = 8, ops = ops, cpus = 2 }
  for name, value in pairs(also or {}) do shape[name] = value end
  local maps = kernel_maps.new(shape)
  return maps, assert(cells.open(maps.options))
end

local function key(text) return text .. ('\0'):rep(8 - #text) end

--- What a read gives: { [key] = { words, note = text } }.
local function all(counts)
  local found = {}
  assert(counts:read(function(pointer, words, note)
    local name = pointer ~= nil and ffi.string(pointer) or 'all'
    if found[name] then tap.ok(false, 'a key is visited once', name) end
    found[name] = { unpack(words, 1, 4) }
    found[name].note = note ~= nil and ffi.string(note) or nil
  end))
  return found
end

-- Reading.
local maps, counts = new(SUM)
tap.is(all(counts), {}, 'nothing')
maps:count(0, key 'a', { [0] = 1, 5 })
maps:count(1, key 'a', { [0] = 1, -7 })
maps:count(1, key 'b', { [0] = 1, 2 ^ 40 })
maps:count(0, key 'c', { [0] = 1, 0 })
tap.is(all(counts), { a = { 2, -2 }, b = { 1, 2 ^ 40 }, c = { 1, 0 } }, 'CPUs together')
tap.is(all(counts), { a = { 2, -2 }, b = { 1, 2 ^ 40 }, c = { 1, 0 } }, 'a look changes nothing')

-- Clearing: what came after the look counts.
maps:count(0, key 'a', { [0] = 1, 100 })
tap.ok(counts:clear(), 'clear')
tap.is(all(counts), { a = { 1, 100 } }, 'what was read is forgotten, what was not is there')
tap.is(maps.control[0], 1ULL, 'programs go on in the other bank')
maps:count(1, key 'a', { [0] = 1, 3 })
maps:count(1, key 'd', { [0] = 1, 4 })
maps:count(0, key 'b', { [0] = 1, 9 }, { bank = 0 }) -- one that had looked before
tap.is(all(counts), { a = { 2, 103 }, b = { 1, 9 }, d = { 1, 4 } }, 'both banks together')
counts:clear()
tap.is({ maps:size(0), maps.control[0] }, { 3, 1ULL }, 'a bank is not emptied while a program may be in it')
maps:count(0, key 'c', { [0] = 1, 1 }, { bank = 0 })
later(99)
counts:clear()
maps:count(0, key 'b', { [0] = 1, 1 }, { bank = 0 })
later(2)
tap.is(all(counts), { b = { 1, 1 } }, 'a clear without a look forgets all')
counts:clear()
tap.is({ maps:size(0), maps.control[0] }, { 0, 0ULL }, 'later it is, and used again')
tap.is(all(counts), {}, 'and nothing is left')
for _ = 1, 10 do
  later(200)
  counts:clear()
end
tap.is({ maps:size(0), maps:size(1) }, { 0, 0 }, 'keys that are gone do not fill the maps')

-- An event that came to the bank between the last look and the emptying.
maps, counts = new(SUM)
maps:count(0, key 'a', { [0] = 1, 1 })
all(counts)
counts:clear()
later(50)
all(counts)
maps:count(0, key 'a', { [0] = 1, 20 }, { bank = 0 })
later(60)
counts:clear()
tap.is(maps:size(0), 0, 'an event between look and emptying: the bank is empty')
maps:count(0, key 'a', { [0] = 1, 4 })
local saved = counts:save()
tap.is(all(counts), { a = { 2, 24 } }, 'and the event is not lost')
local other = assert(cells.open(maps.options))
tap.ok(other:restore(buffer.decode(buffer.encode(saved))), 'nor when another version')
tap.is(all(other), { a = { 2, 24 } }, 'takes over then')
counts:clear()
tap.is(all(counts), {}, 'it counts once')

-- A program that has counted one word of two.
maps, counts = new(SUM)
maps:count(0, key 'a', { [1] = 7 })
tap.is(all(counts), {}, 'half an event is none yet')
counts:clear()
maps:count(0, key 'a', { [0] = 1 }, { bank = 0 })
tap.is(all(counts), { a = { 1, 7 } }, 'and whole in the end')

-- The largest and the smallest.
maps, counts = new(ENDS)
local function ends(cpu, value, bank)
  maps:count(cpu, key 'a', { [0] = ZERO + value, ZERO - value }, { bank = bank })
end
ends(0, 5)
ends(1, -3)
ends(1, 4)
tap.is(all(counts), { a = { 5, -3 } }, 'largest and smallest over CPUs')
counts:clear()
tap.is(all(counts), {}, 'cleared')
ends(0, 1)
ends(1, 2)
tap.is(all(counts), { a = { 2, 1 } }, 'smaller ones count again')
ends(1, 4, 0)
tap.is(all(counts), { a = { 2, 1 } }, 'a late one within what was shown changes nothing')
ends(1, 6, 0)
tap.is(all(counts), { a = { 6, 1 } }, 'one beyond does')
local before = kernel_maps.now
counts:clear()
tap.ok(kernel_maps.now - before >= 100 * MS, 'soon after a clear the next one waits')
ends(0, 0)
tap.is(all(counts), { a = { 0, 0 } }, 'so that it starts anew')
tap.is(maps:size(0), 1, 'in an empty bank')

-- Slots.
maps, counts = new { { op = 'add', of = 'value' }, { op = 'slots', count = 3, slot = 'log2' } }
maps:count(0, key 'a', { [0] = 9, [1] = 1, [3] = 2 })
maps:count(1, key 'a', { [0] = 1, [3] = 1 })
tap.is(all(counts), { a = { 10, 1, 0, 3 } }, 'slots')

-- Keys that gave way and came back.
maps, counts = new(SUM)
maps:count(0, key 'a', { [0] = 5, -50 })
maps:count(0, key 'b', { [0] = 5, -50 })
all(counts)
counts:clear()
counts:clear() -- in the same bank again
local bank = tonumber(maps.control[0])
maps:count(0, key 'a', { [0] = 7, -70 })
all(counts)
counts:clear()
maps:evict(key 'a')
maps:count(0, key 'a', { [0] = 2, 8 }, { bank = bank })
tap.is(all(counts), { a = { 2, 8 } }, 'less than before: the key was away, all is new')
counts:clear()
maps:evict(key 'a')
tap.is(all(counts), {}, 'a key that is away')
maps:count(0, key 'a', { [0] = 9, 9 }, { bank = bank })
tap.is(all(counts), { a = { 9, 9 } }, 'and was seen to be away, starts anew')

-- Notes.
maps, counts = new(COUNT, { note_bytes = 16 })
maps:count(1, key 'a', { [0] = 1 }, { note = 'cat' })
maps:count(0, key 'a', { [0] = 1 })
maps:count(0, key 'b', { [0] = 1 })
tap.is(all(counts), { a = { 2, note = 'cat' }, b = { 1, note = '' } }, 'the note is with the CPU that inserted the key')
counts:clear()
maps:count(0, key 'a', { [0] = 1 }, { bank = 0 })
tap.is(all(counts), { a = { 1, note = 'cat' } }, 'also from the bank that was left')
maps:count(0, key 'a', { [0] = 1 }, { note = 'dog' })
tap.is(all(counts), { a = { 2, note = 'dog' } }, 'the newer bank\'s is preferred')

-- No keys.
maps, counts = new(SUM, { keyed = false })
tap.is(all(counts), {}, 'no keys, no events')
maps:count(0, '', { [0] = 1, 5 })
maps:count(1, '', { [0] = 1, 6 })
tap.is(all(counts), { all = { 2, 11 } }, 'no keys: one row')
for round = 1, 5 do
  counts:clear()
  maps:count(1, '', { [0] = 1, round })
  tap.is(all(counts), { all = { 1, round } }, 'no keys: cleared, round ' .. round)
  later(round * 30)
end

-- Refused.
maps, counts = new(COUNT, { max_entries = 2 })
for _, name in ipairs { 'a', 'b', 'c', 'd', 'a' } do maps:count(0, key(name), { [0] = 1 }) end
all(counts)
tap.is(counts:refused(), 2, 'events that found no room')
maps:count(0, key 'e', { [0] = 1 })
tap.is(counts:refused(), 2, 'as of the last look')
counts:clear()
tap.is(counts:refused(), 0, 'a clear forgets them')
tap.is({ all(counts), counts:refused() }, { {}, 1 }, 'but not those that were not told')
tap.is({ all(assert(cells.open(maps.options))), counts:refused() }, { {}, 1 }, 'nor does another worker')

-- Handing over.
maps, counts = new(SUM, { note_bytes = 8 })
for i = 1, 50 do maps:count(i % 2, key('k' .. i), { [0] = 1, i }, { note = 'n' .. i }) end
all(counts)
counts:clear()
maps:count(0, key 'k7', { [0] = 1, 70 }, { bank = 0 })
maps:count(0, key 'new', { [0] = 1, 1 }, { note = 'x' })
saved = buffer.decode(buffer.encode(counts:save()))
local heir = assert(cells.open(maps.options))
tap.ok(heir:restore(saved), 'handed over')
tap.is(all(heir), { k7 = { 1, 70, note = 'n7' }, new = { 1, 1, note = 'x' } }, 'the base is taken over')
later(150)
heir:read(function() end)
heir:clear()
maps:count(0, key 'k1', { [0] = 1, 5 }, { note = 'y' })
tap.is(maps:size(0), 1, 'the heir has emptied a bank')
tap.is(all(counts).k1, { 1, 5, note = 'y' }, 'when the old version goes on it knows what was emptied')
local _, strange = new(COUNT)
tap.is(strange:restore(saved), false, 'other maps are not taken over')
_, strange = new(SUM, { note_bytes = 8 })
tap.is(strange:restore(saved), false, 'nor others that look the same')
maps = kernel_maps.new { keyed = true, key_bytes = 8, ops = { { op = 'slots', count = 507 } }, cpus = 2 }
tap.like(select(2, cells.open(maps.options)), 'more than 4040 bytes', 'what does not fit is refused')

-- After a crash nothing is handed over.
maps, counts = new(SUM)
maps:count(0, key 'a', { [0] = 1, 5 })
all(counts)
counts:clear()
maps:count(0, key 'b', { [0] = 1, 6 })
heir = assert(cells.open(maps.options))
tap.is(all(heir), { b = { 1, 6 } }, 'after a crash: the bank in use counts')
tap.is(maps:size(0), 0, 'the other one is emptied')

-- Errors of the kernel.
maps.failing = 'Cannot allocate memory'
tap.is({ heir:read(function() end) }, { nil, 'reading a map: Cannot allocate memory' }, 'an error is told')
tap.is({ heir:clear() }, { nil, 'reading a map: Cannot allocate memory' }, 'by clear, too')
maps.failing = nil
tap.is(all(heir), { b = { 1, 6 } }, 'and nothing is lost by it')

-- Many rounds at random against a plain count.
local seed = 7
local function random(below)
  seed = seed * 16807 % 2147483647
  return seed % below
end
maps, counts = new(SUM)
local shown, expected = {}, {}
for _ = 1, 3000 do
  local what = random(10)
  if what < 6 then
    local name, value = 'k' .. random(5), random(100) - 50
    maps:count(random(2), key(name), { [0] = 1, value }, { bank = random(20) == 0 and maps.last or nil })
    expected[name] = expected[name] or { 0, 0 }
    expected[name] = { expected[name][1] + 1, expected[name][2] + value }
  elseif what < 8 then
    later(random(40))
    if tonumber(maps.control[510]) + 100 * MS <= kernel_maps.now then maps.last = nil end
  else
    for name, words in pairs(all(counts)) do
      shown[name] = shown[name] or { 0, 0 }
      shown[name] = { shown[name][1] + words[1], shown[name][2] + words[2] }
    end
    maps.last = tonumber(maps.control[0])
    counts:clear()
    if random(5) == 0 then
      saved = buffer.decode(buffer.encode(counts:save()))
      counts = assert(cells.open(maps.options))
      counts:restore(saved)
    end
  end
end
for name, words in pairs(all(counts)) do shown[name] = { shown[name][1] + words[1], shown[name][2] + words[2] } end
tap.is(shown, expected, 'read and cleared at random: every event once')
tap.ok(tonumber(maps.control[508]) > 5, 'with many changes of banks')
counts:close()
tap.done()
