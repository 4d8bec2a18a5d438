-- SPDX-License-Identifier: Apache-2.0
--- Rows: 64-bit words by key, in two pieces of memory that grow: for many keys there are no
--- tables to collect, and they are handed over as two strings.

local ffi = require 'ffi'

local rows = {}

local int64s, bytes = ffi.typeof 'int64_t[?]', ffi.typeof 'uint8_t[?]'

local Rows = {}
Rows.__index = Rows

---@param key_bytes integer
---@param words integer of a row
function rows.new(key_bytes, words)
  local self = setmetatable({ key_bytes = key_bytes, width = words, capacity = 0 }, Rows)
  self:clear()
  return self
end

function Rows:clear()
  self.index, self.count = {}, 0
end

local function grow(self)
  local capacity = math.max(16, self.capacity * 2)
  local keys, words = bytes(capacity * self.key_bytes), int64s(capacity * self.width)
  if self.count > 0 then
    ffi.copy(keys, self.keys, self.count * self.key_bytes)
    ffi.copy(words, self.words, self.count * self.width * 8)
  end
  self.keys, self.words, self.capacity = keys, words, capacity
end

--- The words of a key; nil when it is not there. Valid until the next put().
---@param key string
---@return ffi.cdata*|nil int64_t *
function Rows:get(key)
  local at = self.index[key]
  return at and self.words + at * self.width
end

--- The words of a key, to be filled; it is made when it is not there.
---@param key string
---@return ffi.cdata* int64_t *
function Rows:put(key)
  local at = self.index[key]
  if not at then
    if self.count == self.capacity then grow(self) end
    at = self.count
    self.index[key], self.count = at, at + 1
    ffi.copy(self.keys + at * self.key_bytes, key, self.key_bytes)
  end
  return self.words + at * self.width
end

--- Leaves only the keys that another one has, too.
---@param other table Rows of the same keys
function Rows:retain(other)
  local index, words = self.index, self.words
  self.capacity = 0
  self:clear()
  for key, at in pairs(index) do
    if other.index[key] then ffi.copy(self:put(key), words + at * self.width, self.width * 8) end
  end
end

--- All keys, one after the other.
---@return string
function Rows:key_text()
  return self.count > 0 and ffi.string(self.keys, self.count * self.key_bytes) or ''
end

---@return { count: integer, keys: string, words: string }
function Rows:save()
  local words = self.count > 0 and ffi.string(self.words, self.count * self.width * 8) or ''
  return { count = self.count, keys = self:key_text(), words = words }
end

---@param saved { count: integer, keys: string, words: string }
function Rows:restore(saved)
  self:clear()
  local words = ffi.cast('const int64_t *', saved.words)
  for i = 0, saved.count - 1 do
    local key = saved.keys:sub(i * self.key_bytes + 1, (i + 1) * self.key_bytes)
    ffi.copy(self:put(key), words + i * self.width, self.width * 8)
  end
end

return rows
