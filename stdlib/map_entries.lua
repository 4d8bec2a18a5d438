-- SPDX-License-Identifier: Apache-2.0
--- Map entries: read and written by system calls, with keys and values as Lua has them.
---
--- Everything is checked before anything is written: sizes, kinds, ranges, names. What reads like a
--- Lua value is what stdlib/layout.lua makes of it. What the kernel refuses is nil and a message; a
--- key of another type is raised. `self` is a map's state.

local ffi = require 'ffi'
local blame = require 'moonprobe.blame'
local cpu_values = require 'moonprobe.cpu_values'
local engine = require 'moonprobe.engine'
local fields = require 'moonprobe.fields'
local job = require 'moonprobe.job'
local layout = require 'moonprobe.layout'
local map_kind = require 'moonprobe.map_kind'
local map_state = require 'moonprobe.map_state'

local map_entries = { ANY = 0, NOEXIST = 1, EXIST = 2 } -- BPF_ANY, ...

local ENOENT, E2BIG, EINVAL, ENOSPC, EOPNOTSUPP, ENOTSUPP = 2, 7, 22, 28, 95, 524
local shown = layout.shown
local arrays, of_maps, per_cpu = map_kind.arrays, map_kind.of_maps, map_kind.per_cpu

local bytes_pointer = ffi.typeof 'uint8_t *'
local room_of = ffi.typeof 'uint8_t[?]'

local function rounded(bytes) return math.ceil(bytes / 8) * 8 end

--- Keys and values as bytes.

local function encoded(self, one, value, where)
  local buffer = room_of(math.max(one.bytes, 1))
  local ok, message = layout.try(one.write, buffer, value, where)
  if not ok then return self:refused('%s', message) end
  return ffi.string(buffer, one.bytes)
end

local function key_of(self, key)
  if key == nil then self:wrong('expected a key (%s), given nothing', self.key.text) end
  local bytes, message = encoded(self, self.key, key, 'key')
  if not bytes then blame(message) end
  return bytes
end

local function decoded(self, pointer)
  if per_cpu[self.kind] then
    local values, stride = {}, rounded(self.value_bytes)
    for cpu = 0, job.cpus - 1 do values[cpu + 1] = self.value.read(ffi.cast(bytes_pointer, pointer) + cpu * stride) end
    return cpu_values.of(values)
  elseif self.kind == map_kind.STACK_TRACE then
    local addresses = {}
    local words_of = ffi.cast('const int64_t *', pointer)
    for i = 0, self.value_bytes / 8 - 1 do
      if words_of[i] == 0 then break end
      addresses[i + 1] = fields.unsigned_value(words_of[i])
    end
    return addresses
  end
  return self.value.read(pointer)
end

