-- SPDX-License-Identifier: Apache-2.0
--- Options: a script's own command line, declared as a table; --help is made from it.
---
---   local opt = mp.options {
---     over = mp.duration('5ms', 'only what takes longer'),
---     failed = mp.flag('x', 'also calls that failed'),
---   }
---   if e.latency_ns > opt.over then ...

local blame = require 'moonprobe.blame'
local engine = require 'moonprobe.engine'
local environment = require 'moonprobe.environment'
local job = require 'moonprobe.job'
local nearest = require 'moonprobe.nearest'
local units = require 'moonprobe.units'

local options = {}

--- Raised to end the script early with an exit status; life.lua catches it.
options.Exit = {}

--- An option of mp.options.
---@class moonprobe.Option
local Option = {}

local function declare(kind, letter, preset, doc, parse, expects, extra)
  local self = { kind = kind, letter = letter, preset = preset, doc = doc, parse = parse, expects = expects }
  for key, value in pairs(extra or {}) do self[key] = value end
  if type(doc) ~= 'string' then blame(kind .. ': needs a sentence for --help') end
  return setmetatable(self, Option)
end

--- -x, --name: true when given.
---@param letter string|nil one letter, or nil
---@param doc string for --help
---@return moonprobe.Option
---@overload fun(doc: string): moonprobe.Option
function options.flag(letter, doc)
  if doc == nil then letter, doc = nil, letter end
  return declare('flag', letter, false, doc)
end

local function valued(kind, expects, parse)
  return function(preset, doc, letter)
    local value = preset
    if type(preset) == 'string' and preset ~= '' and kind ~= 'text' then
      value = parse(preset)
      if value == nil then blame(("%s: preset '%s' is not %s"):format(kind, preset, expects)) end
    end
    return declare(kind, letter, value, doc, parse, expects, { shown = preset })
  end
end

--- --name 5ms. The value is in ns.
---@param preset string|nil
---@param doc string for --help
---@param letter string|nil
---@return moonprobe.Option
options.duration = valued('duration', 'a time like 5ms', units.duration)
--- --name 5 or --name 500ms: between two printings. The value is in ns.
---@param preset string|nil
---@param doc string for --help
---@param letter string|nil
---@return moonprobe.Option
options.interval = valued('interval', 'seconds, or a time like 500ms', function(text)
  local ns = tonumber(text) and tonumber(text) * 1e9 or units.duration(text)
  return ns and ns > 0 and ns or nil
end)
--- --name 4K. The value is in bytes.
---@param preset string|nil
---@param doc string for --help
---@param letter string|nil
---@return moonprobe.Option
options.size = valued('size', 'a size like 64K', units.size)
--- --name 7
---@param preset number|nil
---@param doc string for --help
---@param letter string|nil
---@return moonprobe.Option
options.number = valued('number', 'a number', tonumber)
--- --name 7: how many, or which; no fraction, and not below `least`.
---@param preset number|nil
---@param doc string for --help
---@param letter string|nil
---@param least integer|nil 0 when not given
---@return moonprobe.Option
function options.whole(preset, doc, letter, least)
  least = least or 0
  return valued('number', ('a whole number from %d'):format(least), function(text)
    local number = tonumber(text)
    return number and number >= least and number < 2 ^ 53 and number % 1 == 0 and number or nil
  end)(preset, doc, letter)
end
--- --name 80,443. The value is a set: value[80] is true.
---@param preset string|nil
---@param doc string for --help
---@param letter string|nil
---@return moonprobe.Option
options.ports = valued('ports', 'ports like 80,443', function(text)
  local set = {}
  for word in (text .. ','):gmatch('(.-),') do
    local port = word:find '^%d+$' and tonumber(word)
    if not port or port > 65535 then return nil end
    set[port] = true
  end
  return set
end)
--- --name ENOENT or --name 2. The value is the number.
---@param preset string|nil
---@param doc string for --help
---@param letter string|nil
---@return moonprobe.Option
options.errno = valued('errno', 'an error like ENOENT or 2', function(text)
  for number = 1, 133 do if engine.errno_name(number) == text then return number end end
  return tonumber(text)
end)
--- --name SIGTERM, --name TERM or --name 15. The value is the number.
---@param preset string|nil
---@param doc string for --help
---@param letter string|nil
---@return moonprobe.Option
options.signal = valued('signal', 'a signal like SIGTERM or 15', function(text)
  local name = text:upper():gsub('^SIG', '')
  for number = 1, 64 do if engine.signal_name(number) == name then return number end end
  local number = tonumber(text)
  return number and number >= 1 and number <= 64 and number or nil
end)
--- --name TEXT
---@param preset string|nil
---@param doc string for --help
---@param letter string|nil
---@return moonprobe.Option
options.text = valued('text', 'text', function(text) return text end)

