-- SPDX-License-Identifier: Apache-2.0
--- Scope: what stands before a function that is being made, and what it can name.

local dice = require 'generate.dice'
local events = require 'events'
local tree = require 'tree'

local scope = {}

--- A name that is not there yet.
function scope.name(g, prefix)
  g.names = g.names + 1
  return prefix .. g.names
end

--- Puts a statement before the function.
function scope.before(g, ...)
  g.prologue[#g.prologue + 1] = tree.statement(...)
end

--- A field of this kind, with the event before it; nil where there are none.
function scope.field(g, kind)
  local name = dice.one_of(events.fields[kind])
  if g.usable and not g.usable[name] then return nil end
  g.used[name] = true
  return tree.expression(g.event .. '.' .. name), name
end

--- A variable of one of these types, or nil.
---@return table|nil variable { name, type }
function scope.variable(g, ...)
  local fitting = {}
  for _, variable in ipairs(g.locals) do
    for i = 1, select('#', ...) do if variable.type == select(i, ...) then fitting[#fitting + 1] = variable end end
  end
  return #fitting > 0 and dice.one_of(fitting) or nil
end

--- A case: such a variable.
function scope.variable_of(...)
  local types = { ... }
  return function(g)
    local variable = scope.variable(g, unpack(types))
    return variable and tree.expression(variable.name)
  end
end

function scope.declare(g, name, kind)
  g.locals[#g.locals + 1] = { name = name, type = kind }
end

--- Makes what is inside a block: its variables end with it.
function scope.block(g, make)
  local count = #g.locals
  local made = make()
  for i = #g.locals, count + 1, -1 do g.locals[i] = nil end
  return made
end

--- Makes what is inside another function: g is different there.
function scope.within(g, change, make)
  local saved = {}
  for key in pairs(change) do saved[key] = g[key] end
  for key, value in pairs(change) do g[key] = value end
  local made = make()
  for key in pairs(change) do g[key] = saved[key] end
  return made
end

return scope
