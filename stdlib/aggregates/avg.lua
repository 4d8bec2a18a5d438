-- SPDX-License-Identifier: Apache-2.0
return {
  name = 'avg',
  summary = 'The mean of the values.',
  takes_value = true,
  ---@param cell { sum: number, count: number }|nil
  ---@param value number
  add = function(cell, value)
    if not cell then return { sum = value, count = 1 } end
    cell.sum, cell.count = cell.sum + value, cell.count + 1
    return cell
  end,
  merge = function(a, b) return { sum = a.sum + b.sum, count = a.count + b.count } end,
  value = function(cell) return cell.sum / cell.count end,
  sample = { values = { 5, 7, 6 }, value = 6 },
}
