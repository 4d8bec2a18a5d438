-- SPDX-License-Identifier: Apache-2.0
--- Shared: the stub of what all probes' stubs refer to: classes of the stdlib, the aggregates.

local aggregate = require 'moonprobe.aggregate'
local class = require 'moonprobe.types.class'
local schema = require 'moonprobe.schema'
local source = require 'moonprobe.types.source'
local stub = require 'moonprobe.types.stub'

local shared = {}

--- What means an aggregate's own in its declaration.
local own = { Aggregate = true, Row = true }

local type_of

--- Fields that some entries of a list have not are nil-able.
local function record_of(list)
  local seen, names = {}, {}
  for _, one in ipairs(list) do
    for name, value in pairs(one) do
      if not seen[name] then
        names[#names + 1] = name
        seen[name] = { type = type_of(value), count = 0 }
      end
      seen[name].count = seen[name].count + 1
    end
  end
  table.sort(names)
  for i, name in ipairs(names) do
    names[i] = ('%s%s: %s'):format(name, seen[name].count < #list and '?' or '', seen[name].type)
  end
  return '{ ' .. table.concat(names, ', ') .. ' }'
end

--- The LuaCATS type of an aggregate's sample value.
function type_of(value)
  if type(value) ~= 'table' then return type(value) end
  return #value > 0 and record_of(value) .. '[]' or record_of { value }
end

--- What the kind's value() says that it gives, else what its sample shows.
local function value_type(kind)
  local one = source.of('moonprobe.aggregates.' .. kind.name).defined['returned.value']
  return one and one.doc and one.doc.gives or type_of(kind.sample.value)
end

--- Fields that every probe's event has.
local function write_event(file, probes)
  local count, by_name, names = {}, {}, {}
  for _, self in ipairs(probes) do
    for _, member in ipairs(schema.members(self)) do
      count[member.name] = (count[member.name] or 0) + 1
      by_name[member.name] = member
    end
  end
  for name, number in pairs(count) do if number == #probes then names[#names + 1] = name end end
  table.sort(names)
  file:line('')
  file:line('--- What the events of all probes have. Valid while a handler runs.')
  file:line('---@class moonprobe.Event')
  for _, name in ipairs(names) do
    file:line(('---@field %s %s %s'):format(name, by_name[name].type, by_name[name].doc))
  end
end

--- One class for each kind, whose rows have its values.
local function write_aggregates(file, classes)
  for _, name in ipairs(aggregate.kinds()) do
    local kind = aggregate.kind(name)
    file:line('')
    file:line('---@class moonprobe.Row.' .. name .. ' : moonprobe.Row')
    file:line('---@field value ' .. value_type(kind))
    file:specialise(own, name)
    class.write(file, classes['moonprobe.Aggregate'], 'moonprobe.Aggregate')
    file:specialise({}, '')
  end
end

---@param probes table[] schemas
---@param classes { [string]: table } of class.all()
---@param names string[] their names in order
---@return table file a stub
function shared.stub(probes, classes, names)
  local file = stub.new('moonprobe/shared.lua', 'What the probes share.')
  write_event(file, probes)
  for _, name in ipairs(names) do class.write(file, classes[name]) end
  write_aggregates(file, classes)
  return file
end

return shared
