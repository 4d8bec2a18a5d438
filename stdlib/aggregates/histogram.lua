-- SPDX-License-Identifier: Apache-2.0
--- Cell: `sum`, `count`, and how many values each slot has: [0] negative ones, [1] from 0 to
--- below 1, [1 + n] from 2^(n-1) to below 2^n. The last has all from 2^53 on, as in the kernel.

local bit = require 'bit'
local ffi = require 'ffi'
local picture = require 'moonprobe.picture'
local slots = require 'moonprobe.slots'

local LAST, MOST = 55, 2 ^ 53

-- The exponent is in the upper half of a number; math.frexp would leave compiled code.
local number = ffi.new 'union { double value; struct { int32_t low, high; } half; }'

local function from(slot)
  return slot == 1 and 0 or slot > 1 and 2 ^ (slot - 2) or nil
end

local function to(slot)
  return slot < LAST and (slot == 0 and 0 or 2 ^ (slot - 1)) or nil
end

local function buckets(cell) return slots.buckets(cell, LAST, from, to) end

return {
  name = 'histogram',
  summary = 'How the values are distributed, in powers of two.',
  takes_value = true,
  ---@param cell table|nil
  ---@param value number
  add = function(cell, value)
    cell = cell or { sum = 0, count = 0 }
    local slot = value < 0 and 0 or 1
    if value >= MOST then
      slot = LAST
    elseif value >= 1 then
      number.value = value
      slot = bit.rshift(number.half.high, 20) - 1021
    end
    cell[slot] = (cell[slot] or 0) + 1
    cell.sum, cell.count = cell.sum + value, cell.count + 1
    return cell
  end,
  merge = function(a, b)
    local both = { sum = a.sum + b.sum, count = a.count + b.count }
    for slot = 0, LAST do
      if a[slot] or b[slot] then both[slot] = (a[slot] or 0) + (b[slot] or 0) end
    end
    return both
  end,
  --- A bucket without `from` or `to` has no bound there.
  ---@return { count: integer, sum: number, buckets: { from?: number, to?: number, count: integer }[] }
  value = function(cell) return { count = cell.count, sum = cell.sum, buckets = buckets(cell) } end,
  rank = function(cell) return cell.count end,
  ---@param cell table
  ---@param label string what the values are
  text = function(cell, label) return picture.draw(label, buckets(cell)) end,
  kernel = function()
    return {
      words = { { op = 'add', of = 'value' }, { op = 'slots', count = LAST + 1, slot = 'log2' } },
      cell = slots.of_kernel(LAST),
    }
  end,
  sample = {
    values = { 1, 3, 3, -2 },
    value = { count = 4, sum = 5, buckets = {
      { to = 0, count = 1 }, { from = 0, to = 1, count = 0 }, { from = 1, to = 2, count = 1 },
      { from = 2, to = 4, count = 2 } } },
  },
}
