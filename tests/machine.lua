-- SPDX-License-Identifier: Apache-2.0
--- Machine: runs a stage's instructions in Lua, with the helpers that stages may call. What has
--- no defined value there has none here: registers behind a call, the frame at first.
---
---   local stage = machine.load(plan)            -- { maps, late, early } of stage/plan.lua
---   stage:run('late', event)  ->  r0
---
--- Memory that is not the stage's to read or write raises an error.

local bit = require 'bit'
local ffi = require 'ffi'
local assembler = require 'moonprobe.stage.assembler'
local invented = require 'invented'

local band, rshift = bit.band, bit.rshift

local Machine = {}
Machine.__index = Machine

local machine = { CPU = 3 }

local FRAME_BYTES, MOST_STEPS = 512, 100000
local HANDLE = 0x700000000000LL -- of map i: HANDLE + i
local GARBAGE = 0x5a5a5a5a5a5a5a5aLL

local types = { [0x00] = 'uint32_t *', [0x08] = 'uint16_t *', [0x10] = 'uint8_t *', [0x18] = 'int64_t *' }

local function address(pointer) return ffi.cast('int64_t', ffi.cast('intptr_t', ffi.cast('void *', pointer))) end

--- Memory that may be used.
function Machine:allow(pointer, bytes)
  self.regions[#self.regions + 1] = { from = address(pointer), bytes = bytes }
end

function Machine:check(at, bytes)
  for _, region in ipairs(self.regions) do
    if at >= region.from and at + bytes <= region.from + region.bytes then return end
  end
  error(('%d bytes at a place that is not to be used'):format(bytes), 0)
end

--- A map's value by its key's bytes: memory that stays where it is.
function Machine:insert(map, key, content)
  local memory = ffi.new('uint64_t[?]', math.ceil(map.value_bytes / 8))
  ffi.copy(memory, content, math.min(#content, map.value_bytes))
  map.there[key], map.count = memory, map.count + 1
  self:allow(memory, map.value_bytes)
  return memory
end

---@param plan { maps: table[], early: table|nil, late: table|nil } lists of instructions, or bytes
function machine.load(plan)
  local self = setmetatable({ maps = {}, regions = {}, stages = {},
    event_bytes = (plan.schema or invented.schema).bytes }, Machine)
  for i, one in ipairs(plan.maps) do
    local map = { kind = one.kind, key_bytes = one.key_bytes, value_bytes = one.value_bytes,
      max_entries = one.max_entries, there = {}, count = 0 }
    self.maps[i] = map
    for _, entry in ipairs(one.content) do self:insert(map, entry[1], entry[2]) end
    if one.kind == 'values' and map.count == 0 then self:insert(map, '\0\0\0\0', '') end
    for bank = 0, one.kind == 'percpu_array' and one.max_entries - 1 or -1 do
      self:insert(map, ffi.string(ffi.new('uint32_t[1]', bank), 4), '')
    end
  end
  for _, name in ipairs { 'early', 'late' } do
    local list = plan[name]
    if type(list) == 'table' then list = assembler.bytes(list) end
    self.stages[name] = list
  end
  self.frame = ffi.new('uint64_t[?]', FRAME_BYTES / 8)
  self:allow(self.frame, FRAME_BYTES)
  return self
end

--- The value of a key in a map, as int64_t *; nil.
function Machine:value(map, key)
  local there = self.maps[map + 1].there[key]
  return there and ffi.cast('int64_t *', there)
end

local helpers = {
  [1] = function(self, r)
    local map = self.maps[tonumber(r[1] - HANDLE) + 1]
    self:check(r[2], map.key_bytes)
    local there = map.there[ffi.string(ffi.cast('char *', ffi.cast('intptr_t', r[2])), map.key_bytes)]
    return there and address(there) or 0
  end,
  [2] = function(self, r)
    local map = self.maps[tonumber(r[1] - HANDLE) + 1]
    self:check(r[2], map.key_bytes)
    self:check(r[3], map.value_bytes)
    local key = ffi.string(ffi.cast('char *', ffi.cast('intptr_t', r[2])), map.key_bytes)
    if map.there[key] then return -17 end -- EEXIST
    if map.count >= map.max_entries then return -7 end -- E2BIG
    self:insert(map, key, ffi.string(ffi.cast('char *', ffi.cast('intptr_t', r[3])), map.value_bytes))
    return 0
  end,
  [8] = function() return machine.CPU end,
}

local function unsigned(number) return ffi.cast('uint64_t', number) end

local alu = {
  [0x00] = function(a, b) return a + b end,
  [0x10] = function(a, b) return a - b end,
  [0x20] = function(a, b) return a * b end,
  [0x30] = function(a, b) return b == 0 and 0LL or ffi.cast('int64_t', unsigned(a) / unsigned(b)) end,
  [0x40] = bit.bor,
  [0x50] = bit.band,
  [0x60] = function(a, b) return bit.lshift(a, tonumber(band(b, 63))) end,
  [0x70] = function(a, b) return bit.rshift(a, tonumber(band(b, 63))) end,
  [0x80] = function(a) return -a end,
  [0x90] = function(a, b) return b == 0 and a or ffi.cast('int64_t', unsigned(a) % unsigned(b)) end,
  [0xa0] = bit.bxor,
  [0xb0] = function(_, b) return b end,
  [0xc0] = function(a, b) return bit.arshift(a, tonumber(band(b, 63))) end,
}

local holds = {
  [0x10] = function(a, b) return a == b end,
  [0x20] = function(a, b) return unsigned(a) > unsigned(b) end,
  [0x30] = function(a, b) return unsigned(a) >= unsigned(b) end,
  [0x50] = function(a, b) return a ~= b end,
  [0x60] = function(a, b) return a > b end,
  [0x70] = function(a, b) return a >= b end,
  [0xa0] = function(a, b) return unsigned(a) < unsigned(b) end,
  [0xb0] = function(a, b) return unsigned(a) <= unsigned(b) end,
  [0xc0] = function(a, b) return a < b end,
  [0xd0] = function(a, b) return a <= b end,
}

local function atomic(place, one, r)
  if one.immediate == 0 then
    place[0] = place[0] + r[rshift(one.registers, 4)]
  else
    local was = place[0]
    if was == r[0] then place[0] = r[rshift(one.registers, 4)] end
    r[0] = was
  end
end

--- Runs bytes of instructions; `r` are the registers at first. Gives r0 and the steps.
function Machine:execute(code, r)
  local list = ffi.cast('const struct bpf_instruction *', code)
  local pc = 0
  for step = 1, MOST_STEPS do
    if pc < 0 or pc >= #code / 8 then error('ran out of the stage', 0) end
    local one = list[pc]
    local class, op = band(one.code, 7), band(one.code, 0xf0)
    local dst, src = band(one.registers, 15), rshift(one.registers, 4)
    local operand = band(one.code, 8) ~= 0 and r[src] or ffi.cast('int64_t', one.immediate)
    pc = pc + 1
    if one.code == 0x95 then
      return r[0], step
    elseif one.code == 0x85 then
      r[0] = helpers[one.immediate](self, r)
      for i = 1, 5 do r[i] = GARBAGE end
    elseif one.code == 0x18 then
      local second = list[pc].immediate
      pc = pc + 1
      if src == 1 then
        r[dst] = HANDLE + one.immediate
      elseif src == 2 then
        local values = self.maps[one.immediate + 1].there['\0\0\0\0']
        r[dst] = address(values) + second
      else
        r[dst] = bit.bor(bit.lshift(ffi.cast('int64_t', second), 32), band(one.immediate + 0LL, 0xffffffffLL))
      end
    elseif class == 7 then
      r[dst] = alu[op](r[dst], operand)
    elseif one.code == 0x05 then
      pc = pc + one.offset
    elseif class == 5 then
      if holds[op](r[dst], operand) then pc = pc + one.offset end
    elseif class == 6 then
      local a, b = band(r[dst], 0xffffffffLL), band(operand, 0xffffffffLL)
      if op == 0x60 or op == 0x70 or op >= 0xc0 then
        a, b = bit.arshift(bit.lshift(a, 32), 32), bit.arshift(bit.lshift(b, 32), 32)
      end
      if holds[op](a, b) then pc = pc + one.offset end
    else
      local size = types[band(one.code, 0x18)]
      local at = r[class == 1 and src or dst] + one.offset
      self:check(at, ffi.sizeof(ffi.typeof(size:sub(1, -3))))
      local place = ffi.cast(size, ffi.cast('intptr_t', at))
      if one.code == 0xdb then
        atomic(place, one, r)
      elseif class == 1 then
        r[dst] = ffi.cast('int64_t', place[0])
      else
        place[0] = class == 3 and r[src] or one.immediate
      end
    end
  end
  error('does not end', 0)
end

--- Runs a stage for an event. Gives r0 as a number, and the steps.
---@param name 'early'|'late'
---@param event ffi.cdata* of invented.event(), or of the plan's schema
---@return integer
---@return integer steps
function Machine:run(name, event)
  local r = ffi.new('int64_t[11]')
  for i = 0, 9 do r[i] = GARBAGE end
  ffi.fill(self.frame, FRAME_BYTES, 0xa5)
  r[1], r[10] = address(event), address(self.frame) + FRAME_BYTES
  local regions = #self.regions
  self:allow(event, self.event_bytes)
  local r0, steps = self:execute(self.stages[name], r)
  table.remove(self.regions, regions + 1)
  return tonumber(r0), steps
end

return machine
