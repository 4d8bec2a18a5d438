-- SPDX-License-Identifier: Apache-2.0
--- What every tool in scripts/ keeps to. Run by plain luajit from the top of the tree, after
--- `make`; no list names the tools. What they report is proven in tests/live.
local tap = dofile 'tests/tap.lua'

--- The lines of the `---` block a tool starts with.
local function block_of(source)
  local lines = {}
  for line in source:gmatch('([^\n]*)\n') do
    local text = line:match('^%-%-%-%s?(.*)$')
    if text then
      lines[#lines + 1] = text
    elseif #lines > 0 then
      break
    end
  end
  return lines
end

local function has_line(lines, pattern)
  for _, line in ipairs(lines) do if line:find(pattern) then return true end end
  return false
end

local privileged = tap.shell('id -u').out == '0\n'

local function check_source(name, source, block)
  tap.like(source, '^%-%- SPDX%-License%-Identifier: Apache%-2%.0\n%-%-%- ',
    name .. ': its license, then its description')
  tap.like(block[1] or '', '^' .. name .. ': [%l%u%d].*%.$', name .. ': which starts with its name and a sentence')
  tap.ok(has_line(block, '^  .*moonprobe run .*' .. name), name .. ': has an example', block)
  tap.ok(has_line(block, '^Overhead: %S'), name .. ': says what it costs', block)
  tap.ok(has_line(block, '^Cannot see: %S'), name .. ': says what it cannot see', block)
  tap.ok(has_line(block, '%.$') and block[#block]:find('%.$'), name .. ': ends with a full stop', block[#block])
  local long = ''
  for _, line in ipairs(block) do if #line > 96 then long = line end end
  tap.is(long, '', name .. ': its description fits')
  tap.like(source, "\nlocal mp = require 'moonprobe'\n", name .. ': uses the API')
  tap.ok(not source:find("require 'moonprobe%."), name .. ': and nothing inside of it')
  tap.ok(not source:find('\t', 1, true) and not source:find(' \n', 1, true),
    name .. ': no tabs, no spaces at ends of lines')
  tap.ok(source:sub(-1) == '\n' and source:sub(-2) ~= '\n\n', name .. ': ends with one line end')
end

local function check_loads(name, file)
  for _, script in ipairs { file, name } do
    local run = tap.moonprobe('check ' .. script)
    tap.is({ run.status, run.err }, { 0, '' }, ('moonprobe check %s'):format(script))
  end
end

local function check_help(name, block)
  if not privileged then
    tap.skip(name .. ': --help', 'needs root')
    return
  end
  local help = tap.moonprobe('run ' .. name .. ' --help')
  tap.is(help.status, 0, name .. ': --help ends with status 0')
  tap.is(help.err, '', name .. ': and says nothing on stderr')
  tap.like(help.out, '^usage: moonprobe run %[run options%] ' .. name .. '%f[%s]', name .. ': --help shows the usage')
  tap.ok(help.out:find(table.concat(block, '\n'), 1, true), name .. ': and the description', help.out)
  tap.like(help.out, '\n  %-h, %-%-help +this help\n$', name .. ': and the options')
  local wide = ''
  for _, line in ipairs(help.rows) do if #line > 100 then wide = line end end
  tap.is(wide, '', name .. ': which are not too wide')
  local wrong = tap.moonprobe('run ' .. name .. ' --no-such-option')
  tap.is(wrong.status, 2, name .. ': an unknown option ends with status 2')
  tap.like(wrong.err, 'unknown option %-%-no%-such%-option', name .. ': and is named')
  tap.is(wrong.out, '', name .. ': and prints nothing')
end

--- An example without what is said of it, after two spaces, and without the program it is given to.
local function command_of(line)
  return (line:gsub('^  moonprobe ', ''):gsub('  .*', ''):gsub(' | .*', ''))
end

--- The same as `moonprobe replay` takes it: what it runs on is the recording's.
local function replayed(name, command)
  local before, after = (command .. ' '):match('^run (.-)%f[%w]' .. name .. ' (.*)$')
  if not before then return nil end
  before = before:gsub("%-c '[^']*' ", ''):gsub('%-p %d+ ', ''):gsub('%-%-for %w+ ', '')
  return ('replay -q %sscripts/recordings/%s.rec %s %s'):format(before, name, name, after)
end

local function check_examples(name, block, is_recorded)
  local count = 0
  for _, line in ipairs(block) do
    if line:find('^  moonprobe ') then
      local command = command_of(line)
      local run
      if is_recorded then
        local on_recording = replayed(name, command)
        run = on_recording and tap.moonprobe(on_recording) or {}
        tap.is({ run.status, run.err }, { 0, '' }, ('%s: its example runs: %s'):format(name, command))
      end
      if privileged then -- all its options; with --help nothing is traced or executed
        run = tap.moonprobe(command .. ' --help')
        tap.is({ run.status, run.err }, { 0, '' }, ('%s: and is understood'):format(name))
      end
      count = count + 1
    end
  end
  tap.ok(count > 0, name .. ': has examples')
end

--- Nobody's events but those of the project's own workload. Without a recording are tools whose probes
--- depend on what they are asked for, or that are not in every kernel: their tests feed events.
local function check_recording(name)
  local file = ('scripts/recordings/%s.rec'):format(name)
  if tap.slurp(file) == '' then
    tap.like(tap.slurp(('scripts/%s_test.lua'):format(name)), ':feed%(', name .. ': its test feeds events')
    return false
  end
  local shown, strangers = tap.moonprobe('show -f json ' .. file), {}
  tap.is({ shown.status, shown.err }, { 0, '' }, file .. ': is whole')
  for comm in shown.out:gmatch('comm":"([^"]*)"') do
    if comm ~= 'workload' and not comm:find('^moonprobe') and not comm:find('^swapper') then
      strangers[#strangers + 1] = comm
    end
  end
  tap.is(strangers, {}, file .. ': has nobody else in it')
  tap.ok(#tap.slurp(file) < 16384, file .. ': is small', #tap.slurp(file))
  tap.like(tap.slurp(('scripts/%s_test.lua'):format(name)), "replay[ (]'recordings/" .. name .. "%.rec'",
    name .. ': its test replays it')
  return true
end

local files = tap.shell('ls scripts/*.lua | grep -v _test').rows
tap.ok(#files > 0, 'there are tools')
for _, file in ipairs(files) do
  local name = file:match('([^/]*)%.lua$')
  tap.like(name, '^%l[%l%d_]*$', name .. ': its name is lower case')
  local source = tap.slurp(file)
  local block = block_of(source)
  tap.like(tap.slurp((file:gsub('%.lua$', '_test.lua'))), "test%.load[ (]'" .. name .. "'",
    name .. ': has a test beside it')
  check_source(name, source, block)
  check_loads(name, file)
  check_examples(name, block, check_recording(name))
  check_help(name, block)
end
tap.done()
