-- SPDX-License-Identifier: Apache-2.0
--- Attached: an aggregate whose events the kernel counts, wholly or in part, shown together with
--- what the worker counts of it.
---
--- What is shown is read at one moment, and a clear forgets what was shown: nothing that comes
--- between the two is lost. So within one call of a timer everything is of the same moment.

local engine = require 'moonprobe.engine'
local timers = require 'moonprobe.timers'

local attached = {}

local FRESH_NS = 1e8 -- elsewhere: as old as that is new enough for a look at one key

local Attached = {}
Attached.__index = Attached

---@param kind table of aggregate
---@param own table the worker's cells (stdlib/keyed.lua)
---@param options { name: string, cells: table, kernel: table, scale: integer|nil,
---  key: fun(pointer): any, note: fun(pointer): any }
function attached.new(kind, own, options)
  return setmetatable({
    kind = kind, own = own, name = options.name, maps = options.cells, cell = options.kernel.cell,
    scale = options.scale or 1, key = options.key, note = options.note,
  }, Attached)
end

--- What the kernel has counted since the last clear, as plain tables.
local function read(self)
  local cells, notes, merge = {}, {}, self.kind.merge
  local ok, message = self.maps:read(function(pointer, words, note)
    local cell = self.cell(words, self.scale)
    if cell == nil then return end
    local key = true
    if pointer ~= nil then key = self.key(pointer) end
    local there = cells[key]
    if there == nil then
      if note ~= nil then notes[key] = self.note(note) end
      cells[key] = cell
    else -- not the same bytes, but the same to people
      cells[key] = merge(there, cell)
    end
  end)
  if not ok then error(message, 0) end
  return cells, notes
end

--- Reads anew, and adds the worker's part.
---@return { cells: table, notes: table, size: integer, overflow: number }
function Attached:read()
  local own, merge = self.own, self.kind.merge
  self.shown = nil
  local cells, notes = read(self)
  for key, cell in pairs(own.cells) do
    cells[key] = cells[key] == nil and cell or merge(cell, cells[key])
    if own.notes[key] ~= nil then notes[key] = own.notes[key] end -- it may be from before the maps
  end
  local size = 0
  for _ in pairs(cells) do size = size + 1 end
  self.shown = { cells = cells, notes = notes, size = size, overflow = own.overflow + self.maps:refused() }
  self.shown_at, self.shown_in = engine.monotonic(), timers.running
  return self.shown
end

--- What this call of a timer has read already; else reads.
function Attached:look()
  if self.shown and self.shown_in and self.shown_in == timers.running then return self.shown end
  return self:read()
end

--- The same, and elsewhere what was read a moment ago.
function Attached:current()
  if self.shown and engine.monotonic() - self.shown_at < FRESH_NS then return self.shown end
  return self:look()
end

function Attached:clear()
  self:current()
  self.shown = nil
  self.own:clear()
  local ok, message = self.maps:clear()
  if not ok then error(message, 0) end
end

--- For a version that uses the same maps: the base. For one that does not: the cells.
function Attached:save()
  local cells, notes = read(self)
  self.shown = nil
  return { name = self.name, cells = cells, notes = notes, overflow = self.maps:refused(), base = self.maps:save() }
end

--- Takes over from a version with the same maps: the maps go on. False when they are others.
---@param old table from save()
---@return boolean
function Attached:restore(old)
  return old.name == self.name and self.maps:restore(old.base)
end

return attached
