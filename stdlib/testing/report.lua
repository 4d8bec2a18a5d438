-- SPDX-License-Identifier: Apache-2.0
--- Report: what a test file found, in TAP. Within a run of several files each is a subtest.

local engine = require 'moonprobe.engine'
local place = require 'moonprobe.place'
local show = require 'moonprobe.testing.show'

local report = { count = 0, failed = 0, case = nil }

--- The last event that was fed: { run, probe, values }.
report.event = nil

local MOST = 4000 -- bytes of a value that are shown

local indent = ''

function report.nest()
  indent = '    '
end

local function write(line)
  engine.write(1, indent .. line .. '\n')
end

--- A comment of one or more lines.
function report.comment(text)
  for line in (text .. '\n'):gmatch('([^\n]*)\n') do write('# ' .. line) end
end

local function shown(value)
  local text = show(value)
  if #text > MOST then text = text:sub(1, MOST / 2) .. ' [...] ' .. text:sub(-MOST / 2) end
  return text
end

local function detail(title, text)
  report.comment(('%-9s%s'):format(title, (text:gsub('\n', '\n         '))))
end

--- A name is one line, and no directive.
local function clean(name)
  return (name:gsub('%c', ' '):gsub('#', '\\#'))
end

--- One result. `details` is a list of { title, value } or { title, text = ... }, shown on failure.
---@param ok any
---@param name string|nil nil: the line
---@param details table[]|nil
---@return boolean
function report.result(ok, name, details)
  local where = place()
  report.count = report.count + 1
  name = name or where and 'line ' .. where:match('%d+$') or 'result'
  if report.case then name = report.case .. ': ' .. name end
  write(('%s %d - %s'):format(ok and 'ok' or 'not ok', report.count, clean(name)))
  if ok then return true end
  report.failed = report.failed + 1
  if where then report.comment('at ' .. where) end
  local last = report.event
  if last then detail('event', ('%s %s of %s'):format(last.probe, shown(last.values), last.run.title)) end
  for _, one in ipairs(details or {}) do
    detail(one[1], one.text or shown(one[2]))
  end
  return false
end

function report.skip(name, reason)
  report.count = report.count + 1
  write(('ok %d - %s # SKIP %s'):format(report.count, clean(name), clean(reason)))
end

--- Of a file that is not run.
function report.skip_all(reason)
  write('1..0 # SKIP ' .. clean(reason))
end

--- The plan; the exit status.
---@return integer
function report.finish()
  write('1..' .. report.count)
  return report.failed > 0 and 1 or 0
end

return report