--- What people write for a probe, as the option's reader gives it: its name.
---   vfs_*  kprobe:vfs_*      t:sched:sched_switch  tracepoint:...      libc:malloc  uprobe:libc:malloc
---   p:vfs_read  r:vfs_read   kprobe, kretprobe     p:libc:malloc  r:libc:malloc     uprobe, uretprobe
local short_families = { p = { 'kprobe', 'uprobe' }, r = { 'kretprobe', 'uretprobe' },
  t = { 'tracepoint', 'tracepoint' }, u = { 'usdt', 'usdt' } }

local function target_of(text)
  local first, rest = text:match '^([^:]*):+(.+)$'
  if not first then return text:find '^[%w_*?%[%].+-]+$' and 'kprobe:' .. text or nil end
  if engine.asset('probes/' .. first .. '.bpf.o') then return text end
  local short = short_families[first]
  if not short then return ('uprobe:%s:%s'):format(first == 'c' and 'libc' or first, rest) end
  return ('%s:%s'):format(short[rest:find(':', 1, true) and 2 or 1], (rest:gsub('^c:', 'libc:')))
end

--- --name TARGET: a kernel function or several (vfs_*), a user function (libc:malloc), or any probe
--- (tracepoint:sched:sched_switch). The value is the probe's name: 'kprobe:vfs_*'.
---@param preset string|nil
---@param doc string for --help
---@param letter string|nil
---@return moonprobe.Option
options.target = valued('target', 'a function like vfs_read or libc:malloc, or a probe like kprobe:vfs_*', target_of)

--- Lua expressions, with commas between, as functions of an event.
---@class moonprobe.Expressions
---@field [integer] fun(e: moonprobe.Event): any one of them
---@field texts string[] as they were written
---@field all fun(e: moonprobe.Event): ... all of them

local function compiled(text, many)
  local whole = text .. '\n' -- it may end in a comment
  local chunk, message = environment.compile('return ' .. whole, '=expression')
  if not chunk then return nil, (message:gsub('^[^:]*:%d+: ', '')) end
  if not many and not environment.compile('return (' .. whole .. ')', '=expression') then
    return nil, 'is one value expected'
  end
  return environment.compile('return function(e) return ' .. whole .. ' end', '=expression')()
end

