-- SPDX-License-Identifier: Apache-2.0
--- stdlib/stage/arithmetic.lua: ranges and guards, and results beside those of doubles.
local tap = require 'tap'
local ffi = require 'ffi'
local arithmetic = require 'moonprobe.stage.arithmetic'
local invented = require 'invented'
local named = require 'moonprobe.stage.named'
local translated = require 'translated'
local value = require 'moonprobe.stage.value'

local const = value.const
local function field(name) return named.raw(invented.fields[name]) end
local function range(v) return { v.low, v.high } end

--- What fn raises: 'undecided', or the reason of a refusal.
local function raised(fn, ...)
  local ok, problem = pcall(fn, ...)
  if ok then return 'nothing' end
  return problem == value.undecided_mark and 'undecided' or value.is_refusal(problem) and problem.reason or problem
end

value.start()
local u8, i8, u32, i32, u64 = field 'u8', field 'i8', field 'u32', field 'i32', field 'u64'
local binary = arithmetic.binary

-- Ranges.
tap.is(range(u8), { 0, 255 }, 'a byte')
tap.is(range(i32), { -2 ^ 31, 2 ^ 31 - 1 }, 'a signed number')
tap.is(range(binary('add', u8, i8)), { -128, 382 }, 'a sum')
tap.is(range(binary('sub', u8, i8)), { -127, 383 }, 'a difference')
tap.is(range(binary('mul', i8, i8)), { -128 * 127, 128 * 128 }, 'a product of what may be negative')
tap.is(range(binary('mul', u8, const(-3))), { -765, 0 }, 'by a negative number')
tap.is(range(arithmetic.negate(i8)), { -127, 128 }, 'an opposite')
tap.is(range(binary('mod', u32, const(10))), { 0, 9 }, 'a rest')
tap.is(range(arithmetic.floor(binary('div', i8, const(10)))), { -13, 12 }, 'a rounded quotient')
tap.is(range(arithmetic.bits('band', { i32, const(15) })), { 0, 15 }, 'some bits')
tap.is(range(arithmetic.bits('rshift', { i32, const(28) })), { 0, 15 }, 'the upper ones')
tap.is(range(arithmetic.bits('arshift', { i8, const(4) })), { -8, 7 }, 'with their sign')
tap.ok(binary('add', u8, i8) == binary('add', u8, i8), 'the same twice is one value')
tap.ok(binary('add', u8, i8) ~= binary('sub', u8, i8), 'another is not')

-- Guards: where a double could differ, and only there.
local function guarded(v) return v.guarded == true end
tap.ok(not guarded(binary('add', u32, u32)), 'a sum of small numbers is exact')
tap.ok(guarded(binary('add', u64, const(1))), 'a 64-bit field may be no number')
tap.ok(guarded(binary('mul', u32, u32)), 'a product may be too large')
tap.ok(not guarded(binary('mul', u8, u32)), 'or not')
tap.is(range(binary('mul', u64, u64)), { 0, 2 ^ 53 - 1 }, 'what is guarded has the range of what passes')
local sum = binary('add', u32, const(2 ^ 53 - 2 ^ 32))
tap.ok(not guarded(sum), 'a sum just below 2^53')
tap.ok(guarded(binary('add', u32, const(2 ^ 53 - 2 ^ 32 + 2))), 'and just above')
tap.ok(arithmetic.within(u8, 0, 255) == u8, 'no guard where none is needed')
tap.is(range(arithmetic.within(arithmetic.within(u32, 5, 100), 0, 50)), { 5, 50 }, 'a guard in a guard')
tap.is(raised(arithmetic.within, u8, 256, 300), 'undecided', 'a guard that nothing passes')

-- Constants are computed as Lua does.
tap.is(binary('div', const(1), const(3)).value, 1 / 3, 'a fraction')
tap.is(binary('pow', const(2), const(0.5)).value, 2 ^ 0.5, 'a power')
tap.is(binary('mod', const(-5), const(3)).value, 1, 'a rest')
tap.ok(binary('div', const(0), const(0)) == const(0 / 0), 'what is no number is one value')
tap.is(binary('add', const('2'), const(3)).value, 5, 'text that is a number')
tap.is(raised(binary, 'add', const('x'), const(3)), 'undecided', 'text that is none')
tap.is(raised(binary, 'add', const(nil), const(3)), 'undecided', 'nothing')
tap.is(raised(binary, 'add', const {}, const(3)), 'undecided', 'a table')
tap.like(raised(binary, 'pow', u8, const(2)), 'powers', 'powers of fields')
tap.like(raised(binary, 'div', u8, u32), 'division by a value that is not constant', 'a quotient of fields')
tap.like(raised(binary, 'div', u8, const(0)), 'division by 0', 'a quotient by 0')
tap.like(raised(binary, 'mod', u8, const(-3)), 'modulo by a value that is not positive', 'a rest by less than 0')
tap.like(raised(binary, 'add', u8, const(0.5)), '0.5 is not an integer', 'a sum with a fraction')
tap.like(raised(binary, 'add', binary('div', u8, const(3)), const(1)), 'a fraction can only be', 'of a fraction')
tap.like(raised(binary, 'add', u8, const(5LL)), '64%-bit constants', '64 bits')

