-- SPDX-License-Identifier: Apache-2.0
--- moonprobe test: what it runs, what it prints, how it ends. Run by plain luajit from the top of
--- the tree, after `make`.
local tap = dofile 'tests/tap.lua'

local folder = tap.shell('mktemp -d').rows[1]
tap.shell('chmod 755 ' .. folder)

local function file(name, text)
  tap.shell(('mkdir -p $(dirname %s/%s)'):format(folder, name))
  return tap.spit(folder .. '/' .. name, text)
end

--- Runs a test with this body.
local function run(body, options)
  local path = file('one_test.lua', "local test = require 'moonprobe.test'\n" .. body)
  return tap.moonprobe(('test %s %s'):format(options or '', path))
end

local function passes(body, name)
  local got = run(body)
  return tap.ok(got.status == 0 and got.err == '' and not got.out:find('not ok'), name, got)
end

file('count.lua', [[
local mp = require 'moonprobe'
local lib = require 'lib'
local opt = mp.options { over = mp.duration('1ms', 'only slower'), fail = mp.flag('x', 'raise') }
local seen = mp.state('seen', { count = 0 })
mp.probe('syscall'):where(function(e) return e.latency_ns > opt.over end):each(function(e)
  if opt.fail then error('asked to') end
  seen.count = seen.count + 1
  mp.row(lib.shout(e.comm), e.result)
end)
mp.probe('syscall'):count('number'):every('1s')
mp.after('3s', function() mp.stop() end)
mp.finally(function() mp.print(mp.completeness().ratio) end)
]])
file('lib.lua', [[
return {
  shout = function(text) return text:upper() end,
  rest = function()
    return 1
  end,
}
]])

passes([[
local run = test.load('count')
run:feed('syscall', { comm = 'cat', number = 'read', latency_ns = 2e6, result = 2LL ^ 62 })
run:feed('syscall', { comm = 'dog', number = 'read', latency_ns = 1e6 })
test.is(run:rows(), { { 'CAT', 2LL ^ 62 } }, 'rows; 64 bits exactly')
test.is(run:state(), { seen = { count = 1 } })
test.is(run:aggregates(), { ['syscall count by number'] = { read = 2 } })
test.is(run:now(), 0)
run:advance '999ms'
test.is(run:lines(), { 'CAT  4611686018427387904' })
run:advance '1ms'
test.is(run:lines()[3], 'read                                                2', 'a timer prints')
test.is(run:aggregates(), { ['syscall count by number'] = {} }, 'and clears')
test.is(run:stopped(), false)
run:advance '1h'
test.ok(run:stopped())
]], 'rows, aggregates, state, timers')

passes([[
local run = test.load('count')
run:feed('syscall', { number = 'read', latency_ns = 2e6 }):advance '500ms'
test.is(run:reload(), true, 'the same again')
test.is(run:state(), { seen = { count = 1 } }, 'state is inherited')
test.is(run:aggregates(), { ['syscall count by number'] = { read = 1 } }, 'cells too')
run:advance '500ms'
test.is(run:aggregates(), { ['syscall count by number'] = {} }, 'timers keep their beat')
local ok, message = run:reload(nil, { text = "local x = nosuch" })
test.is(ok, nil)
test.like(message, "no variable named 'nosuch'", 'one that cannot be loaded')
run:feed('syscall', { latency_ns = 2e6 })
test.is(run:state().seen.count, 2, 'the old one goes on')
run:reload(nil, { text = "local mp = require 'moonprobe' local s = mp.state('seen', {}) mp.probe('syscall'):each("
  .. "function(e) mp.row(s.count) end)" })
run:clear():feed('syscall', {})
test.is(run:rows(), { { 2 } }, 'another version')
]], 'reload')

passes([[
local run = test.load('count', { '-x', '--over', '0ns' })
run:feed('syscall', { latency_ns = 1 }):lose('syscall', 3)
test.like(run:errors()[1], '/count.lua:6: asked to$', 'errors of handlers')
run:finish()
test.is(run:lines(), { '0.250' }, 'completeness knows what is lost')
test.raises(function() run:feed('syscall', {}) end, '_test.lua:%d+: feed: a run of count .* has finished')
]], 'errors and losses')

