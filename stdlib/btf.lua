-- SPDX-License-Identifier: Apache-2.0
--- BTF: the types of an object or of a map in the kernel, as Lua tables.
---
---   local types = btf.parse(bytes)
---   types:resolve(id)        { kind = 'int', name, bytes, ... } behind typedefs and qualifiers
---   types:find('struct event')
---
--- The format: Documentation/bpf/btf.rst. Numbers are of this machine's byte order, as everything that
--- runs here.

local ffi = require 'ffi'
local bit = require 'bit'

local btf = {}

local band, rshift = bit.band, bit.rshift

local kinds = { 'int', 'pointer', 'array', 'struct', 'union', 'enum', 'forward', 'typedef', 'volatile', 'const',
  'restrict', 'function', 'prototype', 'variable', 'section', 'float', 'tag', 'type_tag', 'enum64' }
local qualifiers = { typedef = true, volatile = true, const = true, restrict = true, type_tag = true }

local Types = {}
Types.__index = Types

local u32, i32, u16 = ffi.typeof 'const uint32_t *', ffi.typeof 'const int32_t *', ffi.typeof 'const uint16_t *'

--- What follows a type, by its kind: how many words, and how they are read.
local function pairs_of(count, words) return function(vlen) return vlen * words + count end end
local tail_words = { int = pairs_of(1, 0), array = pairs_of(3, 0), struct = pairs_of(0, 3), union = pairs_of(0, 3),
  enum = pairs_of(0, 2), prototype = pairs_of(0, 2), variable = pairs_of(1, 0), section = pairs_of(0, 3),
  tag = pairs_of(1, 0), enum64 = pairs_of(0, 3) }

local function members_of(words, count, flag, name_at)
  local members = {}
  for i = 0, count - 1 do
    local place = words[3 * i + 2]
    members[i + 1] = {
      name = name_at(words[3 * i]), type = words[3 * i + 1],
      at_bit = flag and band(place, 0xffffff) or place,
      bits = flag and rshift(place, 24) or 0, -- 0: no bit field
    }
  end
  return members
end

local readers = {
  int = function(one, words)
    local encoding = band(rshift(words[0], 24), 15)
    one.is_signed, one.is_char, one.is_bool = band(encoding, 1) ~= 0, band(encoding, 2) ~= 0, band(encoding, 4) ~= 0
    one.bits = band(words[0], 0xff)
  end,
  array = function(one, words) one.of, one.count = words[0], words[2] end,
  struct = function(one, words, count, flag, name_at) one.members = members_of(words, count, flag, name_at) end,
  enum = function(one, words, count, flag, name_at)
    one.values, one.is_signed = {}, flag
    local numbers = flag and ffi.cast(i32, words) or words
    for i = 0, count - 1 do one.values[i + 1] = { name = name_at(words[2 * i]), value = numbers[2 * i + 1] } end
  end,
  enum64 = function(one, words, count, flag, name_at)
    one.values, one.is_signed, one.kind = {}, flag, 'enum'
    for i = 0, count - 1 do
      local high = flag and ffi.cast(i32, words)[3 * i + 2] or words[3 * i + 2]
      one.values[i + 1] = { name = name_at(words[3 * i]), value = high * 2 ^ 32 + words[3 * i + 1] }
    end
  end,
  variable = function(one, words) one.linkage = words[0] end,
  section = function(one, words, count)
    one.members = {}
    for i = 0, count - 1 do
      one.members[i + 1] = { type = words[3 * i], at_bit = words[3 * i + 1] * 8, bits = 0 }
    end
  end,
  tag = function(one, words) one.component = ffi.cast(i32, words)[0] end,
}
readers.union = readers.struct

