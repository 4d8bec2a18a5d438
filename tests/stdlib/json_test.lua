-- SPDX-License-Identifier: Apache-2.0
--- stdlib/json.lua: RFC 8259 text out of Lua values.
local tap = require 'tap'
local ffi = require 'ffi'
local json = require 'moonprobe.json'

local function encodes(value, expected, name)
  tap.is(json.encode(value), expected, name or 'encodes ' .. expected)
end

-- Scalars.
encodes(nil, 'null')
encodes(true, 'true')
encodes(false, 'false')
encodes(0, '0')
encodes(-7, '-7')
encodes(1.5, '1.5')
encodes(1e9, '1000000000')
encodes(2 ^ 53 - 1, '9007199254740991')
encodes(2 ^ 53, '9007199254740992', 'the last number that is exact is written in full')
encodes(-2 ^ 53, '-9007199254740992')
encodes(0 / 0, 'null', 'NaN is null')
encodes(math.huge, 'null', 'infinity is null')
encodes(-math.huge, 'null', '-infinity is null')
for _, number in ipairs { 0.1, 1 / 3, 1e300, 5e-324, 1732271198.123456, 2 ^ 60, 123456789.123456789, -1e-7 } do
  tap.is(tonumber(json.encode(number)), number, ('%.17g reads back as the same number'):format(number))
end
encodes(0.1, '0.1', 'with no more digits than needed')

-- 64 bits.
encodes(9007199254740993LL, '9007199254740993')
encodes(-9223372036854775807LL - 1, '-9223372036854775808')
encodes(18446744073709551615ULL, '18446744073709551615')
encodes(0ULL, '0')

-- Text.
encodes('', '""')
encodes('plain', '"plain"')
encodes('say "hi" \\ back', [["say \"hi\" \\ back"]])
encodes('a\nb\rc\td', [["a\nb\rc\td"]])
encodes('/', '"/"')
for code = 0, 31 do
  local text = json.encode(string.char(code))
  tap.like(text, '^"\\[u%l]', ('control character %d is escaped'):format(code))
end
encodes('\0', '"\\u0000"', 'a zero byte does not end the text')
encodes('a\0b', '"a\\u0000b"')
encodes('\127', '"\\u007f"')
encodes('\27[31m', '"\\u001b[31m"')

-- UTF-8: what is well-formed stays, every other byte becomes U+FFFD.
local bad = '\239\191\189'
for _, text in ipairs { 'grün', '€', '🐝', '\194\128', '\223\191', '\224\160\128', '\237\159\191', '\238\128\128',
  '\239\191\191', '\240\144\128\128', '\244\143\191\191' } do
  encodes(text, '"' .. text .. '"')
end
encodes('a\255b', '"a' .. bad .. 'b"')
encodes('\128', '"' .. bad .. '"', 'a tail without a start')
encodes('\195', '"' .. bad .. '"', 'a start without a tail')
encodes('\195"', '"' .. bad .. '\\""', 'a start before a quote')
encodes('\226\130', '"' .. bad .. bad .. '"', 'cut short')
encodes('\192\128', '"' .. bad .. bad .. '"', 'overlong, two bytes')
encodes('\224\159\191', '"' .. bad:rep(3) .. '"', 'overlong, three bytes')
encodes('\240\143\191\191', '"' .. bad:rep(4) .. '"', 'overlong, four bytes')
encodes('\237\160\128', '"' .. bad:rep(3) .. '"', 'a surrogate')
encodes('\244\144\128\128', '"' .. bad:rep(4) .. '"', 'above U+10FFFF')
encodes('\245\128\128\128', '"' .. bad:rep(4) .. '"')
encodes('ok\255€', '"ok' .. bad .. '€"', 'what follows is read again')

-- Tables.
encodes({}, '[]')
encodes({ 1, 'two', { 3 } }, '[1,"two",[3]]')
encodes({ b = 1, a = { d = true, c = {} } }, '{"a":{"c":[],"d":true},"b":1}', 'members are sorted')
encodes({ ['we "said"'] = 1 }, '{"we \\"said\\"":1}', 'names are text')
encodes({ [true] = 1 }, '{"true":1}')
encodes({ { a = 1 }, { b = { 1, 2 } } }, '[{"a":1},{"b":[1,2]}]')
encodes({ x = 0 / 0 }, '{"x":null}')
local deep, expected = 1, '1'
for _ = 1, 100 do deep, expected = { deep }, '[' .. expected .. ']' end
tap.is(json.encode(deep), expected, 'a hundred levels')

-- What has no form of its own is its text.
tap.like(json.encode(print), '^"function: ', 'a function')
tap.like(json.encode(ffi.new('int[2]')), '^"cdata<int %[2%]>: ', 'other cdata')

-- Objects in order.
tap.is(json.object({ 'z', 'a' }, { 1, 'x' }), '{"z":1,"a":"x"}', 'an object keeps the order of its names')
tap.is(json.object({ 'a', 'b', 'c' }, { nil, 2, nil }), '{"a":null,"b":2,"c":null}', 'holes are null')
tap.is(json.object({}, {}), '{}', 'an object without members')
tap.is(json.object({ 'a' }, { false }), '{"a":false}', 'false is not null')
tap.done()
