-- SPDX-License-Identifier: Apache-2.0
--- Condition: what Lua's comparisons and truth ask about the event.
---
--- Each gives true, false, or a test, which the kernel answers:
---   { ask = 'compare', how = 'lt'|'le'|'eq', unsigned, a, b }   two integers
---   { ask = 'text', field, at, bytes, ends }     bytes at a place of a text, and then its end
---   { ask = 'contains', field, bytes }           bytes anywhere in a text
---   { ask = 'ends', field, bytes }               the last bytes of a text
---   { ask = 'same', field, other }               two texts, or two addresses
---   { ask = 'bytes', field, bytes }              all bytes of a field
---   { ask = 'networks', field, networks }        an address in one of { bytes, bits }
---   { ask = 'member', a, numbers }               an integer in a short sorted list
---   { ask = 'in_set', key, bytes, keys }         a value in a map
---   { ask = 'not', of }                          the opposite of a test

local arithmetic = require 'moonprobe.stage.arithmetic'
local named = require 'moonprobe.stage.named'
local value = require 'moonprobe.stage.value'

jit.off(true, true) -- of this file: see assembler.lua

local const, refuse, undecided = value.const, value.refuse, value.undecided
local integer = arithmetic.integer
local MOST = value.MOST

local condition = {}

function condition.negated(test)
  if type(test) == 'boolean' then return not test end
  if test.ask == 'not' then return test.of end
  return { ask = 'not', of = test }
end

local function numeric(v)
  return v.is == 'int' or v.is == 'wide' or v.is == 'ratio' or value.is_const(v, 'number')
end

local function stringlike(v)
  return v.is == 'text' or v.is == 'piece' or v.is == 'name' or v.is == 'address' or value.is_const(v, 'string')
end

local function compare(how, a, b, unsigned)
  return { ask = 'compare', how = how, a = a, b = b, unsigned = unsigned }
end

--- An answer that is known, but only where a value can be computed.
function condition.known(answer, v)
  if v.is == 'ratio' then v = v.a end
  if not v.guarded then return answer end
  return condition.negated(compare('lt', v, const(answer and -MOST or 2 * MOST), false))
end

local known = condition.known

--- Integers of known ranges: the kernel's comparison is Lua's.
local function compare_integers(how, a, b)
  local low_a, high_a = a.low or a.value, a.high or a.value
  local low_b, high_b = b.low or b.value, b.high or b.value
  if a.guarded or b.guarded then
    return compare(how, a, b, false)
  elseif how == 'lt' then
    if high_a < low_b then return true elseif low_a >= high_b then return false end
  elseif how == 'le' then
    if high_a <= low_b then return true elseif low_a > high_b then return false end
  elseif high_a < low_b or low_a > high_b then
    return false
  end
  return compare(how, a, b, false)
end

--- How a 64-bit field compares with another value: as cdata when it is above 2^53, with the
--- conversions of LuaJIT's FFI. Where these agree with the numbers' order there is no guard.
local function compare_wide(how, a, b)
  local signed = (a.is == 'wide' and a or b).signed
  if a.is == 'wide' and b.is == 'wide' and a.signed == b.signed then
    return compare(how, a, b, not signed)
  end
  local other = a.is == 'wide' and b or a
  if other.is == 'wide' then return nil end
  local low, high = other.low or other.value, other.high or other.value
  if other.is == 'const' and low ~= math.floor(low) then return nil end
  if signed and low >= -2 ^ 63 and high < 2 ^ 63 or not signed and low >= 0 and high < 2 ^ 64 then
    return compare(how, a, b, not signed)
  end
  return nil
end

--- The least integer x from low to high with x / by >= k (or > k).
local function threshold(low, high, by, k, beyond)
  high = high + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    local quotient = middle / by
    if quotient > k or not beyond and quotient == k then high = middle else low = middle + 1 end
  end
  return low
end

--- A fraction with a constant: the integers for which Lua's division answers yes.
local function compare_fraction(how, a, b)
  if a.is == 'ratio' and value.is_const(b) then
    local k = b.value
    if k ~= k then return known(false, a) end
    if how == 'lt' then return compare_integers('lt', a.a, const(threshold(a.a.low, a.a.high, a.by, k))) end
    local most = threshold(a.a.low, a.a.high, a.by, k, true) - 1
    if how == 'le' then return compare_integers('le', a.a, const(most)) end
    if most / a.by ~= k then return known(false, a) end
    return compare_integers('eq', a.a, const(most))
  elseif value.is_const(a) then
    if how == 'eq' or a.value ~= a.value then return compare_fraction('eq', b, a) end
    return condition.negated(compare_fraction(how == 'lt' and 'le' or 'lt', b, a))
  elseif a.is == 'ratio' and b.is == 'ratio' then
    if a.by ~= b.by then refuse('comparing fractions of different denominators; divide both by the same') end
    return compare_integers(how, a.a, b.a)
  elseif a.is == 'ratio' then -- a/n < b as a < b*n: exact, see arithmetic.lua
    return compare_integers(how, a.a, arithmetic.binary('mul', integer(b), const(a.by)))
  end
  return compare_integers(how, arithmetic.binary('mul', integer(a), const(b.by)), b.a)
