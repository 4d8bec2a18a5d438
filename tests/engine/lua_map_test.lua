-- SPDX-License-Identifier: Apache-2.0
--- Run by lua_map_test.c, which says what is there.

-- luacheck: globals engine kernel
local tap = dofile 'tests/tap.lua'
local ffi = require 'ffi'
local buffer = require 'string.buffer'

table.insert(package.loaders, function(name)
  local source = engine.asset('stdlib/' .. name:gsub('^moonprobe%.', ''):gsub('%.', '/') .. '.lua')
  return source and assert(loadstring(source, '@' .. name))
end)
package.preload['moonprobe.engine'] = function() return engine end
local cells = require 'moonprobe.stage.cells'

if not kernel.map('hash', 4, 8, 1) then tap.skip_all('needs the privilege to create a map') end

local function text_of(ctype, ...) return ffi.string(ffi.new(ctype, { ... }), ffi.sizeof(ctype)) end
local function key_of(n) return text_of('uint32_t[1]', n) end
local function value_of(n) -- n on the first CPU, n * 10 on the others
  local values = ffi.new('uint64_t[?]', kernel.cpus)
  for cpu = 0, kernel.cpus - 1 do values[cpu] = cpu == 0 and n or n * 10 end
  return ffi.string(values, kernel.cpus * 8)
end
local all_bytes = kernel.cpus * 8

-- The functions by themselves.
local hash = assert(kernel.map('hash', 4, 8, 5000))
--- Every key with its first CPU's value; how many calls it took.
local function all(key_bytes, value_bytes)
  local found, calls, from = {}, 0, nil
  repeat
    local count, keys, values, following = engine.map_batch(hash, key_bytes or 4, value_bytes or all_bytes, from)
    if not count then return nil, keys end
    calls = calls + 1
    for i = 0, count - 1 do
      local key = ffi.cast('uint32_t *', keys)[i]
      if found[key] then tap.ok(false, 'a key comes once', key) end
      found[key] = tonumber(ffi.cast('uint64_t *', values)[i * kernel.cpus])
    end
    from = following
  until not from
  return found, calls
end
tap.is(all(), {}, 'an empty map')
local expected = {}
for i = 1, 5000 do
  expected[i] = i * 7
  if not engine.map_update(hash, key_of(i), value_of(i * 7)) then tap.ok(false, 'update', i) end
end
tap.is(all(), expected, 'all entries, in batches')
local value = assert(engine.map_lookup(hash, key_of(2), all_bytes))
tap.is(tonumber(ffi.cast('uint64_t *', value)[kernel.cpus - 1]), kernel.cpus > 1 and 140 or 14,
  'the value of every CPU')
