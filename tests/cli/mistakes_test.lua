-- SPDX-License-Identifier: Apache-2.0
--- The command line before anything is attached: the options of each command, and one clear line for
--- every mistake. What runs do is in tests/live/cli_test.lua.

local tap = dofile 'tests/tap.lua'

local folder = os.tmpname()
os.remove(folder)
os.execute('mkdir ' .. folder)
local function file(name, text) return tap.spit(folder .. '/' .. name, text) end

--- A mistake: exit status 2, nothing on stdout, one line on stderr that matches.
local function mistake(arguments, pattern, name)
  local run = tap.moonprobe(arguments)
  local _, lines = run.err:gsub('\n', '\n')
  tap.ok(run.status == 2 and run.out == '' and lines == 1 and run.err:find(pattern) ~= nil,
    'mistake: ' .. name, run, pattern)
end

mistake('rnu', "no command named 'rnu'.*did you mean 'run'", 'misspelt command')
mistake('run', 'no script given', 'no script')
mistake('run ' .. folder .. '/missing.lua', 'No such file', 'missing file')
mistake('run ' .. folder, 'is a directory', 'a directory')
local beside = tap.shell(('binary=$(realpath %s); mkdir -p %s/some/trace; cd %s/some; $binary check trace; cd ..; $binary check some')
  :format(tap.binary, folder, folder))
tap.is({ beside.out, beside.err }, { 'trace: ok\n', 'moonprobe: some: is a directory, not a Lua script\n' },
  'a folder does not hide a tool of its name')
mistake('run /bin/true', 'is a binary file', 'a binary')
mistake('run execsnop', "no tool named 'execsnop'", 'misspelt tool')
mistake('run --frobnicate execsnoop', 'unknown option %-%-frobnicate', 'unknown option')
mistake('run -p 4194303 ' .. file('empty.lua', ''), 'no such process', 'a PID that does not exist')
mistake('run -p 12x ' .. folder .. '/empty.lua', 'not a process id', 'no number')
mistake('run -p 1 -c true ' .. folder .. '/empty.lua', 'exclude each other', '-p and -c')
mistake("run -c '' " .. folder .. '/empty.lua', 'no command given', 'empty command')
mistake("run -c 'echo \"' " .. folder .. '/empty.lua', 'unbalanced quotes', 'quotes')
mistake("run -c 'a | b' " .. folder .. '/empty.lua', 'needs a shell', 'a pipe in -c')
mistake('run -c /bin/nonexistent ' .. folder .. '/empty.lua', 'cannot be run: No such file', 'command not found')
mistake('run --for 5 ' .. folder .. '/empty.lua', 'not a time', 'a time without unit')
mistake('run --ring 5000 ' .. folder .. '/empty.lua', 'not a power of two', 'ring size')
mistake('run -f xml ' .. folder .. '/empty.lua', 'unknown format', 'format')
mistake('run -f', 'needs a value', 'option without value')
mistake('list tcp_conect', "did you mean 'tcp_connect'", 'misspelt probe in list')
mistake('check', 'no script given', 'check without script')
mistake("replay some.rec -e ''", 'replay: %-e: options come before the recording', 'replay with -e behind the file')
mistake('doctor tcp', 'doctor: takes no arguments', 'doctor with a word')

-- -o: what is read is not overwritten, and a mistake costs no file.
local kept = file('kept', 'kept')
for _, command in ipairs { 'run -c true -o', 'record -c true -o', 'replay -o %s' } do
  mistake(command:format(kept) .. (' %s %s'):format(kept, kept), '%-o ' .. kept .. ': is what is read', command:match '^%l+' .. ' -o its own input')
end
mistake(('run -o %s execsnop'):format(kept), "no tool named 'execsnop'", 'misspelt tool, with -o')
tap.is(io.open(kept):read '*a', 'kept', 'the file of -o is as it was')

