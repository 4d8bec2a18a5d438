-- SPDX-License-Identifier: Apache-2.0
--- Texts: what gives one, what is asked of one, and the numbers in it.

local constants = require 'generate.constants'
local dice = require 'generate.dice'
local grammar = require 'generate.grammar'
local scope = require 'generate.scope'
local tree = require 'tree'

local E = tree.expression
local one_of, chance = dice.one_of, dice.chance

local texts = {}

local function word(g) return E(constants.word(g)) end

local function field(g) return (scope.field(g, 'text')) end

--- A text that a method can be called on, which a literal without brackets is not.
local function receiver(g, depth)
  local node = grammar.text(g, depth - 1)
  return tree.text(node):find("^'") and E('(', node, ')') or node
end

--- Mostly a field, as in what people write.
local function subject(g, depth)
  return chance(85) and field(g) or depth > 0 and receiver(g, depth) or nil
end

grammar.part('word', word)
grammar.part('receiver', receiver, true)
grammar.part('subject', subject)
grammar.part('from', function() return chance(85) and '1' or tostring(dice.random(-3, 20)) end)
grammar.otherwise('text', word)

grammar.when('text', 'text', {
  { 30, '$e.text' },
  { 4, '$subject:sub(1, $(0..20))' },
  { 2.4, '$subject:sub(-$(1..20))' },
  { 0.8, '$subject:sub($(-9..9), $(-9..20))' },
  { 0.8, '$subject:sub($(-9..9))' },
  { 10, '$word' },
  { 8, scope.variable_of 'text' },
})

grammar.when('case', 'text', { { 1, '$receiver:$(lower|upper)()' } })
grammar.when('values', 'text', { { 3, '($truth and $text or $text)' } })
grammar.when('careless', 'text', { { 5, function(g, depth) return grammar.any(g, depth - 1) end } })

grammar.when('lengths', 'number', {
  { 4.5, '#$e.text' },
  { 1.5, '#$text' },
})
grammar.when('find', 'number', { { 2, '$receiver:len()' } })
grammar.when('bytes', 'number', { { 3, '($e.text:byte($(|1|2|-1|7|8|16|17)) or 0)' } })

--- A case: whether the two that `make` gives are the same.
---@param make fun(g: table, depth: integer): table|nil, table|nil
function texts.equality(make)
  return function(g, depth)
    local left, right = make(g, depth)
    if not left or not right then return nil end
    if chance(10) then left, right = right, left end
    return E('(', left, one_of { ' == ', ' == ', ' ~= ' }, right, ')')
  end
end

local function two_texts(g, depth)
  local left = chance(70) and field(g) or grammar.text(g, depth - 1)
  return left, chance(75) and word(g) or grammar.text(g, depth - 1)
end

--- A prefix or suffix of a known length.
local function affix(g)
  local what, of = field(g), constants.text(g)
  if not what then return nil end
  local length = chance(90) and #of or #of + 1
  local sub = chance(60) and (':sub(1, %d)'):format(length) or (':sub(-%d)'):format(math.max(length, 1))
  return E(what, sub), E(constants.quoted(of))
end

grammar.when('text', 'truth', {
  { 30, texts.equality(two_texts) },
  { 10, texts.equality(affix) },
})

grammar.when('find', 'truth', {
  { 6.4, '$subject:find($word, $from, true)' },
  { 1.1, 'string.find($subject, $word, $from, true)' },
  { 2.1, '($subject:find($word, $from, true) $(== nil|~= nil|== 1|~= 3|== 4))' },
  { 0.4, '(string.find($subject, $word, $from, true) $(== nil|~= nil|== 1|~= 3|== 4))' },
})

grammar.when('bytes', 'truth', { { 2, '($e.text:byte($(1..17)) == $(47|97|0|255|46))' } })

grammar.when('order', 'truth', {
  { 2, function(g, depth)
    local left = grammar.text(g, depth - 1)
    return E('(', left, one_of(constants.comparisons), grammar.text(g, depth - 1), ')')
  end },
})

--- A pattern that is mostly a constant text: its own signs are escaped, most of the time.
grammar.part('pattern', function(g)
  local plain = constants.text(g):gsub('[%^%$%(%)%%%.%[%]%*%+%-%?]', chance(90) and '%%%0' or '%0')
  return E(constants.quoted(one_of { '', '^' } .. plain .. one_of { '', '$', '', '.*', '%d' }))
end)

grammar.when('pattern', 'truth', {
  { 4.8, '$e.text:$(match|find)($pattern)' },
  { 1.2, "($e.text:$(match|find)($pattern) $(== nil|~= nil|== 1|== 'a'))" },
})

return texts
