-- SPDX-License-Identifier: Apache-2.0
--- Layout: how bytes of a type read as Lua values, and the other way round.
---
---   integers          numbers; 64 bits as a number while that is exact, else 64-bit cdata
---   char arrays       strings, up to the first zero byte
---   enums             by name, without what all names start with: 'read' of IO_READ
---   structs, unions   tables; what has no name lies in the table around it
---   arrays            lists, from 1
---   bool, float       booleans, numbers
---
--- A layout has bytes, text (what it is called), read(pointer) and write(pointer, value, where);
--- write raises a Problem, which names the place and what is wrong, before anything was sent
--- anywhere: it writes into a copy.

local ffi = require 'ffi'
local bit = require 'bit'
local fields = require 'moonprobe.fields'
local nearest = require 'moonprobe.nearest'

local layout = {}

ffi.cdef [[
int64_t atomic_field_add(void *at, int bytes, int64_t amount);
int64_t atomic_field_load(const void *at, int bytes);
void atomic_field_store(void *at, int bytes, int64_t value);
]]

local bytes_pointer = ffi.typeof 'uint8_t *'
local MOST_DEPTH = 16

--- A value that cannot be written; told by whoever knows the map's name.
local Problem = {}
Problem.__index = Problem
Problem.__tostring = function(self) return self.text end

local function problem(where, format, ...)
  local text = format:format(...)
  error(setmetatable({ text = where ~= '' and ('%s: %s'):format(where, text) or text }, Problem), 0)
end

layout.problem = problem

--- Calls a function; its problem as a message instead of an error.
---@param fn function
---@param ... any
---@return boolean
---@return any
function layout.try(fn, ...)
  local ok, result = pcall(fn, ...)
  if ok then return true, result end
  if getmetatable(result) == Problem then return false, result.text end
  error(result, 0)
end

