-- SPDX-License-Identifier: Apache-2.0
--- stdlib/stage/paths.lua: which functions are translated, to how much, and what is said of the
--- others. What they answer is compared with Lua's answer.
local tap = require 'tap'
local engine = require 'moonprobe.engine'
local invented = require 'invented'
local paths = require 'moonprobe.stage.paths'
local live = require 'moonprobe.stage.live'
local translated = require 'translated'

local events = {}
for i = 0, 40 do
  events[#events + 1] = invented.event { pid = i, uid = i % 3, u8 = i * 7 % 5, i8 = i - 20, u16 = i % 2 * 443,
    i32 = 10 - i, u32 = i * i, flag = i % 2, other_flag = i % 3 == 0 and 1 or 0, u64 = i, i64 = -i,
    comm = ({ 'cat', 'sh', '', 'sixteen-bytes-16' })[i % 4 + 1], error = i % 3, args = { i, 2 * i, 3 * i, 0, 5, 6 } }
end
local function agree(name, fn) return translated.agree(tap, fn, events, name) end

--- How many nodes a graph has.
local function size(fn)
  local graph, problem = paths.of(fn, invented.schema, live.new(), paths.as_filter)
  if not graph then return problem.reason end
  local seen, count = {}, 0
  local function visit(node)
    if not node or seen[node] then return end
    seen[node], count = true, count + 1
    visit(node.yes)
    visit(node.no)
  end
  visit(graph)
  return count
end

-- Ways that join again.
local function chain(length)
  local parts = {}
  for i = 1, length do parts[i] = ('(e.pid == %d or e.uid == %d)'):format(i, i) end
  return invented.compile(table.concat(parts, ' and '))
end
tap.is(size(chain(1)), 4, 'a question and another, yes and no')
tap.is(size(chain(20)) - size(chain(10)), 20, 'ten more pairs are twenty more questions')
local start = engine.monotonic()
tap.is(size(chain(60)), 122, 'a long chain')
tap.ok(engine.monotonic() - start < 1e8, 'takes no time')
tap.is(size(invented.compile [[return function(e)
  local found = false
  if e.pid == 1 then found = true end
  if e.pid == 2 then found = true end
  if e.pid == 3 then found = true end
  return found
end]]), 2 * 3 + 1, 'a flag that is set on the way: known on each of them')
tap.is(size(invented.compile [[return function(e)
  local unused = 1
  if e.pid == 1 then unused = 2 end
  if e.pid == 2 then unused = 3 end
  return e.uid == 5
end]]), 5, 'what is not used any more does not tell ways apart')
agree('a chain of alternatives', function(e)
  return (e.pid == 1 or e.uid == 2) and (e.u8 == 3 or e.u16 == 443) and not (e.i32 == 0 or e.flag)
end)

-- The shapes of Lua.
agree('and, or, not', function(e) return not (e.flag and e.other_flag) or e.pid == 7 end)
agree('if, elseif, else', function(e)
  if e.pid < 5 then return true elseif e.uid == 1 then return e.flag else return e.other_flag end
end)
agree('locals', function(e)
  local a, b = e.pid, e.uid
  local sum = a + b * 2
  a = sum - 1
  return a > 20
end)
agree('a choice as a value', function(e)
  local limit = e.flag and 10 or 20
  return e.pid > limit
end)
agree('a field or another', function(e) return (e.error or 'none') == 'none' end)
agree('a loop', function(e)
  local sum = 0
  for i = 1, 3 do sum = sum + e.args[i] end
  return sum > 60
end)
agree('a loop downwards, with a step', function(e)
  for i = 5, 1, -2 do if e.args[i] == 27 then return true end end
  return false
end)
agree('a loop that is left', function(e)
  local at = 0
  for i = 1, 6 do
    if e.args[i] == 6 then
      at = i
      break
    end
  end
  return at == 6
end)
agree('while and repeat', function(e)
  local i, sum = 1, 0
  while i <= 3 do sum, i = sum + e.args[i], i + 1 end
  repeat i = i - 1 until i == 0
  return sum > 30 and i == 0
end)
agree('goto', function(e)
  if e.pid > 10 then goto yes end
  do return false end
  ::yes::
  return true
end)
agree('no argument', function() return true end)
agree('more arguments than there are', function(_, more) return more == nil end)
agree('no result', function(_) end)
agree('any value that is not false', function(e) return e.pid end)
agree('text', function(e) return e.comm == 'cat' or e.comm == 'sixteen-bytes-16' or e.comm == '' end)

