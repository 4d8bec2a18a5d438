-- SPDX-License-Identifier: Apache-2.0
--- Folding: an aggregate's add() in the kernel: the key, the cell in one of two maps, its words.
---
---   key on the stack, value in r8  -->  cell of the bank in use, made when there is none  -->  words
---
--- The words of a kind are in its own file (stdlib/aggregates); stage/cells.lua reads them.

jit.off(true, true) -- of this file: see assembler.lua

local bit = require 'bit'
local ffi = require 'ffi'
local aggregate = require 'moonprobe.aggregate'
local assembler = require 'moonprobe.stage.assembler'
local arithmetic = require 'moonprobe.stage.arithmetic'
local cells = require 'moonprobe.stage.cells'
local keys = require 'moonprobe.stage.keys'
local paths = require 'moonprobe.stage.paths'
local value = require 'moonprobe.stage.value'

local const, refuse = value.const, value.refuse
local FRAME, EVENT = assembler.FRAME, assembler.EVENT
local VALUE, CELL = 8, 9 -- registers
local LOOKUP, UPDATE, NO_EXIST = 1, 2, 1
local E2BIG = 7
local BANK, REFUSED, ZEROS = 0, 8, 16 -- offsets in the control map
local LARGEST = 2 ^ 45 -- sums of quarter a million of these fit into 64 bits
local BIAS = 2 ^ 62
local MOST_KEY = 192 -- bytes of stack

local bytes_pointer = ffi.typeof 'const char *'

local folding = {}

-- Operations on words: value in r8, cell in r9. `at`: the word's offset.
local operations = {}

function operations.add(code, word, at)
  if word.of == 'one' then
    code:alu('mov', 2, 1)
    code:atomic_add(CELL, at, 2)
  else
    code:atomic_add(CELL, at, VALUE)
  end
end

--- The largest, of the value or of its opposite; a loop, for an interrupt may come between.
function operations.most(code, word, at)
  local done = code:label()
  code:load_number(3, BIAS)
  code:alu_register(word.of == 'negated' and 'sub' or 'add', 3, VALUE)
  code:load(0, CELL, 8, at)
  for _ = 1, 4 do
    code:jump_if_register('geu', 0, 3, done)
    code:alu_register('mov', 4, 0)
    code:compare_exchange(CELL, at, 3)
    code:jump_if_register('eq', 0, 4, done)
  end
  code:place(done)
end

--- r3 = the slot of the value in r8. Slot 0: negative, 1: below 1, 1 + n: from 2^(n-1).
local function log2_slot(code, scale)
  local done = code:label()
  code:alu('mov', 3, 0)
  code:jump_if('lt', VALUE, 0, done)
  code:alu_register('mov', 2, VALUE)
  if scale > 1 then
    code:load_number(4, scale)
    code:alu_register('div', 2, 4)
  end
  code:alu('mov', 3, 1)
  code:jump_if('eq', 2, 0, done)
  code:alu('mov', 3, 2)
  for _, bits in ipairs { 32, 16, 8, 4, 2, 1 } do
    local smaller = code:label()
    code:alu_register('mov', 4, 2)
    code:alu('shr', 4, bits)
    code:jump_if('eq', 4, 0, smaller)
    code:alu('add', 3, bits)
    code:alu_register('mov', 2, 4)
    code:place(smaller)
  end
  code:place(done)
end

--- Slot 0: below `from`, then steps, then `to` and above.
local function linear_slot(code, scale, word)
  local done = code:label()
  code:alu('mov', 3, 0)
  code:load_number(4, word.from * scale)
  code:jump_if_register('lt', VALUE, 4, done)
  code:alu('mov', 3, word.count - 1)
  code:load_number(5, word.to * scale)
  code:jump_if_register('ge', VALUE, 5, done)
  code:alu_register('mov', 3, VALUE)
  code:alu_register('sub', 3, 4)
  code:load_number(4, word.step * scale)
  code:alu_register('div', 3, 4)
  code:alu('add', 3, 1)
  code:place(done)
end