end

local function folded(how, a, b)
  if how == 'lt' then return a < b elseif how == 'le' then return a <= b end
  return a == b
end

--- An integer with a constant that is none: rounded to the side where the answer changes.
local function compare_rounded(how, a, b)
  local swapped = value.is_const(a)
  local k, n = swapped and a.value or b.value, integer(swapped and b or a)
  if k ~= k or how == 'eq' then return known(false, n) end
  if k > MOST then return known(not swapped, n) elseif k < -MOST then return known(swapped, n) end
  local edge = math.floor(k)
  if k == edge then
    return compare_integers(how, swapped and const(k) or n, swapped and n or const(k))
  elseif swapped then -- k < n, k <= n
    return compare_integers('lt', const(edge), n)
  end
  return compare_integers('le', n, const(edge))
end

local function compare_numbers(how, a, b)
  if value.is_const(a) and value.is_const(b) then return folded(how, a.value, b.value) end
  if a.is == 'ratio' or b.is == 'ratio' then return compare_fraction(how, a, b) end
  if a.is == 'wide' or b.is == 'wide' then
    local test = compare_wide(how, a, b)
    if test ~= nil then return test end
  end
  local constant = value.is_const(a) and a.value or value.is_const(b) and b.value
  if constant and not value.is_integer(constant) then return compare_rounded(how, a, b) end
  return compare_integers(how, integer(a), integer(b))
end

--- a < b ('lt') or a <= b ('le').
function condition.less(how, a, b)
  if numeric(a) and numeric(b) then return compare_numbers(how, a, b) end
  if stringlike(a) and stringlike(b) then
    if value.is_const(a) and value.is_const(b) then return folded(how, a.value, b.value) end
    refuse('the order of texts; == and look-ups in a table will do')
  end
  if a.is == 'element' or b.is == 'element' then
    refuse('computing with what a look-up gives; only whether there is something')
  end
  if value.is_const(a, 'cdata') or value.is_const(b, 'cdata') then
    refuse('64-bit constants; a number up to 2^53 will do')
  end
  undecided()
end

--- Is text from byte `at` on `bytes`, and then, when `ends`, over?
local function text_at(field, at, bytes, ends)
  if bytes:find('\0', 1, true) or at + #bytes > field.bytes then return false end
  if at + #bytes == field.bytes then ends = false end
  if bytes == '' and not ends then return true end
  return { ask = 'text', field = field, at = at, bytes = bytes, ends = ends }
end

