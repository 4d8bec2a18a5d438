-- SPDX-License-Identifier: Apache-2.0
--- own_map.lua: maps made of Lua tables in the place of the kernel's. tests/live/object_test.lua has real ones.

local tap = dofile 'tests/tap.lua'
local ffi = require 'ffi'
local ask_for_file = require 'moonprobe.ask_for_file'
local btf = require 'moonprobe.btf'
local engine = require 'moonprobe.engine'
local job = require 'moonprobe.job'
local own_map = require 'moonprobe.own_map'

local object = assert(engine.object(assert(ask_for_file('object', 'tests/objects/every_map.bpf.o'))))
local types = assert(btf.parse(object.btf))
job.cpus = 3

-- A kernel: [fd] = { max_entries, order = { key... }, values = { [key] = bytes } }.
local kernel = {}
local held -- alive until the next call
local calls, batches = 0, true

local function pointer_to(bytes)
  held = ffi.new('uint8_t[?]', #bytes + 1)
  ffi.copy(held, bytes, #bytes)
  return held
end

local failing
function engine.any_get(fd, key)
  if failing then return nil, failing end
  local bytes = kernel[fd].values[key or kernel[fd].order[1]]
  if not bytes then return nil, 2 end
  return pointer_to(bytes)
end
function engine.any_set(fd, key, value, flags)
  local map = kernel[fd]
  calls = calls + 1
  if failing then return nil, failing end
  if key and map.values[key] and flags == 1 then return nil, 17 end
  if key and not map.values[key] and flags == 2 then return nil, 2 end
  key = key or tostring(calls)
  if not map.values[key] then
    if #map.order >= map.max_entries then return nil, 7 end
    map.order[#map.order + 1] = key
  end
  map.values[key] = value
  return true
end
function engine.any_delete(fd, key)
  local map = kernel[fd]
  if failing then return nil, failing end
  if not map.values[key] then return nil, 2 end
  map.values[key] = nil
  for i, one in ipairs(map.order) do if one == key then table.remove(map.order, i) break end end
  return true
end
function engine.any_take(fd, key)
  if failing then return nil, failing end
  key = key or kernel[fd].order[1]
  local bytes = kernel[fd].values[key]
  if not bytes then return nil, 2 end
  engine.any_delete(fd, key)
  return pointer_to(bytes)
end
function engine.any_next(fd, key)
  local order = kernel[fd].order
  if not key then return order[1], 2 end
  for i, one in ipairs(order) do if one == key then return order[i + 1], 2 end end
  return order[1], 2
end
local held_keys, held_values
function engine.any_batch(fd, key_bytes, value_bytes, _, from)
  if not batches then return nil, 524 end
  local map, at = kernel[fd], tonumber(from) or 0
  local count = math.min(2, #map.order - at)
  held_keys, held_values = ffi.new('uint8_t[?]', count * key_bytes + 1), ffi.new('uint8_t[?]', count * value_bytes + 1)
  for i = 0, count - 1 do
    ffi.copy(held_keys + i * key_bytes, map.order[at + i + 1], key_bytes)
    ffi.copy(held_values + i * value_bytes, map.values[map.order[at + i + 1]], value_bytes)
  end
  return count, held_keys, held_values, at + count < #map.order and tostring(at + count) or nil
end
function engine.map(fd, bytes)
  kernel[fd].memory = kernel[fd].memory or ffi.new('uint64_t[?]', bytes / 8)
  return kernel[fd].memory
end

local next_fd = 100
local function open(name, max_entries)
  local one
  for _, map in ipairs(object.maps) do if map.name == name then one = map end end
  local queue = {}
  local map = assert(own_map.declared(one, types, queue, { object = 0, index = 0 }))
  next_fd = next_fd + 1
  kernel[next_fd] = { max_entries = max_entries or one.max_entries, order = {}, values = {} }
  return map, function(value_bytes)
    return own_map.attach(map, { name, one.kind, one.key_bytes, value_bytes or one.value_bytes, one.max_entries,
      one.flags }, 1, next_fd)
  end, queue
end

-- Before the script runs.
local calls_map, attach, queue = open 'calls'
tap.raises(function() return calls_map[{ pid = 1 }] end, 'map calls: can be read once the script runs', 'not yet')
calls_map[{ pid = 1 }] = { hits = 2 }
tap.is(#queue, 1, 'writes are kept')
tap.is(#queue[1].value, 24, 'as bytes')
tap.like(select(2, calls_map:set({ pid = 1 }, { hits = 'x' })), 'value.hits: expected an integer', 'checked at once')
local big = assert(own_map.declared({ name = 'big', kind = 1, key_bytes = 4, value_bytes = 50000, max_entries = 999,
  flags = 0, key_type = 0, value_type = 0 }, nil, {}, { object = 0, index = 0 }))
local problem
for i = 1, 999 do
  problem = select(2, big:set(i, ('x'):rep(50000)))
  if problem then break end
end
tap.like(problem, 'map big: there is no room for so many entries before the script runs', 'what the host has room for')
big = assert(own_map.declared({ name = 'bigger', kind = 1, key_bytes = 4, value_bytes = 70000, max_entries = 1,
  flags = 0, key_type = 0, value_type = 0 }, nil, {}, { object = 0, index = 0 }))
tap.like(select(2, big:set(1, ('x'):rep(70000))), 'map bigger: key and value have 70004 bytes', 'what a message has')
tap.like(attach(16), 'in the kernel its key has 8 bytes and its value 16, in the object 8 and 24', 'another size')
tap.is(attach(), nil, 'attached')
job.running = true

-- A hash.
calls_map[{ pid = 1, kind = 2 }] = { hits = 5, least = -1 }
tap.is(calls_map[{ pid = 1, kind = 2 }], { hits = 5, least = -1, small = 0 }, 'read')
tap.is(calls_map[{ pid = 9 }], nil, 'a missing key')
tap.is({ calls_map:get { pid = 9 } }, {}, 'is nil without a message')
tap.is(calls_map:delete { pid = 1, kind = 2 }, true, 'deleted')
tap.like(select(2, calls_map:delete { pid = 1, kind = 2 }), 'map calls: has no key { kind = 2, pid = 1 }', 'twice')
calls_map[{ pid = 1, kind = 2 }] = nil
tap.is(calls_map:insert({ pid = 1 }, {}), true, 'insert')
tap.like(select(2, calls_map:insert({ pid = 1 }, {})), 'has the key { pid = 1 } already', 'insert one that is there')
tap.like(select(2, calls_map:replace({ pid = 2 }, {})), 'has no key', 'replace one that is not there')
local before = calls
tap.raises(function() calls_map[{ pdi = 1 }] = {} end,
  "map calls: key: struct pair has no field 'pdi'; did you mean 'pid'",
  'a misspelt field of a key')
tap.raises(function() calls_map[{ pid = 1 }] = 5 end,
  'map calls: value: expected a table %(struct cell%), given 5', 'a kind')
tap.raises(function() calls_map[{ pid = 2 ^ 32 }] = {} end,
  'map calls: key.pid: expected an integer from 0 to', 'a range')
tap.raises(function() calls_map.get = {} end, "'get' is a method's name", 'a name of a method')
tap.is(calls, before, 'nothing was written')
for errno, text in pairs { [7] = 'is full: it has room for 64 entries', [12] = 'no memory', [1] = 'may not be written',
  [5] = 'EIO' } do
  failing = errno
  tap.like(select(2, calls_map:set({ pid = 3 }, {})), 'map calls: .*' .. text, text)
end
failing = 524
tap.like(select(2, calls_map:take { pid = 1 }), 'take_in_two does it in two', 'a kernel that cannot take')
failing = nil
tap.is({ calls_map:take_in_two { pid = 1 } }, { { hits = 0, least = 0, small = 0 } }, 'in two steps')
tap.is(calls_map:take { pid = 1 }, nil, 'gone')

-- All of it.
for pid = 1, 5 do calls_map[{ pid = pid }] = { hits = pid * 10 } end
local function sum()
  local keys, hits = 0, 0
  for key, value in calls_map:each() do keys, hits = keys + key.pid, hits + value.hits end
  return { keys, hits, #calls_map:batch() }
end
tap.is(sum(), { 15, 150, 5 }, 'each and batch')
batches = false
tap.is(sum(), { 15, 150, 5 }, 'where the kernel has no batches')
batches = true
for _, entry in ipairs(calls_map:batch()) do calls_map[entry[1]] = nil end
tap.is(calls_map:batch(), {}, 'all deleted')

-- A trie, whose walk begins anew behind a key that is gone.
local networks, attach_networks = open 'networks'
attach_networks()
for i = 1, 9 do networks[('10.0.%d.0/24'):format(i)] = 'x' end
local came = {}
for key in networks:each() do
  came[#came + 1] = key
  if #came % 2 == 0 then networks[key] = nil end
end
table.sort(came)
tap.is({ #came, came[1], came[9], #networks:batch() }, { 9, '10.0.1.0/24', '10.0.9.0/24', 5 },
  'a trie: each comes once, whatever is deleted meanwhile')
local any_next, steps = engine.any_next, 0
function engine.any_next(fd, key)
  steps = steps + 1
  if steps == 4 then engine.any_delete(fd, key) end -- as a program does
  return any_next(fd, key)
end
tap.is(#networks:batch(), 4, 'or what a program deletes')
engine.any_next = any_next

-- Arrays, each CPU, lines.
local totals, attach_totals = open 'totals'
attach_totals()
tap.raises(function() totals[4] = 1 end, 'map totals: key 4 is outside of the array: expected 0 to 3', 'outside')
tap.raises(function() totals[-1] = 1 end, 'key: expected an integer from 0', 'before the first')
tap.raises(function() return totals.each_ end, 'key: expected an integer.*given "each_"', 'no number')
local by_kind, attach_kinds = open 'by_kind'
attach_kinds()
by_kind.enter = 5
tap.is(by_kind.enter, 5, 'an array whose keys have names')
tap.raises(function() by_kind.exit = 1 end, 'map by_kind: key "exit" is outside of the array: expected 0 to 1',
  'and outside of it')
local per_cpu, attach_cpu = open 'cpu_calls'
attach_cpu()
per_cpu[1] = { 1, 2, 18446744073709551600ULL }
tap.is({ #per_cpu[1], per_cpu[1][2], tostring(per_cpu[1]:sum()) }, { 3, 2, '-13' }, 'a value for each CPU')
tap.raises(function() per_cpu[1] = 5 end, 'expected a list of 3 %(one __u64 for each CPU%), given 5', 'not one for all')
tap.raises(function() per_cpu[1] = { 1, 2 } end, 'given one of 2', 'not too few')
local cells, attach_cells = open 'cpu_cells'
attach_cells()
cells[0] = { { hits = 1 }, { hits = 2, least = -4 }, { small = 9 } }
tap.is(cells[0]:sum(), { hits = 3, least = -4, small = 9 }, 'structs are summed field by field')
local shelves, attach_shelves = open 'shelves'
attach_shelves()
failing = 22
tap.like(select(2, shelves:set(0, totals)), 'map shelves: value: expected a map of the kind and size', 'another map')
tap.like(select(2, totals:delete(0)), 'cannot be deleted', 'an entry of an array')
failing = nil
local line, attach_line = open 'line'
attach_line()
tap.is({ line:push(4), line:push(5), line:peek(), line:pop(), line:pop(), line:pop() },
  { true, true, 4, 4, 5 }, 'a queue')
tap.like(select(2, line:push 'x'), 'map line: value: expected an integer', 'a value of another kind')
tap.raises(function() return line:each() end, 'a queue has no keys; push, pop and peek are for it', 'no keys')
tap.raises(function() return line.pusch end, "has no method 'pusch'; did you mean 'push'", 'a misspelt method')
tap.raises(function() return totals:push(1) end, 'expected a queue or a stack, given: array', 'the other way round')

-- Mapped arrays.
local mapped, attach_mapped = open 'cells'
attach_mapped()
local view = mapped:map()
tap.is({ view:add(1, 'hits', 5), view:add(1, 'hits', -2), view:load(1, 'hits'), view[1].hits }, { 0, 5, 3, 3 }, 'add')
view:store(1, 'small', 4294967295)
tap.is({ mapped:load(1, 'small'), mapped:add(1, 'small', 1), mapped:load(1, 'small') }, { 4294967295, 4294967295, 0 },
  'an integer wraps')
view:store(0, 'hits', 18446744073709551615ULL)
tap.is(tostring(view:load(0, 'hits')), '18446744073709551615ULL', '64 bits')
view:store(0, 'least', -7)
tap.is(view[0].least, -7, 'a signed one')
tap.raises(function() view:add(4, 'hits', 1) end, 'expected an index from 0 to 3, given 4', 'outside')
tap.raises(function() view:add(0, 'hist', 1) end, "no field 'hist'; did you mean 'hits'", 'a misspelt field')
tap.raises(function() view:add(0, nil, 1) end, 'expected an integer of 4 or 8 bytes, given struct cell', 'no integer')
tap.raises(function() view:add(0, 'hits', 1.5) end, 'expected an integer', 'no whole number')
tap.raises(function() view:store(0, 'small', -1) end, 'expected an integer from 0 to 4294967295', 'a range')
tap.raises(function() view[0] = 1 end, 'stored with store and add', 'not assigned')
tap.raises(function() totals:map() end, 'expected an array with BPF_F_MMAPABLE', 'an array that cannot be mapped')

tap.done()
