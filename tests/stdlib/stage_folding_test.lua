-- SPDX-License-Identifier: Apache-2.0
--- stdlib/stage/folding.lua: what the kernel counts is what Lua counts.
local tap = require 'tap'
local ffi = require 'ffi'
local bit = require 'bit'
local folds = require 'folds'
local invented = require 'invented'

local numbers = { 0, 1, 2, 3, 7, 8, 100, 1023, 1024, 99999, 2 ^ 31, 2 ^ 40, 2 ^ 45 }
local events = {}
for i = 0, 51 do
  local number = numbers[i % 13 + 1]
  events[i + 1] = invented.event { pid = i, uid = i % 4, u8 = i * 5, i8 = i * 5 - 128, u64 = number,
    i64 = i % 2 == 0 and number or -number, flag = i % 2, comm = i % 3 == 0 and 'cat' or 'sh', file = '/tmp/' .. i % 4,
    tag = 'tag' .. i % 4 }
end

--- Everything is the kernel's, and as in Lua.
local function agree(name, make)
  local fold = folds.of(make)
  if fold:refusal() then return tap.ok(false, name, fold:refusal()) end
  local open = 0
  for _, verdict in ipairs(fold:run(events)) do if verdict ~= 0 then open = open + 1 end end
  tap.is({ fold:counted(), open }, { fold:expected(events), 0 }, name)
  return fold
end

-- Kinds, with and without keys.
for _, kind in ipairs { 'sum', 'avg', 'min', 'max', 'histogram' } do
  for _, field in ipairs { 'u8', 'i8', 'u64', 'i64' } do
    agree(('%s of %s'):format(kind, field), function(p, name) return p[kind](p, field, { name = name }) end)
    agree(('%s of %s by uid'):format(kind, field), function(p, name)
      return p[kind](p, field, { by = 'uid', name = name })
    end)
  end
  agree(kind .. ' of a fraction', function(p, name)
    return p[kind](p, function(e) return e.u8 / 4 end, { by = 'uid', name = name })
  end)
  agree(kind .. ' of a fraction that is not binary', function(p, name)
    return p[kind](p, function(e) return e.pid % 2 == 0 and e.u8 * 1000 / 1000 or 5 end, { name = name })
  end)
  agree(kind .. ' of a constant', function(p, name)
    return p[kind](p, function() return 7 end, { by = 'comm', name = name })
  end)
  agree(kind .. ' of one or the other', function(p, name)
    return p[kind](p, function(e) if e.flag then return e.i8 end return e.u64 end, { by = 'comm', name = name })
  end)
end
agree('count', function(p, name) return p:count { name = name } end)
agree('count by two', function(p, name) return p:count { by = { 'uid', 'comm' }, name = name } end)
for _, options in ipairs { { 0, 100, 10 }, { -50, 50, 7 }, { 10, 20, 1 }, { 100, 1000, 900 } } do
  local from, to, step = unpack(options)
  if (to - from) % step ~= 0 then to = from + math.ceil((to - from) / step) * step end
  for _, field in ipairs { 'u8', 'i8', 'i64' } do
    agree(('linear_histogram of %s, %d to %d by %d'):format(field, from, to, step), function(p, name)
      return p:linear_histogram(field, { from = from, to = to, step = step, by = 'uid', name = name })
    end)
  end
end
agree('linear_histogram of a fraction', function(p, name)
  return p:linear_histogram(function(e) return e.i8 / 16 end, { from = -5, to = 5, step = 1, name = name })
end)

-- Filters before it.
agree('behind filters', function(p, name)
  return p:where(function(e) return e.pid > 10 end):where(function(e) return e.comm == 'cat' end)
    :count { by = 'uid', name = name }
end)
local early = folds.of(function(p, name)
  p:where(function(e) return e.pid > 10 end):count { by = 'uid', name = name } end)
tap.ok(early.plan.early and early.jobs[1].fold_late == false, 'what needs no late field is counted early')
local late = folds.of(function(p, name)
  p:where(function(e) return e.pid > 10 end):count { by = 'comm', name = name } end)
tap.ok(late.plan.early and late.jobs[1].fold_late, 'what does, late')

