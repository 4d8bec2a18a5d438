-- SPDX-License-Identifier: Apache-2.0
--- stdlib/stage/bytecode.lua: instructions as LuaJIT's compiler makes them, and what is alive.
local tap = require 'tap'
local bytecode = require 'moonprobe.stage.bytecode'

local FILE = debug.getinfo(1, 'S').short_src

local function line_of(level) return debug.getinfo((level or 1) + 1, 'l').currentline end

--- The instructions of this name.
local function all(fn, op)
  local list = {}
  for _, one in ipairs(bytecode.of(fn)) do if one.op == op then list[#list + 1] = one end end
  return list
end

local function constants(fn, op)
  local list = {}
  for i, one in ipairs(all(fn, op)) do list[i] = one.constant end
  return list
end

-- Operands.
local first = line_of() + 1
local function filter(e)
  return e.pid ==
    5
end
local code = bytecode.of(filter)
tap.is({ code.params, code.is_vararg, code.line, code.file }, { 1, false, first, FILE }, 'what there is of a function')
tap.is(code[1].op .. ' ' .. code[1].constant, 'TGETS pid', 'a field is read')
tap.is({ code[1].a, code[1].b, code[1].line }, { 1, 0, first + 1 }, 'from where, to where, on which line')
tap.is(code[#code].op:sub(1, 3), 'RET', 'it ends')
tap.is(bytecode.place(filter), ('%s:%d'):format(FILE, first), 'how it is told to people')
tap.is(bytecode.of(pcall), nil, 'a C function has none')
tap.is(bytecode.of(string.len), nil, 'nor has one of the Lua library')
tap.ok(bytecode.of(filter) == code, 'a function is decoded once')
tap.ok(bytecode.of(function() end).number ~= code.number, 'and has a number of its own')
tap.is(bytecode.of(function(...) return ... end).is_vararg, true, 'a function with ...')

tap.is(constants(function() return -5 end, 'KSHORT'), { -5 }, 'a small negative number')
tap.is(constants(function() return 32767 end, 'KSHORT'), { 32767 }, 'the largest small number')
tap.is(constants(function() return 2 ^ 40 end, 'KNUM'), { 2 ^ 40 }, 'a large number')
tap.is(constants(function() return 'text' end, 'KSTR'), { 'text' }, 'text')
tap.is(constants(function() return false end, 'KPRI'), { false }, 'false')
tap.is(constants(function() return true end, 'KPRI'), { true }, 'true')
tap.is(tostring(constants(function() return 7LL end, 'KCDATA')[1]), '7LL', 'a 64-bit constant')
tap.is(constants(function(e) return e == 'x' and 1 end, 'ISNES'), { 'x' }, 'text that is compared with')
tap.is(constants(function(e) return e == 3 and 1 end, 'ISNEN'), { 3 }, 'a number that is compared with')
tap.is(constants(function(e) return e.x % 1000 end, 'MODVN'), { 1000 }, 'an operand')
tap.is(constants(function() return unknown_name end, 'GGET'), { 'unknown_name' }, 'a global') -- luacheck: ignore
tap.is(all(function(e) return e[3] end, 'TGETB')[1].c, 3, 'an element')

-- Where loops and jumps go.
local function loop(e)
  local sum = 0
  for i = 1, 3 do sum = sum + e.args[i] end
  return sum
end
local list = bytecode.of(loop)
for i, one in ipairs(list) do
  if one.op == 'FORI' then tap.is(list[one.target - 1].op, 'FORL', 'a loop is left behind its end') end
  if one.op == 'FORL' then tap.is(list[one.target - 1].op, 'FORI', 'and goes on behind its start') end
  if one.target then tap.ok(one.target >= 1 and one.target <= #list, 'a target is an instruction', i) end
end

-- A loop that ran often is compiled before anybody asks: told as it was written.
local text = 'return function(e) local sum = 0 for i = 1, 60 do sum = sum + e.args[i % 3 + 1] end return sum > 7 end'
local cold, heated = assert(loadstring(text))(), assert(loadstring(text))()
for _ = 1, 200 do heated { args = { 1, 2, 3 } } end
local compiled, names = 0, require('moonprobe.vmdef').bcnames
for pc = 1, #bytecode.of(cold) do
  local number = require('bit').band(require('jit.util').funcbc(heated, pc), 0xff)
  if names:sub(6 * number + 1, 6 * number + 6):find '^JFOR' then compiled = compiled + 1 end
end
local function told(fn)
  local words = {}
  for i, one in ipairs(bytecode.of(fn)) do
    words[i] = ('%s %d %s %s'):format(one.op, one.a, one.target or '', table.concat(one.alive, ','))
  end
  return words
end
if jit.status() then tap.ok(compiled > 0, 'a loop was compiled') end
tap.is(told(heated), told(cold), 'which makes no difference')

-- What is alive: what will be read, before it is written.
local function alive_at(fn, op, nth)
  return all(fn, op)[nth or 1].alive
end
tap.is(alive_at(filter, 'TGETS'), { 0 }, 'the event is, until its last field was read')
tap.is(alive_at(function(e)
  local a = e.pid
  local b = e.uid
  return a == b
end, 'TGETS', 2), { 0, 1 }, 'a local that is used later')
tap.is(alive_at(function(e)
  local _ = e.pid
  return e.uid
end, 'TGETS', 2), { 0 }, 'not one that is not')
tap.is(alive_at(loop, 'FORL'), { 0, 1, 2, 3, 4 }, 'what the next round needs')
local f, g = function() return 1, 2 end, function() return 1 end
tap.is(alive_at(function(e) return f(e, g(e)) end, 'CALLMT'), { 1, 3 },
  'of a call that takes what another gives: function and argument')
tap.is(alive_at(function(e)
  local x = f(e, g(e))
  return x
end, 'CALLM'), { 1, 3 }, 'also in the middle')
local both = alive_at(function(e)
  local x = e.pid or e.uid
  return x
end, 'TGETS', 2)
tap.is(both, { 0 }, 'the second choice does not need the first')

-- A function that has run, and been compiled, may have other instructions: no error.
local function hot(e)
  local sum = 0
  for i = 1, 200 do sum = sum + i end
  return sum == e.pid
end
for _ = 1, 200 do hot { pid = 1 } end
tap.ok(pcall(bytecode.of, hot), 'a function that was compiled')
tap.done()
