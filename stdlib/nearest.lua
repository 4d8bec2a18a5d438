-- SPDX-License-Identifier: Apache-2.0
--- Nearest: the known name a misspelt one probably meant.

--- Levenshtein distance.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local above = row[j]
      local change = a:byte(i) == b:byte(j) and 0 or 1
      row[j] = math.min(above + 1, row[j - 1] + 1, diagonal + change)
      diagonal = above
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
    if #misspelt >= 3 and name:find(misspelt, 1, true) then away = 1 end
    if away < best_distance then
      best, best_distance = name, away
    end
  end
  return best
end

return nearest