local keys = {}
for i = 1, 5000 do
  if i % 2 == 0 then keys[#keys + 1], expected[i] = key_of(i), nil end
end
tap.ok(engine.map_wipe(hash, key_of(6), 4), 'one key is deleted')
tap.ok(engine.map_wipe(hash, table.concat(keys) .. key_of(9999), 4), 'many, some of which are gone')
tap.is(all(), expected, 'the others stay')
tap.ok(engine.map_wipe(hash, '', 4), 'none')
for _, call in ipairs { { 'map_batch', 999, 4, 8 }, { 'map_lookup', 999, key_of(1), 8 },
  { 'map_update', 999, key_of(1), value_of(1) }, { 'map_wipe', 999, key_of(1), 4 } } do
  local ok, message = engine[call[1]](unpack(call, 2))
  tap.ok(ok == nil and message:find('Bad file descriptor'), call[1] .. ' tells an error', message)
end
tap.is(select(2, engine.map_lookup(hash, key_of(2), all_bytes)), 'reading a map: No such file or directory',
  'a key that is not there')

-- Values of which a batch holds few.
local large = assert(kernel.map('hash', 4, 4096, 500))
local put = 0
for i = 1, 500 do -- memory for so many may come late
  for _ = 1, 100 do
    if engine.map_update(large, key_of(i), ('x'):rep(4096 * kernel.cpus)) then
      put = put + 1
      break
    end
    kernel.sleep(1)
  end
end
local from, seen = nil, 0
repeat
  local count, _, _, following = engine.map_batch(large, 4, 4096 * kernel.cpus, from)
  from, seen = following, seen + count
until not from
tap.is({ put, seen }, { 500, 500 }, 'large values')

-- Cells, counted by a program on two CPUs while they are read and cleared: every event once.

local WORDS = { { op = 'add', of = 'one' }, { op = 'add', of = 'value' } }

local function maps_of(kind, entries)
  local control = assert(kernel.map('values', 4, 16 + 16, 1))
  if kind == 'array' then
    local array = assert(kernel.map('array', 4, 16, 2))
    return { array, control }, kernel.program(array, array, control, 1)
  end
  local a, b = assert(kernel.map(kind, 8, 16, entries)), assert(kernel.map(kind, 8, 16, entries))
  return { a, b, control }, kernel.program(a, b, control, 64)
end

local function open(fds)
  return assert(cells.open { fds = fds, keyed = #fds == 3, key_bytes = 8, word_ops = WORDS, note_bytes = 0,
    cpus = kernel.cpus })
end

--- Reads, and adds what there is to what was there before.
local function add_up(counts, total)
  local sum = { events = 0, values = 0, by_key = {} }
  assert(counts:read(function(key, words)
    key = key ~= nil and tonumber(ffi.cast('uint64_t *', key)[0]) or 0
    if sum.by_key[key] then tap.ok(false, 'a key comes once') end
    sum.by_key[key] = words[1]
    sum.events, sum.values = sum.events + words[1], sum.values + words[2]
  end))
  sum.refused = counts:refused()
  if not total then return sum end
  for name, number in pairs(total) do total[name] = number + sum[name] end
  return sum
end

local function everything_once(name, kind, entries, pauses)
  local fds, program = maps_of(kind, entries)
  if not program or not kernel.run(program, 5) then
    tap.skip(name, 'programs of that type cannot run here')
    return
  end
  local counts = open(fds)
  tap.is(add_up(counts).events, 5, name .. ': five events')
  tap.is(add_up(counts).events, 5, name .. ': a look changes nothing')
  counts:clear()
  tap.is(add_up(counts).events, 0, name .. ': a clear does')

  local total, reads = { events = 0, values = 0, refused = 0 }, 0
  kernel.start(program)
  local stop_at = engine.monotonic() + 0.8e9
  while engine.monotonic() < stop_at do
    kernel.sleep(pauses[reads % #pauses + 1])
    add_up(counts) -- a look that is not shown
    add_up(counts, total)
    counts:clear()
    reads = reads + 1
    if reads % 7 == 0 then -- another version takes over
      local saved = buffer.decode(buffer.encode(counts:save()))
      counts:close()
      counts = open(fds)
      if not counts:restore(saved) then tap.ok(false, name .. ': handed over') end
    end
  end
  local events = kernel.stop()
  add_up(counts, total)
  counts:clear()
  kernel.sleep(110)
  add_up(counts, total)
  counts:clear()
  tap.is(total.events + total.refused, events, ('%s: %d events, read %d times, each once'):format(name, events, reads))
  tap.is(total.values, 3 * total.events, name .. ': with its value')
  tap.ok(counts.emptied[0] + counts.emptied[1] >= 2, name .. ': banks were emptied', counts.emptied)
  tap.is(add_up(counts), { events = 0, values = 0, refused = 0, by_key = {} }, name .. ': nothing is left')
  counts:close()
  return total
end

everything_once('by key', 'hash', 64, { 20, 0, 3, 130, 1 })
everything_once('in quick succession', 'hash', 64, { 0 })
everything_once('without keys', 'array', 2, { 20, 0, 3, 130, 1 })
everything_once('least recently used', 'lru', 4096, { 20, 0, 3, 130, 1 })
local total = everything_once('more keys than fit', 'hash', 16, { 20, 0, 3, 130, 1 })
if total then tap.ok(total.refused > 0, 'more keys than fit: some are refused', total) end

-- After a crash: what was left is forgotten, what is in use counts as it is.
local fds, program = maps_of('hash', 64)
if program then
  local first = open(fds)
  kernel.run(program, 100)
  add_up(first)
  first:clear() -- in bank b now
  kernel.run(program, 10)
  local second = open(fds)
  tap.is(add_up(second).events, 10, 'after a crash the bank in use counts')
  tap.is(add_up(first).events, 10, 'and who was there before notices')
  second:clear()
  kernel.run(program, 1)
  tap.is(add_up(second).events, 1, 'and all goes on')
  first:close()
  second:close()
end
tap.done()
