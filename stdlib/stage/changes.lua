-- SPDX-License-Identifier: Apache-2.0
--- Changes: which variables and tables the handlers of a probe's events change.
---
--- The kernel judges an event when it happens, with values that are at most a turn old. For values
--- that a timer or an option changes this is right. A filter whose values the handler itself
--- changes (`not seen[e.pid]`, `n < 10`) means the events before this one, so it runs where
--- the handler runs.

jit.off(true, true) -- of this file: see assembler.lua

local bytecode = require 'moonprobe.stage.bytecode'

local changes = {}

local MOST_FUNCTIONS = 200

--- Notes what a function changes, and looks into the functions it has at hand.
local function look(fn, found, seen)
  local code = bytecode.of(fn)
  if not code or seen[fn] or seen.count == MOST_FUNCTIONS then return end
  seen[fn], seen.count = true, seen.count + 1
  local from = {} -- [register] = table that was last loaded into it
  for _, one in ipairs(code) do
    local op = one.op
    if op:find('^USET') then
      found.variables[debug.upvalueid(fn, one.a + 1)] = code.file .. ':' .. one.line
    elseif op:find('^TSET') and op ~= 'TSETM' then
      if from[one.b] then found.tables[from[one.b]] = code.file .. ':' .. one.line end
    end
    for _, register in ipairs(one.writes) do from[register] = nil end
    if op == 'UGET' then
      local _, value = debug.getupvalue(fn, one.d + 1)
      if type(value) == 'table' then from[one.a] = value end
      if type(value) == 'function' then look(value, found, seen) end
    elseif op == 'TGETS' and from[one.b] then
      local value = rawget(from[one.b], one.constant)
      if type(value) == 'table' then from[one.a] = value end
      if type(value) == 'function' then look(value, found, seen) end
    end
  end
end

--- What the handlers of a source change.
---@param sinks { take: function, fold: table|nil }[]
---@return { variables: table, tables: table } [upvalueid] or [table] = 'file:line'
function changes.of(sinks)
  local found, seen = { variables = {}, tables = {} }, { count = 0 }
  for _, sink in ipairs(sinks) do
    if not sink.fold then look(sink.take, found, seen) end
  end
  return found
end

return changes
