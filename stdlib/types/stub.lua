-- SPDX-License-Identifier: Apache-2.0
--- Stub: a file of LuaCATS declarations as it grows.
---
---   local file = stub.new('moonprobe/units.lua')
---   file:doc { ' Text.', '@param text string' }
---   file:line("function units.duration(text) end")
---
--- Docstrings of streams speak of moonprobe.Event, moonprobe.Field and so on; a stub made for one
--- probe means that probe's: names given to specialise() get its name at their end.

--- Names of all probes.
local stub = { probes = {} }

local of_a_probe = { Knobs = true, Stream = true, Values = true }

local Stub = {}
Stub.__index = Stub

---@param name string of the file, below the folder of stubs
---@param about string
---@return table
function stub.new(name, about)
  local self = setmetatable({ name = name, lines = {}, names = {}, suffix = nil }, Stub)
  self:line('---@meta')
  self:line('-- luacheck: no max line length, no unused, no redefined')
  self:line('-- ' .. about .. ' Written by `moonprobe types`; changes here are lost.')
  return self
end

--- From now on `moonprobe.NAME` of these names means `moonprobe.NAME.SUFFIX`.
---@param names { [string]: boolean }
---@param suffix string
function Stub:specialise(names, suffix)
  self.names, self.suffix = names, suffix
end

---@param text string
function Stub:line(text)
  self.lines[#self.lines + 1] = text
end

--- A text of a docstring, with this stub's names.
---@param text string
---@return string
function Stub:named(text)
  return (text:gsub('moonprobe%.(%a+)%f[^%w_]', function(name)
    return self.names[name] and ('moonprobe.%s.%s'):format(name, self.suffix) or nil
  end))
end

--- The lines of a docstring, without their dashes.
---@param lines string[]
function Stub:doc(lines)
  for _, text in ipairs(lines) do
    if text ~= '@package' then self:line('---' .. self:named(text)) end
  end
end

--- A docstring that has a parameter of moonprobe.Probe, as one for the first probe and an
--- overload for each other: moonprobe.Knobs, moonprobe.Stream and moonprobe.Values are its own.
---@param lines string[]
---@param class string|nil whose method it is
---@return string[]
function stub.forms(lines, class)
  local first, rest, takes_probe = {}, {}, false
  for _, text in ipairs(lines) do takes_probe = takes_probe or text:find('^@param %S+ moonprobe%.Probe') end
  if not takes_probe then return lines end
  for i, probe in ipairs(stub.probes) do
    local params, gives = { class and 'self: ' .. class }, ''
    local function own(kind)
      if kind == 'Probe' then return ("'%s'"):format(probe) end
      return of_a_probe[kind] and ('moonprobe.%s.%s'):format(kind, probe) or nil
    end
    for _, text in ipairs(lines) do
      local mine = text:find('^@') and text:gsub('moonprobe%.(%a+)', own) or text
      local name, type_name = mine:match('^@param (%S+) (%S+)')
      if name then
        local plain, count = type_name:gsub('|nil$', '')
        params[#params + 1] = ('%s%s: %s'):format(name, count > 0 and '?' or '', plain)
      end
      gives = mine:match('^@return (%S+)') and ': ' .. mine:match('^@return (%S+)') or gives
      if i == 1 then first[#first + 1] = mine end
    end
    if i > 1 then rest[#rest + 1] = ('@overload fun(%s)%s'):format(table.concat(params, ', '), gives) end
  end
  for _, text in ipairs(rest) do first[#first + 1] = text end
  return first
end

--- A function with its docstring.
---@param doc string[]
---@param name string
---@param params string[]
---@param class string|nil whose method it is
function Stub:method(doc, name, params, class)
  self:line('')
  self:doc(stub.forms(doc, class))
  self:line(('function %s(%s) end'):format(name, table.concat(params, ', ')))
end

--- The whole file.
---@param returned string|nil what the module returns
---@return string
function Stub:text(returned)
  return table.concat(self.lines, '\n') .. '\n' .. (returned and '\nreturn ' .. returned .. '\n' or '')
end

return stub
