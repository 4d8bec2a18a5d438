-- SPDX-License-Identifier: Apache-2.0
--- Aggregate: values folded by key. What is folded how is one file in stdlib/aggregates each.
---
---   cells[key] = kind.add(cells[key], value)
---
--- Options of all: `by` the key's parts, `name` the heading, `label` what the values are,
--- `note` a field that tells more about a key, as its first event has it.
--- The number of keys is limited (`max_keys`, 10000); what finds no room is counted and told.

local blame = require 'moonprobe.blame'
local engine = require 'moonprobe.engine'
local job = require 'moonprobe.job'
local json = require 'moonprobe.json'
local output = require 'moonprobe.output'
local state = require 'moonprobe.state'
local timers = require 'moonprobe.timers'
local units = require 'moonprobe.units'

local aggregate = {}

local SEPARATOR = '\31' -- between the parts of a key: the unit separator
local MAX_KEYS = 10000

local known = {}
local made, made_by_signature = {}, {}

--- The kind of that name, from stdlib/aggregates; nil when there is none.
---@param name string
---@return table|nil
function aggregate.kind(name)
  if known[name] == nil then
    local ok, kind = false, nil
    if name:match('^%l[%w_]*$') and engine.asset('stdlib/aggregates/' .. name .. '.lua') then
      ok, kind = true, require('moonprobe.aggregates.' .. name)
    end
    known[name] = ok and kind or false
  end
  return known[name] or nil
end

---@return string[]
function aggregate.kinds()
  return engine.assets('stdlib/aggregates/', '.lua')
end

local Aggregate = {}
Aggregate.__index = Aggregate

