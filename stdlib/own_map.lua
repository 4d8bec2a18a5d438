-- SPDX-License-Identifier: Apache-2.0
--- Own map: a BPF map of a script's own object, or one that is there already, typed by its BTF.
---
---   m[key]  m[key] = value  m[key] = nil      raise when the kernel refuses
---   m:get(key)  m:set(key, value)  ...        give nil and a message instead
---
--- What is done with its entries is stdlib/map_entries.lua's; what is known of it stdlib/map_state.lua's.

local blame = require 'moonprobe.blame'
local layout = require 'moonprobe.layout'
local lpm = require 'moonprobe.lpm'
local map_entries = require 'moonprobe.map_entries'
local map_kind = require 'moonprobe.map_kind'
local map_state = require 'moonprobe.map_state'
local mapped_array = require 'moonprobe.mapped_array'
local nearest = require 'moonprobe.nearest'

local own_map = {}

local state_of = map_state.of

local Map = {}

--- What is known of a map with keys; raises when it has none.
local function keyed(map, method)
  local self = state_of(map)
  self:check_keyed(method)
  return self
end

local function in_line(map, method)
  local self = state_of(map)
  self:check_line(method)
  return self
end

local function set(map, key, value, flags) return map_entries.set(keyed(map, 'set'), key, value, flags) end

--- A map of a script's own object, or one that is there already. `m[key]` reads an entry (nil when there is
--- none), `m[key] = value` writes one, `m[key] = nil` deletes it: what the kernel refuses is raised. A key that
--- is called like a method needs get and set.
---@class moonprobe.Map
---@field [any] any
local methods = {}

--- The value for a key; nil when it has none. Of a per-CPU map a list with a value for each CPU, and sum().
---@param key any
---@return any value
---@return string|nil message why it could not be read
function methods:get(key)
  return map_entries.get(keyed(self, 'get'), key)
end

--- Writes an entry, new or not.
---@param key any
---@param value any
---@return true|nil
---@return string|nil message why not: then nothing was written
function methods:set(key, value) return set(self, key, value, map_entries.ANY) end

--- Writes an entry that is not there yet (BPF_NOEXIST).
---@param key any
---@param value any
---@return true|nil
---@return string|nil message
function methods:insert(key, value) return set(self, key, value, map_entries.NOEXIST) end

--- Writes an entry that is there already (BPF_EXIST).
---@param key any
---@param value any
---@return true|nil
---@return string|nil message
function methods:replace(key, value) return set(self, key, value, map_entries.EXIST) end

--- Deletes an entry.
---@param key any
---@return true|nil
---@return string|nil message also when there is none
function methods:delete(key)
  return map_entries.delete(keyed(self, 'delete'), key)
end

--- The value for a key, which is deleted, as one step: what a program adds is counted either before or
--- after. Hashes can do it since Linux 5.14; where the kernel cannot, nil and a message: take_in_two() can.
---@param key any
---@return any value nil when there is none
---@return string|nil message
function methods:take(key)
  return map_entries.take(keyed(self, 'take'), key)
end

--- The same in two steps: what a program writes between them is lost.
---@param key any
---@return any value
---@return string|nil message
function methods:take_in_two(key)
  local map = keyed(self, 'take_in_two')
  local value, message = map_entries.get(map, key)
  if value == nil then return nil, message end
  local ok, problem = map_entries.delete(map, key)
  if not ok then return nil, problem end
  return value
end

--- All entries, for a loop: for key, value in m:each() do ... end. The map may change meanwhile: an
--- entry that is there all the time comes once.
---@return fun(): any, any
function methods:each()
  local map = keyed(self, 'each')
  local more, list, at = map_entries.batches(map), {}, 0
  return function()
    while at >= #list do
      local errno
      list, errno = more()
      if not list then
        if errno then map:wrong('each: %s', map:reason(errno)) end
        list, at = {}, 0
        return nil
      end
      at = 0
    end
    at = at + 1
    return list[at][1], list[at][2]
  end
end

