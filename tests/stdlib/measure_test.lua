-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local measure = require 'moonprobe.measure'

measure.calibrate()

local seen = 0
local function twice(e)
  seen = seen + e
  return e * 2
end
local wrapped = measure.wrap(twice)
tap.is({ measure.of(twice) }, { 0, 0 }, 'not called yet')
tap.is(wrapped(21), 42, 'the result is passed on')
tap.is(measure.wrap(twice), wrapped, 'the same for the same function')
for _ = 1, 9999 do wrapped(1) end
tap.is({ (measure.of(twice)), seen }, { 10000, 21 + 9999 }, 'every call is counted, and made')

local until_ns = 20000
local engine = require 'moonprobe.engine'
local function busy()
  local stop = engine.monotonic() + until_ns
  while engine.monotonic() < stop do end
end
local one = measure.wrap(busy)
for _ = 1, 1000 do one() end
local calls, ns = measure.of(busy)
tap.ok(calls == 1000 and ns >= 19000, 'what takes 20 us is measured as that', calls, ns)

local function idle() end
local nothing = measure.wrap(idle)
for _ = 1, 1000000 do nothing() end
calls, ns = measure.of(idle)
tap.ok(calls == 1000000 and ns < 1000, 'the clock itself is not', calls, ns)

local raises = measure.wrap(error)
pcall(raises, 'x')
tap.is((measure.of(error)), 1, 'a call that raises is counted')
tap.is(measure.of(print), nil, 'a function that was not wrapped')

tap.done()