local function piece_equals(piece, bytes)
  local field = piece.field
  if piece.from > 0 then
    local room = piece.to - piece.from + 1
    if #bytes > room then return false end
    if piece.from > field.bytes then return bytes == '' end
    return text_at(field, piece.from - 1, bytes, #bytes < room)
  end
  if #bytes > -piece.from then return false end
  if #bytes < -piece.from then return text_at(field, 0, bytes, true) end
  if bytes:find('\0', 1, true) or #bytes > field.bytes then return false end
  return { ask = 'ends', field = field, bytes = bytes }
end

local function found_test(v)
  if v.starts and v.ends then return text_at(v.field, 0, v.bytes, true) end
  if v.starts then return text_at(v.field, 0, v.bytes, false) end
  if v.bytes:find('\0', 1, true) or #v.bytes > v.field.bytes then return false end
  if v.bytes == '' then return true end
  return { ask = v.ends and 'ends' or 'contains', field = v.field, bytes = v.bytes }
end

--- The event's number is one of these.
function condition.member(a, numbers)
  if #numbers == 0 then return known(false, a) end
  if #numbers == 1 then return condition.equal(a, const(numbers[1])) end
  return { ask = 'member', a = a, numbers = numbers }
end

local function raw(v) return named.raw(v.field) end

local function address_equals(v, text)
  local bytes = named.address_bytes(text)
  return bytes and { ask = 'bytes', field = v.field, bytes = bytes } or false
end

local function equals_string(v, text)
  if v.is == 'text' then return text_at(v.field, 0, text, true) end
  if v.is == 'piece' then return piece_equals(v, text) end
  if v.is == 'address' then return address_equals(v, text) end
  if v.is == 'name' then return condition.member(raw(v), named.numbers(v.field, text)) end
  return false
end

-- What a look-up may be asked to give.
local function is_there(one) return one ~= nil end
local function is_true(one) return one ~= false end

--- Does a look-up give this? Of values without methods.
local function gives(element, wanted)
  for _, one in pairs(element.table) do
    if type(one) == 'cdata' or type(one) == 'userdata' then
      refuse('comparing what a look-up in a table with cdata gives; plain values will do')
    end
  end
  return element.test(function(one) return one == wanted end)
end

--- Is there a value? For what may be nil.
local function present(v)
  if v.is == 'name' and named.may_be_nil(v.field) then
    return condition.negated(compare('eq', raw(v), const(0), false))
  elseif v.is == 'found' then
    return found_test(v)
  elseif v.is == 'element' then
    return v.test(is_there)
  end
  return true
end

--- Could == call a function of theirs?
local function has_methods(of)
  local kind = type(of)
  return kind == 'userdata' or kind == 'cdata' and not tonumber(of) or kind == 'table' and getmetatable(of) ~= nil
end

--- a == b.
function condition.equal(a, b)
  if a == b and a.is ~= 'element' and a.is ~= 'array' and not value.is_const(a) then
    return known(true, a) -- 5 % 0 is not itself
  end
  if value.is_const(a) and value.is_const(b) then
    if rawequal(a.value, b.value) then return true end
    if has_methods(a.value) or has_methods(b.value) then
      refuse('comparing these with each other; do it once, outside of the function')
    end
    return a.value == b.value
  end
  if value.is_const(a) then a, b = b, a end
  if value.is_const(b, 'cdata') then refuse('64-bit constants; a number up to 2^53 will do') end
  if value.is_const(b, 'nil') then return condition.negated(present(a)) end
  if numeric(a) and numeric(b) then return compare_numbers('eq', a, b) end
  if a.is == 'element' or b.is == 'element' then
    local wanted = value.is_const(b) and type(b.value)
    if wanted == 'number' or wanted == 'string' or wanted == 'boolean' then return gives(a, b.value) end
    refuse('comparing what a look-up gives with something of the event; with a fixed value will do')
  end
  if a.is == 'found' or b.is == 'found' then
    local v, other = a.is == 'found' and a or b, a.is == 'found' and b or a
    if v.place and v.place == 'number' and value.is_const(other) then
      if type(other.value) ~= 'number' then return false end
      if other.value == 1 then return text_at(v.field, 0, v.bytes, v.ends) end
      refuse('where a text was found, other than at 1; sub() tells what is there')
    elseif v.place == 'string' and value.is_const(other, 'string') then
      if other.value ~= v.bytes then return false end
      return found_test(v)
    end
    refuse('what find() and match() give; only whether there is something')
  end
  if a.is == 'chain' or b.is == 'chain' then undecided() end
  if a.is == 'coded' or b.is == 'coded' then
    refuse('a name that only the worker can read; ask other fields first')
  end
  if value.is_const(b, 'string') then return equals_string(a, b.value) end
  if a.is == 'bool' and value.is_const(b, 'boolean') then
    local set = condition.truth(a)
    return b.value and set or condition.negated(set)
  end
  if a.is == 'bool' and b.is == 'bool' then
    return compare('eq', named.raw(a.field), named.raw(b.field), false)
  end
  if a.is == b.is and (a.is == 'text' or a.is == 'address') then -- each address reads in one way
    return { ask = 'same', field = a.field, other = b.field }
  end
  if a.is == 'name' and b.is == 'name' and a.field.type == b.field.type then
    return compare('eq', raw(a), raw(b), false)
  end
  if stringlike(a) and stringlike(b) then
    refuse('comparing these texts with each other; each with a fixed text will do')
  end
  if a.is == 'array' and b.is == 'array' then refuse('comparing arrays; compare their places') end
  return false -- of different types
end

--- Is the value neither nil nor false?
function condition.truth(v)
  if v.is == 'const' then return v.value ~= nil and v.value ~= false end
  if v.is == 'bool' then
    return condition.negated(compare('eq', named.raw(v.field), const(0), false))
  end
  if v.is == 'element' then return v.test(is_true) end
  return present(v)
end

--- May it be false?
function condition.may_be_false(v)
  for _, one in pairs(v.is == 'element' and v.table or {}) do if one == false then return true end end
  return false
end

return condition