function operations.slots(code, word, at, scale)
  local inside = code:label()
  if word.slot == 'log2' then log2_slot(code, scale) else linear_slot(code, scale, word) end
  code:jump_if('leu', 3, word.count - 1, inside) -- tells the verifier what it cannot see
  code:alu('mov', 3, word.count - 1)
  code:place(inside)
  code:alu('shl', 3, 3)
  code:alu_register('mov', 0, CELL)
  code:alu_register('add', 0, 3)
  code:alu('mov', 2, 1)
  code:atomic_add(0, at, 2)
end

local function word_count(word) return word.op == 'slots' and word.count or 1 end

--- A field's or function's graph with values at its ends.
local function graph_of(plan, part)
  if type(part) == 'string' then
    local name = part
    local graph, used = paths.of_field(name, plan.schema, plan.live)
    return graph, used, 'field ' .. name
  end
  local graph, used = paths.of(part, plan.schema, plan.live, paths.as_value)
  return graph, used
end

--- The denominator all ends of a value share: 1 for integers.
local function scale_of(ends)
  local scale = 1
  for _, node in ipairs(ends) do
    local by = node.value.is == 'ratio' and node.value.by or 1
    if by ~= 1 and scale ~= 1 and by ~= scale then
      refuse('fractions of different denominators; divide all by the same')
    end
    scale = math.max(scale, by)
  end
  return scale
end

--- An end's value times `scale`, as an integer; undecided when Lua would raise.
local function scaled(v, scale)
  if value.is_const(v, 'string') then refuse('text as a value; a number field will do') end
  if v.is == 'ratio' then
    if v.by ~= scale then refuse('fractions of different denominators; divide all by the same') end
    v = v.a
  elseif scale > 1 then
    v = arithmetic.binary('mul', arithmetic.integer(v), const(scale))
  end
  return arithmetic.within(arithmetic.integer(v), -LARGEST, LARGEST)
end

--- Puts the value into r8.
local function emit_value(one, fold, undecided)
  local done = one.code:label()
  one:graph(fold.value_graph, function(node)
    local v = fold.values[node]
    if not v then
      one.code:jump(undecided)
    elseif v.is == 'const' then
      one.code:load_number(VALUE, v.value)
    else
      one.code:alu_register('mov', VALUE, one:eval(v, 1))
    end
    one.code:jump(done)
  end, undecided)
  one.code:place(done)
end

--- r2 = the key's address. Between this and the call nothing else uses r2.
local function load_key(code, fold, key_at)
  if fold.key_field then
    code:alu_register('mov', 2, EVENT)
    code:alu('add', 2, fold.key_field.offset)
  else
    code:alu_register('mov', 2, FRAME)
    code:alu('add', 2, key_at)
  end
end

local function refuse_event(code, fold, done)
  code:alu('mov', 2, 1)
  code:load_map(1, fold.control, REFUSED)
  code:atomic_add(1, 0, 2)
  code:jump(done)
end

--- r0 = the cell of the key in one bank. When there is no memory for a new one at the moment
--- (-ENOMEM, -EBUSY; kernel/bpf/hashtab.c) the worker takes the event.
local function find_cell(code, fold, map, key_at, have, full, undecided)
  load_key(code, fold, key_at)
  code:load_map(1, map)
  code:call(LOOKUP)
  code:jump_if('ne', 0, 0, have)
  load_key(code, fold, key_at)
  code:load_map(1, map)
  code:load_map(3, fold.control, ZEROS)
  code:alu('mov', 4, NO_EXIST)
  code:call(UPDATE)
  code:alu_register('mov', CELL, 0)
  load_key(code, fold, key_at)
  code:load_map(1, map)
  code:call(LOOKUP)
  local made = code:label()
  code:jump_if('ne', 0, 0, made)
  code:jump_if('eq', CELL, -E2BIG, full)
  code:jump(undecided)
  code:place(made)
  for _, copy in ipairs(fold.note or {}) do
    code:load(2, EVENT, copy.size, copy.from)
    code:store(0, copy.size, copy.to, 2)
  end
  code:jump(have)
