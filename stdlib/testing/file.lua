-- SPDX-License-Identifier: Apache-2.0
--- File: what a worker does with one test file: runs it, then reports what was found.

local bench = require 'moonprobe.testing.bench'
local clock = require 'moonprobe.testing.clock'
local coverage = require 'moonprobe.testing.coverage'
local engine = require 'moonprobe.engine'
local environment = require 'moonprobe.environment'
local golden = require 'moonprobe.testing.golden'
local host = require 'moonprobe.host'
local job = require 'moonprobe.job'
local report = require 'moonprobe.testing.report'
local run = require 'moonprobe.testing.run'
local user_module = require 'moonprobe.user_module'
local util = require 'jit.util'

local file = {}

--- Its globals: those of a script; what it prints is a comment.
local function globals()
  local function test_print(...)
    local words = { ... }
    for i = 1, select('#', ...) do words[i] = tostring(words[i]) end
    report.comment(table.concat(words, '\t'))
  end
  return { print = test_print }
end

--- Errors that no test has asked for.
local function report_unseen()
  report.event = nil
  for _, one in ipairs(run.kept) do
    for _, message in ipairs(one:unseen_errors()) do
      report.result(false, ('%s: an error that the test did not expect'):format(one.title),
        { { 'started', text = one.place or '?' }, { 'error', text = message } })
    end
  end
end

local function report_costs()
  local seen = {}
  for _, one in ipairs(run.kept) do
    if #one.fed > 0 and not seen[one.title] then
      seen[one.title] = true
      report.comment(bench.measure(one))
    end
  end
end

local LIBRARY = 'moonprobe.test'

--- Does a function, or one within, name the test library?
local function names_library(fn)
  for n = -1, -1e9, -1 do
    local constant = util.funck(fn, n)
    if constant == nil then return false end
    if constant == LIBRARY or type(constant) == 'proto' and names_library(constant) then return true end
  end
end

--- Is a file that nobody named a test of ours? Many runners call theirs *_test.lua.
local function is_own(chunk)
  if not job.source:find(LIBRARY, 1, true) then return false end
  return not chunk or names_library(chunk)
end

--- Runs the file; the exit status: 0 all passed, 1 something failed, 2 it is no Lua.
---@return integer
function file.run()
  local asked = {}
  for _, word in ipairs(job.arguments) do asked[word] = true end
  if asked.nested then report.nest() end
  golden.update, run.keep_all = asked.update, asked.bench
  clock.stop()
  engine.exit = function(status) error(('os.exit(%d) in a test'):format(status), 0) end
  if asked.coverage then
    coverage.start()
    package.preload['moonprobe.user_module'], package.loaded['moonprobe.user_module'] = nil, function(name)
      local chunk, message = user_module(name)
      if chunk then coverage.watch(chunk) end
      return chunk, message
    end
  end
  local chunk, message = load(job.source, '@' .. job.file, 't')
  if asked.found and not is_own(chunk) then
    report.skip_all(("it does not require '%s'"):format(LIBRARY))
    return 0
  end
  if not chunk then
    host.report('%s', message)
    return 2
  end
  setfenv(chunk, environment.make(globals()))
  local ok, problem = pcall(chunk)
  report.case = nil
  if not ok then
    golden.update = false -- texts it did not come to stay
    report.result(false, 'the file runs to its end', { { 'error', text = tostring(problem) } })
  elseif report.count == 0 then
    report.result(false, 'the file tests something')
  end
  report_unseen()
  local covered = asked.coverage and coverage.report() or {}
  local written, problem_of_golden = golden.finish()
  if problem_of_golden then report.result(false, problem_of_golden) end
  local status = report.finish()
  if written then report.comment(written) end
  for _, line in ipairs(covered) do report.comment(line) end
  if asked.bench then report_costs() end
  return status
end

return file
