-- SPDX-License-Identifier: Apache-2.0
--- Aggregate: values folded by key. What is folded how is one file in stdlib/aggregates each.
---
---   cells[key] = kind.add(cells[key], value, options)
---
--- Options of all: `by` the key's parts, `name` the heading, `label` what the values are,
--- `note` a field that tells more about a key, as its first event has it. The number of keys
--- is limited (`max_keys`, 10000); `full` says what happens then: 'refuse' (events of further keys
--- are not counted, which is told) or 'lru' (the key unused for longest gives way).
---
--- The worker's cells are in stdlib/keyed.lua; with attach_kernel() programs count as well, and
--- what is shown is both together.

local attached = require 'moonprobe.stage.attached'
local blame = require 'moonprobe.blame'
local engine = require 'moonprobe.engine'
local keyed = require 'moonprobe.keyed'
local stack = require 'moonprobe.stack'
local output = require 'moonprobe.output'
local print_of = require 'moonprobe.aggregate_print'
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

--- A key and its value.
---@class moonprobe.Row
---@field key any
---@field parts any[] of a key of several parts, as text
---@field value any
---@field note any

--- Values folded by key.
---@class moonprobe.Aggregate
local Aggregate = {}

--- What a look at the aggregate shows, of the kernel's cells too.
local looks = { cells = true, notes = true, size = true, overflow = true }

Aggregate.__index = function(self, name)
  if looks[name] then
    local kernel = rawget(self, 'kernel')
    return (kernel and kernel:current() or self.own)[name]
  end
  return Aggregate[name]
end

--- The kind's own options as text: other bounds are other cells.
local function own_options(kind, options)
  local parts = {}
  for i, name in ipairs(kind.options or {}) do parts[i] = (' %s=%s'):format(name, tostring(options[name])) end
  return table.concat(parts)
end

