-- SPDX-License-Identifier: Apache-2.0
--- stdlib/options.lua: a script's own command line.
local tap = require 'tap'
local mp = require 'moonprobe'
local job = require 'moonprobe.job'
local options = require 'moonprobe.options'

local FILE = debug.getinfo(1, 'S').short_src

--- Reads arguments; the values, or what the script ends with: { status, message or text }.
local function parse(declared, ...)
  job.arguments = { ... }
  local ok, result = pcall(mp.options, declared)
  if ok or getmetatable(result) == options.Exit then return result end
  error(result, 0)
end

local function declared()
  return {
    over = mp.duration('5ms', 'slower than this', 'o'),
    room = mp.size('4K', 'bytes'),
    level = mp.number(3, 'a number', 'n'),
    word = mp.text('some', 'a word', 'w'),
    mode = mp.choice({ 'fast', 'slow' }, 'how'),
    failed = mp.flag('x', 'also failed ones'),
    very_long = mp.flag('a long one'),
    every = mp.interval(nil, 'how often', 'i'),
    ports = mp.ports(nil, 'which'),
    most = mp.whole(nil, 'at most so many', nil, 1),
    error = mp.errno(nil, 'which error'),
    signal = mp.signal(nil, 'which signal'),
    states = mp.choices({ 'a', 'b', 'c' }, 'which states'),
  }
end

local function gives(name, value, what, ...)
  local values = parse(declared(), ...)
  tap.is(values[name], value, what)
end

local function refuses(pattern, what, ...)
  local exit = parse(declared(), ...)
  tap.is(exit.status, 2, what .. ': status 2')
  tap.like(exit.message, pattern, what)
end

-- Presets.
tap.is(parse(declared()), {
  over = 5e6, room = 4096, level = 3, word = 'some', mode = 'fast', failed = false, very_long = false,
}, 'presets, nothing for those without')

-- Every kind, in every form.
gives('failed', true, 'a flag by its letter', '-x')
gives('failed', true, 'a flag by its name', '--failed')
gives('very_long', true, 'a dash for an underscore', '--very-long')
gives('over', 1e9, 'a value after its name', '--over', '1s')
gives('over', 1e9, 'a value after =', '--over=1s')
gives('over', 1e9, 'a value after its letter', '-o', '1s')
gives('over', 1e9, 'a value that touches its letter', '-o1s')
gives('over', 2e9, 'the last one counts', '--over', '1s', '-o', '2s')
gives('room', 65536, 'a size', '--room', '64K')
gives('level', -5, 'a negative number', '--level', '-5')
gives('level', -5, 'a negative number after =', '--level=-5')
gives('level', 0.5, 'a fraction', '-n', '0.5')
gives('word', 'a=b', 'text with = in it', '--word=a=b')
gives('word', '', 'empty text', '--word=')
gives('word', '--failed', 'text that looks like an option', '--word', '--failed')
gives('word', '-x', 'text that looks like a letter', '-w', '-x')
gives('mode', 'slow', 'a choice', '--mode', 'slow')
gives('every', 5e9, 'seconds', '--every', '5')
gives('every', 5e8, 'an interval with a unit', '-i', '500ms')
gives('ports', { [80] = true, [443] = true }, 'ports', '--ports', '80,443')
gives('ports', { [80] = true }, 'one of them', '--ports=80')
for _, wrong in ipairs { '80,', 'http', '65536', '-1', '8.5' } do
  refuses('needs ports like 80,443', 'ports ' .. wrong, '--ports', wrong)
end
gives('most', 7, 'a whole number', '--most', '7')
for _, wrong in ipairs { '0', '-3', '1.5', 'nan', 'inf', 'many' } do
  refuses('needs a whole number from 1', 'whole ' .. wrong, '--most=' .. wrong)
