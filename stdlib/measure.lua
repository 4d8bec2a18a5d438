-- SPDX-License-Identifier: Apache-2.0
--- Measure: what the script's functions cost, for `moonprobe explain --measure`.
---
---   wrap(f) -> a function that does the same, counts its calls, and times some of them
---
--- Reading the clock costs as much as a small handler, so of many calls one in 64 is timed, and
--- what timing a function that does nothing takes is taken off. The first calls are all timed:
--- they run in the interpreter, and there may be no others.

local ffi = require 'ffi'

ffi.cdef [[
struct measure_time { long seconds, ns; };
int clock_gettime(int clock, struct measure_time *time);
struct measure_cost { double calls, first_ns, samples, sampled_ns; };
]]

local MONOTONIC, PROCESS_CPU = 1, 2
local FIRST, EVERY = 64, 64

local measure = {}

local time = ffi.new 'struct measure_time'
local C = ffi.C

local function clock()
  C.clock_gettime(MONOTONIC, time)
  return tonumber(time.seconds) * 1e9 + tonumber(time.ns)
end

--- CPU time of this process so far, in ns.
function measure.cpu_ns()
  C.clock_gettime(PROCESS_CPU, time)
  return tonumber(time.seconds) * 1e9 + tonumber(time.ns)
end

-- Every function has code of its own, as it would have unmeasured: see stream.pipeline().
local CODE = ([[
local fn, cost, clock, band = ...
return function(e)
  local calls = cost.calls
  cost.calls = calls + 1
  if calls >= FIRST and band(calls, EVERY - 1) ~= 0 then return fn(e) end
  local start = clock()
  local result = fn(e)
  local ns = clock() - start
  if calls < FIRST then
    cost.first_ns = cost.first_ns + ns
  else
    cost.samples, cost.sampled_ns = cost.samples + 1, cost.sampled_ns + ns
  end
  return result
end]]):gsub('%u%u+', { FIRST = FIRST, EVERY = EVERY })

local function instrument(fn)
  local cost = ffi.new 'struct measure_cost'
  return assert(loadstring(CODE, '=measured'))(fn, cost, clock, require('bit').band), cost
end

local costs, wrapped = {}, {} -- [function] = its cost, what does the same
local own_first, own_ns -- what timing nothing takes: at first, and later

--- To be called first. The quickest of some rounds counts: others were interrupted.
function measure.calibrate()
  own_first, own_ns = math.huge, math.huge
  for _ = 1, 10 do
    local idle, cost = instrument(function() end)
    for _ = 1, FIRST + 500 * EVERY do idle() end
    own_first = math.min(own_first, cost.first_ns / FIRST)
    own_ns = math.min(own_ns, cost.sampled_ns / cost.samples)
  end
end

--- A function that does the same, measured. The same one for the same function.
---@param fn fun(event): any
---@return fun(event): any
function measure.wrap(fn)
  if not wrapped[fn] then wrapped[fn], costs[fn] = instrument(fn) end
  return wrapped[fn]
end

--- What a function that was wrapped has cost: calls, and ns of one. nil when it was not wrapped.
---@return number|nil calls
---@return number? ns
function measure.of(fn)
  local cost = costs[fn]
  if not cost then return nil end
  local calls = cost.calls
  if calls == 0 then return 0, 0 end
  local first = math.min(calls, FIRST)
  local total = math.max(0, cost.first_ns - first * own_first)
  if cost.samples > 0 then
    total = total + math.max(0, cost.sampled_ns / cost.samples - own_ns) * (calls - first)
  end
  return calls, total / calls
end

return measure
