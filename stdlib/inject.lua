-- SPDX-License-Identifier: Apache-2.0
--- Inject: what may happen to events on their way, done to those of a recording on purpose.
---
---   loss=1%       so many do not arrive; they are counted as lost, as the kernel would
---   burst=50      so many of them at a time
---   reorder=5ms   each comes up to so much later than it did, among those of its block
---
--- Which events is decided by `seed` alone.

local bit = require 'bit'
local ffi = require 'ffi'
local units = require 'moonprobe.units'

local inject = {}

local Injection = {}
Injection.__index = Injection

--- From words of the command line; nil when nothing is to happen. Raises.
---@param words { [string]: string }
---@return table|nil
function inject.parse(words)
  local self = setmetatable({ loss = 0, burst = 1, reorder_ns = 0, all = 0, dropped = 0,
    left = 0, -- of the burst at hand
    of = {}, fresh = {}, -- lost by slot and CPU: so far, and of the last block
  }, Injection)
  local seed, asked = 1, false
  for name, value in pairs(words) do
    local number = tonumber(value)
    if name == 'loss' then
      local percent = tonumber(value:match '^([%d.]+)%%$')
      if not percent or percent > 100 then error(('--inject loss=%s: not like 1%%'):format(value), 0) end
      self.loss, asked = percent / 100, true
    elseif name == 'burst' then
      if not number or number < 1 or number > 1e6 or number % 1 ~= 0 then
        error(('--inject burst=%s: not a number of events'):format(value), 0)
      end
      self.burst, asked = number, true
    elseif name == 'reorder' then
      self.reorder_ns, asked = units.duration(value), true
      if not self.reorder_ns then error(('--inject reorder=%s: not a time like 5ms'):format(value), 0) end
    elseif name == 'seed' then
      if not number or number % 1 ~= 0 or math.abs(number) > 2 ^ 31 then
        error(('--seed %s: not a whole number'):format(value), 0)
      end
      seed = number
    else
      error(("--inject: no '%s'; there are loss, burst and reorder"):format(name), 0)
    end
  end
  if not asked then return nil end
  if self.burst > 1 and self.loss == 0 then error('--inject burst=: of what is lost; add loss=1%', 0) end
  self.number = bit.bxor(bit.tobit(seed), 0x2545f491)
  if self.number == 0 then self.number = 1 end
  return self
end

--- The next of a row of numbers from 0 to 1 (xorshift32: the script's own are left alone).
function Injection:random()
  local x = self.number
  x = bit.bxor(x, bit.lshift(x, 13))
  x = bit.bxor(x, bit.rshift(x, 17))
  x = bit.bxor(x, bit.lshift(x, 5))
  self.number = x
  return (x % 2 ^ 32) / 2 ^ 32
end

--- Is this one lost? `burst` in a row are, and that seldom enough to be `loss` of all.
function Injection:is_lost()
  if self.left == 0 and self.loss > 0 and self:random() < self.loss / (self.burst - (self.burst - 1) * self.loss) then
    self.left = self.burst
  end
  if self.left == 0 then return false end
  self.left = self.left - 1
  return true
end

local record_pointer = ffi.typeof 'const struct ring_record *'
local header_pointer = ffi.typeof 'const struct event_header *'

local function count(table_of, slot, cpu)
  local key = slot * 65536 + cpu
  table_of[key] = (table_of[key] or 0) + 1
end

--- The records of a block as they arrive, given those that were sent.
---@param bytes ffi.cdata* const char *
---@param size integer
---@param head table
---@return string
function Injection:change(bytes, size, head)
  local kept, at = {}, 0
  local time_offsets = {}
  for _, probe in ipairs(head.probes) do time_offsets[probe.slot] = probe.time_offset end
  self.fresh = {}
  while at < size do
    local room = bit.band(ffi.cast(record_pointer, bytes + at).length + 15, -8)
    local header = ffi.cast(header_pointer, bytes + at + 8)
    self.all = self.all + 1
    if self:is_lost() then
      self.dropped = self.dropped + 1
      count(self.of, header.slot, header.cpu)
      count(self.fresh, header.slot, header.cpu)
    else
      local due = #kept
      if self.reorder_ns > 0 then
        local time = ffi.new 'uint64_t[1]'
        ffi.copy(time, bytes + at + 8 + time_offsets[header.slot], 8)
        due = tonumber(time[0]) + self:random() * self.reorder_ns
      end
      kept[#kept + 1] = { at = at, due = due, record = ffi.string(bytes + at, room) }
    end
    at = at + room
  end
  if self.reorder_ns > 0 then
    table.sort(kept, function(a, b)
      if a.due ~= b.due then return a.due < b.due end
      return a.at < b.at
    end)
  end
  for i, one in ipairs(kept) do kept[i] = one.record end
  return table.concat(kept)
end

--- How many of a slot and CPU were lost so far.
function Injection:lost(slot, cpu)
  return self.of[slot * 65536 + cpu] or 0
end

--- Slot, CPU and number of those lost in the last block.
function Injection:each_lost()
  local key, number
  return function()
    key, number = next(self.fresh, key)
    if key then return math.floor(key / 65536), key % 65536, number end
  end
end

--- One line: what the script may believe, and what is true.
---@param believed number completeness
---@param handled number events the script was given
---@param happened number events there were when the recording was made
function Injection:report(believed, handled, happened)
  return ('injected: %d of %d events lost; completeness: the script says %.6f, the truth is %.6f'):format(
    self.dropped, self.all, believed, happened > 0 and handled / happened or 1)
end

return inject
