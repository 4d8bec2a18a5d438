-- SPDX-License-Identifier: Apache-2.0
--- stdlib/stream.lua: probes, filters and handlers, and what is said about mistakes. Events are
--- plain tables here: what handlers get is not the stream's affair.
local tap = require 'tap'
local mp = require 'moonprobe'
local stream = require 'moonprobe.stream'

local FILE = debug.getinfo(1, 'S').short_src:gsub('%p', '%%%0')

--- fn raises, and names this file and that line.
local function at(line, fn, pattern, name)
  tap.raises(fn, '^' .. FILE .. ':' .. line .. ': ' .. pattern, name)
end
local function here() return debug.getinfo(2, 'l').currentline end

--- The fields a source captures, in order.
local function captured(one)
  local names = {}
  for name in pairs(one.source.fields) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ' ')
end

--- A new instance: its knobs make it another one than those before.
local instance = 0
local function fresh()
  instance = instance + 1
  return mp.probe('syscall', { only_number = instance })
end

-- Opening.
local exec = mp.probe 'process_exec'
tap.is(mp.probe('process_exec').source, exec.source, 'the same probe is the same instance')
tap.is(mp.probe('process_exec', {}).source, exec.source, 'also with empty knobs')
local failed = mp.probe('process_exec', { failed = 1 })
tap.ok(failed.source ~= exec.source, 'with other knobs it is another one')
tap.is(mp.probe('process_exec', { failed = 1 }).source, failed.source, 'with the same knobs the same')
tap.is(mp.probe('process_exec', { failed = true }).source, failed.source, 'true is 1')
tap.is(mp.probe('process_exec', { failed = false }).source.knobs.failed, 0, 'false is 0')
local knobs = { failed = true }
mp.probe('process_exec', knobs)
tap.is(knobs, { failed = true }, 'the script\'s table is not changed')
tap.is(captured(exec), '', 'nothing is captured that nobody reads')

at(here(), function() mp.probe 'proces_exec' end, "no probe named 'proces_exec'; did you mean 'process_exec'%?",
  'a misspelt probe')
at(here(), function() mp.probe() end, "probe: needs a probe's name", 'no name')
at(here(), function() mp.probe {} end, "probe: needs a probe's name", 'a table as name')
at(here(), function() mp.probe('process_exec', { faild = 1 }) end,
  "probe process_exec has no knob 'faild'; did you mean 'failed'%?", 'a misspelt knob')
at(here(), function() mp.probe('process_exec', { zzzzzz = 1 }) end,
  "probe process_exec has no knob 'zzzzzz'; it has .*failed", 'an unknown knob')
at(here(), function() mp.probe('process_exec', { 5 }) end, "probe process_exec has no knob '1'", 'a list of knobs')
at(here(), function() mp.probe('process_exec', { failed = 'yes' }) end,
  'probe process_exec: knob failed needs a number', 'text for a number')
at(here(), function() mp.probe('process_exec', { failed = {} }) end, 'probe process_exec: knob failed needs a number',
  'a table for a number')

