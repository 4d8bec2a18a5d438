-- SPDX-License-Identifier: Apache-2.0
--- Show: a value as one would write it in Lua, the same each time; where two values differ.

local ffi = require 'ffi'

local MOST = 2000 -- bytes of a text that is shown
local WIDTH = 90 -- of a table in one line

local escapes = { ['\n'] = '\\n', ['\r'] = '\\r', ['\t'] = '\\t', ['\\'] = '\\\\', ["'"] = "\\'" }

local function quoted(text)
  return "'" .. text:gsub('[%c\\\'\128-\255]', function(char)
    return escapes[char] or ('\\x%02x'):format(char:byte())
  end) .. "'"
end

local function number(value)
  if value ~= value then return '0/0' end
  if value == math.floor(value) and math.abs(value) <= 2 ^ 53 then return ('%d'):format(value) end
  local short = ('%.14g'):format(value)
  return tonumber(short) == value and short or ('%.17g'):format(value)
end

local function key_order(a, b)
  if type(a) == type(b) and type(a) ~= 'table' then return a < b end
  return type(a) == 'number' and type(b) ~= 'number' or type(b) ~= 'number' and tostring(a) < tostring(b)
end

local show

local function key_text(key)
  if type(key) == 'string' and key:find('^[%a_][%w_]*$') then return key end
  return '[' .. show(key) .. ']'
end

local function sorted_keys(value)
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, key_order)
  return keys
end

local function table_text(value, indent, seen)
  if seen[value] then return '{ <itself> }' end
  seen[value] = true
  local parts, length = {}, #indent
  for i, one in ipairs(value) do parts[i] = show(one, indent .. '  ', seen) end
  local list = #parts
  for _, key in ipairs(sorted_keys(value)) do
    if not (type(key) == 'number' and key >= 1 and key <= list and key == math.floor(key)) then
      parts[#parts + 1] = key_text(key) .. ' = ' .. show(value[key], indent .. '  ', seen)
    end
  end
  seen[value] = nil
  for _, part in ipairs(parts) do length = length + #part + 2 end
  if #parts == 0 then return '{}' end
  if length <= WIDTH then return '{ ' .. table.concat(parts, ', ') .. ' }' end
  local inner = indent .. '  '
  return '{\n' .. inner .. table.concat(parts, ',\n' .. inner) .. ',\n' .. indent .. '}'
end

function show(value, indent, seen)
  if type(value) == 'string' then return quoted(value) end
  if type(value) == 'number' then return number(value) end
  if type(value) == 'table' and not (getmetatable(value) or {}).__tostring then
    return table_text(value, indent or '', seen or {})
  end
  return tostring(value)
end

local compare = {}

--- Same type and value; tables by what is in them; 64-bit integers by value.
function compare.equal(a, b)
  if type(a) == 'table' and type(b) == 'table' then return compare.difference(a, b) == nil end
  if type(a) == 'cdata' or type(b) == 'cdata' then
    local function is_number(x) return type(x) == 'number' or type(x) == 'cdata' and tonumber(x) ~= nil end
    return is_number(a) and is_number(b) and a == b
      and not (ffi.istype('int64_t', a) and a < 0) == not (ffi.istype('int64_t', b) and b < 0)
  end
  return a == b
end

--- Where two tables differ first: '[2].comm'; nil: nowhere.
---@return string|nil path
function compare.difference(a, b, path)
  path = path or ''
  if type(a) ~= 'table' or type(b) ~= 'table' then return not compare.equal(a, b) and path or nil end
  local keys = {}
  for key in pairs(a) do keys[key] = true end
  for key in pairs(b) do keys[key] = true end
  for _, key in ipairs(sorted_keys(keys)) do
    local step = type(key) == 'string' and key:find('^[%a_][%w_]*$') and '.' .. key or '[' .. show(key) .. ']'
    local found = compare.difference(a[key], b[key], path .. step)
    if found then return found end
  end
  return nil
end

return setmetatable({ equal = compare.equal, difference = compare.difference, MOST = MOST },
  { __call = function(_, value) return show(value) end })
