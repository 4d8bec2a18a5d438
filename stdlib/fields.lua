-- SPDX-License-Identifier: Apache-2.0
--- Fields: how a field of an event reads in Lua, by its kind and its type's name.
---
--- An event is a struct in the ring. What FFI reads as a plain Lua value stays a plain member
--- of it; everything else gets a getter here: text as a string, 64 bits as a number while that
--- is exact, enums and errors by name, addresses as people write them.

local ffi = require 'ffi'
local bit = require 'bit'
local constants = require 'moonprobe.constants'
local engine = require 'moonprobe.engine'
local stack = require 'moonprobe.stack'

local fields = {}

ffi.cdef [[ size_t strnlen(const char *text, size_t bytes); ]]

--- A function that fills a table on first use and so answers from it afterwards.
local function remembered(make)
  return setmetatable({}, { __index = function(cache, key)
    local value = make(key)
    cache[key] = value
    return value
  end })
end

local error_names = remembered(function(number)
  if number == 0 then return false end
  return engine.errno_name(number) or tostring(number)
end)

local signal_names = remembered(function(number)
  local name = engine.signal_name(number)
  return name and 'SIG' .. name or number >= 34 and number <= 64 and 'SIGRT' .. number
    or tostring(number)
end)

local syscall_names = remembered(function(number)
  return require('moonprobe.syscalls')[number] or tostring(number)
end)

local function device_id(number)
  return ('%d:%d'):format(bit.rshift(number, 20), bit.band(number, 0xfffff))
end

--- The name under /dev, or major:minor for a device that has none there.
local device_names = remembered(function(number)
  local id = device_id(number)
  local file = io.open('/sys/dev/block/' .. id .. '/uevent')
  local text = file and file:read('*a') or ''
  if file then file:close() end
  return text:match('DEVNAME=([^\n]+)') or id
end)

--- "127.0.0.1", "fe80::1" (RFC 5952).
local function address_text(bytes)
  local words, best_start, best_length = {}, nil, 1
  for i = 0, 7 do words[i] = bytes[2 * i] * 256 + bytes[2 * i + 1] end
  if words[0] + words[1] + words[2] + words[3] + words[4] == 0 and words[5] == 0xffff then
    return ('%d.%d.%d.%d'):format(bytes[12], bytes[13], bytes[14], bytes[15])
  end
  local start
  for i = 0, 8 do -- the longest run of zeros becomes ::
    if i < 8 and words[i] == 0 then
      start = start or i
      if i - start + 1 > best_length then best_start, best_length = start, i - start + 1 end
    else
      start = nil
    end
  end
  local text, i = '', 0
  while i < 8 do
    if i == best_start then
      text, i = text .. '::', i + best_length
    else
      if text ~= '' and text:sub(-1) ~= ':' then text = text .. ':' end
      text, i = text .. ('%x'):format(words[i]), i + 1
    end
  end
  return text
end

-- Addresses repeat: the text of each is made once, until there are too many.
local address_cache, address_count = {}, 0

local function address(bytes)
  local key = ffi.string(bytes, 16)
  local text = address_cache[key]
  if not text then
    if address_count == 10000 then address_cache, address_count = {}, 0 end
    text = address_text(bytes)
    address_cache[key] = text
    address_count = address_count + 1
  end
  return text
end

--- The same for what programs may choose as they like: it is forgotten when there is much of it.
local function remembered_some(make)
  local cache, count = {}, 0
  return function(number)
    local text = cache[number]
    if not text then
      if count == 10000 then cache, count = {}, 0 end
      text = make(number)
      cache[number], count = text, count + 1
    end
    return text
  end
end

