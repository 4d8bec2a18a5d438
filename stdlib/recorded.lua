-- SPDX-License-Identifier: Apache-2.0
--- Recorded: a recording in the place of the machine: its probes, its clock, what it calls things.

local ffi = require 'ffi'
local engine = require 'moonprobe.engine'
local fields = require 'moonprobe.fields'
local host = require 'moonprobe.host'
local job = require 'moonprobe.job'
local nearest = require 'moonprobe.nearest'
local players = require 'moonprobe.player'
local recording = require 'moonprobe.recording'
local schema = require 'moonprobe.schema'
local C = ffi.C

local recorded = {
  player = nil, -- struct player *
  head = nil, -- of stdlib/recording.lua
  counts = {}, -- [slot] = { events, lost_ring, lost_map, refused }, as counted by the kernel
  shows = false, -- the script is that of `moonprobe show`
  passed_ns = 0, -- up to where timers have been told the time
}

local player

--- The text of the block at hand.
function recorded.text_of_block() return players.text(player) end

--- What is wrong with the file where it stopped to be readable; nil: nothing.
function recorded.problem_of(state)
  return state ~= players.OVER and players.problem(player, state) or nil
end

--- What is said of the file begins with its name.
function recorded.name_of_file(text) return ('%s: %s'):format(job.recording, text) end

local function open_head()
  local head
  player, head = players.open(job.recording_fd)
  if not player then error(recorded.name_of_file(head), 0) end
  if head.architecture ~= recording.machine() then
    host.report('%s was recorded on %s; errors and signals have the names of this machine', job.recording,
      head.architecture)
  end
  for _, probe in ipairs(head.probes) do
    recorded.counts[probe.slot] = { events = 0, lost_ring = 0, lost_map = 0, refused = 0 }
  end
  recorded.player, recorded.head = player, head
end

local function names_of_probes()
  local names = {}
  for i, probe in ipairs(recorded.head.probes) do names[i] = probe.name end
  return names
end

--- A probe as it was recorded.
local function recorded_probe(name)
  for _, probe in ipairs(recorded.head.probes) do
    if probe.name == name then return probe.known or probe end
  end
  local names = names_of_probes()
  local near = nearest(name, names)
  return nil, ("%s has no probe '%s'%s"):format(job.recording, name,
    near and ("; did you mean '%s'?"):format(near) or '; it has ' .. table.concat(names, ', '))
end

--- Opens the file, and makes its clock and its probes those of the script. Returns what is wrong.
---@return string|nil problem
function recorded.open()
  local ok, problem = pcall(open_head)
  if not ok then return problem end
  local head = recorded.head
  recorded.passed_ns = head.started_ns
  -- The script reads these, whatever it calls them.
  engine.monotonic = function()
    return math.max(recorded.passed_ns, C.player_now(player))
  end
  engine.realtime = function() return engine.monotonic() + head.realtime_offset_ns end
  schema.recorded = function(name)
    local probe, message = recorded_probe(name)
    if probe then return probe end
    return nil, message
  end
  fields.forget_names()
  ok, problem = pcall(function()
    for _, probe in ipairs(head.probes) do assert(schema.of(probe.name)) end
  end)
  if not ok then return recorded.name_of_file(problem) end
end

return recorded
