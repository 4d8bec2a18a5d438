-- SPDX-License-Identifier: Apache-2.0
--- Generates random functions of an event, as text.
---
--- A profile says which constructs may occur. `plain` is what every filter is made of and has to
--- be translated whole; the others have more and more; `outside` has what cannot be translated,
--- which has to be refused, or to work.

local events = require 'events'
local tree = require 'tree'

local E, S, B, P = tree.expression, tree.statement, tree.block, function(...) return tree.node('part', ...) end

local generate = {}

local random = math.random
local fields = events.fields

local function one_of(values) return values[random(#values)] end
local function chance(percent) return random(100) <= percent end

local NAMES = { 'curl', 'nginx', 'ssh', 'sshd', 'a', 'bash', 'systemd', '/', '/etc/', '/etc/passwd', '.log', '/tmp',
  'postgres', 'kworker/0:1', 'x', '', ' ', '.', 'ab', 'abcdefg', 'abcdefgh', 'abcdefghi', '0123456789abcde',
  '0123456789abcdef', '0123456789abcdefg', '/usr/bin/', 'lib', '.so', '\255\254', '\\n', '%d', '^a', '[x', 'n', '1',
  '80',
  '/very/long/path/that/goes/on/and/on/until/there/is/no/more/room', '/proc/self', 'python3.11', 'Web Content' }
local ENUMS = { 'read', 'write', 'write_zeroes', '1', '2', '3', '0', '7', '77', '4294967295', 'READ', 'established',
  'syn_sent', 'close', 'listen', 'none' }
local ERRORS = { 'ENOENT', 'EPERM', 'EAGAIN', 'EWOULDBLOCK', 'ECONNREFUSED', 'ETIMEDOUT', '4095', '41', '-1', '0',
  'enoent' }
local SIGNALS = { 'SIGKILL', 'SIGTERM', 'SIGHUP', 'SIGRT34', 'SIGRT64', '65', '32', '0', 'KILL', 'SIGRTMIN' }
local SYSCALLS = { 'read', 'openat', 'execve', 'getpid', '1000', '16777215', '0', '1', 'none' }
local DEVICES = { '8:0', 'sda', '4000:77', '0:0', '4095:0' }
local ADDRESSES = { '10.0.0.1', '127.0.0.1', '192.168.1.1', '0.0.0.0', '255.255.255.255', '::', '::1', 'fe80::1',
  '2001:db8::1', '2001:db8::1:0:0:1', '2001:db8:0:1:1:1:1:1', '::ffff:10.0.0.1', '::10.0.0.1', 'FE80::1', '010.0.0.1',
  '10.0.0', 'fe80:0:0:0:0:0:0:1', '::ffff', '1:2:3:4:5:6:7:8', '10.0.0.1 ', '::fffe:a00:1', '8.8.8.8', '10.' }
local NETWORKS = { '10.0.0.0/8', '192.168.0.0/16', '127.0.0.0/8', '0.0.0.0/0', '::/0', '10.1.2.3/32', '10.0.0.1',
  'fe80::/10', '2001:db8::/32', '::1/128', '10.128.0.0/9', '172.16.0.0/12', '2001:db8::/33', 'fc00::/7', '8.8.8.8/31',
  '::1' }
local NUMBERS = { 0, 0, 1, 1, 2, 3, 5, 7, 10, 22, 53, 80, 100, 127, 128, 255, 256, 443, 1000, 1023, 1024, 4096, 8080,
  32767, 32768, 65535, 65536, 100000, 1e6, 1e9, 2 ^ 31 - 1, 2 ^ 31, 2 ^ 32 - 1, 2 ^ 32, -1, -1, -2, -5, -128, -1000,
  -32768, -2 ^ 31 }
local WIDE_NUMBERS = { 2 ^ 32 + 1, 2 ^ 40, 2 ^ 51, 2 ^ 52, 2 ^ 53 - 1, 2 ^ 53, 2 ^ 53 + 2, 2 ^ 63, 2 ^ 63 - 1024,
  2 ^ 64,
  2 ^ 64 - 2048, 1e12, 1e15, 1e18, 1e19, -2 ^ 53, -2 ^ 53 - 2, -2 ^ 63, -1e12, -2 ^ 64, 1e300, -1e300 }
local FRACTIONS = { 0.5, 1.5, -0.5, 2.5, 0.1, 1e-9, 99.99, 4294967295.5, -1.5, 255.5, 1e9 + 0.5 }
local WIDE_LITERALS = { '1ULL', '0ULL', '-1LL', '0xffffffffffffffffULL', '9007199254740993LL', '9007199254740993ULL',
  '0x8000000000000000ULL', '0x7fffffffffffffffLL', '5LL', '4096ULL' }

--- A number as Lua text that gives exactly it.
local function number_text(value)
  if value ~= value then return '(0 / 0)' end
  local text
  if value == math.huge or value == -math.huge then
    text = value > 0 and '1e999' or '-1e999'
  elseif value == math.floor(value) and math.abs(value) < 2 ^ 53 then
    text = ('%.0f'):format(value)
  else
    text = ('%.17g'):format(value)
  end
  return value < 0 and '(' .. text .. ')' or text
end

--- Text as a Lua literal.
local function quoted(text)
  return "'" .. text:gsub('[%c\128-\255\\\']', function(byte) return ('\\%03d'):format(byte:byte()) end) .. "'"
end
generate.quoted, generate.number_text = quoted, number_text

-- Constants; what is used is remembered, so that events come near it.

local function note_number(g, value)
  g.pool.numbers[#g.pool.numbers + 1] = value
  return value
end

local function note_text(g, value)
  g.pool.texts[#g.pool.texts + 1] = value
  return value
end

local function note_address(g, text)
  local hex = events.address((text:gsub('/.*', '')))
  if hex then g.pool.addresses[#g.pool.addresses + 1] = hex end
  return text
end

local function constant_value(g)
  local value
  if g.on.fractions and chance(12) then
    value = one_of(FRACTIONS)
  elseif g.on.wide and chance(15) then
    value = one_of(WIDE_NUMBERS)
  else
    value = chance(80) and one_of(NUMBERS) or random(0, 300)
  end
  return note_number(g, value)
end

local function name_of(g, prefix)
  g.names = g.names + 1
  return prefix .. g.names
end

local function prologue(g, ...)
  g.prologue[#g.prologue + 1] = S(...)
end

--- A field's name; an `e.` before it.
local function field(g, kind)
  local name = one_of(fields[kind])
  if g.usable and not g.usable[name] then return nil end
  g.used[name] = true
  return E(g.event .. '.' .. name), name
end

--- Something a method can be called on.
local function receiver(node)
  return tree.text(node):find("^'") and E('(', node, ')') or node
end

local number, truth, text, any, block, sum_loop, key_value -- the grammar, which is recursive

--- One of the alternatives { weight, construct or nil, make } that this function may use.
local function choose(g, depth, alternatives)
  local total = 0
  for _, one in ipairs(alternatives) do
    if not one[2] or g.on[one[2]] then total = total + one[1] end
  end
  for _ = 1, 20 do
    local at = random() * total
    for _, one in ipairs(alternatives) do
      if not one[2] or g.on[one[2]] then
        at = at - one[1]
        if at <= 0 then
          local made = one[3](g, depth)
          if made then
            if one[2] then g.tags[one[2]] = true end
            return made
          end
          break
        end
      end
    end
  end
  return nil
end

local function local_of(g, ...)
  local fitting = {}
  for _, variable in ipairs(g.locals) do
    for i = 1, select('#', ...) do if variable.type == select(i, ...) then fitting[#fitting + 1] = variable end end
  end
  return #fitting > 0 and one_of(fitting) or nil
end

local function known_local(...)
  local types = { ... }
  return function(g)
    local variable = local_of(g, unpack(types))
    return variable and E(variable.name)
  end
end

local MAKERS -- [type of a variable] = what makes a value for it

-- Helpers: small functions before the filter.

local function with_scope(g, change, make)
  local saved = {}
  for key in pairs(change) do saved[key] = g[key] end
  for key, value in pairs(change) do g[key] = value end
  local made = make()
  for key in pairs(change) do g[key] = saved[key] end
  return made
end

--- A call of a helper that is there already.
local function known_helper_call(g, depth, gives)
  local fitting = {}
  for _, helper in ipairs(g.helpers) do if helper.gives == gives then fitting[#fitting + 1] = helper end end
  if #fitting == 0 then return nil end
  local helper = one_of(fitting)
  local parts, give = { helper.name, '(' }, helper.takes == 'text' and text or number
  for i = 1, helper.count do
    if i > 1 then parts[#parts + 1] = ', ' end
    parts[#parts + 1] = give(g, depth - 1)
  end
  parts[#parts + 1] = ')'
  return E(unpack(parts))
end

--- A helper of numbers or text; returns what a call of it with arguments is.
local function helper_call(g, depth, gives)
  if depth <= 0 then return nil end
  if chance(30) then
    local known = known_helper_call(g, depth, gives)
    if known then return known end
  end
  if g.in_helper then return nil end
  local takes = g.on.text and chance(25) and 'text' or 'number'
  local name = name_of(g, 'helper')
  local parameters = { { name = 'p', type = takes } }
  if chance(30) then parameters[2] = { name = 'q', type = takes } end
  local body = with_scope(g, { in_helper = true, locals = parameters, usable = {}, prologue = {} }, function()
    local inner = {}
    if chance(20) then
      inner[1] = S('if ', truth(g, depth - 1), ' then ', B { S('p = ', MAKERS[takes](g, depth - 1)) }, 'end')
    end
    if chance(30) then
      inner[#inner + 1] = S('if ', truth(g, depth - 1), ' then ', B { S('return ', gives(g, depth - 1)) }, 'end')
    end
    if chance(85) then inner[#inner + 1] = S('return ', gives(g, depth - 1)) end
    return { inner = inner, before = g.prologue }
  end)
  for _, statement in ipairs(body.before) do g.prologue[#g.prologue + 1] = statement end
  local list = #parameters == 2 and 'p, q' or 'p'
  prologue(g, ('local function %s(%s) '):format(name, list), B(body.inner), 'end')
  g.helpers[#g.helpers + 1] = { name = name, takes = takes, count = #parameters, gives = gives }
  local give = takes == 'text' and text or number
  if #parameters == 2 then return E(name .. '(', give(g, depth - 1), ', ', give(g, depth - 1), ')') end
  return E(name .. '(', give(g, depth - 1), ')')
end

--- A helper that takes the event.
local function event_helper_call(g, depth, gives)
  if depth <= 0 or g.in_helper then return nil end
  local name = name_of(g, 'about')
  local body = with_scope(g, { in_helper = true, locals = {}, event = 'ev', prologue = {} }, function()
    return { inner = S('return ', gives(g, depth - 1)), before = g.prologue }
  end)
  for _, statement in ipairs(body.before) do g.prologue[#g.prologue + 1] = statement end
  prologue(g, ('local function %s(ev) '):format(name), B { body.inner }, 'end')
  return E(name .. '(' .. g.event .. ')')
end

-- Options: a table outside with constants.

local function option(g, kind)
  local name = name_of(g, 'opt')
  if kind == 'number' then
    g.options[#g.options + 1] = name .. ' = ' .. number_text(constant_value(g))
  elseif kind == 'text' then
    g.options[#g.options + 1] = name .. ' = ' .. quoted(note_text(g, one_of(NAMES)))
  elseif kind == 'flag' then
    g.options[#g.options + 1] = name .. ' = ' .. one_of { 'true', 'false' }
  end -- else it is missing
  return E('options.' .. name)
end

-- Numbers.

local function constant(g)
  if g.on.literals and chance(6) then
    g.tags.literals = true
    local literal = one_of(WIDE_LITERALS)
    note_number(g, assert(loadstring('return ' .. literal))())
    return E(literal:sub(1, 1) == '-' and '(' .. literal .. ')' or literal)
  end
  return E(number_text(constant_value(g)))
end

local function upvalue(g)
  local name = name_of(g, 'limit')
  prologue(g, 'local ' .. name .. ' = ', constant(g))
  return E(name)
end

local function array_element(g, depth)
  local name = one_of(fields.array)
  if g.usable and not g.usable[name] then return nil end
  g.used[name] = true
  local most = ({ args = 6, longs = 2, ints = 3, shorts = 4 })[name]
  local index
  local variable = local_of(g, 'index')
  if variable and chance(70) then
    index = variable.name
  elseif g.on.careless and chance(15) then
    index = one_of { '0', tostring(most + 1), '1.5', '-1' }
  elseif g.on.careless and chance(5) and depth > 0 then
    return E(g.event .. '.' .. name .. '[', number(g, depth - 1), ']')
  else
    index = tostring(random(most))
  end
  return E(g.event .. '.' .. name .. '[' .. index .. ']')
end

local function binary(operators)
  return function(g, depth)
    if depth <= 0 then return nil end
    return E('(', number(g, depth - 1), ' ' .. one_of(operators) .. ' ', number(g, depth - 1), ')')
  end
end

local function with_constant(operators, constants)
  return function(g, depth)
    if depth <= 0 then return nil end
    local by = constants and number_text(note_number(g, one_of(constants))) or number_text(constant_value(g))
    if chance(75) then return E('(', number(g, depth - 1), ' ' .. one_of(operators) .. ' ', E(by), ')') end
    return E('(', E(by), ' ' .. one_of(operators) .. ' ', number(g, depth - 1), ')')
  end
end

local DIVISORS = { 1, 2, 3, 4, 7, 8, 10, 16, 100, 256, 1000, 1024, 4096, 1e6, 1e9, 65536, -1, -2, -7, 2 ^ 32 }

number = function(g, depth)
  return choose(g, depth, {
    { 30, nil, function() return (field(g, 'small')) end },
    { 12, 'wide', function() return (field(g, 'wide')) end },
    { 14, nil, constant },
    { 6, nil, upvalue },
    { 4, 'options', function() return option(g, 'number') end },
    { 14, nil, known_local('number', 'index') },
    { 2, 'cpu', function() if not g.usable then return E(g.event .. '.cpu') end end },
    { 5, 'arrays', array_element },
    { 1, 'arrays', function()
      local name = one_of(fields.array)
      if g.usable then return nil end
      g.used[name] = true
      return E('#' .. g.event .. '.' .. name)
    end },
    { 8, 'arithmetic', binary { '+', '-', '+', '-', '*' } },
    { 12, 'arithmetic', with_constant { '+', '-', '*' } },
    { 3, 'arithmetic', function(_, d) if d > 0 then return E('(-', number(g, d - 1), ')') end end },
    { 8, 'division', with_constant({ '/', '%' }, DIVISORS) },
    { 3, 'division', binary { '/', '%' } },
    { 8, 'floor', function(_, d)
      if d <= 0 then return nil end
      return E(one_of { 'math.floor(', 'math.floor(', 'math.floor(', 'math.ceil(', 'math.abs(' }, number(g, d - 1), ')')
    end },
    { 5, 'floor', function(_, d)
      if d <= 0 then return nil end
      return E('math.floor(', number(g, d - 1), ' / ' .. number_text(one_of(DIVISORS)) .. ')')
    end },
    { 2, 'floor', function(_, d)
      if d <= 0 then return nil end
      return E(one_of { 'math.min(', 'math.max(' }, number(g, d - 1), ', ', number(g, d - 1), ')')
    end },
    { 10, 'bits', function(_, d)
      if d <= 0 then return nil end
      return E(one_of { 'bit.band(', 'bit.bor(', 'bit.bxor(' }, number(g, d - 1), ', ', number(g, d - 1), ')')
    end },
    { 10, 'bits', function(_, d)
      if d <= 0 then return nil end
      local shift = chance(85) and tostring(random(0, 33)) or number(g, d - 1)
      local name = one_of { 'bit.lshift(', 'bit.rshift(', 'bit.arshift(', 'bit.rol(', 'bit.ror(' }
      return E(name, number(g, d - 1), ', ', shift, ')')
    end },
    { 3, 'bits', function(_, d)
      if d <= 0 then return nil end
      return E(one_of { 'bit.bnot(', 'bit.tobit(', 'bit.bswap(' }, number(g, d - 1), ')')
    end },
    { 5, 'lengths', function(_, d)
      if d > 0 and chance(30) then return E('#', text(g, d - 1)) end
      local of = field(g, 'text')
      return of and E('#', of)
    end },
    { 2, 'find', function(_, d)
      if d <= 0 then return nil end
      return E(receiver(text(g, d - 1)), ':len()')
    end },
    { 3, 'bytes', function()
      local of = field(g, 'text')
      return of and E('(', of, (':byte(%s)'):format(one_of { '', '1', '2', '-1', '7', '8', '16', '17' }), ' or 0)')
    end },
    { 4, 'calls', function(_, d) return helper_call(g, d, number) end },
    { 2, 'calls', function(_, d) return event_helper_call(g, d, number) end },
    { 4, 'values', function(_, d)
      if d <= 0 then return nil end
      return E('(', truth(g, d - 1), ' and ', number(g, d - 1), ' or ', number(g, d - 1), ')')
    end },
    { 3, 'nothing', function(_, d)
      if d <= 0 then return nil end
      return E('(', E('options.missing'), ' or ', number(g, d - 1), ')')
    end },
    { 5, 'careless', function(_, d) return any(g, d - 1) end },
    { 2, 'careless', function(_, d) if d > 0 then return E('tonumber(', text(g, d - 1), ')') end end },
  }) or constant(g)
end

-- Text.

local function text_constant(g, of)
  return E(quoted(note_text(g, one_of(of or NAMES))))
end

--- A field that reads as a name, and constants that fit it.
local function named_field(g)
  local kind = one_of { 'enum', 'enum', 'named', 'named', 'named' }
  local made, name = field(g, kind)
  local constants = kind == 'enum' and ENUMS or ({ error = ERRORS, signal = SIGNALS, syscall = SYSCALLS })[name]
  return made, constants
end

local function text_field(g)
  return (field(g, 'text'))
end

local function subtext(g, depth)
  local of = depth > 0 and chance(15) and text(g, depth - 1) or text_field(g)
  if not of then return nil end
  of = receiver(of)
  local form = random(10)
  if form <= 5 then return E(of, (':sub(1, %d)'):format(random(0, 20))) end
  if form <= 8 then return E(of, (':sub(-%d)'):format(random(1, 20))) end
  if form == 9 then return E(of, (':sub(%d, %d)'):format(random(-9, 9), random(-9, 20))) end
  return E(of, (':sub(%d)'):format(random(-9, 9)))
end

text = function(g, depth)
  return choose(g, depth, {
    { 30, 'text', text_field },
    { 8, 'text', subtext },
    { 10, 'text', function() return text_constant(g) end },
    { 4, 'names', function() return (named_field(g)) end },
    { 2, 'address', function() return (field(g, 'address')) end },
    { 1, 'listed', function() return (field(g, 'listed')) end },
    { 1, 'device', function() return (field(g, 'device')) end },
    { 8, 'text', known_local('text') },
    { 3, 'options', function() return option(g, 'text') end },
    { 3, 'values', function(_, d)
      if d <= 0 then return nil end
      return E('(', truth(g, d - 1), ' and ', text(g, d - 1), ' or ', text(g, d - 1), ')')
    end },
    { 2, 'calls', function(_, d) return helper_call(g, d, text) end },
    { 1, 'case', function(_, d)
      if d > 0 then return E(receiver(text(g, d - 1)), one_of { ':lower()', ':upper()' }) end
    end },
    { 5, 'careless', function(_, d) return any(g, d - 1) end },
  }) or text_constant(g)
end

-- What is true or false.

local COMPARE = { '==', '~=', '<', '<=', '>', '>=' }

local function comparison(g, depth)
  local left = number(g, depth - 1)
  local right = chance(60) and constant(g) or number(g, depth - 1)
  if chance(15) then left, right = right, left end
  return E('(', left, ' ' .. one_of(COMPARE) .. ' ', right, ')')
end

local function between(g, depth)
  local what = number(g, math.min(depth - 1, 0))
  return E('(', tree.copy(what), one_of { ' >= ', ' > ' }, constant(g), ' and ', what, one_of { ' < ', ' <= ' },
    constant(g), ')')
end

local function equality(make)
  return function(g, depth)
    local left, right = make(g, depth)
    if not left or not right then return nil end
    if chance(10) then left, right = right, left end
    return E('(', left, one_of { ' == ', ' == ', ' ~= ' }, right, ')')
  end
end

local function text_equality(g, depth)
  local left = chance(70) and text_field(g) or text(g, depth - 1)
  return left, chance(75) and text_constant(g) or text(g, depth - 1)
end

--- A prefix or suffix of a known length.
local function affix(g)
  local what, of = text_field(g), note_text(g, one_of(NAMES))
  if not what then return nil end
  local length = chance(90) and #of or #of + 1
  local sub = chance(60) and (':sub(1, %d)'):format(length) or (':sub(-%d)'):format(math.max(length, 1))
  return E(what, sub), E(quoted(of))
end

local function found(g, depth)
  local what = chance(85) and text_field(g) or depth > 0 and text(g, depth - 1)
  if not what then return nil end
  local of = text_constant(g)
  local from = chance(85) and '1' or tostring(random(-3, 20))
  local call = chance(85) and E(receiver(what), ':find(', of, ', ' .. from .. ', true)')
    or E('string.find(', what, ', ', of, ', ' .. from .. ', true)')
  if chance(25) then return E('(', call, one_of { ' == nil', ' ~= nil', ' == 1', ' ~= 3', ' == 4' }, ')') end
  return call
end

local function set(g, make, most)
  local name, members = name_of(g, 'set'), {}
  for i = 1, random(1, most or 6) do
    members[i] = '[' .. make() .. '] = ' .. (chance(90) and 'true' or one_of { 'false', '0', "'yes'", '1' })
  end
  prologue(g, 'local ' .. name .. ' = { ' .. table.concat(members, ', ') .. ' }')
  return name
end

local function text_membership(g, depth)
  local what = chance(85) and text_field(g) or depth > 0 and text(g, depth - 1)
  if not what then return nil end
  local name = set(g, function() return quoted(note_text(g, one_of(NAMES))) end, chance(10) and 20)
  return E(name .. '[', what, ']')
end

local function number_membership(g, depth)
  local what = chance(70) and field(g, (g.on.wide and chance(20)) and 'wide' or 'small') or number(g, depth - 1)
  if not what then return nil end
  local name = set(g, function()
    local value = constant_value(g)
    return '(' .. number_text(value) .. ')'
  end, chance(10) and 20)
  return E(name .. '[', what, ']')
end

local function list_membership(g, depth)
  local what = field(g, 'small')
  if not what then return nil end
  local name, members = name_of(g, 'list'), {}
  for i = 1, random(1, 5) do members[i] = chance(60) and 'true' or one_of { 'false', 'nil', '1' } end
  prologue(g, 'local ' .. name .. ' = { ' .. table.concat(members, ', ') .. ' }')
  if depth > 0 and chance(20) then return E(name .. '[', number(g, depth - 1), ']') end
  return E(name .. '[', what, ']')
end

local function named_membership(g)
  local what, constants = named_field(g)
  if not what then return nil end
  local name = set(g, function() return quoted(note_text(g, one_of(constants))) end)
  return E(name .. '[', what, ']')
end

local function mapped(g, depth)
  local what = text_field(g)
  if not what then return nil end
  local name, members = name_of(g, 'map'), {}
  for i = 1, random(1, 6) do
    members[i] = '[' .. quoted(note_text(g, one_of(NAMES))) .. '] = ' .. number_text(constant_value(g))
  end
  prologue(g, 'local ' .. name .. ' = { ' .. table.concat(members, ', ') .. ' }')
  local got = E(name .. '[', what, ']')
  if chance(50) then got = E('(', got, ' or ', constant(g), ')') end
  return E('(', got, ' ' .. one_of(COMPARE) .. ' ', number(g, depth - 1), ')')
end

local function network(g)
  local what = field(g, 'address')
  if not what then return nil end
  local name, list = name_of(g, 'network'), {}
  for i = 1, random(1, 3) do list[i] = quoted(note_address(g, one_of(NETWORKS))) end
  prologue(g, ('local %s = network(%s)'):format(name, table.concat(list, ', ')))
  return E(name .. '(', what, ')')
end

truth = function(g, depth)
  return choose(g, depth, {
    { 40, nil, comparison },
    { 6, nil, between },
    { 14, nil, function(_, d) if d > 0 then return E('(', truth(g, d - 1), ' and ', truth(g, d - 1), ')') end end },
    { 14, nil, function(_, d) if d > 0 then return E('(', truth(g, d - 1), ' or ', truth(g, d - 1), ')') end end },
    { 6, nil, function(_, d) if d > 0 then return E('(not ', truth(g, d - 1), ')') end end },
    { 6, 'flags', function() return (field(g, 'flag')) end },
    { 1, 'flags', function()
      local flag = field(g, 'flag')
      return flag and E('(', flag, one_of { ' == ', ' ~= ' } .. one_of { 'true', 'false', 'nil', '1' }, ')')
    end },
    { 3, 'options', function() return option(g, one_of { 'flag', 'missing' }) end },
    { 5, 'options', function(_, d)
      if d <= 0 then return nil end
      local asked = option(g, one_of { 'number', 'missing', 'flag' })
      return E('(not ', tree.copy(asked), ' or ', number(g, d - 1), ' == ', asked, ')')
    end },
    { 3, nil, function()
      local variable = local_of(g, 'truth')
      return variable and E(variable.name)
    end },
    { 30, 'text', equality(text_equality) },
    { 10, 'text', equality(affix) },
    { 10, 'find', found },
    { 2, 'order', function(_, d)
      return E('(', text(g, d - 1), ' ' .. one_of(COMPARE) .. ' ', text(g, d - 1), ')')
    end },
    { 12, 'sets', number_membership },
    { 3, 'sets', list_membership },
    { 12, 'textsets', text_membership },
    { 4, 'textsets', mapped },
    { 14, 'names', equality(function()
      local what, constants = named_field(g)
      return what, what and text_constant(g, constants)
    end) },
    { 4, 'names', named_membership },
    { 4, 'names', function()
      local what = field(g, 'named')
      return what and chance(50) and what or what and E('(', what, one_of { ' == nil', ' ~= nil' }, ')')
    end },
    { 2, 'device', equality(function() return (field(g, 'device')), text_constant(g, DEVICES) end) },
    { 2, 'listed', equality(function() return (field(g, 'listed')), text_constant(g) end) },
    { 1, 'listed', function()
      if g.usable then return nil end
      g.used.argv, g.used.argv_bytes = true, true
      return E('(' .. g.event .. '.argv_list[' .. one_of { 1, 2, 3 } .. '] == ', text_constant(g), ')')
    end },
    { 14, 'address', equality(function()
      local constants = E(quoted(note_address(g, one_of(ADDRESSES))))
      return (field(g, 'address')), chance(85) and constants or (field(g, 'address'))
    end) },
    { 4, 'address', function()
      local what = field(g, 'address')
      return what and E(set(g, function() return quoted(note_address(g, one_of(ADDRESSES))) end) .. '[', what, ']')
    end },
    { 1, 'address', function()
      local what = field(g, 'address')
      local use = one_of { ":sub(1, 3) == '10.')", ":find(':', 1, true) == nil)", ":sub(-2) == ':1')" }
      return what and E('(', what, use)
    end },
    { 12, 'networks', network },
    { 6, 'calls', function(_, d) return helper_call(g, d, truth) end },
    { 5, 'calls', function(_, d) return event_helper_call(g, d, truth) end },
    { 3, 'values', function(_, d)
      if d <= 0 then return nil end
      return E('(', truth(g, d - 1), ' and ', any(g, d - 1), ' or ', any(g, d - 1), ')')
    end },
    { 4, 'values', function(_, d)
      if d <= 0 then return nil end
      return E('(', any(g, d - 1), one_of { ' == ', ' ~= ' }, any(g, d - 1), ')')
    end },
    { 2, 'values', function(_, d) return any(g, d) end },
    { 2, 'nothing', function(_, d)
      if d > 0 then return E('(', any(g, d - 1), one_of { ' == nil', ' ~= nil' }, ')') end
    end },
    { 2, 'nothing', function() return E('options.missing') end },
    { 2, 'bytes', function()
      local of = text_field(g)
      return of and E('(', of, (':byte(%d) == %d)'):format(random(1, 17), one_of { 47, 97, 0, 255, 46 }))
    end },
    { 6, 'pattern', function()
      local of = text_field(g)
      if not of then return nil end
      local plain = note_text(g, one_of(NAMES)):gsub('[%^%$%(%)%%%.%[%]%*%+%-%?]', chance(90) and '%%%0' or '%0')
      local pattern = one_of { '', '^' } .. plain .. one_of { '', '$', '', '.*', '%d' }
      local call = E(of, one_of { ':match(', ':find(' }, E(quoted(pattern)), ')')
      if chance(20) then return E('(', call, one_of { ' == nil', ' ~= nil', ' == 1', " == 'a'" }, ')') end
      return call
    end },
  }) or comparison(g, depth)
end

--- A value of any type.
any = function(g, depth)
  return choose(g, depth, {
    { 10, nil, number },
    { 10, nil, truth },
    { 6, 'text', text },
    { 4, nil, known_local('number', 'text', 'truth', 'any', 'index') },
    { 2, nil, function() return E(one_of { 'true', 'false' }) end },
    { 2, 'nothing', function() return E('nil') end },
    { 3, 'names', function() return (named_field(g)) end },
    { 2, 'flags', function() return (field(g, 'flag')) end },
  }) or number(g, depth)
end

-- Statements.

MAKERS = { number = number, truth = truth, text = text, any = any }

local function types_on(g)
  local types = { 'number', 'number', 'truth' }
  if g.on.text then types[#types + 1] = 'text' end
  if g.on.values then types[#types + 1] = 'any' end
  return types
end

local function declaration(g, depth)
  local kind, name = one_of(types_on(g)), name_of(g, 'v')
  local made
  if kind == 'any' and chance(30) then
    made = S('local ' .. name)
  else
    made = S('local ' .. name .. ' = ', MAKERS[kind](g, depth))
  end
  g.locals[#g.locals + 1] = { name = name, type = kind }
  g.tags.locals = true
  return made
end

local function assignment(g, depth)
  local assignable = {}
  for _, variable in ipairs(g.locals) do if variable.type ~= 'index' then assignable[#assignable + 1] = variable end end
  if #assignable == 0 then return nil end
  local variable = one_of(assignable)
  g.tags.assignment = true
  return S(variable.name .. ' = ', MAKERS[variable.type](g, depth))
end

--- Two variables at once: they swap, or each gets a value.
local function double_assignment(g, depth)
  local assignable = {}
  for _, variable in ipairs(g.locals) do
    if variable.type ~= 'index' then assignable[#assignable + 1] = variable end
  end
  if #assignable < 2 then return nil end
  local a, b = one_of(assignable), one_of(assignable)
  if a.type == b.type and chance(50) then
    return S(('%s, %s = %s, %s'):format(a.name, b.name, b.name, a.name))
  end
  return S(a.name .. ', ' .. b.name .. ' = ', MAKERS[a.type](g, depth), ', ', MAKERS[b.type](g, depth))
end

local function double_declaration(g, depth)
  local kinds = types_on(g)
  local a, b = { name = name_of(g, 'v'), type = one_of(kinds) }, { name = name_of(g, 'v'), type = one_of(kinds) }
  local made = S(('local %s, %s = '):format(a.name, b.name), MAKERS[a.type](g, depth), ', ', MAKERS[b.type](g, depth))
  g.locals[#g.locals + 1], g.locals[#g.locals + 2] = a, b
  return made
end

local function scoped(g, make)
  local count = #g.locals
  local made = make()
  for i = #g.locals, count + 1, -1 do g.locals[i] = nil end
  return made
end

local function returned(g, depth)
  local form = random(20)
  if g.gives then return S('return ', g.gives(g, depth)) end
  if form == 1 then return S('return') end
  if form == 2 then return S('return true') end
  if form == 3 then return S('return false') end
  if form == 4 and g.on.values then return S('return ', any(g, depth)) end
  if form == 5 and g.on.values then return S('return ', truth(g, depth), ', ', truth(g, depth - 1)) end
  return S('return ', truth(g, depth))
end

local function conditional(g, depth)
  if depth <= 0 then return nil end
  local function inside() return scoped(g, function() return block(g, depth - 1, chance(60)) end) end
  local parts = { 'if ', truth(g, depth - 1), ' then ', inside() }
  if chance(25) then
    for _, part in ipairs { 'elseif ', truth(g, depth - 1), ' then ', inside() } do parts[#parts + 1] = part end
  end
  if chance(35) then
    for _, part in ipairs { 'else ', inside() } do parts[#parts + 1] = part end
  end
  parts[#parts + 1] = 'end'
  return S(unpack(parts))
end

local function loop(g, depth)
  if depth <= 0 then return nil end
  local name = name_of(g, 'i')
  local from, to = random(1, 2), random(1, 6)
  local step = chance(15) and one_of { 1, 2, -1, 3 }
  if step == -1 then from, to = to, from end
  local body = scoped(g, function()
    g.locals[#g.locals + 1] = { name = name, type = 'index' }
    return block(g, depth - 1, chance(25), true)
  end)
  local head = ('for %s = %d, %d%s do '):format(name, from, to, step and ', ' .. step or '')
  return S(head, body, 'end')
end

--- Adds something up, then asks for the sum.
sum_loop = function(g, depth)
  if depth <= 0 then return nil end
  local sum, index = name_of(g, 'v'), name_of(g, 'i')
  local body = scoped(g, function()
    g.locals[#g.locals + 1] = { name = index, type = 'index' }
    local added = S(sum .. ' = ' .. sum .. one_of { ' + ', ' + ', ' - ' }, number(g, depth - 1))
    if chance(40) then added = S('if ', truth(g, 0), ' then ', B { added }, 'end') end
    return B { added }
  end)
  g.locals[#g.locals + 1] = { name = sum, type = 'number' }
  return S(('local %s = 0; for %s = 1, %d do '):format(sum, index, random(1, 6)), body, 'end')
end

--- @param ends boolean with a return
block = function(g, depth, ends, in_loop)
  local statements = {}
  for _ = 1, random(0, g.length) do
    statements[#statements + 1] = choose(g, depth, {
      { 10, 'locals', function() return declaration(g, depth - 1) end },
      { 8, 'branches', function() return conditional(g, depth) end },
      { 4, 'locals', function() return assignment(g, depth - 1) end },
      { 2, 'locals', function() return double_declaration(g, depth - 1) end },
      { 2, 'locals', function() return double_assignment(g, depth - 1) end },
      { 1, 'locals', function()
        if depth > 0 then return S('do ', scoped(g, function() return block(g, depth - 1, false) end), 'end') end
      end },
      { 4, 'loops', function() return loop(g, depth) end },
      { 3, 'loops', function() return sum_loop(g, depth) end },
    })
  end
  if ends then
    statements[#statements + 1] = returned(g, depth)
  elseif #statements == 0 then
    statements[1] = assignment(g, depth - 1)
  end
  if in_loop and chance(15) and not ends then
    statements[#statements + 1] = S('if ', truth(g, 0), ' then ', B { S('break') }, 'end')
  end
  return B(statements)
end

-- What cannot be translated: mostly one line that does it, in a function of the usual kind.

local OUTSIDE = {
  function(g) return S("if (e.comm .. 'x') == ", text_constant(g), ' then return true end') end,
  function() return S("local t = { e.pid, e.uid }; if t[1] == t[2] then return true end") end,
  function() return S("local t = { pid = e.pid }; if t.pid == 1 then return true end") end,
  function() return S("local f = function() return e.pid end; if f() == 1 then return true end") end,
  function() return S("if pcall(function() return e.nothing end) then return true end") end,
  function() return S("if global_variable then return true end") end,
  function() return S("global_variable = e.pid") end,
  function() return S("local n = e.u16; while n > 10 do n = n - e.u8 - 1 end; if n == 3 then return true end") end,
  function() return S("local n = e.u8; repeat n = n + 1 until n > e.s8; if n == 3 then return true end") end,
  function() return S("for i = 1, e.u8 do if e.u16 == i then return true end end") end,
  function()
    return S('if e.u32 == 77777 and e.u16 == 54321 then for i = 1, 1e9 do if e.u8 == i then return true end end end')
  end,
  function() return S("for i = e.s8, 10, e.u8 + 1 do if e.u16 == i then return true end end") end,
  function() return S("for _, v in ipairs(e.args) do if v == 3 then return true end end") end,
  function() return S("for k in pairs { a = 1 } do if k == e.comm then return true end end") end,
  function(g)
    prologue(g, 'local function again(n) if n == 0 then return true end return again(n - 1) end')
    return S('if again(e.u8) then return true end')
  end,
  function(g)
    prologue(g, 'local odd_one; local function even_one(n) if n == 0 then return true end return odd_one(n - 1) end')
    prologue(g, 'odd_one = function(n) if n == 0 then return false end return even_one(n - 1) end')
    return S('if even_one(e.u8) then return true end')
  end,
  function() return S("if e.error < 5 then return true end") end,
  function() return S("if e.comm + 1 > 5 then return true end") end,
  function() return S("if e.comm * 2 == 4 then return true end") end,
  function() return S("if ('10' + e.u8) > 5 then return true end") end,
  function() return S("if e.error .. '' == '' then return true end") end,
  function() return S("if e.comm < e.pid then return true end") end,
  function() return S("if #e.pid > 1 then return true end") end,
  function() return S("if e.pid.x then return true end") end,
  function() return S("if e.comm.x then return true end") end,
  function() return S("if e.comm:nothing() then return true end") end,
  function() return S("if e.pid() then return true end") end,
  function() return S("if nothing() then return true end") end,
  function() return S("if tostring(e.pid) == '1' then return true end") end,
  function() return S("if tonumber(e.comm) == 1 then return true end") end,
  function() return S("if e.comm:rep(3) == 'aaa' then return true end") end,
  function() return S("if e.comm:reverse() == 'lruc' then return true end") end,
  function() return S("if e.comm:byte(1) == 97 then return true end") end,
  function() return S("if e.comm:match('^a(.-)b$') == 'x' then return true end") end,
  function() return S("if e.comm:gsub('a', 'b') == 'b' then return true end") end,
  function() return S("if ('%d'):format(e.pid) == '1' then return true end") end,
  function() return S("if select('#', e.pid, e.uid) == 2 then return true end") end,
  function() return S("if rawequal(e.pid, e.uid) then return true end") end,
  function() return S("if type(e.error) == 'string' then return true end") end,
  function() return S("if (e.u32 ^ 2) > 100 then return true end") end,
  function() return S("if math.sqrt(e.u32) > 100 then return true end") end,
  function() return S("if math.random() < 2 then return true end") end,
  function() return S("if os.time() > 100 then return true end") end,
  function() return S("if e.time > 100 then return true end") end,
  function() return S("if e then return e end") end,
  function() return S("local copy = e; if copy.pid == 3 then return true end") end,
  function() return S("e = { pid = 3 }; if e.pid == 3 then return true end") end,
  function() return S("e.pid = 3") end,
  function() return S("if e[1] then return true end") end,
  function() return S("local name = 'pid'; if e[name] == 1 then return true end") end,
  function() return S("if e['pid'] == 1 then return true end") end,
  function() return S("if e.sequence == 77 then return true end") end,
  function(g)
    if g.several then return S('if e.u8 == 3 then return nothing() end') end -- what is asked twice counts twice
    prologue(g, 'local count = 0')
    return S('count = count + 1; if count > 3 then return true end')
  end,
  function(g)
    if g.several then return S('if e[e.comm] then return false end') end
    prologue(g, 'local seen = {}')
    return S('if seen[e.pid] then return false end; seen[e.pid] = true')
  end,
  function(g)
    prologue(g, "local strange = setmetatable({}, { __index = function(_, name) return name == 'curl' end })")
    return S('if strange[e.comm] then return true end')
  end,
  function(g)
    prologue(g, 'local nested = { a = { b = { c = 7 } } }')
    return S('if nested.a.b.c == e.u8 then return true end')
  end,
  function(g)
    prologue(g, 'local thread = coroutine.wrap(function() while true do coroutine.yield(true) end end)')
    return S('if thread() then return true end')
  end,
  function(g)
    prologue(g, 'local function many(...) return ... end')
    return S('if many(e.pid, e.uid) == 0 then return true end')
  end,
  function(g)
    prologue(g, 'local function two(a, b) return b, a end')
    return S('local x, y = two(e.pid, e.uid); if x == y then return true end')
  end,
  function(g)
    prologue(g, 'local function less(a) return a end')
    return S('if less() == nil and less(e.u8, e.u16) == 3 then return true end')
  end,
  function() return S("goto done; do return true end ::done::") end,
  function() -- each twice the one before
    return S(('local n = e.u8; for i = 1, %d do n = n + n end; if n > 5 then return true end'):format(random(3, 60)))
  end,
  function() -- the same with a question in it
    return S(('local n = e.u8; for i = 1, %d do n = n %% 2 == 0 and n + i or n * 3 + 1 end '):format(random(3, 30)),
      'if n > 5 then return true end')
  end,
  function() -- a long chain
    local parts = {}
    for i = 1, random(10, 120) do
      parts[i] = ('e.%s %s %d'):format(one_of(fields.small), one_of { '==', '<', '~=' }, i)
    end
    return S('if ' .. table.concat(parts, one_of { ' or ', ' and ', ' or ' }) .. ' then return true end')
  end,
  function(g) -- a large set
    local members = {}
    for i = 1, random(100, 3000) do members[i] = ("['name%d'] = true"):format(i) end
    prologue(g, 'local large = { ' .. table.concat(members, ', ') .. ' }')
    note_text(g, 'name7')
    g.used.comm = true
    return S('if large[e.comm] then return true end')
  end,
  function(g)
    local members = {}
    for i = 1, random(10, 3000) do members[i] = ('[%d] = true'):format(i * 3) end
    prologue(g, 'local large = { ' .. table.concat(members, ', ') .. ' }')
    g.used.u16 = true
    return S('if large[e.u16] then return true end')
  end,
  function(g)
    prologue(g, 'local function pair(a, b) return b, a end')
    prologue(g, 'local function first(a, b, c) return a, b == c end')
    return S('if first(pair(e.u8, e.u16)) == e.u16 then return first(e.s8, pair(e.u8, e.u16)) end')
  end,
  function(g)
    prologue(g, 'local function pair(a, b) if a > b then return a, b end return b, a end')
    prologue(g, 'local function larger(a, b) return a > b and a ~= e_missing end')
    return S('return larger(e.s8, pair(e.u8, e.u16))')
  end,
  function(g)
    prologue(g, 'local function pair(a, b) if a > b then return a, b end return b, a end')
    prologue(g, 'local function larger(a, b, c) return a + 5 > b and c end')
    return S('if e.u32 > 7 then return larger(e.s8, pair(e.u8, e.u16)) end')
  end,
  function() return S('for i = 0.5, 3 do if e.u8 == i + 0.5 then return true end end') end,
  function() return S('for i = 10, 1 do return true end; for i = 1, 3, 2 do if e.u8 == i then return true end end') end,
  function() return S('for i = 1, 0/0 do return true end; for i = 3, 1, -1 do if e.u8 == i then return i end end') end,
  function() return S("error('always')") end,
  function() return S("assert(e.u8 > 3)") end,
  function() return S("if e.u8 == 3 then error('sometimes') end") end,
  function() return S("local a, b = e.pid; if b then return true end; if a == 3 then return true end") end,
  function() -- as many paths as there are subsets
    local statements = { S('local n = 0') }
    for i = 1, random(8, 40) do
      statements[#statements + 1] = S(('if e.args[%d] %% %d == 1 then n = n + %d end'):format(i % 6 + 1, i + 1, i))
    end
    statements[#statements + 1] = S('if n == 7 then return true end')
    return S(B(statements))
  end,
  function() -- a large one
    local statements = {}
    for i = 1, random(50, 1500) do
      statements[#statements + 1] = S(("if e.u32 == %d and e.comm == 'name%d' then return true end"):format(i, i))
    end
    return S(B(statements))
  end,
  function() -- deeply nested
    local depth = random(10, 60)
    local head, tail = {}, {}
    for i = 1, depth do
      head[i] = ('if e.u32 ~= %d then '):format(i)
      tail[i] = 'end '
    end
    return S(table.concat(head), 'return true ', table.concat(tail))
  end,
  function() -- many locals
    local statements = {}
    for i = 1, random(50, 150) do statements[i] = S(('local x%d = e.u32 + %d'):format(i, i)) end
    statements[#statements + 1] = S('if x1 == x50 or x3 == x40 * 2 then return true end')
    return S(B(statements))
  end,
  function() -- long loops
    local most = one_of { 10, 100, 1000, 10000 }
    local lines = 'local n = 0; for i = 1, %d do if e.u32 == i then n = n + i end end; if n > 3 then return true end'
    return S(lines:format(most))
  end,
  function()
    return S('for i = 1, 6 do for j = 1, 6 do if i ~= j and e.args[i] == e.args[j] then return true end end end')
  end,
  function() return S('while true do if e.u8 > 3 then break end return true end') end,
  function() return S('while e.u8 > 3 do if e.u8 > 2 then return true end end') end,
}

-- Profiles.

local function constructs(list)
  local on = {}
  for name in list:gmatch('%w+') do on[name] = true end
  return on
end

--- { weight, name, constructs, depth }
local PROFILES = {
  { 20, 'plain', 'flags options locals branches' },
  { 8, 'arithmetic', 'flags options locals branches arithmetic' },
  { 8, 'wide', 'flags options locals branches wide' },
  { 8, 'widearithmetic', 'branches locals wide arithmetic literals fractions' },
  { 6, 'division', 'locals branches arithmetic division floor fractions' },
  { 6, 'bits', 'locals branches arithmetic bits' },
  { 14, 'text', 'options locals branches text find lengths textsets pattern bytes' },
  { 6, 'sets', 'options flags sets locals branches wide' },
  { 8, 'names', 'names branches text textsets' },
  { 8, 'address', 'address networks branches flags locals' },
  { 6, 'calls', 'calls branches text flags locals' },
  { 6, 'loops', 'loops arrays branches locals wide arithmetic' },
  { 6, 'values', 'values nothing options flags text names branches locals calls' },
  { 12, 'mixed', 'flags options locals branches arithmetic division floor bits wide literals fractions text find '
    .. 'lengths textsets sets names address networks calls loops arrays values nothing cpu pattern bytes' },
  { 6, 'careless', 'flags options locals branches arithmetic division floor bits wide literals fractions text find '
    .. 'lengths textsets sets names address networks calls loops arrays values nothing cpu careless order pattern '
    .. 'case bytes device listed' },
  { 8, 'outside', 'flags options locals branches arithmetic text sets calls values' },
}
generate.profiles = PROFILES

local function profile_of(name)
  local total = 0
  for _, profile in ipairs(PROFILES) do
    if profile[2] == name then return profile end
    total = total + profile[1]
  end
  local at = random() * total
  for _, profile in ipairs(PROFILES) do
    at = at - profile[1]
    if at <= 0 then return profile end
  end
  return PROFILES[#PROFILES]
end

local function new(seed, wanted)
  math.randomseed(seed)
  for _ = 1, 5 do random() end
  local profile = profile_of(wanted)
  return {
    profile = profile[2], on = constructs(profile[3]), tags = {}, used = {}, locals = {}, options = {}, prologue = {},
    names = 0, helpers = {}, event = 'e', pool = { numbers = {}, texts = {}, addresses = {} }, length = random(0, 4),
    depth = random(1, 4),
  }
end

--- The statements of a filter.
local function body_of(g)
  if g.profile == 'outside' then
    local statements = block(g, g.depth - 1, false)
    g.locals = {} -- those of the block end where they may not be seen
    local strange = one_of(OUTSIDE)(g)
    table.insert(statements, random(1, #statements + 1), strange)
    statements[#statements + 1] = S('return ', truth(g, g.depth - 1))
    for name in tree.text(strange):gmatch('e%.([%w_]+)') do g.used[name] = true end
    return statements
  elseif chance(35) then
    return B { S('return ', (g.gives or truth)(g, g.depth)) }
  end
  return block(g, g.depth, chance(92))
end

--- What a filter needs around it, and then its function behind `head`.
local function chunk_of(g, head)
  local body, parts = body_of(g), {}
  if #g.options > 0 or g.on.nothing or g.on.options then
    parts[1] = S('local options = { ' .. table.concat(g.options, ', ') .. ' }')
  end
  for _, statement in ipairs(g.prologue) do parts[#parts + 1] = statement end
  parts[#parts + 1] = P(head .. 'function(e) ', body, 'end')
  return parts
end

--- A random function. The same seed gives the same one.
---@param seed integer
---@param wanted string|nil a profile
---@return table made { tree, profile, used = fields, pool = constants, tags }
function generate.one(seed, wanted)
  local g = new(seed, wanted)
  g.tree = B(chunk_of(g, 'return '))
  return g
end

--- Several sinks with several filters, some of which are shared.
---@return table made as of one()
function generate.sinks(seed, wanted)
  local g = new(seed, wanted)
  local all, names, count = {}, {}, random(2, 6)
  g.several = true
  for i = 1, count do names[i] = 'filter' .. i end
  all[1] = S('local ' .. table.concat(names, ', '))
  for i = 1, count do
    g.locals, g.options, g.prologue, g.helpers, g.depth = {}, {}, {}, {}, random(1, 3)
    all[#all + 1] = S('do ', B(chunk_of(g, names[i] .. ' = ')), 'end')
  end
  local sinks = {}
  for i = 1, chance(20) and random(7, 10) or random(1, 4) do
    local filters = {}
    for j = 1, random(1, 3) do filters[j] = P(one_of(names) .. ',') end
    sinks[i] = P('{ ', B(filters), '},')
  end
  all[#all + 1] = P('return { ', B(sinks), '}')
  g.tree, g.profile = B(all), 'sinks'
  return g
end

--- A key of any type, more often what people fold by.
key_value = function(g, depth)
  return choose(g, depth, {
    { 20, nil, function() return (field(g, 'small')) end },
    { 8, nil, function() return (field(g, 'wide')) end },
    { 15, nil, function() return (field(g, 'text')) end },
    { 10, nil, function() return (named_field(g)) end },
    { 8, nil, function() return (field(g, 'address')) end },
    { 4, nil, function() return (field(g, 'flag')) end },
    { 2, nil, function() return (field(g, 'device')) end },
    { 10, nil, number },
    { 8, nil, truth },
    { 6, 'floor', function(_, d)
      return E('math.floor(', number(g, d - 1), ' / ' .. one_of { 10, 1000, 4096 } .. ')')
    end },
    { 6, nil, text },
    { 6, nil, any },
    { 3, nil, function() return E(one_of { 'true', 'false', 'nil', "''", "'other'", '0', '-1', '1.5' }) end },
    { 6, 'values', function(_, d)
      if d > 0 then return E('(', truth(g, d - 1), ' and ', key_value(g, d - 1), ' or ', key_value(g, d - 1), ')') end
    end },
    { 6, 'nothing', function(_, d) if d > 0 then return E('(', named_field(g), " or 'none')") end end },
  }) or number(g, depth)
end

local KEY_FIELDS = { 'small', 'small', 'wide', 'text', 'text', 'enum', 'named', 'address', 'flag', 'device' }
local KINDS = { 'count', 'count', 'count', 'sum', 'sum', 'avg', 'min', 'max', 'histogram', 'linear_histogram' }
local BOUNDS = { 'from = 0, to = 100, step = 10', 'from = -50, to = 50, step = 7 - 2',
  'from = 0, to = 65536, step = 4096', 'from = 1000, to = 4000000000, step = 3999999000',
  'from = -1, to = 1, step = 1' }

--- An aggregate with its filters, keys and value, for counting.lua.
function generate.aggregate(seed, wanted)
  local g = new(seed, wanted)
  local all, names = {}, {}
  local function make(name, gives)
    g.locals, g.options, g.prologue, g.helpers, g.depth = {}, {}, {}, {}, random(1, 3)
    g.gives, g.several = gives, true
    names[#names + 1] = name
    all[#all + 1] = S('do ', B(chunk_of(g, name .. ' = ')), 'end')
    return name
  end
  local call = { 'return function(p, name) return p' }
  for i = 1, one_of { 0, 0, 1, 2 } do call[#call + 1] = P(':where(' .. make('filter' .. i) .. ')') end
  local kind, by = one_of(KINDS), {}
  for i = 1, one_of { 0, 1, 1, 1, 2, 3 } do
    if chance(50) then
      local name = one_of(fields[one_of(KEY_FIELDS)])
      g.used[name] = true
      by[i] = P("'" .. name .. "',")
    else
      by[i] = P(make('key' .. i, key_value) .. ',')
    end
  end
  call[#call + 1] = ':' .. kind .. '('
  if kind ~= 'count' then
    if chance(45) then
      local name = one_of(fields[chance(60) and 'small' or 'wide'])
      g.used[name] = true
      call[#call + 1] = "'" .. name .. "', "
    else
      call[#call + 1] = make('value', number) .. ', '
    end
  end
  local options = { P('name = name,') }
  if #by > 0 then options[2] = P('by = { ', B(by), '},') end
  if kind == 'linear_histogram' then options[#options + 1] = P(one_of(BOUNDS) .. ',') end
  if #by > 0 and chance(15) then
    local name = one_of(fields.text)
    g.used[name] = true
    options[#options + 1] = P("note = '" .. name .. "',")
  end
  call[#call + 1] = P('{ ', B(options), '}')
  call[#call + 1] = ') end'
  if #names > 0 then table.insert(all, 1, S('local ' .. table.concat(names, ', '))) end
  all[#all + 1] = P(unpack(call))
  g.tree, g.profile, g.is_aggregate = B(all), 'aggregate', true
  return g
end

return generate