passes([[
local function refuses(pattern, ...)
  local given = { ... }
  test.raises(function() test.load('execsnoop'):feed(unpack(given)) end, pattern)
end
refuses("no probe named 'process_exce'; did you mean 'process_exec'%?", 'process_exce', {})
refuses("execsnoop uses no probe 'syscall'; it uses process_exec", 'syscall', {})
refuses("_test.lua:%d+: process_exec has no field 'pdi'; did you mean 'pid'%?", 'process_exec', { pdi = 1 })
test.raises(function() test.load('exexsnoop') end, "no exexsnoop.lua beside the test .* did you mean 'execsnoop'%?")
test.raises(function() test.load('../up.lua') end, 'no ../up.lua')
test.raises(function() test.load('count', { '--none' }) end, 'unknown option %-%-none')
local one_liner = test.load(nil, {}, { text = "probe 'process_exec':count('comm')" })
test.is(one_liner:feed('process_exec', { comm = 'ls' }):finish():text(), 'process_exec count by comm\n'
  .. 'ls                                                  1\n', 'one-liners')
test.raises(function() io.open('/etc/passwd', 'w').x = 1 end)
test.raises(function() os.exit(0) end, 'os.exit%(0%) in a test')
]], 'mistakes')

passes([[
for _, asked in ipairs { {}, { json = true } } do
  local times = test.load(nil, {}, { json = asked.json, text = "local mp = require 'moonprobe'\n"
    .. "mp.row(mp.now(), os.time(), mp.clock(mp.now()), os.date('%F'))" })
  test.is(times:rows(), { { 946684800, 946684800, '00:00:00', '2000-01-01' } }, 'the clock stands still')
end
]], 'determinism')

local failed = run [[
local run = test.load('count')
run:feed('syscall', { comm = 'cat', latency_ns = 2e6 })
test.is(run:rows(), { { 'CAT', 1 } }, 'a row')
test.case('case', function() test.ok(false) error('inside') end)
test.ok(true, 'goes on')
]]
tap.is(failed.status, 1, 'one that fails: status')
for _, line in ipairs { 'not ok 1 - a row', '# at [^\n]*/one_test.lua:4', "# event    syscall { comm = 'cat', "
  .. 'latency_ns = 2000000 } of count', "# expected { { 'CAT', 1 } }", "# given    { { 'CAT', 0 } }",
  '# differ   at %[1%]%[2%]', 'not ok 2 %- case: line 5', 'not ok 3 %- case: runs to its end',
  'ok 4 %- goes on', '1%.%.4\n$' } do
  tap.like(failed.out, (line:gsub('^not ok 1 %-', 'not ok 1 %%-')), 'it shows: ' .. line)
end

local unseen = run "test.load('count', { '-x' }):feed('syscall', { latency_ns = 2e6 }) test.ok(true)"
tap.ok(unseen.status == 1 and unseen.out:find('# error    [^\n]*count.lua:6: asked to'),
  'an error nobody looked at', unseen)
tap.is(run("error('x')").status, 1, 'a file that raises')
tap.like(run('').out, 'not ok 1 %- the file tests something', 'a file without tests')
local broken = run 'if'
tap.ok(broken.status == 2 and broken.err:find('one_test.lua:2:'), 'a file that is no Lua: status 2, its line', broken)

-- Golden files.
local text = [[test.golden('a b', %q) test.golden('other', '=== x\n\\y\n\\') test.golden('none', '')]]
tap.is(run(text:format('1\n2\n')).status, 1, 'golden: nothing kept yet')
tap.is(run(text:format('1\n2\n'), '--update').status, 0, 'golden: --update')
tap.is(tap.slurp(folder .. '/one_test.golden'),
  '=== a b\n1\n2\n=== other\n\\=== x\n\\\\y\n\\\\\n\\\n=== none\n', 'golden: the file')
