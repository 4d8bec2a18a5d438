-- SPDX-License-Identifier: Apache-2.0
--- Probe: the stub of a probe: its event, its knobs, its stream with every aggregate.

local aggregate = require 'moonprobe.aggregate'
local class = require 'moonprobe.types.class'
local schema = require 'moonprobe.schema'
local stub = require 'moonprobe.types.stub'

local probe = {}

--- What means a probe's own in its stub.
probe.own = { Event = true, Stream = true, Field = true, Key = true, Predicate = true, AggregateOptions = true }

local function write_event(file, self)
  file:line('')
  file:line('--- ' .. self.about)
  file:line('---')
  file:line('--- Cannot see: ' .. self.blind)
  file:line('---@class moonprobe.Event.' .. self.name .. ' : moonprobe.Event')
  local literals = {}
  for i, member in ipairs(schema.members(self)) do
    local unit = member.unit ~= '' and ('(%s) '):format(member.unit) or ''
    file:line(('---@field %s %s %s%s'):format(member.name, member.type, unit, member.doc))
    literals[i] = ("'%s'"):format(member.name)
  end
  file:line('')
  file:line('--- What a test says of an event: the rest is 0 or empty.')
  file:line('---@class moonprobe.Values.' .. self.name)
  for _, member in ipairs(schema.members(self)) do
    if member.takes then file:line(('---@field %s? %s'):format(member.name, member.takes)) end
  end
  file:line('')
  file:line('--- A field of the event.')
  file:line(('---@alias moonprobe.Field.%s %s'):format(self.name, table.concat(literals, '|')))
end

local function write_knobs(file, self)
  file:line('')
  file:line('---@class moonprobe.Knobs.' .. self.name)
  for _, knob in ipairs(self.knobs) do
    local preset = knob.is_text and ("'%s'"):format(knob.preset) or ('%.0f'):format(knob.preset)
    file:line(('---@field %s? %s %s (default %s)'):format(knob.name,
      knob.is_text and 'string' or 'integer|boolean', knob.doc, preset))
  end
end

--- The options of an aggregate that has some of its own, all of which it needs.
local function options_of(file, kind)
  if not kind.options then return 'moonprobe.AggregateOptions' end
  local all = 'moonprobe.AggregateOptions'
  local own = all .. '.' .. kind.name
  file:line('')
  file:line(('---@class %s : %s'):format(file:named(own), file:named(all)))
  for _, name in ipairs(kind.options) do
    file:line(('---@field %s %s'):format(name, type(kind.sample.options[name])))
  end
  return own
end

local function write_aggregate(file, kind, holder)
  local options = options_of(file, kind)
  local doc, params = { ' ' .. kind.summary }, { 'by', '...' }
  if kind.takes_value then
    doc[#doc + 1] = '@param value moonprobe.Field|fun(e: moonprobe.Event): number what is folded'
    doc[#doc + 1] = ('@param options%s %s%s'):format(kind.options and '' or '?', options,
      kind.options and '' or '|moonprobe.Key or the first part of the key')
    params = { 'value', 'options', '...' }
  else
    doc[#doc + 1] = '@param by? moonprobe.Key|' .. options .. ' the first part of the key, or options'
  end
  doc[#doc + 1] = '@param ... moonprobe.Key its other parts'
  doc[#doc + 1] = '@return moonprobe.Aggregate.' .. kind.name
  file:method(doc, holder .. ':' .. kind.name, params)
end

--- The stub of one probe.
---@param self table its schema
---@param classes { [string]: table } of class.all()
---@return table file a stub
function probe.stub(self, classes)
  local file = stub.new('moonprobe/probes/' .. self.name .. '.lua', 'Probe ' .. self.name .. '.')
  file:specialise(probe.own, self.name)
  write_event(file, self)
  write_knobs(file, self)
  class.write(file, classes['moonprobe.Key'])
  class.write(file, classes['moonprobe.Predicate'])
  class.write(file, classes['moonprobe.AggregateOptions'], 'moonprobe.AggregateOptions')
  class.write(file, classes['moonprobe.Stream'], 'moonprobe.Stream')
  for _, name in ipairs(aggregate.kinds()) do
    write_aggregate(file, aggregate.kind(name), classes['moonprobe.Stream'].holder)
  end
  return file
end

return probe
