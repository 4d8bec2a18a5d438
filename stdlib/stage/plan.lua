-- SPDX-License-Identifier: Apache-2.0
--- Plan: what of a probe's sinks runs in the kernel, as two stages of instructions and their maps.
---
---   sinks: filters, take, fold?  --plan.make()-->  early, late, maps, and what is left to the worker
---
--- A sink's filters run in the kernel up to the first that cannot be translated: those behind it
--- may rely on it. When all do, and what is folded by which key can be translated, the kernel
--- folds too, and the event needs no ring. Filters that read only what is there early come before
--- the rest is captured.
---
--- The verdict: bits 0 to 6 say which sinks the worker is to serve, bit 7 that it judges these
--- itself. A sink gets a bit when it needs one: when it is the worker's, or may be undecided. When
--- there are too many, those for which none is left share one and are the worker's altogether.

local bit = require 'bit'
local ffi = require 'ffi'
local assembler = require 'moonprobe.stage.assembler'
local bytecode = require 'moonprobe.stage.bytecode'
local changes = require 'moonprobe.stage.changes'
local emit = require 'moonprobe.stage.emit'
local folding = require 'moonprobe.stage.folding'
local live = require 'moonprobe.stage.live'
local paths = require 'moonprobe.stage.paths'
local schema = require 'moonprobe.schema'
local value = require 'moonprobe.stage.value'

jit.off(true, true) -- of this file: see assembler.lua

schema.cdef 'include/plan.h'

local EVENT, FRAME = assembler.EVENT, assembler.FRAME
local VERDICT = 7 -- register
local SCRATCH = 3 -- byte of the record's header that early leaves for late
local UNDECIDED = 0x80
local MOST_BITS, SHARED = 7, 0x40
local MOST_INSTRUCTIONS, MOST_MAPS = 8192, 48 -- of a stage, of a plan: plan.h
local THIS_CPU = 8 -- helper bpf_get_smp_processor_id

local Plan = {}
Plan.__index = Plan

local plan = {}

--- A map of the plan; gives its index. `name`: kept over versions.
function Plan:add_map(kind, key_bytes, value_bytes, max_entries, content, name)
  self.maps[#self.maps + 1] = { kind = kind, key_bytes = key_bytes, value_bytes = value_bytes,
    max_entries = max_entries, content = content or {}, name = name or '' }
  return #self.maps - 1
end

