-- SPDX-License-Identifier: Apache-2.0
--- Outside: what cannot be translated, and has to be refused, or to work. Mostly one line that
--- does it, in a function of the usual kind.

local constants = require 'generate.constants'
local dice = require 'generate.dice'
local events = require 'events'
local scope = require 'generate.scope'
local tree = require 'tree'

local random, one_of = dice.random, dice.one_of

local outside = {}

--- `if CONDITION then return true end`; some need a line before the function.
local CONDITIONS = {
  { "pcall(function() return e.nothing end)" },
  { "global_variable" },
  { "e.error < 5" },
  { "e.comm + 1 > 5" },
  { "e.comm * 2 == 4" },
  { "('10' + e.u8) > 5" },
  { "e.error .. '' == ''" },
  { "e.comm < e.pid" },
  { "#e.pid > 1" },
  { "e.pid.x" },
  { "e.comm.x" },
  { "e.comm:nothing()" },
  { "e.pid()" },
  { "nothing()" },
  { "tostring(e.pid) == '1'" },
  { "tonumber(e.comm) == 1" },
  { "e.comm:rep(3) == 'aaa'" },
  { "e.comm:reverse() == 'lruc'" },
  { "e.comm:byte(1) == 97" },
  { "e.comm:match('^a(.-)b$') == 'x'" },
  { "e.comm:gsub('a', 'b') == 'b'" },
  { "('%d'):format(e.pid) == '1'" },
  { "select('#', e.pid, e.uid) == 2" },
  { "rawequal(e.pid, e.uid)" },
  { "type(e.error) == 'string'" },
  { "(e.u32 ^ 2) > 100" },
  { "math.sqrt(e.u32) > 100" },
  { "math.random() < 2" },
  { "os.time() > 100" },
  { "e.time > 100" },
  { "e[1]" },
  { "e['pid'] == 1" },
  { "e.sequence == 77" },
  { "again(e.u8)", 'local function again(n) if n == 0 then return true end return again(n - 1) end' },
  { "even_one(e.u8)",
    'local odd_one; local function even_one(n) if n == 0 then return true end return odd_one(n - 1) end',
    'odd_one = function(n) if n == 0 then return false end return even_one(n - 1) end' },
  { "strange[e.comm]",
    "local strange = setmetatable({}, { __index = function(_, name) return name == 'curl' end })" },
  { "nested.a.b.c == e.u8", 'local nested = { a = { b = { c = 7 } } }' },
  { "thread()", 'local thread = coroutine.wrap(function() while true do coroutine.yield(true) end end)' },
  { "many(e.pid, e.uid) == 0", 'local function many(...) return ... end' },
  { "less() == nil and less(e.u8, e.u16) == 3", 'local function less(a) return a end' },
}

--- Statements as they are.
local STATEMENTS = {
  { "local t = { e.pid, e.uid }; if t[1] == t[2] then return true end" },
  { "local t = { pid = e.pid }; if t.pid == 1 then return true end" },
  { "local f = function() return e.pid end; if f() == 1 then return true end" },
  { "global_variable = e.pid" },
  { "local n = e.u16; while n > 10 do n = n - e.u8 - 1 end; if n == 3 then return true end" },
  { "local n = e.u8; repeat n = n + 1 until n > e.s8; if n == 3 then return true end" },
  { "for i = 1, e.u8 do if e.u16 == i then return true end end" },
  { "if e.u32 == 77777 and e.u16 == 54321 then for i = 1, 1e9 do if e.u8 == i then return true end end end" },
  { "for i = e.s8, 10, e.u8 + 1 do if e.u16 == i then return true end end" },
  { "for _, v in ipairs(e.args) do if v == 3 then return true end end" },
  { "for k in pairs { a = 1 } do if k == e.comm then return true end end" },
  { "if e then return e end" },
  { "local copy = e; if copy.pid == 3 then return true end" },
  { "e = { pid = 3 }; if e.pid == 3 then return true end" },
  { "e.pid = 3" },
  { "local name = 'pid'; if e[name] == 1 then return true end" },
  { "local x, y = two(e.pid, e.uid); if x == y then return true end", 'local function two(a, b) return b, a end' },
  { "goto done; do return true end ::done::" },
  { "if first(pair(e.u8, e.u16)) == e.u16 then return first(e.s8, pair(e.u8, e.u16)) end",
    'local function pair(a, b) return b, a end', 'local function first(a, b, c) return a, b == c end' },
  { "return larger(e.s8, pair(e.u8, e.u16))",
    'local function pair(a, b) if a > b then return a, b end return b, a end',
    'local function larger(a, b) return a > b and a ~= e_missing end' },
  { "if e.u32 > 7 then return larger(e.s8, pair(e.u8, e.u16)) end",
    'local function pair(a, b) if a > b then return a, b end return b, a end',
    'local function larger(a, b, c) return a + 5 > b and c end' },
  { "for i = 0.5, 3 do if e.u8 == i + 0.5 then return true end end" },
  { "for i = 10, 1 do return true end; for i = 1, 3, 2 do if e.u8 == i then return true end end" },
  { "for i = 1, 0/0 do return true end; for i = 3, 1, -1 do if e.u8 == i then return i end end" },
  { "error('always')" },
  { "assert(e.u8 > 3)" },
  { "if e.u8 == 3 then error('sometimes') end" },
  { "local a, b = e.pid; if b then return true end; if a == 3 then return true end" },
  { "for i = 1, 6 do for j = 1, 6 do if i ~= j and e.args[i] == e.args[j] then return true end end end" },
  { "while true do if e.u8 > 3 then break end return true end" },
  { "while e.u8 > 3 do if e.u8 > 2 then return true end end" },
}

