-- SPDX-License-Identifier: Apache-2.0
--- btf.lua, layout.lua and lpm.lua: bytes of a type as Lua values and back, with the types of a real object.

local tap = dofile 'tests/tap.lua'
local ffi = require 'ffi'
local ask_for_file = require 'moonprobe.ask_for_file'
local btf = require 'moonprobe.btf'
local engine = require 'moonprobe.engine'
local layout = require 'moonprobe.layout'
local lpm = require 'moonprobe.lpm'

local object = assert(engine.object(assert(ask_for_file('object', 'tests/objects/every_map.bpf.o'))))
local types = assert(btf.parse(object.btf))

local function of(name) return assert(layout.of(types, assert(types:find(name), name))) end

local function written(one, value)
  local bytes = ffi.new('uint8_t[?]', one.bytes + 8)
  ffi.fill(bytes, one.bytes + 8, 0xee)
  local ok, message = layout.try(one.write, bytes, value, 'value')
  if not ok then return nil, message end
  for i = one.bytes, one.bytes + 7 do assert(bytes[i] == 0xee, 'wrote behind its end') end
  return bytes
end

local function round(one, value) return one.read(assert(written(one, value))) end

local function problem(one, value)
  local bytes, message = written(one, value)
  return bytes and 'written' or message
end

-- Types.
tap.is({ types:bytes_of(types:find 'struct event'), types:describe(types:find 'struct where') },
  { 80, 'struct where' }, 'sizes and names')
tap.is(types:find 'struct nothing', nil, 'a type that is not there')
tap.ok(btf.parse '' == nil and btf.parse(('x'):rep(100)) == nil and btf.parse(object.btf:sub(1, 90)) == nil, 'no types')

-- Values.
local event = of 'struct event'
local value = {
  number = 12, big = 2 ^ 63, negative = -5, kind = 'exit', comm = 'sixteen letters!', label = '',
  at = { cpu = 1, port = 65535, bytes = { 1, 2, 3, 4 } }, as_word = 0x01020304, low = 15, high = 4095, yes = true,
}
local got = round(event, value)
tap.is({ got.number, tostring(got.big), got.negative, got.kind, got.comm, got.label, got.low, got.high, got.yes },
  { 12, '9223372036854775808ULL', -5, 'exit', 'sixteen letters!', '', 15, 4095, true }, 'a struct there and back')
tap.is({ got.at.port, got.at.bytes }, { 65535, { 1, 2, 3, 4 } }, 'a struct in it, an array in that')
tap.is({ got.as_word, got.as_bytes }, { 0x01020304, { 4, 3, 2, 1 } }, 'a union reads as all it can be')
tap.is(round(event, {}).number, 0, 'what is left out is zero')
local view = ffi.cast(layout.view(event), written(event, value))
tap.is({ view.number, view.negative, view.kind, view.comm, view.at.port, view.at.bytes[4], view.high, view.yes },
  { 12, -5, 'exit', 'sixteen letters!', 65535, 4, 4095, true }, 'the same, read in place')
tap.raises(function() return view.nunber end,
  "struct event has no field 'nunber'; did you mean 'number'", 'a misspelt field')
tap.raises(function() view.number = 3 end, 'constant', 'is not written')

-- What does not fit.
local u64, u32 = event.by_name.number.layout, event.by_name.at.layout.by_name.cpu.layout
for _, case in ipairs {
  { { nunber = 1 }, "value: struct event has no field 'nunber'; did you mean 'number'" },
  { { number = -1 }, 'value.number: expected an integer from 0 to 2%^64 %- 1 %(__u64%), given %-1' },
  { { number = 1.5 }, 'given 1.5' },
  { { number = '1' }, 'given "1"' },
  { { number = 2 ^ 64 }, 'expected an integer' },
  { { number = 0 / 0 }, 'expected an integer' },
  { { number = -1LL }, 'expected an integer' },
  { { negative = 2 ^ 31 }, 'from %-2147483648 to 2147483647' },
  { { at = { port = 65536 } }, 'value.at.port: expected an integer from 0 to 65535' },
  { { at = { bytes = { 1, 2, 3, 4, 5 } } }, 'value.at.bytes: expected a list of at most 4' },
  { { at = { bytes = { 1, 256 } } }, 'value.at.bytes%[2%]: expected an integer from 0 to 255' },
  { { at = { bytes = { x = 1 } } }, 'expected a list' },
  { { at = 3 }, 'value.at: expected a table %(struct where%), given 3' },
  { { kind = 'entr' }, "expected one of enter, exit, given \"entr\"; did you mean 'enter'" },
  { { comm = 'seventeen letters' }, 'expected a string of at most 16 bytes' },
  { { comm = 5 }, 'expected a string %(char%[16%]%), given 5' },
  { { low = 16 }, 'expected an integer from 0 to 15' },
  { { yes = 1 }, 'expected a boolean, given 1' },
  { { as_word = 1, as_bytes = { 1 } }, 'expected one field of a union, given as_word and as_bytes' },
  { 5, 'expected a table %(struct event%), given 5' },
} do
  tap.like(problem(event, case[1]), case[2], case[2])
