-- SPDX-License-Identifier: Apache-2.0
--- Changes: which variables and tables the handlers of a script's events may change.
---
---   handlers, filters, keys --reach.lua--> what each instruction's registers may hold
---                                      --> variables, and keys of tables, that are assigned to
---
--- The kernel judges an event when it happens, with values that are at most a turn old. For values
--- that a timer or an option changes this is right: they change between two turns, for no event. A filter
--- whose values a handler changes, of this probe or another (`not seen[e.pid]`, `n < 10`), means the
--- events before this one, so it runs where the handlers run.
---
--- What is noted is never too little: where it cannot be known (a function that is loaded by a handler),
--- everything counts as changed.

local reach = require 'moonprobe.stage.reach'

jit.off(true, true) -- of this file: what runs once is not worth compiling

local changes = {}

local Changes = {}
Changes.__index = Changes

--- Nothing is changed.
function changes.none()
  return setmetatable({ variables = {}, tables = {}, deep = {} }, Changes)
end

--- Where a variable is changed; nil: nowhere.
---@return string|nil place 'file:line'
function Changes:variable(id)
  return self.everything or self.variables[id]
end

--- Where a table is changed: at a key, or anywhere.
---@param key any nil: at any key
---@return string|nil place 'file:line'
function Changes:table(of, key)
  local keys = self.tables[of] or {}
  local place = keys[reach.ANY]
  if key == nil then place = select(2, next(keys)) elseif key == key then place = place or keys[key] end
  if place or self.everything then return self.everything or place end
  for from, where in pairs(self.deep) do
    if self.leads(from, of) then return where end
  end
end

--- What the functions of sinks change: handlers, keys and values, and filters themselves.
---@param sinks { filters: function[], take: function, fold: table|nil }[]
---@param timers function[]|nil what they change does not count, but they may give handlers other tables
---@param formats function[]|nil that handlers have called by the stdlib, which has had them since the script was loaded
---@return table
function changes.of(sinks, timers, formats)
  local roots = {}
  local function add(fn) if type(fn) == 'function' then roots[#roots + 1] = fn end end
  for _, fn in ipairs(formats or {}) do add(fn) end
  local function add_parts(parts)
    for _, part in ipairs(type(parts) == 'table' and parts or { parts }) do add(part) end
  end
  for _, sink in ipairs(sinks) do
    for _, filter in ipairs(sink.filters) do add(filter) end
    if sink.fold then
      add_parts(sink.fold.keys)
      add(sink.fold.value)
      add_parts(sink.fold.note)
    else
      add(sink.take)
    end
  end
  return setmetatable(reach.from(roots, timers or {}), Changes)
end

return changes
