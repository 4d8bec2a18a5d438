-- SPDX-License-Identifier: Apache-2.0
--- stdlib/stage/plan.lua and live.lua: what runs early, late, or in the worker, whose verdict it is,
--- what is watched, and the plan's bytes, as plan.h has them.
local tap = require 'tap'
local ffi = require 'ffi'
local bit = require 'bit'
local engine = require 'moonprobe.engine'
local invented = require 'invented'
local machine = require 'machine'
local plan = require 'moonprobe.stage.plan'
local translated = require 'translated'

local function take() end

--- A source with these lists of filters, a handler each.
local function source_of(...)
  local source = { schema = invented.schema, sinks = {} }
  for i, filters in ipairs { ... } do source.sinks[i] = { filters = filters, take = take } end
  return source
end

local function early(e) return e.pid == 1 end
local function late(e) return e.comm == 'cat' end
local function refused(e) return tostring(e.pid) == '1' end
local function raises(e) return e.flag + 1 == 2 end

--- Which functions of a job run where, by their names.
local names = { [early] = 'early', [late] = 'late', [refused] = 'refused', [raises] = 'raises' }
local function split(job)
  local function told(list)
    local words = {}
    for i, one in ipairs(list) do words[i] = names[type(one) == 'table' and one.fn or one] or '?' end
    return table.concat(words, ' ')
  end
  return { told(job.early), told(job.late), told(job.left) }
end
local function split_of(...)
  local _, jobs = plan.make(source_of { ... })
  return split(jobs[1])
end

