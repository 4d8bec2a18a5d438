-- SPDX-License-Identifier: Apache-2.0
--- stdlib/stage/condition.lua: what comparisons ask, and their answers beside Lua's: fractions, 64
--- bits, texts.
local tap = require 'tap'
local arithmetic = require 'moonprobe.stage.arithmetic'
local condition = require 'moonprobe.stage.condition'
local invented = require 'invented'
local named = require 'moonprobe.stage.named'
local network = require 'moonprobe.network'
local translated = require 'translated'
local value = require 'moonprobe.stage.value'

local const = value.const
local function field(name) return named.raw(invented.fields[name]) end
local function ratio(name, by) return arithmetic.binary('div', field(name), const(by)) end

-- What is known is not asked.
value.start()
tap.is(condition.less('lt', field 'u8', const(256)), true, 'a byte is below 256')
tap.is(condition.less('le', const(256), field 'u8'), false, 'and not above')
tap.is(condition.less('lt', field 'u8', const(-0.5)), false, 'nor negative')
tap.is(condition.equal(field 'u8', const(300)), false, 'nor 300')
tap.is(condition.equal(field 'u8', const(1.5)), false, 'nor a fraction')
tap.is(condition.equal(field 'u8', const 'x'), false, 'a number is no text')
tap.is(condition.equal(field 'u8', const(nil)), false, 'a number is there')
tap.is(condition.equal(const(0 / 0), const(0 / 0)), false, 'what is no number is not equal to itself')
tap.is(condition.equal(const 'x', const 'x'), true, 'constants')
tap.is(condition.truth(const(0)), true, '0 is true')
tap.is(condition.truth(field 'u8'), true, 'as is any number')
tap.is(condition.truth(const(false)), false, 'false is not')
tap.is(type(condition.less('lt', arithmetic.binary('add', field 'u64', const(0)), const(2 ^ 60))), 'table',
  'what may be no number is asked even when the answer is clear')
tap.is(condition.negated(condition.negated { ask = 'x' }), { ask = 'x' }, 'not not')

-- Fractions become thresholds.
local function threshold(how, name, by, k)
  local test = condition.less(how, ratio(name, by), const(k))
  return type(test) == 'table' and test.how .. ' ' .. test.b.value or test
end
tap.is(threshold('lt', 'u8', 10, 2.5), 'lt 25', 'u8 / 10 < 2.5')
tap.is(threshold('le', 'u8', 10, 2.5), 'le 25', 'u8 / 10 <= 2.5')
tap.is(threshold('lt', 'u8', 10, 2.51), 'lt 26', 'a little more')
tap.is(threshold('le', 'u8', 10, 2.49), 'le 24', 'a little less')
tap.is(threshold('lt', 'u8', 10, 100), true, 'always')
tap.is(threshold('lt', 'u8', 10, -1), false, 'never')
tap.is(threshold('lt', 'i8', 3, -1.1), 'lt -3', 'a negative one')
tap.is(condition.equal(ratio('u8', 10), const(2.55)), false, 'between two quotients is none')
tap.is(condition.equal(ratio('u8', 10), const(2.5)).b.value, 25, 'the one integer that is it')
for _, by in ipairs { 3, 7, 10, 1000, 49, 1e6 } do -- doubles, not decimals, decide
  local wrong = 0
  for x = 0, 255 do
    local test = condition.less('lt', ratio('u8', by), const(x / by))
    local answer = type(test) == 'table' and test.b.value == x or test == false and x == 0
    if not answer then wrong = wrong + 1 end
  end
  tap.is(wrong, 0, 'x / ' .. by .. ' < k turns at x')
end

-- Beside Lua.
local texts = { '', 'a', 'abc', 'abcd', 'abcabc', 'xabc', 'fifteen-letters', 'sixteen-letters!', 'abc\n',
'conf.d/x.conf' }
local addresses = { '10.0.0.1', '192.168.1.1', '::1', 'fe80::1', '2001:db8::5', '0.0.0.0', '11.0.0.1', '::' }
local bits64 = { 0, 1, 5, 2 ^ 53 - 1, 2 ^ 53, 0x20000000000001ULL, 2ULL ^ 62, 2ULL ^ 63 - 1, 2ULL ^ 63, 2ULL ^ 63 + 1,
  0xffff800000000000ULL, 0xfffffffffffffffbULL, 0xffffffffffffffffULL }
