-- SPDX-License-Identifier: Apache-2.0
--- stdlib/schema.lua: a probe's event as a Lua type.
local tap = require 'tap'
local ffi = require 'ffi'
local schema = require 'moonprobe.schema'

local FILE = debug.getinfo(1, 'S').short_src:gsub('%p', '%%%0')

local connect = assert(schema.of('tcp_connect'))
tap.is(connect.name, 'tcp_connect', 'its name')
tap.like(connect.about, '%.$', 'what it is')
tap.is(schema.of('tcp_connect'), connect, 'the same one again')

-- Unknown probes.
local none, message = schema.of('tcp_conect')
tap.is(none, nil, 'no such probe')
tap.is(message, "no probe named 'tcp_conect'; did you mean 'tcp_connect'?; moonprobe list shows all",
  'the nearest is named')
none, message = schema.of('qqqqqqqqqq')
tap.is({ none, message }, { nil, "no probe named 'qqqqqqqqqq'; moonprobe list shows all" }, 'nothing near')
for _, name in ipairs { '', '../x', 'a/b', 'tcp_connect.bpf', 'a\0b' } do
  tap.is(schema.of(name), nil, ("'%s' is no name"):format(name:gsub('%z', '\\0')))
end

-- An event in memory, as the ring has it.
local bytes = ffi.new('uint8_t[?]', connect.bytes)
local event = ffi.cast(connect.pointer, bytes)
local at = {}
for _, field in ipairs(connect.fields) do at[field.name] = field.offset end
local function put(name, ctype, value)
  ffi.cast(ctype .. ' *', bytes + at[name])[0] = value
end
put('pid', 'uint32_t', 1234)
put('latency_ns', 'uint64_t', 5000000)
put('dport', 'uint16_t', 443)
put('error', 'int32_t', 111)
put('time_ns', 'uint64_t', 1e9)
ffi.copy(bytes + at.comm, 'curl')
bytes[at.daddr + 10], bytes[at.daddr + 11], bytes[at.daddr + 12], bytes[at.daddr + 15] = 255, 255, 10, 1
tap.is(event.pid, 1234, 'a number')
tap.is(event.latency_ns, 5000000, '64 bits')
tap.is(event.dport, 443, '16 bits')
tap.is(event.comm, 'curl', 'text')
tap.is(event.daddr, '10.0.0.1', 'an address')
tap.is(event.error, 'ECONNREFUSED', 'an error')
local offset = event.time - 1
tap.ok(offset > 0 and offset < os.time() + 10, 'time is seconds since 1970', offset)
put('time_ns', 'uint64_t', 3e9)
tap.ok(math.abs(event.time - offset - 3) < 1e-6, 'time moves with time_ns')

-- What was read is the script's own.
local comm, address = event.comm, event.daddr
ffi.fill(bytes, connect.bytes, 0)
tap.is({ comm, address, event.comm, event.daddr }, { 'curl', '10.0.0.1', '', '::' }, 'values outlive the event')

-- Mistakes.
tap.is(schema.unknown_field(connect, 'latncy_ns'), "tcp_connect has no field 'latncy_ns'; did you mean 'latency_ns'?",
  'the nearest field is named')
tap.like(schema.unknown_field(connect, 'qqqqqqqqq'), "^tcp_connect has no field 'qqqqqqqqq'; it has comm, cpu, daddr, ",
  'or all of them')
tap.like(schema.unknown_field(connect, 5), "^tcp_connect has no field '5'", 'a number is no field')
local function raises(fn, pattern, name)
  tap.raises(fn, '^' .. FILE .. ':%d+: ' .. pattern, name)
end
raises(function() return event.latncy_ns end, "tcp_connect has no field 'latncy_ns'; did you mean", 'reading one')
-- The ring is mapped for reading only: a store would end the worker.
for _, name in ipairs { 'pid', 'dport', 'latency_ns', 'comm', '_comm', 'latncy_ns' } do
  raises(function() event[name] = 5 end, '', 'writing ' .. name)
end
tap.is(event.pid, 0, 'which has not changed')

-- Every probe.
local engine = require 'moonprobe.engine'
for _, name in ipairs(schema.plain(engine.assets('probes/', '.bpf.o'))) do
  local one, why = schema.of(name)
  tap.ok(one, name .. ' has a schema', why)
  if one then
    local memory = ffi.new('uint8_t[?]', one.bytes)
    local first, wrong = ffi.cast(one.pointer, memory), nil
    for field in pairs(one.readable) do
      local ok, problem = pcall(function() return first[field] end)
      if not ok then wrong = problem end
    end
    tap.ok(not wrong, name .. ': every field can be read from an event of zeros', wrong)
    ffi.fill(memory, one.bytes, 255)
    for field in pairs(one.readable) do
      local ok, problem = pcall(function() return first[field] end)
      if not ok then wrong = problem end
    end
    tap.ok(not wrong, name .. ': every field can be read from an event of ones', wrong)
  end
end
tap.done()
