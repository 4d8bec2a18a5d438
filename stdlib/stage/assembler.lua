-- SPDX-License-Identifier: Apache-2.0
--- Assembler: BPF instructions with labels, to bytes (kernel: Documentation/bpf/standardization,
--- RFC 9669).
---
---   local code = assembler.new()
---   code:load(2, 6, 8, 40)  code:jump_if('eq', 2, 443, yes)  code:place(yes) ...

local bit = require 'bit'
local ffi = require 'ffi'

-- Interpreted, as all of the translator: what runs once is not worth compiling, and LuaJIT
-- 2.1.0-beta3 made traces of this file from which instructions were missing. A wrong trace here is
-- a wrong program in the kernel.
jit.off(true, true)

ffi.cdef [[
struct bpf_instruction { uint8_t code, registers; int16_t offset; int32_t immediate; };
]]

local Assembler = {}
Assembler.__index = Assembler

local assembler = {}

-- Registers with a meaning.
assembler.EVENT, assembler.FRAME = 6, 10

local ALU64_K, ALU64_X = 0x07, 0x0f
local operations = { add = 0x00, sub = 0x10, mul = 0x20, div = 0x30, ['or'] = 0x40, ['and'] = 0x50, shl = 0x60,
  shr = 0x70, neg = 0x80, mod = 0x90, xor = 0xa0, mov = 0xb0, sar = 0xc0 }
local conditions = { eq = 0x10, gtu = 0x20, geu = 0x30, ne = 0x50, gt = 0x60, ge = 0x70, ltu = 0xa0, leu = 0xb0,
  lt = 0xc0, le = 0xd0 }
local opposites = { eq = 'ne', ne = 'eq', lt = 'ge', ge = 'lt', le = 'gt', gt = 'le', ltu = 'geu', geu = 'ltu',
  leu = 'gtu', gtu = 'leu' }
local condition_names = {}
for name, number in pairs(conditions) do condition_names[number] = name end
local sizes = { [1] = 0x10, [2] = 0x08, [4] = 0x00, [8] = 0x18 }

--- The condition that holds when this one does not.
function assembler.opposite(condition) return opposites[condition] end

function assembler.new()
  return setmetatable({ list = {}, labels = 0, at = {}, used = {}, where = '' }, Assembler)
end

function Assembler:label()
  self.labels = self.labels + 1
  return self.labels
end

--- Puts a label before the next instruction.
function Assembler:place(label)
  self.at[label] = #self.list + 1
end

local function put(self, code, dst, src, offset, immediate, target)
  if target then self.used[target] = true end
  self.list[#self.list + 1] = { code = code, dst = dst, src = src, offset = offset, immediate = immediate,
    target = target, where = self.where }
end

--- Fits into the 32 bits of an instruction?
function assembler.is_short(number) return number >= -2 ^ 31 and number < 2 ^ 31 end

--- dst = dst op (register or constant). Constants of more than 32 bits: load them.
function Assembler:alu(op, dst, number)
  put(self, operations[op] + ALU64_K, dst, 0, 0, number)
end

function Assembler:alu_register(op, dst, src)
  put(self, operations[op] + ALU64_X, dst, src, 0, 0)
end

function Assembler:negate(dst) put(self, operations.neg + ALU64_K, dst, 0, 0, 0) end

--- dst = a 64-bit constant, given by its halves.
function Assembler:load_halves(dst, low, high)
  put(self, 0x18, dst, 0, 0, low)
  put(self, 0x00, 0, 0, 0, high)
end

--- dst = an integer up to 2^53 (or a power of two up to 2^63).
function Assembler:load_number(dst, number)
  if assembler.is_short(number) then
    self:alu('mov', dst, number)
  else
    self:load_halves(dst, number % 2 ^ 32, math.floor(number / 2 ^ 32) % 2 ^ 32)
  end
end

--- dst = the address of a map, or of a place in the value of an array of one.
---@param map integer index in the plan, from 0
---@param place integer|nil bytes
function Assembler:load_map(dst, map, place)
  put(self, 0x18, dst, place and 2 or 1, 0, map)
  put(self, 0x00, 0, 0, 0, place or 0)
end

--- dst = bytes at src + offset, zero-extended.
function Assembler:load(dst, src, bytes, offset) put(self, 0x61 + sizes[bytes], dst, src, offset, 0) end

function Assembler:store(dst, bytes, offset, src) put(self, 0x63 + sizes[bytes], dst, src, offset, 0) end

function Assembler:store_number(dst, bytes, offset, number) put(self, 0x62 + sizes[bytes], dst, 0, offset, number) end

