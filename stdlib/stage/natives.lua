-- SPDX-License-Identifier: Apache-2.0
--- Natives: functions of the library that reach.lua does not follow, by what they give and change.
---
---   natives[fn](reach, given, all) -> what it may give
---
--- `given`: sets by position; `all`: these, and what may be at any position. What is not here gives what it
--- was given or what that leads to, and changes nothing.

local bit = require 'bit'
local heap = require 'moonprobe.stage.heap'
local util = require 'jit.util'

jit.off(true, true) -- of this file: see reach.lua

local ANY, each, join = heap.ANY, heap.each, heap.join

local natives = {}
local function pure_function() end

local pure = { tostring, tonumber, type, rawequal, collectgarbage, table.concat, print, debug.getinfo, debug.traceback }
for _, library in ipairs { math, string, bit, os, io } do
  for _, fn in pairs(library) do pure[#pure + 1] = fn end
end
for _, fn in ipairs(pure) do
  if type(fn) == 'function' then natives[fn] = pure_function end
end

local function first_members(self, given)
  local set
  for object in each(given[1]) do set = join(set, self:raw_member(object, ANY)) end
  return set
end
for _, fn in ipairs { next, unpack, rawget, (ipairs {}) } do natives[fn] = first_members end
natives[pairs] = function(self, given) return join(self:only(next), given[1]) end
natives[ipairs] = function(self, given) return join(self:only((ipairs {})), given[1]) end
natives[select] = function(_, _, all) return all end
natives[assert] = function(self, _, all)
  self:add(self, 'thrown', all)
  return all
end
natives[error] = natives[assert]
natives[getmetatable] = function(self, given)
  local set = self:only(debug.getmetatable '')
  for object in each(given[1]) do set = join(set, self:metatables(object)) end
  return set
end
natives[setmetatable] = function(self, given)
  self:put(given[1], ANY, nil)
  for object in each(given[1]) do self:add(self.metas, object, given[2]) end
  return given[1]
end
natives[rawset] = function(self, given, all)
  self:put(given[1], ANY, all)
  return given[1]
end
natives[table.insert] = natives[rawset]
natives[table.remove] = function(self, given)
  self:put(given[1], ANY, nil)
  return first_members(self, given)
end
natives[table.sort] = function(self, given)
  local members = first_members(self, given)
  self:put(given[1], ANY, nil)
  self:call(given[2], { members, members })
end
if table.move then
  natives[table.move] = function(self, given)
    local to = given[5] or given[1]
    self:put(join(to, given[4]), ANY, first_members(self, given))
    return join(to, given[4])
  end
end
natives[pcall] = function(self, given, all)
  local shifted = {}
  for i, one in pairs(given) do if i > 1 then shifted[i - 1] = one end end
  return join(join(self:call(given[1], shifted, all), self.thrown), all)
end
-- A coroutine that handlers make stands for its function: whoever has it calls that. (What yields is opaque,
-- and what is resumed, below.)
natives[coroutine.create] = function(_, given) return given[1] end
natives[coroutine.wrap] = natives[coroutine.create]
natives[xpcall] = function(self, given, all)
  return join(natives[pcall](self, given, all), self:call(given[2], { self.thrown }))
end
for _, name in ipairs { 'clear', 'new' } do
  local ok, fn = pcall(require, 'table.' .. name)
  if ok then natives[fn] = name == 'clear' and function(self, given) self:put(given[1], ANY, nil) end
    or pure_function end
end

-- What they do is not to be seen in any bytecode that is there.
local opaque = { [coroutine.yield] = true, [coroutine.resume] = true, [setfenv] = true, [getfenv] = true }
for _, name in ipairs { 'load', 'loadstring', 'loadfile', 'dofile', 'require', 'module' } do
  if _G[name] then opaque[_G[name]] = true end
end
for _, fn in pairs(debug) do opaque[fn] = not natives[fn] or nil end
local COROUTINE = util.funcinfo(coroutine.wrap(function() end)).ffid -- that was made before: its function is hidden
local loaders = { 'load', 'loadstring', 'loadfile', 'dofile', 'require' } -- scripts have their own

--- Does it what no bytecode tells?
---@param env table|nil the globals of who calls it
function natives.is_opaque(fn, env)
  if opaque[fn] or util.funcinfo(fn).ffid == COROUTINE then return true end
  for _, name in ipairs(loaders) do
    if env and rawget(env, name) == fn then return true end
  end
  return false
end

natives.pure = pure_function

return natives
