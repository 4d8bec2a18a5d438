-- SPDX-License-Identifier: Apache-2.0
--- Own map: a BPF map of a script's own object, or one that is there already, typed by its BTF.
---
---   m[key]  m[key] = value  m[key] = nil      raise when the kernel refuses
---   m:get(key)  m:set(key, value)  ...        give nil and a message instead
---
--- Everything is checked before anything is written: sizes, kinds, ranges, names. What reads like a
--- Lua value is what stdlib/layout.lua makes of it.

local ffi = require 'ffi'
local blame = require 'moonprobe.blame'
local engine = require 'moonprobe.engine'
local fields = require 'moonprobe.fields'
local host = require 'moonprobe.host'
local job = require 'moonprobe.job'
local layout = require 'moonprobe.layout'
local nearest = require 'moonprobe.nearest'
local cpu_values = require 'moonprobe.cpu_values'
local lpm = require 'moonprobe.lpm'
local mapped_array = require 'moonprobe.mapped_array'
local stream = require 'moonprobe.stream'

local own_map = {}

local STATE = {} -- where a map keeps what it is: a key no script has
local shown, try = layout.shown, layout.try

-- enum bpf_map_type
local HASH, ARRAY, PERCPU_HASH, PERCPU_ARRAY, STACK_TRACE, LRU_HASH, LRU_PERCPU_HASH, LPM_TRIE, ARRAY_OF_MAPS,
  HASH_OF_MAPS, QUEUE, STACK, RING = 1, 2, 5, 6, 7, 9, 10, 11, 12, 13, 22, 23, 27

local words = {
  [HASH] = 'hash', [ARRAY] = 'array', [3] = 'array of programs', [4] = 'perf event array',
  [PERCPU_HASH] = 'per-CPU hash', [PERCPU_ARRAY] = 'per-CPU array', [STACK_TRACE] = 'stack trace map',
  [8] = 'cgroup array', [LRU_HASH] = 'LRU hash', [LRU_PERCPU_HASH] = 'per-CPU LRU hash', [LPM_TRIE] = 'LPM trie',
  [ARRAY_OF_MAPS] = 'array of maps', [HASH_OF_MAPS] = 'hash of maps', [19] = 'cgroup storage',
  [QUEUE] = 'queue', [STACK] = 'stack', [24] = 'socket storage', [RING] = 'ring', [29] = 'task storage',
  [30] = 'bloom filter', [31] = 'user ring',
}

local per_cpu = { [PERCPU_HASH] = true, [PERCPU_ARRAY] = true, [LRU_PERCPU_HASH] = true }
local arrays = { [ARRAY] = true, [PERCPU_ARRAY] = true, [ARRAY_OF_MAPS] = true }
local of_maps = { [ARRAY_OF_MAPS] = true, [HASH_OF_MAPS] = true }
local in_line = { [QUEUE] = true, [STACK] = true }
local keyed = { [HASH] = true, [ARRAY] = true, [PERCPU_HASH] = true, [PERCPU_ARRAY] = true, [STACK_TRACE] = true,
  [LRU_HASH] = true, [LRU_PERCPU_HASH] = true, [LPM_TRIE] = true, [ARRAY_OF_MAPS] = true, [HASH_OF_MAPS] = true }

local ANY, NOEXIST, EXIST = 0, 1, 2 -- BPF_ANY, ...
local EPERM, ENOENT, E2BIG, ENOMEM, EEXIST, EINVAL, ENOSPC, EOPNOTSUPP, ENOTSUPP = 1, 2, 7, 12, 17, 22, 28, 95, 524

local bytes_pointer = ffi.typeof 'uint8_t *'
local room_of = ffi.typeof 'uint8_t[?]'

local function rounded(bytes) return math.ceil(bytes / 8) * 8 end

local Map = {}

--- What a map is called in messages.
local function named(self) return ('map %s'):format(self.name) end

local function wrong(self, format, ...)
  blame('%s: %s', named(self), format:format(...))
