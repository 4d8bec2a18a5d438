-- SPDX-License-Identifier: Apache-2.0
--- Folds: what the kernel counts of an aggregate, beside what Lua counts of it.
---
---   local fold = folds.of(function(probe) return probe:count 'pid' end)   -- plan, job, sink, stage
---   fold:run(events)            the stages; the verdict of each
---   fold:counted()              { [key] = value } of both banks
---   fold:expected(events)       the same, by the aggregate itself

local ffi = require 'ffi'
local aggregate = require 'moonprobe.aggregate'
local invented = require 'invented'
local machine = require 'machine'
local mp = require 'moonprobe'
local plan = require 'moonprobe.stage.plan'
local translated = require 'translated'
local words = require 'moonprobe.stage.words'

local folds = {}

local Fold = {}
Fold.__index = Fold

local names = 0

--- A probe without sinks so far.
function folds.probe()
  local probe = mp.probe 'process_exit' -- which the invented one stands for
  probe.source.sinks, probe.source.fields = {}, {}
  return probe
end

--- Plans what `make` adds to a probe.
---@param make fun(probe, name: string) name: one that no other aggregate has
---@return table
function folds.of(make)
  local probe = folds.probe()
  names = names + 1
  make(probe, 'fold ' .. names)
  return folds.from { schema = invented.schema, sinks = probe.source.sinks }
end

--- Plans a source of a script.
---@param source { schema: table, sinks: table[] }
---@return table
function folds.from(source)
  local self = setmetatable({ sinks = source.sinks }, Fold)
  self.plan, self.jobs = plan.make(source)
  self.stage = self.plan and machine.load(self.plan)
  self.fold, self.sink = self.jobs[1].fold, source.sinks[1]
  return self
end

--- Why the first sink is not folded by the kernel; nil when it is.
function Fold:refusal()
  local job = self.jobs[1]
  if job.fold then return nil end
  return (job.fold_refusal or job.refusal).reason
end

function Fold:run(events)
  local verdicts = {}
  for i, event in ipairs(events) do verdicts[i] = translated.verdict(self.stage, event) end
  return verdicts
end

--- Calls visit(key bytes, value as int64_t *) for every cell of the two banks.
function Fold:cells(visit, fold)
  fold = fold or self.fold
  for _, index in ipairs(fold.maps) do
    for key, memory in pairs(self.stage.maps[index + 1].there) do visit(key, ffi.cast('int64_t *', memory), index) end
  end
end

local function key_of(fold, bytes)
  local at, values = ffi.cast('const uint8_t *', bytes), {}
  if not fold.keyed then return true end
  for i, part in ipairs(fold.parts) do
    values[i] = part.decode(at)
    at = at + part.bytes
  end
  if #fold.parts == 1 then return aggregate.as_key(values[1]) end
  return aggregate.joined_key(values, #fold.parts)
end

--- As the worker reads it; keys that read alike are one.
function Fold:counted()
  local fold, kind, cells = self.fold, self.sink.fold.kind, {}
  local row, numbers = words.new(fold.words), {}
  self:cells(function(key, value)
    row:decode(value, numbers)
    local cell = fold.kernel.cell(numbers, fold.scale)
    if cell == nil then return end
    key = key_of(fold, key)
    cells[key] = cells[key] == nil and cell or kind.merge(cells[key], cell)
  end)
  for key, cell in pairs(cells) do cells[key] = kind.value(cell, self.sink.fold.options) end
  return cells
end

--- What the sink itself makes of the events that pass its filters.
function Fold:expected(events)
  local sink, values = self.sink, {}
  for _, event in ipairs(events) do
    local passes = true
    for _, filter in ipairs(sink.filters) do passes = passes and filter(event) end
    if passes then sink.take(event) end
  end
  for _, row in ipairs(sink.fold.made:rows()) do values[row.key] = row.value end
  sink.fold.made:clear()
  return values
end

return folds
