-- SPDX-License-Identifier: Apache-2.0
--- Campaign: many random functions, many random events each, and what came of it.

local ffi = require 'ffi'
local counting = require 'counting'
local events = require 'events'
local generate = require 'generate'
local judge = require 'judge'
local shrink = require 'shrink'
local tree = require 'tree'
local trial = require 'trial'

local campaign = {}

local LAYOUTS = 5
local MOST_ON_STACK = 384 -- the rest of its 512 bytes is for the function
local MOST_BESIDE_KEYS = 256 -- an aggregate has its keys there
local MOST_SHOWN = 10 -- failures that are shrunk

local function tally(into, name)
  into[name] = into[name] or { functions = 0, planned = 0, refused = 0, pairs = 0, open = 0, errors = 0, split = 0 }
  return into[name]
end

local function add(to, result)
  to.functions = to.functions + 1
  if result.outcome == 'refused' then
    to.refused = to.refused + 1
  elseif result.outcome == 'same' then
    to.planned = to.planned + 1
    to.pairs = to.pairs + result.asked
    to.open = to.open + result.open
    to.errors = to.errors + result.errors
    if result.passed > 0 and result.passed < result.asked then to.split = to.split + 1 end
  end
end

local FAILURES = { differs = true, unloadable = true, broken = true }

--- The function, layout and events of a number in a campaign. The events lie in judge.events.
---@param seed integer
---@param wanted string|nil a profile
function campaign.prepare(seed, wanted)
  local layout = seed % LAYOUTS + 1
  local schema = events.layout(layout)
  local made
  if wanted == 'aggregate' or not wanted and seed % 8 == 6 then
    made = generate.aggregate(seed)
  elseif wanted == 'sinks' or not wanted and seed % 8 == 3 then
    made = generate.sinks(seed)
  else
    made = generate.one(seed, wanted)
  end
  local used = {}
  for _, field in ipairs(schema.fields) do
    if made.used[field.name] then used[#used + 1] = field end
  end
  events.fill(judge.events, schema, judge.COUNT, judge.STRIDE, used, made.pool, judge.cpu)
  local most = made.is_aggregate and MOST_BESIDE_KEYS or MOST_ON_STACK
  local on_stack = seed % 2 == 0 and schema.bytes <= most
  local mutate = seed % 4 == 0 and seed or nil
  return made, schema, { hot = seed % 16 == 5, mutate = mutate, on_stack = on_stack, layout = layout }
end

--- The lowest byte of the stack that instructions touch.
local function stack_of(late)
  local code, depth = ffi.cast('const struct judge_instruction *', late), 0
  for i = 0, #late / 8 - 1 do
    local class, registers = code[i].code % 8, code[i].registers
    local base = class == 1 and math.floor(registers / 16) or (class == 2 or class == 3) and registers % 16
    if base == 10 then depth = math.max(depth, -code[i].off) end
    if class == 7 and code[i].code == 0x07 and code[i].imm < 0 and code[i].imm > -512 then
      depth = math.max(depth, -code[i].imm)
    end
  end
  return depth
end

--- Runs functions first, first + 1, ... until there are `pairs` pairs of a function and an event
--- that the kernel judged, or `seconds` have passed.
---@param options { first, pairs, seconds, profile, compiled, progress = fun(campaign) }
---@return table campaign
function campaign.run(options)
  local self = { pairs = 0, functions = 0, invalid = 0, profiles = {}, constructs = {}, reasons = {}, failures = {},
    failed = 0, compiler = {}, most_stack = 0, most_instructions = 0 }
  local ends = os.time() + (options.seconds or 1e9)
  local seed = options.first
  while self.pairs < options.pairs and os.time() < ends do
    local made, schema, how = campaign.prepare(seed, options.profile)
    how.compiled = options.compiled
    local text = tree.text(made.tree)
    local result = (made.is_aggregate and counting or trial).run(text, schema, how)
    if result.outcome == 'invalid' then
      self.invalid = self.invalid + 1
    else
      self.functions = self.functions + 1
      add(tally(self.profiles, made.profile), result)
      for name in pairs(made.tags) do add(tally(self.constructs, name), result) end
    end
    if result.outcome == 'same' then self.pairs = self.pairs + result.asked + (result.asked_again or 0) end
    if result.outcome == 'refused' then
      local reason = result.message:gsub("'[^']*'", "'..'"):gsub('%d[%d.e+]*', 'N')
      local known = self.reasons[reason] or { count = 0, profiles = {}, text = text, line = result.line }
      known.count = known.count + 1
      known.profiles[made.profile] = (known.profiles[made.profile] or 0) + 1
      if #text < #known.text then known.text, known.line = text, result.line end
      self.reasons[reason] = known
    end
    if result.compiler then
      self.compiler[#self.compiler + 1] = { seed = seed, text = text, message = result.compiler,
        event = trial.event(schema, result.compiler_at) }
    end
    if result.plan then
      for _, stage in ipairs { result.plan.early, result.plan.late } do
        self.most_stack = math.max(self.most_stack, stack_of(stage))
        self.most_instructions = math.max(self.most_instructions, #stage / 8)
      end
    end
    if FAILURES[result.outcome] then
      self.failed = self.failed + 1
      if #self.failures < MOST_SHOWN then
        local small, event, final = shrink.run(made, schema, how, result)
        self.failures[#self.failures + 1] = { seed = seed, outcome = result.outcome, message = final.message,
          first_message = result.message, case = shrink.case(small, how.layout, how.on_stack, event), text = text }
      end
      self.pairs = self.pairs + judge.COUNT -- a campaign of failures only ends too
    end
    seed = seed + 1
    if options.progress then options.progress(self) end
  end
  self.last = seed - 1
  return self
end

local function sorted(of)
  local names = {}
  for name in pairs(of) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function table_of(title, of, write)
  write(('%-16s %9s %8s %8s %10s %8s %7s %6s'):format(title, 'functions', 'planned', 'refused', 'pairs', 'open',
    'errors', 'split'))
  for _, name in ipairs(sorted(of)) do
    local one = of[name]
    write(('%-16s %9d %7.1f%% %8d %10d %7.2f%% %7d %6d'):format(name, one.functions,
      100 * one.planned / math.max(1, one.functions), one.refused, one.pairs, 100 * one.open / math.max(1, one.pairs),
      one.errors, one.split))
  end
end

--- What came of it, as lines.
---@param write fun(line: string)
---@param reasons boolean with why functions were refused
function campaign.report(self, write, reasons)
  write(('%d functions, %d pairs, %d failures; at most %d instructions, %d bytes of stack'):format(self.functions,
    self.pairs, self.failed, self.most_instructions, self.most_stack))
  table_of('profile', self.profiles, write)
  table_of('construct', self.constructs, write)
  if reasons then
    local list = sorted(self.reasons)
    table.sort(list, function(a, b)
      if self.reasons[a].count ~= self.reasons[b].count then return self.reasons[a].count > self.reasons[b].count end
      return a < b
    end)
    for _, reason in ipairs(list) do
      local one, where = self.reasons[reason], {}
      for _, profile in ipairs(sorted(one.profiles)) do where[#where + 1] = profile .. ' ' .. one.profiles[profile] end
      write(('refused %6d: %s (%s)'):format(one.count, reason, table.concat(where, ', ')))
    end
  end
end

--- A failure as text.
function campaign.describe(failure)
  return ('function %d: %s: %s\n%s'):format(failure.seed, failure.outcome, failure.message or '', failure.case)
end

return campaign
