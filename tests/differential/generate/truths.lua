-- SPDX-License-Identifier: Apache-2.0
--- Truths: comparisons of numbers, logic, and values of any type.

local constants = require 'generate.constants'
local dice = require 'generate.dice'
local grammar = require 'generate.grammar'
local scope = require 'generate.scope'
local tree = require 'tree'

local E = tree.expression
local one_of, chance = dice.one_of, dice.chance
local constant = grammar.template '$constant'

local function comparison(g, depth)
  local left = grammar.number(g, depth - 1)
  local right = chance(60) and constant(g) or grammar.number(g, depth - 1)
  if chance(15) then left, right = right, left end
  return E('(', left, one_of(constants.comparisons), right, ')')
end

local function between(g, depth)
  local what = grammar.number(g, math.min(depth - 1, 0))
  return E('(', tree.copy(what), one_of { ' >= ', ' > ' }, constant(g), ' and ', what, one_of { ' < ', ' <= ' },
    constant(g), ')')
end

grammar.otherwise('truth', comparison)

grammar.always('truth', {
  { 40, comparison },
  { 6, between },
  { 14, '($truth and $truth)' },
  { 14, '($truth or $truth)' },
  { 6, '(not $truth)' },
  { 3, scope.variable_of 'truth' },
})

grammar.when('flags', 'truth', {
  { 6, '$e.flag' },
  { 1, '($e.flag $(==|~=) $(true|false|nil|1))' },
})

grammar.when('values', 'truth', {
  { 3, '($truth and $any or $any)' },
  { 4, '($any $(==|~=) $any)' },
  { 2, function(g, depth) return grammar.any(g, depth) end },
})

grammar.when('nothing', 'truth', {
  { 2, '($any $(==|~=) nil)' },
  { 2, 'options.missing' },
})

grammar.otherwise('any', grammar.number)

grammar.always('any', {
  { 10, grammar.number },
  { 10, grammar.truth },
  { 4, scope.variable_of('number', 'text', 'truth', 'any', 'index') },
  { 2, '$(true|false)' },
})

grammar.when('text', 'any', { { 6, grammar.text } })
grammar.when('nothing', 'any', { { 2, 'nil' } })
grammar.when('names', 'any', { { 3, '$named' } })
grammar.when('flags', 'any', { { 2, '$e.flag' } })