--- The map of a set of keys; equal sets are one.
function Plan:add_set(bytes, keys)
  local signature = bytes .. ' ' .. table.concat(keys)
  if not self.sets[signature] then
    local content = {}
    for i, key in ipairs(keys) do content[i] = { key, '\1' } end
    self.sets[signature] = self:add_map('set', bytes, 1, #keys, content)
  end
  return self.sets[signature]
end

--- The map of live numbers.
function Plan:live_map()
  self.live_index = self.live_index or self:add_map('values', 4, 8, 1)
  return self.live_index
end

local function is_late(of, fields)
  for _, field in ipairs(of.fields) do
    if field.late and fields[field.name] then return true end
  end
  return false
end

--- A filter's graph, made once for all sinks that use it.
function Plan:filter(fn)
  local known = self.filters[fn]
  if known then return known end
  local graph, fields = nil, self.refused[fn]
  if not fields then graph, fields = paths.of(fn, self.schema, self.live, paths.as_filter) end
  local one = { fn = fn, graph = graph }
  if graph then
    one.late = is_late(self.schema, fields)
  else
    one.refusal = fields
  end
  self.filters[fn] = one
  self.filters[#self.filters + 1] = one
  return one
end

local AFTER = { reason = 'it comes after a filter that runs in the worker; put it first' }
local MANY = { reason = ('more than %d handlers and aggregates on one probe; others may be in a script of their own')
  :format(MOST_BITS) }

--- How far a sink's work goes in the kernel.
function Plan:judge(sink)
  local job = { sink = sink, early = {}, late = {}, left = {}, refusals = {} }
  for _, fn in ipairs(sink.filters) do
    local one = self:filter(fn)
    if #job.left > 0 or not one.graph then
      job.left[#job.left + 1] = fn
      job.refusals[fn] = one.refusal or AFTER
      job.refusal = job.refusal or job.refusals[fn]
    elseif one.late or #job.late > 0 then
      job.late[#job.late + 1] = one
    else
      job.early[#job.early + 1] = one
    end
  end
  if sink.fold and #job.left == 0 then
    job.fold_refusal = self.refused[sink.fold]
    if not job.fold_refusal then job.fold, job.fold_refusal = folding.make(self, sink.fold) end
    if job.fold then job.fold_late = #job.late > 0 or is_late(self.schema, job.fold.fields) end
  end
  return job
end

--- A bit of the verdict for a job, when it turns out to need one: those the worker serves, and those
--- that may be undecided. What gets none of its own shares one, and the worker does all of it.
function Plan:bit_of(job)
  if not job.bit then
    self.bits = self.bits + 1
    if self.bits > self.most_bits then error(job, 0) end
    job.bit = 2 ^ (self.bits - 1)
  end
  return job.bit
end

--- Emits the instructions of a filter or a fold; nil: of a handler. Notes whose they are, and where
--- most are.
function Plan:emits(of, code, emit_it)
  local before = #code.list
  self.emitting, self.code = of, code
  emit_it()
  if of and #code.list - before > self.most then self.most, self.largest = #code.list - before, of end
end

--- Emits one stage: for each group of jobs its filters, then what becomes of what passes.
---@param groups { filters: table[], when: fun(code, skip)|nil, jobs: { job, done: fun(one, undecided) }[] }[]
---@param begin fun(code, finish)|nil
---@param ends fun(code) with the verdict in its register
local function emit_stage(self, groups, begin, ends)
  local one = emit.new(self)
  local code = one.code
  local finish = code:label()
  if begin then begin(code, finish) end
  for _, group in ipairs(groups) do
    local skip, undecided = code:label(), code:label()
    if group.when then group.when(code, skip) end
    for _, filter in ipairs(group.filters) do
      local pass = code:label()
      self:emits(filter.fn, code, function()
        one:graph(filter.graph, function(node)
          code:jump(node.leave == 'pass' and pass or skip)
        end, undecided)
      end)
      code:place(pass)
    end
    for _, job in ipairs(group.jobs) do
      local next_job, unsure = code:label(), code:label()
      self:emits(job.job.sink.fold, code, function() job.done(one, unsure) end)
      code:jump(next_job)
      code:place(unsure)
      if code.used[unsure] then code:alu('or', VERDICT, self:bit_of(job.job) + UNDECIDED) end
      code:place(next_job)
    end
    code:jump(skip)
    code:place(undecided)
    if code.used[undecided] then code:alu('or', VERDICT, self:bits_of(group.jobs) + UNDECIDED) end
    code:place(skip)
  end
  code:place(finish)
  ends(code)
  code:exit()
  local head = assembler.new()
  head:alu_register('mov', EVENT, 1)
  if one.cpu_at then
    head:call(THIS_CPU)
    head:store(FRAME, 8, one.cpu_at, 0)
  end
  head:alu('mov', VERDICT, 0)
  code:prepend(head)
  return code:finish()
end

local function give_verdict(code) code:alu_register('mov', 0, VERDICT) end

--- For the worker: says so in the verdict.
local function add_bit(bits)
  return function(one) one.code:alu('or', VERDICT, bits) end
end

--- Jobs with the same filters, which are asked once.
local function grouped(jobs)
  local groups, by_filters = {}, {}
  for _, job in ipairs(jobs) do
    local words = {}
    for _, one in ipairs(job.early) do words[#words + 1] = tostring(one) end
    words[#words + 1] = '/'
    for _, one in ipairs(job.late) do words[#words + 1] = tostring(one) end
    local key = table.concat(words)
    if not by_filters[key] then
      by_filters[key] = { early = job.early, late = job.late, jobs = {} }
      groups[#groups + 1] = by_filters[key]
    end
    table.insert(by_filters[key].jobs, job)
  end
  return groups
end

function Plan:bits_of(list)
  local bits = 0
  for _, one in ipairs(list) do bits = bit.bor(bits, self:bit_of(one.job)) end
  return bits
end

--- The early stage: nil when there is nothing to decide early.
local function emit_early(self, groups)
  local list, needed = {}, false
  for i, group in ipairs(groups) do
    local jobs = {}
    for j, job in ipairs(group.jobs) do
      local folds = job.fold and not job.fold_late
      needed = needed or folds
      jobs[j] = { job = job, done = folds and job.fold.emit or add_bit(self:bit_of(job)) }
    end
    needed = needed or #group.early > 0
    list[i] = { filters = group.early, jobs = jobs }
  end
  if not needed then return nil end
  return emit_stage(self, list, nil, function(code)
    code:store(EVENT, 1, SCRATCH, VERDICT)
    give_verdict(code)
  end)
end

--- The late stage. Jobs that early has dropped, or given to the worker, are left alone.
local function emit_late(self, groups, has_early)
  local list = {}
  for _, group in ipairs(groups) do
    local jobs = {}
    for _, job in ipairs(group.jobs) do
      if not (job.fold and not job.fold_late) then
        jobs[#jobs + 1] = { job = job, done = job.fold and job.fold.emit or add_bit(self:bit_of(job)) }
      end
    end
    if #jobs > 0 then
      list[#list + 1] = { filters = group.late, jobs = jobs,
        when = has_early and #groups > 1 and function(code, skip)
          code:load(2, EVENT, 1, SCRATCH)
          code:alu('and', 2, self:bits_of(jobs))
          code:jump_if('eq', 2, 0, skip)
        end }
    end
  end
  local begin = has_early and function(code, finish)
    code:load(VERDICT, EVENT, 1, SCRATCH)
    code:jump_if('geu', VERDICT, UNDECIDED, finish)
    code:alu('mov', VERDICT, 0)
  end
  return emit_stage(self, list, begin, give_verdict)
end

--- Nothing is left to the kernel: every sink is the worker's, unfiltered.
local function is_idle(jobs)
  for _, job in ipairs(jobs) do
    if #job.early + #job.late > 0 or job.fold then return false end
  end
  return true
end

--- A sink whose work is all the worker's; those share a bit.
local function left_alone(sink)
  local job = { sink = sink, early = {}, late = {}, left = sink.filters, refusals = {}, refusal = MANY,
    fold_refusal = sink.fold and MANY, bit = SHARED }
  for _, fn in ipairs(sink.filters) do job.refusals[fn] = MANY end
  return job
end

--- Notes in `alone` those for which there will be no bit: what the kernel does not fold needs one.
local function share(jobs, alone)
  local serving = {}
  for _, job in ipairs(jobs) do if not job.fold then serving[#serving + 1] = job.sink end end
  for i = MOST_BITS, #serving > MOST_BITS and #serving or 0 do alone[serving[i]] = true end
end

--- One attempt; nil when it has to be made again: a job found no bit left, which is noted in `alone`,
--- or a filter or fold cannot be emitted, which is noted in `refused`.
local function attempt(source, changed, alone, refused)
  local self = setmetatable({ schema = source.schema, sinks = source.sinks, maps = {}, sets = {}, filters = {},
    live = live.new(changed), refused = refused, most = 0,
    bits = 0, most_bits = next(alone) and MOST_BITS - 1 or MOST_BITS }, Plan)
  local jobs = {}
  for i, sink in ipairs(source.sinks) do
    jobs[i] = alone[sink] and left_alone(sink) or self:judge(sink)
  end
  self.jobs = jobs
  if is_idle(jobs) then return self end
  if not next(alone) then
    share(jobs, alone)
    if next(alone) then return nil end
  end
  local ok, problem = pcall(function()
    local groups = grouped(jobs)
    self.early = emit_early(self, groups)
    self.late = emit_late(self, groups, self.early ~= nil)
    if math.max(#(self.early or {}), #self.late) > MOST_INSTRUCTIONS then
      self.emitting = self.largest
      value.refuse('more than %d instructions on one probe, most of them for this; ask less of texts',
        MOST_INSTRUCTIONS)
    elseif #self.maps > MOST_MAPS then
      value.refuse('more than %d maps on one probe; fewer aggregates and tables will do', MOST_MAPS)
    end
  end)
  if ok then return self end
  if type(problem) == 'table' and problem.sink then
    alone[problem.sink] = true
    return nil
  elseif not value.is_refusal(problem) then
    error(problem, 0)
  end
  local where = self.code.where
  if self.late then where = type(self.emitting) == 'function' and bytecode.place(self.emitting) or '' end
  local file, line = where:match('^(.*):(%d+)$')
  problem.file, problem.line = file, tonumber(line)
  refused[self.emitting], self.late = problem, nil
  return nil
end

--- The plan of a source; nil when everything runs in the worker. The jobs tell which function
--- runs where.
---@param source { schema: table, sinks: table[], handlers: table[]|nil, timers: function[]|nil,
---  formats: function[]|nil } of stream.sources; handlers: the sinks of all the script's probes, whose functions
---  may change what a filter uses; timers: functions that may give them other tables; formats: functions that
---  handlers call by adding a row
---@return table|nil plan
---@return table jobs one for each sink
function plan.make(source)
  local changed = changes.of(source.handlers or source.sinks, source.timers, source.formats)
  local alone, refused = {}, {}
  local self = attempt(source, changed, alone, refused)
  while not self do self = attempt(source, changed, alone, refused) end
  self.live.changed = nil -- it holds on to the script's tables, and is asked no more
  if not self.late then return nil, self.jobs end
  if self.live_index then
    local bytes = self.live:bytes()
    local map = self.maps[self.live_index + 1]
    map.value_bytes, map.content = #bytes, { { '\0\0\0\0', bytes } }
  end
  return self, self.jobs
end

local kinds = { values = 1, set = 2, percpu_hash = 3, lru = 4, percpu_array = 5 }

--- The plan as the host takes it (plan.h).
---@return string
function Plan:encode()
  local early, late = self.early or {}, self.late or {}
  local texts, places, text_bytes = { '\0' }, {}, 1 -- a plan that decides nothing names no place, but has a text
  local where = ffi.new('uint32_t[?]', #early + #late + 1)
  local at = 0
  for _, list in ipairs { early, late } do
    for _, one in ipairs(list) do
      if not places[one.where] then
        texts[#texts + 1], places[one.where] = one.where .. '\0', text_bytes
        text_bytes = text_bytes + #one.where + 1
      end
      where[at], at = places[one.where], at + 1
    end
  end
  local maps, content = {}, {}
  for i, map in ipairs(self.maps) do
    local one = ffi.new('struct plan_map', kinds[map.kind], map.key_bytes, map.value_bytes, map.max_entries,
      #map.content)
    ffi.copy(one.name, map.name)
    maps[i] = ffi.string(one, ffi.sizeof(one))
    for _, entry in ipairs(map.content) do content[#content + 1] = entry[1] .. entry[2] end
  end
  content = table.concat(content)
  local rest = table.concat(maps) .. assembler.bytes(early) .. assembler.bytes(late)
    .. ffi.string(where, 4 * at) .. content .. table.concat(texts)
  local head = ffi.new 'struct plan_header'
  head.magic, head.bytes, head.map_count = 0x4e4c504d, ffi.sizeof(head) + #rest, #self.maps
  head.early, head.late, head.content_bytes, head.text_bytes = #early, #late, #content, text_bytes
  return ffi.string(head, ffi.sizeof(head)) .. rest
end

--- A plan that leaves everything to the worker.
---@return string
function plan.nothing()
  return setmetatable({ maps = {} }, Plan):encode()
end

--- For tests: one filter as a plan whose late stage gives 0, 1, or 0x81 (undecided).
---@return table|nil plan
---@return table? reason
function plan.filter(of, fn)
  local all = { name = of.name, fields = {}, readable = of.readable, typed = of.typed }
  for i, field in ipairs(of.fields) do all.fields[i] = setmetatable({ late = true }, { __index = field }) end
  local made, jobs = plan.make { schema = all, sinks = { { filters = { fn }, take = function() end } } }
  if not made then return nil, jobs[1].refusal or { reason = 'nothing to do', file = '?', line = 0 } end
  return { maps = made.maps, late = assembler.bytes(made.late), live = made.live }
end

return plan
