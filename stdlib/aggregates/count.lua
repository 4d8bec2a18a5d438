-- SPDX-License-Identifier: Apache-2.0
return {
  name = 'count',
  summary = 'How many events.',
  takes_value = false,
  ---@param cell number|nil
  add = function(cell) return (cell or 0) + 1 end,
  merge = function(a, b) return a + b end,
  value = function(cell) return cell end,
  kernel = function()
    return {
      words = { { op = 'add', of = 'one' } },
      cell = function(words) return words[1] > 0 and words[1] or nil end,
    }
  end,
  sample = { values = { 5, 7, 5 }, value = 3 },
}
