-- SPDX-License-Identifier: Apache-2.0
--- stdlib/stage/keys.lua: the bytes of keys, and what they read as: what the event itself reads as.
local tap = require 'tap'
local ffi = require 'ffi'
local folds = require 'folds'
local invented = require 'invented'

local events = {}
local addresses = { '10.0.0.1', '::1', 'fe80::5' }
local texts = { '', 'cat', 'sixteen-letters!' }
for i = 0, 29 do
  events[i + 1] = invented.event { pid = i, uid = i % 4, u8 = i * 8, i8 = i - 15, i32 = -i * 1000, flag = i % 2,
    other_flag = i % 3 == 0 and 1 or 0, u64 = i % 5 == 0 and 0xffff800000000000ULL or i * 2 ^ 40,
    i64 = i % 5 == 0 and -2LL ^ 62 or -i, comm = texts[i % 3 + 1], tag = ({ '', 'a', 'sevenxx' })[i % 3 + 1],
    name = texts[(i + 1) % 3 + 1], file = ('/%d'):format(i % 6), io = i % 4, error = i % 3, signal = i % 2 * 9,
    syscall = i, device = i % 3 * 2 ^ 20 + 7, saddr = addresses[i % 3 + 1], daddr = addresses[i % 2 + 1],
    args = { i % 3, i }, cpu = 3 }
end

--- Counts by these parts in the kernel and in Lua.
local function agree(name, ...)
  local by = { ... }
  local fold = folds.of(function(probe, called) return probe:count { by = by, name = called } end)
  if fold:refusal() then return tap.ok(false, name, fold:refusal()) end
  local verdicts, open = fold:run(events), 0
  for _, verdict in ipairs(verdicts) do if verdict ~= 0 then open = open + 1 end end
  tap.is({ fold:counted(), open }, { fold:expected(events), 0 }, name)
  return fold
end
for _, field in ipairs { 'pid', 'u8', 'i8', 'i32', 'u64', 'i64', 'flag', 'comm', 'tag', 'file', 'io', 'error', 'signal',
  'device', 'syscall', 'saddr', 'cpu' } do
  agree('by ' .. field, field)
end
agree('by two numbers', 'uid', 'u8')
agree('by number and text', 'uid', 'comm')
agree('by text and number', 'tag', 'uid')
agree('by two texts', 'comm', 'tag')
agree('by address and number', 'saddr', 'uid')
agree('by two addresses', 'saddr', 'daddr')
agree('by four', 'tag', 'flag', 'error', 'i8')
agree('by a function', function(e) return e.u8 % 10 end)
agree('by an element', function(e) return e.args[1] end)
agree('by constants', function(e) return e.pid < 10 and 'low' or 'high' end)
agree('by constants of several kinds', function(e)
  if e.pid < 5 then return 'five' elseif e.pid < 10 then return 5 elseif e.pid < 15 then return false end
  return nil
end)
agree('by fields of two kinds', function(e) if e.flag then return e.comm end return e.pid end)
agree('by two texts of two sizes', function(e) if e.flag then return e.tag end return e.file end)
agree('by a field or a constant', function(e) return e.error or 'none' end)
agree('by all of that, and another', function(e) if e.pid > 20 then return 'x' end if e.flag then return e.comm end
  return e.saddr end, 'uid')
agree('by a small or a large number, which are one key', function(e)
  if e.flag then return e.uid end
  return e.args[1]
end)
agree('by one constant that is reached on two ways', function(e)
  if e.flag then return 'x' end
  if e.other_flag then return 'y' end
  return 'x'
end)

-- Layout.
local function layout(...)
  local by = { ... }
  local fold = folds.of(function(probe, called) return probe:count { by = by, name = called } end)
  local sizes = {}
  for i, part in ipairs(fold.fold.parts) do sizes[i] = part.bytes end
  return sizes, fold.fold.key_bytes, fold.fold.key_field and fold.fold.key_field.name
end
tap.is({ layout 'pid' }, { { 8 }, 8 }, 'a number is 8 bytes')
tap.is({ layout 'comm' }, { { 16 }, 16, 'comm' }, 'a text is the field itself')
tap.is({ layout 'tag' }, { { 8 }, 7, 'tag' }, 'of its size, when it is alone')
tap.is({ layout('tag', 'pid') }, { { 8, 8 }, 16 }, 'padded when it is not')
tap.is({ layout 'saddr' }, { { 16 }, 16, 'saddr' }, 'an address')
tap.is({ layout(function(e) return e.pid > 5 and 'x' or 'y' end) }, { { 8 }, 8 }, 'constants are numbered')
tap.is({ layout(function(e) if e.flag then return e.comm end return e.pid end) }, { { 24 }, 24 },
  'two kinds: which it is, and room for the larger')

-- What is behind a short part is zero, so equal keys are equal bytes.
local fold = agree('by a tagged part', function(e) if e.pid % 2 == 0 then return e.file end return e.tag end)
local clean = true
fold:cells(function(key)
  local at = ffi.cast('const uint8_t *', key)
  local tag = tonumber(ffi.cast('const int64_t *', key)[0])
  local text = fold.fold.parts[1].decode(at)
  for i = 8 + #text, #key - 1 do clean = clean and at[i] == 0 end
  clean = clean and (tag == 1 or tag == 2)
end)
tap.ok(clean, 'no rest of another key')

-- The same key in the next version of the script: the same bytes, told by the same signature.
local function signature(...)
  local by = { ... }
  local one = folds.of(function(probe, called) return probe:count { by = by, name = called } end)
  local words = {}
  for i, part in ipairs(one.fold.parts) do words[i] = part.signature end
  return table.concat(words, '/')
end
local function by_size(e) return e.pid > 5 and 'large' or 'small' end
local function by_other(e) return e.pid > 5 and 'large' or 'tiny' end
tap.is(signature(by_size), signature(function(e) return e.pid > 7 and 'large' or 'small' end), 'the same constants')
tap.ok(signature(by_size) ~= signature(by_other), 'others')
tap.ok(signature 'pid' ~= signature 'comm', 'other fields')
tap.ok(signature 'comm' ~= signature 'name', 'of the same size, too')
tap.ok(signature('pid', 'comm') ~= signature('comm', 'pid'), 'another order')
tap.is(signature 'pid', signature 'uid', 'numbers read alike')
tap.ok(signature 'u64' ~= signature 'i64', 'but for their sign')

-- What is no key.
local function refused(reason, ...)
  local by = { ... }
  local one = folds.of(function(probe, called) return probe:count { by = by, name = called } end)
  tap.like(one:refusal(), reason, 'refused: ' .. reason)
end
refused('a fraction as a key', function(e) return e.pid / 3 end)
refused('a key of %d+ bytes', 'file', 'comm', 'name', 'saddr', 'daddr', 'file', 'comm')
refused('only whether there is', function(e) return e.comm:find('x') end)
local switch = { cat = false, sh = true } -- no cat or no entry: false or nil
refused('only whether there is', function(e) return switch[e.comm] and e.pid end)
refused('argv, which is made of parts', 'argv')
refused('sequence: records are numbered', 'sequence')
refused('as a key', function(e) return e.args end)
refused('joining text', function(e) return e.comm .. e.tag end)
tap.done()
