-- SPDX-License-Identifier: Apache-2.0
--- Numbers: fields, constants, arrays and arithmetic.

local constants = require 'generate.constants'
local dice = require 'generate.dice'
local events = require 'events'
local grammar = require 'generate.grammar'
local scope = require 'generate.scope'
local tree = require 'tree'

local E = tree.expression

local function constant(g)
  if g.on.literals and dice.chance(6) then
    g.tags.literals = true
    return E(constants.literal(g))
  end
  return E(constants.number(g))
end

grammar.part('constant', constant)
grammar.part('divisor', function(g) return E(constants.number(g, constants.divisors)) end)
grammar.otherwise('number', constant)

grammar.always('number', {
  { 30, '$e.small' },
  { 14, '$constant' },
  { 14, scope.variable_of('number', 'index') },
})

grammar.when('wide', 'number', { { 12, '$e.wide' } })

grammar.when('cpu', 'number', {
  { 2, function(g) if not g.usable then return E(g.event .. '.cpu') end end },
})

grammar.when('arithmetic', 'number', {
  { 8, '($number $(+|-|+|-|*) $number)' },
  { 9, '($number $(+|-|*) $constant)' },
  { 3, '($constant $(+|-|*) $number)' },
  { 3, '(-$number)' },
})

grammar.when('division', 'number', {
  { 6, '($number $(/|%) $divisor)' },
  { 2, '($divisor $(/|%) $number)' },
  { 3, '($number $(/|%) $number)' },
})

grammar.when('floor', 'number', {
  { 8, 'math.$(floor|floor|floor|ceil|abs)($number)' },
  { 5, 'math.floor($number / $divisor)' },
  { 2, 'math.$(min|max)($number, $number)' },
})

grammar.when('bits', 'number', {
  { 10, 'bit.$(band|bor|bxor)($number, $number)' },
  { 8, 'bit.$(lshift|rshift|arshift|rol|ror)($number, $(0..33))' },
  { 2, 'bit.$(lshift|rshift|arshift|rol|ror)($number, $number)' },
  { 3, 'bit.$(bnot|tobit|bswap)($number)' },
})

local LENGTHS = { args = 6, longs = 2, ints = 3, shorts = 4 }

local function array_element(g, depth)
  local array, name = scope.field(g, 'array')
  if not array then return nil end
  local variable = scope.variable(g, 'index')
  local index
  if variable and dice.chance(70) then
    index = variable.name
  elseif g.on.careless and dice.chance(15) then
    index = dice.one_of { '0', tostring(LENGTHS[name] + 1), '1.5', '-1' }
  elseif g.on.careless and dice.chance(5) and depth > 0 then
    index = grammar.number(g, depth - 1)
  else
    index = tostring(dice.random(LENGTHS[name]))
  end
  return E(array, '[', index, ']')
end

grammar.when('arrays', 'number', {
  { 5, array_element },
  { 1, '#$e.array' },
})

for _, name in ipairs(events.fields.array) do assert(LENGTHS[name], name) end

grammar.when('values', 'number', { { 4, '($truth and $number or $number)' } })
grammar.when('nothing', 'number', { { 3, '(options.missing or $number)' } })

grammar.when('careless', 'number', {
  { 5, function(g, depth) return grammar.any(g, depth - 1) end },
  { 2, 'tonumber($text)' },
})
