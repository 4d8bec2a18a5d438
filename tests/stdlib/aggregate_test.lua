-- SPDX-License-Identifier: Apache-2.0
--- stdlib/aggregate.lua: keys, limits, order, printing, inheritance. What each kind does with
--- values is in tests/contracts/aggregates_test.lua.
local tap = require 'tap'
local aggregate = require 'moonprobe.aggregate'
local engine = require 'moonprobe.engine'
local job = require 'moonprobe.job'
local output = require 'moonprobe.output'
local state = require 'moonprobe.state'
local timers = require 'moonprobe.timers'

local FILE = debug.getinfo(1, 'S').short_src:gsub('%p', '%%%0')
local count, sum, histogram = aggregate.kind 'count', aggregate.kind 'sum', aggregate.kind 'histogram'

local made = 0
--- An aggregate with these names for its key's parts.
local function new(kind, names, options)
  options = options or {}
  if not options.name then
    made = made + 1
    options.name = 'test ' .. made
  end
  return aggregate.new(kind, { probe = 'probe', field = kind.takes_value and 'bytes' or nil, names = names or {},
    options = options })
end

local function field(name) return function(event) return event[name] end end

--- { key or parts, value } of each row.
local function rows(one, limit)
  local list = {}
  for i, row in ipairs(one:rows(limit)) do
    list[i] = { #row.parts > 0 and table.concat((function()
      local texts = {}
      for at, part in ipairs(row.parts) do texts[at] = tostring(part) end
      return texts
    end)(), ' ') or '', row.value }
  end
  return list
end

local function printed(one, limit)
  local text, write = '', engine.write
  output.flush()
  engine.write = function(_, part) text = text .. part return true end
  one:print(limit)
  output.flush()
  engine.write = write
  return text
end

-- Kinds.
tap.is(count.name, 'count', 'a kind by its name')
tap.is(aggregate.kind 'cuont', nil, 'no such kind')
for _, name in ipairs { '', '../json', 'Count', 'count.lua', 'a b' } do
  tap.is(aggregate.kind(name), nil, ("'%s' is no kind"):format(name))
end

-- One total.
local total = new(count)
local take = total:taker(nil, nil)
for _ = 1, 3 do take {} end
tap.is(rows(total), { { '', 3 } }, 'without a key there is one row')

