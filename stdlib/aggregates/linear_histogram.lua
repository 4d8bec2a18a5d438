-- SPDX-License-Identifier: Apache-2.0
--- Cell: `sum`, `count`, and how many values each slot has: [0] those below `from`, [n] those
--- from from + (n-1) * step to below from + n * step, and the last those from `to` on.

local picture = require 'moonprobe.picture'
local slots = require 'moonprobe.slots'

local MOST = 1000 -- steps
local MOST_IN_KERNEL = 400 -- so that a cell fits into a map's value, with room to spare

--- How many steps; a whole number, or as near to one as fractions come.
local function steps(options)
  return math.floor((options.to - options.from) / options.step + 0.5)
end

local function bound(options, slot)
  return slot == steps(options) and options.to or options.from + slot * options.step
end

local function is_finite(number)
  return type(number) == 'number' and number - number == 0
end

local function slot_of(value, options)
  if value < options.from or value ~= value then return 0 end
  if value >= options.to then return steps(options) + 1 end
  local slot = math.floor((value - options.from) / options.step)
  -- Of fractions the division may be off by one; the bounds that are shown count.
  if value < bound(options, slot) then slot = slot - 1 end
  if value >= bound(options, slot + 1) then slot = slot + 1 end
  return slot + 1
end

local function buckets(cell, options)
  local last = steps(options) + 1
  return slots.buckets(cell, last, function(slot)
    return slot > 0 and bound(options, slot - 1) or nil
  end, function(slot)
    return slot < last and bound(options, slot) or nil
  end)
end

return {
  name = 'linear_histogram',
  summary = 'How the values are distributed, in equal steps.',
  takes_value = true,
  options = { 'from', 'to', 'step' },
  --- What is wrong with the options; nil when nothing is.
  ---@param options { from: number, to: number, step: number }
  ---@return string|nil
  check = function(options)
    for _, name in ipairs { 'from', 'to', 'step' } do
      if not is_finite(options[name]) then
        return ('%s: needs a number, as in { from = 0, to = 100, step = 10 }'):format(name)
      end
    end
    if options.to <= options.from then return 'to: must be more than from' end
    if options.step <= 0 then return 'step: must be more than 0' end
    local count = (options.to - options.from) / options.step
    if count > MOST + 0.5 then return ('step: more than %d steps'):format(MOST) end
    if math.abs(count - steps(options)) > 1e-9 * count then return 'step: to - from must be a multiple of it' end
  end,
  ---@param cell table|nil
  ---@param value number
  ---@param options { from: number, to: number, step: number }
  add = function(cell, value, options)
    cell = cell or { sum = 0, count = 0 }
    local slot = slot_of(value, options)
    cell[slot] = (cell[slot] or 0) + 1
    cell.sum, cell.count = cell.sum + value, cell.count + 1
    return cell
  end,
  merge = function(a, b)
    local both = {}
    for name, number in pairs(a) do both[name] = number end
    for name, number in pairs(b) do both[name] = (both[name] or 0) + number end
    return both
  end,
  --- A bucket without `from` or `to` has no bound there.
  ---@return { count: integer, sum: number, buckets: { from?: number, to?: number, count: integer }[] }
  value = function(cell, options)
    return { count = cell.count, sum = cell.sum, buckets = buckets(cell, options) }
  end,
  rank = function(cell) return cell.count end,
  ---@param cell table
  ---@param label string what the values are
  text = function(cell, label, options) return picture.draw(label, buckets(cell, options)) end,
  kernel = function(options)
    local last = steps(options) + 1
    if last > MOST_IN_KERNEL then return nil end
    return {
      words = { { op = 'add', of = 'value' }, { op = 'slots', count = last + 1, slot = 'linear',
        from = options.from, to = options.to, step = options.step } },
      cell = slots.of_kernel(last),
    }
  end,
  sample = {
    options = { from = 10, to = 30, step = 10 },
    values = { 5, 10, 25, 29.5, 30 },
    value = { count = 5, sum = 99.5, buckets = { { to = 10, count = 1 }, { from = 10, to = 20, count = 1 },
      { from = 20, to = 30, count = 2 }, { from = 30, count = 1 } } },
  },
}
