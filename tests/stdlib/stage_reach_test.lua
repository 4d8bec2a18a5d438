-- SPDX-License-Identifier: Apache-2.0
--- stdlib/stage/reach.lua: what random handlers change when they run is among what was found without
--- running them. HANDLERS and SEED in the environment: more of them, others.
local tap = require 'tap'
local changes = require 'moonprobe.stage.changes'

local SEED, HANDLERS = tonumber(os.getenv 'SEED' or 1), tonumber(os.getenv 'HANDLERS' or 300)
math.randomseed(SEED)

local function pick(list) return list[math.random(#list)] end

-- Expressions that give a table, most often: $ is another, %1 one of the names that are there.
local expressions = { 'H.a', 'H[e.k]', 'H[e.k2]', 'O.got', 'keep[1]', 'rawget(H, e.k)', 'id($)',
  '({ $, $ })[1 + e.n % 2]', 'select(2, e.n, $)',
  '(e.n > 3 and $ or $)', '(function(...) local x, y = ... return y or x end)($, $)',
  'setmetatable({}, { __index = $ }).a' }

local function expression(depth, names)
  if depth > 3 or math.random(4) == 1 then return pick(names) end
  return (pick(expressions):gsub('%$', function() return expression(depth + 1, names) end))
end

-- Statements. $: an expression, which is q behind `on`; #: more statements, with what is in () as names, too.
local statements = { 'on q[e.n] = e.n', 'on q.x = (q.x or 0) + 1', 'on table.insert(q, e.n)', 'on rawset(q, e.k2, e.n)',
  'v = v + 1', 'w = e.n', 'u = $', 'keep[1] = $', 'O.got = $',
  'on for k, x in pairs(q) do if type(x) == "table" and x ~= q then x[e.n] = k break end end',
  'on for i = 1, 3 do local x = q[i] if type(x) == "table" then x.y = i end end',
  'if type(keep[1]) == "function" and e.d < 9 then e.d = e.d + 1 keep[1]() end',
  'do local m = $ local function g() return m end m = $ local q = g() if type(q) == "table" then q.zz = 1 end end',
  'do local function f(x) #(x) if type(x) == "table" then x[e.n] = 1 end end f($) end',
  'keep[1] = function() #() end', 'pcall(function() #() end)', 'coroutine.wrap(function(x) #(x) end)($)',
  'setmetatable({}, { __newindex = function(_, _, x) #(x) end }).z = $',
  'for i = 1, 2 do if e.n > i then #() else #() end end' }
local FLAT = 9

local function block(depth, names)
  local list = {}
  for i = 1, math.random(3) do
    local text = statements[math.random(depth > 3 and FLAT or #statements)]
    text = text:gsub('^on (.*)$', 'do local q = $ if type(q) == "table" then %1 end end')
    text = text:gsub('#%((%w*)%)', function(name)
      return block(depth + 1, name == '' and names or { name, unpack(names) })
    end)
    list[i] = text:gsub('%$', function() return expression(depth, names) end)
  end
  return table.concat(list, ' ')
end

local function copy(of)
  local same = {}
  for key, value in next, of do same[key] = value end
  return same
end

--- Makes a handler, asks what it changes, runs it; gives what was not found. What it can reach is its own.
local function try(body, counts)
  local a, b, c, d = { 1 }, { a = { 2 } }, {}, { { 3 } }
  d[2] = c
  local text = [[
    local A, B, C, D, id = ...
    local H, O, keep, v, w, u = { a = A, b = B, A, B, c = 5 }, {}, {}, 0, 0, 0
    return function(e) ]] .. body .. [[ end, { A, B, C, D, H, O, keep }, function() return v, w, u end]]
  local handler, tables, variables = assert(loadstring(text, '=random'))(a, b, c, d, function(x) return x end)
  tables[8], tables[9] = b.a, d[1]
  local before, missing = {}, {}
  for i, one in ipairs(tables) do before[i] = copy(one) end
  local found = changes.of { { filters = {}, take = handler } }
  for n = 1, 12 do
    pcall(handler, { d = 0, n = n % 6, k = n % 2 == 0 and 'a' or 'b', k2 = n % 3 == 0 and 'x' or 'a' })
  end
  for i = 1, 3 do
    local name, value = debug.getupvalue(variables, i)
    if value ~= 0 and not found:variable(debug.upvalueid(variables, i)) then missing[#missing + 1] = name end
  end
  for i, one in ipairs(tables) do
    local now = copy(one)
    for key in pairs(before[i]) do if now[key] == nil then now[key] = 0 end end
    for key, value in pairs(now) do
      local changed = not rawequal(before[i][key], value)
      if changed and not found:table(one, key) then missing[#missing + 1] = i .. '.' .. tostring(key) end
      counts.changed = counts.changed + (changed and 1 or 0)
    end
    counts.kept = counts.kept + (found:table(one) and 0 or 1)
  end
  counts.unknown = counts.unknown + (found.everything and 1 or 0)
  return missing
end

local counts, failures = { changed = 0, kept = 0, unknown = 0 }, {}
for _ = 1, HANDLERS do
  local body = block(0, { 'A', 'B', 'C', 'D', 'H' })
  local missing = try(body, counts)
  if #missing > 0 then failures[#failures + 1] = { missing, body } end
end
tap.is({ #failures, failures[1] }, { 0 }, ('%d handlers, seed %d: all changes were found'):format(HANDLERS, SEED))
tap.ok(counts.changed > HANDLERS, 'there were some', counts)
tap.ok(counts.kept > 3 * HANDLERS and counts.unknown < HANDLERS / 10, 'and many tables were left to the kernel', counts)
tap.done()
