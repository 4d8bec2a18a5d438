-- SPDX-License-Identifier: Apache-2.0
--- Emit: BPF instructions for values, for tests, and for graphs of them.
---
---   r6  the event      r7  the verdict so far     r8  the value to fold     r9  the cell
---   r0, r2 to r5       values, from the left      r1  addresses for one instruction
---
--- To add an operation on integers, add a case to `operations`; a test, to `tests`.

local bit = require 'bit'
local ffi = require 'ffi'
local assembler = require 'moonprobe.stage.assembler'
local value = require 'moonprobe.stage.value'

jit.off(true, true) -- of this file: see assembler.lua

local refuse = value.refuse
local EVENT, FRAME = assembler.EVENT, assembler.FRAME
local TEMPORARY = { 0, 2, 3, 4, 5 }
local LOOKUP = 1 -- helper bpf_map_lookup_elem

local Emit = {}
Emit.__index = Emit

local emit = {}

--- What emits one stage.
---@param plan table with live (stage/live.lua), and add_set(bytes, keys), live_map()
function emit.new(plan)
  return setmetatable({ code = assembler.new(), plan = plan, stack = 0, undecided = nil }, Emit)
end

--- Room in the frame: the offset of its lowest byte.
function Emit:room(bytes)
  self.stack = self.stack + math.ceil(bytes / 8) * 8
  return -self.stack
end

--- Room that is free again after use: the same for all that ask, if it is large enough.
function Emit:shared_room(bytes)
  if (self.shared_bytes or 0) < bytes then
    self.shared_at, self.shared_bytes = self:room(bytes), bytes
  end
  return self.shared_at
end