--- The expressions of a list. A comma within one is not between two: what is no expression by itself goes on.
local function parts_of(text)
  local parts, open = {}, nil
  for piece in (text .. ','):gmatch '(.-),' do
    open = open and open .. ',' .. piece or piece
    if compiled(open, false) then parts[#parts + 1], open = open:match '^%s*(.-)%s*$', nil end
  end
  return parts
end

local function expression_of(text)
  local fn, message = compiled(text, false)
  if not fn then return nil, message end
  return fn
end

local function expressions_of(text)
  local all, message = compiled(text, true)
  if not all then return nil, message end
  local list = { texts = parts_of(text), all = all }
  for i, part in ipairs(list.texts) do list[i] = compiled(part, false) end
  return list
end

--- --name 'e.args.count > 4096': Lua of an event e. The value is a function of the event, which where()
--- takes, and translates for the kernel, as any other.
---@param preset string|nil
---@param doc string for --help
---@param letter string|nil
---@return moonprobe.Option
options.expression = valued('expression', 'Lua of an event e', expression_of)
--- --name 'e.comm, e.args.count'. The value is a moonprobe.Expressions.
---@param preset string|nil
---@param doc string for --help
---@param letter string|nil
---@return moonprobe.Option
options.expressions = valued('expressions', 'Lua of an event e', expressions_of)

--- --name one|other
---@param choices string[] the first is the preset
---@param doc string
---@param letter string|nil
---@return moonprobe.Option
function options.choice(choices, doc, letter)
  if type(choices) ~= 'table' then blame('choice: needs a list') end
  local function parse(text)
    for _, choice in ipairs(choices) do if choice == text then return text end end
    return nil
  end
  return declare('choice', letter, choices[1], doc, parse, 'one of ' .. table.concat(choices, ', '),
    { shown = choices[1] })
end

--- --name one,other. The value is a set: value.one is true; nil when not given.
---@param choices string[]
---@param doc string
---@param letter string|nil
---@return moonprobe.Option
function options.choices(choices, doc, letter)
  if type(choices) ~= 'table' then blame('choices: needs a list') end
  local known = {}
  for _, choice in ipairs(choices) do known[choice] = true end
  local function parse(text)
    local set = {}
    for word in (text .. ','):gmatch('(.-),') do
      if not known[word] then return nil end
      set[word] = true
    end
    return set
  end
  return declare('choices', letter, nil, doc, parse, 'some of ' .. table.concat(choices, ','))
end

--- A word without an option before it, in the order of `place`.
---@param place integer 1 is the first
---@param of moonprobe.Option says how it reads
---@param required boolean|nil the script does not run without it
---@return moonprobe.Option
function options.argument(place, of, required)
  if getmetatable(of) ~= Option then blame('argument: needs an option') end
  of.place, of.required = place, required
  return of
end

local function dashed(name) return (name:gsub('_', '-')) end

local function sorted(declared)
  local names = {}
  for name in pairs(declared) do names[#names + 1] = name end
  table.sort(names, function(a, b)
    local x, y = declared[a], declared[b]
    if (x.place or 99) ~= (y.place or 99) then return (x.place or 99) < (y.place or 99) end
    return a < b
  end)
  return names
end

--- The comment a script starts with, its description: every line that starts with `---`.
local function description()
  local lines = {}
  for line in (job.source .. '\n'):gmatch('(.-)\n') do
    local text = line:match('^%-%-%-%s?(.*)$')
    if text then
      lines[#lines + 1] = text
    elseif #lines > 0 or not (line:match('^%-%-') or line:match('^#!') or line == '') then
      break
    end
  end
  return table.concat(lines, '\n')
end

local function help(declared)
  local lefts, rights, width, usage = {}, {}, 18, 'usage: moonprobe run [run options] ' .. job.name
  local function add(left, right)
    lefts[#lefts + 1], rights[#rights + 1], width = left, right, math.max(width, #left)
  end
  for _, name in ipairs(sorted(declared)) do
    local one = declared[name]
    if one.place then
      usage = usage .. (one.required and ' %s' or ' [%s]'):format(name:upper())
      add(name:upper(), one.doc)
    else
      local left = (one.letter and '-' .. one.letter .. ', ' or '    ') .. '--' .. dashed(name)
      if one.kind ~= 'flag' then left = left .. ' ' .. one.kind:upper() end
      local preset = one.shown ~= nil and one.shown ~= '' and (' (default %s)'):format(tostring(one.shown)) or ''
      add(left, one.doc .. preset)
      if one.kind == 'choice' or one.kind == 'choices' then add('', one.expects) end
    end
  end
  add('-h, --help', 'this help')
  local lines = {}
  for i, left in ipairs(lefts) do
    lines[i] = '  ' .. left .. (' '):rep(width - #left + 1) .. rights[i]
  end
  local about = description()
  return usage .. ' [options]\n' .. (about ~= '' and '\n' .. about .. '\n' or '')
    .. '\n' .. table.concat(lines, '\n') .. '\n'
end

--- Ends a script whose arguments do not fit together, as a wrong option does.
---@param format string of string.format
---@param ... any
function options.refuse(format, ...)
  -- `moonprobe check` gives none: what follows cannot be checked.
  if job.check and #job.arguments == 0 then error(setmetatable({ status = 0 }, options.Exit), 0) end
  error(setmetatable({ status = 2, message = format:format(...) .. '; --help shows the options' },
    options.Exit), 0)
end
local refuse = options.refuse

local function find(declared, word)
  local long = word:match('^%-%-([%w-]+)$')
  if long then
    local name = long:gsub('-', '_')
    return declared[name] and not declared[name].place and name or nil
  end
  for name, one in pairs(declared) do
    if one.letter and '-' .. one.letter == word then return name end
  end
  return nil
end

--- -xT5 as -x -T 5; nil when it is nothing of that kind.
local function unbundled(declared, word)
  if not word:match('^%-[^-=][^=]') then return nil end
  local words = {}
  for at = 2, #word do
    local letter = '-' .. word:sub(at, at)
    local name = find(declared, letter)
    if not name then return nil end
    words[#words + 1] = letter
    if declared[name].kind ~= 'flag' then
      if at < #word then words[#words + 1] = word:sub(at + 1) end
      break
    end
  end
  return words
end

local of_run = { ['--for'] = true, ['--ring'] = true, ['--stacks'] = true, ['--allow'] = true }

local function unknown(declared, word)
  local names = {}
  for name, one in pairs(declared) do if not one.place then names[#names + 1] = '--' .. dashed(name) end end
  if word:match('^%-[pcfwqvoI]$') or of_run[word] then
    refuse('unknown option %s; options of moonprobe stand before the script', word)
  end
  local near = nearest(word, names)
  if near then refuse("unknown option %s; did you mean %s?", word, near) end
  refuse('unknown option %s', word)
end

--- Reads the script's arguments. Called once, where the script starts.
---@param declared { [string]: moonprobe.Option }
---@return { [string]: any } values
function options.parse(declared)
  local values, places, letters, words, at = {}, {}, {}, job.arguments, 1
  if type(declared) ~= 'table' then blame('options: needs a table') end
  for name, one in pairs(declared) do
    if getmetatable(one) ~= Option then blame(("options: '%s' is not an option"):format(name)) end
  end
  for _, name in ipairs(sorted(declared)) do
    local one = declared[name]
    if one.letter and letters[one.letter] then
      blame(('options: -%s is both %s and %s'):format(one.letter, letters[one.letter], name))
    end
    if one.letter then letters[one.letter] = name end
    values[name] = one.preset
    if one.place then places[one.place] = name end
  end
  local function take(name, text)
    local value, problem = declared[name].parse(text)
    if value == nil then refuse("%s '%s': %s", dashed(name), text, problem or 'needs ' .. declared[name].expects) end
    values[name] = value
  end
  local place, only_words = 0, false
  while words[at] do
    local apart = not only_words and unbundled(declared, words[at])
    if apart then
      table.remove(words, at)
      for i, word in ipairs(apart) do table.insert(words, at + i - 1, word) end
    end
    local word = words[at]
    if only_words or not word:match('^%-.') or tonumber(word) and not find(declared, word) then
      place = place + 1
      if not places[place] then refuse("'%s': one word too many", word) end
      take(places[place], word)
    elseif word == '-h' or word == '--help' then
      error(setmetatable({ status = 0, text = help(declared) }, options.Exit), 0)
    elseif word == '--' then
      only_words = true
    else
      local name = find(declared, word:match('^[^=]+'))
      if not name then unknown(declared, word:match('^[^=]+')) end
      if declared[name].kind == 'flag' then
        if word:find('=', 1, true) then refuse('%s: takes no value', word:match('^[^=]+')) end
        values[name] = true
      else
        local given = word:match('=(.*)$')
        if not given then
          at = at + 1
          given = words[at]
        end
        if not given then refuse('%s: needs %s', word, declared[name].expects) end
        take(name, given)
      end
    end
    at = at + 1
  end
  for _, name in ipairs(sorted(declared)) do
    if declared[name].required and values[name] == nil then
      refuse('%s is missing: %s', name:upper(), declared[name].expects)
    end
  end
  options.parsed = true
  return values
end

--- A script that declares no options: arguments are a mistake, --help still works.
function options.finish()
  if not options.parsed then options.parse({}) end
end

return options
