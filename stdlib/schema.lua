-- SPDX-License-Identifier: Apache-2.0
--- Schema: a probe's event as a Lua type, made from its object's BTF.

local ffi = require 'ffi'
local band = require('bit').band
local asset = require 'moonprobe.asset'
local engine = require 'moonprobe.engine'
local fields = require 'moonprobe.fields'
local nearest = require 'moonprobe.nearest'

local schema = {}

--- Declares the structs both sides share, from the header itself.
---@param name string as 'include/record.h'
function schema.cdef(name)
  local header = assert(asset(name))
  ffi.cdef((header:gsub('/%*.-%*/', ''):gsub('\n#[^\n]*', '')))
end

ffi.cdef [[
typedef uint8_t __u8; typedef uint16_t __u16; typedef uint32_t __u32; typedef uint64_t __u64;
]]
schema.cdef 'include/record.h'

-- Members of the header that mean nothing to a script.
local plumbing = { stamp = true, slot = true, generation = true }

local function is_plumbing(field)
  return field.offset < ffi.sizeof 'struct event_header' and plumbing[field.name]
end

--- Readable without being members: what they are made from, and how.
local derived = {
  sequence = {
    from = 'stamp',
    doc = 'number of the event among those of its probe on its CPU, modulo 2^24',
    get = function() return function(event) return band(event._stamp, 0xffffff) end end,
  },
  time = {
    from = 'time_ns',
    doc = 'when it happened, seconds since 1970',
    get = function(offset)
      return function(event) return (tonumber(event._time_ns) + offset) / 1e9 end
    end,
  },
}

local known = {}

local function names_of(self)
  local names = {}
  for name in pairs(self.readable) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- A sentence for a misspelt field.
---@param self table a schema
---@param name any
---@return string
function schema.unknown_field(self, name)
  local near = type(name) == 'string' and nearest(name, names_of(self))
  return ("%s has no field '%s'%s"):format(self.name, tostring(name),
    near and ("; did you mean '%s'?"):format(near) or '; it has ' .. table.concat(names_of(self), ', '))
end

local function define(self)
  local members, getters, by_name = {}, {}, {}
  for _, field in ipairs(self.fields) do by_name[field.name] = field end
  for _, field in ipairs(self.fields) do
    local declaration, getter = fields.of(field, function(name) return by_name[name] ~= nil end)
    if is_plumbing(field) then
      declaration = declaration:gsub(field.name, '_%0')
    else
      self.readable[field.name] = field.name
      getters[field.name] = getter
    end
    members[#members + 1] = declaration
    if field.kind == 'c' and by_name[field.name .. '_bytes'] then
      self.readable[field.name .. '_list'] = field.name
      getters[field.name .. '_list'] = fields.list_getter(field.name, field.bytes)
    end
  end
  for name, one in pairs(derived) do
    if by_name[one.from] then
      self.readable[name] = one.from
      getters[name] = one.get(engine.realtime() - engine.monotonic())
    end
  end
  local struct = 'struct moonprobe_' .. self.name
  ffi.cdef(struct .. ' { ' .. table.concat(members, ' ') .. ' };')
  if ffi.sizeof(struct) ~= self.bytes then
    error(('probe %s: its event has %d bytes here and %d in BTF'):format(self.name,
      ffi.sizeof(struct), self.bytes), 0)
  end
  for _, field in ipairs(self.fields) do
    local member = (getters[field.name] or is_plumbing(field)) and '_' .. field.name or field.name
    if ffi.offsetof(struct, member) ~= field.offset then
      error(('probe %s: field %s is not where BTF says'):format(self.name, field.name), 0)
    end
  end
  -- Members that FFI reads by itself come here too: LuaJIT 2.1.0-beta3 compiles event[name] without
  -- looking at the name when it was one of ours at first (crec_index_meta in lj_crecord.c).
  for name, member in pairs(self.readable) do
    if not getters[name] and name == member then
      getters[name] = loadstring(('return function(event) return event[%q] end'):format(name))()
    end
  end
  ffi.metatype(struct, {
    __index = function(event, name)
      local getter = getters[name]
      if getter then return getter(event) end
      error(schema.unknown_field(self, name), 2)
    end,
  })
  self.pointer = ffi.typeof('const ' .. struct .. ' *') -- a store would end the worker
end

--- The schema of a probe; nil and a message when there is no such probe.
---   name, about, blind   strings
---   fields, knobs        arrays as engine.schema gives them
---   readable             [name a script may read] = member it needs
---   pointer              ctype of a pointer to its event
---@param name string
---@return table|nil
---@return string? message
function schema.of(name)
  if known[name] then return known[name] end
  local object = name:match('^[%w_]+$') and asset('probes/' .. name .. '.bpf.o')
  if not object then
    local near = nearest(name, engine.assets('probes/', '.bpf.o'))
    return nil, ("no probe named '%s'%s; moonprobe list shows all"):format(name,
      near and ("; did you mean '%s'?"):format(near) or '')
  end
  local self, message = engine.schema(name, object)
  if not self then return nil, message end
  self.readable = {}
  define(self)
  known[name] = self
  return self
end

return schema
