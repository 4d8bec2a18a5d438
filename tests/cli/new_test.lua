-- SPDX-License-Identifier: Apache-2.0
--- `moonprobe new` and `moonprobe types`: what they write, what they refuse. Run by plain luajit from
--- the top of the tree, after `make`; needs no root. What is in the stubs: tests/stdlib/types_test.lua.
local tap = dofile 'tests/tap.lua'

local top = tap.shell('pwd').rows[1]
local binary = tap.binary:find('^/') and tap.binary or top .. '/' .. tap.binary
local folder = os.tmpname()
os.remove(folder)
os.execute('mkdir ' .. folder)

--- Runs moonprobe in the folder.
local function run(arguments, before)
  return tap.shell(('cd %s && %s %s %s'):format(folder, before or '', binary, arguments))
end

local function exists(name) return tap.shell(('test -e %s/%s'):format(folder, name)).status == 0 end

local function mistake(arguments, pattern, name)
  local result = run(arguments)
  local _, lines = result.err:gsub('\n', '\n')
  tap.ok(result.status == 2 and result.out == '' and lines == 1 and result.err:find(pattern) ~= nil,
    'mistake: ' .. name, result, pattern)
end

-- A new script.
local made = run('new slow_opens')
tap.is({ made.status, made.err }, { 0, '' }, 'new ends well')
for _, name in ipairs { 'slow_opens.lua', 'slow_opens_test.lua', '.luarc.json', '.luacheckrc' } do
  tap.ok(exists(name) and made.out:find('wrote ' .. name .. '\n', 1, true), 'new writes ' .. name)
end
tap.ok(exists '.moonprobe/moonprobe.lua' and exists '.moonprobe/moonprobe/probes/process_exec.lua', 'and the stubs')
tap.like(made.out, '\nNext:\n  moonprobe check slow_opens%.lua ', 'and says what is next')
local script, test = tap.slurp(folder .. '/slow_opens.lua'), tap.slurp(folder .. '/slow_opens_test.lua')
tap.like(script, '^%-%-%- slow_opens: ', 'the script starts with its name')
tap.ok(not (script .. test):find('SPDX', 1, true) and not (script .. test):find('NAME', 1, true),
  'nothing of the template is left')
tap.is(run('check slow_opens.lua').out, 'slow_opens.lua: ok\n', 'the script is fine')
local tested = run 'test slow_opens_test.lua'
tap.is({ tested.status, tested.err }, { 0, '' }, 'its test passes', tested)
tap.like(tested.out, '1%.%.2\n', 'and has two')
if tap.shell('command -v luacheck').status == 0 then
  local checked = tap.shell('cd ' .. folder .. ' && luacheck --quiet .')
  tap.is(checked.status, 0, 'script and test pass luacheck with the settings', checked.out)
end
local json = dofile 'tests/json.lua'
local settings = json.decode(tap.slurp(folder .. '/.luarc.json'))
tap.is(settings['workspace.library'], { '.moonprobe' }, 'the settings name the stubs')

-- Nothing is overwritten.
tap.spit(folder .. '/.luarc.json', '{}')
tap.spit(folder .. '/taken_test.lua', 'mine')
mistake('new slow_opens', 'slow_opens%.lua is there already; nothing was written', 'a script that is there')
mistake('new slow_opens.lua', 'slow_opens%.lua is there already', 'its file')
mistake('new taken', 'taken_test%.lua is there already', 'a test that is there')
tap.ok(not exists 'taken.lua', 'then the script is not written')
os.execute(('ln -s /nonexistent %s/dangling.lua'):format(folder))
mistake('new dangling', 'is there already', 'a link to nowhere')
local second = run 'new second.lua'
tap.ok(second.status == 0 and exists 'second.lua' and not exists 'second.lua.lua', 'NAME.lua means NAME', second)
tap.like(second.out, 'kept %.luarc%.json, which was there\n', 'settings that are there stay')
tap.is(tap.slurp(folder .. '/.luarc.json'), '{}', 'as they are')

-- Names.
mistake('new', 'no name given', 'no name')
mistake('new a b', 'one name at a time', 'two names')
for _, name in ipairs { 'a/b', '../a', '.hidden', '7up', 'a.b', "'a b'", "''", ('x'):rep(64) } do
  mistake('new ' .. name, "^moonprobe: new '.*': a name ", name)
