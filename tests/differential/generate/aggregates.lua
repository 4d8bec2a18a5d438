-- SPDX-License-Identifier: Apache-2.0
--- Aggregates: with their filters, keys and values, for counting.lua.

local dice = require 'generate.dice'
local events = require 'events'
local functions = require 'generate.functions'
local grammar = require 'generate.grammar'
local tree = require 'tree'

local S, B, P = tree.statement, tree.block, function(...) return tree.node('part', ...) end
local one_of, chance = dice.one_of, dice.chance

local aggregates = {}

local KEY_FIELDS = { 'small', 'small', 'wide', 'text', 'text', 'enum', 'named', 'address', 'flag', 'device' }
local KINDS = { 'count', 'count', 'count', 'sum', 'sum', 'avg', 'min', 'max', 'histogram', 'linear_histogram' }
local BOUNDS = { 'from = 0, to = 100, step = 10', 'from = -50, to = 50, step = 7 - 2',
  'from = 0, to = 65536, step = 4096', 'from = 1000, to = 4000000000, step = 3999999000',
  'from = -1, to = 1, step = 1' }

-- A key of any type, more often what people fold by.

grammar.otherwise('key', grammar.number)

grammar.always('key', {
  { 20, '$e.small' },
  { 8, '$e.wide' },
  { 15, '$e.text' },
  { 10, '$named' },
  { 8, '$e.address' },
  { 4, '$e.flag' },
  { 2, '$e.device' },
  { 10, grammar.number },
  { 8, grammar.truth },
  { 6, grammar.text },
  { 6, grammar.any },
  { 3, "$(true|false|nil|''|'other'|0|-1|1.5)" },
})

grammar.when('floor', 'key', { { 6, 'math.floor($number / $(10|1000|4096))' } })
grammar.when('values', 'key', { { 6, '($truth and $key or $key)' } })
grammar.when('nothing', 'key', { { 6, "($named or 'none')" } })

--- The name of a field of this kind, quoted.
local function field_name(g, kind)
  local name = one_of(events.fields[kind])
  g.used[name] = true
  return "'" .. name .. "'"
end

--- An aggregate.
---@param seed integer
---@param wanted string|nil a profile
---@return table made as of generate.one()
function aggregates.make(seed, wanted)
  local g = functions.start(seed, wanted)
  local all, names = {}, {}
  local function make(name, gives)
    functions.again(g)
    g.gives, g.several = gives, true
    names[#names + 1] = name
    all[#all + 1] = S('do ', B(functions.chunk(g, name .. ' = ')), 'end')
    return name
  end

  local call = { 'return function(p, name) return p' }
  for i = 1, one_of { 0, 0, 1, 2 } do call[#call + 1] = P(':where(' .. make('filter' .. i) .. ')') end
  local kind, by = one_of(KINDS), {}
  for i = 1, one_of { 0, 1, 1, 1, 2, 3 } do
    by[i] = P((chance(50) and field_name(g, one_of(KEY_FIELDS)) or make('key' .. i, grammar.key)) .. ',')
  end
  call[#call + 1] = ':' .. kind .. '('
  if kind ~= 'count' then
    local value = chance(45) and field_name(g, chance(60) and 'small' or 'wide') or make('value', grammar.number)
    call[#call + 1] = value .. ', '
  end
  local options = { P('name = name,') }
  if #by > 0 then options[2] = P('by = { ', B(by), '},') end
  if kind == 'linear_histogram' then options[#options + 1] = P(one_of(BOUNDS) .. ',') end
  if #by > 0 and chance(15) then options[#options + 1] = P('note = ' .. field_name(g, 'text') .. ',') end
  call[#call + 1] = P('{ ', B(options), '}')
  call[#call + 1] = ') end'

  if #names > 0 then table.insert(all, 1, S('local ' .. table.concat(names, ', '))) end
  all[#all + 1] = P(unpack(call))
  g.tree, g.profile, g.is_aggregate = B(all), 'aggregate', true
  return g
end

return aggregates
