-- SPDX-License-Identifier: Apache-2.0
--- Reads: which fields of its argument a function reads, from its bytecode, before it runs.
---
--- So a misspelt field is an error when the script is loaded, and a field that nobody reads
--- is not captured. The argument lives in register 0. A function that does anything with it
--- but `argument.name` may read any field.

local bit = require 'bit'
local util = require 'jit.util'
local vmdef = require 'moonprobe.vmdef'

local band, rshift = bit.band, bit.rshift

-- Operand modes of the instruction set (LuaJIT, lj_bc.h, BCMode).
local DST, BASE, VAR, RBASE = 1, 2, 3, 4

local function opcode_name(number)
  return vmdef.bcnames:sub(6 * number + 1, 6 * number + 6):gsub(' ', '')
end

-- Their register is a limit, not an operand.
local no_operand = { RET0 = true, JMP = true, LOOP = true, UCLO = true }

--- Register 0 as an operand of this mode: is it used, is it overwritten?
local function touches(mode, operand)
  return operand == 0 and (mode == VAR or mode == RBASE), operand == 0 and (mode == DST or mode == BASE)
end

---@param fn function
---@return { name: string, line: integer }[]|nil fields nil: it may read any
---@return string source file the function is from
local function reads(fn)
  local info = util.funcinfo(fn)
  local source = (info.source or ''):gsub('^[@=]', '')
  if not info.bytecodes then return nil, source end -- not a Lua function
  local found = {}
  if info.params == 0 then return not info.isvararg and found or nil, source end
  for pc = 1, info.bytecodes - 1 do
    local instruction, mode = util.funcbc(fn, pc)
    if not instruction then break end
    local name = opcode_name(band(instruction, 0xff))
    local a, b, c = band(rshift(instruction, 8), 0xff), rshift(instruction, 24),
      band(rshift(instruction, 16), 0xff)
    local d = rshift(instruction, 16)
    local mode_a, mode_b, mode_c = band(mode, 7), band(rshift(mode, 3), 15), band(rshift(mode, 7), 15)
    if name == 'TGETS' and b == 0 then
      found[#found + 1] = { name = util.funck(fn, -c - 1), line = util.funcinfo(fn, pc).currentline }
      if a == 0 then return nil, source end
    elseif not no_operand[name] then
      local used, written = touches(mode_a, a)
      local used_b, used_c
      if mode_b ~= 0 then
        used_b, used_c = touches(mode_b, b), touches(mode_c, c)
      else
        used_b, used_c = false, touches(mode_c, d)
      end
      -- A closure may have taken the argument along.
      if used or written or used_b or used_c or name == 'FNEW' then return nil, source end
    end
  end
  return found, source
end

return reads
