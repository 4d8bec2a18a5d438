-- SPDX-License-Identifier: Apache-2.0
local function max(a, b)
  return a > b and a or b
end

return {
  name = 'max',
  summary = 'The largest value.',
  takes_value = true,
  ---@param cell number|nil
  ---@param value number
  add = function(cell, value) return cell and max(cell, value) or value end,
  merge = max,
  value = function(cell) return cell end,
  kernel = function()
    return {
      words = { { op = 'most', of = 'value' } },
      cell = function(words, scale) return words[1] and words[1] / scale end,
    }
  end,
  sample = { values = { 5, 7, 5 }, value = 7 },
}
