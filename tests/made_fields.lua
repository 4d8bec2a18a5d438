-- SPDX-License-Identifier: Apache-2.0
--- Made fields: the event of a probe that does not exist, as engine.schema describes it.
---
---   local made = dofile 'tests/made_fields.lua' ()
---   made:add('uid', 'u', 4)             -- name, kind, bytes of an element, options
---   made.fields, made.bytes

local Made = {}
Made.__index = Made

--- `options`: elements (an array of so many), type (of C), values (of an enum), late.
---@param name string
---@param kind string as schema.h has them
---@param element_bytes integer
---@param options? table
function Made:add(name, kind, element_bytes, options)
  options = options or {}
  local elements = options.elements or 0
  local align = kind == 'c' and 1 or kind == 's' and 4 or element_bytes
  self.bytes = math.ceil(self.bytes / align) * align
  self.fields[#self.fields + 1] = { name = name, kind = kind, offset = self.bytes,
    element_bytes = kind == 'c' and 1 or element_bytes, bytes = element_bytes * math.max(elements, 1),
    elements = elements, type = options.type or '', values = options.values, late = options.late or false, doc = '',
    unit = '' }
  self.bytes = self.bytes + self.fields[#self.fields].bytes
end

return function()
  return setmetatable({ fields = {}, bytes = 0 }, Made)
end
