-- SPDX-License-Identifier: Apache-2.0
--- Events: layouts with a field of every kind, and random events with the values that matter.
---
--- A layout is the schema of a probe that does not exist, read by the stdlib as any other. All
--- have the same fields, in another order each, so that nothing is right by its place only.

local ffi = require 'ffi'
local bit = require 'bit'
local stdlib = require 'stdlib'

local events = {}

ffi.cdef 'int inet_pton(int family, const char *text, void *bytes);'

local function number(name, kind, bytes, type_name, values)
  return { name = name, kind = kind, bytes = bytes, element_bytes = bytes, elements = 0, type = type_name or '',
    values = values }
end

local function list(name, kind, bytes, elements)
  return { name = name, kind = kind, bytes = bytes * elements, element_bytes = bytes, elements = elements, type = '' }
end

local function text(name, bytes)
  return { name = name, kind = 'c', bytes = bytes, element_bytes = 1, elements = 0, type = '' }
end

local function address(name)
  return { name = name, kind = 's', bytes = 16, element_bytes = 16, elements = 0, type = 'ip_address' }
end

local IO = { [0] = 'IO_READ', 'IO_WRITE', 'IO_WRITE_ZEROES' }
local STATE = { 'TCP_ESTABLISHED', 'TCP_SYN_SENT', [7] = 'TCP_CLOSE', [11] = 'TCP_LISTEN' }

local function members()
  return {
    number('time_ns', 'u', 8), number('pid', 'u', 4), number('uid', 'u', 4), text('comm', 16),
    number('u8', 'u', 1), number('u16', 'u', 2), number('u32', 'u', 4), number('u64', 'u', 8),
    number('s8', 'i', 1), number('s16', 'i', 2), number('s32', 'i', 4), number('s64', 'i', 8),
    number('dport', 'u', 2), number('bytes', 'u', 8), number('result', 'i', 8, 'syscall_result'),
    number('flags', 'u', 4, 'open_flags'), number('failed', 'b', 1), number('last', 'b', 1),
    number('io', 'u', 4, 'io', IO), number('state', 'u', 4, 'tcp_state', STATE),
    number('error', 'i', 4, 'error_number'), number('signal', 'u', 4, 'signal_number'),
    number('syscall', 'u', 4, 'syscall_number'), number('device', 'u', 4, 'device_number'),
    address 'saddr', address 'daddr', text('file', 64), text('odd', 7), text('argv', 24), number('argv_bytes', 'u', 4),
    list('args', 'u', 8, 6), list('longs', 'i', 8, 2), list('ints', 'i', 4, 3), list('shorts', 'u', 2, 4),
  }
end

--- What kinds of fields there are, for who writes functions that read them.
events.fields = {
  small = { 'pid', 'uid', 'u8', 'u16', 'u32', 's8', 's16', 's32', 'dport', 'flags' },
  wide = { 'u64', 's64', 'bytes', 'result', 'time_ns' },
  flag = { 'failed', 'last' },
  text = { 'comm', 'file', 'odd' },
  listed = { 'argv' },
  enum = { 'io', 'state' },
  named = { 'error', 'signal', 'syscall' },
  device = { 'device' },
  address = { 'saddr', 'daddr' },
  array = { 'args', 'longs', 'ints', 'shorts' },
}

local HEADER = { 'sequence', 'stamp', 'cpu', 'probe', 'slot', 'generation' }

local function align(offset, to) return math.ceil(offset / to) * to end

local random = math.random

