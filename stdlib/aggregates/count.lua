-- SPDX-License-Identifier: Apache-2.0
return {
  name = 'count',
  summary = 'How many events.',
  takes_value = false,
  ---@param cell number|nil
  add = function(cell) return (cell or 0) + 1 end,
  merge = function(a, b) return a + b end,
  value = function(cell) return cell end,
  sample = { values = { 5, 7, 5 }, value = 3 },
}