local function temporary(i)
  return TEMPORARY[i] or refuse('an expression that needs more than %d registers; ask two questions', #TEMPORARY)
end

local operations = {}

--- The register with the value of a node: temporary `i`, those after it are free.
function Emit:eval(node, i)
  local dst = temporary(i)
  if node.is == 'const' then
    self.code:load_number(dst, node.value)
  else
    operations[node.op](self, node, dst, i)
  end
  return dst
end

function operations.field(self, node, dst)
  local field = node.a or node.field
  local bytes = field.element_bytes
  self.code:load(dst, EVENT, bytes, field.offset + node.at * bytes)
  if field.kind == 'i' and bytes < 8 then
    self.code:alu('shl', dst, 64 - 8 * bytes)
    self.code:alu('sar', dst, 64 - 8 * bytes)
  end
end

function operations.live(self, node, dst)
  self.code:load_map(1, self.plan:live_map(), 8 * self.plan.live:place(node.number))
  self.code:load(dst, 1, 8, 0)
end

--- The helper is called once, at the start of the stage.
function operations.cpu(self, _, dst)
  self.cpu_at = self.cpu_at or self:room(8)
  self.code:load(dst, FRAME, 8, self.cpu_at)
end

--- dst = a op b
local function two(op)
  return function(self, node, dst, i)
    self:eval(node.a, i)
    if value.is_const(node.b) and assembler.is_short(node.b.value) then
      self.code:alu(op, dst, node.b.value)
    else
      self.code:alu_register(op, dst, self:eval(node.b, i + 1))
    end
  end
end
for _, op in ipairs { 'add', 'sub', 'mul', 'and', 'or', 'xor', 'shl', 'sar' } do operations[op] = two(op) end

--- The kernel divides unsigned: a negative dividend is divided as its opposite.
local function divide(op, negative)
  local positive = two(op)
  return function(self, node, dst, i)
    if (node.a.low or node.a.value) >= 0 then return positive(self, node, dst, i) end
    local code, plus, done = self.code, self.code:label(), self.code:label()
    self:eval(node.a, i)
    local by = self:eval(node.b, i + 1)
    code:jump_if('ge', dst, 0, plus)
    code:negate(dst)
    negative(code, dst, by, done)
    code:jump(done)
    code:place(plus)
    code:alu_register(op, dst, by)
    code:place(done)
  end
end

operations.mod = divide('mod', function(code, dst, by, done)
  code:alu_register('mod', dst, by)
  code:jump_if('eq', dst, 0, done)
  code:negate(dst)
  code:alu_register('add', dst, by)
end)

operations.floordiv = divide('div', function(code, dst, by)
  code:alu_register('add', dst, by)
  code:alu('sub', dst, 1)
  code:alu_register('div', dst, by)
  code:negate(dst)
end)

function operations.tobit(self, node, dst, i)
  self:eval(node.a, i)
  self.code:alu('shl', dst, 32)
  self.code:alu('sar', dst, 32)
end

function operations.shr32(self, node, dst, i)
  self:eval(node.a, i)
  self.code:alu('shl', dst, 32)
  self.code:alu('shr', dst, 32 + node.b.value)
end

--- Jumps when a register compares so with any number.
local function jump_if_number(self, condition, dst, number, i, label)
  if assembler.is_short(number) then
    self.code:jump_if(condition, dst, number, label)
  else
    local other = temporary(i)
    self.code:load_number(other, number)
    self.code:jump_if_register(condition, dst, other, label)
  end
end

function operations.within(self, node, dst, i)
  local a = node.a
  self:eval(a, i)
  if a.is == 'wide' and not a.signed then
    jump_if_number(self, 'gtu', dst, node.high, i + 1, self.undecided)
    if node.low > 0 then jump_if_number(self, 'ltu', dst, node.low, i + 1, self.undecided) end
    return
  end
  local low, high = a.low or -2 ^ 63, a.high or 2 ^ 63
  if high > node.high then jump_if_number(self, 'gt', dst, node.high, i + 1, self.undecided) end
  if low < node.low then jump_if_number(self, 'lt', dst, node.low, i + 1, self.undecided) end
end

--- Bytes before the first zero.
function operations.length(self, node, dst, i)
  local field, done, byte = node.a, self.code:label(), temporary(i + 1)
  self.code:alu('mov', dst, 0)
  for at = 0, field.bytes - 1 do
    self.code:load(byte, EVENT, 1, field.offset + at)
    self.code:jump_if('eq', byte, 0, done)
    self.code:alu('add', dst, 1)
  end
  self.code:place(done)
end

--- The largest piece of memory that may be read at once: aligned, and not beyond `stop`.
local function piece_at(offset, stop)
  for _, bytes in ipairs { 8, 4, 2 } do
    if offset % bytes == 0 and offset + bytes <= stop then return bytes end
  end
  return 1
end

--- So many bytes can be copied at once from an offset of the event to one of the frame.
function Emit.piece(_, offset, stop, at)
  local size = piece_at(offset, stop)
  while at % size ~= 0 do size = size / 2 end
  return size
end

local function halves(bytes)
  local words = ffi.new('uint32_t[2]')
  ffi.copy(words, bytes, #bytes)
  return words[0], words[1]
end

--- Goes on when the event has these bytes (as far as `mask` says) at an offset, else jumps to `no`.
--- Reads whole aligned pieces, not beyond `stop`.
function Emit:match(offset, stop, bytes, mask, no)
  local code, at = self.code, 0
  mask = mask or ('\255'):rep(#bytes)
  while at < #bytes do
    local size = piece_at(offset + at, stop)
    while size > 1 and size / 2 >= #bytes - at do size = size / 2 end
    local want = bytes:sub(at + 1, at + size)
    local care = mask:sub(at + 1, at + size)
    care = care .. ('\0'):rep(size - #care)
    want = want .. ('\0'):rep(size - #want)
    local want_low, want_high = halves(want)
    local care_low, care_high = halves(care)
    want_low, want_high = bit.band(want_low, care_low), bit.band(want_high, care_high)
    local whole = care == ('\255'):rep(size)
    code:load(2, EVENT, size, offset + at)
    if size < 8 then
      if not whole then code:alu('and', 2, bit.tobit(care_low)) end
      code:jump_if_32('ne', 2, want_low, no)
    else
      if not whole then
        code:load_halves(3, care_low, care_high)
        code:alu_register('and', 2, 3)
      end
      if want_low >= 0 and want_high == 0 then
        code:jump_if('ne', 2, want_low, no)
      else
        code:load_halves(3, want_low, want_high)
        code:jump_if_register('ne', 2, 3, no)
      end
    end
    at = at + size
  end
end

-- Tests: each jumps to `yes` or `no`; going on means `next_label`, which is one of them.
local tests = {}

--- Which label a jump goes to, and whether its condition must be turned round.
local function jump_target(yes, no, next_label)
  if next_label == yes then return no, true end
  return yes, false
end

local swapped = { lt = 'gt', le = 'ge', eq = 'eq' }

function tests.compare(self, test, yes, no, next_label)
  local code, how, a, b = self.code, test.how, test.a, test.b
  if value.is_const(a) then a, b, how = b, a, swapped[how] end
  if test.unsigned and how ~= 'eq' then how = how .. 'u' end
  local target, opposite = jump_target(yes, no, next_label)
  local condition = opposite and assembler.opposite(how) or how
  local left = self:eval(a, 1)
  if value.is_const(b) then
    jump_if_number(self, condition, left, b.value, 2, target)
  else
    code:jump_if_register(condition, left, self:eval(b, 2), target)
  end
  code:jump(opposite and yes or no)
end

function tests.text(self, test, yes, no)
  local field, bytes = test.field, test.bytes
  if test.ends then bytes = bytes .. '\0' end
  self:match(field.offset + test.at, field.offset + field.bytes, bytes, nil, no)
  self.code:jump(yes)
end

function tests.bytes(self, test, yes, no)
  self:match(test.field.offset, test.field.offset + test.field.bytes, test.bytes, nil, no)
  self.code:jump(yes)
end

local MOST_UNROLLED = 5000 -- instructions

function tests.contains(self, test, yes, no)
  local field, bytes = test.field, test.bytes
  local last = field.bytes - #bytes
  if (last + 1) * (4 + 2 * #bytes) > MOST_UNROLLED then
    refuse('a search in so long a text; compare its start with sub()')
  end
  for at = 0, last do
    local next_place = at < last and self.code:label() or no
    self:match(field.offset + at, field.offset + field.bytes, bytes, nil, next_place)
    self.code:jump(yes)
    if at < last then self.code:place(next_place) end
  end
end

function tests.ends(self, test, yes, no)
  local code, field, bytes = self.code, test.field, test.bytes
  if field.bytes * (3 + 2 * #bytes) > MOST_UNROLLED then
    refuse('the end of so long a text; compare its start with sub()')
  end
  for length = 0, field.bytes do
    local longer = code:label()
    if length < field.bytes then
      code:load(2, EVENT, 1, field.offset + length)
      code:jump_if('ne', 2, 0, longer)
    end
    if length >= #bytes then
      self:match(field.offset + length - #bytes, field.offset + field.bytes, bytes, nil, no)
      code:jump(yes)
    else
      code:jump(no)
    end
    code:place(longer)
  end
end

function tests.same(self, test, yes, no)
  local code, a, b = self.code, test.field, test.other
  if a.bytes > b.bytes then a, b = b, a end
  local at = 0
  while at < a.bytes do
    local size = math.min(piece_at(a.offset + at, a.offset + a.bytes), piece_at(b.offset + at, b.offset + b.bytes))
    code:load(2, EVENT, size, a.offset + at)
    code:load(3, EVENT, size, b.offset + at)
    code:jump_if_register('ne', 2, 3, no)
    at = at + size
  end
  if b.bytes > a.bytes then
    code:load(2, EVENT, 1, b.offset + a.bytes)
    code:jump_if('ne', 2, 0, no)
  end
  code:jump(yes)
end

function tests.networks(self, test, yes, no)
  for i, one in ipairs(test.networks) do
    local next_network = i < #test.networks and self.code:label() or no
    local whole, rest = math.floor(one.bits / 8), one.bits % 8
    local mask = ('\255'):rep(whole)
    if rest > 0 then mask = mask .. string.char(256 - 2 ^ (8 - rest)) end
    self:match(test.field.offset, test.field.offset + 16, one.bytes:sub(1, #mask), mask, next_network)
    self.code:jump(yes)
    if i < #test.networks then self.code:place(next_network) end
  end
end

function tests.member(self, test, yes, no)
  local left = self:eval(test.a, 1)
  for _, number in ipairs(test.numbers) do jump_if_number(self, 'eq', left, number, 2, yes) end
  self.code:jump(no)
end

function tests.in_set(self, test, yes, no)
  local code, key = self.code, test.key
  if test.bytes > 256 then refuse('a look-up by so long a text; compare it, or its start with sub()') end
  if key.is == 'text' or key.is == 'address' then
    code:alu_register('mov', 2, EVENT)
    code:alu('add', 2, key.field.offset)
  else
    self.key_at = self.key_at or self:room(8)
    local number = self:eval(key, 1)
    code:store(FRAME, 8, self.key_at, number)
    code:alu_register('mov', 2, FRAME)
    code:alu('add', 2, self.key_at)
  end
  code:load_map(1, self.plan:add_set(test.bytes, test.keys))
  code:call(LOOKUP)
  code:jump_if('eq', 0, 0, no)
  code:jump(yes)
end

--- A graph: `leave(node)` emits its ends; what cannot be decided jumps to `undecided`.
---@param graph table of paths.lua
---@param leave fun(node)
---@param undecided integer label
function Emit:graph(graph, leave, undecided)
  local code, labels, done = self.code, {}, {}
  local function label_of(node)
    if node.leave == 'undecided' then return undecided end
    labels[node] = labels[node] or code:label()
    return labels[node]
  end
  local function put(node)
    while true do
      if done[node] or node.leave == 'undecided' then
        code:jump(label_of(node))
        return
      end
      done[node] = true
      code:place(label_of(node))
      self.undecided = undecided
      if node.leave then
        leave(node)
        return
      end
      code.where = ('%s:%d'):format(node.file, node.line)
      local yes, no = label_of(node.yes), label_of(node.no)
      local first, second = node.no, node.yes
      if done[first] or first.leave == 'undecided' then first, second = second, first end
      tests[node.test.ask](self, node.test, yes, no, label_of(first))
      if not done[first] and first.leave ~= 'undecided' then put(first) end
      if done[second] or second.leave == 'undecided' then return end
      node = second
    end
  end
  put(graph)
end

return emit