--- The schema of a layout: [1] is in the order above, others are shuffled by their number.
---@param index integer
---@return table schema with bytes, fields, pointer, and at = { [name] = field }
function events.layout(index)
  local schema = require 'moonprobe.schema' -- declares the header
  local name = 'differential_' .. index
  if stdlib.schemas[name] then return stdlib.schemas[name] end
  local fields = {}
  for _, field in ipairs(HEADER) do
    local known, at = pcall(ffi.offsetof, 'struct event_header', field)
    if known and at then
      local bytes = ffi.sizeof(ffi.new('struct event_header')) - at
      fields[#fields + 1] = number(field, 'u', bytes)
      fields[#fields].offset = at
    end
  end
  table.sort(fields, function(a, b) return a.offset < b.offset end)
  for i, field in ipairs(fields) do
    local following = fields[i + 1] and fields[i + 1].offset or ffi.sizeof('struct event_header')
    field.bytes = following - field.offset
    field.element_bytes = field.bytes
  end
  local offset = ffi.sizeof('struct event_header')
  local own = members()
  if index > 1 then
    math.randomseed(index)
    for i = #own, 2, -1 do
      local other = math.random(i)
      own[i], own[other] = own[other], own[i]
    end
  end
  local most = 4 -- the alignment of the header
  for _, field in ipairs(own) do
    local one = field.kind == 's' and 1 or field.element_bytes
    most = math.max(most, one)
    field.offset = align(offset, one)
    offset = field.offset + field.bytes
    fields[#fields + 1] = field
  end
  local self = { name = name, about = 'A test.', blind = 'All.', bytes = align(offset, most), fields = fields,
    knobs = {} }
  stdlib.schemas[name] = self
  self = assert(schema.of(name))
  self.at = {}
  math.randomseed(index)
  for _, field in ipairs(self.fields) do
    field.late = field.name == 'comm' or field.name == 'time_ns' or index > 1 and random(2) == 1
      and field.offset >= ffi.sizeof('struct event_header')
    self.at[field.name] = field
  end
  return self
end

-- Values.

local CTYPES = { u1 = 'uint8_t', u2 = 'uint16_t', u4 = 'uint32_t', u8 = 'uint64_t', b1 = 'uint8_t',
  i1 = 'int8_t', i2 = 'int16_t', i4 = 'int32_t', i8 = 'int64_t' }
local pointers = {}
for key, ctype in pairs(CTYPES) do pointers[key] = ffi.typeof(ctype .. ' *') end

local function hex_bytes(hex)
  return (hex:gsub('..', function(digits) return string.char(tonumber(digits, 16)) end))
end

--- '10.0.0.1' -> 32 hex digits; nil when it is no address.
function events.address(as_text)
  local bytes, family = ffi.new('uint8_t[16]'), as_text:find(':', 1, true) and 10 or 2
  local at = bytes
  if family == 2 then bytes[10], bytes[11], at = 255, 255, bytes + 12 end
  if ffi.C.inet_pton(family, as_text, at) ~= 1 then return nil end
  return (ffi.string(bytes, 16):gsub('.', function(byte) return ('%02x'):format(byte:byte()) end))
end

--- Writes a value into an event: integers as numbers or 64-bit cdata, text as it is, addresses
--- as 32 hex digits, arrays as tables.
function events.put(base, field, value)
  local at = base + field.offset
  if field.kind == 'c' then
    ffi.fill(at, field.bytes)
    ffi.copy(at, value, math.min(#value, field.bytes))
  elseif field.kind == 's' then
    ffi.copy(at, hex_bytes(value), 16)
  elseif field.elements > 0 then
    local pointer = ffi.cast(pointers[field.kind .. field.element_bytes], at)
    for i = 1, field.elements do pointer[i - 1] = ffi.cast('int64_t', value[i] or 0) end
  elseif field.kind == 'b' then
    at[0] = (value == true or value == 1) and 1 or 0
  else
    ffi.cast(pointers[field.kind .. field.element_bytes], at)[0] = ffi.cast('int64_t', value)
  end
end

--- What is in an event, as put() takes it.
function events.get(base, field)
  local at = base + field.offset
  if field.kind == 'c' then
    return (ffi.string(at, field.bytes):gsub('%z+$', ''))
  elseif field.kind == 's' then
    return (ffi.string(at, 16):gsub('.', function(byte) return ('%02x'):format(byte:byte()) end))
  elseif field.elements > 0 then
    local values, pointer = {}, ffi.cast(pointers[field.kind .. field.element_bytes], at)
    for i = 1, field.elements do values[i] = pointer[i - 1] end
    return values
  elseif field.kind == 'b' then
    return at[0] ~= 0
  end
  return ffi.cast(pointers[field.kind .. field.element_bytes], at)[0]
end

--- Is it what a zeroed event has?
function events.is_zero(base, field)
  for i = field.offset, field.offset + field.bytes - 1 do if base[i] ~= 0 then return false end end
  return true
end

-- Random values.

local function one_of(values) return values[random(#values)] end

local EDGES = { 0LL, 1LL, -1LL, 2LL, 3LL, 7LL, 8LL, 10LL, 64LL,
  100LL, 127LL, 128LL, 129LL, 255LL, 256LL, 1000LL,
  32767LL, 32768LL, 65535LL, 65536LL, 0x7ffffffeLL, 0x7fffffffLL,
  0x80000000LL, 0x80000001LL, 0xfffffffeLL, 0xffffffffLL,
  0x100000000LL, 0x100000001LL, 0x4000000000000LL, 0x8000000000000LL, 0x7ffffffffffffLL, 0x1fffffffffffffLL,
  0x20000000000000LL, 0x20000000000001LL, 0x20000000000002LL, -0x1fffffffffffffLL, -0x20000000000000LL,
  -0x20000000000001LL, -2LL, -128LL, -129LL, -32768LL, -0x80000000LL, -0x80000001LL, 1000000000LL, 1000000LL,
  0x3fffffffffffffffLL, 0x7ffffffffffffffeLL, 0x7fffffffffffffffLL, -0x7fffffffffffffffLL,
  -0x7fffffffffffffffLL - 1, 0xffffffff00000000ULL, 0x00000000ffffffffULL, 0x5555555555555555LL }

local function any_64()
  return ffi.cast('int64_t', bit.bor(bit.lshift(1ULL * random(0, 0xffff), 48),
    bit.lshift(1ULL * random(0, 0xffffff), 24), 1ULL * random(0, 0xffffff)))
end

--- As the nearest 64-bit integer; what does not fit becomes an edge.
local function integer(value)
  if type(value) ~= 'number' then return ffi.cast('int64_t', value) end
  if value ~= value or value >= 2 ^ 63 or value < -2 ^ 63 then return one_of(EDGES) end
  return ffi.cast('int64_t', math.floor(value))
end

local function any_integer(pool)
  local choice = random(20)
  if choice <= 9 and #pool.numbers > 0 then
    local value = integer(one_of(pool.numbers))
    local by = random(8)
    return by == 1 and value + 1 or by == 2 and value - 1 or by == 3 and -value or value
  elseif choice <= 14 then
    return one_of(EDGES)
  elseif choice <= 17 then
    return ffi.cast('int64_t', random(0, 12))
  end
  return bit.arshift(any_64(), random(0, 63))
end

local function any_bytes(length)
  local bytes = {}
  for i = 1, length do bytes[i] = string.char(random(255)) end
  return table.concat(bytes)
end

local function any_text(pool, bytes)
  local choice, known = random(24), #pool.texts > 0 and one_of(pool.texts) or 'a'
  if choice <= 8 then return known
  elseif choice == 9 then return known:sub(1, -2)
  elseif choice == 10 then return known .. one_of { 'x', 'd', ' ', '\1', '\255' }
  elseif choice == 11 then return one_of { 'x', '/', '\255' } .. known
  elseif choice == 12 then return known:sub(2)
  elseif choice == 13 then return any_bytes(random(0, 6)) .. known .. any_bytes(random(0, 6))
  elseif choice == 14 then return any_bytes(math.max(0, bytes - #known)) .. known
  elseif choice == 15 then return known .. any_bytes(math.max(0, bytes - #known))
  elseif choice == 16 then return known:rep(math.ceil(bytes / math.max(1, #known)))
  elseif choice == 17 then return known:sub(1, -2) .. string.char((known:byte(-1) or 65) % 255 + 1)
  elseif choice == 18 then return known .. (#pool.texts > 0 and one_of(pool.texts) or '')
  elseif choice == 19 then return known:upper()
  elseif choice == 20 then return ('a'):rep(bytes)
  elseif choice == 21 then return any_bytes(bytes)
  elseif choice == 22 then return '\255\254\128'
  end
  return ''
end

local function any_address(pool)
  local choice = random(10)
  if choice <= 6 and #pool.addresses > 0 then
    local hex = one_of(pool.addresses)
    if choice <= 3 then return hex end
    local at = choice == 4 and 32 or random(32) -- one digit is another
    local digit = (tonumber(hex:sub(at, at), 16) + one_of { 1, 15, 8 }) % 16
    return hex:sub(1, at - 1) .. ('%x'):format(digit) .. hex:sub(at + 1)
  elseif choice == 7 then
    return ('0'):rep(20) .. 'ffff' .. ('%08x'):format(random(0, 2 ^ 32 - 1))
  elseif choice == 8 then
    return one_of { ('0'):rep(32), ('0'):rep(31) .. '1', ('f'):rep(32), ('0'):rep(20) .. 'ffff7f000001',
      ('0'):rep(20) .. 'fffe0a000001', ('0'):rep(24) .. '0a000001' }
  end
  local bytes = any_bytes(16):gsub('.', function(byte)
    return random(3) == 1 and ('%02x'):format(byte:byte()) or '00'
  end)
  return bytes
end

local function any_enum(field, pool)
  local choice = random(10)
  if choice <= 7 then
    local known = {}
    for value = 0, 12 do if field.values[value] then known[#known + 1] = value end end
    return one_of(known)
  end
  return any_integer(pool)
end

--- A random value of a field.
---@param field table
---@param pool { numbers: any[], texts: string[], addresses: string[] } what the function mentions
function events.any(field, pool)
  if field.name == 'argv_bytes' then return random(0, 30) end
  if field.name == 'argv' then
    return (any_text(pool, 12):gsub('%z', ' ')) .. '\0' .. any_text(pool, 8) .. '\0'
  elseif field.kind == 'c' then
    return (any_text(pool, field.bytes):gsub('%z.*', '')) -- a text is zero behind its end
  elseif field.kind == 's' then
    return any_address(pool)
  elseif field.kind == 'b' then
    return random(0, 1)
  elseif field.elements > 0 then
    local values = {}
    for i = 1, field.elements do values[i] = any_integer(pool) end
    return values
  elseif field.values then
    return any_enum(field, pool)
  elseif field.type == 'error_number' then
    return random(8) == 1 and any_integer(pool) or one_of { 0, 0, 1, 2, 11, 13, 110, 111, 41, 4095, random(0, 135) }
  elseif field.type == 'signal_number' then
    return random(8) == 1 and any_integer(pool) or one_of { 0, 0, 1, 9, 15, 34, 64, 65, 32, random(0, 66) }
  elseif field.type == 'syscall_number' then
    return random(8) == 1 and any_integer(pool) or random(0, 460)
  elseif field.type == 'device_number' then
    return one_of { 0, 8 * 2 ^ 20, 8 * 2 ^ 20 + 1, 4000 * 2 ^ 20 + 77, 4095 * 2 ^ 20, 2 ^ 32 - 1 }
  end
  return any_integer(pool)
end

--- Random events one behind the other, `stride` bytes each. Only the fields in `used` differ.
---@param base ffi.cdata* uint8_t *
---@param schema table
---@param used table[] fields
---@param cpu integer they happened on
function events.fill(base, schema, count, stride, used, pool, cpu)
  ffi.fill(base, count * stride)
  local cpu_at = schema.at.cpu.offset
  for i = 0, count - 1 do
    local event = base + i * stride
    ffi.cast('uint16_t *', event + cpu_at)[0] = cpu
    for _, field in ipairs(used) do events.put(event, field, events.any(field, pool)) end
  end
end

return events