local function shown(value)
  if type(value) == 'string' then return ('%q'):format(#value > 40 and value:sub(1, 37) .. '...' or value) end
  if type(value) == 'table' then return 'a table' end
  if type(value) == 'number' then return ('%.17g'):format(value) end
  return value == nil and 'nothing' or tostring(value)
end
layout.shown = shown

local function below(where, name)
  return where == '' and 'field ' .. name or where .. '.' .. name
end

local is_int64, is_uint64 = ffi.typeof 'int64_t', ffi.typeof 'uint64_t'

--- An integer as the bits of an int64_t, or nil when it does not fit into so many.
local function integer_bits(value, bits, is_signed)
  if type(value) == 'cdata' then
    local signed = ffi.istype(is_int64, value)
    if not signed and not ffi.istype(is_uint64, value) then return nil end
    local raw = ffi.cast(is_int64, value)
    if bits == 64 then
      -- The same bits mean something else in the other type from here on.
      if raw < 0 and signed ~= is_signed then return nil end
      return raw
    end
    if raw < 0 and not signed then return nil end
    value = tonumber(raw)
    if value > 2 ^ 53 or value < -2 ^ 53 then return nil end
  end
  if type(value) ~= 'number' or value ~= math.floor(value) then return nil end
  local most = 2 ^ (is_signed and bits - 1 or bits)
  local least = is_signed and -most or 0
  if value < least or value >= most then return nil end
  if value >= 2 ^ 63 then return ffi.cast(is_int64, ffi.cast(is_uint64, value)) end
  return ffi.cast(is_int64, value)
end
layout.integer_bits = integer_bits

local function range_of(bits, is_signed)
  if bits == 64 then return is_signed and '-2^63 to 2^63 - 1' or '0 to 2^64 - 1' end
  local most = 2 ^ (is_signed and bits - 1 or bits)
  return ('%.0f to %.0f'):format(is_signed and -most or 0, most - 1)
end
layout.range_of = range_of

local names_of_bytes = { 'int8_t', 'int16_t', nil, 'int32_t', nil, nil, nil, 'int64_t' }

local function integer_ctype(bytes, is_signed)
  local name = names_of_bytes[bytes]
  return name and ffi.typeof((is_signed and '' or 'u') .. name .. ' *')
end

local function integer(bytes, is_signed, text)
  local pointer = integer_ctype(bytes, is_signed)
  local as_signed = integer_ctype(bytes, true)
  local bits = bytes * 8
  local self = { kind = 'integer', bytes = bytes, align = bytes, is_signed = is_signed, text = text }
  if bytes == 8 then
    local value = is_signed and fields.signed_value or fields.unsigned_value
    self.read = function(at) return value(ffi.cast(as_signed, at)[0]) end
  else
    self.read = function(at) return ffi.cast(pointer, at)[0] end
  end
  self.write = function(at, value, where)
    local raw = integer_bits(value, bits, is_signed)
    if not raw then
      problem(where, 'expected an integer from %s (%s), given %s', range_of(bits, is_signed), text, shown(value))
    end
    ffi.cast(as_signed, at)[0] = raw
  end
  return self
end

local function boolean(bytes)
  return { kind = 'boolean', bytes = bytes, align = bytes, text = 'bool',
    read = function(at) return ffi.cast(bytes_pointer, at)[0] ~= 0 end,
    write = function(at, value, where)
      if type(value) ~= 'boolean' then problem(where, 'expected a boolean, given %s', shown(value)) end
      ffi.cast(bytes_pointer, at)[0] = value and 1 or 0
    end }
end

local function float(bytes, text)
  local pointer = ffi.typeof(bytes == 4 and 'float *' or 'double *')
  return { kind = 'float', bytes = bytes, align = bytes, text = text,
    read = function(at) return tonumber(ffi.cast(pointer, at)[0]) end,
    write = function(at, value, where)
      if type(value) ~= 'number' then problem(where, 'expected a number, given %s', shown(value)) end
      ffi.cast(pointer, at)[0] = value
    end }
end

local function enum(type, text)
  local raw = integer(type.bytes, type.is_signed, text)
  local by_number, numbers, names = {}, {}, {}
  for _, one in ipairs(type.values) do
    by_number[one.value] = by_number[one.value] or one.name
  end
  by_number = fields.enum_names(by_number)
  for _, one in ipairs(type.values) do
    local short = by_number[one.value]
    numbers[one.name], numbers[short] = one.value, one.value
    names[#names + 1] = short
  end
  return { kind = 'enum', bytes = type.bytes, align = type.bytes, text = text,
    read = function(at)
      local number = raw.read(at)
      return by_number[number] or number
    end,
    write = function(at, value, where)
      if _G.type(value) ~= 'string' then return raw.write(at, value, where) end
      local number = numbers[value]
      if not number then
        local near = nearest(value, names)
        problem(where, "expected one of %s, given %s%s", table.concat(names, ', '), shown(value),
          near and ("; did you mean '%s'?"):format(near) or '')
      end
      raw.write(at, number, where)
    end }
end

local function text_array(count)
  return { kind = 'text', bytes = count, align = 1, text = ('char[%d]'):format(count),
    read = function(at) return ffi.string(at, ffi.C.strnlen(ffi.cast('const char *', at), count)) end,
    write = function(at, value, where)
      if type(value) ~= 'string' then problem(where, 'expected a string (char[%d]), given %s', count, shown(value)) end
      if #value > count then
        problem(where, 'expected a string of at most %d bytes (char[%d]), given %d bytes', count, count, #value)
      end
      ffi.fill(at, count)
      ffi.copy(at, value, #value)
    end }
end

--- Bytes nobody has described.
---@param count integer
---@return table layout
function layout.raw(count)
  return { kind = 'raw', bytes = count, align = 1, text = ('%d bytes'):format(count),
    read = function(at) return ffi.string(at, count) end,
    write = function(at, value, where)
      if type(value) ~= 'string' or #value ~= count then
        problem(where, 'expected a string of %d bytes, given %s', count,
          type(value) == 'string' and ('one of %d'):format(#value) or shown(value))
      end
      ffi.copy(at, value, count)
    end }
end

--- An integer nobody has described: 1, 2, 4 or 8 bytes.
---@param bytes integer
---@return table layout
function layout.integer(bytes)
  return integer(bytes, false, ('u%d'):format(bytes * 8))
end

local function array(of, count)
  local text = ('%s[%d]'):format(of.text, count)
  return { kind = 'array', bytes = of.bytes * count, align = of.align, text = text, of = of, count = count,
    read = function(at)
      local values = {}
      for i = 0, count - 1 do values[i + 1] = of.read(ffi.cast(bytes_pointer, at) + i * of.bytes) end
      return values
    end,
    write = function(at, value, where)
      local is_bytes = of.bytes == 1 and type(value) == 'string'
      if type(value) ~= 'table' and not is_bytes then
        problem(where, 'expected a list of %d (%s), given %s', count, text, shown(value))
      end
      if #value > count then problem(where, 'expected a list of at most %d (%s), given %d', count, text, #value) end
      ffi.fill(at, of.bytes * count)
      if is_bytes then
        ffi.copy(at, value, #value)
        return
      end
      for i = 1, #value do
        of.write(ffi.cast(bytes_pointer, at) + (i - 1) * of.bytes, value[i], ('%s[%d]'):format(where, i))
      end
      for key in pairs(value) do
        if type(key) ~= 'number' or key < 1 or key > #value or key ~= math.floor(key) then
          problem(where, 'expected a list, given one with [%s]', shown(key))
        end
      end
    end }
end

--- A bit field, in the integer around it.
local function bit_field(at_bit, bits, is_signed, text)
  local first = math.floor(at_bit / 8)
  local last = math.floor((at_bit + bits - 1) / 8)
  local shift = at_bit % 8
  local function around(at)
    local value = 0ULL
    for i = last, first, -1 do
      value = bit.bor(bit.lshift(value, 8), ffi.cast('uint64_t', ffi.cast(bytes_pointer, at)[i]))
    end
    return value
  end
  local mask = bits == 64 and -1LL + 0ULL or bit.lshift(1ULL, bits) - 1
  return {
    read = function(at)
      local value = bit.band(bit.rshift(around(at), shift), mask)
      if is_signed and bit.band(value, bit.lshift(1ULL, bits - 1)) ~= 0 then
        return fields.signed_value(ffi.cast('int64_t', bit.bor(value, bit.bnot(mask))))
      end
      return fields.unsigned_value(ffi.cast('int64_t', value))
    end,
    write = function(at, value, where)
      local raw = integer_bits(value, bits, is_signed)
      if not raw then
        problem(where, 'expected an integer from %s (%s : %d), given %s', range_of(bits, is_signed), text, bits,
          shown(value))
      end
      local whole = bit.bor(bit.band(around(at), bit.bnot(bit.lshift(mask, shift))),
        bit.lshift(bit.band(ffi.cast('uint64_t', raw), mask), shift))
      for i = first, last do
        ffi.cast(bytes_pointer, at)[i] = tonumber(bit.band(whole, 0xffULL))
        whole = bit.rshift(whole, 8)
      end
    end,
  }
end

--- A table of what a struct's members are: { name, layout, offset, union }.
local function unknown(self, name, where)
  local names = {}
  for _, one in ipairs(self.members) do names[#names + 1] = one.name end
  local near = type(name) == 'string' and nearest(name, names)
  problem(where, "%s has no field '%s'%s", self.text, tostring(name),
    near and ("; did you mean '%s'?"):format(near) or '; it has ' .. table.concat(names, ', '))
end

local function struct(self)
  self.by_name = {}
  for _, one in ipairs(self.members) do self.by_name[one.name] = one end
  self.read = function(at)
    local value = {}
    at = ffi.cast(bytes_pointer, at)
    for _, one in ipairs(self.members) do value[one.name] = one.layout.read(at + one.offset) end
    return value
  end
  self.write = function(at, value, where)
    at = ffi.cast(bytes_pointer, at)
    if type(value) == 'cdata' and self.pointer
      and (ffi.istype(self.pointer, value) or ffi.istype(self.ctype, value)) then
      ffi.copy(at, value, self.bytes)
      return
    end
    if type(value) ~= 'table' then problem(where, 'expected a table (%s), given %s', self.text, shown(value)) end
    for name in pairs(value) do
      if not self.by_name[name] then unknown(self, name, where) end
    end
    ffi.fill(at, self.bytes)
    local of_union = {}
    for _, one in ipairs(self.members) do
      if value[one.name] ~= nil then
        if one.union then
          local other = of_union[one.union]
          if other and other.choice ~= one.choice then
            problem(where, 'expected one field of a union, given %s and %s', other.name, one.name)
          end
          of_union[one.union] = one
        end
        one.layout.write(at + one.offset, value[one.name], below(where, one.name))
      end
    end
  end
  return self
end

local of_type

--- Adds a struct's members to a list; those of a member without a name, as if they were its own.
--- Of a union only one choice is written: `union` is the outermost, `choice` the member of it.
local function add_members(list, types, type, base, outer, depth)
  for i, member in ipairs(type.members) do
    local name, id = member.name, member.type
    local within = outer or type.kind == 'union' and { union = type, choice = i } or {}
    if type.kind == 'section' then
      local variable = types.all[id]
      if not variable or variable.kind ~= 'variable' then return nil, 'has something else than variables' end
      name, id = variable.name, variable.type
    end
    local resolved = types:resolve(id)
    local offset = base + member.at_bit / 8
    if not resolved then return nil, ('member %d has no type'):format(i) end
    if name == '' and resolved.members and depth < MOST_DEPTH then
      local ok, message = add_members(list, types, resolved, offset, within.union and within, depth + 1)
      if not ok then return nil, message end
    elseif name ~= '' then
      local one, message
      if member.bits > 0 then
        if resolved.kind ~= 'int' and resolved.kind ~= 'enum' then return nil, name .. ': a bit field of no integer' end
        local at_bit = base * 8 + member.at_bit
        one = bit_field(at_bit % 8, member.bits, resolved.is_signed, types:describe(id))
        one.kind, one.text, one.bits, one.align = 'bits', types:describe(id), member.bits, 1
        one.bytes, offset = math.ceil((at_bit % 8 + member.bits) / 8), math.floor(at_bit / 8)
      else
        one, message = of_type(types, id, depth + 1)
        if not one then return nil, ('%s: %s'):format(name, message) end
      end
      list[#list + 1] = { name = name, layout = one, offset = offset, union = within.union, choice = within.choice }
    end
  end
  return true
end

local function is_text(types, type)
  local of = types:resolve(type.of)
  return of and of.kind == 'int' and of.bytes == 1 and (of.name == 'char' or of.is_char)
end

local makers = {
  int = function(types, type, id)
    if type.is_bool then return boolean(type.bytes) end
    if not names_of_bytes[type.bytes] then return layout.raw(type.bytes) end
    return integer(type.bytes, type.is_signed, types:describe(id))
  end,
  float = function(types, type, id)
    if type.bytes ~= 4 and type.bytes ~= 8 then return layout.raw(type.bytes) end
    return float(type.bytes, types:describe(id))
  end,
  enum = function(types, type, id) return enum(type, types:describe(id)) end,
  pointer = function(types, _, id) return integer(8, false, types:describe(id)) end,
  array = function(types, type, _, depth)
    if is_text(types, type) then return text_array(type.count) end
    local of, message = of_type(types, type.of, depth + 1)
    if not of then return nil, message end
    return array(of, type.count)
  end,
  struct = function(types, type, id, depth)
    local self = { kind = 'struct', bytes = type.bytes, text = types:describe(id), members = {} }
    local ok, message = add_members(self.members, types, type, 0, nil, depth)
    if not ok then return nil, ('%s: %s'):format(self.text, message) end
    self.align = 1
    for _, one in ipairs(self.members) do
      self.align = math.max(self.align, one.layout.align or 1)
      if one.offset + one.layout.bytes > self.bytes then
        return nil, ('%s: %s lies outside of it'):format(self.text, one.name)
      end
    end
    return struct(self)
  end,
  variable = function(types, type, _, depth) return of_type(types, type.type, depth + 1) end,
}
makers.union, makers.section = makers.struct, makers.struct

function of_type(types, id, depth)
  if depth > MOST_DEPTH then return nil, 'structs within structs, too deep' end
  types.layouts = types.layouts or {}
  if types.layouts[id] then return types.layouts[id] end
  local type = types:resolve(id)
  local make = type and makers[type.kind]
  if not make then return nil, ('%s has no values'):format(types:describe(id)) end
  local made, message = make(types, type, id, depth)
  if made then types.layouts[id] = made end
  return made, message
end

--- The layout of a type.
---@param types table from btf.parse()
---@param id integer
---@return table|nil layout
---@return string|nil message
function layout.of(types, id)
  return of_type(types, id, 0)
end

--- Structs that are read in place: a pointer to one reads like a table, field by field.

local view_of

--- How a field is read in place: the Lua code of it, and what it uses.
local function reader_of(one)
  local kind, bytes = one.layout.kind, one.layout.bytes
  if kind == 'integer' and bytes < 8 then
    local ctype = (one.layout.is_signed and '' or 'u') .. names_of_bytes[bytes]
    return ('return cast(%q, cast(bytes, e) + %d)[0]'):format('const ' .. ctype .. ' *', one.offset)
  elseif kind == 'integer' then
    return ('return wide(cast("const int64_t *", cast(bytes, e) + %d)[0])'):format(one.offset),
      one.layout.is_signed and fields.signed_value or fields.unsigned_value
  elseif kind == 'struct' then
    return ('return cast(wide, cast(bytes, e) + %d)'):format(one.offset), view_of(one.layout)
  end
  return ('return wide(cast(bytes, e) + %d)'):format(one.offset), one.layout.read
end

function view_of(self)
  if self.pointer then return self.pointer end
  local getters = {}
  for _, one in ipairs(self.members) do
    local code, wide = reader_of(one)
    -- A chunk of its own for each, so that the trace compiler knows what it is.
    local make = loadstring('local cast, bytes, wide = ... return function(e) ' .. code .. ' end', '=field')
    getters[one.name] = make(ffi.cast, ffi.typeof 'const uint8_t *', wide)
  end
  self.getters = getters
  self.ctype = ffi.typeof(('struct { uint8_t __moonprobe[%d]; }'):format(self.bytes))
  self.pointer = ffi.typeof('const $ *', self.ctype)
  ffi.metatype(self.ctype, {
    __index = function(e, name)
      local getter = getters[name]
      if getter then return getter(e) end
      local _, message = layout.try(unknown, self, name, '')
      error(message, 2)
    end,
    __newindex = function() error(self.text .. ': is read only; copy what you want to change', 2) end,
  })
  return self.pointer
end

--- The ctype of a pointer to a struct, whose fields read as Lua values.
---@param self table layout of a struct
---@return ffi.ctype*
function layout.view(self)
  return view_of(self)
end

--- A field by its path, as 'bytes' or 'address.port', with its offset.
---@param self table
---@param path string|nil nil: the value itself
---@return table layout
---@return integer offset
function layout.field(self, path)
  local offset = 0
  if path == nil then return self, 0 end
  if type(path) ~= 'string' then problem('', "expected a field's name, given %s", shown(path)) end
  for name in path:gmatch '[^.]+' do
    if not self.by_name then problem('', "%s has no field '%s'", self.text, name) end
    local one = self.by_name[name] or unknown(self, name, '')
    offset, self = offset + one.offset, one.layout
  end
  return self, offset
end

return layout
