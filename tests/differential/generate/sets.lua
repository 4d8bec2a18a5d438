-- SPDX-License-Identifier: Apache-2.0
--- Sets: tables before the function that are asked for a key.

local constants = require 'generate.constants'
local dice = require 'generate.dice'
local grammar = require 'generate.grammar'
local scope = require 'generate.scope'
local tree = require 'tree'

local E = tree.expression
local one_of, chance, random = dice.one_of, dice.chance, dice.random

local sets = {}

--- Puts a table before the function; what `entry` gives are its entries.
local function declared(g, prefix, count, entry)
  local name, entries = scope.name(g, prefix), {}
  for i = 1, count do entries[i] = entry() end
  scope.before(g, 'local ' .. name .. ' = { ' .. table.concat(entries, ', ') .. ' }')
  return name
end

--- What a look-up gives, or a question about it.
local function questioned(got)
  local question = chance(25) and one_of { '== nil', '~= nil', '== true', '== false', '== 1', "~= 'yes'", '== 0' }
  return question and E('(', got, ' ' .. question .. ')') or got
end

--- Whether `what` is in a set of such members.
---@param what table|false|nil
---@param member fun(): string
---@param most integer|nil
function sets.asked(g, what, member, most)
  if not what then return nil end
  local name = declared(g, 'set', random(1, most or 6), function()
    return '[' .. member() .. '] = ' .. (chance(90) and 'true' or one_of { 'false', '0', "'yes'", '1' })
  end)
  return questioned(E(name .. '[', what, ']'))
end

local function some_or_many() return chance(10) and 20 or nil end

local function of_numbers(g, depth)
  local kind = g.on.wide and chance(20) and 'wide' or 'small'
  local what = chance(70) and scope.field(g, kind) or grammar.number(g, depth - 1)
  return sets.asked(g, what, function() return '(' .. constants.number(g) .. ')' end, some_or_many())
end

local function of_texts(g, depth)
  local what = chance(85) and scope.field(g, 'text') or depth > 0 and grammar.text(g, depth - 1)
  return sets.asked(g, what, function() return constants.word(g) end, some_or_many())
end

--- Whether a number is an index of a list.
local function of_list(g, depth)
  local what = scope.field(g, 'small')
  if not what then return nil end
  local name = declared(g, 'list', random(1, 5), function()
    return chance(60) and 'true' or one_of { 'false', 'nil', '1' }
  end)
  if depth > 0 and chance(20) then what = grammar.number(g, depth - 1) end
  return questioned(E(name .. '[', what, ']'))
end

--- The number that a table has for a text, compared.
local function mapped(g, depth)
  local what = scope.field(g, 'text')
  if not what then return nil end
  local name = declared(g, 'map', random(1, 6), function()
    return '[' .. constants.word(g) .. '] = ' .. constants.number(g)
  end)
  local got = E(name .. '[', what, ']')
  if chance(50) then got = E('(', got, ' or ', constants.number(g), ')') end
  return E('(', got, one_of(constants.comparisons), grammar.number(g, depth - 1), ')')
end

grammar.when('sets', 'truth', {
  { 12, of_numbers },
  { 3, of_list },
})

grammar.when('textsets', 'truth', {
  { 12, of_texts },
  { 4, mapped },
})

return sets
