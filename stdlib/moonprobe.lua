-- SPDX-License-Identifier: Apache-2.0
--- Moonprobe's API for scripts: local mp = require 'moonprobe'
---
---   mp.probe(name, knobs)        events of a probe, a stream (stdlib/stream.lua)
---   mp.object(file, options)     a BPF object of one's own (stdlib/object.lua)
---   mp.map { pin = path }        a map that is there already
---   mp.options { ... }           the script's options, with mp.flag, mp.duration, ...
---   mp.network(...)             whether an address lies in networks
---   mp.columns { ... }           a table of output; gives the function that adds a row
---   mp.row(...)  mp.print(x)     output without columns
---   mp.every, mp.after           timers
---   mp.intervals(opt, print)     prints in intervals, as vmstat does
---   mp.finally(fn)               runs when the script ends
---   mp.gather { busy, quiet }    promptness against CPU time
---   mp.state(name, table)        survives a reload
---   mp.resolve(address or name)  the kernel's functions: 'vfs_read+21' of an address, and back
---   mp.completeness()            what was lost, by the kernel's counters
---   mp.stop()                    ends the run
---
--- Expected failures return nil, message; misuse raises with the caller's line.

local blame = require 'moonprobe.blame'
local drain = require 'moonprobe.drain'
local engine = require 'moonprobe.engine'
local fields = require 'moonprobe.fields'
local found_map = require 'moonprobe.found_map'
local host = require 'moonprobe.host'
local job = require 'moonprobe.job'
local network = require 'moonprobe.network'
local object = require 'moonprobe.object'
local options = require 'moonprobe.options'
local output = require 'moonprobe.output'
local stack = require 'moonprobe.stack'
local state = require 'moonprobe.state'
local stream = require 'moonprobe.stream'
local timers = require 'moonprobe.timers'
local units = require 'moonprobe.units'

local mp = {
  probe = stream.open,
  object = object.open,
  map = found_map.open,
  options = options.parse,
  flag = options.flag,
  duration = options.duration,
  interval = options.interval,
  size = options.size,
  number = options.number,
  whole = options.whole,
  ports = options.ports,
  errno = options.errno,
  signal = options.signal,
  text = options.text,
  target = options.target,
  expression = options.expression,
  expressions = options.expressions,
  choice = options.choice,
  choices = options.choices,
  argument = options.argument,
  refuse = options.refuse,
  network = network.new,
  columns = output.columns,
  row = output.row,
  show = output.text,
  resolve = stack.resolve,
  clock = output.clock,
  error_name = fields.error_name,
  signal_name = fields.signal_name,
  syscall_name = fields.syscall_name,
  --- True when rows are written as JSON (-f json).
  ---@type boolean
  json = job.json,
}

--- Functions that run when the script ends, in the order they were given.
mp._finally = {}

