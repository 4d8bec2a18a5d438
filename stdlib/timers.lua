-- SPDX-License-Identifier: Apache-2.0
--- Timers: functions that run at their time, between two batches of events.

local engine = require 'moonprobe.engine'

local timers = {}

local waiting = {} -- { at = ns, every = ns or nil, number = order of adding, run = function }
local added, calls = 0, 0

--- A number of its own for each call of a timer's function; nil when none is running.
timers.running = nil

---@param in_ns number
---@param every boolean
---@param run function
---@param calls_fn function|nil the script's, which that calls
function timers.add(in_ns, every, run, calls_fn)
  added = added + 1
  local timer = { after = in_ns, every = every and in_ns or nil, number = added, run = run, fn = calls_fn or run }
  timer.at = engine.monotonic() + in_ns
  waiting[#waiting + 1] = timer
end

--- Sets all to start counting now: called when the events start to flow.
function timers.start()
  local now = engine.monotonic()
  for _, timer in ipairs(waiting) do timer.at = now + timer.after end
end

--- The functions of those that wait.
---@return function[]
function timers.functions()
  local list = {}
  for i, timer in ipairs(waiting) do list[i] = timer.fn end
  return list
end

local function earlier(a, b)
  if a.at ~= b.at then return a.at < b.at end
  return a.number < b.number
end

local function remove(timer)
  for i, one in ipairs(waiting) do
    if one == timer then table.remove(waiting, i) end
  end
end

--- For the next version: when the repeating timers are due, in the order they were made.
function timers.save()
  local due = {}
  for _, timer in ipairs(waiting) do
    if timer.every then due[#due + 1] = { every = timer.every, at = timer.at } end
  end
  return due
end

--- Takes over from the last version: the n-th repeating timer keeps its beat if its interval is
--- the same. One that runs once belongs to its version and starts anew.
function timers.restore(due)
  local n = 0
  for _, timer in ipairs(waiting) do
    if timer.every then
      n = n + 1
      if due[n] and due[n].every == timer.every then timer.at = due[n].at end
    end
  end
end

--- Runs what is due, the earliest first. A timer that was late runs once, and then at its next
--- regular time.
---@param guarded fun(run: function) calls it; an error must not get out
function timers.run(guarded)
  if #waiting == 0 then return end
  local now, due = engine.monotonic(), nil
  for _, timer in ipairs(waiting) do
    if timer.at <= now then
      due = due or {}
      due[#due + 1] = timer
    end
  end
  if not due then return end
  table.sort(due, earlier)
  for _, timer in ipairs(due) do
    if timer.every then
      timer.at = timer.at + timer.every * (1 + math.floor((now - timer.at) / timer.every))
    else
      remove(timer)
    end
    calls = calls + 1
    timers.running = calls
    guarded(timer.run)
    timers.running = nil
  end
end

--- When the next one is due, in ns of the monotonic clock; nil when there is none.
---@return number|nil
function timers.next_at()
  local next_at
  for _, timer in ipairs(waiting) do
    if not next_at or timer.at < next_at then next_at = timer.at end
  end
  return next_at
end

--- Milliseconds until then, rounded up; -1 when there is none.
---@return integer
function timers.wait_ms()
  local next_at = timers.next_at()
  if not next_at then return -1 end
  return math.max(0, math.ceil((next_at - engine.monotonic()) / 1e6))
end

return timers