local events = {}
for i = 1, 39 do
  events[i] = invented.event { u8 = i * 6, i8 = i - 20, u64 = bits64[i % 13 + 1], i64 = bits64[(i + 1) % 13 + 1],
  pid = i,
    name = texts[i % 10 + 1], comm = texts[(i * 3) % 10 + 1], tag = texts[i % 5 + 1], flag = i % 2,
    other_flag = i % 3 == 0 and 1 or 0, saddr = addresses[i % 8 + 1], daddr = addresses[i % 3 + 1],
    io = i % 4, error = ({ 0, 2, 13, 999, -5 })[i % 5 + 1], signal = ({ 0, 9, 15, 40, 200 })[i % 5 + 1],
    syscall = i * 11, args = { bits64[i % 13 + 1], i }, ints = { -i } }
end
local few, many, mixed = { [5] = true, [-5] = true }, {}, { [1] = true, x = true, [1.5] = true }
for i = -5, 60 do many[i] = true end
local words, hosts, errors = { abc = true, [''] = true, ['sixteen-letters!'] = true, ['a\0b'] = true, [5] = true,
  ['longer than the field is'] = true }, { ['10.0.0.1'] = true, ['fe80::1'] = true, ['FE80::1'] = true },
  { ENOENT = true }
local outside = { few = few, many = many, mixed = mixed, words = words, hosts = hosts, errors = errors, none = {},
  switch = { abc = true, abcd = false, a = 1, abcabc = 'on' }, levels = { abc = 2, [''] = 2, a = 2.5, xabc = '2' },
  turns = { [-5] = false, [5] = true, [0] = 5, [7] = 5 }, codes = { ENOENT = 2, EACCES = 13 }, near = { ['::1'] = 1,
  ['10.0.0.1'] = 2 }, wide = { [1] = 5LL, [2] = 6 },
  inside = network.new('10.0.0.0/8', 'fe80::/10'), host = network.new('192.168.1.1', '::1'), all = network.new('::/0'),
  odd = network.new('11.0.0.0/7', '2001:db8::/33') }
