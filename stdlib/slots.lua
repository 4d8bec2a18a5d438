-- SPDX-License-Identifier: Apache-2.0
--- Slots: what histograms have in common. A cell has `sum`, `count`, and how many values each
--- slot from 0 to the last one has; one without any is missing.

local slots = {}

--- A bucket for each slot from the first to the last that has values.
---@param cell table
---@param last integer
---@param from fun(slot: integer): number|nil
---@param to fun(slot: integer): number|nil
---@return { from?: number, to?: number, count: integer }[]
function slots.buckets(cell, last, from, to)
  local low, high
  for slot = 0, last do
    if cell[slot] then low, high = low or slot, slot end
  end
  local list = {}
  for slot = low or 0, high or -1 do
    list[#list + 1] = { from = from(slot), to = to(slot), count = cell[slot] or 0 }
  end
  return list
end

--- What makes cells of what the kernel has counted: the sum, and then every slot.
---@param last integer
---@return fun(words: table, scale: number): table|nil
function slots.of_kernel(last)
  return function(words, scale)
    local cell = { sum = words[1] / scale, count = 0 }
    for slot = 0, last do
      local count = words[2 + slot]
      if count > 0 then cell[slot], cell.count = count, cell.count + count end
    end
    return cell.count > 0 and cell or nil
  end
end

return slots