end
mistake('new -x a', 'unknown option %-x', 'an option of new')

-- types.
local types = run 'types'
tap.is({ types.status, types.err }, { 0, '' }, 'types ends well')
tap.like(types.out, '^%.moonprobe: %d+ files\n$', 'and tells where and how many')
local into = run 'types -o deep/er/types'
tap.ok(into.status == 0 and exists 'deep/er/types/moonprobe.lua', 'types -o makes the folders', into)
tap.is(tap.shell(('diff -r %s/.moonprobe %s/deep/er/types'):format(folder, folder)).out, '', 'the same again')
tap.like(run('types -o /dev/null/x').err, '^moonprobe: /dev/null/x/moonprobe%.lua: ', 'a folder that cannot be')
tap.is(run('types -o /dev/null/x').status, 1, 'which is a failure')
mistake('types more', 'takes no arguments', 'an argument')
mistake('types -o', 'option %-o needs a value', 'no folder')
for _, command in ipairs { 'types', 'new' } do
  local help = run(command .. ' --help')
  tap.ok(help.status == 0 and help.out:find('^usage: moonprobe ' .. command), command .. ' --help', help)
end

-- Docstrings that do not fit are errors, and nothing is written.
os.execute(('mkdir -p %s/stdlib %s/probes'):format(folder, folder))
local units = tap.slurp 'stdlib/units.lua'
tap.spit(folder .. '/stdlib/units.lua', (units:gsub('%-%-%-@return number|nil ns\n', '')))
local faulty = run 'types -I . -o faulty'
tap.ok(faulty.status == 1 and not exists 'faulty', 'a docstring without its return is an error', faulty)
tap.like(faulty.err, 'stdlib/units%.lua:%d+: units%.duration: it returns something', 'which is told with its line')
os.remove(folder .. '/stdlib/units.lua')

-- A worker that lies about its files writes none outside, and none in part.
os.execute(('mkdir -p %s/stdlib/types'):format(folder))
for name, said in pairs {
  ['a name above the folder'] = '../evil.lua 1\\na', ['an absolute name'] = '/tmp/evil.lua 1\\na',
  ['more bytes than there are'] = 'evil.lua 9\\na', ['a huge number of bytes'] = 'evil.lua 18446744073709551615\\na',
  ['no list at all'] = 'hello', ['a line without a size'] = 'hello\\n', ['nothing'] = '' } do
  tap.spit(folder .. '/stdlib/types/all.lua', ([[
local engine, options = require 'moonprobe.engine', require 'moonprobe.options'
return { write = function()
  engine.write(1, '%s')
  error(setmetatable({ status = 0 }, options.Exit), 0)
end }]]):format(said))
  local lied = run 'types -I . -o lies/in'
  tap.ok(lied.status == 1 and lied.err:find('^moonprobe: types: the worker wrote no') and not exists 'lies/in/evil.lua'
    and not exists 'lies/evil.lua', 'refused: ' .. name, lied)
end
os.remove(folder .. '/stdlib/types/all.lua')

-- A probe on the search path.
os.execute(('cp build/probes/signal.bpf.o %s/probes/my_signal.bpf.o'):format(folder))
local more = run 'types -I . -o more'
tap.ok(more.status == 0 and exists 'more/moonprobe/probes/my_signal.lua', 'probes on the search path', more)

-- Without privileges.
local as_nobody = 'setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all '
if tap.shell(as_nobody .. 'true').status == 0 then
  os.execute(('cp %s %s/moonprobe; chmod 777 %s; chmod 755 %s/moonprobe'):format(tap.binary, folder, folder, folder))
  binary = './moonprobe'
  local nobody = run('new nobodys', as_nobody)
  tap.ok(nobody.status == 1 and nobody.err:find('Permission denied'), "files of others are not touched", nobody)
  tap.ok(run('types -o nobodys_types', as_nobody).status == 0 and exists 'nobodys_types/moonprobe.lua',
    'types needs no privileges')
else
  tap.skip('without privileges', 'setpriv is missing')
end
os.execute('rm -rf ' .. folder)
tap.done()