-- Beside Lua, at the bounds.
local EXACT = 2 ^ 53
local numbers64 = { 0, 1, 2, 3, 9, 10, 11, 255, 256, 1000, 2 ^ 31, 2 ^ 32 - 1, 2 ^ 45, 2 ^ 51, 2 ^ 52 - 1, 2 ^ 52,
  EXACT - 1, EXACT, 0x20000000000001ULL, 2ULL ^ 62, 0x8000000000000000ULL, 0xffffffffffffffffULL }
local events = {}
for i, number in ipairs(numbers64) do
  local small = i * 37 % 256
  events[#events + 1] = invented.event { u64 = number, i64 = -ffi.cast('int64_t', number), u8 = small,
    i8 = small - 128, u16 = 65535 - i, u32 = i * 2654435761 % 2 ^ 32, i32 = i * 2654435761 % 2 ^ 32 - 2 ^ 31 }
end
for _, text in ipairs {
  'e.u64 + 1 > 10', 'e.u64 + 1 <= 2 ^ 53', 'e.u64 - 1 < 0', 'e.i64 + e.u8 == -1', 'e.u64 * 3 >= 27',
  'e.u64 * e.u64 == 81',
  'e.i64 * -1 == e.u64', '-e.i64 == 256', 'e.i32 * e.i32 > 2 ^ 40', 'e.i32 - e.u32 < -5', 'e.u32 * e.u16 < 2 ^ 40',
  'e.u64 / 1000 > 0.25', 'e.i64 / 3 <= -3.3', 'e.u64 / -3 < -0.5', 'e.i8 / 10 == 1.1', 'e.u64 / 7 >= 2 ^ 49',
  'e.i8 % 10 == 3', 'e.i8 % 9 == 0', 'e.i64 % 2 == 0', 'e.i64 % 7 == 5', 'e.u64 % 2 == 1', 'e.i32 % 2 ^ 20 > 5',
  'e.u32 % e.u8 > 100', 'e.i32 % e.u8 == 0',
  'math.floor(e.i8 / 10) == -3', 'math.floor(e.u64 / 1000) == 1', 'math.ceil(e.i8 / 10) == -2',
  'math.ceil(e.i64 / 2) == 0', 'math.floor(e.u8) == e.u8', 'math.ceil(e.u8 / 1) == 37', 'math.abs(e.i64) == 256',
  'math.max(e.i8, e.u8) > 100', 'math.min(e.i64, e.u64) == 0', '-5 % e.u8 == 0', '(5 - e.u8) % 3 == 1',
  'bit.band(e.u64, 255) == 255', 'bit.bor(e.i32, 1) < 0', 'bit.bxor(e.u32, 0x55) > 0', 'bit.bnot(e.u32) == -1',
  'bit.lshift(e.u32, 5) < 0', 'bit.rshift(e.i32, 4) > 2 ^ 27', 'bit.arshift(e.i32, 4) < 0', 'bit.tobit(e.u32) < 0',
  'bit.rol(e.u32, 7) < 0', 'bit.ror(e.i32, 7) < 0', 'bit.rol(e.u8, 31) == -2147483630', 'bit.ror(e.u8, 33) > 0',
  'bit.rol(e.i32, 32) == e.i32', 'bit.bswap(e.u32) < 0', 'bit.bswap(bit.bswap(e.i32)) == e.i32',
  'bit.bswap(e.u16) == -16777216', 'bit.bswap(e.u64) == 16777216', 'bit.band(bit.bswap(e.i32), 0xff00) > 0x8000',
  'bit.lshift(e.u8, 33) == 74', 'bit.rshift(e.i8, 0) == e.i8', 'bit.band(e.u32, e.i32, 0xff) == 0',
  'bit.rshift(e.u32, 31) == 1', 'tonumber(e.u64) == 256', '(e.u8 + e.i8 * 2 - 3) % 16 == 1',
  'e.u64 % 1000 * 1000 < 9000',
} do
  translated.agree(tap, invented.compile(text), events, text)
end
tap.done()
