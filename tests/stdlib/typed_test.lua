-- SPDX-License-Identifier: Apache-2.0
--- stdlib/typed.lua: fields of generic probes: what is captured, where it lies, how it reads, and what is
--- said about mistakes.
local tap = require 'tap'
local ffi = require 'ffi'
local generic = require 'generic'
local mp = require 'moonprobe'
local schema = require 'moonprobe.schema'
local stages = require 'moonprobe.stages'
local typed = require 'moonprobe.typed'

local FILE = debug.getinfo(1, 'S').short_src:gsub('%p', '%%%0')
local NAME = 'signal:tcp_connect'
local function here() return debug.getinfo(2, 'l').currentline end

--- One source of a script that calls one method of the probe.
local function load(method, ...)
  local arguments, count = { ... }, select('#', ...)
  return generic.load(function()
    local probe = mp.probe(NAME)
    probe[method](probe, unpack(arguments, 1, count))
  end)[1]
end

local function sorted(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ' ')
end

-- Names.
tap.is({ typed.split 'kprobe:tcp_connect' }, { 'kprobe', 'tcp_connect' }, 'family and target')
tap.is({ typed.split 'uprobe:/bin/bash:readline' }, { 'uprobe', '/bin/bash:readline' }, 'the first colon parts them')
for _, name in ipairs { 'tcp_connect', ':x', 'kprobe:', 'a b:c', 'k:\n' } do tap.is(typed.split(name), nil, name) end
tap.is({ schema.of 'kprobs:x' }, { nil,
  "no probe named 'kprobs:x': there is no family 'kprobs'; did you mean 'kprobe'?; moonprobe list shows all" },
  'no such family')
tap.is({ schema.of 'signal:nowhere' }, { nil, "'signal:nowhere': there is no such function" }, 'no such target')
tap.is({ schema.of 'process_exit:x' }, { nil, "'process_exit' is no family of probes: nothing can follow its name" },
  'a probe is no family')

tap.is({ schema.of 'signal' }, { nil, "'signal' is a family of probes: name one, as 'signal:TARGET'" }, 'no target')
tap.is(schema.plain { 'tcp_close', 'signal', 'syscall' }, { 'tcp_close', 'syscall' }, 'a family is no probe')

-- What is captured.
local one = load('each', function(e) return e.pid, e.args.sk.__sk_common.skc_dport, e.ret end)
tap.is(sorted(one.fields), 'args.sk.__sk_common.skc_dport pid ret', 'what a handler reads')
one = load('each', function(e) return e.args.name:match 'x' end)
tap.is(sorted(one.fields), 'args.name', 'a method of text is none')
one = load('count', 'args.name', 'pid')
tap.is(sorted(one.fields), 'args.name pid', 'keys by name')
one = load('sum', 'args.count', { by = 'args.sk.__sk_common.skc_dport' })
tap.is(sorted(one.fields), 'args.count args.sk.__sk_common.skc_dport', 'a value by name')
one = load('each', function(e) return e.args.sk end)
tap.is(sorted(one.fields), 'args.sk', 'a pointer as a number')
one = load('each', function(e) return e.args.sk and e.args.sk.port end)
tap.is(sorted(one.fields), 'args.sk.port', 'a pointer that is asked for its truth')
one = load('each', function(e) return tostring(e) .. e.args.fd end)
tap.is(sorted(one.fields), 'arg0 arg1 args.fd comm cpu pid stamp tid time_ns',
  'all that is known, of a handler that may read any')
one = load('each', function(e)
  local sk = e.args.sk
  return select(2, pcall(function() return sk.port + sk.next.port end))
end)
tap.ok(one.fields['args.sk.port'] and one.fields['args.sk.next.port'], 'what a closure reads of a local')
tap.is(generic.event(one.schema, { args = { sk = { port = 3, next = { port = 4 } } } }).args.sk.next.port, 4,
  'is there')
one = load('each', function(e) return e.sequence end)
tap.is(sorted(one.fields), 'stamp', 'or part of one')
one = load('each', function(e) return e.time end)
tap.is(sorted(one.fields), 'time_ns', 'what is made of others')

-- Elements of arrays and pointers.
local function captures(fn, expected, name)
  tap.is(sorted(load('each', fn).fields), expected, name)
end
captures(function(e) return e.args.list[0], e.args.argv[300], e.args.pairs[2][1] end,
  'args.argv[300] args.list[0] args.pairs[2][1]', 'elements, not all of them')
