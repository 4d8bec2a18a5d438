-- SPDX-License-Identifier: Apache-2.0
--- Event: a probe's event made of Lua values, as scripts read them; the way back of fields.lua.
---
---   event.new(schema.of 'tcp_close', { daddr = '10.0.0.1', error = 'ECONNRESET', rtt_us = 7 })
---
--- What is not given is 0. A field or value that cannot be is an error that says what could.

local ffi = require 'ffi'
local bit = require 'bit'
local blame = require 'moonprobe.blame'
local fields = require 'moonprobe.fields'
local named = require 'moonprobe.stage.named'
local nearest = require 'moonprobe.nearest'
local schema = require 'moonprobe.schema'
local stack = require 'moonprobe.stack'
local show = require 'moonprobe.testing.show'
local typed_path = require 'moonprobe.typed_path'

local event = {}

local EXACT = 2 ^ 53

local function refuse(self, field, value, expected)
  blame('%s: %s = %s: %s', self.name, field.name, show(value), expected)
end

local function is_wide(value)
  return type(value) == 'cdata' and (ffi.istype('uint64_t', value) or ffi.istype('int64_t', value))
end

--- Integers of 8 bytes: beyond 2^53 as 64-bit cdata only, so that none is rounded.
local function wide_integer(self, field, value)
  local unsigned = field.kind == 'u'
  if is_wide(value) then
    local negative = ffi.istype('int64_t', value) and value < 0
    local too_large = ffi.istype('uint64_t', value) and value > 0x7fffffffffffffffULL
    if negative and unsigned or too_large and not unsigned then
      refuse(self, field, value, unsigned and 'not negative' or 'at most 2^63-1')
    end
    return ffi.cast('int64_t', value)
  end
  if type(value) ~= 'number' or value ~= math.floor(value) or unsigned and value < 0 then
    refuse(self, field, value, unsigned and 'an integer from 0' or 'an integer')
  elseif math.abs(value) > EXACT then
    refuse(self, field, value, 'beyond 2^53 write it as 9007199254740993' .. (unsigned and 'ULL' or 'LL'))
  end
  return value
end

local function integer(self, field, value)
  if field.kind == 'b' then
    if type(value) == 'boolean' then return value end
    if value == 0 or value == 1 then return value == 1 end
    refuse(self, field, value, 'true or false')
  end
  if field.element_bytes == 8 then return wide_integer(self, field, value) end
  if is_wide(value) then value = tonumber(value) end
  local most = 2 ^ (8 * field.element_bytes - (field.kind == 'i' and 1 or 0))
  local least = field.kind == 'i' and -most or 0
  if type(value) ~= 'number' or value ~= math.floor(value) or value < least or value >= most then
    refuse(self, field, value, ('an integer from %.0f to %.0f'):format(least, most - 1))
  end
  return value
end