tap.is(run(text:format('1\n2\n')).status, 0, 'golden: the same')
local differs = run(text:format('1\n3\n'))
tap.ok(differs.status == 1 and differs.out:find('# given    1\n#          3\n', 1, true)
  and differs.out:find('# differ   in line 2'), 'golden: others', differs)
tap.is(tap.slurp(folder .. '/one_test.golden'):sub(1, 13), '=== a b\n1\n2\n=', 'golden: kept without --update')
run("test.golden('other', '')", '--update')
tap.is(tap.slurp(folder .. '/one_test.golden'), '=== other\n', 'golden: --update forgets what nobody asks for')
os.execute(('rm %s/one_test.golden && mkdir %s/one_test.golden'):format(folder, folder))
local unwritten = run("test.golden('other', '')", '--update')
tap.ok(unwritten.status == 1 and unwritten.err:find('one_test%.golden: Is a directory\n$'), 'golden: why it is not written', unwritten)
os.execute(('rmdir %s/one_test.golden'):format(folder))

-- What it costs, and what did not run.
local body = [[
local lib = require 'lib'
test.load('count'):feed('syscall', { comm = lib.shout('a'), latency_ns = 2e6 })
test.ok(1)
]]
local covered = run(body, '--coverage')
tap.like(covered.out, '# coverage [^\n]*/count.lua: 100.0 %% of 12 lines\n', 'coverage of the script')
tap.like(covered.out, '# coverage [^\n]*/lib.lua: [^\n]*not run: 4\n', 'coverage of its modules')
tap.like(run(body, '--bench').out, '\n# bench count: %d+ events/s, %d+ bytes of garbage per event\n', 'bench')
tap.is(run(body, '--bench --coverage').status, 2, 'not both')

-- Several files.
file('below/a_test.lua', "require('moonprobe.test').ok(true, 'fine')")
file('below/deep/b_test.lua', "require('moonprobe.test').ok(false, 'not')")
file('below/.hidden/c_test.lua', "require('moonprobe.test').ok(false)")
file('below/lib.lua', "error('no test')")
local several = tap.moonprobe('test ' .. folder .. '/below/')
tap.is({ several.status, several.err }, { 1, '' }, 'a folder: the worst status')
tap.is((several.out:gsub('\n    #[^\n]*', '')), ([[
# Subtest: DIR/below/a_test.lua
    ok 1 - fine
    1..1
ok 1 - DIR/below/a_test.lua
# Subtest: DIR/below/deep/b_test.lua
    not ok 1 - not
    1..1
not ok 2 - DIR/below/deep/b_test.lua
1..2
]]):gsub('DIR', folder), 'a folder: subtests')
tap.is(tap.shell(('cd %s/below && %s/%s test a_test.lua'):format(folder, tap.shell('pwd').rows[1], tap.binary)).out,
  'ok 1 - fine\n1..1\n', 'a file here')
local proved = tap.shell(('prove --exec "%s test %s/below" %s/below/a_test.lua'):format(tap.binary, folder, folder))
tap.ok(proved.status == 1 and proved.out:find('Failed test:  2\n'), 'prove reads both', proved)
for _, wrong in ipairs { folder .. '/none_test.lua', folder .. '/below/.hidden/..', '--none', '-I' } do
  local got = tap.moonprobe('test ' .. wrong)
  tap.ok(wrong:find('%.%.$') or got.status == 2 and got.out == '' and #got.rows == 0 and got.err:find('^moonprobe: '),
    'test ' .. wrong:gsub('^.*/', '') .. ': status 2 and why', got)