-- Functions that are called.
local function above(value, limit) return value > limit end
local function pair(e) if e.pid > 10 then return 1, 2 end return 2 end
local function is_pair(a, b) return a == 1 and b == 2 end
local function third(_, _, c) return c == 2 end
local function nothing() end
local deep
deep = function(e, n) if n == 0 then return e.pid > 3 end return deep(e, n - 1) end
local not_tail
not_tail = function(e, n) if n == 0 then return e.pid > 3 end local x = not_tail(e, n - 1) return x end
agree('a function', function(e) local yes = above(e.pid, 7) return yes end)
agree('one whose result is returned', function(e) return above(e.pid, 7) end)
agree('one that gives two values', function(e) local a, b = pair(e) return a == 1 and b == 2 end)
agree('two values that go on to another', function(e) return is_pair(pair(e)) end)
agree('behind others', function(e) return third(0, pair(e)) end)
agree('in the middle', function(e) local yes = third(0, pair(e)) return not yes end)
agree('none', function(e) return nothing(e) == nil end)
agree('one that calls itself', function(e) return deep(e, 3) end)
agree('and goes on behind that', function(e) return not_tail(e, 3) end)
agree('one that is given to another', function(e)
  local how = e.flag and above or third
  return how(e.pid, 7, 2)
end)
agree('a choice that is returned at once', function(e) return math.abs(e.i8) end)
agree('a choice that is compared', function(e) return math.max(e.i8, 3) == 3 end)
agree('one of a table', function(e) return math.min(e.pid, 5) == 5 end)

-- What is outside.
local limit, name, tools = 7, 'cat', { above = above, limit = 9 }
agree('a number outside', function(e) return e.pid > limit end)
agree('text outside', function(e) return e.comm == name end)
agree('a function in a table', function(e) return tools.above(e.pid, tools.limit) end)
agree('globals', invented.compile('e.pid > least and check(e.uid)',
  { least = 3, check = function(uid) return uid == 1 end }))
