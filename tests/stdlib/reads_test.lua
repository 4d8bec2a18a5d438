-- SPDX-License-Identifier: Apache-2.0
--- stdlib/reads.lua: which fields a function reads, told by its bytecode. A field that is read
--- and not told is not captured, so every form has to be told, or the answer has to be `any`.
local tap = require 'tap'
local reads = require 'moonprobe.reads'

local FILE = debug.getinfo(1, 'S').short_src

local function names(fn)
  local found = reads(fn)
  if not found then return 'any' end
  local list = {}
  for i, read in ipairs(found) do list[i] = read.name end
  return table.concat(list, ' ')
end

local function is(fn, expected, name)
  tap.is(names(fn), expected, name)
end

local sink = function() end
local outside = { pid = 1 }
local threshold = 5

-- What is told field by field.
is(function(e) return e.pid end, 'pid', 'a field')
is(function(e) return e.pid, e.comm end, 'pid comm', 'two fields')
is(function(e) return e.pid == 1 end, 'pid', 'compared with a number')
is(function(e) return e.comm == 'curl' end, 'comm', 'compared with text')
is(function(e) return e.comm ~= 'curl' and e.pid > 1 end, 'comm pid', 'and')
is(function(e) return e.comm == 'a' or not e.failed end, 'comm failed', 'or, not')
is(function(e) return e.sport == e.dport end, 'sport dport', 'compared with each other')
is(function(e) return e.latency_ns > threshold end, 'latency_ns', 'compared with an upvalue')
is(function(e) return (e.latency_ns + e.queue_ns) / 2 end, 'latency_ns queue_ns', 'arithmetic')
is(function(e) return -e.offset end, 'offset', 'a minus')
is(function(e) return #e.comm end, 'comm', 'the length')
is(function(e) return e.comm .. ':' .. e.pid end, 'comm pid', 'concatenated')
is(function(e) return e.comm:sub(1, 3) == 'ssh' end, 'comm', 'a method of a field')
is(function(e) return ('%s %d'):format(e.comm, e.pid) end, 'comm pid', 'arguments of a method')
is(function(e) sink(e.pid, e.comm) end, 'pid comm', 'fields passed on')
is(function(e) return { e.pid, comm = e.comm } end, 'pid comm', 'in a table')
is(function(e) local pid = e.pid; return pid + 1 end, 'pid', 'in a local')
is(function(e) outside[e.pid] = e.comm end, 'pid comm', 'stored elsewhere, as key and value')
is(function(e) return outside[e.comm] end, 'comm', 'as a key')
is(function(e) return e['comm'] end, 'comm', 'in brackets')
is(function(e) return e.args.size end, 'args', 'a field of a field')
is(function(_) return outside.pid end, '', 'none')
is(function(_) end, '', 'empty')
is(function() return outside.pid end, '', 'no parameter')
is(function(e)
  if e.pid == 1 then
    if e.comm == 'init' then return e.uid end
  elseif e.tid > 7 then
    return e.file
  else
    for i = 1, 3 do sink(i, e.args) end
  end
  while e.retry do sink() end
  repeat sink() until e.done
  return e.last
end, 'pid comm uid tid file args retry done last', 'every branch and loop')
is(function(e, other) return e.pid + other.nothing end, 'pid', 'a second parameter is not the event')
is(function(e) local f = outside; return f.pid, e.pid end, 'pid', 'another table with the same name of a field')
is(function(e) return pcall(sink, e.pid) end, 'pid', 'a tail call')

-- What may read any field.
is(function(e) return e end, 'any', 'returned')
is(function(e) sink(e) end, 'any', 'passed to a function')
is(function(e) sink(1, 2, e) end, 'any', 'passed as a later argument')
is(function(e) return sink(e) end, 'any', 'passed in a tail call')
is(function(e) sink(e.pid, e) end, 'any', 'passed beside a field of it')
is(function(e) local copy = e; return copy.pid end, 'any', 'in another local')
is(function(e) outside.event = e end, 'any', 'stored in a table')
is(function(e) outside[1] = e end, 'any', 'stored at an index')
is(function(e) outside[e] = true end, 'any', 'as a key')
is(function(e) threshold = e end, 'any', 'stored in an upvalue')
threshold = 5
is(function(e) return { e } end, 'any', 'in a new table')
is(function(e) return { event = e } end, 'any', 'in a new table, by name')
is(function(e) return e[threshold] end, 'any', 'a field whose name is a variable')
is(function(e) return e[1] end, 'any', 'a number as a field')
is(function(e) return e:method() end, 'any', 'a method')
is(function(e) for name in pairs(e) do sink(name) end end, 'any', 'iterated')
is(function(e) return #e end, 'any', 'its length')
is(function(e) return e == outside end, 'any', 'compared itself')
is(function(e) return e and e.pid end, 'any', 'tested itself')
is(function(e) return not e end, 'any', 'negated')
is(function(e) return e .. '' end, 'any', 'concatenated itself')
is(function(e) return tostring(e) end, 'any', 'its text')
is(function(e) e = outside; return e.pid end, 'any', 'the parameter is another value') -- luacheck: ignore
is(function(e) e = e.parent; return e.pid end, 'any', 'the parameter becomes a field of it')
is(function(e) e.pid = 1 end, 'any', 'written to')
is(function(e) return function() return e.pid end end, 'any', 'taken along by a closure')
is(function(e) local f = function() return 1 end; return f() + e.pid end, 'any', 'any closure')
is(function(e) for _ = 1, 2 do sink(function() return e.pid end) end end, 'any', 'a closure in a loop')
is(function(...) local e = ...; return e.pid end, 'any', 'in a vararg')
is(function(...) return (select(1, ...)).pid end, 'any', 'in a vararg, selected')
is(function(e, ...) return e.pid, ... end, 'pid', 'a parameter before a vararg')
is(print, 'any', 'a C function')
is(string.format, 'any', 'a fast function')
is(require('ffi').string, 'any', 'a function of a C library')

-- More constants than an operand can number.
local many = { 'return function(e) local t = {}' }
for i = 1, 300 do many[#many + 1] = ('t[%d] = e.field_%d'):format(i, i) end
many[#many + 1] = 'return t end'
local found = reads(loadstring(table.concat(many, '\n'))())
tap.ok(found == nil or #found == 300, 'more fields than fit into an operand are all told, or any')

-- Told also after it has run, and has been compiled.
local function hot(e)
  local sum = 0
  for _ = 1, 10 do sum = sum + e.pid end
  return sum + e.tid
end
is(hot, 'pid tid', 'before it runs')
for _ = 1, 1000 do hot { pid = 1, tid = 2 } end
is(hot, 'pid tid', 'after it was compiled')

-- Lines.
local here = debug.getinfo(1, 'l').currentline
local list, file = reads(function(e)
  return e.pid == 1
    and e.comm == 'x' and e.tid
end)
tap.is(list[1].line, here + 2, 'line of the first')
tap.is(list[2].line, here + 3, 'line of the second')
tap.is(list[3].line, here + 3, 'line of the third')
tap.is(file, FILE, 'and the file')
tap.is(select(2, reads(function(e) return e end)), FILE, 'the file when it may read any')
tap.is(select(2, reads(loadstring('return function(e) return e.pid end', '=-e')())), '-e', 'a one-liner is its name')
tap.is(names(loadstring(string.dump(function(e) return e.pid, e.comm end, true))), 'pid comm',
  'without debug information')
tap.done()
