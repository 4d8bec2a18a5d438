-- SPDX-License-Identifier: Apache-2.0
--- Explain: which function of a script runs where, and why, as `moonprobe explain` prints it.

local bytecode = require 'moonprobe.stage.bytecode'
local job = require 'moonprobe.job'
local json = require 'moonprobe.json'
local listing = require 'moonprobe.stage.listing'
local output = require 'moonprobe.output'

local explain = {}

--- One fact, as a row: probe, what it is, its place, where it runs, why.
local function add(rows, source, what, place, where, why)
  rows[#rows + 1] = { probe = source.schema.name, what = what, place = place, runs = where, why = why }
end

local function because(problem)
  if not problem then return nil end
  if not problem.line or problem.line == 0 then return problem.reason end
  return ('line %d: %s'):format(problem.line, problem.reason)
end

local function parts_of(fold)
  local words = {}
  if fold.value then words[1] = type(fold.value) == 'string' and fold.value or bytecode.place(fold.value) end
  for i, part in ipairs(fold.keys) do
    words[#words + 1] = (i == 1 and 'by ' or '') .. (type(part) == 'string' and part or bytecode.place(part))
  end
  return table.concat(words, ' ')
end

--- The rows of one source. A filter that several sinks share is told once.
local function rows_of(source)
  local rows, told = {}, {}
  local refused = source.why and { reason = source.why } or source.refusal
  for i, sink in ipairs(source.sinks) do
    local one = source.jobs[i]
    for _, fn in ipairs(sink.filters) do
      local place = bytecode.place(fn)
      local early, late = false, false
      for _, filter in ipairs(one.early) do early = early or filter.fn == fn end
      for _, filter in ipairs(one.late) do late = late or filter.fn == fn end
      local in_kernel = source.plan and (early or late)
      local why = in_kernel and (early and 'before the rest is captured' or 'when all is captured')
        or because(refused or one.refusals[fn])
      local key = place .. (in_kernel and 'k' or 'w')
      if not told[key] then add(rows, source, 'filter', place, in_kernel and 'kernel' or 'worker', why) end
      told[key] = true
    end
    if sink.fold then
      local in_kernel = source.plan and one.fold
      add(rows, source, sink.fold.kind.name, parts_of(sink.fold), in_kernel and 'kernel' or 'worker',
        not in_kernel and because(refused or one.fold_refusal or one.refusal) or nil)
    else
      add(rows, source, 'each', bytecode.place(sink.take), 'worker', nil)
    end
  end
  return rows
end

local function print_text(source, rows, hooks)
  output.line(('%s  %s'):format(source.schema.name, hooks))
  for _, row in ipairs(rows) do
    local line = ('  %-6s  %-10s %-32s'):format(row.runs, row.what, row.place)
    if row.why and #line + #row.why > 100 then
      output.line((line:gsub('%s+$', '')))
      line = '          '
    end
    output.line((line .. ' ' .. (row.why or '')):gsub('%s+$', '') .. '')
  end
end

local function print_listing(source)
  for _, stage in ipairs { 'early', 'late' } do
    if source.plan and source.plan[stage] then
      output.line(('  %s stage, %d instructions:'):format(stage, #source.plan[stage]))
      for _, line in ipairs(listing.of(source.plan[stage], source.plan.maps)) do output.line('  ' .. line) end
    end
  end
end

--- Prints what runs where for one source.
---@param source table of stream.sources, after stages.plan()
---@param hooks string how the probe is attached
function explain.print(source, hooks)
  local rows = rows_of(source)
  if job.json then
    for _, row in ipairs(rows) do
      output.line(json.object({ 'probe', 'hooks', 'what', 'place', 'runs', 'why' },
        { row.probe, hooks, row.what, row.place, row.runs, row.why }))
    end
  else
    print_text(source, rows, hooks)
  end
  if job.verbose then print_listing(source) end
end

return explain
