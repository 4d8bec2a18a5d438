-- SPDX-License-Identifier: Apache-2.0
--- Counting: one aggregate over the same events in LuaJIT alone, and in the kernel with LuaJIT for
--- what the kernel leaves open.
---
--- A chunk returns a function that adds an aggregate to a probe:
---
---   return function(p, name) return p:where(filter):count { by = { key, 'comm' }, name = name } end

local ffi = require 'ffi'
local bit = require 'bit'
local judge = require 'judge'
local trial = require 'trial'

local counting = {}

local function possible_cpus()
  local file = assert(io.open '/sys/devices/system/cpu/possible')
  local text = file:read('*a')
  file:close()
  return tonumber(text:match('(%d+)%s*$')) + 1
end

local cpus

--- The aggregate of a chunk on a probe without others: { sink, made }; nil and why not.
local function add(make, schema)
  local probe = require('moonprobe.stream').open(schema.name)
  probe.source.sinks, probe.source.fields = {}, {}
  local ok, made = pcall(make, probe, 'counted')
  if not ok or type(made) ~= 'table' then return nil, made end
  return { sink = probe.source.sinks[1], made = made }
end

local function event_at(schema, i) return ffi.cast(schema.pointer, judge.events + i * judge.STRIDE) end

--- What the worker does with an event it is given: errors end with it.
local function take(sink, event)
  return pcall(function()
    for _, filter in ipairs(sink.filters) do if not filter(event) then return end end
    sink.take(event)
  end)
end

--- The largest number that is added up: what Lua may lose of a sum is a part of it. nil when there
--- are values that are no numbers (0 / 0): what becomes of those depends on their order.
local function largest_value(sink, schema, count)
  local value, most = sink.fold.value, 0
  for i = 0, value and count - 1 or -1 do
    local event = event_at(schema, i)
    local ok, result = pcall(function()
      return math.abs(tonumber(type(value) == 'string' and event[value] or value(event)))
    end)
    if ok and result ~= result then return nil end
    if ok then most = math.max(most, result) end
  end
  return most
end

--- The same but for rounding: the kernel adds integers, Lua doubles.
local function near(a, b, slack)
  if type(a) == 'table' and type(b) == 'table' then
    for key, value in pairs(a) do if not near(value, b[key], slack) then return false end end
    for key in pairs(b) do if a[key] == nil then return false end end
    return true
  elseif type(a) == 'number' and type(b) == 'number' then
    return a == b or a ~= a and b ~= b or math.abs(a - b) <= slack + 1e-12 * math.max(math.abs(a), math.abs(b))
  end
  return a == b
end

local function by_key(made)
  local rows, texts = {}, {}
  for _, row in ipairs(made:rows()) do
    local key = type(row.key) .. ' ' .. (type(row.key) == 'number' and '%.17g' or '%s'):format(row.key)
    rows[key] = { value = row.value, note = row.note }
    texts[#texts + 1] = key
  end
  table.sort(texts)
  return rows, texts
end

local function show(value)
  if type(value) ~= 'table' then return tostring(value) end
  local names, parts = {}, {}
  for name in pairs(value) do names[#names + 1] = tostring(name) end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = name .. '=' .. show(value[tonumber(name) or name]) end
  return '{' .. table.concat(parts, ' ') .. '}'
end

--- Is the key made of fields? Then each key is one cell, and its note that of the first event.
local function by_fields(sink)
  for _, part in ipairs(sink.fold.keys) do if type(part) ~= 'string' then return false end end
  return #sink.fold.keys > 0
end

--- The first difference of two aggregates, as a sentence; nil: they are alike.
local function difference(kernel, lua, slack, notes)
  local mine, my_keys = by_key(kernel)
  local theirs, their_keys = by_key(lua)
  for _, key in ipairs(their_keys) do
    if not mine[key] then
      return ("key '%s' is not in the kernel's; it refused %d events"):format(key, kernel.overflow)
    end
    if not near(mine[key].value, theirs[key].value, slack) then
      return ("key '%s': in Lua %s, in the kernel %s"):format(key, show(theirs[key].value), show(mine[key].value))
    end
  end
  for _, key in ipairs(notes and their_keys or {}) do
    if mine[key].note ~= theirs[key].note then
      return ("note of '%s': in Lua %s, in the kernel %s"):format(key, show(theirs[key].note), show(mine[key].note))
    end
  end
  for _, key in ipairs(my_keys) do
    if not theirs[key] then return ("key '%s' is in the kernel's only"):format(key) end
  end
  if kernel.overflow ~= lua.overflow then
    return ('refused: in Lua %d, in the kernel %d'):format(lua.overflow, kernel.overflow)
  end
end

--- What the kernel has not counted is the worker's; how many that were.
local function judge_rest(one, job, schema, count)
  local open = 0
  for i = 0, count - 1 do
    local kernel = judge.answers[i]
    if kernel ~= 0 and (kernel > 255 or bit.band(kernel, job.bit or 0) == 0 or kernel < 0x80) then
      return nil, ('the kernel answers 0x%x'):format(kernel)
    end
    if kernel ~= 0 then
      open = open + 1
      take(one.sink, event_at(schema, i))
    end
  end
  return open
end

--- Runs a chunk's aggregate on the events that lie in judge.events, twice with a clear between.
--- The result is as that of trial.run().
---@param text string
---@param schema table
---@param options { count, on_stack }
---@return table result
function counting.run(text, schema, options)
  local count = options.count or judge.COUNT
  local make = trial.chunk(text)
  if type(make) ~= 'function' then return { outcome = 'invalid' } end
  local kernel, problem = add(make, schema)
  local lua = kernel and add(make, schema)
  if not lua then return { outcome = 'invalid', message = problem } end
  local planned = trial.plan(text, schema, { kernel.sink })
  if planned.outcome ~= 'planned' then return planned end
  local plan, job = planned.plan, planned.jobs[1]
  if not job.fold then
    local refusal = job.fold_refusal or job.refusal
    local message = trial.check_reason(refusal, text)
    if message then return { outcome = 'broken', message = message } end
    return { outcome = 'refused', message = refusal.reason, line = refusal.line }
  end
  local one, message = judge.load(plan, schema.bytes, options.on_stack)
  if not one then return { outcome = 'unloadable', message = message, plan = plan } end
  trial.make_early(schema)
  local folding = require 'moonprobe.stage.folding'
  cpus = cpus or possible_cpus()
  kernel.made:attach_kernel(folding.reader(job.fold, folding.maps(job.fold, one.fds), cpus))
  local largest = largest_value(lua.sink, schema, count)
  local report = { outcome = 'same', open = 0, errors = 0, passed = 0, plan = plan, asked = 2 * count }
  for round = 1, 2 do
    local result
    result, message = one.run(count)
    if not result then
      report.outcome, report.message = 'unloadable', message
      break
    end
    for i = 0, count - 1 do
      if not take(lua.sink, event_at(schema, i)) then report.errors = report.errors + 1 end
    end
    local open
    open, message = judge_rest(kernel, job, schema, count)
    message = message or largest and difference(kernel.made, lua.made, largest * count * 2 ^ -51,
      open == 0 and by_fields(lua.sink))
    if message then
      report.outcome = 'differs'
      report.message = round == 1 and message or 'after a clear: ' .. message
      break
    end
    report.open = report.open + open
    report.passed = report.passed + #lua.made:rows()
    kernel.made:clear()
    lua.made:clear()
  end
  kernel.made.kernel.maps:close()
  kernel.made.kernel = nil
  one.close()
  return report
end

return counting
