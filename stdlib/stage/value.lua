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
---   coded    a number whose name only the worker can find: a key, nothing else  { field }
---   address  an IP address that reads as a string        { field }
---   bool     a flag                                      { field }
---   array, event                                         { field }
---   element  a table looked up by a field                { table, key, test(has) }
---   choice   one of two values, by a test                { test, yes, no }
---
--- Equal values are the same Lua table: the translator compares paths by them.
---
--- A test is a question about the event with a yes and a no: see condition.lua. What cannot be
--- translated is refused (an error with a reason); what makes Lua raise is undecided.

jit.off(true, true) -- of this file: see assembler.lua

local value = {}

value.MOST = 2 ^ 53 -- integers up to here are exact in a Lua number

local nodes, interned, constants = {}, {}, {} -- by id, by their parts, by their value
local objects, object_count = {}, 0 -- tables that are parts; the script's own have no say in it
local NIL, NAN = {}, {} -- what cannot be a key

--- Forgets all values: to be called before a translation.
function value.start()
  nodes, interned, constants, objects, object_count = {}, {}, {}, {}, 0
end

local INT, RATIO = { 'op', 'a', 'b', 'at', 'low', 'high' }, { 'a', 'by' }
local PART = { 'field', 'at', 'from', 'to', 'bytes', 'starts', 'ends', 'table', 'key' }

local function number_of(object)
  if not objects[object] then
    object_count = object_count + 1
    objects[object] = 'o' .. object_count
  end
  return objects[object]
end

local function mark(part)
  local kind = type(part)
  if kind == 'number' then return ('n%.17g'):format(part) end
  if kind ~= 'table' then return kind:sub(1, 2) .. tostring(part) end
  local id = rawget(part, 'id')
  return id and nodes[id] == part and id or number_of(part)
end

local function add(node)
  node.id = #nodes + 1
  nodes[node.id] = node
  return node
end

--- The one value of these parts. `order` names the parts that tell it from others.
local function make(node, order)
  local words = { node.is }
  for i = 1, #order do words[i + 1] = mark(node[order[i]]) end
  local key = table.concat(words, '\0')
  if not interned[key] then interned[key] = add(node) end
  return interned[key]
end

function value.const(of)
  if type(of) == 'number' and of == 0 then of = 0 end -- not -0
  local key = of
  if of == nil then key = NIL elseif of ~= of then key = NAN end
  if not constants[key] then constants[key] = add { is = 'const', value = of } end
  return constants[key]
end

--- An integer operation; its range decides what the operations above it must guard against.
---@param op string a name in operations.lua
---@param parts table a, b: operands; what else the operation needs
function value.int(op, low, high, parts)
  local node = { is = 'int', op = op, low = low, high = high }
  for name, part in pairs(parts) do node[name] = part end
  -- Computing it may leave the event undecided, so it has to be computed whatever its range says.
  node.guarded = op == 'within' or node.a and node.a.guarded or node.b and node.b.guarded or nil
  return make(node, INT)
end

function value.ratio(a, by) return make({ is = 'ratio', a = a, by = by }, RATIO) end

function value.choice(test, yes, no)
  return { is = 'choice', test = test, yes = yes, no = no }
end

--- Part of an event, of a kind from the list above.
function value.part(kind, parts)
  parts.is = kind
  return make(parts, PART)
end

value.event = { is = 'event', id = 'event' }

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