---@param kind table
---@param about { probe: string, field: string|nil, names: string[], options: table }
function aggregate.new(kind, about)
  local self = setmetatable({
    kind = kind,
    probe = about.probe,
    field = about.field,
    label = about.options.label,
    names = about.names,
    note_name = about.options.note,
    max_keys = about.options.max_keys or MAX_KEYS,
    cells = {},
    notes = {},
    size = 0,
    overflow = 0,
    shown = false, -- the script shows it itself
  }, Aggregate)
  self.name = about.options.name
  if not self.name then
    local signature = kind.name .. (about.field and '_' .. about.field or '')
    self.name = about.probe .. ' ' .. signature
    if #self.names > 0 then self.name = self.name .. ' by ' .. table.concat(self.names, ', ') end
  end
  -- The same aggregate of the next version inherits the cells; twins are told by their order.
  -- Cells of another kind mean something else, whatever the name.
  local signature = kind.name .. ' ' .. self.name
  local twins = (made_by_signature[signature] or 0) + 1
  made_by_signature[signature] = twins
  state.part(('aggregate %s #%d'):format(signature, twins), function()
    return { cells = self.cells, notes = self.notes, size = self.size, overflow = self.overflow }
  end, function(old)
    for key, cell in pairs(old.cells) do self.cells[key] = cell end
    for key, note in pairs(old.notes or {}) do self.notes[key] = note end
    self.size, self.overflow = old.size, old.overflow
  end)
  made[#made + 1] = self
  return self
end

--- What a value is as a key: equal values must be one key, which 64-bit cdata is not.
local function as_key(value)
  if value == nil then return '-' end
  return type(value) == 'cdata' and output.text(value) or value
end

--- The sink for a stream.
---@param getters (fun(event): any)[]|nil the key's parts
---@param value (fun(event): any)|nil
---@param note (fun(event): any)|nil
function Aggregate:taker(getters, value, note)
  local add = self.kind.add
  local function put(key, event)
    local cells, amount = self.cells, 1
    local cell = cells[key]
    if value then
      amount = tonumber(value(event))
      if not amount then error(('%s: a value is not a number'):format(self.name), 0) end
    end
    if cell == nil then
      if self.size >= self.max_keys then
        self.overflow = self.overflow + 1
        return
      end
      self.size = self.size + 1
      if note then self.notes[key] = note(event) end
    end
    cells[key] = add(cell, amount)
  end
  if not getters then
    return function(event) put(true, event) end
  elseif #getters == 1 then
    local get = getters[1]
    return function(event) put(as_key(get(event)), event) end
  end
  return function(event)
    local parts = {}
    for i, get in ipairs(getters) do parts[i] = output.text(get(event)) end
    put(table.concat(parts, SEPARATOR), event)
  end
end

--- Adds a value from Lua.
---@param value number
---@param key any|nil
function Aggregate:add(value, key)
  if key == nil then key = true else key = as_key(key) end
  if self.cells[key] == nil then
    if self.size >= self.max_keys then
      self.overflow = self.overflow + 1
      return
    end
    self.size = self.size + 1
  end
  self.cells[key] = self.kind.add(self.cells[key], value)
end

function Aggregate:clear()
  self.cells, self.notes, self.size, self.overflow = {}, {}, 0, 0
end

local function key_parts(self, key)
  if key == true and #self.names == 0 then return {} end
  if #self.names < 2 then return { key } end
  local parts = {}
  for part in (key .. SEPARATOR):gmatch('(.-)' .. SEPARATOR) do parts[#parts + 1] = part end
  return parts
end

--- Keys and values, largest value first, at most `limit`. Marks the aggregate as shown by
--- the script. A key of several parts is a string with '\31' between them.
---@param limit integer|nil
---@return { key: any, parts: any[], value: any, note: any }[]
function Aggregate:rows(limit)
  self.shown = true
  local rows, rank = {}, self.kind.rank or self.kind.value
  for key, cell in pairs(self.cells) do
    rows[#rows + 1] = { key = key, parts = key_parts(self, key), note = self.notes[key],
      value = self.kind.value(cell), rank = rank(cell), cell = cell }
  end
  table.sort(rows, function(a, b)
    if a.rank ~= b.rank then return a.rank > b.rank end
    return tostring(a.key) < tostring(b.key)
  end)
  for i = #rows, (limit or #rows) + 1, -1 do rows[i] = nil end
  return rows
end

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
      parts[i] = output.text(part)
      if self.kind.text then parts[i] = (self.names[i] or 'key') .. ' = ' .. parts[i] end
    end
    if row.note then parts[#parts + 1] = output.text(row.note) end
    local key = table.concat(parts, '  ')
    if self.kind.text then
      if key ~= '' then output.line(key) end
      output.line(self.kind.text(row.cell, self.label or self.field or 'value'))
    else
      output.line(key == '' and output.text(row.value)
        or ('%-40s %12s'):format(key, output.text(row.value)))
    end
  end
end

--- Prints all keys, largest first.
---@param limit integer|nil
function Aggregate:print(limit)
  local rows = self:rows(limit)
  if job.json then print_json(self, rows) else print_text(self, rows) end
  self:print_overflow()
end

--- Prints a line when events found no room: for scripts that print the rows themselves.
function Aggregate:print_overflow()
  if self.overflow == 0 then return end
  if job.json then
    output.line(json.object({ 'aggregate', 'not_counted' }, { self.name, self.overflow }))
  else
    output.line(('%d events not counted: more than %d keys, raise max_keys')
      :format(self.overflow, self.max_keys))
  end
end

--- Prints and clears at every interval, and what is left at the end.
---@param interval string a duration
---@return table self
function Aggregate:every(interval)
  local ns = units.duration(interval)
  if not ns or ns == 0 then blame(("every: '%s' is not a time like 1s"):format(tostring(interval))) end
  timers.add(ns, true, function()
    self:print()
    self:clear()
    self.shown = false -- what comes until the end is still to be shown
  end)
  return self
end

--- What no script showed, at the end.
function aggregate.print_rest()
  for _, one in ipairs(made) do
    if not one.shown and (one.size > 0 or one.overflow > 0) then one:print() end
  end
end

return aggregate
