-- SPDX-License-Identifier: Apache-2.0
--- stdlib/drain.lua on a ring in memory that the test fills as the kernel would
--- (tests/engine/ring_test.c proves that the kernel does).
local tap = require 'tap'
local ffi = require 'ffi'
local bit = require 'bit'
local drain = require 'moonprobe.drain'
local engine = require 'moonprobe.engine'

ffi.cdef [[
struct drain_test_event { struct event_header header; uint64_t number; };
long sysconf(int name);
]]

local PAGE = tonumber(ffi.C.sysconf(30)) -- _SC_PAGESIZE
local CPUS = 2
local BUSY, DISCARDED = 0x80000000, 0x40000000
local EVENT = ffi.typeof 'const struct drain_test_event *'

local bytes, base, consumer, producer, data, ring_fd

--- A new ring, mapped by drain. `position`: where it starts.
local function open(size, position)
  bytes = size
  local fd = assert(engine.memory(('\0'):rep(2 * PAGE + 2 * bytes)))
  base = ffi.cast('uint8_t *', assert(engine.map(fd, 2 * PAGE + 2 * bytes)))
  consumer, producer = ffi.cast('uint64_t *', base), ffi.cast('uint64_t *', base + PAGE)
  data = base + 2 * PAGE
  consumer[0], producer[0] = position or 0, position or 0
  ring_fd = fd
  drain.open(fd, bytes, CPUS)
end

--- Bytes at a place of the ring; in the kernel both copies are the same memory.
local function store(at, source, length)
  source = ffi.cast('const uint8_t *', source)
  for i = 0, length - 1 do
    local offset = (at + i) % bytes
    data[offset], data[offset + bytes] = source[i], source[i]
  end
end

--- Adds an event; returns where its record starts.
local function put(number, options)
  options = options or {}
  local at = tonumber(producer[0])
  local record = ffi.new('struct ring_record', { length = bit.bor(options.length or 16, options.flags or 0) })
  local stamp = bit.bor(number % 2 ^ 24, bit.lshift(options.verdict or 0, 24))
  local event = ffi.new('struct drain_test_event', { { stamp, options.cpu or 0, options.slot or 0,
    options.generation or 1 }, number })
  store(at, record, 8)
  store(at + 8, event, 16)
  producer[0] = at + bit.band((options.length or 16) + 15, -8)
  return at
end

--- Counters of a slot: the memory both sides see.
local function counters(slot, handler, generation)
  local size = ffi.sizeof('struct event_counters') * CPUS
  local fd = assert(engine.memory(('\0'):rep(size)))
  local rows = ffi.cast('struct event_counters *', assert(engine.map(fd, size)))
  drain.count(slot, fd)
  drain.handle(slot, generation or 1, EVENT, handler)
  return rows
end

