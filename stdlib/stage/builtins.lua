-- SPDX-License-Identifier: Apache-2.0
--- Builtins: functions of the Lua library and of Moonprobe that are translated. To add one, add a
--- case: from the values of its arguments to the value of its result.

local bit = require 'bit'
local arithmetic = require 'moonprobe.stage.arithmetic'
local condition = require 'moonprobe.stage.condition'
local network = require 'moonprobe.network'
local value = require 'moonprobe.stage.value'

jit.off(true, true) -- of this file: see assembler.lua

local const, refuse, undecided = value.const, value.refuse, value.undecided

local builtins = {} -- [function] = function(arguments) -> value, and a second one

--- A choice by a test that may be known already.
local function choice(test, yes, no)
  if test == true then return yes elseif test == false then return no end
  return value.choice(test, yes, no)
end

local function constant(v, of_type, what)
  if not v or value.is_const(v, 'nil') then return nil end
  if not value.is_const(v, of_type) then refuse('%s that is not constant; a fixed one will do', what) end
  return v.value
end

--- Calls the function itself when everything is constant.
local function fold(fn, arguments)
  local values = {}
  for i, v in ipairs(arguments) do
    if v.is ~= 'const' then return nil end
    values[i] = v.value
  end
  local ok, result, second, third = pcall(fn, unpack(values, 1, #arguments))
  if not ok then undecided() end
  if third ~= nil then refuse('a third result of a function; ask for one or two') end
  return const(result), second ~= nil and const(second) or nil
end

local function text_of(v, method)
  if not v then undecided() end
  if v.is == 'text' then return v.field end
  if v.is == 'name' or v.is == 'address' or v.is == 'piece' then
    refuse('%s() of this text; compare it whole, or look it up in a table', method)
  end
  if v.is == 'const' and type(v.value) ~= 'string' and type(v.value) ~= 'number' then undecided() end
  refuse('%s() of this value; of a text field will do', method)
end

builtins[string.sub] = function(arguments)
  local folded = fold(string.sub, arguments)
  if folded then return folded end
  local field = text_of(arguments[1], 'sub')
  local from = constant(arguments[2], 'number', 'a start of sub()')
  local to = constant(arguments[3], 'number', 'an end of sub()') or -1
  if not from then undecided() end
  if not value.is_integer(from) or not value.is_integer(to) then refuse('sub() at fractions; integers will do') end
  if from == 0 then from = 1 end
  if from < 0 and to == -1 then return value.part('piece', { field = field, from = from, to = -1 }) end
  if from < 0 then refuse('sub() from the end, but not to it; sub(-n) will do') end
  if to == -1 then
    if from == 1 then return arguments[1] end
    return value.part('piece', { field = field, from = from, to = math.max(field.bytes, from) })
  end
  if to < 0 then refuse('sub() to a place counted from the end; count it from the start') end
  if to < from then return const('') end
  return value.part('piece', { field = field, from = from, to = to })
end

builtins[string.len] = function(arguments)
  return fold(string.len, arguments) or builtins.length(arguments[1])
end

builtins[string.byte] = function(arguments)
  local folded = #arguments < 3 and fold(string.byte, arguments)
  if folded then return folded end
  local field = text_of(arguments[1], 'byte')
  local at = constant(arguments[2], 'number', 'a place of byte()') or 1
  if arguments[3] or at < 1 or at ~= math.floor(at) then
    refuse('byte() of more than one place; ask for each')
  end
  if at > field.bytes then return const(nil) end
  local byte = value.int('field', 0, 255, { a = field, at = at - 1 })
  return choice(condition.equal(byte, const(0)), const(nil), byte)
end

local MAGIC = '[%^%$%(%)%%%.%[%]%*%+%-%?]'

--- find() and match(): of plain text, or of a pattern that is plain but for ^, $ and %. `place`: what
--- kind of a value the result is; nil: one of which only is known whether it is there.
local function search(arguments, plain, place)
  local v = arguments[1]
  local field = text_of(v, 'find')
  local bytes = constant(arguments[2], 'string', 'a text to find')
  if not bytes then undecided() end
  local from = constant(arguments[3], 'number', 'a start of find()')
  if from and from ~= 1 then refuse('find() from another place than 1; leave the place out') end
  local starts, ends = false, false
  if not plain then
    local escapes = bytes:match('(%%*)%$$')
    starts, ends = bytes:sub(1, 1) == '^', escapes ~= nil and #escapes % 2 == 0
    bytes = bytes:sub(starts and 2 or 1, ends and -2 or -1)
    if bytes:gsub('%%%p', ''):find(MAGIC) then refuse('patterns; plain text, and ^ and $ at its ends, will do') end
    bytes = bytes:gsub('%%(%p)', '%1')
  end
  return value.part('found', { field = field, bytes = bytes, starts = starts, ends = ends, place = place, at = place })
end

builtins[string.find] = function(arguments)
  local folded, second = fold(string.find, { unpack(arguments, 1, 4) })
  if folded then return folded, second end
  local plain = arguments[4] and condition.truth(arguments[4]) or false
  if type(plain) ~= 'boolean' then refuse('find() that is plain or not by the event; write true or leave it out') end
  return search(arguments, plain, 'number'), search(arguments, plain, nil)
end

builtins[string.match] = function(arguments)
  local folded, second = fold(string.match, { unpack(arguments, 1, 3) })
  if folded then return folded, second end
  return search(arguments, false, 'string')
end

--- #v
function builtins.length(v)
  if value.is_const(v, 'string') then return const(#v.value) end
  if v.is == 'text' then return value.int('length', 0, v.field.bytes, { a = v.field }) end
  if v.is == 'array' then return const(v.field.elements) end
  if v.is == 'name' or v.is == 'address' or v.is == 'piece' or v.is == 'element' then
    refuse('the length of this value; that of a text field will do')
  end
  undecided()
end

--- What a function of math makes of one number. 64-bit cdata is an error to it, so whether the
--- value is a number is asked even when the result is not used.
local function of_number(v, result)
  if v.is == 'wide' then v = arithmetic.integer(v) end
  return choice(condition.known(true, v), result, result)
end

builtins[math.floor] = function(arguments)
  if not arguments[1] then undecided() end
  return of_number(arguments[1], arithmetic.floor(arguments[1]))
end

builtins[math.ceil] = function(arguments)
  if not arguments[1] then undecided() end
  if value.is_const(arguments[1], 'number') then return const(math.ceil(arguments[1].value)) end
  local v = arguments[1]
  if v.is ~= 'ratio' then return of_number(v, arithmetic.integer(v)) end
  return of_number(v, arithmetic.negate(arithmetic.floor(arithmetic.negate(v))))
end

builtins[math.abs] = function(arguments)
  local folded = fold(math.abs, { arguments[1] })
  if folded and arguments[1] then return folded end
  local v = arithmetic.integer(arguments[1] or const(nil))
  return choice(condition.less('lt', v, const(0)), arithmetic.negate(v), v)
end

local function extreme(fn, takes_second)
  builtins[fn] = function(arguments)
    local folded = #arguments > 0 and fold(fn, arguments)
    if folded then return folded end
    if #arguments == 0 then undecided() end
    if #arguments > 2 then refuse('math.min and math.max of more than two; nest them') end
    local a = arithmetic.integer(arguments[1])
    if not arguments[2] then return of_number(a, a) end
    local b = arithmetic.integer(arguments[2])
    return choice(takes_second(a, b), b, a)
  end
end
extreme(math.max, function(a, b) return condition.less('lt', a, b) end)
extreme(math.min, function(a, b) return condition.less('lt', b, a) end)

for _, name in ipairs { 'band', 'bor', 'bxor', 'bnot', 'bswap', 'lshift', 'rshift', 'arshift', 'rol', 'ror',
  'tobit' } do
  builtins[bit[name]] = function(arguments) return arithmetic.bits(name, arguments) end
end

builtins[tonumber] = function(arguments)
  local v = arguments[1]
  if not v or arguments[2] then refuse('tonumber() in another base; leave the base out') end
  if v.is == 'int' or v.is == 'ratio' or value.is_const(v, 'number') then return v end
  if v.is == 'wide' then return arithmetic.integer(v) end
  refuse('tonumber() of text; compare the text')
end

--- Their arguments behind the first are constant: live numbers are built in.
builtins.takes_constants = { [string.sub] = true, [string.byte] = true, [string.find] = true,
  [string.match] = true, [bit.lshift] = true, [bit.rshift] = true, [bit.arshift] = true, [bit.rol] = true,
  [bit.ror] = true }

--- A function made by mp.network(); nil when it is none.
function builtins.network(fn)
  local networks = network.of(fn)
  return networks and function(arguments)
    local v = arguments[1]
    if not v or v.is ~= 'address' then
      if v and value.is_const(v) then return const(fn(v.value) and true or false) end
      refuse('a network of something that is not an address; ask for a field with one')
    end
    return choice({ ask = 'networks', field = v.field, networks = networks }, const(true), const(false))
  end
end

return builtins
