-- SPDX-License-Identifier: Apache-2.0
--- Reading: what v[key] is: fields of the event, elements of arrays, constants in tables, and whether
--- a table has a field's value.

local ffi = require 'ffi'
local condition = require 'moonprobe.stage.condition'
local fields = require 'moonprobe.fields'
local named = require 'moonprobe.stage.named'
local typed_path = require 'moonprobe.typed_path'
local value = require 'moonprobe.stage.value'

jit.off(true, true) -- of this file: see assembler.lua

local const, refuse, undecided = value.const, value.refuse, value.undecided

local FEW = 8 -- so many numbers are compared one by one; more go into a map

local reading = {}

local function field_of(schema, name)
  for _, field in ipairs(schema.fields) do
    if field.name == name then return field end
  end
end

local LATER = { stamp = true, slot = true, generation = true, sequence = true }

--- A field of the event as a value.
local function read_field(walk, name)
  local schema = walk.schema
  if LATER[name] then refuse('%s: records are numbered after the filters; read it in each()', name) end
  local field = type(name) == 'string' and field_of(schema, name)
  if not field then
    local from = type(name) == 'string' and schema.readable[name]
    if not from then undecided() end
    refuse('%s, which is made from %s in the worker; ask %s', name, from, from)
  end
  walk.fields[name] = true
  if name == 'cpu' then return value.int('cpu', 0, 65535, {}) end
  if field.kind == 'c' then
    if field_of(schema, name .. '_bytes') then
      refuse('%s, which is made of parts in the worker; ask other fields first', name)
    end
    return value.part('text', { field = field })
  elseif field.kind == 's' then
    if field.type ~= 'ip_address' then refuse('%s, a %s; ask other fields first', name, field.type) end
    return value.part('address', { field = field })
  elseif field.elements > 0 then
    return value.part('array', { field = field })
  elseif named.is(field) then
    return value.part('name', { field = field })
  elseif fields.is_converted(field.type) then
    return value.part('coded', { field = field })
  elseif field.kind == 'b' then
    return value.part('bool', { field = field })
  end
  return named.raw(field)
end

--- A member of a generic probe's event, by its path: a field, or more members.
local function chain(walk, path)
  local typed = walk.schema.typed
  if not typed or type(path) ~= 'string' then return nil end
  path = typed_path.canonical(path) -- as a field of the event, it may be written otherwise
  if typed.leaves[path] then return read_field(walk, path) end
  return typed.nodes[path] and value.part('chain', { path = path }) or nil
end

local function element_of(v, key)
  if not value.is_const(key) then refuse('an array at a place that is not constant; a fixed one will do') end
  local at, field = key.value, v.field
  if type(at) ~= 'number' or at ~= math.floor(at) or at < 1 or at > field.elements then return const(nil) end
  if field.kind == 'b' then refuse('an array of flags; ask other fields') end
  return named.raw(field, at - 1)
end

-- Sets: keys of a table, as bytes in a map.

local function int64_bytes(number) return ffi.string(ffi.new('int64_t[1]', number), 8) end

local function padded(text, bytes)
  if #text > bytes or text:find('\0', 1, true) then return nil end
  return text .. ('\0'):rep(bytes - #text)
end

--- The keys' bytes in the record; nil for a key that no field can have.
local function key_bytes(v, key)
  if v.is == 'text' and type(key) == 'string' then return padded(key, v.field.bytes) end
  if v.is == 'address' and type(key) == 'string' then return named.address_bytes(key) end
  return nil
end

local function numbers_of(v, of, has)
  local numbers, seen = {}, {}
  local function add(number)
    if not seen[number] then numbers[#numbers + 1], seen[number] = number, true end
  end
  for key, there in pairs(of) do
    local one = has(there)
    if one and v.is == 'name' and type(key) == 'string' then
      for _, number in ipairs(named.numbers(v.field, key)) do add(number) end
    elseif one and v.is ~= 'name' and value.is_integer(key) and (key >= 0 or v.is ~= 'wide' or v.signed) then
      add(key)
    end
  end
  table.sort(numbers)
  return numbers
end

local function in_set(v, bytes, keys)
  table.sort(keys)
  return { ask = 'in_set', key = v, bytes = bytes, keys = keys }
end

--- Is what a table has for this key of the event one of those that `has` names? A test, or known.
---@param has fun(value): boolean
local function membership(of, v, has)
  if v.is == 'int' or v.is == 'wide' or v.is == 'name' then
    local numbers = numbers_of(v, of, has)
    local raw = v.is == 'name' and named.raw(v.field) or v
    if #numbers <= FEW then return condition.member(raw, numbers) end
    local keys = {}
    for i, number in ipairs(numbers) do keys[i] = int64_bytes(number) end
    return in_set(raw, 8, keys)
  end
  local keys, bytes = {}, v.field.bytes
  for key, there in pairs(of) do
    local one = has(there) and key_bytes(v, key)
    if one then keys[#keys + 1] = one end
  end
  if #keys == 0 then return false end
  return in_set(v, bytes, keys)
end

local can_be_key = { int = true, wide = true, name = true, text = true, address = true }

local function look_up(walk, of, key)
  walk.live:check(of)
  if getmetatable(of) then refuse('a table with a metatable; a plain one will do') end
  if not can_be_key[key.is] then
    refuse('a look-up by this value; by a number, a text field or an address will do')
  end
  walk.live:watch_table(of)
  return value.part('element', { table = of, key = key, test = function(has) return membership(of, key, has) end })
end

--- v[key].
---@param walk table the translation at hand: schema, live, fields
function reading.index(walk, v, key)
  if key.is == 'int' and key.op == 'live' then key = walk.live:built_in(key) end
  if v == value.event then
    if not value.is_const(key) then refuse('a field whose name is not constant; name it') end
    return chain(walk, key.value) or read_field(walk, key.value)
  elseif v.is == 'chain' then
    if not value.is_const(key, 'string') and not (value.is_const(key) and value.is_integer(key.value)) then
      refuse('a member whose name is not constant; name it')
    end
    return chain(walk, typed_path.longer(v.path, key.value)) or undecided()
  elseif v.is == 'array' then
    return element_of(v, key)
  elseif value.is_const(v, 'table') then
    if not value.is_const(key) then return look_up(walk, v.value, key) end
    return walk.live:index(v.value, key.value)
  elseif v.is == 'text' or v.is == 'piece' or v.is == 'address' or v.is == 'found'
    or v.is == 'name' or value.is_const(v, 'string') then
    if v.is == 'name' or v.is == 'found' or v.is == 'piece' then
      refuse('methods of this text; compare it whole, or look it up in a table')
    end
    if not value.is_const(key) then refuse('a method whose name is not constant; name it') end
    return const(string[key.value])
  elseif v.is == 'coded' then
    refuse('a name that only the worker can read; ask other fields first')
  elseif v.is == 'element' then
    refuse('what a look-up gives; only whether there is something')
  end
  undecided()
end

return reading