for _, text in ipairs {
  -- 64 bits, unsigned
  'e.u64 == 5', 'e.u64 ~= -1', 'e.u64 < 2 ^ 53', 'e.u64 <= 2 ^ 53', 'e.u64 > 2 ^ 53', 'e.u64 > 2 ^ 60',
  'e.u64 == 2 ^ 62',
  'e.u64 >= 0xffff800000000000', 'e.u64 < 0xffff800000000000', '2 ^ 62 < e.u64', 'e.u64 >= 0', 'e.u64 > -1',
  'e.u64 < 0.5',
  'e.u64 ~= 0.5', 'e.u64 <= 2 ^ 64', 'e.u64 < 1e300', 'e.u64 > -1e300', 'e.u64 < 1 / 0', 'e.u64 == e.u64',
  'e.u64 < e.pid',
  'e.u64 == e.pid', 'e.u64 > e.i8', 'e.u64 < e.args[1]', 'e.args[1] == e.u64', 'e.args[2] > 7', 'e.u64 / 2 > 2.4',
  -- and signed
  'e.i64 == 5', 'e.i64 < -2 ^ 60', 'e.i64 > 2 ^ 60', 'e.i64 >= -2 ^ 63', 'e.i64 < 2 ^ 63', 'e.i64 < 0', 'e.i64 > e.i8',
  'e.i64 ~= -5', 'e.i64 == -5', 'e.i64 <= e.pid', 'e.i64 < e.u64', 'e.i64 == e.u64', 'e.i64 > -0.5',
  -- small numbers and fractions
  'e.i8 > 3.5', 'e.i8 <= -3.5', '3.5 < e.i8', '-3.5 >= e.i8', 'e.i8 == 3.5', 'e.i8 < 1 / 0', 'e.i8 > -1 / 0',
  'e.i8 < 0 / 0',
  'e.i8 ~= 0 / 0', 'e.i8 / 4 < e.u8 / 4', 'e.i8 / 4 < e.pid', 'e.u8 > e.i8 / 2', '2.5 < e.u8 / 10', 'e.u8 / 10 == 2.4',
  '1.5 == e.i8 / 2', 'e.ints[1] < -5', 'e.ints[3] == 0', 'e.ints[4] == nil', 'e.ints[0] == nil', 'e.ints[1.5] == nil',
  -- flags
  'e.flag', 'not e.flag', 'e.flag == true', 'e.flag == false', 'e.flag ~= true', 'e.flag == 1',
  'e.flag == e.other_flag',
  'e.flag == nil', 'e.flag and e.other_flag',
  -- texts
  "e.name == 'abc'", "e.name ~= ''", "e.name == 'sixteen-letters!'", "e.name == 'sixteen-letters!!'",
  "e.name == 'a\\0'",
  'e.name == e.comm', 'e.tag == e.name', "e.tag == 'abcd'", 'e.name == nil', 'e.name == 5', "'abc' == e.name",
  "e.name:sub(1, 3) == 'abc'", "e.name:sub(1, 3) == 'ab'", "e.name:sub(2, 3) == 'bc'", "e.name:sub(4) == ''",
  "e.name:sub(4) == 'abc'", "e.name:sub(-3) == 'abc'", "e.name:sub(-3) == 'a'", "e.name:sub(-2) == ''",
  "e.name:sub(-1) ~= 'c'",
  "e.name:sub(3, 2) == ''", "e.name:sub(0, 1) == 'a'", "e.name:sub(17) == ''", "e.name:sub(16, 30) == '!'",
  "e.name:sub(1) == 'abc'", "e.name:sub(16, 16) == '!'", "e.tag:sub(-16) == 'abc'", "e.name:sub(5, 16) == ''",
  "#e.name == 3", '#e.name > 14', '#e.tag == 0', '#e.name + #e.tag == 6', 'e.name:len() == 16',
  'e.name:byte() == 97', 'e.name:byte(4) == nil', 'e.name:byte(16) == 33', 'e.name:byte(17) == nil',
  'e.name:byte(3) > 98',
  "e.name:find('abc')", "e.name:find('^abc')", "e.name:find('abc$')", "e.name:find('^abc$')", "e.name:find('')",
  "e.name:find('^')", "e.name:find('$')", "e.name:find('^$')", "e.name:find('.conf', 1, true)",
  "e.name:find('%.conf$')", "e.name:find('%.')", "e.name:find('s!%$') == nil", "e.name:find('^%%') == nil",
  "e.name:find('d/x%.c')", "e.name:find('%%$') == nil",
  "e.name:find('abc') == 1", "e.name:find('abc$') == 1", "e.name:find('$') == 1", "e.name:find('^abc$') == 1",
  "e.name:find('') == 1",
  "e.name:find('abc', 1, true) == nil", "not e.name:find('bc', 1, true)", "e.name:match('abc') == 'abc'",
  "e.name:match('^a') == 'b'",
  "e.name:match('abc$') == nil", "e.name:match('abc$')", "e.name:find('sixteen-letters!!', 1, true)",
  "e.name:find('\\0', 1, true)",
  "e.name:find('s!$') ~= nil", "e.tag:find('abcabc$')", "e.tag:find('c', 1, true)",
  -- names and addresses
  "e.io == 'read'", "e.io ~= 'write'", "e.io == '3'", "e.io == 'nothing'", 'e.io == nil', 'e.io == 0',
  "e.error == 'ENOENT'", 'e.error == nil', 'e.error', "e.error == '999'", "e.error == '-5'", "e.error ~= 'EACCES'",
  "e.error == '2'",
  "e.signal == 'SIGKILL'", "e.signal == 'SIGRT40'", "e.signal == '200'", 'not e.signal', "e.syscall == '22'",
  "e.syscall == 'read'",
  "e.saddr == '10.0.0.1'", "e.saddr == '::1'", "e.saddr == '0:0::1'", "e.saddr == 'FE80::1'", "e.saddr == 'nonsense'",
  "e.saddr == '::'", 'e.saddr == nil', 'e.saddr == e.daddr', 'e.daddr ~= e.saddr', "e.error == e.error", 'e.io == e.io',
  'inside(e.saddr)', 'not inside(e.saddr)', 'host(e.saddr)', 'all(e.saddr)', 'odd(e.saddr)',
  'inside(e.saddr) and host(e.daddr)',
  "inside('10.1.1.1') and e.flag", 'inside(nil)', 'inside(5)',
  -- look-ups
  'few[e.u64]', 'few[e.i64]', 'many[e.u64]', 'many[e.i64]', 'few[e.i8]', 'many[e.i8]', 'not many[e.u8]', 'mixed[e.u8]',
  'words[e.name]', 'words[e.tag]', 'not words[e.name]', 'hosts[e.saddr]', 'errors[e.error]', 'none[e.name]',
  'none[e.u64]',
  'words[e.name] == nil', 'many[e.i8 + 3]', 'few[e.u64 - 1]', 'words[5] and e.flag',
  -- what they give: not only true
  'switch[e.name]', 'not switch[e.name]', 'switch[e.name] == nil', 'switch[e.name] ~= nil', 'switch[e.name] == false',
  'switch[e.name] ~= true', 'switch[e.name] == 1', "'on' == switch[e.name]", '(switch[e.name] or e.flag) == false',
  '(switch[e.name] or 7) == 7', '(switch[e.name] and 7) == false', '(switch[e.name] and 7) == nil',
  '(switch[e.name] and 7) == 7', '(switch[e.name] == false or few[e.i8]) == nil', 'switch[e.name] == (1 > 2)',
  'levels[e.name] == 2', 'levels[e.name] ~= 2.5', "levels[e.name] == '2'", 'levels[e.name] == 0 / 0', 'turns[e.i8]',
  'turns[e.i8] == false', 'turns[e.i8] == nil', 'turns[e.u64 - 1] == 5', 'codes[e.error] == 2', 'codes[e.error] == nil',
  'near[e.saddr] == 1', 'wide[e.pid]', 'wide[e.pid] == nil',
} do
  translated.agree(tap, invented.compile(text, outside), events, text)
