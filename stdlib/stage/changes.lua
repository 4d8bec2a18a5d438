-- SPDX-License-Identifier: Apache-2.0
--- Changes: which variables and tables the handlers of a script's events change.
---
--- The kernel judges an event when it happens, with values that are at most a turn old. For values
--- that a timer or an option changes this is right. A filter whose values a handler changes, of
--- this probe or another (`not seen[e.pid]`, `n < 10`), means the events before this one, so it
--- runs where the handlers run.

local bytecode = require 'moonprobe.stage.bytecode'
local own = require 'moonprobe.own_sources' -- the stdlib's functions change nothing of a script's

jit.off(true, true) -- of this file: what runs once is not worth compiling

local changes = {}

local MOST_FUNCTIONS = 200

-- Functions that change their first argument.
local changers = { [rawset] = true, [table.insert] = true, [table.remove] = true, [table.sort] = true }

--- table.key, also of a class.
local function member(of, key)
  local value, class = rawget(of, key), debug.getmetatable(of)
  local index = class and rawget(class, '__index')
  if value == nil and type(index) == 'table' then return rawget(index, key) end
  return value
end

--- The tables and functions that a call gives, by the register in which the callee has them.
local function arguments_of(one, from)
  local op, given = one.op, {}
  local count = op == 'CALL' and one.c - 1 or op == 'CALLM' and one.c or op == 'CALLT' and one.d - 1 or one.d
  for i = 0, count - 1 do given[i] = from[one.a + 2 + i] end
  return given
end

--- Is it the first time that a function is called with these?
local function is_new(fn, given, seen)
  local words = {}
  for i = 0, 15 do
    local one = given[i]
    if one and not seen.ids[one] then seen.ids[one], seen.id = seen.id, seen.id + 1 end
    words[#words + 1] = one and seen.ids[one] or '-'
  end
  local key = table.concat(words, ' ')
  seen[fn] = seen[fn] or {}
  if seen[fn][key] then return false end
  seen[fn][key] = true
  return true
end

--- Notes what a function changes, and looks into the functions it has at hand.
---@param given { [integer]: table|function } what its first registers are known to hold
local function look(fn, found, seen, given)
  if seen.count == MOST_FUNCTIONS or own[debug.getinfo(fn, 'S').source] or not is_new(fn, given, seen) then return end
  local code = bytecode.of(fn)
  if not code then return end
  seen.count = seen.count + 1
  local from = {} -- [register] = table or function that was last loaded into it
  for register = 0, code.params - 1 do from[register] = given[register] end
  for _, one in ipairs(code) do
    local op, place, changed, loaded = one.op, code.file .. ':' .. one.line, nil, nil
    if op:find('^USET') then
      found.variables[debug.upvalueid(fn, one.a + 1)] = place
    elseif op == 'GSET' then
      found.globals[one.constant] = place
    elseif op:find('^TSET') and op ~= 'TSETM' then
      changed = from[one.b]
    elseif op:find('^CALL') and changers[from[one.a]] then
      changed = from[one.a + 2]
    elseif op:find('^CALL') and type(from[one.a]) == 'function' then
      look(from[one.a], found, seen, arguments_of(one, from))
    elseif op == 'UGET' then
      loaded = select(2, debug.getupvalue(fn, one.d + 1))
    elseif op == 'GGET' then
      loaded = rawget(debug.getfenv(fn), one.constant)
    elseif op == 'TGETS' and type(from[one.b]) == 'table' then
      loaded = member(from[one.b], one.constant)
    elseif op == 'MOV' then
      loaded = from[one.d]
    end
    if type(changed) == 'table' then found.tables[changed] = place end
    for _, register in ipairs(one.writes) do from[register] = nil end
    if type(loaded) == 'function' then look(loaded, found, seen, {}) end
    if type(loaded) == 'table' or type(loaded) == 'function' then from[one.a] = loaded end
  end
end

--- What the functions of sinks change: handlers, keys and values, and filters themselves.
---@param sinks { filters: function[], take: function, fold: table|nil }[]
---@return { variables: table, globals: table, tables: table } [upvalueid], [name], [table] = 'file:line'
function changes.of(sinks)
  local found, seen = { variables = {}, globals = {}, tables = {} }, { count = 0, ids = {}, id = 1 }
  local function look_at(fn) if type(fn) == 'function' then look(fn, found, seen, {}) end end
  for _, sink in ipairs(sinks) do
    for _, filter in ipairs(sink.filters) do look_at(filter) end
    if sink.fold then
      for _, part in ipairs(sink.fold.keys) do look_at(part) end
      look_at(sink.fold.value)
    else
      look_at(sink.take)
    end
  end
  return found
end

return changes
