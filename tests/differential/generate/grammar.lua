-- SPDX-License-Identifier: Apache-2.0
--- Grammar: cases by the type of what they make, and the choice between them.
---
---   grammar.when('bits', 'number', { { 3, 'bit.bnot($number)' } })
---   grammar.number(g, 2)  --> an expression, such as e.u8 or bit.bnot((e.pid + 1))
---
--- A case is { weight, template } or { weight, fun(g, depth): node|nil }. A template is Lua with
---
---   $number $text $truth $any $key  something of this type, one level less deep
---   $e.small                        a field of this kind (../events.lua)
---   $constant                       what grammar.part() has under this name
---   $(+|-|*)  $(0..33)              one of these
---
--- What cannot be made is nil, and another case is tried.

local dice = require 'generate.dice'
local scope = require 'generate.scope'
local tree = require 'tree'

local grammar = {}

local TRIES = 20
local cases = {} -- [type] = list of { weight, make, construct }
local otherwise = {} -- [type] = what is made when no case can be
local parts = {} -- [name] = { make, deep }

--- Something templates can name. A `deep` one has others inside it.
---@param name string
---@param make fun(g: table, depth: integer): table|string|nil
---@param deep boolean|nil
function grammar.part(name, make, deep)
  parts[name] = { make = make, deep = deep }
end

local function choice(list)
  local from, to = list:match '^(%-?%d+)%.%.(%-?%d+)$'
  if from then return function() return tostring(dice.random(from, to)) end end
  local values = {}
  for value in (list .. '|'):gmatch '(.-)|' do values[#values + 1] = value end
  return function() return dice.one_of(values) end
end

--- The part of a template at a `$`, and where it ends.
local function part_at(template, at)
  local list, list_ends = template:match('^%$(%b())()', at)
  if list then return choice(list:sub(2, -2)), list_ends end
  local kind, kind_ends = template:match('^%$e%.(%l+)()', at)
  if kind then return function(g) return (scope.field(g, kind)) end, kind_ends end
  local name, name_ends = template:match('^%$([%l_]+)()', at)
  if not name then return nil, at + 1, false end
  local part = parts[name] or error(('no part named %s: %s'):format(name, template), 0)
  return part.make, name_ends, part.deep
end

--- What makes nodes of a template.
---@param template string
---@return fun(g: table, depth: integer): table|nil
function grammar.template(template)
  local pieces, from, deep = {}, 1, false
  local at = template:find('$', 1, true)
  while at do
    local make, ends, inner = part_at(template, at)
    if make then
      if at > from then pieces[#pieces + 1] = template:sub(from, at - 1) end
      pieces[#pieces + 1], from, deep = make, ends, deep or inner
    end
    at = template:find('$', ends, true)
  end
  if from <= #template then pieces[#pieces + 1] = template:sub(from) end
  return function(g, depth)
    if deep and depth <= 0 then return nil end
    local node = tree.expression()
    for i, piece in ipairs(pieces) do
      node[i] = type(piece) == 'string' and piece or piece(g, depth)
      if not node[i] then return nil end
    end
    if #node == 1 and type(node[1]) == 'table' then return node[1] end
    return node
  end
end

--- Adds cases for functions that may have a construct.
---@param construct string|nil
---@param kind string
---@param list table[]
function grammar.when(construct, kind, list)
  for _, case in ipairs(list) do
    local make = type(case[2]) == 'string' and grammar.template(case[2]) or case[2]
    table.insert(cases[kind], { weight = case[1], make = make, construct = construct })
  end
end

--- Adds cases for all functions.
function grammar.always(kind, list) grammar.when(nil, kind, list) end

function grammar.otherwise(kind, make) otherwise[kind] = make end

local function choose(g, depth, list)
  local total, fitting = 0, {}
  for _, case in ipairs(list) do
    if not case.construct or g.on[case.construct] then
      total = total + case.weight
      fitting[#fitting + 1] = case
    end
  end
  for _ = 1, #fitting > 0 and TRIES or 0 do
    local at, index = dice.random() * total - fitting[1].weight, 1
    while at > 0 and fitting[index + 1] do
      index = index + 1
      at = at - fitting[index].weight
    end
    local case = fitting[index]
    local made = case.make(g, depth)
    if made then
      if case.construct then g.tags[case.construct] = true end
      return made
    end
  end
  return nil
end

for _, kind in ipairs { 'number', 'text', 'truth', 'any', 'key', 'statement' } do
  cases[kind] = {}
  grammar[kind] = function(g, depth)
    return choose(g, depth, cases[kind]) or otherwise[kind] and otherwise[kind](g, depth)
  end
  grammar.part(kind, function(g, depth) return grammar[kind](g, depth - 1) end, true)
end

--- All constructs that there are cases of, as a set.
function grammar.constructs()
  local all = {}
  for _, list in pairs(cases) do
    for _, case in ipairs(list) do if case.construct then all[case.construct] = true end end
  end
  return all
end

return grammar