--- Calls a function when the script ends, after its last event.
---@param fn fun()
function mp.finally(fn)
  if type(fn) ~= 'function' then blame('finally: needs a function') end
  mp._finally[#mp._finally + 1] = fn
end

local function timer(method, interval, fn, every)
  local ns = units.duration(interval)
  if not ns or ns == 0 then blame(("%s: '%s' is not a time like 1s"):format(method, tostring(interval))) end
  if type(fn) ~= 'function' then blame(method .. ': needs a function') end
  timers.add(ns, every, fn)
end

--- Calls a function again and again.
---@param interval string '500ms', '1s', '2m'
---@param fn fun()
function mp.every(interval, fn)
  timer('every', interval, fn, true)
end

--- Calls a function once.
---@param delay string
---@param fn fun()
function mp.after(delay, fn)
  timer('after', delay, fn, false)
end

--- Prints in intervals: calls the function at the end of each, and once more at the end of the
--- run for what is left. `opt.count` intervals end the run; without `opt.interval` there is
--- only the end. `opt.time` puts the time of day before each, `opt.clear` first clears the screen if
--- stdout is a terminal; with `opt.joined` nothing is between them, for one row each.
---@param opt { interval: number?, count: number?, time: boolean?, clear: boolean?, joined: boolean? } of mp.options
---@param print fun() prints, and clears what it printed
function mp.intervals(opt, print)
  if type(print) ~= 'function' then blame('intervals: needs a function') end
  local printed, ended = 0, false
  local function turn(is_end)
    if opt.clear and not is_end then output.clear_screen() end
    if printed > 0 and not job.json and not opt.joined then output.line('') end
    if opt.time then output.moment(mp.now()) end
    printed = printed + 1
    print()
  end
  if opt.interval then
    timers.add(opt.interval, true, function()
      if ended then return end
      turn()
      ended = opt.count ~= nil and printed >= opt.count
      if ended then mp.stop() end
    end, print)
  end
  mp.finally(function() if not ended then turn(true) end end)
end

--- How long the worker lets events gather before it looks again: longer costs less CPU, shorter
--- is prompter. `busy`: while many come (preset 1ms). `quiet`: after the first one when none came
--- before (preset 0ms: at once). The ring must hold what comes meanwhile.
---@param times { busy: string|nil, quiet: string|nil }
function mp.gather(times)
  for name, text in pairs(times) do
    local ns = units.duration(text)
    if name ~= 'busy' and name ~= 'quiet' then blame("gather: '%s' is neither busy nor quiet", tostring(name)) end
    if not ns or ns > 1e9 then blame("gather: '%s' is not a time from 0ms to 1s", tostring(text)) end
    job['gather_' .. name .. '_ms'] = math.ceil(ns / 1e6)
  end
end

--- Gives `into` the content of `from`. Tables in it stay the same tables: the script may hold them.
local function replace(into, from)
  for key in pairs(into) do
    if from[key] == nil then into[key] = nil end
  end
  for key, value in pairs(from) do
    if type(value) == 'table' and type(into[key]) == 'table' then
      replace(into[key], value)
    else
      into[key] = value
    end
  end
end

--- A table that the next version of the script inherits. Holds plain values and tables of
--- them. The old version's content replaces `initial`.
---@generic T: table
---@param name string
---@param initial T
---@return T
function mp.state(name, initial)
  if type(name) ~= 'string' then blame('state: needs a name') end
  if type(initial) ~= 'table' then blame('state: needs a table') end
  state.part('state ' .. name, function() return initial end, function(old) replace(initial, old) end)
  return initial
end

--- Prints an aggregate, or any value as a line.
---@param value any
---@param ... any
function mp.print(value, ...)
  if type(value) == 'table' and value.print then
    value:print(...)
  else
    output.row(value, ...)
  end
end

--- Ends the run, as Ctrl-C would: what has happened is still handled, mp.finally runs.
function mp.stop()
  if job.running and not job.stopping then
    job.stopping = true
    host.send('stop')
  else
    job.stop_at_once = true
  end
end

--- How complete the script's picture is, by the kernel's own counters: `events` happened, `lost`
--- of them cannot be seen, `failed` had a handler that raised. What still waits in the ring
--- is not lost. `ratio` is 1 when nothing was lost.
---@return { ratio: number, events: number, lost: number, failed: number, probes: table[] }
function mp.completeness()
  local all = { events = 0, lost = 0, failed = 0, probes = {} }
  for i, source in ipairs(stream.sources) do
    local one = source.slot and drain.totals(source.slot) or { events = 0, received = 0, failed = 0, lost = 0 }
    one.probe = source.schema.name
    all.probes[i] = one
    for _, name in ipairs { 'events', 'lost', 'failed' } do all[name] = all[name] + one[name] end
  end
  all.ratio = all.events > 0 and (all.events - all.lost) / all.events or 1
  return all
end

--- Seconds since 1970.
---@return number
function mp.now()
  return engine.realtime() / 1e9
end

return mp