end

local function emit_words(code, fold)
  local at = 0
  for _, word in ipairs(fold.words) do
    operations[word.op](code, word, at, fold.scale)
    at = at + 8 * word_count(word)
  end
end

--- What emits a fold: goes on behind it; `undecided` when only Lua can tell key or value.
local function emitter(fold)
  return function(one, undecided)
    local code = one.code
    local done, have, full, second = code:label(), code:label(), code:label(), code:label()
    if fold.value_graph then emit_value(one, fold, undecided) end
    local key_at
    if not fold.keyed then
      key_at = one:room(8)
      code:load_map(1, fold.control, BANK)
      code:load(2, 1, 8, 0)
      code:store(FRAME, 8, key_at, 2)
      load_key(code, fold, key_at)
      code:load_map(1, fold.maps[1])
      code:call(LOOKUP)
      code:jump_if('eq', 0, 0, done)
      code:place(second)
      code:place(full)
    else
      if not fold.key_field then
        key_at = one:shared_room(MOST_KEY)
        local at = key_at
        for _, part in ipairs(fold.parts) do
          local next_part = code:label()
          part.emit(one, at, next_part, undecided)
          code:place(next_part)
          at = at + part.bytes
        end
      end
      code:load_map(1, fold.control, BANK)
      code:load(2, 1, 8, 0)
      code:jump_if('ne', 2, 0, second)
      find_cell(code, fold, fold.maps[1], key_at, have, full, undecided)
      code:place(second)
      find_cell(code, fold, fold.maps[2], key_at, have, full, undecided)
      code:place(full)
      refuse_event(code, fold, done)
    end
    code:place(have)
    code:alu_register('mov', CELL, 0)
    emit_words(code, fold)
    code:place(done)
  end
end

