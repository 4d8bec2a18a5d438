-- SPDX-License-Identifier: Apache-2.0
--- Reads JSON strictly (RFC 8259), for tests: what is not valid raises.
---
---   local json = dofile 'tests/json.lua'
---   json.decode('{"a":[1,null]}')    -- { a = { 1, json.null } }

local json = { null = setmetatable({}, { __tostring = function() return 'null' end }) }

local escapes = { b = '\b', f = '\f', n = '\n', r = '\r', t = '\t', ['"'] = '"', ['\\'] = '\\', ['/'] = '/' }
local words = { { 'true', true }, { 'false', false }, { 'null', json.null } }

local value

local function wrong(text, at, what)
  error(('JSON: %s at %d: %s'):format(what, at, text:sub(at, at + 20)), 0)
end

local function skip(text, at)
  return text:match('^[ \t\r\n]*()', at)
end

local function string_at(text, at)
  local parts = {}
  at = at + 1
  while true do
    local plain, stop = text:match('^([^"\\%c]*)()', at)
    parts[#parts + 1], at = plain, stop
    local char = text:sub(at, at)
    if char == '"' then return table.concat(parts), at + 1 end
    if char ~= '\\' then wrong(text, at, 'bad string') end
    local kind = text:sub(at + 1, at + 1)
    local code = kind == 'u' and tonumber(text:match('^%x%x%x%x', at + 2), 16)
    if code then
      parts[#parts + 1] = code < 128 and string.char(code) or '?'
      at = at + 6
    elseif escapes[kind] then
      parts[#parts + 1] = escapes[kind]
      at = at + 2
    else
      wrong(text, at, 'bad escape')
    end
  end
end

--- Members up to `close`, each read by `member(at)`, which returns where it ends.
local function list(text, at, close, member)
  at = skip(text, at + 1)
  if text:sub(at, at) == close then return at + 1 end
  while true do
    at = skip(text, member(at))
    local char = text:sub(at, at)
    if char == close then return at + 1 end
    if char ~= ',' then wrong(text, at, 'no comma') end
    at = skip(text, at + 1)
  end
end

function value(text, at)
  at = skip(text, at)
  local char = text:sub(at, at)
  if char == '"' then return string_at(text, at) end
  if char == '{' then
    local object = {}
    return object, list(text, at, '}', function(start)
      if text:sub(start, start) ~= '"' then wrong(text, start, 'no name') end
      local name, stop = string_at(text, start)
      stop = skip(text, stop)
      if text:sub(stop, stop) ~= ':' then wrong(text, stop, 'no colon') end
      if object[name] ~= nil then wrong(text, start, 'name twice') end
      object[name], stop = value(text, stop + 1)
      return stop
    end)
  end
  if char == '[' then
    local array = {}
    return array, list(text, at, ']', function(start)
      local stop
      array[#array + 1], stop = value(text, start)
      return stop
    end)
  end
  for _, word in ipairs(words) do
    if text:sub(at, at + #word[1] - 1) == word[1] then return word[2], at + #word[1] end
  end
  local number, stop = text:match('^(%-?%d+%.?%d*[eE]?[+-]?%d*)()', at)
  if not number or number:match('^%-?0%d') or not tonumber(number) then wrong(text, at, 'no value') end
  return tonumber(number), stop
end

---@param text string one value
function json.decode(text)
  local result, at = value(text, 1)
  if skip(text, at) <= #text then wrong(text, at, 'something after the value') end
  return result
end

return json