-- What functions read is captured.
local one = fresh()
local narrow = one:where(function(e) return e.pid == 1 and e.result ~= nil end)
tap.is(captured(one), 'pid result', 'what a filter reads')
tap.ok(narrow ~= one and narrow.source == one.source, 'where gives a narrower stream')
tap.is(one:each(function(e) return e.comm end), one, 'each gives the same one')
tap.is(captured(one), 'comm pid result', 'what a handler reads')
one:count('tid')
tap.is(captured(one), 'comm pid result tid', 'what a key needs')
local time = fresh()
time:each(function(e) return e.time end)
tap.is(captured(time), 'time_ns', 'time is made from time_ns')
mp.probe('process_exec'):each(function(e) return e.args end)
tap.is(captured(mp.probe 'process_exec'), 'args args_bytes', 'text brings its length')
local any = fresh()
any:each(function(e) return tostring(e) end)
local all = 0
for _ in pairs(any.source.fields) do all = all + 1 end
tap.is(all, #any.source.schema.fields - 2, 'a handler that may read any field gets all, but slot and generation')

-- Misspelt fields: before anything runs, where they are written.
at(here() + 1, function() one:each(function(e)
  return e.latncy_ns end) end, "syscall has no field 'latncy_ns'; did you mean 'latency_ns'%?", 'in a handler')
at(here() + 2, function()
  one:where(function(e)
    return e.pid == 1 and e.com == 'x' end)
end, "syscall has no field 'com'; did you mean 'comm'%?", 'in a filter')
at(here(), function() one:count('com') end, "syscall has no field 'com'", 'as a key')
at(here(), function() one:count('pid', 'com') end, "syscall has no field 'com'", 'as a second key')
at(here(), function() one:sum('latncy_ns') end, "syscall has no field 'latncy_ns'", 'as a value')
at(here(), function() one:sum('latency_ns', { by = 'com' }) end, "syscall has no field 'com'", 'as the key of a value')
at(here(), function() one:sum('latency_ns', { by = { 'pid', 'com' } }) end, "syscall has no field 'com'",
  'in a list of keys')
at(here(), function() one:count { by = 'pid', note = 'com' } end, "syscall has no field 'com'", 'as a note')
at(here(), function() one:sum(function(e) return e.latncy_ns end) end, "syscall has no field 'latncy_ns'",
  'in a value function')

-- Misuse.
at(here(), function() one:where() end, 'where: needs a function of the event', 'where without a function')
at(here(), function() one:where 'pid == 1' end, 'where: needs a function of the event', 'where with text')
at(here(), function() one:each() end, 'each: needs a function of the event', 'each without a function')
at(here(), function() one:when(true, 5) end, 'when: needs a function of the event', 'when without a function')
at(here(), function() one:wher(print) end, "a stream has no method 'wher'; did you mean 'where'%?", 'a misspelt method')
at(here(), function() one:histogramm('pid') end, "a stream has no method 'histogramm'; did you mean 'histogram'%?",
  'a misspelt aggregate')
at(here(), function() one:zzzzzzzz() end, "a stream has no method 'zzzzzzzz'", 'an unknown method')
at(here(), function() one:sum() end, 'sum: needs a field name or a function', 'an aggregate without its value')
at(here(), function() one:sum(5) end, 'sum: needs a field name or a function', 'a number as value')
at(here(), function() one:count(5) end, 'by: needs field names or functions', 'a number as key')
at(here(), function() one:sum('latency_ns', { by = { {} } }) end, 'by: needs field names or functions',
  'a table as key')
at(here(), function() one:count('args') end, "by: 'args' is a list; .*e%.args%[1%]", 'a list as key')
at(here(), function() one:sum('latency_ns', { bye = 'pid' }) end, "sum: no option 'bye'; did you mean 'by'%?",
  'a misspelt option')
at(here(), function() one:count { max_key = 5 } end, "count: no option 'max_key'; did you mean 'max_keys'%?",
  'one of count')
at(here(), function() one:sum('latency_ns', { 'pid' }) end,
  "sum: no option '1'; it has by, full, kernel, key_names, label", 'a list for options')
at(here(), function() one:count { by = 'pid', key_names = 'process' } end, 'count: key_names: needs a list',
  'names of keys that are no list')
at(here(), function() one:count { full = 'oldest' } end, "count: full: 'refuse' or 'lru'", 'another way to be full')
for _, wrong in ipairs { 0, -1, 1.5, 2 ^ 21, '10', 0 / 0 } do
  at(here(), function() one:count { max_keys = wrong } end, 'count: max_keys: an integer from 1 to 1048576',
    'max_keys: ' .. tostring(wrong))
end

-- Options of one kind.
at(here(), function() one:histogram('latency_ns', { from = 5 }) end, "histogram: no option 'from'", 'of another kind')
at(here(), function() one:linear_histogram('latency_ns', { form = 5 }) end,
  "linear_histogram: no option 'form'; did you mean 'from'%?", 'misspelt')
local bounds = {
  { nil, 'from: needs a number, as in {' }, { { from = 0, to = 9 }, 'step: needs a number' },
  { { from = '0', to = 9, step = 1 }, 'from: needs a number' },
  { { from = 0, to = 1 / 0, step = 1 }, 'to: needs a number' },
  { { from = 9, to = 9, step = 1 }, 'to: must be more than from' },
  { { from = 0, to = 9, step = -1 }, 'step: must be more than 0' },
  { { from = 0, to = 9, step = 2 }, 'step: to %- from must be a multiple of it' },
  { { from = 0, to = 1, step = 2 }, 'step: to %- from must be a multiple of it' },
  { { from = 0, to = 1001, step = 1 }, 'step: more than 1000 steps' },
}
for _, bound in ipairs(bounds) do
  at(here(), function() one:linear_histogram('latency_ns', bound[1]) end, 'linear_histogram: ' .. bound[2], bound[2])
end
tap.ok(one:linear_histogram('latency_ns', { from = 0, to = 0.3, step = 0.1, by = 'comm' }), 'steps of a tenth')
tap.ok(one:linear_histogram('latency_ns', { from = -1000, to = 0, step = 1 }), 'a thousand steps')

-- when.
tap.is(one:when(nil, function(e) return e.pid end), one, 'when nobody asks all pass')
tap.is(one:when(false, function(e) return e.pid end), one, 'also with false')
tap.ok(one:when(true, function(e) return e.pid end) ~= one, 'when asked for it is a filter')

-- Pipelines.
local function run(source, ...)
  local pipeline = stream.pipeline(source)
  for _, event in ipairs { ... } do pipeline(event) end
end
local log
local function log_to(name) return function(e) log[#log + 1] = name .. e.n end end
local function passes(_) return true end
local function even(e) return e.n % 2 == 0 end

local source = { sinks = { { filters = {}, take = log_to 'a' }, { filters = { even }, take = log_to 'b' },
  { filters = { even, function(e) return e.n > 2 end }, take = log_to 'c' } } }
log = {}
run(source, { n = 1 }, { n = 2 }, { n = 4 })
tap.is(table.concat(log, ' '), 'a1 a2 b2 a4 b4 c4', 'every sink in its order, every filter')
log = {}
run({ sinks = {} }, { n = 1 })
tap.is(log, {}, 'no sinks')
log = {}
run({ sinks = { { filters = { function() return nil end }, take = log_to 'nil' },
  { filters = { function() return 0 end }, take = log_to 'zero' } } }, { n = 1 })
tap.is(log, { 'zero1' }, 'what counts as true is as everywhere in Lua')
log = {}
run({ sinks = { { filters = { function() return false end, function() error('asked') end }, take = log_to 'x' } } },
  { n = 1 })
tap.is(log, {}, 'a later filter is not asked when an earlier one refuses')
for _, count in ipairs { 50, 51, 60, 61, 199, 201, 700 } do
  local many = { sinks = {} }
  local sum = 0
  for i = 1, count do many.sinks[i] = { filters = i % 3 == 0 and { passes } or {},
    take = function(e) sum = sum + e.n end } end
  local ok, problem = pcall(run, many, { n = 1 })
  tap.is(ok and sum or problem, count, count .. ' sinks')
end

-- Pipelines behind stages in the kernel: below 128 its filters have passed, up to 255 nothing is
-- decided, from 256 on it is judged by another version's.
local function judged(sinks, jobs, ...)
  log = {}
  local pipeline = stream.pipeline({ sinks = sinks }, jobs)
  for _, event in ipairs { ... } do pipeline({ n = event[1] }, event[2]) end
  return table.concat(log, ' ')
end
local function asked(name, answer)
  return function(e)
    log[#log + 1] = '?' .. name .. e.n
    return answer
  end
end
local yes, no = asked('yes', true), asked('no', false)
local alone = { { filters = { yes }, take = log_to 'a' } }
tap.is(judged(alone, { { left = {}, bit = 1 } }, { 1, 1 }, { 2, 0x81 }, { 3, 255 }, { 4, 256 }),
  'a1 ?yes2 a2 ?yes3 a3 ?yes4 a4', 'one sink: asked again only where the kernel did not decide')
tap.is(judged({ { filters = { no }, take = log_to 'a' } }, { { left = {}, bit = 1 } }, { 1, 1 }, { 2, 0x81 },
  { 3, 256 }), 'a1 ?no2 ?no3', 'and believed where it did')
tap.is(judged({ { filters = { yes, no }, take = log_to 'a' } }, { { left = { no }, bit = 1 } }, { 1, 1 }, { 2, 0x81 }),
  '?no1 ?yes2 ?no2', 'what is left to the worker is asked')
local two = { { filters = { yes }, take = log_to 'a' }, { filters = { yes, even }, take = log_to 'b' } }
local two_jobs = { { left = {}, bit = 1 }, { left = { even }, bit = 2 } }
tap.is(judged(two, two_jobs, { 1, 1 }, { 2, 2 }, { 3, 3 }, { 4, 3 }), 'a1 b2 a3 a4 b4', 'two sinks: each by its bit')
tap.is(judged(two, two_jobs, { 2, 0x81 }, { 4, 0x82 }, { 6, 0x83 }), '?yes2 a2 ?yes4 b4 ?yes6 a6 ?yes6 b6',
  'undecided: those that are concerned')
tap.is(judged(two, two_jobs, { 1, 256 }, { 2, 256 }), '?yes1 a1 ?yes1 ?yes2 a2 ?yes2 b2', 'of another version: all')
local folding = { { filters = { yes }, take = log_to 'fold' }, { filters = {}, take = log_to 'each' } }
folding[1].take = function(e, generation) log[#log + 1] = 'fold' .. e.n .. (generation and ':' .. generation or '') end
local fold_jobs = { { left = {}, bit = 1, fold = {} }, { left = {}, bit = 2 } }
tap.is(judged(folding, fold_jobs, { 1, 2 }, { 2, 0x83 }, { 3, 259 }, { 4, 255 }),
  'each1 ?yes2 fold2 each2 ?yes3 fold3:3 each3 ?yes4 fold4 each4',
  'what the kernel folds is the worker\'s when the kernel could not; of another version it is told which')
fold_jobs[1].bit = nil
tap.is(judged(folding, fold_jobs, { 1, 2 }, { 2, 256 }), 'each1 ?yes2 fold2:0 each2',
  'and only then when it always can')
log = {}
stream.pipeline({ sinks = two }, nil)({ n = 1 }, 256)
tap.is(table.concat(log, ' '), '?yes1 a1 ?yes1', 'without stages the verdict means nothing')
for _, count in ipairs { 7, 25, 40, 55 } do
  local filters, sum = {}, 0
  for i = 1, count do filters[i] = function(e) return e.n > 0 and i > 0 end end
  local many = { sinks = {} }
  local jobs = {}
  for i = 1, 3 do
    many.sinks[i] = { filters = filters, take = function() sum = sum + 1 end }
    jobs[i] = { left = filters, bit = 2 ^ (i - 1) }
  end
  local pipeline = stream.pipeline(many, jobs)
  for _, verdict in ipairs { 1, 7, 0x86, 256 } do pipeline({ n = 1 }, verdict) end
  tap.is(sum, 1 + 3 + 2 + 3, count .. ' filters')
end

-- A stream that splits, as scripts write it.
local split = fresh()
local slow = split:where(function(e) return e.latency_ns > 10 end)
log = {}
split:each(function(e) log[#log + 1] = 'all ' .. e.pid end)
slow:each(function(e) log[#log + 1] = 'slow ' .. e.pid end)
slow:where(function(e) return e.comm == 'x' end):each(function(e) log[#log + 1] = 'slow x ' .. e.pid end)
run(split.source, { pid = 1, latency_ns = 5, comm = 'x' }, { pid = 2, latency_ns = 50, comm = 'y' },
  { pid = 3, latency_ns = 50, comm = 'x' })
tap.is(log, { 'all 1', 'all 2', 'slow 2', 'all 3', 'slow 3', 'slow x 3' }, 'each branch has its own filters')

-- After the script was loaded.
stream.frozen = true
at(here(), function() split:each(function(e) return e.pid end) end, 'each: handlers are added while',
  'no more handlers')
at(here(), function() split:count() end, 'count: aggregates are added while', 'no more aggregates')
at(here(), function() fresh() end, 'probe: all probes are opened while', 'no more probes')
tap.is(mp.probe('process_exec').source, exec.source, 'one that is open can be had')
stream.frozen = nil
tap.done()
