-- SPDX-License-Identifier: Apache-2.0
--- Facts: what of a source's functions runs where, and why, for stdlib/explain.lua.

local bytecode = require 'moonprobe.stage.bytecode'
local listing = require 'moonprobe.stage.listing'

local facts = {}

--- Where a problem is, when that is known.
local function place_of(problem)
  return problem.line and problem.line > 0 and ('%s:%d'):format(problem.file, problem.line) or nil
end

local function names_of(parts)
  local names = {}
  for i, part in ipairs(parts) do names[i] = type(part) == 'string' and part or bytecode.place(part) end
  return names
end

local notes = { early = 'before the rest is captured', late = 'when all is captured' }

local function has(list, fn)
  for _, filter in ipairs(list) do if filter.fn == fn then return true end end
  return false
end

local function filter_fact(job, fn, refused)
  local fact = { what = 'filter', place = bytecode.place(fn), fn = fn, runs = 'worker' }
  local early, late = has(job.early, fn), has(job.late, fn)
  if not refused and (early or late) then
    fact.runs, fact.stage = 'kernel', early and 'early' or 'late'
    fact.note = notes[fact.stage]
    return fact
  end
  local problem = job.refusals[fn] or refused
  if problem then fact.why, fact.at = problem.reason, place_of(problem) end
  return fact
end

local BEHIND = { reason = 'a filter before it runs in the worker' }

local function fold_fact(job, sink, refused)
  local fold = sink.fold
  local fact = { what = fold.kind.name, place = sink.place or '?', fn = sink.take, runs = 'worker',
    field = fold.value and names_of { fold.value }[1], by = #fold.keys > 0 and names_of(fold.keys) or nil }
  if not refused and job.fold then
    fact.runs, fact.stage = 'kernel', job.fold_late and 'late' or 'early'
    fact.note = notes[fact.stage]
    return fact
  end
  local problem = job.fold_refusal or job.refusal and BEHIND or refused
  if problem then fact.why, fact.at = problem.reason, place_of(problem) end
  return fact
end

--- Filters, handlers and aggregates of a source, in the order of the script; a filter that
--- several share is told once, unless it runs here for one and there for another.
---@param source table of stream.sources, after stages.plan()
---@return { what: string, place: string, runs: string, stage: string|nil, note: string|nil,
---  why: string|nil, at: string|nil, field: string|nil, by: string[]|nil, fn: function }[]
function facts.functions(source)
  local refused = source.why and { reason = 'refused, see below' }
  local list, told = {}, {}
  for i, sink in ipairs(source.sinks) do
    local job = source.jobs[i]
    for _, fn in ipairs(sink.filters) do
      local fact = filter_fact(job, fn, refused)
      told[fn] = told[fn] or {}
      if not told[fn][fact.runs] then list[#list + 1] = fact end
      told[fn][fact.runs] = true
    end
    list[#list + 1] = sink.fold and fold_fact(job, sink, refused)
      or { what = 'each', place = bytecode.place(sink.take), fn = sink.take, runs = 'worker' }
  end
  return list
end

--- The instructions of both stages: { stage, count, lines }, also of those the host refused.
function facts.stages(source)
  local plan, list = source.plan or source.refused_plan, {}
  for _, stage in ipairs { 'early', 'late' } do
    if plan and plan[stage] then
      list[#list + 1] = { stage = stage, count = #plan[stage], lines = listing.of(plan[stage], plan.maps) }
    end
  end
  return list
end

--- What the kernel's part uses from outside: { name, value, live }. A live one is changed by a
--- store; to change another makes new stages.
function facts.outside(source)
  return source.plan and source.plan.live:report() or {}
end

return facts
