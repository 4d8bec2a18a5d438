-- SPDX-License-Identifier: Apache-2.0
--- stdlib/chains.lua: which members of its argument a function reads, however deep. What is read and
--- not told is not captured; what is told and not read may be an error that nobody understands.
local tap = require 'tap'
local chains = require 'moonprobe.chains'

--- Paths in their order; a * behind those used as a whole, which are told once; `any` when the argument escapes.
local function told(fn)
  local found, escapes = chains.of(fn)
  local whole, words, seen = {}, {}, {}
  for i = #found, 1, -1 do if found[i].guess then table.remove(found, i) end end
  for _, one in ipairs(found) do if one.whole then whole[one.path] = true end end
  for _, one in ipairs(found) do
    if not seen[one.path] then
      seen[one.path] = true
      words[#words + 1] = one.path .. (whole[one.path] and '*' or '')
    end
  end
  table.sort(words)
  if escapes then words[#words + 1] = '(any)' end
  return table.concat(words, ' ')
end

local function is(fn, expected, name) tap.is(told(fn), expected, name) end

local sink = function() end
local outside = { port = 443, set = {} }

-- One chain.
is(function(e) return e.ret end, 'ret*', 'a field')
is(function(e) return e.args.sk.port == 443 end, 'args args.sk args.sk.port*', 'a chain')
is(function(e) return e.args.sk.port == e.pid end, 'args args.sk args.sk.port* pid*', 'and a field')
is(function(e) return e.args.name:match 'x' end, 'args args.name* args.name.match*', 'a method')
is(function(e) return #e.args.name end, 'args args.name*', 'a length')
is(function(e) return outside.set[e.args.fd] end, 'args args.fd*', 'a key')
is(function(e) return e.args.a .. e.pid .. e.args.b end, 'args args.a* args.b* pid*', 'joined')
is(function(e) print(e.args.fd) end, 'args args.fd*', 'passed on')
is(function(e) outside.last = e.args.fd end, 'args args.fd*', 'stored')
is(function(e) return { e.args.fd, fd = e.args.flags } end, 'args args.fd* args.flags*', 'in a table')

-- Locals.
is(function(e)
  local sk = e.args.sk
  if sk.x == 1 then return sk.y end
end, 'args args.sk args.sk.x* args.sk.y*', 'a local')
is(function(e)
  local event = e
  local args = event.args
  return args.fd
end, 'args args.fd*', 'the event as a local')
is(function(e)
  local sk = e.args.sk
  local other = sk
  sk = outside
  return other.x, sk
end, 'args args.sk args.sk.x*', 'a local that is another')
is(function(e)
  local sk = e.args.sk
  if sk then sk = outside end
  return sk.x
end, 'args args.sk', 'a local that is something else by then')
is(function(e)
  e = e.args
  return e.fd
end, 'args args.fd*', 'the argument itself is set')

-- Branches that join.
is(function(e)
  local sk
  if e.pid == 1 then sk = e.args.sk else sk = e.args.other end
  return sk.x
end, 'args args.other args.other.x* args.sk args.sk.x* pid*', 'one of two')
is(function(e)
  local sk = e.pid == 1 and e.args.sk or e.args.other
  return sk.x
end, 'args args.other args.other.x* args.sk args.sk.x* pid*', 'and, or')
is(function(e) return e.args.sk and e.args.sk.x end, 'args args.sk args.sk.x*', 'asked for its truth')
is(function(e) if not e.args.sk then return 1 end return e.args.sk.x end, 'args args.sk args.sk.x*', 'not')
is(function(e) return e.args.sk ~= nil end, 'args args.sk*', 'compared with nil: a value')
is(function(e)
  local v = e.args.fd or e.args.pid
  return v > 3
end, 'args args.fd* args.pid*', 'one of two values')

-- Loops.
is(function(e)
  local sum = 0
  for _, one in ipairs(e.args.list) do sum = sum + one end
  return sum
end, 'args args.list*', 'in a loop')
is(function(e)
  local a, b = e.args.a, e.args.b
  for _ = 1, 2 do a, b = b, a end
  return a.x
end, 'args args.a args.a.x* args.b args.b.x*', 'changed by turns')
is(function(e)
  local sk = e.args
  while outside.more do sk = e.args.sk end
  return sk.x
end, 'args args.sk args.sk.x* args.x*', 'changed in a loop')
do
  local found = chains.of(function(e)
    local one = e.args.list
    while one.next do one = one.next end
    return one.x
  end)
  local deepest = 0
  for _, one in ipairs(found) do deepest = math.max(deepest, select(2, one.path:gsub('%.', '')) + 1) end
  tap.is(deepest, chains.DEEPEST + 1, 'a list that is followed ends somewhere')
end

do -- a tree that is followed: two ways at each step
  local start = require('moonprobe.engine').monotonic()
  local found = chains.of(function(e)
    local one = e.args.tree
    while one.more do one = one.left and one.left.x and one.right or one.left end
    return one.x
  end)
  local took = require('moonprobe.engine').monotonic() - start
  local deep = 0
  for _, one in ipairs(found) do deep = math.max(deep, select(2, one.path:gsub('%.', '')) + 1) end
  tap.ok(deep > chains.DEEPEST, 'a tree that is followed ends somewhere', deep)
  tap.ok(took < 3e8, 'and takes no time', took)
end

-- Functions at hand.
local function port_of(event) return event.args.sk.port end
local function sk_of(event) return event.args.sk end
local function get(of) return of.x end
local function at(of, i) return of[i] end
local function forever(of, n) if n == 0 then return of.x end return forever(of.next, n - 1) end
is(function(e) return port_of(e) == 443 end, 'args args.sk args.sk.port*', 'an upvalue')
is(function(e) return port_of(e) end, 'args args.sk args.sk.port*', 'called last')
is(function(e) return sk_of(e).x end, 'args args.sk args.sk.x*', 'what a function gives')
is(function(e) return sk_of(e) end, 'args args.sk*', 'what a function gives, given')
is(function(e) local x = get(e.args.a) return x + get(e.args.b) end,
  'args args.a args.a.x* args.b args.b.x*', 'called for two')
is(function(e) return at(e.args.a, 1), at(e.args.b, 2) end, 'args args.a args.a[1]* args.b args.b[2]*',
  'called for elements')
is(function(e) return at(e.args.a, e.pid) end, 'args args.a args.a[?]* pid*', 'of which it is not told the number')
is(function(e) return get(sk_of(e)) end, 'args args.sk args.sk.x*', 'one of another')
tap.ok(#chains.of(function(e) return forever(e.args.sk, 3) end) > 2, 'a function that calls itself')
local helpers = { port = port_of }
is(function(e) return helpers.port(e) end, 'args args.sk args.sk.port*', 'in a table')
is(function(e)
  local function own(of) return of.y end
  return own(e.args.sk)
end, 'args args.sk args.sk.y* (any)', 'a function of its own')
--- What closures may read.
local function guessed(fn, expected, name)
  local words = {}
  for _, one in ipairs((chains.of(fn))) do if one.guess and not one.whole then words[#words + 1] = one.path end end
  tap.is(table.concat(words, ' '), expected, name)
end
guessed(function(e) return pcall(function() return e.args.fd end) end, 'args args.fd', 'a closure with the event')
guessed(function(e)
  local sk = e.args.sk
  return pcall(function() return sk.port end)
end, 'args.sk.port port', 'a closure with a local: what it may be')
guessed(function(e)
  return pcall(function() return e.args.argv[1], e.args.list[outside.no] end)
end, 'args args.argv args.argv[1] args.list args.list[?]', 'elements in a closure')
guessed(function(e)
  return pcall(function() return pcall(function() return e.args.fd end) end)
end, 'args args.fd', 'a closure in a closure')
guessed(function(e)
  return pcall(function() return outside.port end), e.pid
end, '', 'a closure without it')
is(function(e) return pcall(function() return 1 end) and e.args.fd end, 'args args.fd* (any)',
  'an event beside a closure')
is(function(e) local sk = e.args.sk return pcall(get, sk) end, 'args args.sk*', 'passed on as a whole')

-- Elements.
is(function(e) return e.args.list[0] end, 'args args.list args.list[0]*', 'an element')
is(function(e) return e.args.list[255], e.args.list[256], e.args.list[65535] end,
  'args args.list args.list[255]* args.list[256]* args.list[65535]*', 'of any number that is written')
is(function(e) return e.args.list[-1], e.args.list[100000] end, 'args args.list args.list[-1]* args.list[100000]*',
  'or that cannot be')
is(function(e) return e.args.iov[1].iov_len end, 'args args.iov args.iov[1] args.iov[1].iov_len*', 'a member of one')
is(function(e) return e.args.regs.x[0][2].y end,
  'args args.regs args.regs.x args.regs.x[0] args.regs.x[0][2] args.regs.x[0][2].y*', 'an element of one')
is(function(e)
  local argv = e.args.argv
  print(argv[0], argv[1])
end, 'args args.argv args.argv[0]* args.argv[1]*', 'of a local')
is(function(e)
  local last = 2
  return e.args.argv[last]
end, 'args args.argv args.argv[2]*', 'a local that has a number')
local THIRD, places = 2, { fourth = 3 }
is(function(e) return e.args.argv[THIRD] end, 'args args.argv args.argv[2]*', 'a number from outside')
is(function(e) return e.args.argv[places.fourth] end, 'args args.argv args.argv[3]*', 'a number in a table')
is(function(e)
  local i = e.pid == 1 and 1 or 2
  return e.args.argv[i]
end, 'args args.argv args.argv[1]* args.argv[2]* pid*', 'one of two numbers')
is(function(e)
  local i = 1
  if e.pid == 1 then i = e.tid end
  return e.args.argv[i]
end, 'args args.argv args.argv[?]* pid* tid*', 'a number, or one that is not known')
is(function(e)
  local i
  if e.pid == 1 then i = 1 end
  if i then return e.args.argv[i] end
end, 'args args.argv args.argv[1]* args.argv[?]* pid*', 'a number, or none')
is(function(e) return e.args.list[e.pid] end, 'args args.list args.list[?]* pid*', 'by a field')
is(function(e) return e.args.list[1.5] end, 'args args.list args.list[?]*', 'by what is no number of an element')
is(function(e) return e.args.list[outside.no] end, 'args args.list args.list[?]*', 'by nothing')
is(function(e)
  local sum = 0
  for i = 0, 2 do sum = sum + e.args.list[i] end
  return sum
end, 'args args.list args.list[0]* args.list[1]* args.list[2]*', 'a loop counts them')
is(function(e)
  for i = 4, 0, -2 do if e.args.argv[i] == 'x' then return i end end
end, 'args args.argv args.argv[0]* args.argv[2]* args.argv[4]*', 'downwards')
is(function(e)
  local sum = 0
  for i = 0, 1 do for j = 0, 1 do sum = sum + e.args.grid[i][j] end end
  return sum
end, 'args args.grid args.grid[0] args.grid[0][0]* args.grid[0][1]* args.grid[1] args.grid[1][0]* args.grid[1][1]*',
  'in a loop of a loop')
is(function(e)
  local sum = 0
  for i = 0, e.pid do sum = sum + e.args.list[i] end
  return sum
end, 'args args.list args.list[?]* pid*', 'a loop whose end is not known')
is(function(e)
  local sum = 0
  for i = 0, 100 do sum = sum + e.args.list[i] end
  return sum
end, 'args args.list args.list[?]*', 'one that is too long')
is(function(e)
  local i = 0
  while e.args.argv[i] ~= '' do i = i + 1 end
  return i
end, 'args args.argv args.argv[0]* args.argv[?]*', 'counted by hand')
is(function(e) return #e.args.list end, 'args args.list*', 'how many there are')
is(function(e) return e['args.argv.1'], e['args.argv[2]'] end, 'args.argv[1]* args.argv[2]*', 'by whole names')
is(function(e) return e.args[3], e.args['3'] end, 'args args.3*', 'an argument that has no name')

-- What is not known.
is(function(e) sink(e) end, '', 'to a function that asks for nothing')
is(function(e) return tostring(e) end, '(any)', 'passed to the library')
is(function(e) outside.e = e end, '(any)', 'stored')
is(function(e, name) return e[name] end, '(any)', 'by a name that is not known')
is(function(...) return (...).args end, '(any)', 'no named argument')
is(tostring, '(any)', 'not a Lua function')
is(function() return 1 end, '', 'no argument')
is(function(_, other) return other.args end, '', 'another argument')

-- Where.
local line = debug.getinfo(1, 'l').currentline + 2
local found = chains.of(function(e)
  local sk = e.args.sk
  return sk.y
end)
local lines = {}
for _, one in ipairs(found) do lines[one.path] = one.line - line end
tap.is(lines, { args = 0, ['args.sk'] = 0, ['args.sk.y'] = 1 }, 'lines')
tap.is(found[1].file, (debug.getinfo(1, 'S').source:gsub('^@', '')), 'the file')
tap.done()