end

-- What there is no question for.
local function refused(reason, text)
  local got = translated.refusal(invented.compile(text, outside))
  tap.like(got, reason, 'refused: ' .. text)
  tap.like(got, '; ', '  what to write instead')
end
refused('the order of texts', "e.name < 'abc'")
refused('comparing these texts', 'e.name == e.error')
refused('comparing these texts', 'e.name:sub(2) == e.comm')
refused('comparing these texts', 'e.name == e.saddr')
refused('comparing arrays', 'e.args == e.ints')
refused('other than at 1', "e.name:find('abc') == 2")
refused('only whether there is', "e.name:find('a') == e.name:find('b')")
refused('comparing what a look%-up gives with', 'words[e.name] == e.pid')
refused('a look%-up in a table with cdata', 'wide[e.pid] == 5')
refused('computing with what a look%-up gives', 'levels[e.name] > 1')
refused('patterns', "e.name:find('a.c')")
refused('patterns', "e.name:match('%d')")
refused('patterns', "e.name:match('%')")
refused('patterns', "e.name:find('a$b')")
refused('another place than 1', "e.name:find('a', 2)")
refused('a text to find that is not constant', 'e.name:find(e.comm)')
refused('different denominators', 'e.u8 / 2 < e.i8 / 3')
refused('64%-bit constants', 'e.u64 == 5ULL')
refused('64%-bit constants', 'e.u64 < 5LL')
refused('a network of something', 'inside(e.name)')
refused('plain or not by the event', "e.name:find('a', 1, e.flag)")
tap.done()
