-- SPDX-License-Identifier: Apache-2.0
--- stdlib/recording.lua: the texts of a recording, also those that somebody made up.
local tap = require 'tap'
local ffi = require 'ffi'
local engine = require 'moonprobe.engine'
local fields = require 'moonprobe.fields'
local recording = require 'moonprobe.recording'
local schema = require 'moonprobe.schema'

local machine = { architecture = 'x86_64', byte_order = 'little', word_bytes = 8, kernel = '6.1\n\\x', cpus = 4,
  started_ns = 12345678901234, realtime_offset_ns = 1700000000000000000 }

-- Every probe there is, as it comes from its object.
local sources = {}
for i, name in ipairs(schema.plain(engine.assets('probes/', '.bpf.o'))) do
  sources[i] = { slot = i - 1, schema = assert(schema.of(name)), knobs = {} }
end
sources[1].knobs = { quota = 5, name = 'a b\nc\\d' }
sources[#sources + 1] = { slot = 200, schema = sources[1].schema, knobs = { quota = 6 } }
local text = recording.head(machine, sources)
local head, problem = recording.parse_head(text)
tap.ok(head, 'a head is read', problem)
for name, value in pairs(machine) do tap.is(head[name], value, 'machine: ' .. name) end
tap.is(#head.probes, #sources, 'probes')

local function differences(a, b)
  for i, field in ipairs(a.fields) do
    for _, name in ipairs { 'name', 'kind', 'type', 'doc', 'offset', 'bytes', 'element_bytes', 'elements', 'late',
      'values' } do
      if tap.show(field[name]) ~= tap.show(b.fields[i] and b.fields[i][name]) then
        return ('%s: %s: %s'):format(a.name, field.name, name)
      end
    end
  end
  for i, knob in ipairs(a.knobs) do
    for _, name in ipairs { 'name', 'doc', 'bytes', 'is_signed', 'is_text', 'preset' } do
      if knob[name] ~= b.knobs[i][name] then return ('%s: %s: %s'):format(a.name, knob.name, name) end
    end
  end
  return a.name == b.name and a.bytes == b.bytes and a.about == b.about and a.blind == b.blind and '' or a.name
end
local different = {}
for i, source in ipairs(sources) do
  local one = differences(source.schema, head.probes[i].known or head.probes[i])
  if one ~= '' then different[#different + 1] = one end
end
tap.is(different, {}, 'schemas are the same')
tap.is(head.probes[1].set, { quota = 5, name = 'a b\nc\\d' }, 'knobs')
tap.is({ head.probes[#sources].set.quota, head.probes[#sources].known == head.probes[1] }, { 6, true },
  'the same probe with other knobs')

-- Whose events a script gets: a knob that is not set is one that has its preset.
local plain = recording.parse_head(recording.head(machine, { { slot = 3, knobs = { failed_only = 0 },
  schema = assert(schema.of 'syscall') } }))
local served = {}
for i, knobs in ipairs { {}, { failed_only = 0 }, { only_number = -1, min_ns = 0 }, { failed_only = 1 },
  { only_number = 0 }, { unheard_of = 0 } } do
  local _, has_knobs = recording.probe_for(plain, 'syscall', knobs)
  served[i] = has_knobs
end
tap.is(served, { true, true, true, false, false, false }, 'presets are knobs, too')
plain.probes[1].knobs = {}
tap.is({ select(2, recording.probe_for(plain, 'syscall', {})) }, { false }, 'without presets: as it is written')
tap.is({ select(2, recording.probe_for(plain, 'syscall', { failed_only = 0 })) }, { true }, 'which may fit')

-- What is refused, with one line.
local small = recording.head(machine, { { slot = 3, knobs = {}, schema = assert(schema.of 'process_exit') } })
local function refused(change, to, pattern)
  local changed, count = small:gsub(change, to, 1)
  local got, message = recording.parse_head(changed)
  tap.ok(count == 1 and not got and message:find(pattern) and not message:find '\n',
    ('%s: %s'):format(to:sub(1, 40):gsub('\n', ' '), tostring(message)), message)
end
refused('\nknob ', '\npreset_number 5\nknob ', 'a preset of no knob')
refused('preset_number 0', 'preset_number x', 'preset: not a number')
refused('recording 1', 'recording 2', 'newer moonprobe: format 2')
refused('moonprobe%-recording', 'moon', 'not a head')
refused('cpus 4', 'cpus 0', 'cpus: not a number')
refused('cpus 4', 'cpus 1e9', 'cpus: not a number')
refused('cpus 4\n', '', 'cpus: missing')
refused('probe 3 ', 'probe 256 ', 'slot: not a number')
refused('probe 3 process_exit', 'probe 3 ../x', 'probe: not a name')
refused('probe 3 process_exit %d+', 'probe 3 process_exit 99999999', 'bytes: not a number')
refused('probe 3 process_exit %d+', 'probe 3 process_exit 16', 'outside its event')
refused('field time_ns', 'field tine_ns', 'does not tell the time')
refused('field pid u', 'field pid z', 'kind or size')
refused('field pid u (%d+) 4 4 0', 'field pid u %1 4 3 0', 'kind or size')
refused('field pid u %d+', 'field pid u 17', 'not aligned')
refused('field pid u %d+', 'field pid u 4294967296', 'not a number')
refused('field tid', 'field pid', 'twice')
refused('field comm c', 'field comm s', 'struct that is not known')
refused('\nabout [^\n]*', '\nnonsense 1', 'not understood')
refused('\n$', '', 'no end')

-- Generic probes: paths as fields, any characters in their names.
local generic_head
do
  local generic = require 'generic'
  local mp = require 'moonprobe'
  local event = require 'moonprobe.testing.event'
  local made = generic.load(function()
    mp.probe('signal:/usr/bin/my tool*:do+it.x\\1'):each(function(e)
      return e.args.fd, e.args.name, e.args.sk.__sk_common.skc_state, e.ret, e.args.sk.next, e.args.argv[1],
        e.args.iov[0].iov_len, e.args[3]
    end)
  end)[1]
  made.slot = 4
  for _, field in ipairs(made.schema.fields) do -- a place has any name
    if field.name == 'args.fd' then field.values = { [3] = 'operator new:target' } end
  end
  local written = recording.head(machine, { made })
  local again, why = recording.parse_head(written)
  tap.ok(again, 'a head with a generic probe is read', why)
  tap.is(differences(made.schema, again.probes[1]), '', 'and is what it was')
  tap.is(written:match '\nprobe 4 (%S+) ', 'signal:/usr/bin/my\\032tool*:do+it.x\\0921', 'its name is one word')
  local values = { ret = -1, args = { fd = 3, name = 'x', argv = { '-v' }, iov = { [0] = { iov_len = 9 } }, [3] = 4,
    sk = { next = 7, __sk_common = { skc_state = 'established' } } } }
  local bytes = event.new(made.schema, values)
  schema.recorded = function() return again.probes[1] end
  local replayed = schema.of(again.probes[1].name)
  schema.recorded = nil
  local e = ffi.cast(replayed.pointer, bytes)
  tap.is({ e.ret, e.args.fd, e.args.name, e.args.sk.next, e.args.sk.__sk_common.skc_state, e['args.sk.next'] },
    { -1, 'operator new:target', 'x', 7, 'established', 7 }, 'its events read as they were')
  tap.is({ e.args.argv[1], e['args.argv[1]'], e['args.argv.1'], e.args.iov[0].iov_len, e.args[3], e.args['3'] },
    { '-v', '-v', '-v', 9, 4, 4 }, 'their elements, too')
  tap.is({ written:match '\nfield (args.argv%S+) ', written:match '\nfield (args.iov%S+) ' },
    { 'args.argv[1]', 'args.iov[0].iov_len' }, 'which are written as in C')
  small, written = written, small
  refused('field args.fd', 'field args.name.x', 'args.name: a value and a struct')
  refused('field args.fd', 'field args..fd', 'field: not a name')
  refused('field args.fd', 'field args.', 'field: not a name')
  refused('field args.fd', 'field .fd', 'field: not a name')
  refused('field args.fd', 'field args.f-d', 'field: not a name')
  refused('field args.fd', 'field args.fd[', 'field: not a name')
  refused('field args.fd', 'field args.fd[x]', 'field: not a name')
  refused('field args.fd', 'field args.fd[-1]', 'field: not a name')
  refused('field args.fd', 'field args.fd.0', 'field: not a name')
  refused('field args.fd', 'field args.fd[0]x', 'field: not a name')
  refused('field args.fd', 'field [0]', 'field: not a name')
  refused('field args.fd', 'field args.name[0]', 'args.name: a value and a struct')
  refused('field args.fd', 'field a' .. ('.a'):rep(16), 'field: not a name')
  refused('probe 4 signal:', 'probe 4 sig nal:', 'not a number')
  refused('probe 4 signal:', 'probe 4 sig\\032nal:', 'probe: not a name')
  refused('probe 4 signal:', 'probe 4 sig\\000nal:', 'probe: not a name')
  refused('probe 4 signal:', 'probe 4 :', 'probe: not a name')
  refused('value 3 operator', 'value 3 operator\\000', 'value: not a name')
  refused('value 3 operator[^\n]*', 'value 3 ' .. ('a'):rep(256), 'value: not a name')
  refused('probe 4 signal:[^ ]*', 'probe 4 signal', 'field: not a name')
  generic_head, small = small, written
end

-- Anything may be in it: each is a schema or a line, and a schema can be declared or is refused.
local seed = 1
local function random(most)
  seed = (seed * 16807) % 2147483647
  return seed % most + 1
end
local memory = ffi.new 'uint8_t[131072]'
ffi.fill(memory, 65536, 0xff)

--- Reads all of an event of a schema that was made up.
local function read_all(probe, name)
  probe.name, probe.known = name, nil
  schema.recorded = function() return probe end
  local ok, one = pcall(schema.of, name)
  if not ok then return end -- it cannot be declared
  for start = 0, 65536, 65536 do
    local event = ffi.cast(one.pointer, memory + start)
    for field in pairs(one.readable) do pcall(function() return event[field] end) end
  end
  return true
end

local bad, parsed, declared = {}, 0, 0
for i = 1, 3000 do
  local changed = i % 3 == 0 and generic_head or small
  for _ = 1, random(3) do
    local at, what = random(#changed), random(4)
    local middle = what == 1 and '' or what == 2 and string.char(random(256) - 1)
      or what == 3 and tostring(random(70000)) or changed:sub(random(#changed), random(#changed)):sub(1, 60)
    changed = changed:sub(1, at - 1) .. middle .. changed:sub(at + random(3))
  end
  local ok, one, message = pcall(recording.parse_head, changed)
  if not ok or not one and (type(message) ~= 'string' or message:find '\n') then bad[#bad + 1] = { one, message } end
  if ok and one then
    parsed = parsed + 1
    if read_all(one.probes[1],
      (one.probes[1].name:find ':' and 'made:' or '') .. 'made_up_' .. i) then declared = declared + 1 end
  end
end
tap.is(bad, {}, 'a changed head is read or refused')
tap.ok(parsed > declared and declared > 0, 'some are read, some of them can be used', parsed, declared)

tap.is(recording.parse_names(recording.names { { 'device', 8388608, 'sd a\n' } }), { { 'device', 8388608, 'sd a\n' } },
  'names')
tap.raises(function() recording.parse_names 'device x\n' end, 'not understood', 'bad names')
local now, rows = recording.parse_counters(recording.counters(5, { { 1, 2, 3, 4, 5, 6 } }))
tap.is({ now, rows }, { 5, { { 1, 2, 3, 4, 5, 6 } } }, 'counters')
tap.raises(function() recording.parse_counters 'time 5\n1 2 3\n' end, 'not understood', 'bad counters')
tap.raises(function() recording.parse_counters '1 2 3 4 5 6\n' end, 'time: not a number', 'counters without a time')

-- Names of another machine.
fields.forget_names()
fields.remember('device', 7, 'sdz')
fields.remember('syscall', 1, 'read_elsewhere')
tap.is({ fields.device_name(7), fields.device_name(bit.lshift(8, 20)), fields.syscall_name(1), fields.syscall_name(2) },
  { 'sdz', '8:0', 'read_elsewhere', '2' }, 'names are those of the recording')
tap.done()