end
file('mixed/a_test.lua', "local function later() require('moonprobe.test').ok(true, 'fine') end later()")
file('mixed/other_test.lua', "error('busted or so: not moonprobe.test') return \"require 'moonprobe.test'\"")
file('mixed/newer_test.lua', 'local five_four <const> = 5 // 4')
local mixed = tap.moonprobe('test ' .. folder .. '/mixed')
tap.is({ mixed.status, mixed.err, mixed.out }, { 0, '', (([[
# Subtest: DIR/mixed/a_test.lua
    ok 1 - fine
    1..1
ok 1 - DIR/mixed/a_test.lua
# Subtest: DIR/mixed/newer_test.lua
    1..0 # SKIP it does not require 'moonprobe.test'
ok 2 - DIR/mixed/newer_test.lua
# Subtest: DIR/mixed/other_test.lua
    1..0 # SKIP it does not require 'moonprobe.test'
ok 3 - DIR/mixed/other_test.lua
1..3
]]):gsub('DIR', folder)) }, "a folder: other runners' files are skipped")
tap.is(tap.moonprobe(('test %s/mixed/other_test.lua'):format(folder)).status, 1, 'but run when they are named')
local checked = folder .. '/mixed/a_test.lua'
tap.is(tap.moonprobe('check ' .. checked).err,
  ('moonprobe: %s:1: this is a test; moonprobe test %s runs it\n'):format(checked, checked),
  'check: a test is told as one')
tap.shell(('mkdir %s/empty'):format(folder))
tap.like(tap.moonprobe(('test %s/empty'):format(folder)).err, 'empty: no %*_test.lua in it', 'a folder without tests')
tap.like(tap.moonprobe('test --help').out, '^usage: moonprobe test', '--help')

-- Again when something changes that was loaded.
local log = folder .. '/log'
file('watched_test.lua', "local t = require 'moonprobe.test'\nt.is(require('value'), 1)\n")
file('value.lua', 'return 1\n')
tap.shell(([[
%s test --watch %s/watched_test.lua >%s 2>&1 & pid=$!
until_count() { for i in $(seq 100); do [ $(grep -c waiting %s) -ge $1 ] && return; sleep 0.1; done; }
until_count 1; sleep 0.2; echo 'return 2' > %s/value.lua; until_count 2; kill $pid
]]):format(tap.binary, folder, log, log, folder))
tap.is((tap.slurp(log):gsub('\n# [aedg][^\n]*', '')), 'ok 1 - line 2\n1..1\n# waiting for changes\n'
  .. 'not ok 1 - line 2\n1..1\n# waiting for changes\n', '--watch')

-- Recordings.
local made = dofile 'tests/made_recording.lua'
local events = made.records { { slot = 1, time_ns = 5e8, comm = 'cat', pid = 7 },
  { slot = 1, time_ns = 15e8, comm = 'dog', pid = 8 }, { slot = 2, time_ns = 16e8, comm = 'other', pid = 9 } }
local head = made.head('probe 1 syscall 40\n' .. made.FIELDS .. 'probe 2 syscall 40\nnumber failed_only 1\n')
local blocks = { head, events, made.counters(2e9, { { 1, 0, 4, 2, 0, 0 }, { 2, 0, 9, 8, 0, 0 } }),
  made.finish(25e8, { { 1, 0, 5, 2, 1, 0 }, { 1, 1, 1, 1, 0, 0 } }) }