-- One key.
local by_comm = new(count, { 'comm' })
take = by_comm:taker({ field 'comm' })
for _, comm in ipairs { 'a', 'b', 'b', 'c', 'b', 'a' } do take { comm = comm } end
tap.is(rows(by_comm), { { 'b', 3 }, { 'a', 2 }, { 'c', 1 } }, 'largest first')
tap.is(rows(by_comm, 2), { { 'b', 3 }, { 'a', 2 } }, 'at most so many')
tap.is(rows(by_comm, 0), {}, 'none')
tap.is(#rows(by_comm, 99), 3, 'no more than there are')
take { comm = nil }
tap.is(by_comm.cells['-'], 1, 'no value is a key too')

-- Equals are sorted by key, so that two runs print the same.
local ties = new(count, { 'comm' })
take = ties:taker({ field 'comm' })
for _, comm in ipairs { 'd', 'b', 'e', 'a', 'c' } do take { comm = comm } end
tap.is(rows(ties), { { 'a', 1 }, { 'b', 1 }, { 'c', 1 }, { 'd', 1 }, { 'e', 1 } }, 'equals in the order of their keys')

-- Keys that are no text.
local keys = new(count, { 'key' })
take = keys:taker({ field 'key' })
for _, key in ipairs { 5, 5, true, 18446744073709551615ULL, 18446744073709551615ULL, 'x\31y' } do take { key = key } end
take { key = false }
keys:add(1, 18446744073709551615ULL)
tap.is(rows(keys), { { '18446744073709551615', 3 }, { '5', 2 }, { 'false', 1 }, { 'true', 1 }, { 'x\31y', 1 } },
  'numbers, booleans, 64 bits and any text are keys')

-- Several parts.
local pairs_of = new(count, { 'comm', 'port' })
take = pairs_of:taker({ field 'comm', field 'port' })
take { comm = 'a', port = 80 }
take { comm = 'a', port = 80 }
take { comm = 'a', port = 443 }
take { comm = 'b\31c', port = nil }
tap.is(rows(pairs_of), { { 'a 80', 2 }, { 'a 443', 1 }, { 'b\\x1fc -', 1 } }, 'every combination is a row')
tap.is(#pairs_of:rows()[1].parts, 2, 'with its parts')
tap.is(#pairs_of:rows()[3].parts, 2, 'whatever is in them')

-- Values.
local bytes = new(sum, { 'comm' })
take = bytes:taker({ field 'comm' }, field 'bytes')
take { comm = 'a', bytes = 10 }
take { comm = 'b', bytes = 5 }
take { comm = 'a', bytes = 0.5 }
take { comm = 'b', bytes = 9007199254740992ULL }
tap.is(rows(bytes), { { 'b', 2 ^ 53 + 5 }, { 'a', 10.5 } }, 'values are added, 64 bits too')
take = bytes:taker({ field 'comm' }, field 'bytes')
for _, wrong in ipairs { 'text', 'ENOENT', {} } do
  tap.raises(function() take { comm = 'new', bytes = wrong } end, 'a value is not a number',
    'a value that is no number')
end
tap.raises(function() take { comm = 'new' } end, 'a value is not a number', 'no value')
tap.is({ #rows(bytes), bytes.size }, { 2, 2 }, 'and leaves nothing behind')
tap.raises(function() bytes:taker({ function() error('key', 0) end }, field 'bytes') {} end, 'key',
  'a key function that raises')
tap.is(bytes.size, 2, 'leaves nothing behind either')

-- Added by the script itself.
local own = new(sum)
own:add(5)
own:add(7)
own:add(1, 'x')
tap.is(own:rows()[1].value, 12, 'add without a key')
tap.is(own:rows()[2].key, 'x', 'add with one')

-- The limit.
local few = new(count, { 'n' }, { max_keys = 3 })
take = few:taker({ field 'n' })
for i = 1, 10 do take { n = i } end
take { n = 2 }
tap.is({ few.size, few.overflow, #rows(few) }, { 3, 7, 3 }, 'what finds no room is counted')
tap.is(rows(few)[1], { '2', 2 }, 'keys that have room go on')
few:add(1, 99)
tap.is(few.overflow, 8, 'add keeps to it too')
few:clear()
tap.is({ few.size, few.overflow, #rows(few) }, { 0, 0, 0 }, 'clear makes room')
take { n = 7 }
tap.is(rows(few), { { '7', 1 } }, 'for others')
local default = new(count, { 'n' })
take = default:taker({ field 'n' })
for i = 1, 10001 do take { n = i } end
tap.is({ default.size, default.overflow }, { 10000, 1 }, 'the limit is 10000 when nothing is said')

-- The limit, when the key unused for longest gives way.
local recent = new(count, { 'n' }, { max_keys = 3, full = 'lru', note = 'n' })
take = recent:taker({ field 'n' }, nil, field 'n')
for _, n in ipairs { 1, 2, 3, 1, 4 } do take { n = n } end
tap.is(rows(recent), { { '1', 2 }, { '3', 1 }, { '4', 1 } }, 'lru: the key unused for longest gives way')
tap.is({ recent.size, recent.overflow }, { 3, 0 }, 'lru: nothing is refused')
tap.is({ recent.notes[2], recent.notes[4] }, { nil, 4 }, 'lru: its note goes, too')
recent:add(1, 3)
recent:add(1, 5)
tap.is(rows(recent), { { '3', 2 }, { '4', 1 }, { '5', 1 } }, 'lru: add is a use')
recent:clear()
tap.is({ recent.size, #rows(recent) }, { 0, 0 }, 'lru: clear')
local plain, order = {}, {} -- the same, done slowly
for i = 1, 3000 do
  local n = (i * i * 31 + i % 7 * 17) % 11
  take { n = n }
  for at = #order, 1, -1 do if order[at] == n then table.remove(order, at) end end
  order[#order + 1] = n
  plain[n] = (plain[n] or 0) + 1
  if #order > 3 then plain[table.remove(order, 1)] = nil end
  if recent.size ~= #order then tap.ok(false, 'lru: at most so many') end
end
tap.is(recent.cells, plain, 'lru: the right ones stay, whatever comes')
local one_key = new(count, { 'n' }, { max_keys = 1, full = 'lru' })
for _, n in ipairs { 1, 1, 2, 2, 2 } do one_key:add(1, n) end
tap.is(one_key.cells, { [2] = 3 }, 'lru: one key only')
tap.raises(function() new(sum, {}, { full = 'lru' }):add('x') end, 'arithmetic', 'lru: a value that is none')

-- Printing.
local printing = new(count, { 'comm' }, { name = 'calls by comm' })
take = printing:taker({ field 'comm' })
for _, comm in ipairs { 'cat', 'cat', 'e\27vil' } do take { comm = comm } end
tap.is(printed(printing), 'calls by comm\n'
  .. ('%-40s %12s\n%-40s %12s\n'):format('cat', '2', 'e\\x1bvil', '1'), 'text, without control characters')
job.quiet = true
tap.is(printed(printing, 1), ('%-40s %12s\n'):format('cat', '2'), 'quiet: no heading')
job.quiet = false
job.json = true
tap.is(printed(printing), '{"aggregate":"calls by comm","comm":"cat","value":2}\n'
  .. '{"aggregate":"calls by comm","comm":"e\\u001bvil","value":1}\n', 'JSON')
tap.is(printed(keys):match('[^\n]+'), '{"aggregate":"' .. keys.name .. '","key":"18446744073709551615","value":3}',
  'JSON: 64 bits')
tap.ok(printed(keys):find('"key":true,"value":1}', 1, true), 'JSON: true as a key has its name')
tap.ok(printed(keys):find('"key":"x\\u001fy","value":1}', 1, true), 'JSON: a key with a separator in it is one')
tap.is(printed(total), '{"aggregate":"' .. total.name .. '","value":3}\n', 'JSON without a key')
few = new(count, { 'n' }, { max_keys = 1, name = 'few' })
take = few:taker({ field 'n' })
for i = 1, 3 do take { n = i } end
tap.is(printed(few), '{"aggregate":"few","n":1,"value":1}\n{"aggregate":"few","not_counted":2}\n',
  'JSON tells what is missing')
job.json = false
tap.is(printed(few), 'few\n' .. ('%-40s %12s\n'):format('1', '1')
  .. '2 events not counted: more than 1 keys, raise max_keys\n', 'text tells it too')
local picture = new(histogram, { 'comm' }, { name = 'sizes', label = 'bytes' })
take = picture:taker({ field 'comm' }, field 'bytes')
for i = 1, 8 do take { comm = 'cat', bytes = i } end
local text = printed(picture)
tap.is(text, ('sizes\ncomm = cat\nbytes:\n' .. ('%-16s%8d |%-52s|\n'):rep(4)):format('[1, 2)', 1, ('@'):rep(13),
  '[2, 4)', 2, ('@'):rep(26), '[4, 8)', 4, ('@'):rep(52), '[8, 16)', 1, ('@'):rep(13)),
  'a histogram: its key before it, and a line for each power of two')
local steps = new(aggregate.kind 'linear_histogram', {}, { name = 'steps', from = 0, to = 1, step = 0.1 })
for i = 0, 10 do steps:add(i / 10) end
steps:add(0.95)
steps:add(-1)
text = printed(steps)
tap.like(text, '^steps\nbytes:\n%(%.%.%., 0%) +1 |@+ +|\n%[0, 0%.1%) +1 |', 'what is below has its own')
tap.like(text, '\n%[0%.9, 1%) +2 |@+|\n%[1, %.%.%.%) +1 |@+ +|\n$', 'and what is above')

-- Notes.
local noted = new(count, { 'pid' }, { note = 'comm', name = 'noted' })
take = noted:taker({ field 'pid' }, nil, field 'comm')
take { pid = 1, comm = 'first' }
take { pid = 1, comm = 'second' }
tap.is(noted:rows()[1].note, 'first', 'a note is that of the first event')
tap.like(printed(noted), '1  first +2\n$', 'it is printed beside the key')
job.json = true
tap.is(printed(noted), '{"aggregate":"noted","pid":1,"comm":"first","value":2}\n', 'and in JSON')
job.json = false
noted:clear()
take { pid = 1, comm = 'third' }
tap.is(noted:rows()[1].note, 'third', 'clear forgets it')

-- Names.
tap.is(aggregate.new(count, { probe = 'p', names = {}, options = {} }).name, 'p count', 'named after probe and kind')
tap.is(aggregate.new(sum, { probe = 'p', field = 'bytes', names = { 'comm', 'pid' }, options = {} }).name,
  'p sum_bytes by comm, pid', 'and field and keys')

-- Inheritance: the parts a new version would find under the same name.
local parts = {}
local part = state.part
state.part = function(name, save, restore) parts[#parts + 1] = { name = name, save = save, restore = restore } end
local old = new(count, { 'comm' }, { name = 'inherited', max_keys = 2 })
take = old:taker({ field 'comm' })
for _, comm in ipairs { 'a', 'b', 'b', 'c' } do take { comm = comm } end
local twin = new(count, { 'comm' }, { name = 'inherited' })
local other = new(histogram, { 'comm' }, { name = 'inherited' })
local used = new(count, { 'n' }, { name = 'used', max_keys = 3, full = 'lru' })
local user = new(count, { 'n' }, { name = 'used', max_keys = 3, full = 'lru' })
local bounds = new(aggregate.kind 'linear_histogram', {}, { name = 'steps', from = 0, to = 10, step = 5 })
local others = new(aggregate.kind 'linear_histogram', {}, { name = 'steps', from = 0, to = 10, step = 1 })
state.part = part
tap.ok(parts[1].name ~= parts[2].name, 'twins are two parts')
tap.ok(parts[3].name ~= parts[1].name and parts[3].name ~= parts[2].name,
  'another kind of the same name is none of them')
local bytes_of = require('string.buffer')
parts[2].restore(bytes_of.decode(bytes_of.encode(parts[1].save())))
tap.is(rows(twin), { { 'b', 2 }, { 'a', 1 } }, 'cells are inherited')
tap.is({ twin.size, twin.overflow }, { 2, 1 }, 'and what found no room')
take = twin:taker({ field 'comm' })
take { comm = 'a' }
tap.is(twin.cells.a, 2, 'and go on')
tap.is(old.cells.a, 1, 'the old one is another')
tap.is(other.size, 0, 'another kind has none of it')

-- Events that stages of another version have judged: it counts those that its kernel has not.
take = old:taker({ field 'comm' })
for _, generation in ipairs { 3, 4, 4 } do take({ comm = 'd' }, generation) end
tap.is(old.cells.d, nil, 'judged by another version: not counted here')
twin:clear()
twin:begin(4)
parts[2].restore(bytes_of.decode(bytes_of.encode(parts[1].save())))
tap.is(rows(twin), { { 'b', 2 }, { 'd', 2 }, { 'a', 1 } }, 'but by that version')
twin:clear()
twin.kernel = { restore = function() end }
parts[2].restore(bytes_of.decode(bytes_of.encode(parts[1].save())))
twin.kernel = nil
tap.is(rows(twin), { { 'b', 2 }, { 'a', 1 } }, 'unless its kernel does')
old:begin(3)
old:begin(3)
tap.is(old.cells.d, 1, 'and counted when it was the own one, of which it was not told yet')

for _, n in ipairs { 1, 2, 3, 1 } do used:add(1, n) end
parts[5].restore(bytes_of.decode(bytes_of.encode(parts[4].save())))
user:add(1, 4)
tap.is(user.cells, { 2, [3] = 1, [4] = 1 }, 'which key was unused for longest is inherited')
tap.ok(bounds.name == others.name and parts[6].name ~= parts[7].name, 'other bounds are another aggregate')

-- Intervals.
local now = 5000e9
local monotonic = engine.monotonic
engine.monotonic = function() return now end
local ticking = new(count, {}, { name = 'ticking' })
tap.is(ticking:every '1s', ticking, 'every gives the aggregate')
ticking:add(1)
ticking:add(1)
now = now + 1e9
text = ''
local write = engine.write
engine.write = function(_, line) text = text .. line return true end
timers.run(function(fn) fn() end)
output.flush()
tap.is(text, 'ticking\n2\n', 'printed at the end of the interval')
tap.is(ticking.size, 0, 'and cleared')
engine.write, engine.monotonic = write, monotonic
local kept = new(count, {}, { name = 'kept' })
monotonic, engine.monotonic = engine.monotonic, function() return now end
kept:every('1s', { keep = true })
text, engine.write = '', function(_, line) text = text .. line return true end
for i = 1, 2 do
  kept:add(1)
  now = now + 1e9
  timers.run(function(fn) fn() end)
  output.flush()
  tap.is(text:match 'kept\n%d+\n$', 'kept\n' .. i .. '\n', 'keep: all so far is printed each time')
end
engine.write, engine.monotonic = write, monotonic
tap.raises(function() kept:every('1s', { kept = true }) end,
  '^' .. FILE .. ":%d+: every: no option 'kept'; it has keep", 'every with an unknown option')
tap.raises(function() kept:every('1s', 5) end, '^' .. FILE .. ':%d+: every: needs a table', 'every with a number')
for _, interval in ipairs { '5', 'soon', '0s', '' } do
  tap.raises(function() ticking:every(interval) end,
    '^' .. FILE .. ":%d+: every: '" .. interval .. "' is not a time like 1s",
    ("every '%s'"):format(interval))
end
tap.raises(function() ticking:every() end, "every: 'nil' is not a time", 'every without a time')

-- 0 / 0: a key like another, and a value without a place among the others.
local odd = new(count, { 'n' })
odd:taker { field 'n' } { n = 0 / 0 }
odd:add(1, 0 / 0)
tap.is(rows(odd), { { output.text(0 / 0), 2 } }, 'no number as a key')
odd = new(sum, { 'n' })
for i = 1, 60 do odd:add(i % 2 == 0 and 0 / 0 or i * 37 % 101, i) end
local ordered = odd:rows(30)
table.sort(ordered, function(a, b) return a.value > b.value end)
tap.is({ odd:rows(30), ordered[30].value == ordered[30].value }, { ordered, true }, 'no number as a value: comes last')

-- What nobody showed is printed at the end.
text = ''
engine.write = function(_, line) text = text .. line return true end
ticking:add(1)
local shown = new(count, {}, { name = 'shown by the script' })
shown:add(1)
shown:rows()
new(count, {}, { name = 'empty' })
aggregate.print_rest()
output.flush()
engine.write = write
tap.like(text, 'ticking\n1\n', 'the rest of an interval')
tap.ok(not text:find('shown by the script', 1, true), 'not what the script looked at')
tap.ok(not text:find('empty', 1, true), 'not what is empty')
tap.done()
