-- SPDX-License-Identifier: Apache-2.0
--- Source: the stdlib's modules as their docstrings tell them, each read once; and the faults found
--- in them.

local asset = require 'moonprobe.asset'
local check = require 'moonprobe.types.check'
local docs = require 'moonprobe.types.docs'

local source = { problems = {} }

local known = {}

--- What docs.read() tells of a module, with its `file` and what its functions return.
---@param module string as 'moonprobe.units'
---@return table
function source.of(module)
  if not known[module] then
    local file = 'stdlib/' .. (module:gsub('^moonprobe%.', ''):gsub('%.', '/')) .. '.lua'
    local text = assert(asset(file), file)
    local self = docs.read(text)
    self.file = file
    self.returns_at = check.returns(text, file)
    known[module] = self
  end
  return known[module]
end

--- Notes what is wrong.
---@param self table from of()
---@param one table|nil a definition
---@param name string
---@param text string
function source.blame(self, one, name, text)
  source.problems[#source.problems + 1] = ('%s:%d: %s: %s'):format(self.file, one and one.line or 1, name, text)
end

--- A function's definition, checked; nil when its docstring cannot be used.
---@param self table from of()
---@param name string as 'Aggregate:add'
---@return table|nil
function source.checked(self, name)
  local one = self.defined[name]
  local problem = check.problem(one, self.returns_at)
  if problem then source.blame(self, one, name, problem) end
  return not problem and one or nil
end

--- Follows a name to where it is documented: `probe = stream.open` of one module is
--- `function stream.open` of another, and `json.encode = encode` a function above it.
---@param module string
---@param name string without its table
---@return table source of the module that has it
---@return string full name of the definition there
function source.resolve(module, name)
  local self = source.of(module)
  local full = self.returned .. '.' .. name
  local one = self.defined[full]
  local value = one and not one.doc and one.value
  if not value then return self, full end
  local holder, member = value:match('^([%w_]+)%.([%w_]+)$')
  if holder and self.modules[holder] then return source.resolve(self.modules[holder], member) end
  if self.defined[value] then return self, value end
  return self, full
end

return source
