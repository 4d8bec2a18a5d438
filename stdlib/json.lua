-- SPDX-License-Identifier: Apache-2.0
--- JSON: writes Lua values (RFC 8259). Bytes that are not UTF-8 become U+FFFD.

local ffi = require 'ffi'

local json = {}

local escapes = { ['"'] = '\\"', ['\\'] = '\\\\', ['\n'] = '\\n', ['\r'] = '\\r', ['\t'] = '\\t' }

local function escape(char)
  return escapes[char] or ('\\u%04x'):format(char:byte())
end

--- Length of the well-formed UTF-8 sequence at `at`, or nil (Unicode 15, table 3-7).
---@param text string
---@param at integer
---@return integer|nil
function json.sequence(text, at)
  local a, b, c, d = text:byte(at, at + 3)
  local function tail(byte, low, high) return byte and byte >= (low or 0x80) and byte <= (high or 0xbf) end
  if a < 0x80 then return 1 end
  if a >= 0xc2 and a <= 0xdf then return tail(b) and 2 end
  if a == 0xe0 then return tail(b, 0xa0) and tail(c) and 3 end
  if a == 0xed then return tail(b, 0x80, 0x9f) and tail(c) and 3 end
  if a >= 0xe1 and a <= 0xef then return tail(b) and tail(c) and 3 end
  if a == 0xf0 then return tail(b, 0x90) and tail(c) and tail(d) and 4 end
  if a >= 0xf1 and a <= 0xf3 then return tail(b) and tail(c) and tail(d) and 4 end
  if a == 0xf4 then return tail(b, 0x80, 0x8f) and tail(c) and tail(d) and 4 end
  return nil
end

local function repair(text)
  local parts, at = {}, 1
  while at <= #text do
    local length = json.sequence(text, at)
    parts[#parts + 1] = length and text:sub(at, at + length - 1) or '\239\191\189'
    at = at + (length or 1)
  end
  return table.concat(parts)
end

local function text_of(text)
  if text:find('[\128-\255]') then text = repair(text) end
  return '"' .. text:gsub('[%c"\\\127]', escape) .. '"'
end

local encode

local function table_of(value)
  local parts = {}
  if #value > 0 or next(value) == nil then
    for i = 1, #value do parts[i] = encode(value[i]) end
    return '[' .. table.concat(parts, ',') .. ']'
  end
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for i, key in ipairs(keys) do
    parts[i] = text_of(tostring(key)) .. ':' .. encode(value[key])
  end
  return '{' .. table.concat(parts, ',') .. '}'
end

--- Encodes a value. Tables with an array part are arrays, others objects with sorted keys;
--- 64-bit integers are written in full.
---@param value any
---@return string
function encode(value)
  local kind = type(value)
  if kind == 'number' then
    if value ~= value or value == math.huge or value == -math.huge then return 'null' end
    if value == math.floor(value) and math.abs(value) <= 2 ^ 53 then return ('%d'):format(value) end
    local short = ('%.14g'):format(value)
    return tonumber(short) == value and short or ('%.17g'):format(value)
  elseif kind == 'string' then
    return text_of(value)
  elseif kind == 'boolean' then
    return tostring(value)
  elseif kind == 'table' then
    local meta = getmetatable(value)
    return table_of(meta and meta.__json and meta.__json(value) or value)
  elseif kind == 'cdata' and (ffi.istype('uint64_t', value) or ffi.istype('int64_t', value)) then
    return (tostring(value):gsub('U?LL$', ''))
  elseif kind == 'nil' then
    return 'null'
  end
  return text_of(tostring(value))
end

json.encode = encode

--- Encodes an object whose members keep their order.
---@param names string[]
---@param values any[] may have holes
---@return string
function json.object(names, values)
  local parts = {}
  for i, name in ipairs(names) do parts[i] = text_of(name) .. ':' .. encode(values[i]) end
  return '{' .. table.concat(parts, ',') .. '}'
end

return json
