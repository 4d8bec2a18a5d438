-- SPDX-License-Identifier: Apache-2.0
--- Schema: a probe's event as a Lua type, made from its object's BTF.

local ffi = require 'ffi'
local band = require('bit').band
local asset = require 'moonprobe.asset'
local engine = require 'moonprobe.engine'
local fields = require 'moonprobe.fields'
local nearest = require 'moonprobe.nearest'
local typed = require 'moonprobe.typed'

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
    type = 'integer',
    doc = 'number of the event among those of its probe on its CPU, modulo 2^24',
    get = function() return function(event) return band(event._stamp, 0xffffff) end end,
  },
  time = {
    from = 'time_ns',
    type = 'number',
    doc = 'when it happened, seconds since 1970',
    get = function(offset)
      return function(event) return (tonumber(event._time_ns) + offset) / 1e9 end
    end,
  },
}

-- Members of the header that a script may read, and no BTF describes.
local header_docs = { cpu = 'the CPU it happened on' }

local known = {}

--- In a replay: gives a probe as it was recorded, or nil and why not.
schema.recorded = nil

local function names_of(self)
  local names = {}
  for name in pairs(self.readable) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- What a test may give for a field, as stdlib/testing/event.lua takes it, as a LuaCATS type.
local function takes(self, field, type_name)
  local plain = type_name:gsub('%?$', '')
  if field.kind == 'c' then return self.readable[field.name .. '_list'] and 'string|string[]' or plain end
  if fields.stack_kind(field.type) then return 'string[]|integer' end -- names of functions
  if plain == 'integer' and field.element_bytes == 8 then return 'number' end -- people write 1e9
  local is_plain = field.kind == 's' or field.kind == 'b' or plain:find('^integer')
  return is_plain and plain or plain .. '|integer' -- by name, or the number itself
end

--- What a script may read of an event, by name, with LuaCATS types; what a test may give for it.
---@param self table a schema
---@return { name: string, type: string, takes: string|nil, unit: string, doc: string }[]
function schema.members(self)
  local by_name, members = {}, {}
  for _, field in ipairs(self.fields) do by_name[field.name] = field end
  for i, name in ipairs(names_of(self)) do
    local field, made = by_name[name], derived[name]
    if made then
      members[i] = { name = name, type = made.type, unit = '', doc = made.doc }
    elseif field then
      local type_name = fields.type_of(field)
      members[i] = { name = name, type = type_name, takes = takes(self, field, type_name), unit = field.unit,
        doc = header_docs[name] or field.doc }
    else
      members[i] = { name = name, type = 'string[]', unit = '', doc = 'the parts of ' .. self.readable[name] }
    end
  end
  return members
end

--- A sentence for a misspelt field.
---@param self table a schema
---@param name any
---@return string
function schema.unknown_field(self, name)
  local names = names_of(self)
  if self.typed then table.insert(names, 1, 'args') end
  local near = type(name) == 'string' and nearest(name, names)
  return ("%s has no field '%s'%s"):format(self.name, tostring(name),
    near and ("; did you mean '%s'?"):format(near) or '; it has ' .. table.concat(names, ', '))
end

--- Says what a script may read: self.readable. Typed fields come to it when they are read.
local function describe(self)
  local by_name = {}
  for _, field in ipairs(self.fields) do by_name[field.name] = field end
  self.readable = {}
  for _, field in ipairs(self.fields) do
    if not is_plumbing(field) then self.readable[field.name] = field.name end
    if field.kind == 'c' and by_name[field.name .. '_bytes'] then
      self.readable[field.name .. '_list'] = field.name
    end
  end
  for name, one in pairs(derived) do
    if by_name[one.from] then self.readable[name] = one.from end
  end
end

--- Declarations of the fields in their order, what reads those that are not read as they are, and the member
--- of each.
local function members_of(self, list, getters)
  local declarations, members, by_name = {}, {}, {}
  for _, field in ipairs(list) do by_name[field.name] = field end
  for i, field in ipairs(list) do
    local declaration, getter = fields.of(field, function(name) return by_name[name] ~= nil end)
    if is_plumbing(field) then
      declaration = declaration:gsub(field.name, '_%0')
    else
      getters[field.name] = getter
    end
    members[i] = (getter or is_plumbing(field)) and '_' .. field.name or field.name
    declarations[i] = declaration
    if self.readable[field.name .. '_list'] then
      getters[field.name .. '_list'] = fields.list_getter(field.name, field.bytes)
    end
  end
  for name, one in pairs(derived) do
    if by_name[one.from] then getters[name] = one.get(engine.realtime() - engine.monotonic()) end
  end
  return declarations, members
end