end
gives('error', 2, 'an error by name', '--error', 'ENOENT')
gives('error', 13, 'an error by number', '--error', '13')
gives('signal', 9, 'a signal by name', '--signal', 'SIGKILL')
gives('signal', 9, 'a signal without SIG', '--signal', 'kill')
gives('signal', 34, 'a signal by number', '--signal', '34')
gives('states', { a = true, c = true }, 'choices', '--states', 'a,c')
local both = parse(declared(), '-xo', '3s')
tap.is({ both.failed, both.over }, { true, 3e9 }, 'letters together')
both = parse(declared(), '-xo3s')
tap.is({ both.failed, both.over }, { true, 3e9 }, 'letters and a value together')

-- Words.
local function words()
  return {
    interval = mp.argument(1, mp.number(nil, 'seconds')),
    count = mp.argument(2, mp.number(10, 'how often')),
    failed = mp.flag('x', 'also failed ones'),
  }
end
tap.is(parse(words()), { count = 10, failed = false }, 'no words')
tap.is(parse(words(), '5', '-x', '7'), { interval = 5, count = 7, failed = true }, 'words in their order')
tap.is(parse(words(), '-5'), { interval = -5, count = 10, failed = false }, 'a negative number is a word')
tap.is(parse(words(), '-x', '--', '5'), { interval = 5, count = 10, failed = true }, 'what follows -- is a word')
local exit = parse(words(), '--', '-x')
tap.is(exit.status, 2, '-x behind -- is no flag')
tap.like(exit.message, "^interval '%-x': needs a number", 'but a word that is no number')
exit = parse(words(), '1', '2', '3')
tap.like(exit.message, "^'3': one word too many", 'one word too many')
exit = parse(words(), 'five')
tap.like(exit.message, "^interval 'five': needs a number; %-%-help shows the options$", 'a word that cannot be read')
exit = parse(words(), '--count', '5')
tap.like(exit.message, '^unknown option %-%-count', 'a word is not an option')
tap.is(parse({ file = mp.argument(1, mp.text(nil, 'x')) }, '-'), { file = '-' }, 'a dash is a word')

-- What is refused.
refuses('^unknown option %-%-ovr; did you mean %-%-over%?; %-%-help shows the options$', 'a misspelt option', '--ovr')
refuses('^unknown option %-%-very%-lng; did you mean %-%-very%-long%?', 'a misspelt one with a dash', '--very-lng')
refuses('^unknown option %-z', 'an unknown letter', '-z')
refuses('^unknown option %-p; options of moonprobe stand before the script', 'an option of run', '-p', '5')
refuses('^unknown option %-%-for; options of moonprobe stand', 'another option of run', '--for', '5s')
refuses('^unknown option %-%-ring; options of moonprobe stand', 'one that looks like another', '--ring', '4M')
refuses('^unknown option %-%-over_x', 'a name that goes on after a known one', '--over_x', '1s')
refuses("^over 'fast': needs a time like 5ms", 'a bad duration', '--over', 'fast')
refuses("^over '5': needs a time", 'a duration without a unit', '--over=5')
refuses("^room '4k': needs a size like 64K", 'a bad size', '--room', '4k')
refuses("^level 'x': needs a number", 'a bad number', '-n', 'x')
refuses("^mode 'medium': needs one of fast, slow", 'a bad choice', '--mode=medium')
refuses("^ports '80,x': needs ports like 80,443", 'bad ports', '--ports=80,x')
refuses("^error 'ENOSUCH': needs an error like ENOENT or 2", 'a bad error', '--error', 'ENOSUCH')
refuses("^states 'a,d': needs some of a,b,c", 'bad choices', '--states', 'a,d')
refuses("^every '0': needs seconds", 'no interval', '--every', '0')
refuses('^%-%-over: needs a time like 5ms', 'the value is missing', '--over')
refuses('^%-n: needs a number', 'the value of a letter is missing', '-n')
refuses('^%-%-failed: takes no value', 'a flag with a value', '--failed=no')
refuses("^'word': one word too many", 'a word nobody wants', 'word')
refuses("^'%-x': one word too many", 'a word behind --', '--', '-x')

-- Help.
job.source = '-- SPDX-License-Identifier: Apache-2.0\n--- Does a thing.\n---\n---   moonprobe run thing\n'
  .. 'local x = 1\n--- not part of it\n'
