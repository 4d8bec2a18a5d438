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
  kernel = function()
    return {
      words = { { op = 'add', of = 'one' }, { op = 'add', of = 'value' } },
      cell = function(words, scale)
        return words[1] > 0 and { sum = words[2] / scale, count = words[1] } or nil
      end,
    }
  end,
  sample = { values = { 5, 7, 6 }, value = 6 },
}