local function at_least(least) return function(e) return e.pid >= least end end
agree('a function made by another', at_least(12))
agree('a power of constants', function(e) return e.pid > 2 ^ limit / 10 end)
local closures = { at_least(1), at_least(30) }
agree('two of the same function differ', function(e) return closures[1](e) and not closures[2](e) end)
local list = { 1, 2, 3 }
agree('the length of a table', function(e) return e.uid == #list - 1 end)

-- What raises in Lua is left to the worker; the rest is decided.
local function outcomes(fn)
  local ask, counts = assert(translated.filter(fn)), {}
  for _, event in ipairs(events) do
    local outcome = ask(event)
    counts[outcome] = (counts[outcome] or 0) + 1
  end
  return counts
end
for _, case in ipairs {
  { 'e.nothing == 1', 'a field that is not there' },
  { 'e.pid.x == 1', 'a field of a number' },
  { 'e.pid() == 1', 'a call of a number', 'not a known function' },
  { 'e.comm() == 1', 'a call of text', 'not a known function' },
  { 'e.flag + 1 == 1', 'computing with a flag' },
  { 'e.pid < nil', 'an order of nothing' },
  { 'e.flag < e.pid', 'an order of a flag and a number' },
  { 'e.pid < e.comm', 'an order of a number and text' },
  { '#e.pid == 1', 'the length of a number' },
  { 'nobody == e.pid', 'a global that is not there' },
  { 'nobody(e)', 'a call of one' },
  { 'nobody.field', 'a field of one' },
  { 'string.sub(nil, 1) == 1', 'a builtin that fails' },
  { 'math.floor()', 'without its argument' },
  { 'e.pid % 0 == 1', 'modulo by nothing', 'modulo by a value that is not positive' },
} do
  local fn = invented.compile(case[1])
  if case[3] then
    tap.like(translated.refusal(fn), case[3], case[2])
  else
    tap.is(outcomes(fn), { undecided = #events }, case[2] .. ' is undecided')
  end
end
tap.is(outcomes(function(e) return e.pid < 10 or e.flag + 1 == 2 end), { pass = 10, undecided = #events - 10 },
  'only where it happens')
tap.is(outcomes(function(e) return e.u64 * e.u64 * e.u64 * e.u64 < 2 ^ 20 end), { pass = 32, reject = 9 },
  'small numbers are computed')

-- What is refused: why, and on which line.
local env = { table_ = { 1 }, count = 0, unknown = setmetatable({}, {}), falses = { a = false } }
local function refused(reason, line, text)
  local got, at = translated.refusal(invented.compile(text, env))
  tap.like(got, reason, 'refused: ' .. reason)
  tap.is(at, line, '  the line')
  tap.like(got, '; ', '  what to write instead')
end
refused('^changing something outside', 2, 'return function(e)\n count = e.pid\n return true end')
refused('^changing something outside', 2, 'local n = 0 return function(e)\n n = e.pid\n return true, n end')
refused('^changing something outside', 1, 'return function(e) table_.x = e.pid return true end')
refused('^making a table', 3, 'return function(e)\n\n local t = {}\n return t end')
refused('^making a table', 1, 'return function(e) local t = { 1, 2 } return t end')
refused('^making a function', 1, 'return function(e) local f = function() return e end return f end')
refused('^joining text', 2, "return function(e)\n return e.comm .. 'x' == 'catx' end")
refused('^for ... in', 2, 'return function(e)\n for k in pairs(table_) do if k == e.pid then return true end end end')
refused('^for ... in', 1, 'return function(e) for _, v in ipairs(table_) do if v == e.pid then return 1 end end end')
refused('^for ... in', 1, 'return function(e) for k in next, table_ do if k == e.pid then return true end end end')
refused('^a function with %.%.%.', 1, 'return function(...) local e = ... return e.pid == 1 end')
refused('^a call of a function with %.%.%.', 3,
  'local function f(...) return ... end\nreturn function(e)\n return f(e.pid) == 1 end')
refused('the kernel has not', 1, "tostring(e.pid) == '1'")
refused('the kernel has not', 1, 'pcall(math.floor, e.pid)')
refused('not a known function', 2, 'return function(e)\n return e.args() end')
refused('a loop whose bounds depend', 2, 'return function(e)\n for i = 1, e.pid do if i == 5 then return 1 end end end')
refused('a loop whose end depends', 2, 'return function(e)\n while e.pid > 5 do end return true end')
refused('^too long', 2, 'return function(e)\n for i = 1, 1e9 do end return true end')
refused('^calls more than', 1, 'local function f(e) local x = f(e) return x end return f')
refused('an array at a place', 1, 'e.args[e.u8] == 1')
refused('methods of this text', 1, "e.error:find('x')")
refused('argv, which is made of parts', 1, "e.argv == 'x'")
refused('a name that only the worker can read', 1, "e.device == 'sda'")
refused('sequence: records are numbered', 1, 'e.sequence == 1')
refused('time, which is made from time_ns', 1, 'e.time > 5')
refused('a field whose name is not constant', 1, 'e[e.comm] == 1')
refused('a table with a metatable', 1, 'unknown.x == e.pid')
refused('comparing what a look%-up gives with', 1, 'falses[e.comm] == e.comm')
refused('^powers', 1, 'e.pid ^ 2 == 4')
refused('^more than %d+ questions', 13, 'return function(e) local n = 0\n' ..
  ('if e.pid == 1 then n = n + 1 end\n'):rep(1) .. (function()
    local lines = {}
    for i = 1, 11 do lines[i] = ('if e.u32 == %d then n = n + %d end'):format(i, 2 ^ i) end
    return table.concat(lines, '\n')
  end)() .. '\nreturn n == e.uid end')
tap.is(translated.refusal(pcall), 'it is not a Lua function', 'a function of C')

-- A refusal comes soon.
start = engine.monotonic()
translated.refusal(invented.compile 'return function(e) local n = 0 for i = 1, 1e9 do n = n + i end return n end')
tap.ok(engine.monotonic() - start < 2e8, 'also of what is too long')

-- Whatever a script has, the translator does not raise.
local strange = setmetatable({ id = {}, is = 'int' }, { __tostring = function() error 'asked' end,
  __eq = function() error 'asked' end, __index = function() error 'asked' end })
for _, text in ipairs { 'strange == e.pid', 'strange.id == 1', 'strange.other', 'strange[e.comm]', 'strange + 1 == 2',
  'strange < strange', '#strange == e.pid', 'strange()', '-strange == 1', 'strange == nil', 'strange == other',
  'strange[strange]', 'strange[0/0]', 'e.args[0/0]', 'e.args[strange]', 'e.comm:sub(strange)', '5LL == e.pid',
  '5LL < 6', "5LL == 'x'", 'e.comm:find(strange)', 'math.max(strange, 1)', 'bit.band(strange, e.pid)',
  'tonumber(strange)', 'e == e', 'e[strange]',
  'e < e', 'e + 1', 'e()', '#e', '-e', 'e.comm:byte(0/0)', 'e.comm:sub(1/0)', 'e.args == e.args', 'e.ints' } do
  local fn = invented.compile(text, { strange = strange, other = setmetatable({}, getmetatable(strange)) })
  local ok, problem = pcall(translated.refusal, fn)
  tap.ok(ok, 'no error: ' .. text, problem)
end
tap.done()