-- Options: --help names those that are taken, and no others.
local promised = {
  run = '-p -c -e --for -f -o -w --ring --stacks -I --allow -q -v -h --help',
  serve = '-p -c -f -w --ring --stacks -I --allow -q -v -h --help',
  list = '-f -I -h --help',
  check = '--permissions -I --allow -h --help',
  explain = '-e --measure -p -c -f --ring --stacks -I --allow -q -v -h --help',
  record = '-o --probe -e -p -c --for --ring -f -I --allow -q -v -h --help',
  replay = '-e --speed --step --inject --seed -f -o -I --allow -q -v -h --help',
  show = '-f -n -h --help',
  test = '--update --watch --coverage --bench -I --allow -h --help',
  new = '-I -h --help',
  types = '-o -I -h --help',
  doctor = '-f -h --help',
}
local commands, taken_by, names = {}, {}, {}
for command in tap.moonprobe('--help').out:match('\n(\n.-)\n\n'):gmatch '\n  (%l+) ' do
  local help, taken, told = tap.moonprobe(command .. ' --help'), {}, {}
  for left in help.out:gmatch '\n  (%-[^\n]-)  ' do
    local letter, name = left:match '^%-(%a)', left:match '%-%-(%l+)'
    local value = left:find ' %S+$' ~= nil and not left:find ', %S+$'
    for _, option in ipairs { letter and '-' .. letter or '--' .. name, letter and name and '--' .. name } do
      taken[option], names[option], told[#told + 1] = value and 'value' or 'alone', true, option
    end
  end
  tap.is({ help.status, help.err, table.concat(told, ' ') }, { 0, '', promised[command] }, command .. ' --help: options')
  tap.like(help.out, '^usage: moonprobe ' .. command .. ' %[options%]', command .. ' --help: usage')
  tap.is(tap.matching(help.rows, '^' .. ('.'):rep(80)), 0, command .. ' --help: lines shorter than 80')
  commands[#commands + 1], taken_by[command] = command, taken
end
tap.is(#commands, 12, 'every command')
for letter in ('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'):gmatch '.' do names['-' .. letter] = true end
for _, command in ipairs(commands) do
  local words, expected = {}, {}
  for name in pairs(names) do
    local takes = taken_by[command][name]
    -- One that stands alone is taken when what is wrong is the next.
    words[#words + 1] = takes == 'alone' and name .. ' --none' or name
    if name == '-h' or name == '--help' then
      words[#words] = name .. ' >/dev/null'
    elseif takes == 'value' then
      expected[#expected + 1] = ('moonprobe: %s: option %s needs a value; moonprobe %s --help'):format(command, name, command)
    else
      expected[#expected + 1] = ('moonprobe: %s: unknown option %s; moonprobe %s --help'):format(command,
        takes and '--none' or name, command)
    end
  end
  for i, word in ipairs(words) do words[i] = ('%s %s %s'):format(tap.binary, command, word) end
  local said = {}
  for line in tap.shell(table.concat(words, '; ')).err:gmatch '[^\n]+' do
    said[#said + 1] = line:gsub('; did you mean %-%-%l+', '')
  end
  tap.is(said, expected, command .. ': takes the options of its --help, and no others')
  mistake(command .. ' --hlep', ('^moonprobe: %s: unknown option %%-%%-hlep; did you mean %%-%%-help; moonprobe %s %%-%%-help\n$')
    :format(command, command), command .. ': a misspelt option')
end
mistake('replay --step=2', 'option %-%-step takes no value', 'a value that is not wanted')
mistake('run -qz', 'unknown option %-z', 'an unknown letter behind a known one')

-- Mistakes in scripts: file, line, nearest name.
local function script_mistake(text, pattern, name)
  local path = file('mistake.lua', text)
  for _, command in ipairs { 'check ', 'run -c true ' } do
    local run = tap.moonprobe(command .. path)
    tap.ok(run.status == 2 and run.err:find('mistake%.lua:' .. pattern) ~= nil, command .. name, run, pattern)
  end
end
local head = "local mp = require 'moonprobe'\n"
script_mistake('local x = = 1', '1: unexpected symbol', 'syntax error')
script_mistake(head .. "mp.probe 'proces_exec'", "2: no probe named 'proces_exec'; did you mean 'process_exec'", 'unknown probe')
script_mistake(head .. "mp.probe 'process_exec':each(function(e)\n  return e.parnt_pid\nend)",
  "3: process_exec has no field 'parnt_pid'; did you mean 'parent_pid'", 'misspelt field in a handler')
script_mistake(head .. "mp.probe 'process_exec':count 'com'", "2: process_exec has no field 'com'; did you mean 'comm'", 'misspelt key')
script_mistake(head .. "mp.probe('process_exec', { faild = 1 })", "2: probe process_exec has no knob 'faild'; did you mean 'failed'", 'misspelt knob')
script_mistake(head .. "mp.probe 'process_exec':wher(print)", "2: a stream has no method 'wher'; did you mean 'where'", 'misspelt method')
script_mistake(head .. 'local o = mp.options { a = 5 }', "2: options: 'a' is not an option", 'bad option')
script_mistake(head .. 'print(undefined_thing)', "2: no variable named 'undefined_thing'", 'misspelt variable')
script_mistake("require 'not_there'", "1: module 'not_there' not found", 'missing module')

-- Options of a script, modules beside it.
file('helper.lua', "return { greeting = 'hello from a module' }")
local with = file('options.lua', [[
--- A script with options.
local mp = require 'moonprobe'
local opt = mp.options { over = mp.duration('5ms', 'how long'), loud = mp.flag('l', 'say it'), name = mp.text('', 'who') }
mp.row(opt.over, opt.loud, opt.name, require('helper').greeting)
mp.stop()
]])
local run = tap.moonprobe('run ' .. with .. ' --over 2s -l --name=x')
tap.is(run.out, '2000000000  true  x  hello from a module\n', 'options and a module')
run = tap.moonprobe('run ' .. with .. ' --help')
tap.ok(run.status == 0 and run.out:find('A script with options') and run.out:find('%-%-over DURATION +how long %(default 5ms%)') ~= nil, '--help of a script', run)
for _, command in ipairs { 'record -o ' .. folder .. '/none.rec ', 'replay ' .. folder .. '/none.rec ' } do
  local help = tap.moonprobe(command .. with .. ' --help')
  tap.is({ help.status, help.out, help.err }, { 0, run.out, '' }, command:match '^%l+' .. ': --help of a script')
end
mistake('run ' .. with .. ' --ovr 2s', 'unknown option %-%-ovr; did you mean %-%-over', 'misspelt script option')
mistake('run ' .. with .. ' --over soon', "over 'soon': needs a time like 5ms", 'bad value')
mistake('run ' .. with .. ' -f json', 'stand before the script', 'run option after the script')

-- Permissions.
local idle = file('idle.lua', head .. "mp.probe 'oom_kill':each(function(e) mp.row(e.pid) end)")
run = tap.moonprobe('check --permissions --allow ffi ' .. idle)
tap.ok(run.status == 0 and run.out:find('sees +oom_kill: pid\n') and run.out:find('granted +ffi\n')
  and run.out:find('off +debug, io.popen, object, os.execute, package.loadlib\n') ~= nil, 'check --permissions', run)
mistake('check --allow everything ' .. idle, 'nothing that can be granted', 'unknown grant')
mistake('check --allow ffi --allow debug ' .. idle, 'write %-%-allow ffi,debug\n', 'grants one by one')

os.execute('rm -r ' .. folder)
tap.done()