--- A value as the kernel takes it; nil and a message.
local function value_of(self, value)
  if of_maps[self.kind] then
    local inner = type(value) == 'table' and map_state.of(value)
    if not inner then return self:refused('value: expected a map, given %s', shown(value)) end
    return ffi.string(ffi.new('uint32_t[1]', inner:descriptor()), 4)
  elseif self.kind == map_kind.STACK_TRACE then
    return self:refused 'only programs write stacks'
  elseif not per_cpu[self.kind] then
    return encoded(self, self.value, value, 'value')
  end
  if type(value) ~= 'table' or #value ~= job.cpus then
    return self:refused('value: expected a list of %d (one %s for each CPU), given %s', job.cpus, self.value.text,
      type(value) == 'table' and ('one of %d'):format(#value) or shown(value))
  end
  local parts, pad = {}, ('\0'):rep(rounded(self.value_bytes) - self.value_bytes)
  for cpu = 1, job.cpus do
    local bytes, message = encoded(self, self.value, value[cpu], ('value[%d]'):format(cpu))
    if not bytes then return nil, message end
    parts[cpu] = bytes .. pad
  end
  return table.concat(parts)
end

local function room_for(self)
  return per_cpu[self.kind] and rounded(self.value_bytes) * job.cpus or self.value_bytes
end

--- The map that a map of maps has for a key. Not required above: it makes maps, which have entries.
local function inner_map(self, key, bytes)
  return require('moonprobe.found_map').inner(self, key, bytes)
end

--- One entry.

function map_entries.get(self, key)
  local fd, bytes = self:descriptor(), key_of(self, key)
  if of_maps[self.kind] then return inner_map(self, key, bytes) end
  local pointer, errno = engine.any_get(fd, bytes, room_for(self))
  if pointer then return decoded(self, pointer) end
  if errno == ENOENT then return nil end
  return self:failed(errno, key)
end

-- What is written before the script runs goes to the host, which takes so much of an entry (a message,
-- engine/message.h) and so much of all (engine/object_request.c), counting these for each (object_entry).
local ENTRY_BYTES, QUEUED_BYTES, QUEUED_FOR_EACH = 60000, 2 ^ 24, 160
local queued_bytes = 0

local function take_room(self, bytes)
  if bytes > ENTRY_BYTES then
    return self:refused('key and value have %d bytes; before the script runs at most %d can be written', bytes,
      ENTRY_BYTES)
  end
  if queued_bytes + bytes + QUEUED_FOR_EACH > QUEUED_BYTES then
    return self:refused('there is no room for so many entries before the script runs; a timer can write them')
  end
  queued_bytes = queued_bytes + bytes + QUEUED_FOR_EACH
  return true
end

--- Before the script runs it is kept in the map's queue.
function map_entries.set(self, key, value, flags)
  local bytes = key_of(self, key)
  -- By its bytes: an array's key may be an enum or a struct, too.
  if arrays[self.kind] and ffi.cast('const uint32_t *', bytes)[0] >= self.max_entries then
    return self:failed(E2BIG, key)
  end
  if not job.running and self.queue then
    local value_bytes, message = value_of(self, value)
    if not value_bytes then return nil, message end
    local ok, problem = take_room(self, #bytes + #value_bytes)
    if not ok then return nil, problem end
    self.queue[#self.queue + 1] = { map = self, key = bytes, value = value_bytes, flags = flags, shown = key }
    return true
  end
  local fd = self:descriptor()
  local value_bytes, message = value_of(self, value)
  if not value_bytes then return nil, message end
  local ok, errno = engine.any_set(fd, bytes, value_bytes, flags)
  if ok then return true end
  if errno == EINVAL and of_maps[self.kind] then
    return self:refused('value: expected a map of the kind and size that it was made for, given another one')
  end
  return self:failed(errno, key)
end

function map_entries.delete(self, key)
  local ok, errno = engine.any_delete(self:descriptor(), key_of(self, key))
  if ok then return true end
  return self:failed(errno, key)
end

--- Deletes it if it is there.
function map_entries.clear(self, key)
  local ok, errno = engine.any_delete(self:descriptor(), key_of(self, key))
  if ok or errno == ENOENT then return true end
  return self:failed(errno, key)
end

--- Reads and deletes, as one step.
function map_entries.take(self, key)
  local pointer, errno = engine.any_take(self:descriptor(), key_of(self, key), room_for(self))
  if pointer then return decoded(self, pointer) end
  if errno == ENOENT then return nil end
  if errno == EINVAL or errno == ENOTSUPP or errno == EOPNOTSUPP then
    return self:refused('the kernel does not look up and delete in one step here (%s); take_in_two does it in two',
      map_kind.name(self.kind))
  end
  return self:failed(errno, key)
end

--- Of a queue or a stack.

function map_entries.push(self, value)
  local fd = self:descriptor()
  local bytes, message = value_of(self, value)
  if not bytes then return nil, message end
  local ok, errno = engine.any_set(fd, nil, bytes, map_entries.ANY)
  if ok then return true end
  return self:failed(errno)
end

local function first(self, call)
  local pointer, errno = engine[call](self:descriptor(), nil, self.value_bytes)
  if pointer then return decoded(self, pointer) end
  if errno == ENOENT then return nil end
  return self:failed(errno)
end

function map_entries.pop(self) return first(self, 'any_take') end
function map_entries.peek(self) return first(self, 'any_get') end

--- All of them.

local BATCH_BYTES = 262144
local MOST_ROUNDS = 16 -- through a map that keeps starting anew

local function next_batch(self, from)
  local value_bytes = room_for(self)
  local entries = math.max(32, math.min(4096, math.floor(BATCH_BYTES / (self.key_bytes + value_bytes))))
  while true do
    local count, keys, values, following = engine.any_batch(self.fd, self.key_bytes, value_bytes, entries, from)
    if count then
      local list = {}
      keys, values = ffi.cast(bytes_pointer, keys), ffi.cast(bytes_pointer, values)
      for i = 0, count - 1 do
        list[i + 1] = { self.key.read(keys + i * self.key_bytes), decoded(self, values + i * value_bytes) }
      end
      return list, following
    end
    -- ENOSPC: one bucket of a hash has more than that.
    if keys ~= ENOSPC or entries > 1048576 then return nil, keys end
    entries = entries * 2
  end
end

--- One after the other, for kinds without batches. A key that is deleted meanwhile starts it anew: keys are
--- gathered first, and those that are known already are passed over.
local function one_by_one(self)
  local keys, seen, key = {}, {}, nil
  for _ = 0, MOST_ROUNDS * self.max_entries do
    local following, errno = engine.any_next(self.fd, key, self.key_bytes)
    if not following then
      if errno ~= ENOENT then return nil, errno end
      break
    end
    key = following
    if not seen[key] then
      seen[key] = true
      keys[#keys + 1] = key
    end
  end
  local list = {}
  for _, bytes in ipairs(keys) do
    local shown_key = self.key.read(ffi.cast('const uint8_t *', bytes))
    local value
    if of_maps[self.kind] then
      value = inner_map(self, shown_key, bytes)
    else
      local pointer = engine.any_get(self.fd, bytes, room_for(self))
      value = pointer and decoded(self, pointer)
    end
    if value ~= nil then list[#list + 1] = { shown_key, value } end
  end
  return list
end

--- A function that gives the next entries, as a list of { key, value }, in as few calls as the kernel allows; nil
--- at the end, or nil and the errno.
function map_entries.batches(self)
  self:descriptor()
  local from, ended
  -- A trie's batch begins behind a key, and at the first one again when that was deleted since.
  local no_batches = self.kind == map_kind.STACK_TRACE or self.kind == map_kind.LPM_TRIE or of_maps[self.kind]
  return function()
    if ended then return nil end
    local list, following
    if not no_batches then
      list, following = next_batch(self, from)
      if not list and (from or following ~= EINVAL and following ~= ENOTSUPP and following ~= EOPNOTSUPP) then
        return nil, following
      end
    end
    if not list then
      no_batches, ended = true, true
      return one_by_one(self)
    end
    from, ended = following, not following
    return list
  end
end

return map_entries
