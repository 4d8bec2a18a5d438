-- SPDX-License-Identifier: Apache-2.0
--- Class: what the stdlib's docstrings declare with ---@class and ---@alias, as stubs.

local engine = require 'moonprobe.engine'
local docs = require 'moonprobe.types.docs'
local source = require 'moonprobe.types.source'

local class = {}

--- Where what scripts get in their hands is declared.
local folders = { ['stdlib/'] = 'moonprobe.', ['stdlib/testing/'] = 'moonprobe.testing.' }

--- All that the modules there declare: { name, doc, holder, source }, by name.
---@return { [string]: table } by_name
---@return string[] names sorted
function class.all()
  local by_name, names = {}, {}
  local function read(module)
    local self = source.of(module)
    for _, one in ipairs(self.declared) do
      one.source = self
      by_name[one.name] = one
      names[#names + 1] = one.name
    end
  end
  for folder, prefix in pairs(folders) do
    for _, name in ipairs(engine.assets(folder, '.lua')) do
      read(name == 'moonprobe' and name or prefix .. name)
    end
  end
  table.sort(names)
  return by_name, names
end

--- Does a docstring mean something else in this stub than elsewhere?
local function is_own(file, doc)
  for _, text in ipairs(doc and doc.lines or {}) do
    if file:named(text) ~= text then return true end
  end
  return false
end

--- Writes one with its methods; with a parent those it does not inherit as they are.
---@param file table a stub
---@param one table of all()
---@param parent string|nil a class it is one of
function class.write(file, one, parent)
  file:line('')
  for _, text in ipairs(one.doc.lines) do
    local head = parent and text:match('^@class [%w_.]+')
    if head then
      file:line(('---%s : %s'):format(file:named(head), parent)) -- whose name stays as it is
    else
      file:doc { text }
    end
  end
  if not one.holder then return end
  file:line(('local %s = {}'):format(one.holder))
  for _, name in ipairs(docs.members(one.source, one.holder)) do
    local definition = one.source.defined[name]
    local is_hidden = definition.doc and definition.doc.is_package or name:find('[.:]_')
    if not is_hidden and (not parent or is_own(file, definition.doc)) then
      definition = source.checked(one.source, name)
      if definition then file:method(definition.doc.lines, name, definition.params, one.name) end
    end
  end
end

return class
