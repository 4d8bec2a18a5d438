-- SPDX-License-Identifier: Apache-2.0
--- Upvalues: what stands before a function and is used in it: limits, options, other functions.

local constants = require 'generate.constants'
local dice = require 'generate.dice'
local grammar = require 'generate.grammar'
local scope = require 'generate.scope'
local tree = require 'tree'

local E, S, B = tree.expression, tree.statement, tree.block
local chance = dice.chance
local constant = grammar.template '$constant'

grammar.always('number', {
  { 6, function(g)
    local name = scope.name(g, 'limit')
    scope.before(g, 'local ' .. name .. ' = ', constant(g))
    return E(name)
  end },
})

local OPTIONS = {
  number = function(g) return constants.number(g) end,
  text = function(g) return constants.word(g) end,
  flag = function() return dice.one_of { 'true', 'false' } end,
  missing = function() return nil end,
}

--- A field of the table `options`.
local function option(g, kind)
  local name, value = scope.name(g, 'opt'), OPTIONS[kind](g)
  if value then g.options[#g.options + 1] = name .. ' = ' .. value end
  return E('options.' .. name)
end

grammar.when('options', 'number', { { 4, function(g) return option(g, 'number') end } })
grammar.when('options', 'text', { { 3, function(g) return option(g, 'text') end } })

grammar.when('options', 'truth', {
  { 3, function(g) return option(g, dice.one_of { 'flag', 'missing' }) end },
  { 5, function(g, depth)
    if depth <= 0 then return nil end
    local asked = option(g, dice.one_of { 'number', 'missing', 'flag' })
    return E('(not ', tree.copy(asked), ' or ', grammar.number(g, depth - 1), ' == ', asked, ')')
  end },
})

local function call(g, depth, helper)
  local parts = { helper.name, '(' }
  for i = 1, helper.count do
    if i > 1 then parts[#parts + 1] = ', ' end
    parts[#parts + 1] = grammar[helper.takes](g, depth - 1)
  end
  parts[#parts + 1] = ')'
  return E(unpack(parts))
end

--- A function before this one; what it needs itself comes before it.
---@param head string
---@param change table what is different in g inside it
---@param make fun(): table its statements
local function declare(g, head, change, make)
  change.in_helper, change.prologue = true, {}
  local before
  local statements = scope.within(g, change, function()
    local made = make()
    before = g.prologue
    return made
  end)
  for _, statement in ipairs(before) do g.prologue[#g.prologue + 1] = statement end
  scope.before(g, head, B(statements), 'end')
end

local function helper_statements(g, depth, takes, gives)
  local list = {}
  if chance(20) then
    list[1] = S('if ', grammar.truth(g, depth), ' then ', B { S('p = ', grammar[takes](g, depth)) }, 'end')
  end
  if chance(30) then
    list[#list + 1] = S('if ', grammar.truth(g, depth), ' then ', B { S('return ', grammar[gives](g, depth)) }, 'end')
  end
  if chance(85) then list[#list + 1] = S('return ', grammar[gives](g, depth)) end
  return list
end

--- A case: a call of a function of numbers or texts, sometimes one that is there already.
local function of_values(gives)
  return function(g, depth)
    if depth <= 0 then return nil end
    if chance(30) then
      local fitting = {}
      for _, helper in ipairs(g.helpers) do if helper.gives == gives then fitting[#fitting + 1] = helper end end
      if #fitting > 0 then return call(g, depth, dice.one_of(fitting)) end
    end
    if g.in_helper then return nil end
    local takes = g.on.text and chance(25) and 'text' or 'number'
    local helper = { name = scope.name(g, 'helper'), takes = takes, count = chance(30) and 2 or 1, gives = gives }
    local parameters = { { name = 'p', type = takes }, helper.count == 2 and { name = 'q', type = takes } or nil }
    local head = ('local function %s(%s) '):format(helper.name, helper.count == 2 and 'p, q' or 'p')
    declare(g, head, { locals = parameters, usable = {} }, function()
      return helper_statements(g, depth - 1, takes, gives)
    end)
    g.helpers[#g.helpers + 1] = helper
    return call(g, depth, helper)
  end
end

--- A case: a call of a function of the event.
local function of_event(gives)
  return function(g, depth)
    if depth <= 0 or g.in_helper then return nil end
    local name = scope.name(g, 'about')
    declare(g, ('local function %s(ev) '):format(name), { locals = {}, event = 'ev' }, function()
      return { S('return ', grammar[gives](g, depth - 1)) }
    end)
    return E(name .. '(' .. g.event .. ')')
  end
end

grammar.when('calls', 'number', { { 4, of_values 'number' }, { 2, of_event 'number' } })
grammar.when('calls', 'text', { { 2, of_values 'text' } })
grammar.when('calls', 'truth', { { 6, of_values 'truth' }, { 5, of_event 'truth' } })
