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
local plan = require 'moonprobe.stage.plan'
local stream = require 'moonprobe.stream'

local stages = {}

local numbers_pointer = ffi.typeof 'int64_t *'

--- What is wrong with a sink that must run in the kernel and cannot; nil: nothing.
local function missed(source, jobs, why)
  for i, sink in ipairs(source.sinks) do
    local one = jobs[i]
    local problem = why or one.refusal or sink.fold and one.fold_refusal
    if sink.kernel and problem then
      local at = problem.line and problem.line > 0 and ('%s:%d'):format(problem.file, problem.line) or sink.place
      return ('%s: cannot run in the kernel: %s'):format(at, problem.reason)
    end
  end
end

--- Makes a source's plan: source.plan (nil when all runs in the worker) and source.jobs.
---@return string|nil problem something that must run in the kernel cannot
function stages.plan(source)
  local made, jobs, refused = plan.make(source)
  source.plan, source.jobs = made, jobs
  source.refusal = refused and refused.refusal
  return missed(source, jobs, source.refusal)
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

--- The mapped array of the plan's live numbers; nil when it has none.
local function live_numbers(source)
  local index = source.plan.live_index
  if not index then return nil end
  return ffi.cast(numbers_pointer, assert(engine.map(source.maps[index + 1], 8 * #source.plan.live.numbers)))
end

--- Aggregates read what the kernel has folded from now on.
local function attach_folds(source)
  for i, sink in ipairs(source.sinks) do
    local fold = source.plan and source.jobs[i].fold
    if fold and fold.name ~= sink.fold.attached then
      sink.fold.made:attach_kernel(folding.reader(fold, source.maps, job.cpus))
      sink.fold.attached = fold.name
    end
  end
end

--- Events of this generation go to the sinks by the verdict of its stages.
---@param source table
---@param generation integer
function stages.begin(source, generation)
  source.numbers = source.plan and live_numbers(source)
  attach_folds(source)
  drain.handle(source.slot, generation, source.schema.pointer,
    stream.pipeline(source, source.plan and source.jobs or nil))
end

local function restage(source)
  local problem = stages.plan(source)
  if problem and not source.told then host.report('%s; from now on the worker does it', problem) end
  source.told = source.told or problem
  local words = {}
  for name in pairs(source.fields) do
    words[#words + 1], words[#words + 2] = 'field', name
  end
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
    drain.handle(source.slot, nil, source.schema.pointer, stream.pipeline(source))
  end
end

--- Looks whether values that the kernel uses have changed. Numbers are stored; for the rest there
--- are new stages.
function stages.follow_changes()
  for i = 1, #stream.sources do
    local source = stream.sources[i]
    if source.plan and not source.changing and source.plan.live:changes(source.numbers, engine.monotonic()) then
      restage(source)
    end
  end
end

return stages
