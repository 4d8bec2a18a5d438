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

--- moonprobe.probe: one more form for each probe, whose stream has that probe's events.
local function probe_forms(lines, probes)
  local forms = {}
  for _, text in ipairs(lines) do
    if text:find('^@param name') then
      forms[#forms + 1] = ("@param name '%s' %s"):format(probes[1].name, text:match('^@param name %S+%s*(.*)$'))
    elseif text:find('^@param knobs') or text:find('^@return') then
      forms[#forms + 1] = (text:gsub('moonprobe%.(%a+)', 'moonprobe.%1.' .. probes[1].name, 1))
    else
      forms[#forms + 1] = text
    end
  end
  for i = 2, #probes do
    local name = probes[i].name
    forms[#forms + 1] = ("@overload fun(name: '%s', knobs?: moonprobe.Knobs.%s): moonprobe.Stream.%s")
      :format(name, name, name)
  end
  return forms
end

local function write_function(file, self, one, name, probes)
  local params = one.params or one.doc.params
  local lines = one.doc.lines
  if name == 'moonprobe.probe' then lines = probe_forms(lines, probes) end
  file:method(lines, ('%s.%s'):format(self.returned, name:match('[^.]+$')), params)
end

--- The stub of a module.
---@param name string as 'moonprobe.json'
---@param probes table[] schemas
---@return table file a stub
---@return string returned the name it returns
function module.stub(name, probes)
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
      if one then write_function(file, self, one, name .. '.' .. key, probes) end
    end
  end
  return file, self.returned
end

return module
