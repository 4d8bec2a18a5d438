-- SPDX-License-Identifier: Apache-2.0
--- Functions: whole ones, of a profile that says which constructs they may have.
---
--- `plain` is what every filter is made of and has to be translated whole; the others have more
--- and more; `outside` has what cannot be translated.

local dice = require 'generate.dice'
local grammar = require 'generate.grammar'
local outside = require 'generate.outside'
local statements = require 'generate.statements'
local tree = require 'tree'

require 'generate.numbers'
require 'generate.texts'
require 'generate.sets'
require 'generate.names'
require 'generate.addresses'
require 'generate.truths'
require 'generate.upvalues'

local S, B, P = tree.statement, tree.block, function(...) return tree.node('part', ...) end

local functions = {}

--- { weight, name, constructs }
local PROFILES = {
  { 20, 'plain', 'flags options locals branches' },
  { 8, 'arithmetic', 'flags options locals branches arithmetic' },
  { 8, 'wide', 'flags options locals branches wide' },
  { 8, 'widearithmetic', 'branches locals wide arithmetic literals fractions' },
  { 6, 'division', 'locals branches arithmetic division floor fractions' },
  { 6, 'bits', 'locals branches arithmetic bits' },
  { 14, 'text', 'options locals branches text find lengths textsets pattern bytes' },
  { 6, 'sets', 'options flags sets locals branches wide' },
  { 8, 'names', 'names branches text textsets' },
  { 8, 'address', 'address networks branches flags locals' },
  { 6, 'calls', 'calls branches text flags locals' },
  { 6, 'loops', 'loops arrays branches locals wide arithmetic' },
  { 6, 'values', 'values nothing options flags text names branches locals calls' },
  { 12, 'mixed', 'flags options locals branches arithmetic division floor bits wide literals fractions text find '
    .. 'lengths textsets sets names address networks calls loops arrays values nothing cpu pattern bytes' },
  { 6, 'careless', 'flags options locals branches arithmetic division floor bits wide literals fractions text find '
    .. 'lengths textsets sets names address networks calls loops arrays values nothing cpu careless order pattern '
    .. 'case bytes device listed' },
  { 8, 'outside', 'flags options locals branches arithmetic text sets calls values' },
}

local known = grammar.constructs()
known.literals, known.fractions = true, true -- of constants
local total = 0
for _, profile in ipairs(PROFILES) do
  total = total + profile[1]
  profile.on = {}
  for name in profile[3]:gmatch('%w+') do
    assert(known[name], name)
    profile.on[name] = true
  end
end

local function profile_of(name)
  for _, profile in ipairs(PROFILES) do if profile[2] == name then return profile end end
  local at = dice.random() * total
  for _, profile in ipairs(PROFILES) do
    at = at - profile[1]
    if at <= 0 then return profile end
  end
  return PROFILES[#PROFILES]
end

--- Starts to make something; the same seed gives the same.
---@param seed integer
---@param wanted string|nil a profile
---@return table g { profile, on, tags, used, pool, ... }
function functions.start(seed, wanted)
  math.randomseed(seed)
  for _ = 1, 5 do dice.random() end
  local profile = profile_of(wanted)
  return {
    profile = profile[2], on = profile.on, tags = {}, used = {}, locals = {}, options = {}, prologue = {}, names = 0,
    helpers = {}, event = 'e', pool = { numbers = {}, texts = {}, addresses = {} }, length = dice.random(0, 4),
    depth = dice.random(1, 4),
  }
end

--- Starts another function of the same.
function functions.again(g)
  g.locals, g.options, g.prologue, g.helpers, g.depth = {}, {}, {}, {}, dice.random(1, 3)
end

local function body_of(g)
  if g.profile == 'outside' then
    local list = statements.block(g, g.depth - 1, false)
    g.locals = {} -- those of the block end where they may not be seen
    table.insert(list, dice.random(1, #list + 1), outside.statement(g))
    list[#list + 1] = S('return ', grammar.truth(g, g.depth - 1))
    return list
  elseif dice.chance(35) then
    return B { S('return ', (g.gives or grammar.truth)(g, g.depth)) }
  end
  return statements.block(g, g.depth, dice.chance(92))
end

--- A function behind `head`, and before it what it needs.
---@param head string
---@return table parts
function functions.chunk(g, head)
  local body, parts = body_of(g), {}
  if #g.options > 0 or g.on.nothing or g.on.options then
    parts[1] = S('local options = { ' .. table.concat(g.options, ', ') .. ' }')
  end
  for _, statement in ipairs(g.prologue) do parts[#parts + 1] = statement end
  parts[#parts + 1] = P(head .. 'function(e) ', body, 'end')
  return parts
end

return functions
