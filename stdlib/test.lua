-- SPDX-License-Identifier: Apache-2.0
--- Moonprobe's API for tests: local test = require 'moonprobe.test'
---
---   local run = test.load('execsnoop', { '-n', 'ls' })      a tool or a file, and its options
---   run:feed('process_exec', { pid = 7, comm = 'ls', args = { 'ls', '-l' }, time_ns = 1e9 })
---   test.is(run:rows()[1].pid, 7)
---
---   run:feed(probe, fields)      an event happens          run:rows()        rows, by column
---   run:replay 'ls.rec'          those of a recording
---   run:advance '1s'             time passes, timers run   run:text()        what was printed
---   run:lose(probe, 5)           events are lost           run:lines()       the same, in lines
---   run:reload('new.lua')        a new version takes over  run:aggregates()  what they hold
---   run:finish()                 the script ends           run:state()       what mp.state holds
---   run:clear()                  forgets what was printed  run:errors()      of handlers
---   run:stopped()  run:now()     did it ask to end; time   run:probes()      with their knobs
---
---   test.is(given, expected)     equal, tables by content  test.ok(value)
---   test.like(text, pattern)     has the Lua pattern       test.raises(fn, pattern)
---   test.golden(name, text)      is what TEST.golden beside the test has; --update writes it
---   test.case(name, fn)          several that belong together; an error ends them only
---
--- Each may be given the name of the test last; without one it has its line. Run it with
--- `moonprobe test FILE`.

local blame = require 'moonprobe.blame'
local golden = require 'moonprobe.testing.golden'
local report = require 'moonprobe.testing.report'
local run = require 'moonprobe.testing.run'
local show = require 'moonprobe.testing.show'

local test = {}

local KNOWN = { json = true, quiet = true, text = true }

--- The first line in which two texts differ.
local function first_line(a, b)
  local line, at = 1, 1
  while at <= #a and a:byte(at) == b:byte(at) do
    if a:byte(at) == 10 then line = line + 1 end
    at = at + 1
  end
  return line
end

--- Starts a script: one beside the test or on the search path, a shipped tool, or `options.text`.
--- Raises when it cannot be loaded, or ends while it is (--help does).
---@param name string|nil
---@param arguments string[]|nil as on the command line
---@param options { json: boolean|nil, quiet: boolean|nil, text: string|nil }|nil -f json, -q
---@return moonprobe.Run
function test.load(name, arguments, options)
  if type(name) == 'table' then blame('load: needs the name of a script first') end
  if arguments ~= nil and type(arguments) ~= 'table' then blame('load: options of the script are a list') end
  for key in pairs(options or {}) do
    if not KNOWN[key] then blame("load: no option '%s'; it has json, quiet, text", tostring(key)) end
  end
  report.event = nil
  local one, message = run.start(name, arguments, options)
  if not one then blame('%s', message) end
  return one
end

--- Passes when the value is neither nil nor false.
---@param value any
---@param name string|nil
---@return boolean passed
function test.ok(value, name)
  return report.result(value, name, { { 'given', value } })
end

--- Passes when both are equal: tables by content, 64-bit integers by value.
---@param given any
---@param expected any
---@param name string|nil
---@return boolean passed
function test.is(given, expected, name)
  local same = show.equal(given, expected)
  local path = not same and show.difference(given, expected)
  return report.result(same, name, { { 'expected', expected }, { 'given', given },
    path and path ~= '' and { 'differ', text = 'at ' .. path } or nil })
end

--- Passes when the text has the Lua pattern.
---@param text any
---@param pattern string
---@param name string|nil
---@return boolean passed
function test.like(text, pattern, name)
  return report.result(type(text) == 'string' and text:find(pattern) ~= nil, name,
    { { 'pattern', pattern }, { 'given', text } })
end

--- Passes when the function raises, with the pattern in its message.
---@param fn fun()
---@param pattern string|nil
---@param name string|nil
---@return boolean passed
function test.raises(fn, pattern, name)
  local ok, message = pcall(fn)
  return report.result(not ok and (not pattern or tostring(message):find(pattern) ~= nil), name,
    { { 'pattern', pattern }, { 'raised', text = ok and 'nothing' or tostring(message) } })
end

--- Passes when the text is the one kept under this name in TEST.golden beside the test.
---@param name string
---@param text string
---@return boolean passed
function test.golden(name, text)
  if type(name) ~= 'string' or name:find('%c') then blame('golden: needs a name, one line') end
  if type(text) ~= 'string' then blame('golden: needs a text') end
  local expected = golden.expected(name, text)
  if not expected then
    return report.result(false, 'golden ' .. name,
      { { 'expected', text = 'nothing kept under this name; --update does it' }, { 'given', text = text } })
  end
  return report.result(expected == text, 'golden ' .. name, { { 'expected', text = expected },
    { 'given', text = text }, { 'differ', text = 'in line ' .. first_line(expected, text) } })
end

--- Runs a function with tests that belong together.
---@param name string
---@param fn fun()
function test.case(name, fn)
  if type(fn) ~= 'function' then blame('case: needs a name and a function') end
  local outer = report.case
  report.case, report.event = outer and outer .. ': ' .. name or name, nil
  local ok, problem = pcall(fn)
  if not ok then report.result(false, 'runs to its end', { { 'error', text = tostring(problem) } }) end
  report.case = outer
end

--- Says why something is not tested here.
---@param name string
---@param reason string|nil
function test.skip(name, reason)
  report.skip(name, reason or '')
end

return test
