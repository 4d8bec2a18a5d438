-- SPDX-License-Identifier: Apache-2.0
--- Nearest: the known name a misspelt one probably meant.

--- Edits that make b of a: insert, delete, replace, swap neighbours.
local function distance(a, b)
  local before, above, row
  row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    before, above, row = above, row, { [0] = i }
    for j = 1, #b do
      local change = a:byte(i) == b:byte(j) and 0 or 1
      row[j] = math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + change)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
  end
  return row[#b]
end

--- The best of `names`, or nil when none is near.
---@param misspelt string
---@param names string[]
---@return string|nil
local function nearest(misspelt, names)
  local best, best_distance = nil, math.floor(#misspelt / 2) + 1
  for _, name in ipairs(names) do
    local away = distance(misspelt, name)
    -- Part of a longer name is what people type when they guess, above all its start.
    local part = #misspelt >= 3 and name:find(misspelt, 1, true)
    if part then away = part == 1 and 0 or 1 end
    -- Of names that begin so, the shortest has the least to guess.
    if away < best_distance or away == 0 and best and #name < #best then
      best, best_distance = name, away
    end
  end
  return best
end

return nearest
