-- SPDX-License-Identifier: Apache-2.0
--- A trial: filters judge the same events in LuaJIT and in the kernel.
---
--- What the kernel decides has to be what Lua says. What it leaves open (bit 7 of the verdict) may
--- be anything, also an error; an error in Lua has to be left open.
---
--- A chunk returns a filter, or sinks: { { filter, filter... }, { filter... }, ... }.

local ffi = require 'ffi'
local bit = require 'bit'
local jit = require 'jit'
local checker = require 'checker'
local events = require 'events'
local judge = require 'judge'
local mutation = require 'mutation'

local trial = {}

local MOST_SECONDS = 5 -- for one translation

local base = { 'assert', 'error', 'getmetatable', 'ipairs', 'next', 'pairs', 'pcall', 'rawequal', 'rawget', 'rawset',
  'select', 'setmetatable', 'tonumber', 'tostring', 'type', 'unpack', 'bit', 'coroutine', 'math', 'string', 'table',
  'os' }

--- Globals as a script has them: an unknown one is an error.
local function globals()
  local env = {}
  for _, name in ipairs(base) do env[name] = _G[name] end
  env.network = require('moonprobe.network').new
  return setmetatable(env, { __index = function(_, name) error("no variable named '" .. tostring(name) .. "'", 2) end })
end

--- What a chunk's text gives; nil when it cannot be compiled or made. Its functions are
--- interpreted: LuaJIT's interpreter is the reference, its compiler has errors of its own.
---@param text string
---@param hot boolean|nil they may become machine code
---@return any
function trial.chunk(text, hot)
  local chunk = loadstring(text, '=made')
  if not chunk then return nil end
  if not hot then jit.off(chunk, true) end
  setfenv(chunk, globals())
  local ok, made = pcall(chunk)
  return ok and made or nil
end

--- The sinks of a chunk's text; nil when there are none.
---@return function[][]|nil
function trial.compile(text, hot)
  local made = trial.chunk(text, hot)
  if type(made) == 'function' then return { { made } } end
  if type(made) ~= 'table' or #made == 0 then return nil end
  for _, filters in ipairs(made) do
    if type(filters) ~= 'table' or #filters == 0 then return nil end
    for i = 1, #filters do if type(filters[i]) ~= 'function' then return nil end end
  end
  return made
end

local REJECT, PASS, ERROR = 0, 1, 2
local NAMES = { [REJECT] = 'rejects', [PASS] = 'passes', [ERROR] = 'raises an error' }

--- All filters in order, until one rejects.
local function judged(filters, event)
  for i = 1, #filters do
    local ok, result = pcall(filters[i], event)
    if not ok then return ERROR end
    if not result then return REJECT end
  end
  return PASS
end

local function answers_of(filters, schema, count)
  local answers = {}
  for i = 0, count - 1 do answers[i] = judged(filters, ffi.cast(schema.pointer, judge.events + i * judge.STRIDE)) end
  return answers
end

local function all_answers(sinks, schema, count)
  local list = {}
  for i, filters in ipairs(sinks) do list[i] = answers_of(filters, schema, count) end
  return list
end

local function show(kernel)
  if bit.band(kernel, 0x80) ~= 0 then return 'leaves it open' end
  return NAMES[kernel] or ('answers 0x%x'):format(kernel)
end

--- Is the reason of a refusal of use to anybody? Where a sink stands is no line's fault.
function trial.check_reason(refusal, text)
  if type(refusal) ~= 'table' or type(refusal.reason) ~= 'string' or refusal.reason == '' then
    return 'refused without a reason'
  end
  local _, lines = text:gsub('\n', '')
  if refusal.line == nil and refusal.file == nil then return nil end -- then it is where the sink is made
  if refusal.reason:find('^it comes after') or refusal.reason:find('^more than %d+') then return nil end
  if type(refusal.line) ~= 'number' or refusal.line < 0 or refusal.line > lines + 1 then
    return ("the reason '%s' is for line %s"):format(refusal.reason, tostring(refusal.line))
  end
  if refusal.file ~= 'made' then
    return ("the reason '%s' is for file '%s'"):format(refusal.reason, tostring(refusal.file))
  end