--- Enums, errors, signals, system calls: by name, or the number itself.
local function by_name(self, field, value)
  if value == false and named.may_be_nil(field) then return 0 end
  if type(value) ~= 'string' then return integer(self, field, value) end
  local number = named.numbers(field, value)[1]
  if number then return number end
  local names = named.names(field)
  local near = nearest(value, names)
  refuse(self, field, value, near and ("did you mean '%s'?"):format(near)
    or #names <= 12 and 'one of ' .. table.concat(names, ', ') or 'no such name')
end

local devices, device_count = {}, 0

--- Any text is a device's name: what it reads as must not depend on the machine.
local function device(self, field, value)
  if type(value) ~= 'string' then return integer(self, field, value) end
  if not devices[value] then
    local major, minor = value:match('^(%d+):(%d+)$')
    device_count = device_count + 1
    devices[value] = major and bit.bor(bit.lshift(tonumber(major), 20), tonumber(minor)) or 0xfff00000 + device_count
    fields.name_device(devices[value], value)
  end
  return devices[value]
end

--- Where a field is in an event: as its text's bytes, or as its numbers.
local function place_of(to, field)
  return ffi.cast(fields.ctype_of(field) and fields.ctype_of(field) .. ' *' or 'uint8_t *',
    ffi.cast('uint8_t *', to) + field.offset)
end

local function put_text(self, to, field, value)
  if type(value) ~= 'string' then refuse(self, field, value, 'text') end
  if #value > field.bytes then refuse(self, field, value, ('%d bytes fit'):format(field.bytes)) end
  if value:find('%z') then refuse(self, field, value, 'text ends at a zero byte') end
  ffi.copy(place_of(to, field), value, #value)
end

--- Text of several parts: a zero byte after each; its length is a field of its own.
local function put_parts(self, to, field, value, length)
  local parts = type(value) == 'table' and value or { value }
  for _, part in ipairs(parts) do
    if type(part) ~= 'string' then refuse(self, field, value, 'text, or a list of texts') end
  end
  local bytes = table.concat(parts, '\0') .. (#parts > 0 and '\0' or '')
  if #bytes > field.bytes then
    refuse(self, field, value, ('%d bytes fit, a zero byte after each included'):format(field.bytes))
  end
  ffi.copy(place_of(to, field), bytes, #bytes)
  place_of(to, length)[0] = #bytes
end

local function put_address(self, to, field, value)
  local bytes = type(value) == 'string' and named.parse_address(value)
  if not bytes then refuse(self, field, value, "an address like '10.0.0.1' or 'fe80::1'") end
  ffi.copy(place_of(to, field), bytes, 16)
end

--- A stack by the names of its functions, the innermost first.
local function put_stack(self, to, field, value)
  if type(value) ~= 'table' then
    place_of(to, field)[0] = integer(self, field, value)
    return
  end
  for _, name in ipairs(value) do
    if type(name) ~= 'string' then refuse(self, field, value, 'a list of names of functions') end
  end
  place_of(to, field)[0] = stack.invent(fields.stack_kind(field.type), value)
end

local function put_array(self, to, field, value)
  if type(value) ~= 'table' or #value > field.elements then
    refuse(self, field, value, ('a list of at most %d numbers'):format(field.elements))
  end
  for i, one in ipairs(value) do place_of(to, field)[i - 1] = integer(self, field, one) end
end

local function put(self, to, field, value, by_field)
  if field.kind == 'c' then
    local length = by_field[field.name .. '_bytes']
    if length then
      put_parts(self, to, field, value, length)
    else
      put_text(self, to, field, value)
    end
  elseif field.kind == 's' then
    put_address(self, to, field, value)
  elseif fields.stack_kind(field.type) then
    put_stack(self, to, field, value)
  elseif field.elements > 0 then
    put_array(self, to, field, value)
  else
    local convert = field.type == 'device_number' and device or named.is(field) and by_name or integer
    place_of(to, field)[0] = convert(self, field, value)
  end
end

--- What a script cannot be given: it is made from other fields.
local made_of = { time = 'time_ns', sequence = 'the order of events' }

--- Tables within tables, as a generic probe's events are read, as values by their paths.
local function flat(self, values, above, into)
  into = into or {}
  for name, value in pairs(values) do
    local key = type(name) == 'number' and name or tostring(name)
    local path = above and typed_path.longer(above, key) or typed_path.canonical(key)
    if above and not self.readable[path] and not self.typed.nodes[path] then
      local known = {}
      for leaf in pairs(self.typed.leaves) do known[#known + 1] = leaf end
      table.sort(known)
      local near = nearest(path, known)
      blame("%s: the script reads no '%s'%s", self.name, path, near and ("; did you mean '%s'?"):format(near)
        or '; it reads ' .. table.concat(known, ', '))
    end
    if type(value) == 'table' and not self.readable[path] then
      flat(self, value, path, into)
    else
      into[path] = value
    end
  end
  return into
end

---@param self table a schema
---@param values table [field] = value; of a generic probe also tables in tables: { args = { fd = 3 } }
---@return ffi.cdata* of the probe's struct
function event.new(self, values)
  if type(values) ~= 'table' then blame('%s: an event is a table of fields', self.name) end
  local made, by_field, given = ffi.new(self.struct), {}, {}
  for _, field in ipairs(self.fields) do by_field[field.name] = field end
  values = self.typed and flat(self, values) or values
  for name in pairs(values) do
    local member = self.readable[name]
    if made_of[name] and member then blame('%s: %s is made of %s', self.name, name, made_of[name]) end
    if not member then blame(schema.unknown_field(self, name)) end
    given[#given + 1] = name
  end
  table.sort(given) -- NAME_bytes after NAME: what is said wins over what was counted
  for _, name in ipairs(given) do
    put(self, made, by_field[self.readable[name]], values[name], by_field)
  end
  return made
end

return event
