-- SPDX-License-Identifier: Apache-2.0
--- Addresses: of IPv4 and IPv6, and the networks they are in.

local constants = require 'generate.constants'
local dice = require 'generate.dice'
local grammar = require 'generate.grammar'
local scope = require 'generate.scope'
local sets = require 'generate.sets'
local texts = require 'generate.texts'
local tree = require 'tree'

local E = tree.expression

local function address(g) return constants.address(g, constants.addresses) end

--- Whether an address is in one of some networks.
local function in_network(g)
  local what = scope.field(g, 'address')
  if not what then return nil end
  local name, list = scope.name(g, 'network'), {}
  for i = 1, dice.random(1, 3) do list[i] = constants.address(g, constants.networks) end
  scope.before(g, ('local %s = network(%s)'):format(name, table.concat(list, ', ')))
  return E(name .. '(', what, ')')
end

grammar.when('address', 'text', { { 2, '$e.address' } })

grammar.when('address', 'truth', {
  { 14, texts.equality(function(g)
    local left, constant = scope.field(g, 'address'), E(address(g))
    return left, dice.chance(85) and constant or (scope.field(g, 'address'))
  end) },
  { 4, function(g)
    return sets.asked(g, (scope.field(g, 'address')), function() return address(g) end)
  end },
  { 0.4, "($e.address:sub(1, 3) == '10.')" },
  { 0.4, "($e.address:find(':', 1, true) == nil)" },
  { 0.4, "($e.address:sub(-2) == ':1')" },
})

grammar.when('networks', 'truth', { { 12, in_network } })
