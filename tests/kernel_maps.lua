-- SPDX-License-Identifier: Apache-2.0
--- Kernel maps, made of Lua tables: an aggregate's two banks and its control page, for tests of
--- what reads them. tests/engine/lua_map_test.lua does it with real ones.
---
---   local maps = kernel_maps.new { keyed = true, key_bytes = 8, ops = { ... }, cpus = 2 }
---   maps:count(0, key, { [0] = 1, 5 })      a program adds to words 0 and 1, on CPU 0
---   cells.open(maps.options)
---
--- kernel_maps.now is the clock, in ns.

local ffi = require 'ffi'
local engine = require 'moonprobe.engine'

local kernel_maps = { now = 1e12, batch = 2 }

local by_fd = {}

local Maps = {}
Maps.__index = Maps

local made = 100

---@param shape { keyed: boolean, key_bytes: integer|nil, ops: table[], note_bytes: integer|nil,
---  cpus: integer, max_entries: integer|nil }
function kernel_maps.new(shape)
  local self = setmetatable({ shape = shape, banks = { [0] = {}, {} }, calls = {} }, Maps)
  self.width = 0
  for _, op in ipairs(shape.ops) do self.width = self.width + (op.op == 'slots' and op.count or 1) end
  self.stride = self.width + (shape.note_bytes or 0) / 8
  self.control = ffi.new('uint64_t[512]')
  self.max_entries = shape.max_entries or 1e6
  local fds = {}
  for i = 1, shape.keyed and 3 or 2 do
    made = made + 1
    fds[i] = made
    by_fd[made] = { maps = self, bank = i - 1 }
  end
  self.options = { fds = fds, keyed = shape.keyed, key_bytes = shape.key_bytes, word_ops = shape.ops,
    note_bytes = shape.note_bytes or 0, cpus = shape.cpus }
  return self
end

local function values_of(self, bank, key)
  local values = self.banks[bank][key]
  if not values then
    values = ffi.new('int64_t[?]', self.stride * self.shape.cpus)
    self.banks[bank][key] = values
  end
  return values
end

--- A program's event: what each op does with the word of that index (from 0), on a CPU.
---@param cpu integer
---@param key string
---@param changes table<integer, number> amounts for 'add' and slots, raw values for 'most'
---@param options { bank: integer|nil, note: string|nil }|nil
function Maps:count(cpu, key, changes, options)
  options = options or {}
  local bank = options.bank or tonumber(self.control[0])
  local size = 0
  for _ in pairs(self.banks[bank]) do size = size + 1 end
  if not self.banks[bank][key] and size >= self.max_entries then
    self.control[1] = self.control[1] + 1
    return
  end
  local is_new = not self.banks[bank][key]
  local values = values_of(self, bank, key) + cpu * self.stride
  local at = 0
  for _, op in ipairs(self.shape.ops) do
    for _ = 1, op.op == 'slots' and op.count or 1 do
      local change = changes[at]
      if change and op.op == 'most' then
        if values[at] < change then values[at] = change end
      elseif change then
        values[at] = values[at] + change
      end
      at = at + 1
    end
  end
  if is_new and options.note then ffi.copy(values + self.width, options.note, #options.note) end
end

--- The key gives way, as in an LRU map.
function Maps:evict(key)
  self.banks[0][key], self.banks[1][key] = nil, nil
end

function Maps:size(bank)
  local size = 0
  for _ in pairs(self.banks[bank]) do size = size + 1 end
  return size
end

--- Puts the maps where the engine's are.
function kernel_maps.install()
  engine.monotonic = function() return kernel_maps.now end
  engine.wait = function(ms) kernel_maps.now = kernel_maps.now + ms * 1e6 end
  engine.map = function(fd) return by_fd[fd].maps.control end
  engine.map_unmap = function() end
  engine.map_lookup = function(fd, index)
    local self = by_fd[fd].maps
    return values_of(self, ffi.cast('const uint32_t *', index)[0], '')
  end
  engine.map_update = function(fd, index)
    local self = by_fd[fd].maps
    self.banks[ffi.cast('const uint32_t *', index)[0]] = {}
    return true
  end
  local keys, values -- alive until the next call
  engine.map_batch = function(fd, key_bytes, value_bytes, from)
    local self, bank = by_fd[fd].maps, by_fd[fd].bank
    if self.failing then return nil, 'reading a map: ' .. self.failing end
    local names = {}
    for key in pairs(self.banks[bank]) do names[#names + 1] = key end
    table.sort(names)
    from = from or 0
    local count = math.min(kernel_maps.batch, #names - from)
    keys, values = ffi.new('uint8_t[?]', count * key_bytes), ffi.new('uint8_t[?]', count * value_bytes)
    for i = 0, count - 1 do
      ffi.copy(keys + i * key_bytes, names[from + i + 1], key_bytes)
      ffi.copy(values + i * value_bytes, self.banks[bank][names[from + i + 1]], value_bytes)
    end
    return count, keys, values, from + count < #names and from + count or nil
  end
  engine.map_wipe = function(fd, text, key_bytes)
    local self, bank = by_fd[fd].maps, by_fd[fd].bank
    for at = 1, #text, key_bytes do self.banks[bank][text:sub(at, at + key_bytes - 1)] = nil end
    return true
  end
end

return kernel_maps
