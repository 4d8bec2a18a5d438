-- SPDX-License-Identifier: Apache-2.0
--- Typed fields of generic probes in the stages: filters, keys and values that read e.args.sk.port
--- give what Lua gives, and what of them runs early.
local tap = require 'tap'
local folds = require 'folds'
local generic = require 'generic'
local mp = require 'moonprobe'
local plan = require 'moonprobe.stage.plan'
local typed_path = require 'moonprobe.typed_path'
local translated = require 'translated'

local NAME = 'signal:tcp_connect'

--- A source whose schema has all that these functions read.
local function source_of(...)
  local filters = { ... }
  return generic.load(function()
    local probe = mp.probe(NAME)
    for _, filter in ipairs(filters) do probe:where(filter) end
  end)[1]
end

local texts = { '', 'cat', '/etc/passwd' }
local function values(i)
  return { pid = i, comm = 'cat', ret = i - 20, args = { fd = i - 5, count = i * 2 ^ 40, offset = -i, small = i,
    tiny = -i, short = -300 * i, flag = i % 2 == 0, name = texts[i % 3 + 1], list = { [0] = i, 2 * i, 3 },
    wide = { i, 7 }, argv = { [0] = texts[i % 3 + 1], '-v' }, iov = { { iov_len = i * 2 ^ 20 } },
    pairs = { [2] = { [0] = i, i + 1 } }, ['3'] = i,
    state = i % 3, error = i % 4, address = i % 2 == 0 and '10.0.0.1' or '::1',
    sk = { port = i % 5, mark = i * 100000, next = { port = i % 7 },
      __sk_common = { skc_dport = i % 2 * 443, skc_daddr = i, skc_state = i % 3, int = i } } } }
end

--- Of what is given, what a schema has.
local function events_of(schema, count)
  local function known(of, path)
    local part = {}
    for name, value in pairs(of) do
      local longer = path and typed_path.longer(path, name) or name
      if type(value) == 'table' and schema.typed.nodes[longer] then
        part[name] = known(value, longer)
      elseif schema.readable[longer] then
        part[name] = value
      end
    end
    return part
  end
  local events = {}
  for i = 1, count do events[i] = generic.event(schema, known(values(i))) end
  return events
end

local function agree(name, fn)
  local schema = source_of(fn).schema
  translated.agree(tap, fn, events_of(schema, 40), name, schema)
end

agree('a member', function(e) return e.args.fd == 3 end)
agree('ret', function(e) return e.ret < 0 end)
agree('with a field', function(e) return e.args.small == e.pid and e.pid > 5 end)
agree('deep', function(e) return e.args.sk.__sk_common.skc_dport == 443 end)
agree('through pointers', function(e) return e.args.sk.next.port > 3 end)
agree('a name in C', function(e) return e.args.sk.__sk_common.int > 7 end)
agree('a local', function(e)
  local sk = e.args.sk
  if sk.port == 1 then return sk.mark > 500000 end
  return sk.__sk_common.skc_daddr > 10
end)
agree('one of two', function(e)
  local sk = e.args.flag and e.args.sk or e.args.sk.next
  return sk.port == 2
end)
agree('asked for its truth', function(e) return e.args.sk and e.args.sk.port == 2 end)
agree('not', function(e) return not e.args.sk or e.args.fd > 20 end)
agree('64 bits', function(e) return e.args.count > 2 ^ 44 and e.args.offset < -3 end)
agree('negative', function(e) return e.args.tiny < -9 or e.args.short == -600 end)
agree('a flag', function(e) return e.args.flag end)
agree('text', function(e) return e.args.name == 'cat' end)
agree('a method of text', function(e) return e.args.name:sub(1, 5) == '/etc/' end)
agree('found in text', function(e) return e.args.name:find('pass', 1, true) end)
agree('an element', function(e) return e.args.list[1] > 30 end)
agree('the first one', function(e) return e.args.list[0] > 30 end)
agree('an element that is text', function(e) return e.args.argv[0] == 'cat' or e.args.argv[1] ~= '-v' end)
agree('text in an element', function(e) return e.args.argv[0]:sub(1, 5) == '/etc/' end)
agree('a member of an element', function(e) return e.args.iov[1].iov_len > 2 ^ 24 end)
agree('an element of an element', function(e) return e.args.pairs[2][1] > 30 and e.args.pairs[2][0] < 35 end)
agree('a local array', function(e)
  local argv, second = e.args.argv, 1
  return argv[0] == 'cat' and argv[second] == '-v'
end)
agree('one of two elements', function(e) return e.args.list[e.args.flag and 0 or 2] > 30 end)
agree('by its whole name', function(e) return e['args.list.1'] > 30 and e['args.list[0]'] > 17 end)
agree('an argument without a name', function(e) return e.args[3] > 30 end)
local SECOND = 1
agree('an element by a number from outside', function(e) return e.args.list[SECOND] > 30 end)
agree('an enum', function(e) return e.args.state == 'established' end)
agree('another enum', function(e) return e.args.sk.__sk_common.skc_state ~= 'closed' end)
agree('an error', function(e) return e.args.error == 'ENOENT' end)
agree('no error', function(e) return e.args.error end)
agree('an address', function(e) return e.args.address == '10.0.0.1' end)
agree('a loop', function(e)
  local sum = 0
  for i = 0, 2 do sum = sum + e.args.list[i] end
  return sum % 2 == 0
end)
agree('a loop over text', function(e)
  for i = 0, 1 do if e.args.argv[i] == 'cat' then return true end end
end)
local function port_of(of) return of.sk.port end
agree('a function', function(e) return port_of(e.args) == 3 end)
local ports = { [1] = true, [3] = true }
agree('a set', function(e) return ports[e.args.sk.port] end)

