-- SPDX-License-Identifier: Apache-2.0
--- Value: what a translated function computes with, before anything is known about the event.
---
---   const    a Lua value known now                       { value }
---   int      an integer that a Lua number holds exactly  { op, a, b, low, high }
---   wide     a 64-bit field: a number up to 2^53, 64-bit cdata beyond      { field, signed }
---   ratio    int / constant                              { a, by }
---   text     a char array that reads as a string         { field }
---   piece    a part of a text: its start, or its end     { field, from, to }
---   found    what find() or match() gives                { field, bytes, starts, ends }
---   name     a number that reads as a string or nil      { field, type }
---   address  an IP address that reads as a string        { field }
---   bool     a flag                                      { field }
---   array, event                                         { field }
---   element  a table looked up by a field                { table, key }
---   choice   one of two values, by a test                { test, yes, no }
---
--- Equal values are the same Lua table: the translator compares paths by them.
---
--- A test is a question about the event with a yes and a no: see condition.lua. What cannot be
--- translated is refused (an error with a reason); what makes Lua raise is undecided.

local value = {}

value.MOST = 2 ^ 53 -- integers up to here are exact in a Lua number

local interned, count = {}, 0

--- Forgets all values: to be called before a translation.
function value.start()
  interned, count = {}, 0
end

local function mark(part)
  local kind = type(part)
  if kind == 'table' and part.id then return part.id end
  if kind == 'number' then return ('n%.17g'):format(part) end
  return kind:sub(1, 2) .. tostring(part)
end

--- The one value of these parts. `order` names the parts that tell it from others.
local function make(node, order)
  local words = { node.is }
  for _, name in ipairs(order) do words[#words + 1] = mark(node[name]) end
  local key = table.concat(words, '\0')
  if not interned[key] then
    count = count + 1
    node.id = count
    interned[key] = node
  end
  return interned[key]
end

function value.const(of)
  if of == 0 then of = 0 end -- not -0
  return make({ is = 'const', value = of }, { 'value' })
end

--- An integer operation; its range decides what the operations above it must guard against.
---@param op string a name in operations.lua
---@param parts table a, b: operands; what else the operation needs
function value.int(op, low, high, parts)
  local node = { is = 'int', op = op, low = low, high = high }
  for name, part in pairs(parts) do node[name] = part end
  return make(node, { 'op', 'a', 'b', 'at', 'low', 'high' })
end

function value.ratio(a, by) return make({ is = 'ratio', a = a, by = by }, { 'a', 'by' }) end

function value.choice(test, yes, no)
  return { is = 'choice', test = test, yes = yes, no = no }
end

--- Part of an event, of a kind from the list above.
function value.part(kind, parts)
  parts.is = kind
  return make(parts, { 'field', 'at', 'from', 'to', 'bytes', 'starts', 'ends', 'table', 'key' })
end

value.event = { is = 'event', id = 0 }

function value.is_const(v, of_type)
  return v.is == 'const' and (not of_type or type(v.value) == of_type)
end

--- An integer a Lua number holds exactly?
function value.is_integer(of)
  return type(of) == 'number' and of == math.floor(of) and math.abs(of) <= value.MOST
end

-- Raised inside the translator, caught by paths.lua.

local Refusal, Undecided = {}, {}
value.undecided_mark = Undecided

--- This cannot be translated: says what, and what to write instead.
function value.refuse(format, ...)
  error(setmetatable({ reason = format:format(...) }, Refusal), 0)
end

function value.is_refusal(problem) return getmetatable(problem) == Refusal end

--- Lua would raise here, or the kernel cannot know: the worker decides about this event.
function value.undecided() error(Undecided, 0) end

return value
