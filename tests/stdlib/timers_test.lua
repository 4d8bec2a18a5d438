-- SPDX-License-Identifier: Apache-2.0
--- stdlib/timers.lua, on a clock that the test moves.
local tap = require 'tap'
local mp = require 'moonprobe'
local engine = require 'moonprobe.engine'
local timers = require 'moonprobe.timers'

local FILE = debug.getinfo(1, 'S').short_src:gsub('%p', '%%%0')
local now, log = 1000e9, {}
engine.monotonic = function() return now end

local function note(name)
  return function() log[#log + 1] = name end
end

--- Lets time pass; what ran, in order.
local function after(ms)
  now, log = now + ms * 1e6, {}
  timers.run(function(fn) fn() end)
  return table.concat(log, ' ')
end

tap.is(timers.wait_ms(), -1, 'nothing to wait for')
tap.is(after(1000), '', 'nothing to run')

timers.add(10e6, false, note 'once')
tap.is(timers.wait_ms(), 10, 'milliseconds to the next')
tap.is(after(9), '', 'not early')
tap.is(timers.wait_ms(), 1, 'one to go')
tap.is(after(1), 'once', 'at its time')
tap.is(after(100), '', 'once')
tap.is(timers.wait_ms(), -1, 'and it is gone')

timers.add(10e6, true, note 'every')
tap.is(after(10), 'every', 'a first time')
tap.is(after(10), 'every', 'a second time')
tap.is(after(35), 'every', 'once when it was late')
tap.is(timers.wait_ms(), 5, 'then at its regular time')
tap.is(after(4), '', 'not before')
tap.is(after(1), 'every', 'and then')

now = now + 0.3e6
tap.is(timers.wait_ms(), 10, 'parts of a millisecond are rounded up: never awake too early')
now = now + 50e6
tap.is(timers.wait_ms(), 0, 'one that is late does not wait')
after(0)

-- Several at a time.
now = 2000e9
timers.start() -- all count from here
tap.is(timers.wait_ms(), 10, 'start lets all count from now')
timers.add(10e6, false, note 'b')
timers.add(5e6, false, note 'c')
timers.add(10e6, false, note 'd')
tap.is(timers.wait_ms(), 5, 'the earliest')
tap.is(after(5), 'c', 'the earliest first')
tap.is(after(5), 'every b d', 'at the same time: in the order they were added')

timers.add(20e6, false, note 'late')
timers.add(15e6, false, note 'early')
tap.is(after(50), 'every early late', 'in the order of their times when several are late')

-- A function that adds one, and one that raises.
timers.add(1e6, false, function()
  log[#log + 1] = 'adds'
  timers.add(1e6, false, note 'added')
end)
tap.is(after(1), 'adds', 'a timer may add another')
tap.is(after(1), 'added', 'which runs at its time')

local raised = 0
timers.add(1e6, false, function() error('no') end)
timers.add(1e6, false, note 'other')
now, log = now + 1e6, {}
timers.run(function(fn) if not pcall(fn) then raised = raised + 1 end end)
tap.is({ raised, table.concat(log, ' ') }, { 1, 'other' }, 'one that raises does not stop the others')

-- As scripts use them.
log = {}
mp.every('50ms', note 'mp.every')
mp.after('20ms', note 'mp.after')
tap.is(timers.wait_ms() <= 20, true, 'mp.after and mp.every add timers')
now = now + 20e6
timers.run(function(fn) fn() end)
tap.ok(table.concat(log, ' '):find('mp.after', 1, true), 'mp.after runs')
for _, method in ipairs { 'every', 'after' } do
  local function misuse(pattern, name, ...)
    local arguments, count = { ... }, select('#', ...)
    tap.raises(function() mp[method](unpack(arguments, 1, count)) end,
      '^' .. FILE .. ':%d+: ' .. method .. ': ' .. pattern,
      method .. ': ' .. name)
  end
  misuse("'5' is not a time like 1s", 'no unit', '5', print)
  misuse("'soon' is not a time", 'a word', 'soon', print)
  misuse("'nil' is not a time", 'nothing', nil, print)
  misuse("'0s' is not a time", 'no time at all', '0s', print)
  misuse('needs a function', 'no function', '1s')
  misuse('needs a function', 'a text', '1s', 'print')
end
tap.done()