-- Early, late, left.
tap.is(split_of(early), { 'early', '', '' }, 'what needs early fields is asked early')
tap.is(split_of(late), { '', 'late', '' }, 'what needs a late one, late')
tap.is(split_of(early, late), { 'early', 'late', '' }, 'one after the other')
tap.is(split_of(late, early), { '', 'late early', '' }, 'in the order of the script: behind a late one all are late')
tap.is(split_of(early, refused, late), { 'early', '', 'refused late' }, "behind one of the worker's all are")
tap.is(split_of(refused, early), { '', '', 'refused early' }, 'none may run before it')
local made, jobs = plan.make(source_of { refused })
tap.is(made, nil, 'nothing to do for the kernel: no plan')
tap.like(jobs[1].refusal.reason, 'library', 'and why')
tap.is(jobs[1].refusal.line, debug.getinfo(refused, 'S').linedefined, 'and where')
tap.is(plan.make(source_of {}), nil, 'no filters: no plan')
tap.is(plan.make { schema = invented.schema, sinks = {} }, nil, 'no sinks, either')
made, jobs = plan.make(source_of { early, refused, late })
tap.like(jobs[1].refusals[late].reason, 'put it first', 'what to do about one that comes too late')
tap.ok(made.early and #made.early > 2, 'its first filter is the kernel\'s')
tap.is(plan.make(source_of { late }).early, nil, 'no early stage when nothing is decided early')
tap.is({ jobs[1].refusals[refused] == jobs[1].refusal, jobs[1].refusals[early] }, { true, nil }, 'reasons by function')

-- Verdicts.
local function verdicts(source, events)
  local one, sinks = plan.make(source)
  local stage, list = machine.load(one), {}
  for i, event in ipairs(events) do list[i] = translated.verdict(stage, event) end
  return list, sinks
end
local function event(values)
  values.cpu = machine.CPU
  return invented.event(values)
end
local neither, first, second, both = event {}, event { pid = 1 }, event { comm = 'cat' }, event { pid = 1,
  comm = 'cat' }
local four = { neither, first, second, both }

tap.is((verdicts(source_of { early }, four)), { 0, 1, 0, 1 }, 'one sink')
tap.is((verdicts(source_of { early, late }, four)), { 0, 0, 0, 1 }, 'two filters')
tap.is((verdicts(source_of({ early }, { late }), four)), { 0, 1, 2, 3 }, 'two sinks: a bit each')
tap.is((verdicts(source_of({ early }, {}), four)), { 2, 3, 2, 3 }, 'one without filters')
tap.is((verdicts(source_of({ early }, { refused }), four)), { 2, 3, 2, 3 }, 'one that is the worker\'s')
tap.is((verdicts(source_of({ early, raises }), four)), { 0, 0x81, 0, 0x81 }, 'one that raises is not decided')
tap.is((verdicts(source_of({ early, raises }, { late }), four)), { 0, 0x83, 2, 0x83 },
  'undecided early: what comes late was not asked, so it is judged again, too')
local order = {}
for i, value in ipairs(verdicts(source_of({ late, raises }, { early }, { late }), four)) do order[i] = value end
tap.is(order, { 0, 2, 0x85, 0x87 }, 'undecided late: of the others it says what they decided')
tap.is((verdicts(source_of({ early, late }, { early, late }, { early }), four)), { 0, 4, 0, 7 }, 'shared filters')
tap.is((verdicts(source_of { function(e) return e.cpu == 3 end }, four)), { 1, 1, 1, 1 }, 'the CPU is known')
tap.is((verdicts(source_of { function() return true end }, four)), { 1, 1, 1, 1 }, 'always')
tap.is((verdicts(source_of { function() return false end }, four)), { 0, 0, 0, 0 }, 'never')

--- What reaches each sink: as the worker reads a verdict, beside what Lua says.
local function serve(source, name, events)
  local one, sinks = plan.make(source)
  local stage, wrong = one and machine.load(one), {}
  for i, e in ipairs(events) do
    local verdict = stage and translated.verdict(stage, e) or 0xff
    for k, sink in ipairs(source.sinks) do
      local function pass(filters)
        for _, fn in ipairs(filters) do if not fn(e) then return false end end
        return true
      end
      local reached = bit.band(verdict, sinks[k].bit) ~= 0 and pass(verdict >= 128 and sink.filters or sinks[k].left)
      if reached ~= pass(sink.filters) then
        wrong[#wrong + 1] = ('event %d, sink %d, verdict %d'):format(i, k, verdict)
      end
    end
  end
  tap.is(wrong, {}, name)
end
local events = {}
for i = 0, 59 do
  events[#events + 1] = event { pid = i % 5, uid = i % 3, comm = i % 2 == 0 and 'cat' or 'sh',
    u64 = i % 7 == 0 and 2 ^ 60 or i, file = i % 4 == 0 and '/etc/passwd' or '/tmp/x' }
end
local function of_pid(n) return function(e) return e.pid == n end end
local function small(e) return e.u64 + 1 < 30 end
local function listed(e) return ('12'):find(tostring(e.uid), 1, true) end
local function etc(e) return e.file:find('^/etc/') end
for _, count in ipairs { 1, 2, 6, 7, 8, 9, 20 } do
  local lists = {}
  for i = 1, count do
    lists[i] = ({ { of_pid(i % 5) }, { etc, small }, { early, listed, etc }, { listed }, {}, { small },
      { of_pid(2), etc } })[i % 7 + 1]
  end
  serve(source_of(unpack(lists)), count .. ' sinks, each as in Lua', events)
end
local lists = {}
for i = 1, 7 do lists[i] = { of_pid(i) } end
jobs = select(2, plan.make(source_of(unpack(lists))))
local bits = 0
for _, job in ipairs(jobs) do bits = bit.bor(bits, job.bit) end
tap.is(bits, 0x7f, 'seven sinks have a bit each')
lists[8] = { of_pid(8) }
jobs = select(2, plan.make(source_of(unpack(lists))))
local shared, alone = {}, 0
for _, job in ipairs(jobs) do
  if job.bit == 0x40 then shared[#shared + 1] = #job.left else alone = alone + 1 end
end
tap.is({ alone, shared }, { 6, { 1, 1 } }, 'of eight, two share one, and are the worker\'s')
local start = engine.monotonic()
for i = 9, 60 do lists[i] = { of_pid(i) } end
plan.make(source_of(unpack(lists)))
tap.ok(engine.monotonic() - start < 1e8, 'sixty sinks', (engine.monotonic() - start) / 1e6)

-- What cannot be emitted costs only its own sink.
local function too_long(e)
  local a, b = e.pid, e.uid
  return (a - (b - (a - (b - (a - (b - (a % 5))))))) % 7 == (b - (a - (b - (a - (b - (a - b % 3)))))) % 9
end
jobs = select(2, plan.make(source_of({ early }, { too_long }, { late, refused })))
tap.is({ split(jobs[1])[1], #jobs[2].left, #jobs[3].left }, { 'early', 1, 1 }, 'an expression of too many registers')
tap.like(jobs[2].refusal.reason, 'more than 5 registers', 'and why')
tap.is(jobs[2].refusal.line, debug.getinfo(too_long, 'S').linedefined + 2, 'and where')
serve(source_of({ early }, { too_long }, { late }), 'the others are served as before', events)

local sinks = { { early } }
for i = 2, 7 do
  local text = ('x'):rep(8 + i)
  sinks[i] = { function(e) return e.file:find(text, 1, true) end }
end
sinks[5][1] = function(e)
  return e.file:find('eight', 1, true) and e.file:find('nine', 1, true) and e.file:find('ten', 1, true)
    and e.file:find('eleven', 1, true) and e.file:find('twelve', 1, true) and e.file:find('thirteen', 1, true)
    and e.file:find('fourteen', 1, true) and e.file:find('fifteen', 1, true) and e.file:find('sixteen', 1, true)
end
made, jobs = plan.make(source_of(unpack(sinks)))
local left = {}
for i, job in ipairs(jobs) do if #job.left > 0 then left[#left + 1] = i end end
tap.is({ left, #made.late < 8192 }, { { 5 }, true }, 'of more instructions than there may be, the longest filter goes')
tap.like(jobs[5].refusal.reason, 'more than 8192 instructions', 'and why')
tap.is(jobs[5].refusal.line, debug.getinfo(sinks[5][1], 'S').linedefined, 'and where')

-- Sets.
local few, many, other = { cat = true, sh = true }, {}, {}
for i = 1, 300 do many['tool' .. i], other['tool' .. i] = true, true end
made = plan.make(source_of({ function(e) return many[e.comm] end }, { function(e) return other[e.comm] end },
  { function(e) return few[e.comm] end }))
local sizes = {}
for i, map in ipairs(made.maps) do sizes[i] = map.kind .. ' ' .. map.max_entries .. ' ' .. map.key_bytes end
tap.is(sizes, { 'set 300 16', 'set 2 16' }, 'sets are maps, and equal ones are one')
tap.is(#made.maps[1].content[1][1], 16, 'with keys of the field\'s size')

-- Live numbers, and what is watched.
local least, name, tools, on = 10, 'cat', { limit = 3 }, true
local watched = { cat = true }
local source = source_of({ function(e) return e.pid >= least and e.uid < tools.limit end },
  { function(e) return e.comm == name and on end }, { function(e) return watched[e.comm] end })
made = plan.make(source)
local map = made.maps[made.live_index + 1]
tap.is({ map.kind, map.value_bytes, #made.live.numbers }, { 'values', 16, 2 }, 'numbers outside are places in a map')
local stage = machine.load(made)
local array = stage:value(made.live_index, '\0\0\0\0')
tap.is({ tonumber(array[0]), tonumber(array[1]) }, { 10, 3 }, 'with their value')
local probe = event { pid = 5, uid = 1 }
tap.is(translated.verdict(stage, probe), 0, 'which is used')
tap.is(made.live:changes(array, 1e9), false, 'nothing has changed')
least = 4
tap.is(translated.verdict(stage, probe), 0, 'a change is seen')
tap.is(made.live:changes(array, 2e9), false, 'when the worker looks, and needs no new stages')
tap.is({ tonumber(array[0]), translated.verdict(stage, probe) }, { 4, 1 }, 'it is stored')
tools.limit = 1
made.live:changes(array, 3e9)
tap.is(translated.verdict(stage, probe), 0, 'a field of a table, too')

--- Does a change need new stages? It is undone by `back`.
local function restages(change, back, what)
  local one = plan.make(source)
  local numbers = ffi.new('int64_t[?]', math.max(#one.live.numbers, 1))
  local before = one.live:changes(numbers, 1e9)
  change()
  tap.is({ before, one.live:changes(numbers, 2e9) }, { false, true }, what)
  back()
end
restages(function() name = 'sh' end, function() name = 'cat' end, 'text that changes needs new stages')
restages(function() on = false end, function() on = true end, 'a flag')
restages(function() least = -5 end, function() least = 4 end, 'a number that is negative for the first time')
restages(function() least = 1.5 end, function() least = 4 end, 'one that is a fraction')
restages(function() least = 2 ^ 60 end, function() least = 4 end, 'one that is too large')
restages(function() least = nil end, function() least = 4 end, 'one that is gone')
restages(function() watched.sh = true end, function() watched.sh = nil end, 'a key that comes into a table')
restages(function() watched.cat = nil end, function() watched.cat = true end, 'one that goes')
restages(function() watched = {} end, function() watched = { cat = true } end, 'another table')
restages(function() tools = { limit = 1 } end, function() end, 'a table that numbers are in')
local one = plan.make(source)
one.live:changes(nil or array, 1e9)
watched.ls = true
tap.is({ one.live:changes(array, 1e9 + 5e7), one.live:changes(array, 1e9 + 2e8) }, { false, true },
  'tables are compared ten times a second')
local shift = 3
one = plan.make(source_of { function(e) return bit.rshift(e.u32, shift) == 1 end })
shift = 4
tap.is(one.live:changes(array, 1e9), true, 'a number that must be constant is built in')

-- The bytes.
local function text_at(bytes, at) return ffi.string(ffi.cast('const char *', bytes) + at) end
made = plan.make(source_of({ early, function(e) return e.uid > least end }, { function(e) return many[e.comm] end }))
local bytes = made:encode()
local head = ffi.cast('const struct plan_header *', bytes)
tap.is({ tonumber(head.magic), tonumber(head.bytes), tonumber(head.spare) }, { 0x4e4c504d, #bytes, 0 }, 'its head')
tap.is({ tonumber(head.map_count), head.early, head.late }, { #made.maps, #made.early, #made.late }, 'counts')
local maps_bytes = bytes:sub(ffi.sizeof('struct plan_header') + 1)
local maps = ffi.cast('const struct plan_map *', maps_bytes)
tap.is({ maps[0].kind, maps[0].key_bytes, maps[0].value_bytes, maps[0].max_entries, maps[0].entries,
  ffi.string(maps[0].name) }, { ffi.C.PLAN_VALUES, 4, 8, 1, 1, '' }, 'the map of numbers')
tap.is({ maps[1].kind, maps[1].key_bytes, maps[1].value_bytes, maps[1].max_entries, maps[1].entries },
  { ffi.C.PLAN_SET, 16, 1, 300, 300 }, 'a set')
local at = ffi.sizeof 'struct plan_header' + 2 * ffi.sizeof 'struct plan_map'
tap.is(bytes:sub(at + 1, at + 3), '\191\22\0', 'a stage begins with r6 = r1')
at = at + 8 * (head.early + head.late)
tap.is(bytes:byte(at - 7), 0x95, 'and ends with exit')
local where_bytes = bytes:sub(at + 1) -- a pointer does not keep it
local where = ffi.cast('const uint32_t *', where_bytes)
at = at + 4 * (head.early + head.late)
local contents, texts = at, at + head.content_bytes
tap.is(#bytes, texts + head.text_bytes, 'all is there')
tap.is(bytes:sub(-1), '\0', 'the last byte is zero')
tap.is(head.content_bytes, 4 + 8 + 300 * 17, 'contents without gaps')
tap.is(bytes:sub(contents + 1, contents + 12), '\0\0\0\0' .. ffi.string(ffi.new('int64_t[1]', least), 8), 'numbers')
local keys = {}
for i = 0, 299 do keys[(bytes:sub(contents + 13 + i * 17, contents + 28 + i * 17):gsub('%z', ''))] = true end
tap.is(keys, many, 'the keys')
local found = {}
for i = 0, head.early + head.late - 1 do found[text_at(bytes, texts + where[i])] = true end
local file = debug.getinfo(1, 'S').short_src
tap.ok(found[('%s:%d'):format(file, debug.getinfo(early, 'S').linedefined)], 'instructions know their line', found)
local nothing_bytes = plan.nothing()
local nothing = ffi.cast('const struct plan_header *', nothing_bytes)
tap.is({ nothing.map_count, nothing.early, nothing.late, nothing.bytes }, { 0, 0, 0, 33 },
  'a plan that decides nothing')

-- Translating leaves nothing behind.
local function many_times(count)
  for _ = 1, count do plan.make(source_of({ of_pid(1) }, { function(e) return many[e.comm] end })) end
  collectgarbage()
  collectgarbage()
  return collectgarbage 'count'
end
many_times(20)
local before = many_times(20)
tap.ok(many_times(200) - before < 200, 'two hundred translations', many_times(1) - before)
tap.done()
