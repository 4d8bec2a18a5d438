-- SPDX-License-Identifier: Apache-2.0
--- Run: a script that runs in a test: real pipelines, aggregates, options and output, in a realm
--- of its own, on events and a clock that the test moves.
---
---   feed, a recording -> move (timers) -> take(source, event) -> handlers -> rows, aggregates
---
--- Whatever events come from, take() is the one door.

local bit = require 'bit'
local ffi = require 'ffi'
local blame = require 'moonprobe.blame'
local event = require 'moonprobe.testing.event'
local find_script = require 'moonprobe.testing.source'
local looks = require 'moonprobe.testing.looks'
local nearest = require 'moonprobe.nearest'
local place = require 'moonprobe.place'
local playback = require 'moonprobe.testing.playback'
local report = require 'moonprobe.testing.report'
local schema = require 'moonprobe.schema'
local units = require 'moonprobe.units'
local version = require 'moonprobe.testing.version'

local run = {}

--- A script that runs in a test.
---@class moonprobe.Run : moonprobe.Looks
local Run = {}
Run.__index = Run
Run.__tostring = function(self) return 'a run of ' .. self.title end

--- Runs that are looked at in the end: those with errors; with `keep_all` all. The rest may go when
--- the test needs them no more.
run.kept = {}
run.keep_all = false

local NOT_JUDGED = 256 -- drain.FOREIGN: no kernel has filtered the event
local REMEMBERED = 10000 -- events, for a benchmark

local function totals_of(self, probe)
  local one = self.totals[probe]
  if not one then
    one = { events = 0, received = 0, failed = 0, lost = 0 }
    self.totals[probe] = one
  end
  return one
end