captures(function(e) return e.args.iov[1].iov_len, e.args.iov.iov_len end, 'args.iov.iov_len args.iov[1].iov_len',
  'members of elements')
captures(function(e) return e.args.argv and e.args.argv[0] end, 'args.argv[0]',
  'a pointer to text that is asked for its truth')
captures(function(e) if e.args.list then return e.pid end end, 'args.list pid', 'an array, asked for its truth')
captures(function(e) if e.args.argv[1] then return e.pid end end, 'args.argv[1] pid', 'an element, asked for its truth')
captures(function(e) return ipairs(e.args.list) end, 'args.list', 'an array as a whole')
captures(function(e) return pcall(function() return e.args.list[2], e.args.argv[0]:sub(1) end), e.pid end,
  'arg0 arg1 args.argv[0] args.list[2] comm cpu pid stamp tid time_ns', 'elements in a closure')
captures(function(e) return pcall(function() return #e.args.list end), e.pid end,
  'arg0 arg1 args.list comm cpu pid stamp tid time_ns', 'an array in a closure')
captures(function(e) return e.args[3] end, 'args.3', 'an argument without a name')
one = load('each', function(e)
  return e.args.fd, pcall(function(i) return e.args.list[i] end, 1)
end)
tap.raises(function() return generic.event(one.schema, {}).args.list[1] end, "'args.list%[1%]': no function",
  'an element that a closure reads, of which nobody knows which, is not one of a list')
one = load('count', 'args.argv.1', 'args.list[2]')
tap.is({ sorted(one.fields), one.sinks[1].fold.made.names }, { 'args.argv[1] args.list[2]',
  { 'args.argv[1]', 'args.list[2]' } }, 'keys have one name, however they are written')
one = load('sum', 'args.list.0', { by = 'args.3' })
tap.is({ sorted(one.fields), one.sinks[1].fold.value, one.sinks[1].fold.keys }, { 'args.3 args.list[0]', 'args.list[0]',
  { 'args.3' } }, 'and values')
one = generic.load(function()
  mp.probe(NAME):each(function(e) return e.args.argv and e.pid end)
  mp.probe(NAME):where(function(e) return e.args.argv[0] == 'x' end):count()
end)[1]
tap.is(sorted(one.fields), 'args.argv[0] pid', 'what a pointer leads to is read by another function')

-- Early and late; where it lies; what the host is told.
one = generic.load(function()
  mp.probe(NAME):where(function(e) return e.args.small > 0 end)
    :each(function(e) return e.args.name, e.args.count, e.args.small, e.args.fd, e.args.short end)
  mp.probe(NAME):count(function(e) return e.args.fd end)
  mp.probe(NAME):count { by = 'pid', note = 'args.short' }
end)[1]
local words = {}
stages.add_fields(words, one)
local room = 56
tap.is(words, { 'typed', 'args.count', room + 8, 'late', 'typed', 'args.fd', room, 'early', 'typed', 'args.name',
  room + 16,
  'late', 'typed', 'args.short', room + 48, 'late', 'typed', 'args.small', room + 4, 'early', 'field', 'pid' },
  'what the host is told: early ones first, then the late ones in words of their own, the widest first')
local of_other_stages = {}
stages.add_fields(of_other_stages, one, true)
tap.is(of_other_stages, { 'field', 'pid' }, 'with other stages: not again, for their places stay')
local late = {}
for _, field in ipairs(one.schema.fields) do late[field.name] = field.late end
tap.is({ late['args.fd'], late['args.short'], late['args.name'], late.pid, late.comm }, { false, true, true, false,
  true },
  'early is what a filter, a key or a value reads')
tap.is(late.typed, nil, 'the room itself is no field')
tap.is(ffi.sizeof(one.schema.struct), room + 512, 'the event is as large as ever')
tap.raises(function()
  load('each', function(e) return e.args.long, e.args.path, e.args.name, e.args.count, e.args.offset, e.args.fd end)
end, 'signal:tcp_connect: what is read of its arguments needs 516 bytes and there are 512: args.count 8, ', 'too much')

-- Reading.
one = load('each', function(e)
  local args = e.args
  return e.ret, args.fd, args.count, args.offset, args.small, args.tiny, args.short, args.flag, args.name, args.list,
    args.wide,
    args.state, args.error, args.address, args.char, args._name_m1, args.sk.port, args.sk.__sk_common.skc_dport,
    args.sk.__sk_common.skc_state, args.sk.__sk_common.int, e.time, args.sk.next.port
end)
local values = { pid = 7, comm = 'cat', ret = -5, args = { fd = -1, count = 2 ^ 53, offset = -7, small = 200, tiny = -3,
  short = -300, flag = true, name = 'abc', list = { 1, 2, 3 }, wide = { 5, 6 }, state = 'established', error = 'ENOENT',
  address = '10.0.0.1', char = 60000, _name_m1 = 11, sk = { port = 80, next = { port = 81 },
    __sk_common = { skc_dport = 443, skc_state = 'syn_sent', int = 9 } } } }
local event = generic.event(one.schema, values)
local function compare(got, expected, path)
  for name, value in pairs(expected) do
    local is = got[name]
    if type(value) == 'table' and type(is) ~= 'table' then
      compare(is, value, path .. '.' .. name)
    else
      tap.is(is, value, 'reads ' .. path .. '.' .. name)
    end
  end
end
compare(event, values, 'e')
tap.is(event['args.sk.__sk_common.skc_dport'], 443, 'by its whole name')
local all = {}
for name in pairs(one.schema.readable) do all[#all + 1] = { name, (pcall(function() return event[name] end)) } end
for _, name in ipairs(all) do if not name[2] then tap.ok(false, name[1] .. ' can be read') end end
for name, value in pairs { fd = 5, name = 'x', sk = 1, more = 2 } do
  tap.ok(not pcall(function() event.args[name] = value end), 'is not written: ' .. name)
end
tap.ok(not pcall(function() event.args.sk.port = 1 end), 'is not written: sk.port')
tap.ok(not pcall(function() event.args.sk = event.args.sk end), 'is not written: a struct')
local empty = generic.event(one.schema, {})
tap.is({ empty.args.name, empty.args.fd, empty.args.error, empty.args.sk.port, empty.args.state }, { '', 0, nil, 0,
  'closed' },
  'zeros')

tap.is(#schema.members(one.schema), #all, 'all of it is described')

--- Is a loop compiled? Where recording starts depends on addresses, which are others in each run: it may begin within
--- something that is not compiled. One of five beginnings is enough.
local function compiled(loop)
  local aborted, made
  local function watch(what)
    if what == 'abort' then aborted = aborted + 1 elseif what == 'stop' then made = made + 1 end
  end
  for _ = 1, 5 do
    aborted, made = 0, 0
    jit.flush()
    jit.attach(watch, 'trace')
    loop()
    jit.attach(watch)
    if aborted == 0 and made > 0 then return true end
  end
  return false
end

-- Reading elements.
do
  local source = load('each', function(e)
    local argv = e.args.argv
    return argv[0], argv[1], argv[300], e.args.list[0], e.args.list[2], e.args.iov[1].iov_len, e.args.pairs[2][1],
      e.args.name[0], e.args[3]
  end)
  local given = { args = { argv = { [0] = 'sh', '-c', [300] = 'x' }, list = { [0] = 5, [2] = 7 },
    iov = { { iov_len = 9 } }, pairs = { [2] = { 11 } }, name = { [0] = -3 }, [3] = 13 } }
  local of_elements = generic.event(source.schema, given)
  local args = of_elements.args
  tap.is({ args.argv[0], args.argv[1], args.argv[300], args.list[0], args.list[2], args.iov[1].iov_len,
    args.pairs[2][1], args.name[0], args[3], args['3'] },
    { 'sh', '-c', 'x', 5, 7, 9, 11, -3, 13, 13 }, 'elements read as they are')
  tap.is({ of_elements['args.argv[0]'], of_elements['args.list.2'], of_elements['args.iov[1].iov_len'],
    of_elements['args.3'] }, { 'sh', 7, 9, 13 }, 'by their whole names')
  local same = generic.event(source.schema, { ['args.argv[1]'] = 'a', ['args.list.2'] = 3, ['args.3'] = 4 })
  tap.is({ same.args.argv[1], same.args.list[2], same.args[3] }, { 'a', 3, 4 }, 'which an event can be made of, too')
  tap.raises(function() return args.list[1] end, "has no field 'args.list%[1%]': no function", 'one that nobody reads')
  tap.raises(function() return args.argv.x end, "has no field 'args.argv.x'", 'one that is none')
  tap.raises(function() generic.event(source.schema, { args = { argv = { [2] = 'x' } } }) end,
    "the script reads no 'args.argv%[2%]'; did you mean 'args.argv%[0%]'", 'a test gives one too many')
  local total
  tap.is({ compiled(function()
    total = 0
    for i = 1, 1000 do total = total + of_elements.args.list[i < 500 and 0 or 2] end
  end), total }, { true, 499 * 5 + 501 * 7 }, 'elements are compiled')
end

-- The same probe in two scripts has other fields.
local other = load('each', function(e) return e.args.offset end)
tap.ok(other.schema ~= one.schema and other.schema.struct ~= one.schema.struct, 'each script has its own')
tap.is(generic.event(other.schema, { args = { offset = 3 } }).args.offset, 3, 'which reads')
local as_before = load('each', function(e) return e.args.offset end)
tap.ok(as_before.schema ~= other.schema and as_before.schema.struct == other.schema.struct,
  'the same fields are the same type')
local strange = generic.load(function()
  mp.probe('signal:/usr/bin/my tool*:do+it'):each(function(e) return e.args.fd end)
end)[1]
tap.is(generic.event(strange.schema, { args = { fd = 3 } }).args.fd, 3, 'a target of any characters')
local two = generic.load(function()
  mp.probe(NAME):each(function(e) return e.args.fd end)
  mp.probe(NAME):where(function(e) return e.args.small == 1 end):each(function(e) return e.args.fd end)
end)
tap.is({ #two, sorted(two[1].fields) }, { 1, 'args.fd args.small' }, 'in one script it is one')

-- Mistakes are told at load, with their line.
local function refused(line, fn, pattern, name, method)
  tap.raises(function() load(method or 'each', fn) end,
    '^' .. FILE .. ':' .. line .. ': signal:tcp_connect:? ' .. pattern, name)
end
refused(here(), function(e) return e.args.fdd end, "no member 'args.fdd'", 'a member that is not there')
refused(here() + 2, function(e)
  local sk = e.args.sk
  return sk.prot
end, "no member 'args.sk.prot'", 'where it is read')
refused(here(), function(e) return e.agrs.fd end, "has no field 'agrs'; did you mean 'args'%?", 'args')
refused(here(), function(e) return e.pidd end, "has no field 'pidd'; did you mean 'pid'%?", 'a field')
refused(here(), function(e) return e.args end, "'args' is a struct: name one of its members", 'args')
refused(here(), function(e) print(e.args) end, "'args' is a struct", 'args, passed on')
refused(here(), function(e) return e.args.sk.__sk_common end, "'args.sk.__sk_common' is a struct", 'a struct')
refused(here(), function(e) return e.args.fd.x end, "'args.fd' is a number and has no member 'x'",
  'a member of a number')
refused(here(), function(e) return e.args.list.x end, "'args.list' is an array and has no member 'x'", 'of an array')
refused(here(), function(e) return e.args.name:mtach 'x' end,
  "'args.name' is text and has no method 'mtach'; did you mean "
  .. "'match'%?", 'of text')
refused(here(), function(e) return e.args.sk, e.args.sk.port end,
  "'args.sk' is used as a whole, and 'args.sk.port' is read "
  .. 'of it: .*e.arg0', 'both at once')
tap.raises(function()
  generic.load(function()
    mp.probe(NAME):each(function(e) return e.args.sk.port end)
    mp.probe(NAME):where(function(e) return e.args.sk ~= nil end)
  end)
end, "'args.sk' is used as a whole, and 'args.sk.port' is read", 'in two functions')
refused(here(), function(e) return e.args.list[3] end, "no member 'args.list%[3%]'", 'an element too many')
refused(here(), function(e) return e.args.list[-1] end, "no member 'args.list%[%-1%]'", 'an element before the first')
refused(here(), function(e) return e.args.fd[0] end, "no member 'args.fd%[0%]'", 'an element of a number')
refused(here(), function(e) return e.args.list[0], e.args.list end,
  "'args.list' is used as a whole, and 'args.list%[0%]' is read of it: it cannot be both a list and its elements; read",
  'an array and its elements')
refused(here(), function(e) return e.args.name, e.args.name[0] end,
  "'args.name' is used .* its characters are text:byte", 'text and its characters')
refused(here(), function(e) return e.args.argv ~= nil and e.args.argv[0] end,
  "'args.argv' is used .*e.arg0", 'a pointer to text and that text')
refused(here(), function(e) return e.args.pairs[0] end,
  "'args.pairs%[0%]' is an array: name one of its elements, as args.pairs%[0%]%[0%]", 'an array of arrays')
refused(here(), function(e) return e.args.list[e.pid] end, "'args.list%[%?%]': which element that is has to be known "
  .. 'when the script is loaded: write its number, as args.list%[0%], or go through all with ipairs%(e.args.list%)$',
  'an element of which nobody knows which')
refused(here(), function(e) return e.args.argv[e.pid] end, "'args.argv%[%?%]': .* write its number, as args.argv%[0%]$",
  'of a pointer')
refused(here(), function(e) return e.args.sk[e.comm] end, "'args.sk%[%?%]': which member or element that is "
  .. 'has to be known when the script is loaded: write its name or number, as args.sk.NAME or args.sk%[0%]$',
  'a member of which nobody knows which')
refused(here(), function(e) return e.args.sk.__sk_common[e.comm] end,
  "'args.sk.__sk_common%[%?%]': which member that is has to be known .* as args.sk.__sk_common.NAME$", 'of a struct')
refused(here() + 2, function(e)
  local argv = e.args.argv
  while argv do argv = argv[0] end
  return argv
end, "no member 'args.argv%[0%]%[0%]'", 'elements in a loop')
refused(here() + 2, function(e)
  local sk = e.args.sk
  while sk.next do sk = sk.next end
  return sk.port
end, "'args.sk.next.*': members are followed in a loop", 'a list that is followed')
tap.raises(function() load('count', 'args.fdd') end, '^' .. FILE .. ":%d+: signal:tcp_connect: no member 'args.fdd'",
  'a key by name')
tap.raises(function() load('count', 'args.list.3') end, "no member 'args.list%[3%]'", 'an element too many as a key')
for _, text in ipairs { 'args.list[', 'args.list[x]', 'args.list[0]x', 'args..list', 'args.', 'args[', '[0]', '.' } do
  tap.raises(function() load('count', text) end, "no member '" .. text:gsub('%p', '%%%0') .. "'", text)
end
tap.raises(function() load('count', 'args') end, "'args' is a struct", 'a key that is a struct')
tap.raises(function() return event.args.fdd end,
  '^' .. FILE .. ":%d+: signal:tcp_connect has no field 'args.fdd'; did you mean "
  .. "'fd'%?", 'when it is read after all')
tap.raises(function() return event.args.path end, "has no field 'args.path'", 'what nobody reads where it can be seen')

-- Events that a test makes up.
local function no_event(given, pattern, name)
  tap.raises(function() generic.event(one.schema, given) end, pattern, name)
end
no_event({ args = { fdd = 1 } }, "the script reads no 'args.fdd'; did you mean 'args.fd'%?",
  'an event with a field too many')
no_event({ args = { fd = 'x' } }, 'signal:tcp_connect: args.fd = .*an integer from', 'a value that cannot be')
no_event({ args = 5 }, "signal:tcp_connect has no field 'args'", 'no table')
no_event({ agrs = { fd = 1 } }, "signal:tcp_connect: the script reads no 'agrs.fd'; did you mean 'args.fd'%?",
  'a struct that is not there')
tap.is(generic.event(one.schema, { ['args.fd'] = 3 }).args.fd, 3, 'by its whole name')

-- What the host is asked, and answers.
do
  local engine, host = require 'moonprobe.engine', require 'moonprobe.host'
  local send, receive = host.send, engine.receive
  local asked, replies = {}, {}
  function host.send(...) asked[#asked + 1] = table.concat({ ... }, ' ') end
  function engine.receive() return table.remove(replies, 1) end
  local resolver = generic.real_resolver
  replies = { { 'target', 0, 'why not' }, { 'ping' }, { 'target', 1 } }
  tap.is({ resolver.target 'kprobe:x' }, { nil, 'why not' }, 'a target that is not there')
  tap.is({ resolver.target 'kprobe:x' }, { true }, 'one that is')
  replies = { { 'typed', 'u', 4, 0, 4, 'u32', 'of it', 0, 'A_ONE', 5, 'A_TWO' }, { 'typed', 'pointer' },
    { 'typed', 'struct' }, { 'typed', 'error', 'no such member' } }
  tap.is(resolver.member('kprobe:x', 'args.a'), { kind = 'u', element_bytes = 4, elements = 0, bytes = 4, type = 'u32',
    doc = 'of it', values = { [0] = 'A_ONE', [5] = 'A_TWO' } }, 'a field')
  tap.is(resolver.member('kprobe:x', 'args.b').kind, 'pointer', 'a pointer')
  tap.is(resolver.member('kprobe:x', 'args').kind, 'struct', 'a struct')
  tap.is(resolver.member('kprobe:x', 'args.c'), { kind = 'error', message = 'no such member' }, 'an error')
  tap.is({ resolver.target 'kprobe:x', resolver.member('kprobe:x', 'args.b').kind }, { true, 'pointer' }, 'again')
  for _, path in ipairs { 'args.a\0b', 'args.' .. ('x'):rep(70000) } do
    tap.like(resolver.member('kprobe:x', path).message, 'is no path', 'no path for a message')
  end
  local gone, why = pcall(resolver.member, 'kprobe:x', 'args.d')
  tap.is({ gone, why }, { false, 'the host is gone' }, 'no answer')
  host.send, engine.receive = send, receive
  tap.is({ asked, host.receive() }, { { 'target kprobe:x', 'target kprobe:x', 'typed kprobe:x args.a',
    'typed kprobe:x args.b', 'typed kprobe:x args', 'typed kprobe:x args.c', 'typed kprobe:x args.d' }, { 'ping' } },
    'each is asked once; other messages are kept')
end

-- A script under test; another version of it reads other fields.
do
  local run = require 'moonprobe.testing.run'
  local first = [[
    local mp = require 'moonprobe'
    mp.probe 'signal:tcp_connect':where(function(e) return e.args.sk.port == 80 end):each(function(e)
      mp.row(e.args.name, e.ret)
    end)
    mp.probe 'signal:tcp_connect':count { by = 'args.name', name = 'names' }
  ]]
  local one_run = assert(run.start('-e', nil, { text = first }))
  one_run:feed(NAME, { ret = -1, args = { name = 'a', sk = { port = 80 } } })
  one_run:feed(NAME, { ret = -2, args = { name = 'b', sk = { port = 81 } } })
  tap.is(one_run:rows(), { { 'a', -1 } }, 'rows of a script under test')
  tap.is({ one_run:errors(), one_run:aggregates() }, { {}, { names = { a = 1, b = 1 } } }, 'its aggregates')
  tap.ok(one_run:reload('-e', { text = (first:gsub('e.ret', 'e.args.fd')) }), 'another version')
  one_run:feed(NAME, { args = { fd = 5, name = 'a', sk = { port = 80 } } })
  tap.is({ one_run:rows()[2], one_run:aggregates().names.a }, { { 'a', 5 }, 2 }, 'goes on with other fields')
  tap.raises(function() one_run:feed(NAME, { ret = 1 }) end, "signal:tcp_connect has no field 'ret'",
    'ret is read no more')
  local none, message = run.start('-e', nil, { text = (first:gsub('e.ret', 'e.args.fdd')) })
  tap.ok(not none and message:find "no member 'args.fdd'", 'a mistake', message)
end

-- Compiled: one loop, no calls, no tables.
local trace_ok, traces = pcall(function()
  local count, aborted = 0, 0
  local function watch(what)
    if what == 'stop' then count = count + 1 elseif what == 'abort' then aborted = aborted + 1 end
  end
  jit.flush()
  jit.attach(watch, 'trace')
  local total = 0
  for _ = 1, 1000 do
    local args = event.args
    if args.sk.__sk_common.skc_dport == 443 and args.state == 'established' then total = total + args.sk.port end
  end
  jit.attach(watch)
  return { count > 0, aborted, total }
end)
tap.is({ trace_ok, traces }, { true, { true, 0, 80000 } }, 'reading members is compiled')
do -- keys by their paths, as the worker counts them
  local source = generic.load(function()
    mp.probe(NAME):where(function(e) return e.args.sk.mark > 0 end):count { by = 'args.sk.port', name = 'ports' }
  end)[1]
  local one_event = generic.event(source.schema, { args = { sk = { port = 80, mark = 1 } } })
  local pipeline, turns = require('moonprobe.stream').pipeline(source), 0
  tap.is({ compiled(function()
    turns = turns + 1
    for _ = 1, 1000 do pipeline(one_event, 256) end
  end), source.sinks[1].fold.made:rows()[1].value }, { true, 1000 * turns }, 'counting by a path is compiled')
end
do
  local before = collectgarbage 'count'
  collectgarbage 'stop'
  local total = 0
  for _ = 1, 100000 do total = total + event.args.sk.__sk_common.skc_dport end
  local grown = collectgarbage 'count' - before
  collectgarbage 'restart'
  tap.ok(total == 44300000 and grown < 100, 'and makes no garbage', grown)
end
tap.done()