end

local function handle() end

local function broken(format, ...) return { outcome = 'broken', message = format:format(...) } end

--- Plans sinks. outcome: 'planned', 'refused' or 'broken'.
---@param sinks table[] as stream.lua has them
function trial.plan(text, schema, sinks)
  local assembler = require 'moonprobe.stage.assembler'
  local planner = require 'moonprobe.stage.plan'
  local source = { schema = schema, sinks = sinks }
  local before = os.clock()
  local ok, made, jobs, refused = xpcall(function() return planner.make(source) end, debug.traceback)
  local seconds = os.clock() - before
  if not ok then return broken('the translator raised: %s', made) end
  if seconds > MOST_SECONDS then return broken('translating took %.1f s', seconds) end
  local refusals = { refused }
  for _, job in ipairs(jobs) do refusals[#refusals + 1] = job.refusal or job.fold_refusal end
  for _, refusal in ipairs(refusals) do
    local message = trial.check_reason(refusal, text)
    if message then return broken('%s', message) end
  end
  if not made then
    if not refusals[1] then return broken('no plan, and no reason') end
    return { outcome = 'refused', message = refusals[1].reason, line = refusals[1].line }
  end
  local problem = checker.is_there and checker.refuses(made:encode(), schema.bytes)
  if problem then return broken('the host refuses it: %s', problem) end
  return { outcome = 'planned', jobs = jobs, plan = { maps = made.maps, live = made.live, live_index = made.live_index,
    early = assembler.bytes(made.early or {}), late = assembler.bytes(made.late or {}) } }
end

--- What a record with this verdict does in a worker: of each sink REJECT, PASS, ERROR, or nil when
--- the kernel left it open.
local function decided(kernel, job, event)
  if bit.band(kernel, job.bit or 0) == 0 then return REJECT end
  if bit.band(kernel, 0x80) ~= 0 then return nil end
  return judged(job.left, event)
end

--- Compares the kernel's answers, which lie in judge.answers, with Lua's.
local function compare(report, jobs, schema, count, answers)
  for i = 0, count - 1 do
    local kernel = judge.answers[i]
    if kernel > 255 and report.outcome == 'same' then
      report.outcome, report.at, report.message = 'differs', i, ('the kernel answers 0x%x'):format(kernel)
    end
    for k, job in ipairs(jobs) do
      local lua = answers[k][i]
      local mine = decided(kernel, job, ffi.cast(schema.pointer, judge.events + i * judge.STRIDE))
      if lua == ERROR then report.errors = report.errors + 1 end
      if lua == PASS then report.passed = report.passed + 1 end
      if mine == nil then
        report.open = report.open + 1
      elseif mine ~= lua and report.outcome == 'same' then
        report.outcome, report.at = 'differs', i
        report.message = ('Lua %s, the kernel %s'):format(NAMES[lua], show(kernel))
        if #jobs > 1 then report.message = ('sink %d: %s'):format(k, report.message) end
      end
    end
  end
end

--- What early sees: of fields that are filled later, what another event has.
function trial.make_early(schema)
  ffi.copy(judge.early, judge.events, judge.COUNT * judge.STRIDE)
  for _, field in ipairs(schema.fields) do
    if field.late then
      for i = 0, judge.COUNT - 1 do
        local other = (i + 7) % judge.COUNT * judge.STRIDE
        ffi.copy(judge.early + i * judge.STRIDE + field.offset, judge.events + other + field.offset, field.bytes)
      end
    end
  end
end

--- One plan's program on the events; adds to the report.
local function judge_once(one, planned, sinks, report, schema, count, reference)
  local result, message = one.run(count)
  if not result then
    report.outcome, report.message = 'unloadable', message
    return
  end
  report.asked = report.asked + count * #sinks
  compare(report, planned.jobs, schema, count, reference)
end

local function load(planned, schema, options)
  local one, message = judge.load(planned.plan, schema.bytes, options.on_stack)
  if not one then return nil, { outcome = 'unloadable', message = message, plan = planned.plan } end
  return one
end

local now = 0

--- Changes values from outside some times: the numbers in the kernel follow, or a new plan does.
local function follow_changes(one, planned, text, schema, list, sinks, report, options)
  local functions, count = {}, options.count or judge.COUNT
  for _, filters in ipairs(sinks) do
    for _, fn in ipairs(filters) do functions[#functions + 1] = fn end
  end
  math.randomseed(options.mutate)
  for _ = 1, 4 do
    if report.outcome ~= 'same' or not mutation.apply(functions) then break end
    local plan = planned.plan
    local numbers = plan.live_index and ffi.cast('int64_t *', one.memory[plan.live_index + 1]) or nil
    now = now + 1e9
    if plan.live:changes(numbers, now) then
      one.close()
      planned = trial.plan(text, schema, list)
      if planned.outcome ~= 'planned' then return nil, planned end
      local problem
      one, problem = load(planned, schema, options)
      if not one then return nil, problem end
    end
    local after = { outcome = 'same', open = 0, errors = 0, passed = 0, asked = 0 }
    judge_once(one, planned, sinks, after, schema, count, all_answers(sinks, schema, count))
    report.asked_again = report.asked_again + after.asked
    if after.outcome ~= 'same' then
      report.outcome, report.at, report.message = after.outcome, after.at, 'after a change: ' .. after.message
    end
  end
  return one
end

--- Runs a chunk's filters on the events that lie in judge.events.
---   outcome    'same', 'refused', 'differs', 'unloadable', 'broken' or 'invalid' (no function)
---   message    why
---   open       how many questions (events times sinks) the kernel left open, of `asked`;
---              asked_again: after changes
---   errors, passed   in how many Lua raised, or gave true
---   at         number of the first event with a difference
---@param text string
---@param schema table
---@param options { count, on_stack, compiled, hot, mutate, change = fun(plan) }
---@return table result
function trial.run(text, schema, options)
  local count = options.count or judge.COUNT
  local sinks = trial.compile(text, options.hot)
  if not sinks then return { outcome = 'invalid' } end
  if options.hot then all_answers(sinks, schema, count) end
  local list = {}
  for i, filters in ipairs(sinks) do list[i] = { filters = filters, take = handle } end
  local planned = trial.plan(text, schema, list)
  if planned.outcome ~= 'planned' then return planned end
  if options.change then options.change(planned.plan) end
  local one, problem = load(planned, schema, options)
  if not one then return problem end
  trial.make_early(schema)
  local report = { outcome = 'same', open = 0, errors = 0, passed = 0, plan = planned.plan, asked = 0, asked_again = 0 }
  local answers = all_answers(options.hot and trial.compile(text) or sinks, schema, count)
  judge_once(one, planned, sinks, report, schema, count, answers)
  if options.mutate and report.outcome == 'same' then
    one, problem = follow_changes(one, planned, text, schema, list, sinks, report, options)
    -- A refusal is as good as a plan: then the worker judges.
    if problem and problem.outcome ~= 'refused' then return problem end
  end
  if one then one.close() end
  if options.compiled and report.outcome == 'same' then
    local again = trial.compile(text, true)
    all_answers(again, schema, count) -- now they are machine code
    again = all_answers(again, schema, count)
    for k in ipairs(sinks) do
      for i = 0, count - 1 do
        if again[k][i] ~= answers[k][i] then
          report.compiler_at = i
          report.compiler = ('interpreted it %s, compiled it %s'):format(NAMES[answers[k][i]], NAMES[again[k][i]])
        end
      end
    end
  end
  return report
end

--- The event at a place as a table: what differs from zero, as a case has it.
function trial.event(schema, at)
  local event, base_of = {}, judge.events + at * judge.STRIDE
  for _, field in ipairs(schema.fields) do
    if not events.is_zero(base_of, field) then event[field.name] = events.get(base_of, field) end
  end
  return event
end

--- Puts events given as tables at the start; the others are zero.
function trial.put(schema, list)
  ffi.fill(judge.events, judge.COUNT * judge.STRIDE)
  for i, event in ipairs(list) do
    local at = judge.events + (i - 1) * judge.STRIDE
    for _, field in ipairs(schema.fields) do
      if event[field.name] ~= nil then events.put(at, field, event[field.name]) end
    end
  end
end

return trial
