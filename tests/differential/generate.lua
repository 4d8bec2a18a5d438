-- SPDX-License-Identifier: Apache-2.0
--- Generates random functions of an event, as text. What they are made of is in generate/, a file
--- for each noun: a new construct is a case in one of them (generate/grammar.lua), under a name
--- that a profile has (generate/functions.lua).

local aggregates = require 'generate.aggregates'
local dice = require 'generate.dice'
local functions = require 'generate.functions'
local tree = require 'tree'

local S, B, P = tree.statement, tree.block, function(...) return tree.node('part', ...) end

local generate = { aggregate = aggregates.make }

--- A random function. The same seed gives the same one.
---@param seed integer
---@param wanted string|nil a profile
---@return table made { tree, profile, used = fields, pool = constants, tags }
function generate.one(seed, wanted)
  local g = functions.start(seed, wanted)
  g.tree = B(functions.chunk(g, 'return '))
  return g
end

--- Several sinks with several filters, some of which are shared.
---@return table made as of one()
function generate.sinks(seed, wanted)
  local g = functions.start(seed, wanted)
  local all, names, count = {}, {}, dice.random(2, 6)
  g.several = true
  for i = 1, count do names[i] = 'filter' .. i end
  all[1] = S('local ' .. table.concat(names, ', '))
  for i = 1, count do
    functions.again(g)
    all[#all + 1] = S('do ', B(functions.chunk(g, names[i] .. ' = ')), 'end')
  end
  local sinks = {}
  for i = 1, dice.chance(20) and dice.random(7, 10) or dice.random(1, 4) do
    local filters = {}
    for j = 1, dice.random(1, 3) do filters[j] = P(dice.one_of(names) .. ',') end
    sinks[i] = P('{ ', B(filters), '},')
  end
  all[#all + 1] = P('return { ', B(sinks), '}')
  g.tree, g.profile = B(all), 'sinks'
  return g
end

return generate
