-- SPDX-License-Identifier: Apache-2.0
--- Listing: BPF instructions as text, as bpftool writes them.

jit.off(true, true) -- of this file: see assembler.lua

local listing = {}

local alu = { [0x00] = '+=', [0x10] = '-=', [0x20] = '*=', [0x30] = '/=', [0x40] = '|=', [0x50] = '&=', [0x60] = '<<=',
  [0x70] = '>>=', [0x90] = '%=', [0xa0] = '^=', [0xb0] = '=', [0xc0] = 's>>=' }
local jump = { [0x10] = '==', [0x20] = '>', [0x30] = '>=', [0x50] = '!=', [0x60] = 's>', [0x70] = 's>=', [0xa0] = '<',
  [0xb0] = '<=', [0xc0] = 's<', [0xd0] = 's<=' }
local sizes = { [0x00] = 'u32', [0x08] = 'u16', [0x10] = 'u8', [0x18] = 'u64' }
local helpers = { [1] = 'bpf_map_lookup_elem', [2] = 'bpf_map_update_elem', [8] = 'bpf_get_smp_processor_id' }

local function signed(number) return number >= 2 ^ 31 and number - 2 ^ 32 or number end

local function memory(size, register, offset)
  return ('*(%s *)(r%d %s%d)'):format(size, register, offset < 0 and '-' or '+', math.abs(offset))
end

local function text_of(one, following, maps)
  local class, operation, x = one.code % 8, math.floor(one.code / 16) * 16, math.floor(one.code / 8) % 2 == 1
  local number = signed(one.immediate % 2 ^ 32)
  if one.code == 0x18 then
    local map = one.src > 0 and maps[one.immediate + 1]
    if map then
      return ('r%d = %s of map %d (%s)'):format(one.dst, one.src == 2 and 'value+' .. following.immediate or 'address',
        one.immediate, map.kind)
    end
    return ('r%d = 0x%08x%08x'):format(one.dst, following.immediate % 2 ^ 32, one.immediate % 2 ^ 32)
  elseif class == 7 then
    if operation == 0x80 then return ('r%d = -r%d'):format(one.dst, one.dst) end
    return ('r%d %s %s'):format(one.dst, alu[operation], x and 'r' .. one.src or ('%d'):format(number))
  elseif one.code == 0x85 then
    return 'call ' .. (helpers[one.immediate] or one.immediate)
  elseif one.code == 0x95 then
    return 'exit'
  elseif one.code == 0x05 then
    return ('goto %+d'):format(one.offset)
  elseif class == 5 or class == 6 then
    local other = x and 'r' .. one.src or ('%d'):format(number)
    local register = (class == 6 and 'w' or 'r') .. one.dst
    return ('if %s %s %s goto %+d'):format(register, jump[operation], other, one.offset)
  elseif one.code == 0xdb then
    local operation_name = one.immediate == 0 and '+=' or 'cmpxchg'
    return ('lock %s %s r%d'):format(memory('u64', one.dst, one.offset), operation_name, one.src)
  end
  local place = sizes[one.code % 32 - class]
  if class == 1 then return ('r%d = %s'):format(one.dst, memory(place, one.src, one.offset)) end
  return memory(place, one.dst, one.offset) .. ' = ' .. (class == 3 and 'r' .. one.src or number)
end

--- Lines of text: number, instruction, and where it comes from when that changes.
---@param list table[] of Assembler:finish()
---@param maps table[] of the plan
---@return string[]
function listing.of(list, maps)
  local lines, where, i = {}, nil, 1
  while list[i] do
    local one = list[i]
    local line = ('%4d: %s'):format(i - 1, text_of(one, list[i + 1], maps))
    if one.where ~= where and one.where ~= '' then line = ('%-58s ; %s'):format(line, one.where) end
    lines[#lines + 1], where = line, one.where
    i = i + (one.code == 0x18 and 2 or 1)
  end
  return lines
end

return listing
