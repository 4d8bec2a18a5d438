-- SPDX-License-Identifier: Apache-2.0
--- Keyed: an aggregate's cells in the worker, by key, at most `max_keys` of them.
---
---   full = 'refuse'   events of further keys are not counted, and how many they were is
---   full = 'lru'      the key unused for longest gives way
---
--- The order of use is a list through arrays, so that every event costs the same.

local keyed = {}

local Keyed = {}
Keyed.__index = Keyed

---@param max_keys integer
---@param full 'refuse'|'lru'
function keyed.new(max_keys, full)
  local self = setmetatable({ max_keys = max_keys, is_lru = full == 'lru' }, Keyed)
  self:clear()
  return self
end

function Keyed:clear()
  self.cells, self.notes, self.size, self.overflow = {}, {}, 0, 0
  if self.is_lru then
    -- Places 1 to size; place 0 ties the ends: newer[0] is the oldest, older[0] the newest.
    self.keys, self.places, self.older, self.newer = {}, {}, { [0] = 0 }, { [0] = 0 }
  end
end

local function take_out(self, place)
  local older, newer = self.older, self.newer
  newer[older[place]], older[newer[place]] = newer[place], older[place]
end

local function put_first(self, place)
  local older, newer = self.older, self.newer
  local newest = older[0]
  older[place], newer[place] = newest, 0
  newer[newest], older[0] = place, place
end

local function touch(self, key)
  local place = self.places[key]
  if self.older[0] == place then return end
  take_out(self, place)
  put_first(self, place)
end

--- Puts in a new key with its cell.
---@param key any
---@param cell any
---@param note any
function Keyed:put(key, cell, note)
  if self.is_lru then
    local place = self.size + 1
    if place > self.max_keys then
      place = self.newer[0]
      local oldest = self.keys[place]
      take_out(self, place)
      self.cells[oldest], self.notes[oldest], self.places[oldest] = nil, nil, nil
      self.size = self.size - 1
    end
    self.keys[place], self.places[key] = key, place
    put_first(self, place)
  end
  self.cells[key], self.notes[key], self.size = cell, note, self.size + 1
end

--- Adds an amount to a key's cell. A new key has note(event) as its note.
---@param key any
---@param add fun(cell: any, amount: number, options: table): any
---@param amount number
---@param options table
---@param note (fun(event): any)|nil
---@param event any
function Keyed:fold(key, add, amount, options, note, event)
  local cell = self.cells[key]
  if cell ~= nil then
    if self.is_lru then touch(self, key) end
    self.cells[key] = add(cell, amount, options)
  elseif self.is_lru or self.size < self.max_keys then
    local text = note and note(event) -- which may raise: then nothing is left behind
    self:put(key, add(nil, amount, options), text)
  else
    self.overflow = self.overflow + 1
  end
end

--- A plain value, for the next version.
function Keyed:save()
  local order
  if self.is_lru then
    order = {}
    local place = self.newer[0]
    while place ~= 0 do
      order[#order + 1] = self.keys[place]
      place = self.newer[place]
    end
  end
  return { cells = self.cells, notes = self.notes, order = order, overflow = self.overflow }
end

--- Takes cells over into an empty one, the longest unused first. With room for fewer keys than
--- there are, 'refuse' keeps them nevertheless.
---@param old table from save()
function Keyed:restore(old)
  local order = old.order
  if not order then
    order = {}
    for key in pairs(old.cells) do order[#order + 1] = key end
  end
  for _, key in ipairs(order) do
    self:put(key, old.cells[key], old.notes[key])
  end
  self.overflow = self.overflow + old.overflow
end

return keyed
