-- SPDX-License-Identifier: Apache-2.0
--- Loading: runs a script's file, with the globals a script gets: it declares what it uses.

local environment = require 'moonprobe.environment'
local job = require 'moonprobe.job'
local mp = require 'moonprobe'
local options = require 'moonprobe.options'
local state = require 'moonprobe.state'
local stream = require 'moonprobe.stream'
local timers = require 'moonprobe.timers'

local loading = {}

--- Is told of the file as a function, before it runs; nil: nobody.
loading.watch = nil

--- One-liners (-e) find the API among their globals.
local function one_liner_globals()
  local also = {}
  if job.file or job.name ~= '-e' then return also end
  for name, value in pairs(mp) do
    if name:sub(1, 1) ~= '_' and name ~= 'print' then also[name] = value end
  end
  also.mp = mp
  return also
end

--- Runs the file. Gives nil when there is something to run, else why the script has ended: its
--- exit status, a text for stdout, a message.
---@return { status: integer, text: string|nil, message: string|nil }|nil
function loading.run()
  local chunk, message = load(job.source, job.file and '@' .. job.file or '=' .. job.name, 't')
  if not chunk then return { status = 2, message = message } end
  setfenv(chunk, environment.make(one_liner_globals()))
  if loading.watch then loading.watch(chunk) end
  local ok, problem = pcall(chunk)
  if ok then ok, problem = pcall(options.finish) end
  if ok then ok, problem = pcall(stream.freeze) end
  if ok then
    state.part('timers', timers.save, timers.restore)
    return nil
  end
  if getmetatable(problem) == options.Exit then return problem end
  return { status = 2, message = tostring(problem) }
end

return loading