--- The body of a generic probe's struct: each field at its place, whatever is beside it.
local function generic_body(self, getters)
  local list, places, parts = {}, {}, {}
  for _, field in ipairs(self.fields) do
    if not self.typed.leaves[field.name] then list[#list + 1] = field end
  end
  local declarations, members = members_of(self, list, getters)
  for i, declaration in ipairs(declarations) do
    local offset = list[i].offset
    parts[i] = offset == 0 and declaration or ('struct { uint8_t gap_b%d[%d]; %s };'):format(i, offset, declaration)
    places[members[i]] = offset
  end
  local more, more_getters, more_places = typed.declare(self)
  for _, part in ipairs(more) do parts[#parts + 1] = part end
  for name, getter in pairs(more_getters) do getters[name] = getter end
  for member, offset in pairs(more_places) do places[member] = offset end
  parts[#parts + 1] = ('uint8_t all_bytes[%d];'):format(self.bytes)
  return 'union { ' .. table.concat(parts, ' ') .. ' };', places
end

local function plain_body(self, getters)
  local declarations, members = members_of(self, self.fields, getters)
  local places = {}
  for i, field in ipairs(self.fields) do places[members[i]] = field.offset end
  return table.concat(declarations, ' '), places
end

local generics = 0

--- Names are of anything; each script has its own fields of them.
local function struct_name(self)
  if not self.typed then return 'struct moonprobe_' .. self.name end
  generics = generics + 1
  return ('struct moonprobe_%s_g%d'):format(self.name:sub(1, 40):gsub('[^%w_]', '_'), generics)
end

local function define(self)
  local getters = {}
  local body, places = (self.typed and generic_body or plain_body)(self, getters)
  local struct = struct_name(self)
  ffi.cdef(struct .. ' { ' .. body .. ' };')
  if ffi.sizeof(struct) ~= self.bytes then
    error(('probe %s: its event has %d bytes here and %d in BTF'):format(self.name,
      ffi.sizeof(struct), self.bytes), 0)
  end
  for member, offset in pairs(places) do
    if ffi.offsetof(struct, member) ~= offset then
      error(('probe %s: field %s is not where BTF says'):format(self.name, (member:gsub('^_', ''))), 0)
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
  self.struct = ffi.typeof(struct)
  self.pointer = ffi.typeof('const ' .. struct .. ' *') -- a store would end the worker
end

--- All that a generic probe's struct is made of.
local function signature(self)
  local words = { self.name }
  for _, field in ipairs(self.fields) do
    words[#words + 1] = table.concat({ field.name, field.kind, field.offset, field.bytes, field.elements,
      field.type }, ' ')
  end
  local nodes = {}
  for path in pairs(self.typed.nodes) do nodes[#nodes + 1] = path end
  table.sort(nodes)
  return table.concat(words, '\n') .. '\n' .. table.concat(nodes, ' ')
end

local finished = {} -- [signature] = schema: types stay for ever, and a test loads scripts again and again

--- Makes the event of a generic probe: all that is read of it is known now.
---@param self table a schema; nothing happens to one that is defined
function schema.finish(self)
  if self.pointer then return end
  typed.lay_out(self)
  local key = signature(self)
  local same = finished[key]
  if same then
    self.struct, self.pointer = same.struct, same.pointer
  else
    define(self)
    finished[key] = self
  end
end

local function family_schema(name, family)
  local object = asset('probes/' .. family .. '.bpf.o')
  if not object then
    local near = nearest(family, engine.assets('probes/', '.bpf.o'))
    return nil, ("no probe named '%s': there is no family '%s'%s; moonprobe list shows all"):format(name, family,
      near and ("; did you mean '%s'?"):format(near) or '')
  end
  local self, message = engine.schema(family, object)
  if not self then return nil, message end
  local problem = typed.start(self)
  if problem then return nil, problem end
  local ok, why = typed.resolver.target(name)
  if not ok then return nil, why or ("no probe named '%s'"):format(name) end
  self.name = name
  typed.name_places(self)
  describe(self)
  return self
end

local function recorded_schema(name)
  local self, message = schema.recorded(name)
  if not self then return nil, message end
  if typed.split(name) then typed.start_recorded(self) end
  describe(self)
  define(self)
  known[name] = self
  return self
end

--- The schema of a probe; nil and a message when there is no such probe.
---   name, about, blind   strings
---   fields, knobs        arrays as engine.schema gives them
---   readable             [name a script may read] = member it needs
---   struct, pointer      ctypes of its event and of a pointer to it
---   typed                of a generic probe, see typed.lua. Its schema is a new one each time, for what it has
---                        depends on who reads it; struct and pointer come with finish().
---@param name string
---@return table|nil
---@return string? message
function schema.of(name)
  if known[name] then return known[name] end
  if schema.recorded then return recorded_schema(name) end
  local family = typed.split(name)
  if family then return family_schema(name, family) end
  local object = name:match('^[%w_]+$') and asset('probes/' .. name .. '.bpf.o')
  if not object then
    local near = nearest(name, engine.assets('probes/', '.bpf.o'))
    return nil, ("no probe named '%s'%s; moonprobe list shows all"):format(name,
      near and ("; did you mean '%s'?"):format(near) or '')
  end
  local self, message = engine.schema(name, object)
  if not self then return nil, message end
  if typed.is_family(self) then
    return nil, ("'%s' is a family of probes: name one, as '%s:TARGET'"):format(name, name)
  end
  describe(self)
  define(self)
  known[name] = self
  return self
end

--- Of these names, those that are probes and no families of them. Raises when an object cannot be read.
---@param names string[]
---@return string[]
function schema.plain(names)
  local plain = {}
  for _, name in ipairs(names) do
    if known[name] or not typed.is_family(assert(engine.schema(name, (asset('probes/' .. name .. '.bpf.o'))))) then
      plain[#plain + 1] = name
    end
  end
  return plain
end

return schema
