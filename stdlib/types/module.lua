-- SPDX-License-Identifier: Apache-2.0
--- Module: the stub of a public module, from the docstrings of what it really exports.

local source = require 'moonprobe.types.source'
local stub = require 'moonprobe.types.stub'

local module = {}

local function sorted_names(exported)
  local names = {}
  for name in pairs(exported) do
    if type(name) == 'string' and not name:find('^_') then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function write_function(file, self, one, name)
  local params = one.params or one.doc.params
  file:method(one.doc.lines, ('%s.%s'):format(self.returned, name:match('[^.]+$')), params)
end

--- The stub of a module.
---@param name string as 'moonprobe.json'
---@return table file a stub
---@return string returned the name it returns
function module.stub(name)
  local self = source.of(name)
  local file = stub.new((name:gsub('%.', '/')) .. '.lua', ("What `require '%s'` gives."):format(name))
  local exported = require(name)
  file:line('')
  file:doc(self.header and self.header.lines or {})
  file:line('---@class ' .. name)
  for _, key in ipairs(sorted_names(exported)) do
    local from, full = source.resolve(name, key)
    if type(exported[key]) ~= 'function' then
      local one = from.defined[full]
      if one and one.doc and one.doc.type then
        file:line(('---@field %s %s %s'):format(key, one.doc.type, one.doc.lines[1]:match('^%s*(.-)$')))
      else
        source.blame(from, one, full, 'needs a docstring with its ---@type')
      end
    end
  end
  file:line(('local %s = {}'):format(self.returned))
  for _, key in ipairs(sorted_names(exported)) do
    if type(exported[key]) == 'function' then
      local from, full = source.resolve(name, key)
      local one = source.checked(from, full)
      if one then write_function(file, self, one, name .. '.' .. key) end
    end
  end
  return file, self.returned
end

return module