--- Reads all types. Nil and a message when these are none.
---@param bytes string
---@return table|nil types
---@return string|nil message
function btf.parse(bytes)
  if #bytes < 24 then return nil, 'its types are cut off' end
  local head = ffi.cast(u32, ffi.cast('const char *', bytes))
  if ffi.cast(u16, head)[0] ~= 0xeb9f then return nil, 'its types are of another byte order, or none' end
  local start = head[1]
  local types_at, types_bytes, names_at, names_bytes = start + head[2], head[3], start + head[4], head[5]
  if types_at + types_bytes > #bytes or names_at + names_bytes > #bytes or types_at % 4 ~= 0 then
    return nil, 'its types are cut off'
  end
  local names = ffi.cast('const char *', bytes) + names_at
  local function name_at(offset)
    if offset >= names_bytes then return '' end
    return (ffi.string(names + offset, math.min(names_bytes - offset, 512)):match('^%Z*'))
  end
  local self = setmetatable({ all = {}, bytes = bytes }, Types)
  local at, stop = types_at, types_at + types_bytes
  local base = ffi.cast('const char *', bytes)
  while at < stop do
    if at + 12 > stop then return nil, 'its types are cut off' end
    local words = ffi.cast(u32, base + at)
    local info = words[1]
    local kind, count = kinds[band(rshift(info, 24), 31)], band(info, 0xffff)
    if not kind then return nil, ('a type of kind %d is not known'):format(band(rshift(info, 24), 31)) end
    local tail = tail_words[kind] and tail_words[kind](count) or 0
    at = at + 12 + 4 * tail
    if at > stop then return nil, 'its types are cut off' end
    -- Some kinds have a size, the others a type; both are told.
    local one = { kind = kind, name = name_at(words[0]), bytes = words[2], type = words[2] }
    if readers[kind] then readers[kind](one, words + 3, count, band(rshift(info, 31), 1) == 1, name_at) end
    self.all[#self.all + 1] = one
    one.id = #self.all
  end
  return self
end

--- The type behind its typedefs and qualifiers; nil when there is none.
---@param id integer
---@return table|nil type
function Types:resolve(id)
  for _ = 1, 64 do
    local one = self.all[id]
    if not one or not qualifiers[one.kind] then return one end
    id = one.type
  end
  return nil
end

--- How many bytes one has; nil for what has none.
---@param id integer
---@param depth integer|nil
---@return integer|nil
function Types:bytes_of(id, depth)
  local one = self:resolve(id)
  depth = depth or 0
  if not one or depth > 32 then return nil end
  if one.kind == 'pointer' then return 8 end
  if one.kind == 'array' then
    local each = self:bytes_of(one.of, depth + 1)
    return each and each * one.count
  end
  if one.kind == 'variable' then return self:bytes_of(one.type, depth + 1) end
  return one.members and one.bytes or (one.kind == 'int' or one.kind == 'enum' or one.kind == 'float') and one.bytes
    or nil
end

--- 'struct event', 'enum mode', 'u32': how C says it.
---@param id integer
---@return string
function Types:describe(id)
  local one = self.all[id]
  if not one then return 'void' end
  if one.kind == 'array' then return ('%s[%d]'):format(self:describe(one.of), one.count) end
  if one.kind == 'pointer' then return self:describe(one.type) .. ' *' end
  if qualifiers[one.kind] and one.kind ~= 'typedef' then return self:describe(one.type) end
  if one.kind == 'struct' or one.kind == 'union' or one.kind == 'enum' then
    return one.kind .. ' ' .. (one.name ~= '' and one.name or '{ ... }')
  end
  return one.name
end

--- A type by its name: 'struct event', 'union u', 'enum mode', 'my_t'; without a word a struct, or any.
---@param name string
---@return integer|nil id
function Types:find(name)
  local kind, bare = name:match '^(%l+)%s+([%w_]+)$'
  bare = bare or name
  local any
  for id, one in ipairs(self.all) do
    if one.name == bare and (not kind and (one.kind == 'struct' or one.kind == 'typedef') or one.kind == kind) then
      if one.members or kind then return id end
      any = any or id
    end
  end
  return any
end

--- Names of the structs, sorted.
---@return string[]
function Types:structs()
  local names = {}
  for _, one in ipairs(self.all) do
    if one.kind == 'struct' and one.name ~= '' then names[#names + 1] = one.name end
  end
  table.sort(names)
  return names
end

return btf