--- All entries as a list of { key, value }, read in as few calls as the kernel allows.
---@return any[][]|nil entries
---@return string|nil message
function methods:batch()
  local map = keyed(self, 'batch')
  local all, more = {}, map_entries.batches(map)
  while true do
    local list, errno = more()
    if not list then
      if errno then return map:failed(errno) end
      return all
    end
    for _, entry in ipairs(list) do all[#all + 1] = entry end
  end
end

--- Appends to a queue, or puts on a stack.
---@param value any
---@return true|nil
---@return string|nil message
function methods:push(value)
  return map_entries.push(in_line(self, 'push'), value)
end

--- Takes the first of a queue, the last of a stack; nil when it is empty.
---@return any value
---@return string|nil message
function methods:pop()
  return map_entries.pop(in_line(self, 'pop'))
end

--- The same, and leaves it there.
---@return any value
---@return string|nil message
function methods:peek()
  return map_entries.peek(in_line(self, 'peek'))
end

--- Maps an array with BPF_F_MMAPABLE, which .data and .bss have: view[index].field reads it in place, add,
--- load and store are atomic.
---@return moonprobe.MappedArray
function methods:map()
  return mapped_array.of(state_of(self))
end

--- Adds to an integer of a mapped array, as one step: see map().
---@param index integer
---@param field string|integer
---@param amount integer|nil
---@return integer before
function methods:add(index, field, amount) return mapped_array.add(state_of(self), index, field, amount) end

--- Loads an integer of a mapped array, as one step.
---@param index integer
---@param field string|nil
---@return integer
function methods:load(index, field) return mapped_array.load(state_of(self), index, field) end

--- Stores an integer of a mapped array, as one step.
---@param index integer
---@param field string|integer
---@param value integer|nil
function methods:store(index, field, value) mapped_array.store(state_of(self), index, field, value) end

Map.__index = function(map, key)
  if type(key) == 'string' and methods[key] then return methods[key] end
  local self = state_of(map)
  if not map_kind.keyed[self.kind] and type(key) == 'string' then
    local names = {}
    for name in pairs(methods) do names[#names + 1] = name end
    local near = nearest(key, names)
    self:wrong("has no method '%s'%s", key, near and ("; did you mean '%s'?"):format(near) or '')
  end
  self:check_keyed '[]'
  local value, message = map_entries.get(self, key)
  if message then blame(message) end
  return value
end

Map.__newindex = function(map, key, value)
  local self = state_of(map)
  if type(key) == 'string' and methods[key] then
    self:wrong("'%s' is a method's name: use set or delete for such a key", key)
  end
  self:check_keyed '[]'
  local ok, message
  if value == nil then
    ok, message = map_entries.clear(self, key)
  else
    ok, message = map_entries.set(self, key, value, map_entries.ANY)
  end
  if not ok then blame(message) end
end

Map.__tostring = function(map) return ('map %s'):format(state_of(map).name) end

--- A layout by type; without a type an integer, or bytes.
local function typed(types, id, bytes)
  if types and id > 0 then return layout.of(types, id) end
  if bytes == 0 then return layout.raw(0) end
  if bytes == 1 or bytes == 2 or bytes == 4 or bytes == 8 then return layout.integer(bytes) end
  return layout.raw(bytes)
end

--- A map by what the object or the kernel says of it: { name, kind, key_bytes, value_bytes, max_entries,
--- flags, key_type, value_type }.
---@param one table
---@param types table|nil the BTF that its types are of
---@return moonprobe.Map|nil
---@return string|nil message
function own_map.new(one, types)
  local self = { name = one.name, kind = one.kind, key_bytes = one.key_bytes, value_bytes = one.value_bytes,
    max_entries = one.max_entries, flags = one.flags, types = types }
  local message
  if one.kind == map_kind.LPM_TRIE then
    self.key = lpm.layout(one.key_bytes)
  else
    self.key, message = typed(types, one.key_type, one.key_bytes)
  end
  if self.key and not message then self.value, message = typed(types, one.value_type, one.value_bytes) end
  if not self.key or not self.value then
    return nil, ('map %s: %s'):format(one.name, message)
  end
  for what, of in pairs { key = self.key, value = self.value } do
    local bytes = one[what .. '_bytes']
    local any_size = map_kind.of_maps[one.kind] or one.kind == map_kind.STACK_TRACE or one.kind == map_kind.RING
    if of.bytes ~= bytes and not any_size then
      return nil, ('map %s: its %s is %s of %d bytes by its types, and has %d bytes'):format(one.name, what, of.text,
        of.bytes, bytes)
    end
  end
  return map_state.public(self, Map)
end

--- What an object says of one of its maps; writes are kept in `queue` until the script runs.
---@param one table as engine.object gives it
---@param types table
---@param queue table
---@param where { object: integer, index: integer } for the host
---@return moonprobe.Map|nil
---@return string|nil message
function own_map.declared(one, types, queue, where)
  local made, message = own_map.new(one, types)
  if not made then return nil, message end
  local self = state_of(made)
  self.queue, self.object, self.index = queue, where.object, where.index
  return made
end

--- The kernel's map, for one that was declared: name, kind, key_bytes, value_bytes, max_entries, flags, ...
---@param map moonprobe.Map
---@param message table
---@param at integer where its name is in the message
---@param fd integer
---@return string|nil problem
function own_map.attach(map, message, at, fd)
  local self = state_of(map)
  local key_bytes, value_bytes = message[at + 2], message[at + 3]
  if key_bytes ~= self.key_bytes or value_bytes ~= self.value_bytes then
    return ('map %s: in the kernel its key has %d bytes and its value %d, in the object %d and %d'):format(self.name,
      key_bytes, value_bytes, self.key_bytes, self.value_bytes)
  end
  self.kind, self.max_entries, self.flags, self.fd = message[at + 1], message[at + 4], message[at + 5], fd
  return nil
end

return own_map
