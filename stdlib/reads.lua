-- SPDX-License-Identifier: Apache-2.0
--- Reads: which fields of its argument a function reads, from its bytecode, before it runs.
---
--- So a misspelt field is an error when the script is loaded, and a field that nobody reads
--- is not captured. The argument lives in register 0. A function that does anything with it
--- but `argument.name` may read any field.

local bytecode = require 'moonprobe.stage.bytecode'

local function has_argument(registers)
  for _, register in ipairs(registers) do
    if register == 0 then return true end
  end
  return false
end

---@param fn function
---@return { name: string, line: integer }[]|nil fields nil: it may read any
---@return string source file the function is from
local function reads(fn)
  local code = bytecode.of(fn)
  if not code then return nil, '' end -- not a Lua function
  local found = {}
  if code.params == 0 then return not code.is_vararg and found or nil, code.file end
  for _, one in ipairs(code) do
    if one.op == 'TGETS' and one.b == 0 then
      found[#found + 1] = { name = one.constant, line = one.line }
      if one.a == 0 then return nil, code.file end
    elseif has_argument(one.reads) or has_argument(one.writes) or one.op == 'FNEW' then
      return nil, code.file -- passed on, replaced, or taken along by a closure
    end
  end
  return found, code.file
end

return reads
