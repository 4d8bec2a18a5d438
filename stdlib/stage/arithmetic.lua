-- SPDX-License-Identifier: Apache-2.0
--- Arithmetic: what Lua's operators make of values, with the ranges of the results.
---
--- Lua computes with doubles, the kernel with 64-bit integers. They agree on integers up to
--- 2^53, so each result that may be larger is guarded: beyond, the event is undecided and
--- the worker, which has doubles, decides. Fractions are kept as integer / constant.

local bit = require 'bit'
local value = require 'moonprobe.stage.value'

jit.off(true, true) -- of this file: see assembler.lua

local const, int, refuse, undecided = value.const, value.int, value.refuse, value.undecided
local MOST = value.MOST
local EXACT = MOST - 1 -- results: 2^53 is what 2^53 + 1 is rounded to, in Lua as in ranges here
local HALF = 2 ^ 52 -- up to here x / n is told apart for each x, see ratio()

local arithmetic = {}

--- `v` between two bounds; outside, the event is undecided.
function arithmetic.within(v, low, high)
  local from, to = v.low, v.high
  if v.is == 'wide' then from, to = v.signed and -2 ^ 63 or 0, 2 ^ 64 end
  if v.is == 'const' then from, to = v.value, v.value end
  if from >= low and to <= high then return v end
  if from > high or to < low then undecided() end
  if v.op == 'within' then low, high, v = math.max(low, v.low), math.min(high, v.high), v.a end
  return int('within', math.max(low, from), math.min(high, to), { a = v })
end

local within = arithmetic.within

--- A value as an integer operand; raises what Lua would raise, refuses what has no exact one.
function arithmetic.integer(v)
  if v.is == 'int' then return v end
  if v.is == 'wide' then return within(v, v.signed and -MOST or 0, MOST) end
  if v.is == 'ratio' then refuse('a fraction can only be compared, rounded (math.floor) or folded') end
  if v.is == 'const' then
    if value.is_integer(v.value) then return v end
    if type(v.value) == 'number' then
      refuse('%s is not an integer; integers, and dividing by one, will do', v.value)
    end
    if type(v.value) == 'string' then refuse('arithmetic on text; compute with number fields') end
    if type(v.value) == 'cdata' then refuse('64-bit constants; a number up to 2^53 will do') end
    undecided()
  end
  if v.is == 'text' or v.is == 'piece' or v.is == 'name' or v.is == 'address' then
    refuse('arithmetic on text; compute with number fields')
  end
  if v.is == 'element' or v.is == 'found' then
    refuse('computing with what a look-up gives; only whether there is something')
  end
  undecided()
end

local integer = arithmetic.integer

local function range(v)
  if v.is == 'const' then return v.value, v.value end
  return v.low, v.high
end

--- The result of an operation that may leave the exact integers.
local function bounded(op, a, b, low, high)
  local result = int(op, low, high, { a = a, b = b })
  return within(result, -EXACT, EXACT)
end

local function add(a, b)
  local a_low, a_high = range(a)
  local b_low, b_high = range(b)
  return bounded('add', a, b, a_low + b_low, a_high + b_high)
end

local function subtract(a, b)
  local a_low, a_high = range(a)
  local b_low, b_high = range(b)
  return bounded('sub', a, b, a_low - b_high, a_high - b_low)
end

local function corners(a, b)
  local a_low, a_high = range(a)
  local b_low, b_high = range(b)
  local p, q, r, s = a_low * b_low, a_low * b_high, a_high * b_low, a_high * b_high
  return math.min(p, q, r, s), math.max(p, q, r, s)
end

local function multiply(a, b)
  local low, high = corners(a, b)
  if math.max(-low, high) >= 2 ^ 62 then -- the 64 bits themselves could overflow
    if b.is == 'const' or a.is == 'const' then
      local factor = math.abs(b.is == 'const' and b.value or a.value)
      local most = math.floor(MOST / factor)
      if b.is == 'const' then a = within(a, -most, most) else b = within(b, -most, most) end
    else
      a, b = within(a, -2 ^ 31, 2 ^ 31), within(b, -2 ^ 31, 2 ^ 31)
    end
    low, high = corners(a, b)
  end
  return bounded('mul', a, b, low, high)
end

--- a / by. For |a| <= 2^52 the doubles a/by and (a+1)/by differ, and a/by is on the same side of
--- every integer as the true quotient: 1/a is more than the relative error of a division.
local function ratio(a, b)
  if b.is ~= 'const' then refuse('division by a value that is not constant; multiply on the other side') end
  local by = b.value
  if by == 0 then refuse('division by 0; by another constant') end
  if by < 0 then a, by = subtract(const(0), a), -by end
  if by == 1 then return a end
  return value.ratio(within(a, -HALF, HALF), by)
end

--- a - floor(a / b) * b
local function modulo(a, b)
  local low, high = range(b)
  if high <= 0 then refuse('modulo by a value that is not positive; a constant above 0 will do') end
  if low <= 0 then b = within(b, 1, high) end
  return int('mod', 0, math.min(high - 1, MOST), { a = within(a, -HALF, HALF), b = b })
