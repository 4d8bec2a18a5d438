-- SPDX-License-Identifier: Apache-2.0
--- stdlib/inject.lua: as many as asked, the same for the same seed, in order or not.
local tap = require 'tap'
local ffi = require 'ffi'
require 'moonprobe.drain'
local inject = require 'moonprobe.inject'

local HEAD = { probes = { { slot = 1, time_offset = 8 } } }
local EVENTS, ROOM = 10000, 24

local bytes = ffi.new('uint8_t[?]', EVENTS * ROOM)
for i = 0, EVENTS - 1 do
  local record = ffi.cast('struct ring_record *', bytes + i * ROOM)
  local header = ffi.cast('struct event_header *', bytes + i * ROOM + 8)
  record.length, header.slot, header.cpu = 16, 1, i % 2
  ffi.cast('uint64_t *', bytes + i * ROOM + 16)[0] = i * 1000
end

--- The times of what arrives, in us.
local function arrive(words)
  local injection = assert(inject.parse(words))
  local text = injection:change(ffi.cast('const char *', bytes), EVENTS * ROOM, HEAD)
  local times, at = {}, ffi.cast('const uint8_t *', text)
  for i = 1, #text / ROOM do times[i] = tonumber(ffi.cast('const uint64_t *', at + (i - 1) * ROOM + 16)[0]) / 1000 end
  return times, injection
end

local times, injection = arrive { loss = '10%', seed = '3' }
tap.ok(#times > EVENTS * 0.88 and #times < EVENTS * 0.92, 'loss', #times)
tap.is(injection:lost(1, 0) + injection:lost(1, 1), EVENTS - #times, 'what is lost is counted')
local fresh = 0
for slot, cpu, lost in injection:each_lost() do fresh = fresh + (slot == 1 and cpu < 2 and lost or 0) end
tap.is(fresh, EVENTS - #times, 'by slot and CPU')
tap.is(arrive { loss = '10%', seed = '3' }, times, 'the same seed')
tap.ok(tap.show(arrive { loss = '10%', seed = '4' }) ~= tap.show(times), 'another seed')

times = arrive { loss = '10%', burst = '50' }
local gaps, wrong, last = 0, 0, -1
for _, time in ipairs(times) do
  local gap = time - last - 1
  if gap > 0 then gaps = gaps + 1 end
  if gap > 0 and gap % 50 ~= 0 then wrong = wrong + 1 end
  last = time
end
tap.ok(gaps > 5 and gaps < 40 and wrong == 0, 'burst: so many at a time', gaps, wrong)
tap.ok(#times > EVENTS * 0.8 and #times < EVENTS * 0.97, 'burst: as many in all', #times)

times = arrive { reorder = '5us' }
local moved, far, seen = 0, 0, {}
for i, time in ipairs(times) do
  seen[time] = true
  if time ~= i - 1 then moved = moved + 1 end
  if math.abs(time - (i - 1)) > 5 then far = far + 1 end
end
local all = true
for i = 0, EVENTS - 1 do all = all and seen[i] end
tap.ok(#times == EVENTS and all, 'reorder: all arrive')
tap.ok(moved > EVENTS / 4 and far == 0, 'reorder: not far from their place', moved, far)

tap.is(inject.parse { seed = '5' }, nil, 'nothing asked')
for _, case in ipairs { { 'loss', '5' }, { 'loss', '101%' }, { 'burst', '0' }, { 'reorder', 'x' }, { 'seed', 'x' },
  { 'x', '1' } } do
  tap.raises(function() inject.parse { [case[1]] = case[2] } end, case[1], case[1] .. '=' .. case[2])
end
tap.raises(function() inject.parse { burst = '5' } end, 'add loss', 'burst without loss')
tap.done()
