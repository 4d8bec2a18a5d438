-- SPDX-License-Identifier: Apache-2.0
--- Statements: variables, branches, loops and what is returned.

local dice = require 'generate.dice'
local grammar = require 'generate.grammar'
local scope = require 'generate.scope'
local tree = require 'tree'

local S, B = tree.statement, tree.block
local one_of, chance, random = dice.one_of, dice.chance, dice.random

local statements = {}

-- Variables.

local function type_of_new(g)
  local types = { 'number', 'number', 'truth' }
  if g.on.text then types[#types + 1] = 'text' end
  if g.on.values then types[#types + 1] = 'any' end
  return one_of(types)
end

local function declaration(g, depth)
  local kind, name = type_of_new(g), scope.name(g, 'v')
  local value = not (kind == 'any' and chance(30)) and grammar[kind](g, depth - 1)
  scope.declare(g, name, kind)
  return value and S('local ' .. name .. ' = ', value) or S('local ' .. name)
end

local function double_declaration(g, depth)
  local a, b = scope.name(g, 'v'), scope.name(g, 'v')
  local a_kind, b_kind = type_of_new(g), type_of_new(g)
  local made = S(('local %s, %s = '):format(a, b), grammar[a_kind](g, depth - 1), ', ', grammar[b_kind](g, depth - 1))
  scope.declare(g, a, a_kind)
  scope.declare(g, b, b_kind)
  return made
end

--- A variable that may be changed: a loop's own may not.
local function assignable(g) return scope.variable(g, 'number', 'truth', 'text', 'any') end

local function assignment(g, depth)
  local variable = assignable(g)
  if not variable then return nil end
  g.tags.assignment = true
  return S(variable.name .. ' = ', grammar[variable.type](g, depth - 1))
end

--- Two variables at once: they swap, or each gets a value.
local function double_assignment(g, depth)
  local a, b = assignable(g), assignable(g)
  if not a or #g.locals < 2 then return nil end
  if a.type == b.type and chance(50) then
    return S(('%s, %s = %s, %s'):format(a.name, b.name, b.name, a.name))
  end
  return S(a.name .. ', ' .. b.name .. ' = ', grammar[a.type](g, depth - 1), ', ', grammar[b.type](g, depth - 1))
end

-- Blocks.

local function returned(g, depth)
  if g.gives then return S('return ', g.gives(g, depth)) end
  local form = random(20)
  if form == 1 then return S('return') end
  if form == 2 then return S('return true') end
  if form == 3 then return S('return false') end
  if form == 4 and g.on.values then return S('return ', grammar.any(g, depth)) end
  if form == 5 and g.on.values then
    return S('return ', grammar.truth(g, depth), ', ', grammar.truth(g, depth - 1))
  end
  return S('return ', grammar.truth(g, depth))
end

--- Some statements.
---@param ends boolean with a return
---@return table
function statements.block(g, depth, ends)
  local list = {}
  for _ = 1, random(0, g.length) do list[#list + 1] = grammar.statement(g, depth) end
  if ends then
    list[#list + 1] = returned(g, depth)
  elseif #list == 0 then
    list[1] = assignment(g, depth)
  end
  return B(list)
end

local function inner(g, depth, ends)
  return scope.block(g, function() return statements.block(g, depth - 1, ends) end)
end

local function conditional(g, depth)
  if depth <= 0 then return nil end
  local parts = { 'if ', grammar.truth(g, depth - 1), ' then ', inner(g, depth, chance(60)) }
  if chance(25) then
    local condition = grammar.truth(g, depth - 1)
    for _, part in ipairs { 'elseif ', condition, ' then ', inner(g, depth, chance(60)) } do
      parts[#parts + 1] = part
    end
  end
  if chance(35) then
    parts[#parts + 1], parts[#parts + 2] = 'else ', inner(g, depth, chance(60))
  end
  parts[#parts + 1] = 'end'
  return S(unpack(parts))
end

-- Loops.

local function loop(g, depth)
  if depth <= 0 then return nil end
  local name = scope.name(g, 'i')
  local from, to = random(1, 2), random(1, 6)
  local step = chance(15) and one_of { 1, 2, -1, 3 }
  if step == -1 then from, to = to, from end
  local body = scope.block(g, function()
    scope.declare(g, name, 'index')
    local ends = chance(25)
    local made = statements.block(g, depth - 1, ends)
    if chance(15) and not ends then
      made[#made + 1] = S('if ', grammar.truth(g, 0), ' then ', B { S('break') }, 'end')
    end
    return made
  end)
  local head = ('for %s = %d, %d%s do '):format(name, from, to, step and ', ' .. step or '')
  return S(head, body, 'end')
end

--- Adds something up.
local function sum_loop(g, depth)
  if depth <= 0 then return nil end
  local sum, index = scope.name(g, 'v'), scope.name(g, 'i')
  local body = scope.block(g, function()
    scope.declare(g, index, 'index')
    local added = S(sum .. ' = ' .. sum .. one_of { ' + ', ' + ', ' - ' }, grammar.number(g, depth - 1))
    if chance(40) then added = S('if ', grammar.truth(g, 0), ' then ', B { added }, 'end') end
    return B { added }
  end)
  scope.declare(g, sum, 'number')
  return S(('local %s = 0; for %s = 1, %d do '):format(sum, index, random(1, 6)), body, 'end')
end

grammar.when('locals', 'statement', {
  { 10, declaration },
  { 4, assignment },
  { 2, double_declaration },
  { 2, double_assignment },
  { 1, function(g, depth) if depth > 0 then return S('do ', inner(g, depth, false), 'end') end end },
})

grammar.when('branches', 'statement', { { 8, conditional } })

grammar.when('loops', 'statement', {
  { 4, loop },
  { 3, sum_loop },
})

return statements
