-- SPDX-License-Identifier: Apache-2.0
--- How an aggregate's rows are printed, as text or as JSON.

local job = require 'moonprobe.job'
local json = require 'moonprobe.json'
local output = require 'moonprobe.output'
local stack = require 'moonprobe.stack'

local print_of = {}

local function print_json(self, rows)
  for _, row in ipairs(rows) do
    local names, values = { 'aggregate' }, { self.name }
    for i, part in ipairs(row.parts) do
      names[#names + 1], values[#values + 1] = self.names[i] or 'key', part
    end
    if row.note then names[#names + 1], values[#values + 1] = self.note_name, row.note end
    if self.label then names[#names + 1], values[#values + 1] = 'label', self.label end
    names[#names + 1], values[#values + 1] = 'value', row.value
    output.line(json.object(names, values))
  end
end

local function print_text(self, rows)
  if not job.quiet then output.line(self.name) end
  for _, row in ipairs(rows) do
    local parts = {}
    for i, part in ipairs(row.parts) do
      if stack.is(part) then
        for _, line in ipairs(part:lines()) do output.line('  ' .. output.text(line)) end
      else
        parts[#parts + 1] = (self.kind.text and (self.names[i] or 'key') .. ' = ' or '') .. output.text(part)
      end
    end
    if row.note then parts[#parts + 1] = output.text(row.note) end
    local key = table.concat(parts, '  ')
    if self.kind.text then
      if key ~= '' then output.line(key) end
      output.line(self.kind.text(row.cell, self.label or self.field or 'value', self.options))
    else
      output.line(key == '' and #row.parts == 0 and output.text(row.value)
        or ('%-40s %12s'):format(key, output.text(row.value)))
    end
  end
end

---@param self table the aggregate
---@param rows table[] of it
function print_of.rows(self, rows)
  if job.json then print_json(self, rows) else print_text(self, rows) end
end

--- A line when events found no room.
---@param self table the aggregate
---@param from { size: integer, overflow: number } what is shown
function print_of.overflow(self, from)
  if from.overflow == 0 then return end
  if job.json then
    output.line(json.object({ 'aggregate', 'not_counted' }, { self.name, from.overflow }))
    return
  end
  -- With room for twice as many keys it was the kernel's memory, which comes late in a rush.
  local why = from.size * 2 < self.max_keys and 'too many new keys at once'
    or ('more than %d keys, raise max_keys'):format(self.max_keys)
  output.line(('%d events not counted: %s'):format(from.overflow, why))
end

return print_of