-- A pointer as a number.
do
  local function is_null(e) return e.args.sk == 0 end
  local schema = source_of(is_null).schema
  local events = { generic.event(schema, {}), generic.event(schema, { args = { sk = 0xffff888000000000ULL } }) }
  translated.agree(tap, is_null, events, 'a pointer as a number', schema)
end

-- What cannot be.
do
  local which = 'port'
  local function dynamic(e) return e.args.sk[which .. ''] == 1 and e.args.sk.port end
  tap.raises(function() source_of(dynamic) end, "'args.sk%[%?%]': which member or element that is has to be known",
    'a member whose name is not constant')
end

-- Keys and values.
local function agree_fold(name, add)
  local source = generic.load(function() add(mp.probe(NAME), name) end)[1]
  local fold, events = folds.from(source), events_of(source.schema, 40)
  if fold:refusal() then return tap.ok(false, name, fold:refusal()) end
  local open = 0
  for _, verdict in ipairs(fold:run(events)) do if verdict ~= 0 then open = open + 1 end end
  tap.is({ fold:counted(), open }, { fold:expected(events), 0 }, name)
end
for _, by in ipairs { 'args.fd', 'args.name', 'args.sk.port', 'args.state', 'args.error', 'args.address', 'args.flag',
  'args.count', 'ret', 'args.sk.__sk_common.skc_state', 'args.argv[0]', 'args.argv.0', 'args.list[1]',
  'args.iov[1].iov_len', 'args.3' } do
  agree_fold('by ' .. by, function(probe, name) probe:count { by = by, name = name } end)
end
agree_fold('by two', function(probe, name) probe:count { by = { 'args.name', 'args.sk.port' }, name = name } end)
agree_fold('by a function', function(probe, name)
  probe:count { by = function(e) return e.args.sk.port end, name = name }
end)
agree_fold('the sum of a field', function(probe, name) probe:sum('args.fd', { by = 'args.name', name = name }) end)
agree_fold('the sum of an element', function(probe, name)
  probe:sum('args.list.1', { by = function(e) return e.args.argv[0] end, name = name })
end)
agree_fold('the histogram of a function', function(probe, name)
  probe:histogram(function(e) return e.args.sk.mark / 1000 end, { name = name })
end)
agree_fold('of those that pass', function(probe, name)
  probe:where(function(e) return e.args.sk.next.port > 2 end):count { by = 'args.fd', name = name }
end)

-- Early and late.
do
  local function first(e) return e.args.fd > 3 end
  local source = generic.load(function()
    mp.probe(NAME):where(first):each(function(e) return e.args.name, e.args.small end)
  end)[1]
  local _, jobs = plan.make(source)
  tap.is({ #jobs[1].early, #jobs[1].late, #jobs[1].left }, { 1, 0, 0 }, 'what filters read is there early')
  source = generic.load(function()
    mp.probe(NAME):where(function(e) return e.comm == 'cat' and e.args.fd > 3 end):each(function() end)
  end)[1]
  _, jobs = plan.make(source)
  tap.is({ #jobs[1].early, #jobs[1].late, #jobs[1].left }, { 0, 1, 0 }, 'with a late field it is late')
end
tap.done()
