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

--- A row's stacks, a frame a line: what is no stack is not shown beside one that is.
local function print_stacks(row)
  local any = false
  for _, part in ipairs(row.parts) do any = any or stack.is(part) and part.lost ~= stack.NONE end
  for _, part in ipairs(row.parts) do
    if stack.is(part) and not (any and part.lost == stack.NONE) then
      for _, line in ipairs(part:lines()) do output.line('  ' .. output.text(line)) end
    end
  end
end

local function print_text(self, rows)
  if not job.quiet then output.line(self.name) end
  for _, row in ipairs(rows) do
    local parts = {}
    print_stacks(row)
    for i, part in ipairs(row.parts) do
      if not stack.is(part) then
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

--- A row's key on one line.
---@param row table
---@return string
function print_of.folded_key(row)
  local words, of_process, of_kernel = {}, {}, {}
  for _, part in ipairs(row.parts) do
    if not stack.is(part) then
      words[#words + 1] = (output.text(part):gsub(';', ':'))
    elseif part.lost ~= stack.NONE then
      local into = part.kind == 'user' and of_process or of_kernel
      into[#into + 1] = output.text(part:folded())
    end
  end
  for _, list in ipairs { of_process, of_kernel } do
    for _, text in ipairs(list) do words[#words + 1] = text end
  end
  return table.concat(words, ';')
end

---@param self table the aggregate
---@param rows table[] of it
function print_of.folded(self, rows)
  if job.json then return print_json(self, rows) end
  for _, row in ipairs(rows) do output.line(print_of.folded_key(row) .. ' ' .. output.text(row.value)) end
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
