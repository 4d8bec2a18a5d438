-- SPDX-License-Identifier: Apache-2.0
--- CPU values: an entry of a per-CPU map: a list with a value for each CPU, and their sum.

local ffi = require 'ffi'
local fields = require 'moonprobe.fields'

local cpu_values = {}

local Values = {}

local function sum_of(values)
  local first = values[1]
  if type(first) == 'table' then
    local sums = {}
    for name, one in pairs(first) do
      if type(one) == 'number' or type(one) == 'cdata' or type(one) == 'table' then
        local column = {}
        for i, value in ipairs(values) do column[i] = value[name] end
        sums[name] = sum_of(column)
      end
    end
    return sums
  end
  local sum = 0LL
  for _, value in ipairs(values) do
    if type(value) == 'cdata' then value = ffi.cast('int64_t', value) end
    if type(value) ~= 'number' and type(value) ~= 'cdata' then return nil end
    if type(value) == 'number' and value ~= math.floor(value) then sum = tonumber(sum) end
    sum = sum + value
  end
  return type(sum) == 'cdata' and fields.signed_value(sum) or sum
end

Values.__index = {
  --- All CPUs together: of integers; of structs field by field.
  sum = function(self) return sum_of(self) end,
}

--- Makes a list one that can be summed.
---@param values table
---@return table values
function cpu_values.of(values) return setmetatable(values, Values) end

return cpu_values