job.name = 'thing'
local all = declared()
all.count = mp.argument(1, mp.number(nil, 'how many'))
exit = parse(all, '--help')
tap.is(exit.status, 0, '--help ends with status 0')
tap.like(exit.text, '^usage: moonprobe run %[run options%] thing %[COUNT%] %[options%]\n', 'the usage')
tap.like(exit.text, '\nDoes a thing%.\n\n  moonprobe run thing\n', 'the description')
tap.ok(not exit.text:find('SPDX') and not exit.text:find('not part'), 'only the description', exit.text)
tap.like(exit.text, '\n  COUNT +how many\n', 'the word')
tap.like(exit.text, '\n  %-o, %-%-over DURATION +slower than this %(default 5ms%)\n', 'an option with a preset')
tap.like(exit.text, '\n  %-n, %-%-level NUMBER +a number %(default 3%)\n', 'a number as preset')
tap.like(exit.text, '\n  %-x, %-%-failed +also failed ones\n', 'a flag has no preset')
tap.like(exit.text, '\n      %-%-very%-long +a long one\n', 'one without a letter, with dashes')
tap.like(exit.text, '\n      %-%-mode CHOICE +how %(default fast%)\n +one of fast, slow\n', 'a choice, and among what')
tap.like(exit.text, '\n      %-%-states CHOICES +which states\n +some of a,b,c\n', 'choices')
tap.like(exit.text, '\n      %-%-ports PORTS +which\n', 'nothing preset')
tap.like(exit.text, '\n  %-h, %-%-help +this help\n$', 'help itself comes last')
for line in exit.text:gmatch('[^\n]+') do
  if #line > 80 then tap.ok(false, 'help is at most 80 columns wide', line) end
end
tap.is(parse(all, '-h').status, 0, '-h')
tap.is(parse(all, '5', '-x', '-h').status, 0, '-h behind others')
tap.like(parse(all, '-z', '-h').message, 'unknown option', 'a mistake before it comes first')
tap.is(parse({ word = mp.text(nil, 'x') }, '--word', '-h').word, '-h', '-h as a value')
job.source = 'local x = 1\n--- not a description\n'
tap.like(parse({}, '-h').text, '^usage: moonprobe run %[run options%] thing %[options%]\n\n  %-h',
  'without a description')
job.source = '#!/usr/bin/env moonprobe\n--- After the first line.\n'
tap.like(parse({}, '-h').text, 'After the first line', 'a script that is run by its name')

-- Probes, as people write them.
for text, probe in pairs {
  ['vfs_read'] = 'kprobe:vfs_read', ['vfs_*'] = 'kprobe:vfs_*', ['vfs_read+0x10'] = 'kprobe:vfs_read+0x10',
  ['kretprobe:vfs_read'] = 'kretprobe:vfs_read', ['libc:malloc'] = 'uprobe:libc:malloc',
  ['/bin/bash:readline'] = 'uprobe:/bin/bash:readline', ['c:open'] = 'uprobe:libc:open',
  ['p:vfs_read'] = 'kprobe:vfs_read', ['p::vfs_read'] = 'kprobe:vfs_read', ['r:vfs_read'] = 'kretprobe:vfs_read',
  ['p:libc:malloc'] = 'uprobe:libc:malloc', ['r:c:malloc'] = 'uretprobe:libc:malloc',
  ['t:sched:sched_switch'] = 'tracepoint:sched:sched_switch', ['u:bash:x:y'] = 'usdt:bash:x:y',
} do
  tap.is(parse({ probe = mp.target(nil, 'which', 'C') }, '-C', text).probe, probe, 'a probe: ' .. text)
end
tap.like(parse({ probe = mp.target(nil, 'which') }, '--probe', 'a b').message, "probe 'a b': needs a function",
  'no probe')