--- Lines that are like each other: `repeated(from, to, line)` has the line for 1, 2, ...
local function repeated(from, to, line)
  local lines = {}
  for i = 1, random(from, to) do lines[i] = line(i) end
  return lines
end

--- What differs each time: text, or a table of statements. The names are for who reads.
local MADE = {
  joined = function(g) return ("if (e.comm .. 'x') == %s then return true end"):format(constants.word(g)) end,
  counting = function(g)
    if g.several then return 'if e.u8 == 3 then return nothing() end' end -- what is asked twice counts twice
    scope.before(g, 'local count = 0')
    return 'count = count + 1; if count > 3 then return true end'
  end,
  remembering = function(g)
    if g.several then return 'if e[e.comm] then return false end' end
    scope.before(g, 'local seen = {}')
    return 'if seen[e.pid] then return false end; seen[e.pid] = true'
  end,
  doubling = function()
    return ('local n = e.u8; for i = 1, %d do n = n + n end; if n > 5 then return true end'):format(random(3, 60))
  end,
  doubling_questions = function()
    return ('local n = e.u8; for i = 1, %d do n = n %% 2 == 0 and n + i or n * 3 + 1 end '):format(random(3, 30))
      .. 'if n > 5 then return true end'
  end,
  long_chain = function()
    local parts = repeated(10, 120, function(i)
      return ('e.%s %s %d'):format(one_of(events.fields.small), one_of { '==', '<', '~=' }, i)
    end)
    return 'if ' .. table.concat(parts, one_of { ' or ', ' and ', ' or ' }) .. ' then return true end'
  end,
  large_set = function(g)
    local members = repeated(100, 3000, function(i) return ("['name%d'] = true"):format(i) end)
    scope.before(g, 'local large = { ' .. table.concat(members, ', ') .. ' }')
    constants.text(g, { 'name7' })
    return 'if large[e.comm] then return true end'
  end,
  large_set_of_numbers = function(g)
    local members = repeated(10, 3000, function(i) return ('[%d] = true'):format(i * 3) end)
    scope.before(g, 'local large = { ' .. table.concat(members, ', ') .. ' }')
    return 'if large[e.u16] then return true end'
  end,
  many_paths = function() -- as many as there are subsets
    local lines = repeated(8, 40, function(i)
      return ('if e.args[%d] %% %d == 1 then n = n + %d end'):format(i % 6 + 1, i + 1, i)
    end)
    table.insert(lines, 1, 'local n = 0')
    lines[#lines + 1] = 'if n == 7 then return true end'
    return lines
  end,
  many_statements = function()
    return repeated(50, 1500, function(i)
      return ("if e.u32 == %d and e.comm == 'name%d' then return true end"):format(i, i)
    end)
  end,
  deep = function()
    local heads = repeated(10, 60, function(i) return ('if e.u32 ~= %d then '):format(i) end)
    return table.concat(heads) .. 'return true ' .. ('end '):rep(#heads)
  end,
  many_variables = function()
    local lines = repeated(50, 150, function(i) return ('local x%d = e.u32 + %d'):format(i, i) end)
    lines[#lines + 1] = 'if x1 == x50 or x3 == x40 * 2 then return true end'
    return lines
  end,
  long_loop = function()
    local line = 'local n = 0; for i = 1, %d do if e.u32 == i then n = n + i end end; if n > 3 then return true end'
    return line:format(one_of { 10, 100, 1000, 10000 })
  end,
}

local CASES = {}
local function add(statement, ...)
  local before = { ... }
  CASES[#CASES + 1] = function(g)
    for _, line in ipairs(before) do scope.before(g, line) end
    return statement
  end
end
for _, case in ipairs(CONDITIONS) do add('if ' .. case[1] .. ' then return true end', unpack(case, 2)) end
for _, case in ipairs(STATEMENTS) do add(unpack(case)) end
local names = {}
for name in pairs(MADE) do names[#names + 1] = name end
table.sort(names) -- a seed gives the same one again
for _, name in ipairs(names) do CASES[#CASES + 1] = MADE[name] end

--- A statement that cannot be translated.
---@return table
function outside.statement(g)
  local made = one_of(CASES)(g)
  local statement = tree.statement(made)
  if type(made) == 'table' then
    for i, line in ipairs(made) do made[i] = tree.statement(line) end
    statement = tree.statement(tree.block(made))
  end
  for name in tree.text(statement):gmatch('e%.([%w_]+)') do g.used[name] = true end
  return statement
end

return outside
