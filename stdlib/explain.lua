-- SPDX-License-Identifier: Apache-2.0
--- Explain: prints which part of a script runs where, why, and what it costs.
---
---   syscall
---     hook    tp_btf/sys_enter      215 instructions, 1020 bytes
---     kernel  filter                watch.lua:7    before the rest of the event is captured
---     worker  filter                watch.lua:9    line 10: powers; multiply

local facts = require 'moonprobe.stage.facts'
local job = require 'moonprobe.job'
local json = require 'moonprobe.json'
local measure = require 'moonprobe.measure'
local own = require 'moonprobe.object'
local output = require 'moonprobe.output'
local stream = require 'moonprobe.stream'

local explain = {}

local WIDTH = 100
local hooks = {} -- [source] = { tried, measured_ns, programs }
local started_cpu_ns

--- A probe as this kernel has it: hooks INDEX, measured ns, (section, instructions, bytes, runs, ns)...
function explain.hooks(message)
  local of = { measured_ns = message[3] }
  for i = 4, #message, 5 do
    of[#of + 1] = { section = message[i], instructions = message[i + 1], bytes = message[i + 2],
      runs = message[i + 3], ns = message[i + 4] }
  end
  hooks[stream.sources[message[2] + 1]] = of
end

--- While nothing is attached yet: functions are to be measured.
function explain.prepare()
  measure.calibrate()
  stream.wrap = measure.wrap
end

--- The script runs from now on.
function explain.start()
  started_cpu_ns = measure.cpu_ns()
end

local function share(ns, of_ns) return ns / of_ns * 100 end

local function counted(number)
  local text = ('%.0f'):format(number):reverse():gsub('(%d%d%d)', '%1,'):reverse()
  return (text:gsub('^,', ''))
end

local function costs_of(fact)
  if not job.measure then return nil end
  return measure.of(fact.fn)
end

--- As JSON.

