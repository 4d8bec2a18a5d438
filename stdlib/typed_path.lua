-- SPDX-License-Identifier: Apache-2.0
--- Typed path: what a typed field is called: args.sk.skc_dport, args.argv[0], args.iov[1].iov_len.
---
--- Members with dots between, and elements of arrays and pointers by their number in brackets, from 0, as C
--- writes it. So each value has one name; who writes args.argv.0 means the same. An argument without a name is a
--- member whose name is its number, args.3, for what hands arguments over is no array.

local typed_path = {}

typed_path.UNKNOWN = '?' -- args.argv[?]: nobody knows which element

--- A member or an element of what a path leads to; of '' a root.
---@param path string
---@param key string|integer a number, be it written as text, is an element's
---@return string
function typed_path.longer(path, key)
  if path == '' then return key end
  if key == typed_path.UNKNOWN then return path .. '[?]' end
  local number = type(key) == 'number' and key or key:match '^%d+$'
  if not number then return path .. '.' .. key end
  return (path == 'args' and '%s.%.0f' or '%s[%.0f]'):format(path, number)
end

--- The part that begins at a place of the text, and where the next one would; nil: there is none.
local function part_at(text, at)
  local key, stop = text:match(at == 1 and '^([^.%[%]]+)()' or '^%.([^.%[%]]+)()', at)
  if key or at == 1 then return key, stop end
  key, stop = text:match('^%[(%-?%d+)%]()', at)
  if key then return tonumber(key), stop end
  return text:match('^%[(%?)%]()', at)
end

--- Each part of a path: its key, the path up to it, and what follows. The rest of what is no path is one part.
---@param path string
---@return fun(): string|integer, string, string
function typed_path.parts(path)
  local at = 1
  return function()
    if at > math.max(#path, 1) then return nil end
    local key, stop = part_at(path, at)
    if not key then key, stop = path:sub(at), math.max(#path, 1) + 1 end
    at = stop
    return key, path:sub(1, stop - 1), path:sub(stop)
  end
end

--- How many parts it has.
function typed_path.count(path) return select(2, path:gsub('[^.%[]+', '')) end

--- The first part: a root's name.
function typed_path.first(path) return path:match '^[^.%[]*' end

--- Each path that this one goes on from: args, args.iov and args.iov[1] of args.iov[1].iov_len.
---@param path string
---@return fun(): string
function typed_path.above(path)
  local ends = path:gmatch '()[.%[]'
  return function()
    local at = ends()
    return at and path:sub(1, at - 1)
  end
end

--- Does a path go on from another?
function typed_path.is_below(path, above)
  return path:sub(1, #above) == above and path:find('^[.%[]', #above + 1) ~= nil
end

--- The one name of what somebody wrote; what is no path stays as it is.
---@param text string
---@return string
function typed_path.canonical(text)
  local path, at = '', 1
  while at <= #text do
    local key, stop = part_at(text, at)
    if not key then return text end
    path, at = typed_path.longer(path, key), stop
  end
  return path
end

return typed_path