-- Expressions.
local function expressions(text) return parse({ some = mp.expressions(nil, 'Lua', 'e') }, '-e', text).some end
local some = expressions 'e.x, math.max(e.x, 3), "a,b" -- and so on'
tap.is({ some.all { x = 2 } }, { 2, 3, 'a,b' }, 'expressions: all of them')
tap.is({ some.texts[1], some.texts[2], some[1] { x = 2 }, some[2] { x = 2 }, some[3] {} },
  { 'e.x', 'math.max(e.x, 3)', 2, 3, 'a,b' }, 'expressions: one by one')
local one = parse({ only = mp.expression(nil, 'Lua', 'w') }, '-w', 'e.x > 3 and mp.show(e.x)').only
tap.is({ one { x = 3 }, one { x = 4 } }, { false, '4' }, 'an expression')
for text, problem in pairs { ['e.x +'] = "unexpected symbol near '<eof>'", ['1 end, function() return 2'] = 'expected',
  ['e.x, 2'] = 'one value', ['return 1'] = 'unexpected', [''] = 'one value' } do
  tap.like(parse({ only = mp.expression(nil, 'Lua', 'w') }, '-w', text).message, "^only '.*': .*" .. problem
    .. '[^\n]*; %-%-help shows the options$', ('no expression: "%s"'):format(text))
end

-- What has to be given.
local needed = { which = mp.argument(1, mp.text(nil, 'which one'), true), more = mp.argument(2, mp.text(nil, 'more')) }
local is_check = job.check
job.check = false
tap.like(parse(needed).message, '^WHICH is missing: text;', 'a missing argument')
tap.is(parse(needed, 'x').which, 'x', 'a given one')
tap.like(parse(needed, '-h').text, '^usage: [^\n]* thing WHICH %[MORE%] %[options%]\n', 'in the usage')
tap.is({ pcall(mp.refuse, '%s does not fit', 'x') }, { false, setmetatable({ status = 2,
  message = 'x does not fit; --help shows the options' }, options.Exit) }, 'refuse')
job.check, job.arguments = true, {}
tap.is(parse(needed).status, 0, 'check: no arguments are no mistake')
job.check = is_check

-- A script without options.
local function finish(...)
  options.parsed = false
  job.arguments = { ... }
  local ok, result = pcall(options.finish)
  return ok, result
end
tap.ok(finish(), 'no options and no arguments')
local ok, result = finish('x')
tap.ok(not ok and getmetatable(result) == options.Exit, 'an argument nobody reads ends it')
tap.is(result.status, 2, 'with status 2')
ok, result = finish('--help')
tap.ok(not ok and result.status == 0 and result.text:find('usage'), '--help works all the same')
options.parsed = true
job.arguments = { 'x' }
tap.ok(pcall(options.finish), 'nothing is left to be done when the script has read them')

-- Misuse names the line it is in.
local function misuse(fn, pattern, name)
  tap.raises(fn, '^' .. FILE:gsub('%p', '%%%0') .. ':%d+: ' .. pattern, name)
end
misuse(function() mp.duration('fast', 'x') end, "duration: preset 'fast' is not a time like 5ms", 'a bad preset')
misuse(function() mp.size('4k', 'x') end, "size: preset '4k' is not a size", 'a bad size as preset')
misuse(function() mp.duration('5ms') end, 'duration: needs a sentence for %-%-help', 'no sentence')
misuse(function() mp.flag() end, 'flag: needs a sentence', 'a flag without one')
misuse(function() mp.choice({ 'a' }) end, 'choice: needs a sentence', 'a choice without one')
misuse(function() mp.options { over = '5ms' } end, "options: 'over' is not an option", 'a value that is no option')
misuse(function() mp.options { 5, 6, x = 7 } end, "options: '%w' is not an option", 'a list')
misuse(function() mp.options('x') end, 'options: needs a table', 'no table')
misuse(function() mp.argument(1, 'x') end, 'argument: needs an option', 'an argument that is no option')
misuse(function() mp.choice('a', 'x') end, 'choice: needs a list', 'a choice among nothing')
misuse(function() mp.choices('a', 'x') end, 'choices: needs a list', 'choices among nothing')
misuse(function() mp.options { a = mp.flag('x', 'one'), b = mp.flag('x', 'two') } end,
  'options: %-x is both a and b', 'a letter given twice')
tap.done()