--- Adds a register to 64 bits at dst + offset, atomically.
function Assembler:atomic_add(dst, offset, src) put(self, 0xdb, dst, src, offset, 0) end

--- Replaces 64 bits at dst + offset by src if they equal r0; r0 = what was there.
function Assembler:compare_exchange(dst, offset, src) put(self, 0xdb, dst, src, offset, 0xf1) end

--- Calls a helper function by its number (enum bpf_func_id).
function Assembler:call(helper) put(self, 0x85, 0, 0, 0, helper) end

function Assembler:exit() put(self, 0x95, 0, 0, 0, 0) end

function Assembler:jump(label) put(self, 0x05, 0, 0, 0, 0, assert(label)) end

--- Jumps when dst compares so with a constant of 32 bits.
function Assembler:jump_if(condition, dst, number, label)
  put(self, conditions[condition] + 0x05, dst, 0, 0, number, assert(label))
end

function Assembler:jump_if_register(condition, dst, src, label)
  put(self, conditions[condition] + 0x0d, dst, src, 0, 0, assert(label))
end

--- As jump_if(), of the low 32 bits.
function Assembler:jump_if_32(condition, dst, number, label)
  put(self, conditions[condition] + 0x06, dst, 0, 0, number, assert(label))
end

--- Puts another's instructions, which have no jumps, before this one's.
function Assembler:prepend(head)
  for i, one in ipairs(head.list) do table.insert(self.list, i, one) end
  for label, at in pairs(self.at) do self.at[label] = at + #head.list end
end

local EXIT, GOTO = 0x95, 0x05

local function is_conditional(one)
  local class = one.code % 8
  return one.target and one.code ~= GOTO and (class == 5 or class == 6)
end

--- Where a jump ends up: jumps to jumps go there at once.
local function thread(self, label)
  for _ = 1, #self.list do
    local one = self.list[self.at[label]]
    if not one or one.code ~= GOTO then break end
    label = one.target
  end
  return label
end

local function find_reachable(self)
  local list, seen, queue = self.list, {}, { 1 }
  while #queue > 0 do
    local i = table.remove(queue)
    while list[i] and not seen[i] do
      seen[i] = true
      local one = list[i]
      if one.target then queue[#queue + 1] = self.at[one.target] end
      if one.code == EXIT or one.code == GOTO then break end
      i = i + 1
    end
  end
  return seen
end

--- What can be reached, with the instructions that jumps go to.
local function resolved(self)
  local seen, list = find_reachable(self), {}
  for i, one in ipairs(self.list) do
    if seen[i] then
      list[#list + 1] = one
      one.to = one.target and self.list[self.at[one.target]]
    end
  end
  return list
end

--- Takes out one jump that is not needed: to what follows, or over another jump, as in
--- `if c goto A; goto B; A:`, which is `if not c goto B; A:`. False when there is none.
local function shorten(list)
  local targets = {}
  for _, one in ipairs(list) do if one.to then targets[one.to] = true end end
  local kept, changed = {}, false
  local i = 1
  while list[i] do
    local one, following = list[i], list[i + 1]
    if one.code == GOTO and one.to == following and not targets[one] then
      changed = true
    else
      kept[#kept + 1] = one
      if is_conditional(one) and following.code == GOTO and not targets[following] and one.to == list[i + 2] then
        local operation = math.floor(one.code / 16) * 16
        one.code = one.code - operation + conditions[opposites[condition_names[operation]]]
        one.to, changed = following.to, true
        i = i + 1
      end
    end
    i = i + 1
  end
  return kept, changed
end

--- The instructions in order, with jump offsets.
---@return table[]
function Assembler:finish()
  for _, one in ipairs(self.list) do
    if one.target then one.target = thread(self, one.target) end
  end
  local list, changed = resolved(self), true
  while changed do list, changed = shorten(list) end
  local places = {}
  for i, one in ipairs(list) do places[one] = i end
  for i, one in ipairs(list) do
    if one.to then one.offset = places[one.to] - i - 1 end
  end
  return list
end

--- As the kernel takes them.
---@param list table[] of finish()
---@return string
function assembler.bytes(list)
  local array = ffi.new('struct bpf_instruction[?]', #list)
  for i, one in ipairs(list) do
    local to = array[i - 1]
    to.code, to.registers, to.offset = one.code, bit.bor(one.dst, bit.lshift(one.src, 4)), one.offset
    to.immediate = bit.tobit(one.immediate)
  end
  return ffi.string(array, ffi.sizeof(array))
end

return assembler
