-- SPDX-License-Identifier: Apache-2.0
return {
  name = 'sum',
  summary = 'The values added up.',
  takes_value = true,
  ---@param cell number|nil
  ---@param value number
  add = function(cell, value) return (cell or 0) + value end,
  merge = function(a, b) return a + b end,
  value = function(cell) return cell end,
  --- The count tells a sum of nothing from no events.
  kernel = function()
    return {
      words = { { op = 'add', of = 'one' }, { op = 'add', of = 'value' } },
      cell = function(words, scale) return words[1] > 0 and words[2] / scale or nil end,
    }
  end,
  sample = { values = { 5, 7, 5 }, value = 17 },
}
