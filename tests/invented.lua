-- SPDX-License-Identifier: Apache-2.0
--- Invented: a probe that does not exist, with a field of every kind, and events of it.
---
---   local event = invented.event { pid = 7, comm = 'cat' }   -- reads as any event does
---   local fn = invented.compile('e.pid == 7')                -- a function of the event

local ffi = require 'ffi'
local engine = require 'moonprobe.engine'

ffi.cdef [[ int inet_pton(int family, const char *text, void *bytes); ]]

local invented = {}

local IO = { [0] = 'IO_READ', 'IO_WRITE', 'IO_WRITE_ZEROES' }

local made = dofile 'tests/made_fields.lua' ()
local function add(...) made:add(...) end

add('stamp', 'u', 4)
add('cpu', 'u', 2)
add('slot', 'u', 1)
add('generation', 'u', 1)
add('time_ns', 'u', 8, { late = true })
add('pid', 'u', 4)
add('uid', 'u', 4)
add('comm', 'c', 16, { late = true })
add('u8', 'u', 1)
add('i8', 'i', 1)
add('u16', 'u', 2)
add('i16', 'i', 2)
add('u32', 'u', 4)
add('i32', 'i', 4)
add('u64', 'u', 8)
add('i64', 'i', 8)
add('flag', 'b', 1)
add('other_flag', 'b', 1)
add('tag', 'c', 7)
add('io', 'u', 4, { type = 'io', values = IO })
add('error', 'i', 4, { type = 'error_number' })
add('signal', 'u', 4, { type = 'signal_number' })
add('syscall', 'u', 4, { type = 'syscall_number' })
add('device', 'u', 4, { type = 'device_number' })
add('saddr', 's', 16, { type = 'ip_address' })
add('daddr', 's', 16, { type = 'ip_address' })
add('file', 'c', 64, { late = true })
add('name', 'c', 16)
add('argv', 'c', 24)
add('argv_bytes', 'u', 4)
add('args', 'u', 8, { elements = 6 })
add('ints', 'i', 4, { elements = 3 })
local bytes = math.ceil(made.bytes / 8) * 8

--- The schema, as schema.of() gives it.
local function define()
  local schema_of, was = require('moonprobe.schema').of, engine.schema
  engine.schema = function()
    return { name = 'invented', about = '', fields = made.fields, knobs = {}, bytes = bytes }
  end
  local schema = assert(schema_of 'process_exit') -- a name that there is
  engine.schema = was
  return schema
end
invented.schema = define()

invented.fields = {} -- by name
for _, field in ipairs(made.fields) do invented.fields[field.name] = field end

local types = { u1 = 'uint8_t', u2 = 'uint16_t', u4 = 'uint32_t', u8 = 'uint64_t', i1 = 'int8_t', i2 = 'int16_t',
  i4 = 'int32_t', i8 = 'int64_t', b1 = 'uint8_t' }

local alive = setmetatable({}, { __mode = 'k' }) -- [event] = its memory

--- An event: { name = number, text, address, or list of numbers }; the rest is zero.
---@param values table
---@return ffi.cdata* as handlers get it
function invented.event(values)
  local memory = ffi.new('uint64_t[?]', bytes / 8)
  local base = ffi.cast('uint8_t *', memory)
  for name, value in pairs(values) do
    local field = assert(invented.fields[name], name)
    local at = base + field.offset
    if field.kind == 'c' then
      ffi.copy(at, value, #value)
    elseif field.kind == 's' and value:find(':', 1, true) then
      assert(ffi.C.inet_pton(10, value, at) == 1, value)
    elseif field.kind == 's' then
      at[10], at[11] = 255, 255
      assert(ffi.C.inet_pton(2, value, at + 12) == 1, value)
    else
      local place = ffi.cast(types[field.kind .. field.element_bytes] .. ' *', at)
      for i, one in ipairs(type(value) == 'table' and value or { value }) do place[i - 1] = one end
    end
  end
  local event = ffi.cast(invented.schema.pointer, memory)
  alive[event] = memory
  return event
end

local GLOBALS = { 'bit', 'ipairs', 'math', 'next', 'pairs', 'pcall', 'string', 'tonumber', 'tostring' }

--- A function from the text of an expression of e, or of a chunk that returns the function. What it
--- uses from outside are globals, the usual ones and `names`; others raise, as in a script.
---@param text string
---@param names table|nil
---@return function
function invented.compile(text, names)
  local env = {}
  for _, name in ipairs(GLOBALS) do env[name] = _G[name] end
  for name, value in pairs(names or {}) do env[name] = value end
  local code = text:find('return') and text or 'return function(e) return ' .. text .. ' end'
  local raises = { __index = function(_, name) error('no variable named ' .. tostring(name), 2) end }
  return setfenv(assert(loadstring(code, '=filter')), setmetatable(env, raises))()
end

return invented
