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
  sample = { values = { 5, 7, 5 }, value = 17 },
}
