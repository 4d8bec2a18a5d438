-- SPDX-License-Identifier: Apache-2.0
--- Bench: how fast a script takes the events that its test fed, again and again, and what garbage
--- each leaves. Rows are made and thrown away.

local ffi = require 'ffi'
local clock = require 'moonprobe.testing.clock'
local run = require 'moonprobe.testing.run'

local bench = {}

local WARM_NS, MEASURE_NS = 1e8, 3e8
local SAMPLES = 31

--- Times all events are given to the handlers.
local function rounds(handlers, pointers, flush, count)
  for _ = 1, count do
    for i = 1, #handlers do handlers[i](pointers[i], 256) end
    flush()
  end
end

local function rounds_within(ns, go, step)
  local done, start = 0, clock.real()
  repeat
    go(step)
    done = done + step
  until clock.real() - start >= ns
  return done, clock.real() - start
end

--- What one round leaves, in bytes: the median. Everything is collected between rounds, for a text
--- that is still there is not made again.
local function garbage_of(go)
  local samples = {}
  for i = 1, SAMPLES do
    collectgarbage()
    collectgarbage('stop')
    local before = collectgarbage('count')
    go(1)
    samples[i] = (collectgarbage('count') - before) * 1024
    collectgarbage('restart')
  end
  table.sort(samples)
  return samples[(SAMPLES + 1) / 2]
end

--- Runs the script of a run once more.
---@param origin table a run that was fed
---@return string line what it costs, or why that is not known
function bench.measure(origin)
  jit.flush() -- a script's worker has compiled nothing of others
  local options = { muted = true, json = origin.options.json, quiet = origin.options.quiet, text = origin.options.text }
  local copy, message = run.start(origin.name, origin.arguments, options)
  if not copy then return ('bench %s: %s'):format(origin.title, message) end
  local handlers, pointers = {}, {}
  for i, one in ipairs(origin.fed) do
    local source = copy.version.sources[one.slot]
    if not source then return ('bench %s: a reload changed its probes'):format(origin.title) end
    handlers[i] = copy.version.handlers[source]
    pointers[i] = ffi.cast(source.schema.pointer, one.event)
  end
  local flush = copy.version.require('moonprobe.output').flush
  local function go(count) rounds(handlers, pointers, flush, count) end
  local events, ns, bytes
  local ok, problem = pcall(function()
    local step = math.max(1, math.floor(1000 / #handlers))
    rounds_within(WARM_NS, go, step)
    local done
    done, ns = rounds_within(MEASURE_NS, go, step)
    events = done * #handlers
    bytes = garbage_of(go) / #handlers
  end)
  collectgarbage('restart')
  if not ok then return ('bench %s: %s'):format(origin.title, tostring(problem)) end
  return ('bench %s: %.0f events/s, %.0f bytes of garbage per event'):format(origin.title, events / ns * 1e9, bytes)
end

return bench