end
tap.is({ round(u64, 2 ^ 53), tostring(round(u64, 18446744073709551615ULL)), tostring(round(u64, 2 ^ 60)) },
  { 2 ^ 53, '18446744073709551615ULL', '1152921504606846976ULL' }, '64 bits are exact')
tap.is({ round(u32, 7LL), round(u32, 4294967295ULL), problem(u32, 4294967296ULL):match '%d+' }, { 7, 2 ^ 32 - 1, '0' },
  '64-bit numbers fit where they fit')
tap.is({ round(event, { kind = 'CALL_EXIT' }).kind, round(event, { kind = 7 }).kind }, { 'exit', 7 },
  'enums by whole name, and by number')
tap.is(round(layout.raw(3), 'abc'), 'abc', 'bytes')
tap.like(problem(layout.raw(3), 'ab'), 'expected a string of 3 bytes, given one of 2', 'of their length')

-- Fields by path.
local field, offset = layout.field(event, 'at.port')
tap.is({ field.bytes, offset }, { 2, 60 }, 'a field by its path')

-- Sections of variables.
local bss
for id, one in ipairs(types.all) do
  if one.kind == 'section' and one.name == '.bss' then bss = layout.of(types, id) end
end
tap.ok(bss and bss.by_name.lost, 'a section reads like a struct')

-- Networks.
local v4, v6, other = lpm.layout(8), lpm.layout(20), lpm.layout(12)
tap.is({ round(v4, '10.0.0.0/8'), round(v4, '10.1.2.3'), round(v4, { prefix = 0, data = '\0\0\0\0' }) },
  { '10.0.0.0/8', '10.1.2.3/32', '0.0.0.0/0' }, 'IPv4 networks')
tap.is({ round(v6, 'fe80::/10'), round(v6, '10.0.0.0/8'), round(v6, '::1') }, { 'fe80::/10', '10.0.0.0/8', '::1/128' },
  'IPv6 networks')
tap.is(round(other, { 9, 'abcdefgh' }), { prefix = 9, data = 'abcdefgh' }, 'others')
for _, case in ipairs { { v4, 'fe80::/10' }, { v4, '10.0.0.0/33' }, { v4, 'x' }, { v4, 5 }, { v4, {} },
  { v4, { prefix = 33, data = 'abcd' } }, { v4, { prefix = 8, data = 'abc' } }, { other, '10.0.0.0/8' } } do
  tap.like(problem(case[1], case[2]), '^value.*expected', 'no network: ' .. tap.show(case[2]))
end
tap.is(lpm.layout(4), nil, 'a key without room')

-- Types from anywhere: a message, or types of some kind, never a wild read.
math.randomseed(1)
local survived = 0
for _ = 1, 3000 do
  local bytes = ffi.new('uint8_t[?]', #object.btf)
  ffi.copy(bytes, object.btf, #object.btf)
  for _ = 1, math.random(1, 8) do bytes[math.random(0, #object.btf - 1)] = math.random(0, 255) end
  local damaged = btf.parse(ffi.string(bytes, math.random(0, 3) == 0 and math.random(0, #object.btf) or #object.btf))
  for id = 1, damaged and math.min(#damaged.all, 60) or 0 do
    local ok, one = pcall(layout.of, damaged, id)
    if ok and one and one.bytes < 65536 and (one.count or 0) < 65536 then
      local memory = ffi.new('uint8_t[?]', one.bytes)
      pcall(one.read, memory)
    end
  end
  survived = survived + 1
end
tap.is(survived, 3000, 'damaged types')

tap.done()