file('sub/good.rec', made.file(blocks))
file('cut.rec', made.file { head, events })
file('bad.rec', (made.file(blocks):gsub('dog', 'dig')))
file('text.rec', 'not a recording')
local narrow = made.FIELDS:gsub('pid u 36 4 4 0', 'pid u 36 2 2 0')
file('old.rec', made.file { made.head('probe 1 syscall 40\n' .. narrow), made.finish(1, {}) })
file('seen.lua', [[
local mp = require 'moonprobe'
mp.probe('syscall'):each(function(e) mp.row(e.comm, e.pid, e.time_ns / 1e9, e.result, mp.now() == e.time) end)
mp.every('1s', function() mp.row('tick', mp.completeness().lost) end)
]])
passes([[
local run = test.load('seen'):advance('10s'):clear():replay('sub/good.rec')
test.is(run:rows(), { { 'cat', 7, 10.5, 0, true }, { 'tick', 0 }, { 'dog', 8, 11.5, 0, true }, { 'tick', 4 } })
]], 'a recording: fields by name, at their times from now, timers between')
passes([[
local run = test.load('-e', nil, { text = "local mp = require 'moonprobe'; mp.probe('syscall'):count('comm');"
  .. 'mp.finally(function() mp.print(mp.completeness().events, mp.completeness().lost) end)' })
run:replay 'sub/good.rec'
test.is(run:now(), 25e8, 'until its end')
test.is(run:aggregates(), { ['syscall count by comm'] = { cat = 1, dog = 1 } }, 'of other knobs: not')
test.like(run:finish():text(), '^6 +4\n', 'losses, not those of other knobs')
]], 'a recording: losses')
passes([[
local run = test.load('-e', nil, { text = "local mp = require 'moonprobe'; local p = mp.probe('syscall');"
  .. 'p:each(function(e) mp.row(e.pid) mp.stop() end)' })
test.is(run:replay('sub/good.rec'):rows(), { { 7 } })
]], 'a recording: the script may end before it')
passes([[
local run = test.load('seen'):replay('cut.rec')
test.is(#run:rows(), 3)
test.is(#run:errors(), 1)
test.like(run:errors()[1], '^cut.rec: has no end; it was cut off at byte %d+; replayed up to there$')
run = test.load('seen'):replay('bad.rec')
test.is(run:rows(), {})
test.like(run:errors()[1], '^bad.rec: is damaged in the block at byte %d+; replayed up to there$')
run = test.load('-e', nil, { text = "require 'moonprobe'.probe('syscall', { only_number = 3 }):count()" })
run:replay 'sub/good.rec'
test.like(run:errors()[1], 'sub/good.rec: syscall was recorded with other knobs than the script has')
]], 'a recording: what is wrong later is told')
passes([[
local run = test.load 'seen'
for file, message in pairs { ['none.rec'] = 'no none.rec beside the test or on the search path',
  ['text.rec'] = 'text.rec: is cut off in its head, or no recording', ['../x.rec'] = 'no ../x.rec beside',
  ['/etc/passwd'] = 'needs a recording, NAME.rec', [7] = 'needs a recording',
  ['old.rec'] = 'syscall: field pid was recorded as something else than it is now' } do
  test.raises(function() run:replay(file) end, '^[^ ]*_test.lua:%d+: .*' .. message:gsub('%-', '%%-'))
end
test.raises(function() test.load('execsnoop'):replay('sub/good.rec') end,
  "sub/good.rec has no probe 'process_exec'; it has syscall, syscall")
]], 'a recording: what is wrong at once raises, with the line')

-- Generic probes: what was recorded of their arguments is what a replay can read.
local members = made.FIELDS:gsub('comm', 'args.name'):gsub('gone u', 'ret i')
local of_my_tool = members:gsub('pid', 'args.sk.__sk_common.skc_dport')
file('generic.rec', made.file { made.head('probe 1 uprobe:/opt/my\\032tool:do.it 40\n' .. of_my_tool),
  made.records { { slot = 1, time_ns = 5e8, comm = 'cat', pid = 7 },
    { slot = 1, time_ns = 15e8, comm = 'dog', pid = 8 } }, made.finish(2e9, {}) })

--- What a script that begins with these lines prints on it.
local function replayed(lines)
  return tap.moonprobe(('replay %s/generic.rec %s'):format(folder, file('members.lua', lines)))
end
local PROBE = "local mp = require 'moonprobe'; local p = mp.probe 'uprobe:/opt/my tool:do.it'\n"
local got = replayed(PROBE .. [[
p:where(function(e) return e.args.sk.__sk_common.skc_dport > 6 end):each(function(e)
  local common = e.args.sk.__sk_common
  mp.row(e.args.name:upper(), common.skc_dport, e.ret, e.time_ns)
end)
p:count { by = 'args.name', name = 'names' }
]])
tap.is({ got.status, got.rows[1], got.rows[2] }, { 0, 'CAT  7  99  100500000000', 'DOG  8  99  101500000000' },
  'a replay reads members')
tap.like(got.out, 'names\ncat +1\ndog +1\n', 'and has them as keys')
got = replayed(PROBE .. "p:each(function(e) return e.args.sk.__sk_common.skc_dprot end)")
tap.like(got.err, "members.lua:2: uprobe:/opt/my tool:do.it: 'args.sk.__sk_common.skc_dprot' was not recorded; did you "
  .. "mean 'args.sk.__sk_common.skc_dport'%?", 'what was not recorded')
got = replayed(PROBE .. "p:each(function(e) return e.args.sk end)")
tap.like(got.err, "members.lua:2: .*'args.sk' is a struct: name one of its members", 'a struct of it')
got = replayed "require('moonprobe').probe 'uprobe:/opt/mytool:do.it'"
tap.like(got.err, "generic.rec has no probe 'uprobe:/opt/mytool:do.it'; did you mean 'uprobe:/opt/my tool:do.it'%?",
  'another target')
local of_argv = members:gsub('args.name', 'args.argv[0]'):gsub('pid', 'args.iov[1].iov_len')
file('generic.rec', made.file { made.head('probe 1 uprobe:/opt/my\\032tool:do.it 40\n' .. of_argv),
  made.records { { slot = 1, time_ns = 5e8, comm = 'cat', pid = 7 } }, made.finish(2e9, {}) })
got = replayed(PROBE .. "p:where(function(e) return e.args.iov[1].iov_len == 7 end):each(function(e) "
  .. "mp.row(e.args.argv[0], e.args.iov[1].iov_len) end)\np:count('args.argv.0')")
tap.is({ got.status, got.rows[1], got.rows[2] }, { 0, 'cat  7', 'uprobe:/opt/my tool:do.it count by args.argv[0]' },
  'a replay reads elements')
got = replayed(PROBE .. 'p:each(function(e) return e.args.argv[1] end)')
tap.like(got.err, "'args.argv%[1%]' was not recorded; did you mean 'args.argv%[0%]'%?",
  'an element that was not recorded')
file('generic.rec', made.file { made.head('probe 1 uprobe:/opt/my\\032tool:do.it 40\n' .. of_my_tool),
  made.records { { slot = 1, time_ns = 5e8, comm = 'cat', pid = 7 } }, made.finish(2e9, {}) })
local of_signal = members:gsub('pid', 'args.sk.mark')
file('signals.rec', made.file { made.head('probe 1 signal:do_it 40\n' .. of_signal),
  made.records { { slot = 1, time_ns = 5e8, comm = 'cat', pid = 7 } }, made.finish(2e9, {}) })
got = tap.shell(('MOONPROBE_PATH=tests %s test --allow stdlib,ffi,debug %s'):format(tap.binary,
  file('members_test.lua', [[
local test = require 'moonprobe.test'
require 'generic'
local run = test.load('-e', nil, { text = "local mp = require 'moonprobe'; mp.probe 'signal:do_it':each(function(e) "
  .. "mp.row(e.args.name, e.args.sk.mark, e.args.fd, e.ret) end)" })
run:replay 'signals.rec'
run:feed('signal:do_it', { ret = 2, args = { name = 'dog', fd = 5, sk = { mark = 8 } } })
test.is(run:rows(), { { 'cat', 7, 0, 99 }, { 'dog', 8, 5, 2 } })
]])))
tap.ok(got.status == 0 and got.out:find 'ok 1', 'a recording in a test: members by their paths', got)
got = tap.moonprobe('show ' .. folder .. '/generic.rec')
tap.like(got.out, 'uprobe:/opt/my tool:do.it: .*args.name ret args.sk.__sk_common.skc_dport\n.*args.name=cat ret=99 '
  .. 'args.sk.__sk_common.skc_dport=7\n', 'moonprobe show')

tap.shell('rm -r ' .. folder)
tap.done()
