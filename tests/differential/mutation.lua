-- SPDX-License-Identifier: Apache-2.0
--- Mutation: changes what functions use from outside, as timers and options of a script do.

local mutation = {}

local random = math.random
local NUMBERS = { 0, 1, -1, 2, 5, 80, 443, 1000, 65536, 2 ^ 31, 2 ^ 32, 2 ^ 53, 2 ^ 53 + 2, -2 ^ 40, 1.5, 0 / 0, 1e300 }
local TEXTS = { '', 'a', 'curl', 'nginx', '/etc/', '80', ('x'):rep(70) }

local function one_of(values) return values[random(#values)] end

--- A value like this one, or sometimes another kind of value.
local function another(value)
  local kind = type(value)
  if random(12) == 1 then kind = one_of { 'number', 'string', 'boolean', 'nil' } end
  if kind == 'number' then
    local near = type(value) == 'number' and random(3)
    if near == 1 then return value + 1 elseif near == 2 then return value - 1 end
    return one_of(NUMBERS)
  elseif kind == 'string' then
    return one_of(TEXTS)
  elseif kind == 'boolean' then
    return not value
  elseif kind == 'nil' then
    return nil
  end
  return value
end

local changeable = { number = true, string = true, boolean = true }

--- Adds a table's fields, in a fixed order, and a new key of each kind of key.
local function table_places(from, places)
  local keys, kinds = {}, {}
  for key in pairs(from) do
    keys[#keys + 1] = key
    kinds[type(key)] = true
  end
  if #keys > 100 then return end
  table.sort(keys, function(a, b)
    if type(a) ~= type(b) then return type(a) < type(b) end
    return a < b
  end)
  for _, key in ipairs(keys) do
    if changeable[type(from[key])] then
      places[#places + 1] = { get = function() return from[key] end, set = function(value) from[key] = value end }
    end
  end
  for _, key in ipairs { 443, 'curl' } do
    if kinds[type(key)] and from[key] == nil then
      places[#places + 1] = { get = function() return false end, set = function(value) from[key] = value or nil end }
    end
  end
end

local function function_places(fn, places, seen)
  if seen[fn] or debug.getinfo(fn, 'S').source ~= '=made' then return end
  seen[fn] = true
  for i = 1, 60 do
    local name, value = debug.getupvalue(fn, i)
    if not name then break end
    if type(value) == 'function' then
      function_places(value, places, seen)
    elseif type(value) == 'table' and not seen[value] and not getmetatable(value) then
      seen[value] = true
      table_places(value, places)
    elseif changeable[type(value)] then
      places[#places + 1] = { get = function() return select(2, debug.getupvalue(fn, i)) end,
        set = function(new) debug.setupvalue(fn, i, new) end }
    end
  end
end

--- Changes some of what the functions use. False when there is nothing.
---@param functions function[]
---@return boolean
function mutation.apply(functions)
  local places, seen = {}, {}
  for _, fn in ipairs(functions) do function_places(fn, places, seen) end
  if #places == 0 then return false end
  for _ = 1, random(1, 3) do
    local place = one_of(places)
    place.set(another(place.get()))
  end
  return true
end

return mutation
