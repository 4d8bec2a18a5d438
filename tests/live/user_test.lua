-- SPDX-License-Identifier: Apache-2.0
--- Probes in user programs: functions by name, offset and wildcard, their arguments by type, raw and as
--- text, and the static probes of a program, on a program of our own that calls each a known
--- number of times.

local tap = dofile 'tests/tap.lua'
local _, _, under = dofile 'tests/generic_run.lua'(tap)

local at = tap.workload:gsub('[^/]*$', '') .. 'targets/'
local program = at .. 'program'

--- The rows of a script while the program, or another one, runs once.
local function run(code, command) return under(code, command or program) end

local function same(code, wanted, name, command)
  local rows, result = run(code, command)
  tap.is(rows, wanted, name .. (#rows ~= #wanted and ': ' .. result.err or ''))
end

local function probe(kind, what) return ("probe('%s:%s:%s')"):format(kind, program, what) end

same(probe('uprobe', 'target_add') .. ':each(function(e) print(e.args.a, e.args.b, e.arg0, e.arg1) end)',
  { '1\t2\t1\t2', '1\t2\t1\t2' }, 'uprobe: 2 calls, arguments by the names of the debug information')
same(probe('uprobe', 'target_local') .. ':each(function(e) print(e.args.text, e.string.arg0, e.comm) end)',
  { ('%s\t%s\tprogram'):format(program, program) }, 'uprobe: text by type and by register')
same(probe('uprobe', 'target_add') .. ":where(function(e) return e.args.b == 2 and e.args.a > 0 end):count('args.b')",
  { ('{"aggregate":"uprobe:%s:target_add count by args.b","args.b":2,"value":2}'):format(program) },
  'uprobe: filtered and counted in the kernel by type')
same(probe('uprobe', 'target_*') .. ':each(function(e) print(e.place) end)',
  { 'target_add', 'target_local', 'target_twice', 'target_add' }, 'uprobe: a wildcard names its places')
same(probe('uretprobe', 'target_add') .. ':each(function(e) print(e.retval, e.ret, e.args.a, e.latency_ns > 0) end)',
  { '3\t3\t1\ttrue', '6\t6\t1\ttrue' }, 'uretprobe: the result, the arguments of the call, the latency')
same(probe('uretprobe', 'count_down') .. ':each(function(e) print(e.args.n, e.ret, e.latency_ns > 0) end)',
  { '0\t0\ttrue', '1\t1\ttrue', '2\t3\ttrue', '3\t6\ttrue' }, 'uretprobe: each call of a function that calls itself')
same(("probe('uretprobe:%sprogram_stripped:library_greet'):count()"):format(at), {},
  'uretprobe: a symbol that a stripped program only imports is an error')
same(("probe('uprobe:%slibrary.so:library_greet'):each(function(e) print(e.arg0) end)"):format(at), { '1' },
  'uprobe: in a library')
same(("probe('uprobe:%sprogram_fixed:target_add'):each(function(e) print(e.args.a) end)"):format(at), { '1', '1' },
  'uprobe: a program that is not position independent', at .. 'program_fixed')
same(probe('uprobe', 'target_add+0x0') .. ':each(function(e) print(e.arg1) end)', { '2', '2' }, 'uprobe: by offset')
same(probe('usdt', 'target:text') .. ':each(function(e) print(e.arg1, e.arg2) end)', { ('%d\t7'):format(program:byte()) },
  'usdt: an argument of one byte, and a constant')
same(probe('usdt', 'text') .. ':each(function(e) print(e.string.arg0) end)', { program }, 'usdt: text, of any provider')
same(probe('usdt', 'twice') .. ':where(function(e) return e.arg0 == 3 end):each(function(e) print(e.arg0) end)', { '3' },
  'usdt: one of two sites of a probe, each with its own place for the argument')
local places = {}
for _, row in ipairs((run(probe('usdt', 'target:*') .. ':each(function(e) print(e.place) end)'))) do
  places[#places + 1] = row
end
tap.is(places, { 'target:start', 'target:add', 'target:text', 'target:twice', 'target:twice', 'target:add' },
  'usdt: the places, in the order of the program')

-- Elements of arrays and of what pointers lead to, by number, from 0 as in C.
local typed = at .. 'types_dwarf-5'
local rows_of = ("probe('uprobe:%s:types_rows')"):format(typed)
same(rows_of .. ':each(function(e) print(e.args.config.numbers[1], e.args.config.numbers[3] == 2LL ^ 60, '
  .. 'e.args.config.grid[0][2], e.args.config.grid[1][0]) end)', { '11\ttrue\t3\t4' }, 'uprobe: elements of arrays', typed)
same(rows_of .. ':each(function(e) print(e.args.pairs[0].b, e.args.pairs[1].a, e.args.pairs.a) end)', { '21\t22\t20' },
  'uprobe: members of the structs that a pointer leads to', typed)
same(rows_of .. ":each(function(e) local words = e.args.words print(words[0], words[1], words[2] == '') end)",
  { ('first\t%s\ttrue'):format(typed) }, 'uprobe: text by a pointer in an array', typed)
same(rows_of .. ':where(function(e) local sum = 0 for i = 0, 2 do sum = sum + e.args.config.grid[1][i] end '
  .. "return sum == 15 and e.args.words[0] == 'first' end, { kernel = true }):count('args.pairs.1.b', 'args.words[0]')",
  { ('{"aggregate":"uprobe:%s:types_rows count by args.pairs[1].b, args.words[0]","args.pairs[1].b":"23",'
    .. '"args.words[0]":"first","value":1}'):format(typed) }, 'uprobe: filtered and counted by elements in the kernel', typed)
same(rows_of .. ':where(function(e) return tostring(e.args.pairs[1].a) == "22" end):sum(function(e) '
  .. 'return e.args.config.numbers[2] end)',
  { ('{"aggregate":"uprobe:%s:types_rows sum","value":12}'):format(typed) }, 'uprobe: in the worker', typed)
same(rows_of .. ':each(function(e) print(unpack(e.args.config.numbers, 1, 3)) end)', { '10\t11\t12' },
  'uprobe: an array as a whole is a list', typed)
same(("probe('uprobe:%stypes_btf:types_rows'):each(function(e) print(e.args.pairs[1].b, e.args.config.numbers[2]) end)")
  :format(at), { '23\t12' }, 'uprobe: elements by .BTF', at .. 'types_btf')

-- Static probes with more arguments than six: of mixed sizes, in registers, in memory, constant.
local arguments = at .. 'arguments'
local function many(what, code) return ("probe('usdt:%s:%s')%s"):format(arguments, what, code) end
local function row(...) return table.concat({ ... }, '\t') end
local TWELFTH, SEVENTH, NINTH = '18446744073709551604ULL', '18446744073709551609ULL', '18446744073709471616ULL' -- -12, -7, -80000

local twelve = row('18446744073709551615ULL', '255', '4000000000', SEVENTH, '60000', NINTH, '9223372036854775809ULL', TWELFTH)
same(many('many:twelve', ':each(function(e) print(e.arg0, e.arg1, e.arg5, e.arg6, e.arg7, e.arg8, e.arg9, e.arg11) end)'),
  { twelve, twelve, twelve, twelve, twelve }, 'usdt: twelve arguments, the later ones from memory', arguments)
local text = 'the eleventh\targuments'
same(many('many:twelve', ':each(function(e) print(e.string.arg10, e.comm) end)'), { text, text, text, text, text },
  'usdt: text of the eleventh', arguments)
local MINUS_2 = '18446744073709551614ULL'
local rest = row(MINUS_2, '254', MINUS_2, '4294967294', '1311768467463790320ULL')
same(many('registers', ':each(function(e) print(e.arg6, e.arg7, e.arg8, e.arg9, e.arg10, e.arg11) end)'),
  { row('0', rest), row('1', rest), row('2', rest) }, 'usdt: the later ones from registers, and a constant', arguments)
same(many('registers', ":where(function(e) return e.arg6 > 0 and e.arg8 == 254 end):count('arg6')"), {
  ('{"aggregate":"usdt:%s:registers count by arg6","arg6":1,"value":1}'):format(arguments),
  ('{"aggregate":"usdt:%s:registers count by arg6","arg6":2,"value":1}'):format(arguments),
}, 'usdt: a filter and a key in the kernel', arguments)
same(many('some', ':each(function(e) print(e.arg1, e.arg2, e.arg7) end)'), { '1\t2\t7', '1\t7\t0' },
  'usdt: a site with fewer than another reads 0', arguments)
same(many('floating', ':each(function(e) print(e.arg0, e.arg1, e.arg2) end)'), { row('5', '0', '18446744073709551613ULL') },
  'usdt: what cannot be read is 0, what is beside it is read', arguments)
for _, name in ipairs { 'arg7', 'arg12', 'string.arg7' } do
  local result = tap.moonprobe('run -e ' .. tap.quote(many('seven', (':each(function(e) print(e.%s) end)'):format(name))))
  tap.ok(result.status ~= 0 and select(2, result.err:gsub('\n', '')) == 1
    and result.err:find(("has no '%s'; it has arg0 to arg6"):format((name:gsub('^string%.', ''))), 1, true),
    'a mistake: ' .. name .. ' of seven', result)
end
-- Those of a package: Debian's libstdc++6.
if tap.moonprobe "list 'usdt:libstdc++:libstdcxx:*'".status == 0 then
  local thrown = "probe('usdt:libstdc++:libstdcxx:%s'):where(function(e) return e.arg0 ~= 0 end):count() "
  same(thrown:format 'throw' .. thrown:format 'catch', {
    '{"aggregate":"usdt:libstdc++:libstdcxx:throw count","value":7}',
    '{"aggregate":"usdt:libstdc++:libstdcxx:catch count","value":7}',
  }, 'usdt: 7 exceptions, thrown and caught', at .. 'throws 7')
else
  tap.skip('usdt: 7 exceptions, thrown and caught', 'this libstdc++ has no static probes')
end

-- Recorded: the name of a place has a colon in it.
local recording = os.tmpname()
tap.moonprobe(('record -o %s -c %s -e %s'):format(recording, arguments,
  tap.quote(many('some', ':each(function(e) print(e.place, e.arg7) end)'))))
local replayed = tap.moonprobe(('replay -q -e %s %s'):format(
  tap.quote(many('some', ':each(function(e) print(e.place, e.arg7) end)')), recording))
tap.is(replayed.rows, { 'many:some\t7', 'many:some\t0' }, 'usdt: a recording is replayed')
os.remove(recording)
local listed = tap.moonprobe(('list usdt:%s:twelve'):format(arguments))
tap.ok(listed.status == 0 and listed.out:find('e.arg0 to e.arg11', 1, true), 'list: how many a static probe has', listed)

-- Mistakes.
for _, case in ipairs {
  { rows_of .. ':each(function(e) return e.args.config.numbers[4] end)',
    'args.config.numbers has 4 elements, [0] to [3], and no [4]', 'an element too many' },
  { rows_of .. ':each(function(e) return e.args.config.grid[1][3] end)',
    'args.config.grid[1] has 3 elements, [0] to [2], and no [3]', 'one of a row' },
  { rows_of .. ":count('args.config.numbers.4')", 'args.config.numbers has 4 elements, [0] to [3], and no [4]',
    'one as a key' },
  { rows_of .. ':each(function(e) return e.args.pairs[e.pid].a end)', "'args.pairs[?]': which member or element", 'an unknown one' },
  { rows_of .. ':each(function(e) return e.args.words[e.pid] end)', 'write its number, as args.words[0]',
    'an unknown one of a pointer' },
  { rows_of .. ':each(function(e) return e.args.config.grid end)', 'name one of its elements, as args.config.grid[0]',
    'an array of arrays as a whole' },
  { probe('uprobe', 'target_ad') .. ':count()', "did you mean target_add", 'a misspelt function' },
  { probe('usdt', 'target:ad') .. ':count()', 'add', 'a misspelt static probe' },
  { probe('uprobe', 'target_add') .. ':each(function(e) return e.args.c end)', "args has no 'c'", 'a misspelt argument' },
  { probe('uprobe', 'target_add') .. ':each(function(e) return e.arg6 end)', "has no 'arg6'", 'a seventh register' },
  { probe('uprobe', 'target_add') .. ':each(function(e) return e.ret end)', 'uretprobe', 'a result at the call' },
} do
  local result = tap.moonprobe('run -e ' .. tap.quote(case[1]))
  tap.ok(result.status ~= 0 and result.err:find(case[2], 1, true) and select(2, result.err:gsub('\n', '')) == 1,
    'a mistake: ' .. case[3], result)
end

tap.done()
