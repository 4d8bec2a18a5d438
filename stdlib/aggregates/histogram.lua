-- SPDX-License-Identifier: Apache-2.0
--- Cell: [0] = zeros and negatives, [n] = values from 2^(n-1) to below 2^n; `sum`, `count`.

local frexp = math.frexp

-- Digits of a bound and stars of a line, for 80 columns: 2^34 - 1 is the first bound too long.
local NARROW, WIDE = { digits = 10, stars = 40 }, { digits = 20, stars = 20 }

local function from_of(slot) return slot == 0 and 0 or 2 ^ (slot - 1) end

local function buckets(cell)
  local low, high
  for slot = 0, 64 do
    if cell[slot] then low, high = low or slot, slot end
  end
  local list = {}
  for slot = low or 0, high or -1 do
    list[#list + 1] = { from = from_of(slot), to = 2 ^ slot - 1, count = cell[slot] or 0 }
  end
  if list[1] and list[1].from == 0 then list[1].to = 0 end
  return list
end

return {
  name = 'histogram',
  summary = 'How the values are distributed, in powers of two.',
  takes_value = true,
  ---@param cell table|nil
  ---@param value number
  add = function(cell, value)
    cell = cell or { sum = 0, count = 0 }
    local slot = 0
    if value >= 1 then
      local _, exponent = frexp(value)
      slot = exponent
    end
    cell[slot] = (cell[slot] or 0) + 1
    cell.sum, cell.count = cell.sum + value, cell.count + 1
    return cell
  end,
  merge = function(a, b)
    local both = { sum = a.sum + b.sum, count = a.count + b.count }
    for slot = 0, 64 do
      if a[slot] or b[slot] then both[slot] = (a[slot] or 0) + (b[slot] or 0) end
    end
    return both
  end,
  value = function(cell) return { count = cell.count, sum = cell.sum, buckets = buckets(cell) } end,
  rank = function(cell) return cell.count end,
  --- The picture users of the bcc tools know.
  ---@param cell table
  ---@param label string what the values are
  text = function(cell, label)
    local list, most = buckets(cell), 0
    for _, bucket in ipairs(list) do most = math.max(most, bucket.count) end
    local size = list[#list].to < 1e10 and NARROW or WIDE
    local lines = { ('%' .. 2 * size.digits + 4 .. 's : %-9s distribution'):format(label, 'count') }
    local line = ('%%%d.0f -> %%-%d.0f : %%-9d |%%s%%s|'):format(size.digits, size.digits)
    for _, bucket in ipairs(list) do
      local stars = math.floor(bucket.count * size.stars / most + 0.5)
      lines[#lines + 1] = line:format(bucket.from, bucket.to, bucket.count, ('*'):rep(stars),
        (' '):rep(size.stars - stars))
    end
    return table.concat(lines, '\n')
  end,
  sample = {
    values = { 1, 3, 3 },
    value = { count = 3, sum = 7, buckets = { { from = 1, to = 1, count = 1 }, { from = 2, to = 3, count = 2 } } },
  },
}