---@param kind table
---@param about { probe: string, field: string|nil, names: string[], options: table }
function aggregate.new(kind, about)
  local options = about.options
  local self = setmetatable({
    kind = kind,
    probe = about.probe,
    field = about.field,
    options = options,
    label = options.label,
    names = about.names,
    note_name = options.note,
    max_keys = options.max_keys or MAX_KEYS,
    full = options.full or 'refuse',
    shown = false, -- the script shows it itself
  }, Aggregate)
  self.own, self.unsure = keyed.new(self.max_keys, self.full), {} -- by generation
  self.name = options.name
  if not self.name then
    local signature = kind.name .. (about.field and '_' .. about.field or '')
    self.name = about.probe .. ' ' .. signature
    if #self.names > 0 then self.name = self.name .. ' by ' .. table.concat(self.names, ', ') end
  end
  -- The same aggregate of the next version inherits the cells; twins are told by their order.
  -- Cells of another kind mean something else, whatever the name.
  local signature = kind.name .. own_options(kind, options) .. ' ' .. self.name
  local twins = (made_by_signature[signature] or 0) + 1
  made_by_signature[signature] = twins
  self.signature = ('%s #%d'):format(signature, twins)
  state.part('aggregate ' .. self.signature, function() return self:save() end,
    function(old) self:restore(old) end)
  made[#made + 1] = self
  return self
end

--- What a value is as a key: equal values must be one key, which 64-bit cdata is not, and 0 / 0 is none.
---@param value any
---@return any
function aggregate.as_key(value)
  if value == nil then return '-' end
  local kind = type(value)
  if kind == 'string' then return stack.text_key(value) end
  if kind == 'cdata' or value ~= value then return output.text(value) end
  return stack.is(value) and value:key() or value
end
local as_key = aggregate.as_key

--- What several values are as a key.
---@param parts any[]
---@param count integer of them: there may be nils
---@return string
function aggregate.joined_key(parts, count)
  local texts = {}
  for i = 1, count do texts[i] = stack.is(parts[i]) and parts[i]:key() or output.text(parts[i]) end
  return table.concat(texts, SEPARATOR)
end

--- The cells of events that stages of another version have judged: only that version knows whether its
--- kernel has folded them.
local function unsure_of(self, generation)
  local cells = self.unsure[generation]
  if not cells then
    cells = keyed.new(self.max_keys, self.full)
    self.unsure[generation] = cells
  end
  return cells
end

--- The sink for a stream. Of events that another version's stages have judged it is told the generation.
---@param getters (fun(event): any)[]|nil the key's parts
---@param value (fun(event): any)|nil
---@param note (fun(event): any)|nil
---@return fun(event, generation: integer|nil)
---@package
function Aggregate:taker(getters, value, note)
  local add, options, own = self.kind.add, self.options, self.own
  local function put(key, event, generation)
    local amount = 1
    if value then
      amount = tonumber((value(event)))
      if not amount then error(('%s: a value is not a number'):format(self.name), 0) end
    end
    local into = generation and unsure_of(self, generation) or own
    into:fold(key, add, amount, options, note, event)
  end
  if not getters then
    return function(event, generation) put(true, event, generation) end
  elseif #getters == 1 then
    local get = getters[1]
    return function(event, generation) put(as_key(get(event)), event, generation) end
  end
  local parts = {}
  return function(event, generation)
    for i, get in ipairs(getters) do parts[i] = get(event) end
    put(aggregate.joined_key(parts, #getters), event, generation)
  end
end

--- Adds a value from Lua.
---@param value number
---@param key any|nil
function Aggregate:add(value, key)
  if key == nil then key = true else key = as_key(key) end
  self.own:fold(key, self.kind.add, value, self.options)
end

--- Forgets all keys.
function Aggregate:clear()
  local kernel = rawget(self, 'kernel')
  if kernel then kernel:clear() else self.own:clear() end
end

local function key_parts(self, key)
  if key == true and #self.names == 0 then return {} end
  if #self.names < 2 then return { stack.from_key(key) } end
  local parts = {}
  for part in (key .. SEPARATOR):gmatch('(.-)' .. SEPARATOR) do parts[#parts + 1] = stack.from_key(part) end
  return parts
end

local function text_of(row)
  local texts = {}
  for i, part in ipairs(row.parts) do texts[i] = tostring(part) end
  return table.concat(texts, SEPARATOR)
end

--- Stacks are folded by number: those that read alike are one row. Their names are asked for at once.
local function read_stacks(self, rows, read)
  local stacks, by_text, kept = {}, {}, {}
  for _, row in ipairs(rows) do
    for _, part in ipairs(row.parts) do if stack.is(part) then stacks[#stacks + 1] = part end end
  end
  if #stacks == 0 then return rows end
  stack.name(stacks)
  for _, row in ipairs(rows) do
    local text = read(row)
    local other = by_text[text]
    if other then
      other.cell = self.kind.merge(other.cell, row.cell)
    else
      by_text[text], kept[#kept + 1] = row, row
      row.key = #row.parts == 1 and row.parts[1] or text
    end
  end
  return kept
end

local function rows_of(self, from, limit, read)
  local rows, options = {}, self.options
  local value, rank = self.kind.value, self.kind.rank or self.kind.value
  for key, cell in pairs(from.cells) do
    local parts = key_parts(self, key)
    if #parts == 1 then key = parts[1] end
    rows[#rows + 1] = { key = key, parts = parts, note = from.notes[key], cell = cell }
  end
  rows = read_stacks(self, rows, read or text_of)
  for _, row in ipairs(rows) do
    row.value, row.rank = value(row.cell, options), rank(row.cell, options)
    if row.rank ~= row.rank then row.rank = -math.huge end -- 0 / 0 has no place among the others
  end
  table.sort(rows, function(a, b)
    if a.rank ~= b.rank then return a.rank > b.rank end
    return tostring(a.key) < tostring(b.key)
  end)
  for i = #rows, (limit or #rows) + 1, -1 do rows[i] = nil end
  return rows
end

--- What is there now, marked as shown by the script.
local function look(self)
  local kernel = rawget(self, 'kernel')
  self.shown = true
  return kernel and kernel:look() or self.own
end

--- Keys and values, largest value first, at most `limit`. Marks the aggregate as shown by
--- the script. A key of several parts is a string with '\31' between them.
---@param limit integer|nil
---@return moonprobe.Row[]
function Aggregate:rows(limit)
  return rows_of(self, look(self), limit)
end

--- Prints all keys, largest first.
---@param limit integer|nil
function Aggregate:print(limit)
  local from = look(self)
  print_of.rows(self, rows_of(self, from, limit))
  print_of.overflow(self, from)
end

--- Prints a line for each key, as flamegraph.pl reads them: the parts that are no stacks, then stacks with
--- the outermost function first (that of the process called the kernel's), ';' between, and the value.
---@param limit integer|nil
function Aggregate:print_folded(limit)
  local from = look(self)
  print_of.folded(self, rows_of(self, from, limit, print_of.folded_key))
  print_of.overflow(self, from)
end

--- Prints a line when events found no room: for scripts that print the rows themselves.
function Aggregate:print_overflow()
  print_of.overflow(self, self) -- size and overflow
end

--- Prints and clears at every interval, and what is left at the end. With `keep` nothing is
--- cleared: each time all so far is printed.
---@param interval string a duration
---@param options { keep: boolean|nil }|nil
---@return moonprobe.Aggregate self
function Aggregate:every(interval, options)
  local ns = units.duration(interval)
  if not ns or ns == 0 then blame(("every: '%s' is not a time like 1s"):format(tostring(interval))) end
  if options ~= nil and type(options) ~= 'table' then blame('every: needs a table of options') end
  for name in pairs(options or {}) do
    if name ~= 'keep' then blame(("every: no option '%s'; it has keep"):format(tostring(name))) end
  end
  timers.add(ns, true, function()
    self:print()
    if not (options and options.keep) then self:clear() end
    self.shown = false -- what comes until the end is still to be shown
  end)
  return self
end

--- From now on programs count, too, into maps: what they count is part of all that is shown.
--- `name` is that of the maps: a version with maps of the same name goes on with them, so it must
--- differ when they do.
---@param options { name: string, cells: table, kernel: table, scale: integer|nil,
---  key: (fun(pointer): any)|nil, note: (fun(pointer): any)|nil }
---  cells: cells.open(...) of stdlib/stage/cells.lua; kernel: kind.kernel(options); scale: what values
---  are divided by; key, note: from the bytes in the maps, the key as as_key() or joined_key()
---@package
function Aggregate:attach_kernel(options)
  local before = self:detach_kernel(true)
  self.kernel = attached.new(self.kind, self.own, options)
  if before then self:take_over(before) end
end

--- From now on programs do not count any more; what they have counted stays.
---@param keep boolean|nil gives what they have counted instead of keeping it
---@return table|nil
---@package
function Aggregate:detach_kernel(keep)
  local kernel = rawget(self, 'kernel')
  if not kernel then return nil end
  local saved = kernel:save()
  kernel.maps:close()
  self.kernel = nil
  if keep then return saved end
  self:take_over(saved)
end

--- Counts what stages of this generation have let through before that was known to be its own.
local function take_unsure(self, unsure)
  local cells = unsure[self.generation]
  if cells and not rawget(self, 'kernel') then self:take_over(cells) end
end

--- Its stages have this number from now on; attach_kernel() or detach_kernel() has told what they do.
---@param generation integer
---@package
function Aggregate:begin(generation)
  self.generation = generation
  take_unsure(self, self.unsure)
  self.unsure[generation] = nil
end

--- What a kernel has counted: goes on in the same maps, or becomes the worker's.
---@package
function Aggregate:take_over(saved)
  local kernel, own, merge = rawget(self, 'kernel'), self.own, self.kind.merge
  if kernel and kernel:restore(saved) then return end
  for key, cell in pairs(saved.cells) do
    local there = own.cells[key]
    if there == nil then own:put(key, cell) else own.cells[key] = merge(there, cell) end
    if own.notes[key] == nil then own.notes[key] = saved.notes[key] end
  end
  own.overflow = own.overflow + saved.overflow
end

--- A plain value for the next version.
---@package
function Aggregate:save()
  local kernel = rawget(self, 'kernel')
  local saved = self.own:save()
  saved.kernel, saved.unsure = kernel and kernel:save(), {}
  for generation, cells in pairs(self.unsure) do saved.unsure[generation] = cells:save() end
  return saved
end

---@param old table from save()
---@package
function Aggregate:restore(old)
  self.own:restore(old)
  if old.kernel then self:take_over(old.kernel) end
  take_unsure(self, old.unsure)
end

--- All of the script, in the order they were made.
---@return table[]
function aggregate.all()
  return made
end

--- What no script showed, at the end.
function aggregate.print_rest()
  for _, one in ipairs(made) do
    if not one.shown and (one.size > 0 or one.overflow > 0) then one:print() end
  end
end

return aggregate