local seen, errors = {}, {}
local function keep(event) seen[#seen + 1] = tonumber(event.number) end
local function on_error(message) errors[#errors + 1] = message end
local function once(at_most)
  seen, errors = {}, {}
  return drain.once(on_error, at_most)
end

-- An empty ring, and a few events.
open(4096)
local rows = counters(0, keep)
tap.is({ once() }, { 0, 0 }, 'an empty ring')
for i = 1, 3 do put(i) end
tap.is({ once() }, { 3, 72 }, 'events and bytes')
tap.is(seen, { 1, 2, 3 }, 'in their order')
tap.is(tonumber(consumer[0]), 72, 'the room is given back')
tap.is(tonumber(rows[0].received), 3, 'received is counted')
tap.is({ once() }, { 0, 0 }, 'once each')

-- CPUs and slots.
local other = {}
local rows_of_7 = counters(7, function(event) other[#other + 1] = tonumber(event.number) end)
put(10, { cpu = 1 })
put(11, { slot = 7, cpu = 1 })
put(12, { slot = 9 })
put(13)
tap.is(once(), 3, 'an event of a slot that nobody handles is passed over')
tap.is({ seen, other }, { { 10, 13 }, { 11 } }, 'each to its handler')
tap.is({ tonumber(rows[0].received), tonumber(rows[1].received) }, { 4, 1 }, 'counted by CPU')
tap.is(tonumber(rows_of_7[1].received), 1, 'and by slot')
put(14, { slot = 8 })
put(15, { slot = 255 })
put(16)
tap.is({ once(), seen[1] }, { 1, 16 }, 'a slot that cannot be is passed over')

-- What is of a probe that only the next version has, its slot being behind all others, is left in the ring, and
-- all that follows it, until nothing comes of that version.
drain.know(250)
put(17)
local left = put(18, { slot = 3 })
put(19)
tap.is({ once(), seen[1], tonumber(consumer[0]) }, { 1, 17, left }, 'a record of the next version\'s probe is left')
tap.is({ once(), tonumber(rows[0].received) }, { 0, 6 }, 'as often as one looks')
put(18, { slot = 2 })
drain.know(3)
tap.is({ once(), seen[1] }, { 1, 19 }, 'it is nobody\'s when that does not come')
drain.know(nil)
put(18, { slot = 4 })
tap.is({ once(), tonumber(consumer[0]) }, { 0, tonumber(producer[0]) }, 'nor is any at the end')

-- Discarded and unfinished records.
put(20)
put(21, { flags = DISCARDED })
put(22)
local busy = put(23, { flags = BUSY })
put(24)
tap.is(once(), 2, 'up to the one that is being written')
tap.is(seen, { 20, 22 }, 'without the discarded one')
tap.is(once(), 0, 'it is waited for')
store(busy, ffi.new('struct ring_record', { length = 16 }), 8)
once()
tap.is(seen, { 23, 24 }, 'and comes in its turn')

-- Around the end, record by record, with every alignment of the end.
local expected = 0
local right, count_ok = true, true
for round = 1, 600 do
  local count = 1 + round % 5
  for _ = 1, count do
    expected = expected + 1
    put(expected, { length = 16 + 8 * (expected % 9) })
  end
  count_ok = count_ok and once() == count
  for i, number in ipairs(seen) do right = right and number == expected - count + i end
end
tap.ok(tonumber(consumer[0]) > 10 * bytes, 'many times around the ring')
tap.ok(right and count_ok, 'every event once and in order')
tap.is(consumer[0], producer[0], 'nothing is left')

-- Handlers that raise.
open(4096)
rows = counters(0, function(event)
  if event.number == 2 or event.number == 3 or event.number == 6 then error('number ' .. tonumber(event.number), 0) end
  keep(event)
end)
for i = 1, 6 do put(i) end
local _, done = once()
tap.is(seen, { 1, 4, 5 }, 'one that raises costs its event only')
tap.is(errors, { 'number 2', 'number 3', 'number 6' }, 'each is told')
tap.is(done, 6 * 24, 'and passed over')
tap.is(tonumber(rows[0].received), 6, 'it was received')
tap.is(tonumber(rows[0].failed), 3, 'and has failed')
tap.is({ once() }, { 0, 0 }, 'and does not come again')
put(2, { cpu = 1 })
once()
tap.is(tonumber(rows[0].failed + rows[1].failed), 4, 'on any CPU')

-- A limit.
open(4096)
counters(0, keep)
for i = 1, 4 do put(i) end
tap.is({ once(30) }, { 2, 48 }, 'at most so many bytes, to the end of a record')
tap.is({ once(24) }, { 1, 24 }, 'exactly one')
tap.is({ once(0) }, { 0, 0 }, 'none')
tap.is({ once() }, { 1, 24 }, 'the rest')

-- More than a batch.
open(262144)
rows = counters(0, keep)
local total = 262144 / 24 - 1
total = math.floor(total)
for i = 1, total do put(i) end
tap.is({ once() }, { total, total * 24 }, 'a full ring, in several batches')
tap.is({ seen[1], seen[total], #seen }, { 1, total, total }, 'all of it')
tap.is(tonumber(rows[0].received), total, 'all counted')

-- Where another process has stopped, and far on.
open(4096, 2 ^ 40 + 4096 - 24)
counters(0, keep)
put(1)
put(2)
once()
tap.is(seen, { 1, 2 }, 'a position of more than 32 bits')
tap.is(tonumber(consumer[0]), 2 ^ 40 + 4096 + 24, 'and its end')

-- Everything that is there by now.
put(3)
put(4)
seen = {}
drain.all(on_error)
tap.is(seen, { 3, 4 }, 'all takes what is there')
busy = put(5, { flags = BUSY })
put(6)
seen = {}
local start = engine.monotonic()
drain.all(on_error)
local waited = engine.monotonic() - start
tap.ok(waited >= 1e8 and waited < 3e9, 'all waits for one that is being written, not for ever', waited)
tap.is(seen, {}, 'and takes nothing behind it')
store(busy, ffi.new('struct ring_record', { length = 16 }), 8)
drain.all(on_error)
tap.is(seen, { 5, 6 }, 'until it is there')
local fed = 0
counters(0, function(event)
  keep(event)
  if fed < 100 then -- the handler's own doing makes more events
    fed = fed + 1
    put(1000 + fed)
  end
end)
put(7)
seen = {}
drain.all(on_error)
tap.is(seen, { 7 }, 'what comes while it works is not waited for')

-- Verdicts, by whose stages have judged.
local judged = {}
local function judge(name)
  return function(event, verdict) judged[#judged + 1] = ('%s%d:%d'):format(name, tonumber(event.number), verdict) end
end
--- What has been handled since the last call.
local function handled()
  local text = table.concat(judged, ' ')
  judged = {}
  return text
end
open(4096)
counters(0, judge 'a')
put(1, { verdict = 1 })
put(2, { verdict = 255 })
put(3, { verdict = 5, generation = 9 })
once()
tap.is(handled(), 'a1:1 a2:255 a3:265', 'a verdict of this version; of one of another, whose it is')
drain.handle(0, 2, EVENT, judge 'b')
put(4, { verdict = 3 })
put(5, { verdict = 3, generation = 2 })
put(6, { verdict = 3, generation = 9 })
once()
tap.is(handled(), 'a4:3 b5:3 b6:265', 'stages that change: events of the ones before go to the handler they had')
for generation = 3, 300 do drain.handle(0, generation % 256, EVENT, judge(('g%d-'):format(generation))) end
put(7, { verdict = 1, generation = 44 })
put(8, { verdict = 1, generation = 200 })
put(9, { verdict = 1, generation = 2 })
once()
tap.is(handled(), 'g300-7:1 g200-8:1 g258-9:1', 'generations come round again')
drain.handle(0, nil, EVENT, judge 'n')
put(10, { verdict = 1, generation = 200 })
once()
tap.is(handled(), 'g200-10:1', 'without stages of its own: what was judged before is')
put(11, { verdict = 1, generation = 255 })
open(4096)
counters(0, judge 'a')
drain.handle(0, nil, EVENT, judge 'n')
put(12, { verdict = 1, generation = 7 })
once()
tap.is(handled(), 'n12:263', 'and the rest is not decided')
local before = collectgarbage 'count'
for i = 1, 20000 do drain.handle(0, i % 256, EVENT, function() return i end) end
collectgarbage()
tap.ok(collectgarbage 'count' - before < 512, 'twenty thousand new stages leave nothing behind',
  collectgarbage 'count' - before)

-- Two versions on one ring: events of generation 1 are judged by the old one's stages, of 2 by the
-- new one's.
local function old_version()
  open(4096)
  counters(0, judge 'old', 1)
end
local function new_version()
  drain.open(ring_fd, bytes, CPUS)
  return counters(0, judge 'new', 2)
end
old_version()
put(1, { verdict = 1 })
put(2, { verdict = 2, generation = 2 })
put(3, { verdict = 1 })
put(4, { verdict = 2, generation = 2 })
put(5, { verdict = 1, flags = DISCARDED })
local handled_until = drain.hand_over(on_error)
tap.is(handled(), 'old1:1 old3:1', 'the old version handles what its stages have judged')
tap.is(handled_until, 5 * 24, 'and says up to where')
tap.is(tonumber(consumer[0]), 24, 'the ring keeps the first that is left, and all behind it')
put(6, { verdict = 2, generation = 2 })
put(7, { verdict = 1 })
rows = new_version()
drain.take_over(handled_until, on_error)
tap.is(handled(), 'new2:2 new4:2', 'the new one handles the others')
tap.is(tonumber(consumer[0]), 5 * 24, 'and gives their room back')
once()
tap.is(handled(), 'new6:2 new7:257', 'and goes on: what comes late of the old one is judged again')
tap.is(tonumber(rows[0].received), 4, 'each is counted once')
tap.is(consumer[0], producer[0], 'nothing is left')

old_version()
for i = 1, 3 do put(i, { verdict = 1 }) end
tap.is({ drain.hand_over(on_error), handled(), tonumber(consumer[0]) }, { 72, 'old1:1 old2:1 old3:1', 72 },
  'nothing is left when all are its own')
new_version()
drain.take_over(72, on_error)
put(4, { verdict = 1, generation = 2 })
once()
tap.is(handled(), 'new4:1', 'nor taken over')
old_version()
tap.is({ drain.hand_over(on_error), handled() }, { 0, '' }, 'an empty ring')

-- The next version fails: the old one goes on.
old_version()
put(1, { verdict = 1 })
put(2, { verdict = 2, generation = 2 })
put(3, { verdict = 1 })
put(4, { verdict = 2, generation = 2 })
drain.hand_over(on_error)
handled()
put(5, { verdict = 2, generation = 2 })
put(6, { verdict = 1 })
drain.resume(on_error)
tap.is(handled(), 'old2:258 old4:258', 'what it had left, judged by itself')
once()
tap.is(handled(), 'old5:258 old6:1', 'and what comes then')
tap.is(consumer[0], producer[0], 'nothing is left')

-- ... after it has handled some.
old_version()
put(1, { verdict = 1 })
for i = 2, 4 do put(i, { verdict = 2, generation = 2 }) end
handled_until = drain.hand_over(on_error)
local old_ring = handled()
new_version()
drain.take_over(handled_until, on_error)
put(5, { verdict = 2, generation = 2 })
tap.is({ old_ring, handled() }, { 'old1:1', 'new2:2 new3:2 new4:2' }, 'each has its part')
counters(0, judge 'old', 1)
drain.resume(on_error)
once()
tap.is(handled(), 'old5:258', 'none is handled twice when the old one goes on after that')

-- Handlers that raise, slots nobody knows, records that are being written.
old_version()
drain.handle(0, 1, EVENT, function(event)
  if event.number == 2 then error('two', 0) end
  judge 'old'(event, 0)
end)
put(1, {})
put(2, {})
put(3, { slot = 99 })
put(4, { generation = 2 })
put(5, {})
errors = {}
drain.hand_over(on_error)
tap.is({ handled(), errors }, { 'old1:0 old5:0', { 'two' } }, 'one that raises costs its event only')
tap.is(tonumber(consumer[0]), 48, 'an event of a slot that another version has is left')
old_version()
put(1, {})
busy = put(2, { flags = BUSY })
put(3, {})
start = engine.monotonic()
handled_until = drain.hand_over(on_error)
waited = engine.monotonic() - start
tap.ok(waited >= 1e8 and waited < 3e9, 'one that is being written is waited for, not for ever', waited)
tap.is({ handled(), handled_until }, { 'old1:0', 24 }, 'and is the next version\'s')
store(busy, ffi.new('struct ring_record', { length = 16 }), 8)
new_version()
drain.take_over(handled_until, on_error)
once()
tap.is(handled(), 'new2:257 new3:257', 'which judges it')

-- Around the end of the ring.
local lost = 0
for shift = 0, 40 do
  open(4096)
  counters(0, judge 'old', 1)
  for i = 1, 130 + shift do put(i, { generation = 2, length = 16 }) once() end
  handled()
  for i = 1, 100 do put(i, { verdict = i % 3, generation = i % 3 == 0 and 1 or 2 }) end
  handled_until = drain.hand_over(on_error)
  new_version()
  drain.take_over(handled_until, on_error)
  local text, count = handled(), 0
  for name, number in text:gmatch '(%l+)(%d+):' do
    count = count + 1
    if (tonumber(number) % 3 == 0) ~= (name == 'old') then lost = lost + 1 end
  end
  if count ~= 100 or consumer[0] ~= producer[0] then lost = lost + 1 end
end
tap.is(lost, 0, 'every event once, wherever the ring ends')
tap.done()