local function json_hook(one, measured_ns)
  local names, values = { 'section', 'instructions', 'bytes' }, { one.section, one.instructions, one.bytes }
  if measured_ns > 0 then
    for name, value in pairs { runs = one.runs, ns = one.ns, cpu_percent = share(one.ns, measured_ns) } do
      names[#names + 1], values[#values + 1] = name, value
    end
  end
  local object = {}
  for i, name in ipairs(names) do object[name] = values[i] end
  return object
end

local function json_function(fact)
  local object = {}
  for name, value in pairs(fact) do
    if name ~= 'fn' and name ~= 'note' then object[name] = value end
  end
  object.calls, object.ns_per_call = costs_of(fact)
  return object
end

local function print_json(source)
  local of = hooks[source]
  local list, functions, stages, outside = {}, {}, {}, {}
  for i, one in ipairs(of) do list[i] = json_hook(one, of.measured_ns) end
  for i, fact in ipairs(facts.functions(source)) do functions[i] = json_function(fact) end
  for i, one in ipairs(facts.stages(source)) do
    stages[i] = { stage = one.stage, instructions = one.count, listing = job.verbose and one.lines or nil }
  end
  for i, one in ipairs(facts.outside(source)) do
    outside[i] = { name = one.name, value = type(one.value) == 'table' and 'table' or one.value, live = one.live }
  end
  output.line(json.object({ 'probe', 'tried', 'refused', 'measured_ns', 'hooks', 'functions', 'stages', 'outside' },
    { source.schema.name, #of > 0, source.why, of.measured_ns > 0 and of.measured_ns or nil, list, functions,
      stages, outside }))
end

--- As text.

local lines = {} -- { first, second, third, last } of the source at hand

local function put(...) lines[#lines + 1] = { ... } end

--- Prints them in columns; the last one on a line of its own when it is long.
local function print_lines()
  local second, third = 0, 0
  for _, one in ipairs(lines) do second, third = math.max(second, #one[2]), math.max(third, #one[3]) end
  local layout = ('  %%-8s  %%-%ds  %%-%ds'):format(math.min(second, 40), math.min(third, 40))
  for _, one in ipairs(lines) do
    local line, last = layout:format(one[1], one[2], one[3]), one[4] or ''
    if #line + 2 + #last > WIDTH and last ~= '' then
      output.line((line:gsub('%s+$', '')))
      line = (' '):rep(12)
    else
      line = line .. '  '
    end
    output.line(((line .. last):gsub('%s+$', '')))
  end
  lines = {}
end

local function print_hook(one, measured_ns)
  local size = ('%d instructions%s'):format(one.instructions,
    one.bytes > 0 and (', %d bytes'):format(one.bytes) or ', not compiled: net.core.bpf_jit_enable is off')
  if measured_ns == 0 then
    put('hook', one.section, size)
    return
  end
  put('hook', one.section, counted(one.runs) .. ' runs', one.runs > 0
    and ('%.0f ns each, %.2f %% of a CPU'):format(one.ns / one.runs, share(one.ns, measured_ns)) or nil)
end

--- 'line 7' of the same file, else 'file:7'.
local function near(at, place)
  local file = place:match '^(.*):%d+$'
  if file and at:sub(1, #file + 1) == file .. ':' then return 'line ' .. at:sub(#file + 2) end
  return at
end

local function what_of(fact)
  local words = { fact.what }
  if fact.field then words[#words + 1] = near(fact.field, fact.place) end
  if fact.by then
    local parts = {}
    for i, part in ipairs(fact.by) do parts[i] = near(part, fact.place) end
    words[#words + 1] = 'by ' .. table.concat(parts, ', ')
  end
  return table.concat(words, ' ')
end

local function print_function(fact)
  local words = {}
  local calls, ns = costs_of(fact)
  if calls and (calls > 0 or fact.runs == 'worker') then
    words[1] = calls == 0 and 'not called' or ('%s calls%s, %.0f ns each'):format(counted(calls),
      fact.runs == 'worker' and '' or ' in the worker', ns)
  end
  if fact.note then words[#words + 1] = fact.note end
  if fact.why then words[#words + 1] = (fact.at and near(fact.at, fact.place) .. ': ' or '') .. fact.why end
  put(fact.runs, what_of(fact), fact.place, table.concat(words, '; '))
end

local function value_text(value)
  if type(value) == 'table' then return 'a table' end
  return type(value) == 'string' and "'" .. output.text(value) .. "'" or output.text(value)
end

local function print_text(source)
  local of = hooks[source]
  output.line(source.schema.name .. (#of > 0 and '' or '  not tried on this kernel'))
  for _, one in ipairs(of) do print_hook(one, of.measured_ns) end
  local functions = facts.functions(source)
  for _, fact in ipairs(functions) do print_function(fact) end
  if #functions == 0 then put('nothing', 'is done with its events', '') end
  for _, one in ipairs(facts.outside(source)) do
    put(one.live and 'live' or 'built in', ('%s = %s'):format(one.name, value_text(one.value)), '',
      one.live and 'a change is one store' or 'a change makes new stages')
  end
  print_lines()
  if source.why then output.line('  refused   ' .. source.why) end
  for _, one in ipairs(facts.stages(source)) do
    output.line(('  stage     %s, %d instructions%s'):format(one.stage, one.count, job.verbose and ':' or ''))
    for _, line in ipairs(job.verbose and one.lines or {}) do output.line('    ' .. line) end
  end
end

--- Prints all of it.
function explain.print()
  output.flush() -- what the script has printed
  output.muted = false
  if #stream.sources == 0 and #own.facts() == 0 and not job.json then output.line(job.name .. ': uses no probe') end
  local measured_ns, events = 0, 0
  for _, source in ipairs(stream.sources) do
    hooks[source] = hooks[source] or { measured_ns = 0 }
    measured_ns = math.max(measured_ns, hooks[source].measured_ns)
    if job.json then print_json(source) else print_text(source) end
    if source.slot then events = events + require('moonprobe.drain').totals(source.slot).received end
  end
  own.explain()
  if measured_ns > 0 then
    local cpu_ns = measure.cpu_ns() - started_cpu_ns
    if job.json then
      output.line(json.object({ 'worker', 'events', 'measured_ns', 'cpu_ns', 'cpu_percent' },
        { job.name, events, measured_ns, cpu_ns, share(cpu_ns, measured_ns) }))
    else
      output.line(('worker\n  %s events in %.1f s, %.2f %% of a CPU'):format(counted(events), measured_ns / 1e9,
        share(cpu_ns, measured_ns)))
    end
  end
  output.flush()
end

return explain
