-- SPDX-License-Identifier: Apache-2.0
--- Mapped array: an array with BPF_F_MMAPABLE in the worker's memory. Reading and writing is no system call;
--- integers are added to, loaded and stored as one step (engine/atomic.h).
---
--- `self` is a map's state (stdlib/map_state.lua).

local ffi = require 'ffi'
local bit = require 'bit'
local engine = require 'moonprobe.engine'
local fields = require 'moonprobe.fields'
local layout = require 'moonprobe.layout'
local map_kind = require 'moonprobe.map_kind'

local mapped_array = {}

local MMAPABLE = 1024 -- BPF_F_MMAPABLE
local shown = layout.shown
local bytes_pointer = ffi.typeof 'uint8_t *'

local function rounded(bytes) return math.ceil(bytes / 8) * 8 end

local Mapped = {}
local views = setmetatable({}, { __mode = 'k' }) -- [view] = { map, memory }

local function mapped(self)
  if self.memory then return self.memory end
  local fd = self:descriptor()
  if self.kind ~= map_kind.ARRAY or bit.band(self.flags, MMAPABLE) == 0 then
    self:wrong('cannot be mapped: expected an array with BPF_F_MMAPABLE in its map_flags, given %s',
      self.kind == map_kind.ARRAY and 'an array without it' or 'a map of another kind')
  end
  local memory, message = engine.map(fd, rounded(self.value_bytes) * self.max_entries)
  if not memory then self:wrong('cannot be mapped: %s', message) end
  self.memory = ffi.cast(bytes_pointer, memory)
  return self.memory
end

local function place_of(self, index)
  local memory = mapped(self)
  if type(index) ~= 'number' or index ~= math.floor(index) or index < 0 or index >= self.max_entries then
    self:wrong('expected an index from 0 to %.0f, given %s', self.max_entries - 1, shown(index))
  end
  return memory + index * rounded(self.value_bytes)
end

--- The integer at a field of an entry, and where it is.
local function integer_at(self, method, index, path, least)
  local at = place_of(self, index)
  local ok, one, offset = pcall(layout.field, self.value, path)
  if not ok then self:wrong('%s: %s', method, tostring(one)) end
  if one.kind ~= 'integer' or one.bytes < least then
    self:wrong('%s: field %s: expected an integer of %s bytes, given %s', method, path or 'value',
      least == 4 and '4 or 8' or '1 to 8', one.text)
  end
  if offset % one.bytes ~= 0 then self:wrong('%s: field %s is not aligned', method, path) end
  return at + offset, one
end

local function as_read(one, value)
  if one.bytes == 8 then return (one.is_signed and fields.signed_value or fields.unsigned_value)(value) end
  value = tonumber(value)
  return value < 0 and not one.is_signed and value + 2 ^ (8 * one.bytes) or value
end

function mapped_array.add(self, index, path, amount)
  if type(path) ~= 'string' and amount == nil then path, amount = nil, path end
  local at, one = integer_at(self, 'add', index, path, 4)
  local raw = layout.integer_bits(amount, 8 * one.bytes, true) or layout.integer_bits(amount, 8 * one.bytes, false)
  if not raw then
    self:wrong('add: field %s: expected an integer (%s), given %s', path or 'value', one.text, shown(amount))
  end
  return as_read(one, ffi.C.atomic_field_add(at, one.bytes, raw))
end

function mapped_array.load(self, index, path)
  local at, one = integer_at(self, 'load', index, path, 1)
  return as_read(one, ffi.C.atomic_field_load(at, one.bytes))
end

function mapped_array.store(self, index, path, value)
  if type(path) ~= 'string' and value == nil then path, value = nil, path end
  local at, one = integer_at(self, 'store', index, path, 1)
  local raw = layout.integer_bits(value, 8 * one.bytes, one.is_signed)
  if not raw then
    self:wrong('store: field %s: expected an integer from %s (%s), given %s', path or 'value',
      layout.range_of(8 * one.bytes, one.is_signed), one.text, shown(value))
  end
  ffi.C.atomic_field_store(at, one.bytes, raw)
end

local function view_at(self, index)
  local at = place_of(self, index)
  if self.value.by_name then return ffi.cast(layout.view(self.value), at) end
  return self.value.read(at)
end

--- A mapped array: reading and writing it is a load and a store, no system call.
---@class moonprobe.MappedArray
---@field [integer] any
local mapped_methods = {}

--- Adds to an integer of 4 or 8 bytes, as one step, as programs do it.
---@param index integer from 0
---@param field string|integer its path, as 'hits' or 'at.port'; left out when the value is an integer
---@param amount integer|nil
---@return integer before
function mapped_methods:add(index, field, amount)
  return mapped_array.add(views[self], index, field, amount)
end

--- Loads an integer, as one step.
---@param index integer
---@param field string|nil
---@return integer value
function mapped_methods:load(index, field)
  return mapped_array.load(views[self], index, field)
end

--- Stores an integer, as one step.
---@param index integer
---@param field string|integer
---@param value integer|nil
function mapped_methods:store(index, field, value)
  mapped_array.store(views[self], index, field, value)
end

Mapped.__index = function(view, index)
  if type(index) == 'string' and mapped_methods[index] then return mapped_methods[index] end
  return view_at(views[view], index)
end
Mapped.__newindex = function(view) views[view]:wrong('fields of a mapped array are stored with store and add') end

--- The view of a map.
---@param self table
---@return moonprobe.MappedArray
function mapped_array.of(self)
  mapped(self)
  if not self.view then
    self.view = setmetatable({}, Mapped)
    views[self.view] = self
  end
  return self.view
end

return mapped_array
