-- SPDX-License-Identifier: Apache-2.0
--- Map state: what the stdlib knows of a map, behind the table that a script has.
---
---   name, kind, key_bytes, value_bytes, max_entries, flags
---   key, value       layouts (stdlib/layout.lua); types: the BTF they are of, or nil
---   fd               its descriptor; nil before the script runs
---   queue            what was written before that, or nil: not to be
---   object, index    how the host knows it
---   absent           why it cannot be had at all, or nil

local blame = require 'moonprobe.blame'
local engine = require 'moonprobe.engine'
local host = require 'moonprobe.host'
local job = require 'moonprobe.job'
local layout = require 'moonprobe.layout'
local map_kind = require 'moonprobe.map_kind'

local map_state = {}

local KEY = {} -- where a map keeps it: a key no script has
local EPERM, ENOENT, E2BIG, ENOMEM, EEXIST, EINVAL, ENOSPC, EOPNOTSUPP, ENOTSUPP = 1, 2, 7, 12, 17, 22, 28, 95, 524

local State = {}
State.__index = State

--- A table for a script, with this behind it.
---@param self table
---@param class table its metatable
---@return table map
function map_state.public(self, class)
  return setmetatable({ [KEY] = setmetatable(self, State) }, class)
end

--- What is behind it; nil of another table.
---@param map table
---@return table|nil
function map_state.of(map) return rawget(map, KEY) end

--- Raises at the script's line.
function State:wrong(format, ...)
  blame('map %s: %s', self.name, format:format(...))
end

--- For what is expected to fail: nil and a message.
function State:refused(format, ...)
  return nil, ('map %s: %s'):format(self.name, format:format(...))
end

--- The descriptor; raises before the script runs.
function State:descriptor()
  if self.fd and job.running then return self.fd end
  if self.absent then self:wrong('%s', self.absent) end
  if not host.receive then self:wrong 'is not there: a test has no kernel' end -- stdlib/testing/realm.lua
  self:wrong 'can be read once the script runs: in a handler, a timer, mp.finally'
end

function State:check_keyed(method)
  if map_kind.keyed[self.kind] then return end
  self:wrong('%s: a %s has no keys%s', method, map_kind.name(self.kind, 'map of this kind'),
    map_kind.in_line[self.kind] and '; push, pop and peek are for it'
      or self.kind == map_kind.RING and '; object:ring is for it' or '')
end

function State:check_line(method)
  if map_kind.in_line[self.kind] then return end
  self:wrong('%s: expected a queue or a stack, given: %s', method, map_kind.name(self.kind))
end

--- A key as messages show it.
---@return string
function map_state.key_text(key)
  if type(key) ~= 'table' then return layout.shown(key) end
  local parts = {}
  for name, value in pairs(key) do parts[#parts + 1] = ('%s = %s'):format(tostring(name), layout.shown(value)) end
  table.sort(parts)
  return '{ ' .. table.concat(parts, ', ') .. ' }'
end

--- What an errno of a map's call means.
---@return string
function State:reason(errno, key)
  local arrays, key_text = map_kind.arrays, map_state.key_text
  if errno == E2BIG and arrays[self.kind] then
    return ('key %s is outside of the array: expected 0 to %.0f'):format(key_text(key), self.max_entries - 1)
  elseif errno == E2BIG or errno == ENOSPC then
    return ('is full: it has room for %.0f entries (max_entries)'):format(self.max_entries)
  elseif errno == ENOENT then
    return ('has no key %s'):format(key_text(key))
  elseif errno == EEXIST then
    return arrays[self.kind] and 'entries of an array exist always' or ('has the key %s already'):format(key_text(key))
  elseif errno == EPERM then
    return 'may not be written from here: it is frozen, or made for programs only'
  elseif errno == ENOMEM then
    return 'the kernel has no memory for it'
  elseif errno == EINVAL and arrays[self.kind] then
    return 'entries of an array cannot be deleted; set them to 0'
  elseif errno == ENOTSUPP or errno == EOPNOTSUPP or errno == EINVAL then
    return ('the kernel does not do that with a %s'):format(map_kind.name(self.kind, 'map of this kind'))
  end
  return engine.errno_name(errno) or tostring(errno)
end

function State:failed(errno, key) return self:refused('%s', self:reason(errno, key)) end

return map_state