local function keep(self)
  if self.is_kept then return end
  self.is_kept = true
  run.kept[#run.kept + 1] = self
end

local function note_error(self, message)
  keep(self)
  local ok, text = pcall(tostring, message)
  self.error_list[#self.error_list + 1] = ok and text or 'an error that cannot be shown'
end

local function guarded(self)
  return function(fn)
    local ok, message = pcall(fn)
    if not ok then note_error(self, message) end
  end
end

--- What its versions see of the outside.
local function outside_of(self)
  return {
    clock = self.clock,
    write = function(text) self.printed[#self.printed + 1] = text end,
    send = function(name) if name == 'stop' then self.is_stopped = true end end,
    report = function(line) note_error(self, line) end,
    totals = function(probe) return totals_of(self, probe) end,
    on_row = not self.options.muted and function(names, ...) self:on_row(names, ...) end or nil,
  }
end

--- Starts a script. `options`: json, quiet, as of `moonprobe run`; text: the script itself; muted.
---@param name string|nil a tool's, or a file's
---@param arguments string[]|nil the script's options
---@param options { json: boolean|nil, quiet: boolean|nil, text: string|nil, muted: boolean|nil }|nil
---@return table|nil run
---@return string|nil message why there is none
function run.start(name, arguments, options)
  local self = setmetatable({
    options = options or {}, clock = { now = 0 }, printed = {}, row_list = {}, error_list = {}, fed = {},
    totals = {}, numbers = {}, name = name, arguments = arguments or {}, is_stopped = false,
  }, Run)
  local what, message = find_script(name, self.options.text)
  if not what then return nil, message end
  what.arguments = { unpack(self.arguments) }
  self.what = what
  self.title = table.concat({ what.name, unpack(self.arguments) }, ' ')
  self.place = place()
  self.version, message = version.load(what, self.options, outside_of(self))
  if not self.version then return nil, message end
  version.begin(self.version)
  if run.keep_all and not self.options.muted then keep(self) end
  return self
end

---@package
function Run:on_row(names, ...)
  local row, values = {}, { ... }
  if not names then
    row = values
  else
    for i, name in ipairs(names) do row[name] = values[i] end
  end
  self.row_list[#self.row_list + 1] = row
end

local function check_open(self, method)
  if self.finished then blame('%s: %s has finished', method, tostring(self)) end
end

--- The clock goes to a time, unless it is there or later; timers run on the way, each at its time.
---@param to number ns
function Run:move(to)
  local timers = self.version.require 'moonprobe.timers'
  while not self.is_stopped do
    local at = timers.next_at()
    if not at or at > to then break end
    self.clock.now = math.max(self.clock.now, at)
    timers.run(guarded(self))
  end
  self.clock.now = math.max(self.clock.now, to)
end

--- Lets time pass: timers run, each at its time.
---@param interval string a duration
---@return moonprobe.Run self
function Run:advance(interval)
  check_open(self, 'advance')
  local ns = units.duration(interval)
  if not ns then blame("advance: '%s' is not a time like 1s", tostring(interval)) end
  self:move(self.clock.now + ns)
  return self
end

local function same_knobs(a, b)
  for name, value in pairs(b) do
    if type(value) == 'boolean' then value = value and 1 or 0 end
    if a[name] ~= value then return false end
  end
  return true
end

--- The instances of a probe that the script has opened.
local function sources_of(self, probe, knobs)
  local found, names = {}, {}
  for i, source in ipairs(self.version.sources) do
    names[i] = source.schema.name
    if source.schema.name == probe and same_knobs(source.knobs, knobs or {}) then found[#found + 1] = source end
  end
  if #found > 0 then return found end
  local known, message = schema.of(tostring(probe))
  if not known then blame('%s', message) end
  local near = nearest(probe, names)
  blame("%s uses no probe '%s'%s%s", self.title, probe, knobs and ' with these knobs' or '',
    near and near ~= probe and ("; did you mean '%s'?"):format(near)
      or #names > 0 and '; it uses ' .. table.concat(names, ', ') or '')
end

--- Gives one event, a struct of the source's schema, to the handlers. Whoever calls it has moved
--- the clock.
---@param source table of the script's stream.sources
---@param made ffi.cdata*
---@package
function Run:take(source, made)
  local probe = source.schema.name
  local number = (self.numbers[probe] or 0) + 1
  self.numbers[probe] = number
  made._stamp, made._slot = bit.band(number, 0xffffff), source.slot
  local totals = totals_of(self, probe)
  totals.events, totals.received = totals.events + 1, totals.received + 1
  local ok, message = pcall(self.version.handlers[source], ffi.cast(source.schema.pointer, made), NOT_JUDGED)
  if not ok then
    totals.failed = totals.failed + 1
    note_error(self, message)
  end
end

--- An event happens, at `time_ns` of it, or now. A later time moves the clock there first. Where
--- a script uses a probe with several sets of knobs, each gets it, or those with `knobs`.
---@param probe moonprobe.Probe
---@param values moonprobe.Values [field] = value as scripts read it
---@param knobs moonprobe.Knobs|nil
---@return moonprobe.Run self
function Run:feed(probe, values, knobs)
  check_open(self, 'feed')
  local sources = sources_of(self, probe, knobs)
  local made = event.new(sources[1].schema, values)
  report.event = { run = self, probe = probe, values = values }
  if values.time_ns == nil then
    made._time_ns = self.clock.now
  else
    self:move(tonumber(made._time_ns))
  end
  for _, source in ipairs(sources) do self:give(source, made) end
  return self
end

--- The same as take(), and a benchmark remembers the event.
---@package
function Run:give(source, made)
  if #self.fed < REMEMBERED then self.fed[#self.fed + 1] = { slot = source.slot, event = made } end
  self:take(source, made)
end

---@package
function Run:note(message)
  note_error(self, message)
end

---@package
function Run:count_lost(probe, count)
  local totals = totals_of(self, probe)
  totals.events, totals.lost = totals.events + count, totals.lost + count
end

--- All events of a recording (moonprobe record) happen, each at its time after now; what was lost is
--- lost. Ends at the recording's end, or when the script asks to end.
---@param file string NAME.rec, beside the test or below, or on the search path
---@return moonprobe.Run self
function Run:replay(file)
  check_open(self, 'replay')
  report.event = nil
  playback.feed(self, file)
  return self
end

--- So many events of a probe happen and are lost, as when the ring is full.
---@param probe string
---@param count integer|nil
---@return moonprobe.Run self
function Run:lose(probe, count)
  check_open(self, 'lose')
  sources_of(self, probe)
  self:count_lost(probe, count or 1)
  return self
end

--- A new version takes over: the last one's file when no name is given, else another, or options.text.
--- It inherits what mp.state, the aggregates and the timers hold. When it cannot be loaded the old
--- one stays.
---@param name string|nil
---@param options { text: string|nil, arguments: string[]|nil }|nil
---@return boolean|nil done
---@return string|nil message
function Run:reload(name, options)
  check_open(self, 'reload')
  options = options or {}
  local what, problem = self.what, nil
  if name or options.text then what, problem = find_script(name or self.name, options.text) end
  if not what then return nil, problem end
  what.arguments = { unpack(options.arguments or self.arguments) }
  local new, message = version.load(what, self.options, outside_of(self))
  if not new then return nil, message end
  self.what = what
  local old = self.version.require
  old('moonprobe.output').flush()
  local state, problems = old('moonprobe.state').save()
  if problems then note_error(self, 'not handed over to the new version: ' .. problems) end
  self.version = new
  problems = version.begin(new, state)
  if problems then note_error(self, problems) end
  return true
end

--- The script ends, as by Ctrl-C.
---@return moonprobe.Run self
function Run:finish()
  check_open(self, 'finish')
  local required = self.version.require
  for _, fn in ipairs(required('moonprobe')._finally) do guarded(self)(fn) end
  guarded(self)(required('moonprobe.aggregate').print_rest)
  required('moonprobe.output').flush()
  self.finished = true
  return self
end

for name, look in pairs(looks) do Run[name] = look end

return run
