-- SPDX-License-Identifier: Apache-2.0
--- Units: durations and sizes as people write them.

local units = {}

local ns = { ns = 1, us = 1e3, ms = 1e6, s = 1e9, m = 60e9, h = 3600e9 }
local bytes = { [''] = 1, K = 2 ^ 10, M = 2 ^ 20, G = 2 ^ 30 }

local function parse(text, factors)
  local number, unit = tostring(text):match('^(%d+%.?%d*)(%a*)$')
  local value = tonumber(number)
  local factor = value and factors[unit]
  return factor and value * factor < 9e18 and value * factor or nil -- as engine/duration.c
end

--- '5ms' -> 5000000. nil when it is none.
---@param text string
---@return number|nil ns
function units.duration(text)
  return parse(text, ns)
end

--- '4K' -> 4096. nil when it is none.
---@param text string
---@return number|nil bytes
function units.size(text)
  return parse(text, bytes)
end

return units
