-- SPDX-License-Identifier: Apache-2.0
--- Stages: which of a probe's sinks the kernel serves, while the script runs.
---
---   plan --declare--> host --accepted, maps--> pipeline that trusts the verdicts of the kernel
---   a value that was built in changes --restage--> host --> the next generation
---
--- What is translated and how: stdlib/stage.

local ffi = require 'ffi'
local drain = require 'moonprobe.drain'
local engine = require 'moonprobe.engine'
local folding = require 'moonprobe.stage.folding'
local host = require 'moonprobe.host'
local job = require 'moonprobe.job'
local output = require 'moonprobe.output'
local plan = require 'moonprobe.stage.plan'
local stream = require 'moonprobe.stream'
local timers = require 'moonprobe.timers'
local typed = require 'moonprobe.typed'

local stages = {}

local numbers_pointer = ffi.typeof 'int64_t *'

--- What is wrong with a sink that must run in the kernel and cannot; nil: nothing.
local function missed(source, jobs)
  for i, sink in ipairs(source.sinks) do
    local one = jobs[i]
    local problem = one.refusal or sink.fold and one.fold_refusal
    if sink.kernel and problem then
      local at = problem.line and problem.line > 0 and ('%s:%d'):format(problem.file, problem.line) or sink.place
      return ('%s: cannot run in the kernel: %s'):format(at, problem.reason)
    end
  end
end

--- Makes a source's plan: source.plan (nil when all runs in the worker) and source.jobs.
---@return string|nil problem something that must run in the kernel cannot
function stages.plan(source)
  source.handlers = {}
  for _, list in ipairs { stream.sources, stream.others } do
    for _, one in ipairs(list) do
      for _, sink in ipairs(one.sinks) do table.insert(source.handlers, sink) end
    end
  end
  source.timers, source.formats = timers.functions(), output.formats
  source.plan, source.jobs = plan.make(source)
  return missed(source, source.jobs)
end

--- The host's word on the plan of a declaration: accepted or not, why not; its maps.
function stages.answer(message)
  local source = stream.sources[message[2] + 1]
  if message[3] == 1 then
    source.maps = message.fds
  else
    source.plan, source.refused_plan, source.why = nil, source.plan, message[4]
  end
end

--- Maps the array of the plan's live numbers, and lets go of the last one.
local function map_numbers(source)
  if source.numbers then engine.map_unmap(source.numbers, source.numbers_bytes) end
  source.numbers = nil
  local index = source.plan and source.plan.live_index
  if not index then return end
  source.numbers_bytes = 8 * #source.plan.live.numbers
  source.numbers = ffi.cast(numbers_pointer, assert(engine.map(source.maps[index + 1], source.numbers_bytes)))
end

--- Aggregates read what the kernel folds from now on. Of the same maps as before they go on
--- with the descriptors they have.
local function attach_folds(source)
  local used = {}
  for i, sink in ipairs(source.sinks) do
    local fold = source.plan and source.jobs[i].fold
    local before = sink.fold and sink.fold.attached
    if fold and not (before and before.name == fold.name) then
      local fds = folding.maps(fold, source.maps)
      sink.fold.made:attach_kernel(folding.reader(fold, fds, job.cpus))
      sink.fold.attached = { name = fold.name, fds = fds }
      for _, fd in ipairs(fds) do used[fd] = true end
    elseif before and not fold then
      sink.fold.made:detach_kernel()
      sink.fold.attached = nil
    else
      before = nil
    end
    for _, fd in ipairs(before and before.fds or {}) do engine.close(fd) end
  end
  for _, fd in ipairs(source.maps or {}) do
    if not used[fd] then engine.close(fd) end
  end
  source.maps = nil
end

--- Events of this generation go to the sinks by the verdict of its stages.
---@param source table
---@param generation integer
function stages.begin(source, generation)
  map_numbers(source)
  attach_folds(source)
  for _, sink in ipairs(source.sinks) do
    if sink.fold then sink.fold.made:begin(generation) end
  end
  drain.handle(source.slot, generation, source.schema.pointer,
    stream.pipeline(source, source.plan and source.jobs or nil))
end

--- Adds what the host is told of the fields that are read.
---@param words (string|number)[]
---@param again boolean|nil of a probe that was declared: what it reads by type has its place, and is not told again
function stages.add_fields(words, source, again)
  local names = {}
  for name in pairs(source.fields) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local kind, path, offset, when = typed.words(source.schema, name)
    if not (kind and again) then
      words[#words + 1], words[#words + 2] = kind or 'field', path or name
      words[#words + 1], words[#words + 2] = offset, when
    end
  end
end

local function restage(source)
  local problem = stages.plan(source)
  if problem and not source.told then host.report('%s; from now on the worker does it', problem) end
  source.told = source.told or problem
  local words = {}
  stages.add_fields(words, source, true)
  local index
  for i, one in ipairs(stream.sources) do if one == source then index = i - 1 end end
  local fd = engine.memory(source.plan and source.plan:encode() or plan.nothing())
  host.send_fd(fd, 'restage', index, unpack(words))
  engine.close(fd)
  source.changing = true
end

--- The host's answer: the new generation; or -1 and why not, then the kernel decides nothing.
function stages.restaged(message)
  local source = stream.sources[message[2] + 1]
  source.changing = false
  if message[3] >= 0 then
    source.maps = message.fds
    stages.begin(source, message[3])
  else
    source.plan, source.why = nil, message[4]
    map_numbers(source)
    attach_folds(source)
    drain.handle(source.slot, nil, source.schema.pointer, stream.pipeline(source))
  end
end

local RESTAGE_NS = 2e6 -- between two of them; the host takes no more than 600 a second
local restaged_ns = 0

--- Looks whether values that the kernel uses have changed. Numbers are stored; for the rest there
--- are new stages.
function stages.follow_changes()
  for i = 1, #stream.sources do
    local source = stream.sources[i]
    if source.plan and not source.changing then
      local now = engine.monotonic()
      if source.plan.live:changes(source.numbers, now) and now - restaged_ns >= RESTAGE_NS then
        restaged_ns = now
        restage(source)
      end
    end
  end
end

return stages
