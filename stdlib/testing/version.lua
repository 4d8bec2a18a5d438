-- SPDX-License-Identifier: Apache-2.0
--- Version: one version of a script under test, in a realm of its own.
---
---   { require, sources, handlers = { [source] = fn }, probes = { [slot] = name } }

local realm = require 'moonprobe.testing.realm'

local version = {}

local function job_of(what, options)
  return {
    name = what.name, file = what.file, source = what.source, arguments = what.arguments,
    json = options.json or false, quiet = options.quiet or false, verbose = false, check = false,
    allowed = require('moonprobe.job').allowed, cpus = 1, folders = {}, ring_bytes = 2 ^ 20,
    gather_busy_ms = 1, gather_quiet_ms = 0,
  }
end

--- Loads a script. `outside` is the realm's (realm.lua); totals(probe) takes the probe's name, and
--- on_row(names, ...) is told of rows; nil: nobody, and output is thrown away.
---@param what { name: string, file: string|nil, source: string, arguments: string[] }
---@param options { json: boolean|nil, quiet: boolean|nil }
---@param outside table
---@return table|nil
---@return string|nil message why it has ended
function version.load(what, options, outside)
  local self = { handlers = {}, probes = {}, job = job_of(what, options) }
  self.require = realm.new {
    job = self.job,
    clock = outside.clock, write = outside.write, send = outside.send, report = outside.report,
    totals = function(slot) return outside.totals(self.probes[slot]) end,
  }
  local output = self.require 'moonprobe.output'
  output.muted, output.on_row = outside.on_row == nil, outside.on_row
  local ended = self.require('moonprobe.loading').run()
  if ended then return nil, ended.text or ended.message or 'exit status ' .. ended.status end
  local stream = self.require 'moonprobe.stream'
  self.sources = stream.sources
  for slot, source in ipairs(self.sources) do
    source.slot, self.probes[slot] = slot, source.schema.name
    self.handlers[source] = stream.pipeline(source)
  end
  return self
end

--- Events flow from now on; it inherits the state of the version before.
---@param self table
---@param state string|nil
---@return string|nil problem
function version.begin(self, state)
  self.require('moonprobe.timers').start()
  local ok, problem = true, nil
  if state then ok, problem = pcall(self.require('moonprobe.state').restore, state) end
  self.job.running = true
  if self.job.stop_at_once then self.require('moonprobe').stop() end
  return not ok and "the old version's state could not be taken over: " .. tostring(problem) or nil
end

return version
