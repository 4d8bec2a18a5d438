-- SPDX-License-Identifier: Apache-2.0
--- Keys: by what an aggregate folds, as bytes in the kernel and as Lua values here.
---
---   part: a field or a function  --paths-->  graph whose ends are values  --emit-->  bytes of a key
---                                                              bytes  --decode-->  what Lua would see
---
--- A part whose ends are all of one shape is that shape's bytes; constants are numbered; when the
--- shapes differ a tag comes first.

jit.off(true, true) -- of this file: see assembler.lua

local ffi = require 'ffi'
local assembler = require 'moonprobe.stage.assembler'
local fields = require 'moonprobe.fields'
local named = require 'moonprobe.stage.named'
local value = require 'moonprobe.stage.value'

local refuse = value.refuse
local FRAME, EVENT = assembler.FRAME, assembler.EVENT

local keys = {}

--- Reads as the field's getter does, from bytes instead of an event.
local function getter_of(field)
  local _, getter = fields.of(field, function() return false end)
  local member = '_' .. field.name
  return function(raw)
    if not getter then return raw end
    return getter { [member] = raw }
  end
end

local int64 = ffi.typeof 'const int64_t *'
local text_pointer = ffi.typeof 'const char *'
local address_pointer = ffi.typeof 'struct { const uint8_t *bytes; }'

-- Shapes: how a value is stored, and read again.
local shapes = {}

local function emit_number(node_of)
  return function(one, at, v) one.code:store(FRAME, 8, at, one:eval(node_of(v), 1)) end
end

function shapes.int()
  return { name = 'int', bytes = 8, emit = emit_number(function(v) return v end),
    decode = function(at) return tonumber(ffi.cast(int64, at)[0]) end }
end

function shapes.wide(v)
  local convert = v.signed and fields.signed_value or fields.unsigned_value
  return { name = v.signed and 's64' or 'u64', bytes = 8, emit = emit_number(function(node) return node end),
    decode = function(at) return convert(ffi.cast(int64, at)[0]) end }
end

function shapes.name(v)
  local get = getter_of(v.field)
  return { name = 'name ' .. v.field.name, bytes = 8,
    emit = emit_number(function(node) return named.raw(node.field) end),
    decode = function(at) return get(tonumber(ffi.cast(int64, at)[0])) end }
end

shapes.coded = shapes.name

function shapes.bool()
  return { name = 'bool', bytes = 8, emit = emit_number(function(node) return named.raw(node.field) end),
    decode = function(at) return ffi.cast(int64, at)[0] ~= 0 end }
end

--- Copies bytes of the event.
local function emit_bytes(one, at, v)
  local field, done = v.field, 0
  while done < field.bytes do
    local size = one:piece(field.offset + done, field.offset + field.bytes, at + done)
    one.code:load(2, EVENT, size, field.offset + done)
    one.code:store(FRAME, size, at + done, 2)
    done = done + size
  end
end

function shapes.text(v)
  local bytes = v.field.bytes
  return { name = 'text ' .. v.field.name, bytes = bytes, emit = emit_bytes, field = v.field, is_bytes = true,
    decode = function(at) return ffi.string(at, ffi.C.strnlen(ffi.cast(text_pointer, at), bytes)) end }
end

function shapes.address(v)
  local get = getter_of(v.field)
  return { name = 'address', bytes = 16, emit = emit_bytes, field = v.field, is_bytes = true,
    decode = function(at) return get(address_pointer(at)) end }
end

local function padded(bytes) return math.ceil(bytes / 8) * 8 end

--- The ends of a graph, each once.
local function ends_of(graph)
  local ends, seen = {}, {}
  local function visit(node)
    if seen[node] then return end
    seen[node] = true
    if node.leave == 'value' then ends[#ends + 1] = node end
    if node.test then
      visit(node.yes)
      visit(node.no)
    end
  end
  visit(graph)
  return ends
end
keys.ends_of = ends_of

local function store_number(one, at, number) one.code:store_number(FRAME, 8, at, number) end

local unfit = {
  ratio = 'a fraction as a key; round it with math.floor',
  piece = 'a part of a text as a key; take the whole text',
}

--- A part from its graph: { bytes, emit(one, at, done, undecided), decode(pointer) }.
function keys.part(graph)
  local constants, kinds, by_name = {}, {}, {}
  local shape_of = {}
  for _, node in ipairs(ends_of(graph)) do
    local v = node.value
    if v.is == 'const' then
      constants[#constants + 1] = v
      constants[v] = #constants
    elseif shapes[v.is] then
      local shape = shapes[v.is](v)
      by_name[shape.name] = by_name[shape.name] or shape
      if by_name[shape.name] == shape then kinds[#kinds + 1] = shape end
      shape_of[node] = by_name[shape.name]
    else
      refuse('%s', unfit[v.is] or 'this as a key; a field, a number or a whole text will do')
    end
  end
  local most = 0
  for _, shape in ipairs(kinds) do most = math.max(most, padded(shape.bytes)) end
  local tagged = #kinds > 1 or #kinds == 1 and #constants > 0
  local from = (tagged or #kinds == 0) and 8 or 0
  for i, shape in ipairs(kinds) do shape.tag = i end
  local words = { tagged and 'tagged' or '' }
  for _, shape in ipairs(kinds) do words[#words + 1] = shape.name end
  for _, v in ipairs(constants) do words[#words + 1] = type(v.value) .. tostring(v.value) end
  return {
    bytes = from + most,
    signature = table.concat(words, ' '), -- two parts of one signature read alike
    --- The one field whose bytes are the key; nil when there is more to it.
    field = graph.leave and #kinds == 1 and kinds[1].is_bytes and kinds[1].field or nil,
    emit = function(one, at, done, undecided)
      one:graph(graph, function(node)
        local v, shape = node.value, shape_of[node]
        if v.is == 'const' then
          store_number(one, at, -constants[v])
        elseif tagged then
          store_number(one, at, shape.tag)
        end
        local filled = from
        if shape then
          for i = padded(shape.bytes) - 8, shape.bytes - 1, 8 do
            if shape.bytes % 8 ~= 0 then store_number(one, at + from + i, 0) end
          end
          shape.emit(one, at + from, v)
          filled = from + padded(shape.bytes)
        end
        for i = filled, from + most - 8, 8 do store_number(one, at + i, 0) end
        one.code:jump(done)
      end, undecided)
    end,
    decode = function(pointer)
      local tag = from > 0 and tonumber(ffi.cast(int64, pointer)[0])
      if tag and tag < 0 then return constants[-tag].value end
      return kinds[tag or 1].decode(pointer + from)
    end,
  }
end

return keys