--- O_RDWR|O_CLOEXEC: the names of a number's bits, as constants.lua has them.
local function flags_text(of, number)
  local parts, rest = {}, bit.tobit(number % 2 ^ 32)
  local value = of.values[bit.band(rest, of.mask)]
  if value ~= nil then
    if value then parts[1] = value end
    rest = bit.band(rest, bit.bnot(of.mask))
  end
  for _, one in ipairs(of.bits) do
    local bits = bit.tobit(one[2])
    if bit.band(rest, bits) == bits then
      parts[#parts + 1] = one[1]
      rest = bit.band(rest, bit.bnot(bits))
    end
  end
  local high = math.floor(number / 2 ^ 32)
  if high > 0 then
    parts[#parts + 1] = ('0x%x%s'):format(high, bit.tohex(rest)) -- arguments of 64 bits
  elseif rest ~= 0 then
    parts[#parts + 1] = '0x' .. bit.tohex(rest):gsub('^0+', '')
  end
  return #parts > 0 and table.concat(parts, '|') or of.none or '0'
end

local mode_text = remembered_some(function(number) return ('0%03o'):format(number) end)

--- By the name of a typedef or struct in moonprobe.bpf.h: raw value -> Lua value.
local by_type = {
  error_number = function(raw) return error_names[raw] or nil end,
  signal_number = function(raw) return raw ~= 0 and signal_names[raw] or nil end,
  syscall_number = function(raw) return syscall_names[raw] end,
  device_number = function(raw) return device_names[raw] end,
  ip_address = function(raw) return address(raw.bytes) end,
  kernel_stack = function(raw) return stack.of('kernel', tonumber(raw)) end,
  user_stack = function(raw) return stack.of('user', tonumber(raw)) end,
}

--- What they give, as LuaCATS says it.
local named_types = {
  error_number = 'string?',
  signal_number = 'string?',
  syscall_number = 'string',
  device_number = 'string',
  ip_address = 'string',
  kernel_stack = 'moonprobe.Stack',
  user_stack = 'moonprobe.Stack',
}

-- Those of the arguments of system calls. (Some have 64 bits.)
for name, of in pairs(constants.flags) do
  local text_of = remembered_some(function(number) return flags_text(of, number) end)
  by_type[name], named_types[name] = function(raw) return text_of(tonumber(raw)) end, 'string'
end
for name, of in pairs(constants.names) do
  local text_of = remembered_some(function(number) return of[number] or tostring(number) end)
  by_type[name], named_types[name] = function(raw) return text_of(tonumber(raw)) end, 'string'
end
by_type.mode_octal, named_types.mode_octal = function(raw) return mode_text(tonumber(raw)) end, 'string'

--- IO_READ, IO_WRITE -> 'read', 'write': the shared start up to its last underscore goes. Names that are
--- not constants' (of functions, in lower case) stay as they are.
---@param values { [integer]: string }
---@return { [integer]: string }
function fields.enum_names(values)
  local prefix
  for _, name in pairs(values) do
    if name:find '[^%u%d_]' then return values end
  end
  for _, name in pairs(values) do
    local start = name:match('^(.*_)') or ''
    while prefix and prefix:sub(1, #start) ~= start or false do
      start = start:sub(1, -2):match('^(.*_)') or ''
    end
    prefix = start
  end
  local names = {}
  for number, name in pairs(values) do names[number] = name:sub(#prefix + 1):lower() end
  return names
end

local function enum_getter(raw, values)
  local names = remembered(tostring)
  for number, name in pairs(fields.enum_names(values)) do names[number] = name end
  return function(event) return names[event[raw]] end
end

--- Text that says its own length has zero bytes inside: one after each part.
local function parts_getter(raw, length, bytes)
  return function(event)
    return (ffi.string(event[raw], math.min(event[length], bytes)):gsub('%z$', ''):gsub('%z', ' '))
  end
end

--- The same as a table of the parts.
---@param name string of the text field
---@param bytes integer its room
---@return fun(event: ffi.cdata*): string[]
function fields.list_getter(name, bytes)
  local raw, length = '_' .. name, name .. '_bytes'
  return function(event)
    local parts = {}
    local text = ffi.string(event[raw], math.min(event[length], bytes)):gsub('%z$', '')
    for part in (text .. '\0'):gmatch('(%Z*)%z') do parts[#parts + 1] = part end
    return parts
  end
end

local function text_getter(raw, bytes)
  return function(event)
    return ffi.string(event[raw], ffi.C.strnlen(event[raw], bytes))
  end
end

local exact = 2LL ^ 53LL

--- The member is declared signed: that conversion is one instruction.
local function unsigned_value(value)
  if value >= 0 and value <= exact then return tonumber(value) end
  return ffi.cast('uint64_t', value)
end

local function signed_value(value)
  if value >= -exact and value <= exact then return tonumber(value) end
  return value
end

local function unsigned_getter(raw)
  return function(event) return unsigned_value(event[raw]) end
end

local function signed_getter(raw)
  return function(event) return signed_value(event[raw]) end
end

local function array_getter(raw, field)
  local wide = field.element_bytes == 8 and (field.kind == 'u' and unsigned_value or signed_value)
  return function(event)
    local values, members = {}, event[raw]
    for i = 0, field.elements - 1 do
      values[i + 1] = wide and wide(members[i]) or members[i]
    end
    return values
  end
end

local integers = {
  u1 = 'uint8_t', u2 = 'uint16_t', u4 = 'uint32_t', u8 = 'int64_t',
  i1 = 'int8_t', i2 = 'int16_t', i4 = 'int32_t', i8 = 'int64_t', b1 = 'bool',
}

--- How one field is declared and read.
---@param field table as engine.schema gives it
---@param has fun(name: string): boolean does the event have this other field?
---@return string declaration of the member, for ffi.cdef
---@return fun(event: ffi.cdata*): any|nil getter nil when the member itself reads right
function fields.of(field, has)
  local raw = '_' .. field.name
  if field.kind == 'c' then
    local length = field.name .. '_bytes'
    return ('char %s[%d];'):format(raw, field.bytes),
      has(length) and parts_getter(raw, length, field.bytes) or text_getter(raw, field.bytes)
  elseif field.kind == 's' then
    local convert = by_type[field.type]
    if not convert then error('field ' .. field.name .. ': no reader for struct ' .. field.type, 0) end
    return ('struct { uint8_t bytes[%d]; } %s;'):format(field.bytes, raw),
      function(event) return convert(event[raw]) end
  end
  local ctype = integers[field.kind .. field.element_bytes]
  if field.elements > 0 then
    return ('%s %s[%d];'):format(ctype, raw, field.elements), array_getter(raw, field)
  elseif field.values then
    return ('%s %s;'):format(ctype, raw), enum_getter(raw, field.values)
  elseif by_type[field.type] then
    local convert = by_type[field.type]
    return ('%s %s;'):format(ctype, raw), function(event) return convert(event[raw]) end
  elseif field.element_bytes == 8 then
    return ('int64_t %s;'):format(raw), field.kind == 'u' and unsigned_getter(raw) or signed_getter(raw)
  end
  return ('%s %s;'):format(ctype, field.name), nil
end

--- The ctype of a field's number, or of each in an array.
---@param field table as engine.schema gives it
---@return string
function fields.ctype_of(field) return integers[field.kind .. field.element_bytes] end

--- What a field gives, as a LuaCATS type.
---@param field table as engine.schema gives it
---@return string
function fields.type_of(field)
  if field.kind == 'c' then return 'string' end
  if field.elements > 0 then return 'integer[]' end
  if field.values then
    local numbers, literals, names = {}, {}, fields.enum_names(field.values)
    for number in pairs(names) do numbers[#numbers + 1] = number end
    table.sort(numbers)
    for i, number in ipairs(numbers) do literals[i] = ("'%s'"):format(names[number]) end
    return table.concat(literals, '|')
  end
  return named_types[field.type] or field.kind == 'b' and 'boolean' or 'integer'
end

--- 64 bits, given as int64_t, as a script reads them.
fields.unsigned_value, fields.signed_value = unsigned_value, signed_value
--- Does a type's value read as something else than a number?
fields.is_converted = function(type_name) return by_type[type_name] ~= nil end
--- Of a stack's type: whose it is.
---@return 'kernel'|'user'|nil
fields.stack_kind = function(type_name) return type_name:match '^(%l+)_stack$' end
--- The text of an address of 16 bytes.
---@param bytes string
---@return string
fields.address_text = function(bytes) return address_text(ffi.cast('const uint8_t *', bytes)) end
--- ENOENT for 2; nil for 0, a number nobody named as text.
---@param number integer
---@return string|nil
fields.error_name = function(number) return error_names[number] or nil end
--- SIGKILL for 9.
---@param number integer
---@return string
fields.signal_name = function(number) return signal_names[number] end
--- What one of constants.names calls a number.
---@param type_name string
---@param number integer
---@return string
fields.constant_name = function(type_name, number) return by_type[type_name](number) end
--- Names a device, whatever this machine calls it.
fields.name_device = function(number, name) device_names[number] = name end
--- openat for 257, as this architecture has them.
---@param number integer
---@return string
fields.syscall_name = function(number) return syscall_names[number] end
fields.device_name = function(number) return device_names[number] end

--- From now on names of numbers are those of another machine: what is not remembered has none.
function fields.forget_names()
  stack.forget()
  for _, names in pairs { device_names, syscall_names } do
    for number in pairs(names) do names[number] = nil end
  end
  getmetatable(device_names).__index = function(_, number) return device_id(number) end
  getmetatable(syscall_names).__index = function(_, number) return tostring(number) end
end

--- Kinds that are not known, of a later version, are passed over.
---@param kind 'device'|'syscall'|'kernelstack'|'userstack'
function fields.remember(kind, number, name)
  local of_stack = kind:match '^(%l+)stack$'
  if kind == 'device' then
    device_names[number] = name
  elseif kind == 'syscall' then
    syscall_names[number] = name
  elseif of_stack == 'kernel' or of_stack == 'user' then
    stack.unpack(of_stack, number, name)
  end
end

return fields