end

--- The descriptor; raises before the script runs.
local function fd_of(self)
  if self.fd and job.running then return self.fd end
  if self.absent then wrong(self, '%s', self.absent) end
  if not host.receive then wrong(self, 'is not there: a test has no kernel') end -- stdlib/testing/realm.lua
  wrong(self, 'can be read once the script runs: in a handler, a timer, mp.finally')
end

local function check_kind(self, kinds, method)
  if kinds[self.kind] then return end
  blame('%s: %s: a %s has no keys%s', named(self), method, words[self.kind] or 'map of this kind',
    in_line[self.kind] and '; push, pop and peek are for it' or self.kind == RING and '; object:ring is for it' or '')
end

--- A key as bytes; raises.
local function encoded(self, one, value, where)
  local buffer = room_of(math.max(one.bytes, 1))
  local ok, message = try(one.write, buffer, value, where)
  if not ok then return nil, ('%s: %s'):format(named(self), message) end
  return ffi.string(buffer, one.bytes)
end

local function key_of(self, key)
  if key == nil then wrong(self, 'expected a key (%s), given nothing', self.key.text) end
  local bytes, message = encoded(self, self.key, key, 'key')
  if not bytes then blame(message) end
  return bytes
end

local function key_text(key)
  if type(key) ~= 'table' then return shown(key) end
  local parts = {}
  for name, value in pairs(key) do parts[#parts + 1] = ('%s = %s'):format(tostring(name), shown(value)) end
  table.sort(parts)
  return '{ ' .. table.concat(parts, ', ') .. ' }'
end

--- What an errno of a map's call means.
local function reason(self, errno, key)
  if errno == E2BIG and arrays[self.kind] then
    return ('key %s is outside of the array: expected 0 to %.0f'):format(key_text(key), self.max_entries - 1)
  elseif errno == E2BIG or errno == ENOSPC then
    return ('is full: it has room for %.0f entries (max_entries)'):format(self.max_entries)
  elseif errno == ENOENT then
    return ('has no key %s'):format(key_text(key))
  elseif errno == EEXIST then
    return arrays[self.kind] and 'entries of an array exist always' or ('has the key %s already'):format(key_text(key))
  elseif errno == EPERM then
    return 'may not be written from here: it is frozen, or made for programs only'
  elseif errno == ENOMEM then
    return 'the kernel has no memory for it'
  elseif errno == EINVAL and arrays[self.kind] then
    return 'entries of an array cannot be deleted; set them to 0'
  elseif errno == ENOTSUPP or errno == EOPNOTSUPP or errno == EINVAL then
    return ('the kernel does not do that with a %s'):format(words[self.kind] or 'map of this kind')
  end
  return engine.errno_name(errno) or tostring(errno)
end

local function failed(self, errno, key)
  return nil, ('%s: %s'):format(named(self), reason(self, errno, key))
end

--- Values.

local function decoded(self, pointer)
  if per_cpu[self.kind] then
    local values, stride = {}, rounded(self.value_bytes)
    for cpu = 0, job.cpus - 1 do values[cpu + 1] = self.value.read(ffi.cast(bytes_pointer, pointer) + cpu * stride) end
    return cpu_values.of(values)
  elseif self.kind == STACK_TRACE then
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

--- A value as bytes, as the kernel takes it; nil and a message.
local function value_of(self, value)
  if of_maps[self.kind] then
    local inner = type(value) == 'table' and rawget(value, STATE)
    if not inner then return nil, ('%s: value: expected a map, given %s'):format(named(self), shown(value)) end
    local fd = fd_of(inner)
    return ffi.string(ffi.new('uint32_t[1]', fd), 4)
  elseif self.kind == STACK_TRACE then
    return nil, ('%s: only programs write stacks'):format(named(self))
  elseif not per_cpu[self.kind] then
    return encoded(self, self.value, value, 'value')
  end
  if type(value) ~= 'table' or #value ~= job.cpus then
    return nil, ('%s: value: expected a list of %d (one %s for each CPU), given %s'):format(named(self), job.cpus,
      self.value.text, type(value) == 'table' and ('one of %d'):format(#value) or shown(value))
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

local asked, asked_since = 0, 0

--- Asks the host, which limits how often.
local function ask(name, answer, ...)
  if engine.monotonic() - asked_since > 1e9 then asked, asked_since = 0, engine.monotonic() end
  asked = asked + 1
  if asked > 1000 then engine.wait(2, nil) end
  host.send(name, ...)
  while true do
    local reply = engine.receive()
    if not reply then error('the host is gone', 0) end
    if reply[1] == answer then return reply end
    host.keep(reply)
  end
end

local new

--- The map that a map of maps has for a key. The host opens it: we may not.
local function inner_map(self, key, bytes)
  local reply = ask('inner', 'inner', self.object, self.index, bytes)
  if #reply.fds == 0 then
    if reply[2] == 'No such file or directory' then return nil end
    return nil, ('%s: its map for %s: %s'):format(named(self), key_text(key), reply[2])
  end
  local made, message = own_map.described(('%s[%s]'):format(self.name, key_text(key)), reply, 2, self.types)
  if not made then return nil, message end
  return made
end

local function get(self, key)
  local fd, bytes = fd_of(self), key_of(self, key)
  if of_maps[self.kind] then return inner_map(self, key, bytes) end
  local pointer, errno = engine.any_get(fd, bytes, room_for(self))
  if pointer then return decoded(self, pointer) end
  if errno == ENOENT then return nil end
  return failed(self, errno, key)
end

local function set(self, key, value, flags)
  check_kind(self, keyed, 'set')
  local bytes = key_of(self, key)
  if arrays[self.kind] and key >= self.max_entries then return failed(self, E2BIG, key) end
  if not job.running and self.queue then
    local value_bytes, message = value_of(self, value)
    if not value_bytes then return nil, message end
    self.queue[#self.queue + 1] = { map = self, key = bytes, value = value_bytes, flags = flags, shown = key }
    return true
  end
  local fd = fd_of(self)
  local value_bytes, message = value_of(self, value)
  if not value_bytes then return nil, message end
  local ok, errno = engine.any_set(fd, bytes, value_bytes, flags)
  if ok then return true end
  return failed(self, errno, key)
end

local function delete(self, key)
  check_kind(self, keyed, 'delete')
  local ok, errno = engine.any_delete(fd_of(self), key_of(self, key))
  if ok then return true end
  return failed(self, errno, key)
end

--- Reading all of it.

local BATCH_BYTES = 262144

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

--- One after the other, for kinds without batches. A key that is deleted meanwhile would start it anew:
--- keys are gathered first.
local function entries_one_by_one(self)
  local keys, seen, key = {}, {}, nil
  while #keys <= self.max_entries do
    local following, errno = engine.any_next(self.fd, key, self.key_bytes)
    if not following then
      if errno ~= ENOENT then return nil, errno end
      break
    end
    if seen[following] then break end
    seen[following], key = true, following
    keys[#keys + 1] = following
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

local function batches(self)
  local from, ended
  local no_batches = self.kind == STACK_TRACE or of_maps[self.kind]
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
      return entries_one_by_one(self)
    end
    from, ended = following, not following
    return list
  end
end

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
  local map = rawget(self, STATE)
  check_kind(map, keyed, 'get')
  return get(map, key)
end

--- Writes an entry, new or not.
---@param key any
---@param value any
---@return true|nil
---@return string|nil message why not: then nothing was written
function methods:set(key, value) return set(rawget(self, STATE), key, value, ANY) end

--- Writes an entry that is not there yet (BPF_NOEXIST).
---@param key any
---@param value any
---@return true|nil
---@return string|nil message
function methods:insert(key, value) return set(rawget(self, STATE), key, value, NOEXIST) end

--- Writes an entry that is there already (BPF_EXIST).
---@param key any
---@param value any
---@return true|nil
---@return string|nil message
function methods:replace(key, value) return set(rawget(self, STATE), key, value, EXIST) end

--- Deletes an entry.
---@param key any
---@return true|nil
---@return string|nil message also when there is none
function methods:delete(key) return delete(rawget(self, STATE), key) end

--- The value for a key, which is deleted, as one step: what a program adds is counted either before or
--- after. Hashes can do it since Linux 5.14; where the kernel cannot, nil and a message: take_in_two() can.
---@param key any
---@return any value nil when there is none
---@return string|nil message
function methods:take(key)
  local self_map = rawget(self, STATE)
  check_kind(self_map, keyed, 'take')
  local pointer, errno = engine.any_take(fd_of(self_map), key_of(self_map, key), room_for(self_map))
  if pointer then return decoded(self_map, pointer) end
  if errno == ENOENT then return nil end
  if errno == EINVAL or errno == ENOTSUPP or errno == EOPNOTSUPP then
    return nil, ('%s: the kernel does not look up and delete in one step here (%s); take_in_two does it in two')
      :format(named(self_map), words[self_map.kind])
  end
  return failed(self_map, errno, key)
end

--- The same in two steps: what a program writes between them is lost.
---@param key any
---@return any value
---@return string|nil message
function methods:take_in_two(key)
  local map = rawget(self, STATE)
  check_kind(map, keyed, 'take_in_two')
  local value, message = get(map, key)
  if value == nil then return nil, message end
  local ok, problem = delete(map, key)
  if not ok then return nil, problem end
  return value
end

--- All entries, for a loop: for key, value in m:each() do ... end. The map may change meanwhile: an
--- entry that is there all the time comes once.
---@return fun(): any, any
function methods:each()
  local map = rawget(self, STATE)
  check_kind(map, keyed, 'each')
  fd_of(map)
  local more, list, at = batches(map), {}, 0
  return function()
    while at >= #list do
      local errno
      list, errno = more()
      if not list then
        if errno then wrong(map, 'each: %s', reason(map, errno)) end
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
  local map = rawget(self, STATE)
  check_kind(map, keyed, 'batch')
  fd_of(map)
  local all, more = {}, batches(map)
  while true do
    local list, errno = more()
    if not list then
      if errno then return failed(map, errno) end
      return all
    end
    for _, entry in ipairs(list) do all[#all + 1] = entry end
  end
end

local function check_line(map, method)
  if not in_line[map.kind] then wrong(map, '%s: expected a queue or a stack, given: %s', method, words[map.kind]) end
end

--- Appends to a queue, or puts on a stack.
---@param value any
---@return true|nil
---@return string|nil message
function methods:push(value)
  local map = rawget(self, STATE)
  check_line(map, 'push')
  local fd = fd_of(map)
  local bytes, message = value_of(map, value)
  if not bytes then return nil, message end
  local ok, errno = engine.any_set(fd, nil, bytes, ANY)
  if ok then return true end
  return failed(map, errno)
end

local function take_line(map, call)
  local pointer, errno = engine[call](fd_of(map), nil, map.value_bytes)
  if pointer then return decoded(map, pointer) end
  if errno == ENOENT then return nil end
  return failed(map, errno)
end

--- Takes the first of a queue, the last of a stack; nil when it is empty.
---@return any value
---@return string|nil message
function methods:pop()
  check_line(rawget(self, STATE), 'pop')
  return take_line(rawget(self, STATE), 'any_take')
end

--- The same, and leaves it there.
---@return any value
---@return string|nil message
function methods:peek()
  check_line(rawget(self, STATE), 'peek')
  return take_line(rawget(self, STATE), 'any_get')
end

--- Maps an array with BPF_F_MMAPABLE, which .data and .bss have: view[index].field reads it in place, add,
--- load and store are atomic.
---@return moonprobe.MappedArray
function methods:map()
  return mapped_array.of(rawget(self, STATE))
end

--- Adds to an integer of a mapped array, as one step: see map().
---@param index integer
---@param field string|integer
---@param amount integer|nil
---@return integer before
function methods:add(index, field, amount) return mapped_array.add(rawget(self, STATE), index, field, amount) end

--- Loads an integer of a mapped array, as one step.
---@param index integer
---@param field string|nil
---@return integer
function methods:load(index, field) return mapped_array.load(rawget(self, STATE), index, field) end

--- Stores an integer of a mapped array, as one step.
---@param index integer
---@param field string|integer
---@param value integer|nil
function methods:store(index, field, value) mapped_array.store(rawget(self, STATE), index, field, value) end

Map.__index = function(map, key)
  if type(key) == 'string' and methods[key] then return methods[key] end
  local self = rawget(map, STATE)
  if not keyed[self.kind] and type(key) == 'string' then
    local names = {}
    for name in pairs(methods) do names[#names + 1] = name end
    local near = nearest(key, names)
    wrong(self, "has no method '%s'%s", key, near and ("; did you mean '%s'?"):format(near) or '')
  end
  check_kind(self, keyed, '[]')
  local value, message = get(self, key)
  if message then blame(message) end
  return value
end

Map.__newindex = function(map, key, value)
  local self = rawget(map, STATE)
  if type(key) == 'string' and methods[key] then
    wrong(self, "'%s' is a method's name: use set or delete for such a key", key)
  end
  check_kind(self, keyed, '[]')
  local ok, message, errno
  if value == nil then
    local fd, bytes = fd_of(self), key_of(self, key)
    ok, errno = engine.any_delete(fd, bytes)
    if not ok and errno == ENOENT then return end
    message = not ok and ('%s: %s'):format(named(self), reason(self, errno, key))
  else
    ok, message = set(self, key, value, ANY)
  end
  if not ok then blame(message) end
end

Map.__tostring = function(map) return ('map %s'):format(rawget(map, STATE).name) end

--- A layout by type; without a type an integer, or bytes.
local function typed(types, id, bytes)
  if types and id > 0 then return layout.of(types, id) end
  if bytes == 0 then return layout.raw(0) end
  if bytes == 1 or bytes == 2 or bytes == 4 or bytes == 8 then return layout.integer(bytes) end
  return layout.raw(bytes)
end

--- A map by what the object or the kernel says of it: { name, kind, key_bytes, value_bytes, max_entries,
--- flags, key_type, value_type }.
---@return moonprobe.Map|nil
---@return string|nil message
function new(one, types)
  local self = { name = one.name, kind = one.kind, key_bytes = one.key_bytes, value_bytes = one.value_bytes,
    max_entries = one.max_entries, flags = one.flags, types = types,
    wrong = wrong, descriptor = fd_of } -- for mapped_array.lua
  local message
  if one.kind == LPM_TRIE then
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
    if of.bytes ~= bytes and not of_maps[one.kind] and one.kind ~= STACK_TRACE and one.kind ~= RING then
      return nil, ('map %s: its %s is %s of %d bytes by its types, and has %d bytes'):format(one.name, what, of.text,
        of.bytes, bytes)
    end
  end
  return setmetatable({ [STATE] = self }, Map)
end

--- What an object says of one of its maps; writes are kept in `queue` until the script runs.
---@param one table as engine.object gives it
---@param types table
---@param queue table
---@param where { object: integer, index: integer } for the host
---@return moonprobe.Map|nil
---@return string|nil message
function own_map.declared(one, types, queue, where)
  local made, message = new(one, types)
  if not made then return nil, message end
  local self = rawget(made, STATE)
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
  local self = rawget(map, STATE)
  local key_bytes, value_bytes = message[at + 2], message[at + 3]
  if key_bytes ~= self.key_bytes or value_bytes ~= self.value_bytes then
    return ('map %s: in the kernel its key has %d bytes and its value %d, in the object %d and %d'):format(self.name,
      key_bytes, value_bytes, self.key_bytes, self.value_bytes)
  end
  self.kind, self.max_entries, self.flags, self.fd = message[at + 1], message[at + 4], message[at + 5], fd
  return nil
end

local descriptors = setmetatable({}, { __mode = 'k' })

--- A map that the host has opened: by pin or id, or in a map of maps. Its types are its own, else `types`.
---@param name string
---@param message table
---@param at integer where the kernel's name for it is
---@param types table|nil
---@param keep boolean|nil its descriptor stays open for good
---@return moonprobe.Map|nil
---@return string|nil problem
function own_map.described(name, message, at, types, keep)
  local fd = message.fds[1]
  local one = { name = name, kind = message[at + 1], key_bytes = message[at + 2], value_bytes = message[at + 3],
    max_entries = message[at + 4], flags = message[at + 5], key_type = message[at + 6], value_type = message[at + 7] }
  if message.fds[2] then
    types = assert(require('moonprobe.btf').parse(engine.read(message.fds[2])))
  end
  if not types then one.key_type, one.value_type = 0, 0 end
  local made, problem = new(one, types)
  if not made then
    engine.close(fd)
    return nil, problem
  end
  local self = rawget(made, STATE)
  self.fd = fd
  if not keep then
    descriptors[made] = ffi.gc(ffi.new('int[1]', fd), function(held) engine.close(held[0]) end)
    self.held = descriptors[made]
  end
  return made
end

local found = 0

--- In the place of one where nothing of the kernel is looked at.
local function absent(name)
  return setmetatable({ [STATE] = { name = name, kind = HASH, key = layout.raw(0), value = layout.raw(0),
    absent = 'is not opened here: nothing of the kernel is' } }, Map)
end

--- A map that is there already, by where it is pinned or by its id (bpftool map). It needs --allow object.
--- Its types are those it was made with; without any, keys and values of 1, 2, 4 and 8 bytes are integers, others
--- strings of bytes.
---@param which { pin: string|nil, id: integer|nil }
---@return moonprobe.Map
function own_map.open(which)
  if not job.allowed.object then
    blame("map: 'object' is not granted to this script: any map of the machine; run it with --allow object")
  end
  if type(which) ~= 'table' or (which.pin == nil) == (which.id == nil) then
    blame('map: needs { pin = path } or { id = number }')
  end
  for name in pairs(which) do
    if name ~= 'pin' and name ~= 'id' then blame("map: '%s' is neither pin nor id", tostring(name)) end
  end
  if which.pin ~= nil and type(which.pin) ~= 'string' then blame('map: pin: needs a path') end
  if which.id ~= nil and not (type(which.id) == 'number' and which.id >= 0 and which.id == math.floor(which.id)) then
    blame('map: id: needs a number')
  end
  local name = which.pin or ('id %d'):format(which.id)
  if job.check or job.replay or job.test then return absent(name) end
  if stream.frozen then blame('map %s: maps are opened while the script is loaded', name) end
  local reply = ask('map', 'found', which.pin and 'pin' or 'id', which.pin or which.id)
  if #reply.fds == 0 and reply[2] == 'offline' then return absent(name) end
  if #reply.fds == 0 then
    blame('map %s: %s', name, reply[2] == 'No such file or directory'
      and 'there is none; bpftool map shows all with their ids and pins' or reply[2])
  end
  local made, problem = own_map.described(name, reply, 2, nil, true)
  if not made then blame(problem) end
  local self = rawget(made, STATE)
  self.object, self.index = -1, found
  found = found + 1
  return made
end

--- Of a map, for what the stdlib does with it.
---@param map moonprobe.Map
---@return table
function own_map.state(map) return rawget(map, STATE) end

---@param kind integer enum bpf_map_type
---@return string
function own_map.kind_name(kind) return words[kind] or ('map of kind %d'):format(kind) end

own_map.RING = RING

return own_map
