-- SPDX-License-Identifier: Apache-2.0
--- Check: whether a docstring says of a function what the function is: every parameter by its
--- name, in order, and whether it returns anything, which its bytecode tells.

local bit = require 'bit'
local util = require 'jit.util'
local vmdef = require 'moonprobe.vmdef'

local check = {}

local giving = { RET1 = true, RET = true, RETM = true, CALLT = true, CALLMT = true }

local function gives(fn, info)
  for pc = 1, info.bytecodes - 1 do
    local number = bit.band(util.funcbc(fn, pc), 0xff)
    if giving[(vmdef.bcnames:sub(6 * number + 1, 6 * number + 6):gsub(' ', ''))] then return true end
  end
  return false
end

--- Of every function of a source: whether it returns anything, by the line it starts on.
---@param source string
---@param file string for the message of a syntax error
---@return { [integer]: boolean }
function check.returns(source, file)
  local found = {}
  local function visit(fn)
    local info = util.funcinfo(fn)
    if found[info.linedefined] == nil then found[info.linedefined] = gives(fn, info) end
    for n = -1, -info.gcconsts, -1 do
      local constant = util.funck(fn, n)
      if type(constant) == 'proto' then visit(constant) end
    end
  end
  visit(assert(loadstring(source, '@' .. file)))
  return found
end

--- What is wrong with the docstring of a public function; nil when nothing is.
---@param one table|nil its definition, of docs.read()
---@param returns { [integer]: boolean } of the same source
---@return string|nil
function check.problem(one, returns)
  if not one then return 'its definition is not found' end
  local doc = one.doc
  if not doc then return 'has no docstring' end
  if doc.lines[1]:find('^@') then return 'its docstring says nothing before its first tag' end
  if doc.type then return nil end
  if one.params then
    local named, described = table.concat(one.params, ', '), table.concat(doc.params, ', ')
    if named ~= described then
      return ("its parameters are (%s), its docstring has ---@param for (%s)"):format(named, described)
    end
  elseif #doc.params == 0 and doc.returns == 0 then
    return 'its docstring has no ---@param and no ---@return'
  end
  local does = returns[one.line]
  if does == true and doc.returns == 0 then return 'it returns something, its docstring has no ---@return' end
  if does == false and doc.returns > 0 then return 'it returns nothing, its docstring has a ---@return' end
  return nil
end

return check