--- Where a note's bytes go: copies of aligned pieces.
local function note_copies(plan, one, words_bytes)
  local field
  for _, each in ipairs(plan.schema.fields) do if each.name == one.name then field = each end end
  local copies, done = {}, 0
  while done < field.bytes do
    local size = 8
    while (field.offset + done) % size ~= 0 or done % size ~= 0 or done + size > field.bytes do size = size / 2 end
    copies[#copies + 1] = { from = field.offset + done, to = words_bytes + done, size = size }
    done = done + size
  end
  return copies
end

--- FNV-1a, to make a name of what a map holds.
local function hash(text)
  local a, b = 2166136261, 40389
  for i = 1, #text do
    a = bit.tobit(bit.bxor(a, text:byte(i)) * 403)
    b = bit.tobit(bit.bxor(b, text:byte(i)) * 16777)
  end
  return bit.tohex(a) .. bit.tohex(b)
end

local function try(plan, wanted)
  local made = wanted.made
  local kernel = wanted.kind.kernel and wanted.kind.kernel(wanted.options)
  if not kernel then refuse("'%s', which has no kernel form", wanted.kind.name) end
  local fold = { words = kernel.words, fields = {}, parts = {}, scale = 1, keyed = #wanted.keys > 0 }
  local layout = {}
  local function follow_part(part)
    local graph, used = graph_of(plan, part)
    if not graph then error(used, 0) end
    for name in pairs(used) do fold.fields[name] = true end
    return graph
  end
  local key_bytes = 0
  for i, part in ipairs(wanted.keys) do
    fold.parts[i] = keys.part(follow_part(part))
    key_bytes = key_bytes + fold.parts[i].bytes
    layout[#layout + 1] = fold.parts[i].signature
  end
  if #fold.parts == 1 then fold.key_field = fold.parts[1].field end
  fold.key_bytes = fold.key_field and fold.key_field.bytes or key_bytes
  if fold.key_field and key_bytes > 256 or not fold.key_field and key_bytes > MOST_KEY then
    refuse('a key of %d bytes; fewer parts, or shorter fields', key_bytes)
  end
  if wanted.value then
    fold.value_graph = follow_part(wanted.value)
    local ends = keys.ends_of(fold.value_graph)
    fold.scale, fold.values = scale_of(ends), {}
    for _, node in ipairs(ends) do
      local ok, result = pcall(scaled, node.value, fold.scale)
      if not ok and result ~= value.undecided_mark then error(result, 0) end
      fold.values[node] = ok and result or nil
    end
  end
  local words = 0
  for _, word in ipairs(fold.words) do
    words = words + word_count(word)
    if word.slot == 'linear' and (word.from % 1 ~= 0 or word.step % 1 ~= 0 or word.to % 1 ~= 0) then
      refuse('buckets at fractions; integers will do')
    end
  end
  local value_bytes = 8 * words
  if wanted.note then
    -- The one cell has no first event: each CPU has a row of it from the beginning.
    if not fold.keyed then refuse('a note without a key; leave it out, or fold by something') end
    local graph = follow_part(wanted.note)
    local part = graph.leave == 'value' and keys.part(graph)
    if not part or not part.field then refuse('a note that is not a text field; name one') end
    fold.note = note_copies(plan, part.field, value_bytes)
    fold.note_bytes, fold.note_decode = part.bytes, part.decode
    value_bytes = value_bytes + part.bytes
  end
  fold.value_bytes, fold.note_bytes = value_bytes, fold.note_bytes or 0
  local name = hash(table.concat({ made.signature, fold.key_bytes, value_bytes, made.max_keys, made.full,
    fold.scale, table.concat(layout, ',') }, '\0'))
  fold.name = name
  fold.control = plan:add_map('values', 4, ZEROS + value_bytes, 1, {}, name .. ' control')
  if fold.keyed then
    local kind = made.full == 'lru' and 'lru' or 'percpu_hash'
    fold.maps = { plan:add_map(kind, fold.key_bytes, value_bytes, made.max_keys, {}, name .. ' a'),
      plan:add_map(kind, fold.key_bytes, value_bytes, made.max_keys, {}, name .. ' b') }
  else
    fold.maps = { plan:add_map('percpu_array', 4, value_bytes, 2, {}, name) }
  end
  fold.kernel = kernel
  fold.emit = emitter(fold)
  return fold
end

--- What the kernel can fold; nil and a refusal when it cannot.
---@param plan table
---@param wanted { kind, options, keys: (string|function)[], value: string|function|nil, note, made: table }
---@return table|nil
---@return table? refusal
function folding.make(plan, wanted)
  local maps = #plan.maps
  local ok, result = pcall(try, plan, wanted)
  if ok then return result end
  for i = #plan.maps, maps + 1, -1 do plan.maps[i] = nil end
  if type(result) ~= 'table' or not result.reason then error(result, 0) end
  return nil, result
end

--- The descriptors of a fold's maps: banks, control.
---@param fds integer[] of the plan's maps, in order
---@return integer[]
function folding.maps(fold, fds)
  local maps = {}
  for i, index in ipairs(fold.maps) do maps[i] = fds[index + 1] end
  maps[#maps + 1] = fds[fold.control + 1]
  return maps
end

--- How the worker reads what the kernel has folded, for Aggregate:attach_kernel().
---@param fold table of folding.make()
---@param maps integer[] of folding.maps(), open as long as it reads
---@param cpus integer possible ones
---@return table
function folding.reader(fold, maps, cpus)
  local parts = fold.parts
  return {
    name = fold.name,
    cells = assert(cells.open { fds = maps, keyed = fold.keyed, key_bytes = fold.keyed and fold.key_bytes or 4,
      word_ops = fold.words, note_bytes = fold.note_bytes, cpus = cpus }),
    kernel = fold.kernel,
    scale = fold.scale,
    key = function(pointer)
      local at = ffi.cast(bytes_pointer, pointer)
      if #parts == 1 then return aggregate.as_key(parts[1].decode(at)) end
      local values = {}
      for i, part in ipairs(parts) do
        values[i] = part.decode(at)
        at = at + part.bytes
      end
      return aggregate.joined_key(values, #parts)
    end,
    note = fold.note and function(pointer) return fold.note_decode(ffi.cast(bytes_pointer, pointer)) end,
  }
end

return folding