end

local binary = { add = add, sub = subtract, mul = multiply, div = ratio, mod = modulo }

local folds = {
  add = function(a, b) return a + b end,
  sub = function(a, b) return a - b end,
  mul = function(a, b) return a * b end,
  div = function(a, b) return a / b end,
  mod = function(a, b) return a % b end,
  pow = function(a, b) return a ^ b end,
}

--- a op b, for op add, sub, mul, div, mod, pow.
function arithmetic.binary(op, a, b)
  if a.is == 'const' and b.is == 'const' then
    if type(a.value) == 'table' or type(b.value) == 'table' then undecided() end
    local ok, result = pcall(folds[op], a.value, b.value)
    if not ok then undecided() end
    return const(result)
  end
  if not binary[op] then refuse('powers; multiply') end
  return binary[op](integer(a), integer(b))
end

function arithmetic.negate(a)
  if a.is == 'const' then return arithmetic.binary('sub', const(0), a) end
  if a.is == 'ratio' then return value.ratio(subtract(const(0), a.a), a.by) end
  return subtract(const(0), integer(a))
end

--- The largest integer not above the value.
function arithmetic.floor(a)
  if a.is == 'const' and type(a.value) == 'number' then return const(math.floor(a.value)) end
  if a.is ~= 'ratio' then return integer(a) end
  return int('floordiv', math.floor(a.a.low / a.by), math.floor(a.a.high / a.by), { a = a.a, b = const(a.by) })
end

-- bit.*: a number is taken modulo 2^32, the result is a signed 32-bit integer.

local function to_bits(v)
  if v.is == 'const' then
    if type(v.value) ~= 'number' then integer(v) end
    return const(bit.tobit(v.value))
  end
  v = within(integer(v), -2 ^ 51, 2 ^ 51) -- beyond, tobit is not defined
  if v.low >= -2 ^ 31 and v.high < 2 ^ 31 then return v end
  return int('tobit', -2 ^ 31, 2 ^ 31 - 1, { a = v })
end

local function bits(op, a, b)
  local a_low, a_high = range(a)
  local b_low, b_high = range(b)
  local low, high = -2 ^ 31, 2 ^ 31 - 1
  if op == 'and' then
    if a_low >= 0 then low, high = 0, a_high end
    if b_low >= 0 then low, high = 0, math.min(high, b_high) end
  elseif a_low >= 0 and b_low >= 0 then
    low = 0
  end
  return int(op, low, high, { a = a, b = b })
end

local function fold_bits(name, list)
  local numbers = {}
  for i, v in ipairs(list) do
    if v.is ~= 'const' then return nil end
    numbers[i] = v.value
  end
  local ok, result = pcall(bit[name], unpack(numbers))
  if not ok then undecided() end
  if type(result) ~= 'number' then refuse('64-bit constants; a number will do') end
  return const(result)
end

local chains = { band = 'and', bor = 'or', bxor = 'xor' }

-- Shifts of 32 bits by 1 to 31.

local function shift_left(a, count)
  return int('tobit', -2 ^ 31, 2 ^ 31 - 1, { a = int('shl', -2 ^ 63, 2 ^ 63, { a = a, b = const(count) }) })
end

local function shift_right(a, count) return int('shr32', 0, 2 ^ (32 - count) - 1, { a = a, b = const(count) }) end

local function rotate_left(a, count) return bits('or', shift_left(a, count), shift_right(a, 32 - count)) end

--- The bytes the other way round: every second one of the number turned by 8 either way.
local function swap_bytes(a)
  return bits('or', bits('and', rotate_left(a, 8), const(0x00ff00ff)),
    bits('and', rotate_left(a, 24), const(bit.tobit(0xff00ff00))))
end

--- bit.band(a, b, ...), bor, bxor, bnot, bswap, lshift, rshift, arshift, rol, ror, tobit.
---@param name string
---@param list table[] arguments
function arithmetic.bits(name, list)
  if #list == 0 then undecided() end
  local folded = fold_bits(name, list)
  if folded then return folded end
  local result = to_bits(list[1])
  if chains[name] then
    for i = 2, #list do result = bits(chains[name], result, to_bits(list[i])) end
    return result
  elseif name == 'tobit' then
    return result
  elseif name == 'bnot' then
    return bits('xor', result, const(-1))
  elseif name == 'bswap' then
    return swap_bytes(result)
  end
  local by = list[2]
  if not by then undecided() end
  if not value.is_const(by, 'number') then
    refuse('bit.%s by a value that is not constant; a fixed number will do', name)
  end
  local count = bit.band(by.value, 31)
  if count == 0 then return result end
  if name == 'lshift' then return shift_left(result, count) end
  if name == 'rshift' then return shift_right(result, count) end
  if name == 'rol' then return rotate_left(result, count) end
  if name == 'ror' then return rotate_left(result, 32 - count) end
  local low, high = range(result)
  return int('sar', math.floor(low / 2 ^ count), math.floor(high / 2 ^ count), { a = result, b = const(count) })
end

return arithmetic