-- What only Lua can tell is left to the worker, and nothing is counted twice.
local function split(name, make, some_open)
  local fold = folds.of(make)
  if fold:refusal() then return tap.ok(false, name, fold:refusal()) end
  local mine, theirs = {}, {}
  for i, verdict in ipairs(fold:run(events)) do
    local for_worker = bit.band(verdict, fold.jobs[1].bit or 0) ~= 0
    if for_worker and verdict < 128 then tap.ok(false, name .. ': it is not said to be undecided', verdict) end
    table.insert(for_worker and theirs or mine, events[i])
  end
  tap.is(fold:counted(), fold:expected(mine), name)
  tap.is(#theirs > 0, some_open, name .. (some_open and ': the rest is the worker\'s' or ': all of it'))
  return theirs
end
for _, e in ipairs(split('values of more than 2^45', function(p, name)
  return p:sum(function(e) return e.u64 * 2 end, { by = 'uid', name = name })
end, true)) do
  if e.u64 < 2 ^ 45 then tap.ok(false, 'only these', tonumber(e.u64)) end
end
split('values that are none', function(p, name)
  return p:sum(function(e) if e.flag then return e.flag end return e.pid end, { name = name })
end, true)
split('a flag', function(p, name) return p:sum('flag', { name = name }) end, true)
split('a key that raises', function(p, name)
  return p:count { by = function(e) return e.flag and e.flag + 1 or e.pid end, name = name }
end, true)
split('a filter that raises', function(p, name)
  return p:where(function(e) return e.pid < 20 or e.flag + 1 == 2 end):count { by = 'uid', name = name }
end, true)
split('numbers up to that', function(p, name) return p:sum('u64', { by = 'uid', name = name }) end, false)

-- No room: the event is refused, and counted as such.
local full = folds.of(function(p, name) return p:count { by = 'pid', max_keys = 10, name = name } end)
full:run(events)
local cells = 0
full:cells(function() cells = cells + 1 end)
local control = full.stage:value(full.fold.control, '\0\0\0\0')
tap.is({ cells, tonumber(control[1]) }, { 10, #events - 10 }, 'as many keys as there is room for; others are counted')
full:run { events[1] }
tap.is(full:counted()[0], 2, 'keys that are there go on')
tap.is(folds.of(function(p, name)
  return p:count { by = 'pid', full = 'lru', name = name } end).plan.maps[2].kind, 'lru',
  'or the oldest gives way')

-- Banks.
local banked = folds.of(function(p, name) return p:count { by = 'uid', name = name } end)
banked:run(events)
banked.stage:value(banked.fold.control, '\0\0\0\0')[0] = 1
banked:run { events[1], events[1] }
local by_map = {}
banked:cells(function(_, value, index) by_map[index] = (by_map[index] or 0) + tonumber(value[0]) end)
tap.is({ by_map[banked.fold.maps[1]], by_map[banked.fold.maps[2]] }, { #events, 2 },
    'events go into the bank that is in use')
local plain = folds.of(function(p, name) return p:sum('u8', { name = name }) end)
plain:run { events[2] }
plain.stage:value(plain.fold.control, '\0\0\0\0')[0] = 1
plain:run { events[2], events[2] }
by_map = {}
plain:cells(function(key, value) by_map[key:byte()] = tonumber(value[0]) end)
tap.is(by_map, { [0] = 1, [1] = 2 }, 'also without keys')

-- Notes: a text of the key's first event.
local noted = folds.of(function(p, name) return p:count { by = 'uid', note = 'tag', name = name } end)
tap.is(noted:refusal(), nil, 'a note')
noted:run(events)
local wrong = {}
noted:cells(function(key, value)
  local note = noted.fold.note_decode(ffi.cast('const uint8_t *',
    value) + noted.fold.value_bytes - noted.fold.note_bytes)
  local uid = tonumber(ffi.cast('const int64_t *', key)[0])
  if note ~= 'tag' .. uid then wrong[#wrong + 1] = { uid, note } end
end)
tap.is(wrong, {}, 'beside each key')

-- Several aggregates on one probe.
local several = folds.of(function(p, name)
  p:count { by = 'uid', name = name }
  p:sum('u8', { by = { 'comm', 'uid' }, name = name .. ' b' })
  p:where(function(e) return e.flag end):max('i8', { name = name .. ' c' })
  p:each(function(e) return e.pid end)
end)
local verdicts = several:run(events)
local bits = {}
for _, verdict in ipairs(verdicts) do bits[verdict] = true end
tap.is(bits, { [several.jobs[4].bit] = true }, 'only the handler needs the ring')
for i = 1, 3 do
  several.fold, several.sink = several.jobs[i].fold, several.sinks[i]
  tap.is(several:counted(), several:expected(events), ('aggregate %d of three'):format(i))
end
local eight = folds.of(function(p, name)
  for i = 1, 8 do p:sum(function(e) return e.u64 * 2 ^ i end, { by = 'uid', name = name .. i }) end
end)
local double = 0
verdicts = eight:run(events)
for i = 1, 8 do
  eight.fold, eight.sink = eight.jobs[i].fold, eight.sinks[i]
  local counted = eight.fold and eight:counted() or {}
  local mine = {}
  for k, event in ipairs(events) do
    if eight.fold and bit.band(verdicts[k], eight.jobs[i].bit or 0) == 0 then mine[#mine + 1] = event end
  end
  local expected = eight:expected(mine)
  for key, value in pairs(expected) do if counted[key] ~= value then double = double + 1 end end
  for key in pairs(counted) do if not expected[key] then double = double + 1 end end
end
tap.is(double, 0, 'eight that may be undecided: none is counted by both, or by nobody')

-- The frame has room for all.
local keyed = folds.of(function(p, name)
  p:count { by = { 'pid', 'uid' }, name = name }
  p:count { by = { 'file', 'uid' }, name = name .. ' b' }
  p:count { by = { 'file', 'file', 'comm' }, name = name .. ' c' }
  p:count { by = { 'file', 'comm', 'comm', 'uid', 'pid' }, name = name .. ' d' }
  p:count { by = { 'file', 'comm' }, name = name .. ' e' }
  p:where(function(e) return ({ 1 })[1] == e.pid end):count { name = name .. ' f' }
end)
local refused = 0
for i = 1, 5 do if not keyed.jobs[i].fold then refused = refused + 1 end end
tap.is(refused, 0, 'large keys')
tap.ok(pcall(keyed.run, keyed, events), 'stay in the frame')

-- The same maps in the next version, others when something else is counted.
local function name_of(options, kind, value)
  options.name = 'kept'
  local made = folds.of(function(p)
    if value then return p[kind](p, value, options) end
    return p:count(options)
  end)
  return made.fold.name
end
local first = name_of { by = 'uid' }
tap.like(first, '^%x+$', 'a name for its maps')
tap.ok(first ~= name_of { by = 'comm' }, 'another key, another name')
tap.ok(name_of { by = 'uid', max_keys = 5 } ~= name_of { by = 'uid' }, 'another size, too')
local named = folds.of(function(p, name) return p:count { by = 'uid', name = name } end)
tap.is(#named.plan.maps[1].name < 64, true, 'it fits into a plan')

-- What is not folded.
local function is_refused(reason, make)
  tap.like(folds.of(make):refusal(), reason, 'refused: ' .. reason)
end
is_refused('text as a value', function(p, name) p:sum(function() return '5' end, { name = name }) end)
is_refused('arithmetic on text', function(p, name) p:sum('comm', { name = name }) end)
is_refused('different denominators', function(p, name)
  p:sum(function(e) return e.flag and e.pid / 3 or e.uid / 7 end, { name = name })
end)
is_refused('is not an integer', function(p, name) p:sum(function() return 0.5 end, { name = name }) end)
is_refused('buckets at fractions', function(p, name)
  p:linear_histogram('u8', { from = 0, to = 1, step = 0.1, name = name })
end)
is_refused('a note without a key', function(p, name) p:count { note = 'tag', name = name } end)
is_refused('a note that is not a text', function(p, name) p:count { by = 'uid', note = 'pid', name = name } end)
is_refused('library', function(p, name) p:where(function(e) return tostring(e) end):count { name = name } end)
tap.done()
