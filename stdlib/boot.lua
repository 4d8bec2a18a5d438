-- SPDX-License-Identifier: Apache-2.0
--- Boot: a worker's first Lua. Takes the start message and says how modules are fetched; then
--- C closes the sandbox, and the rest loads the user's script, declares its probes, and runs
--- until the host says finish.
---
---   start -> sandbox -> load script -> declare*, ready -> run -> drain loop -> finish | yield
---
--- Returns the folders that may be read, and the rest as a function. That returns the process's
--- exit status: 0, 1 failed while running, 2 could not be loaded.

local engine = ...

--- Modules. `moonprobe.NAME` is stdlib/NAME.lua, from a folder on the search path when one
--- has it, else embedded. The user's own lie beside the script, or on the path; they are loaded
--- by stdlib/environment.lua. The host opens files, for it may read them and we may not.

local overridden = false -- true when there is a search path
local own_sources = { ['@stdlib/boot.lua'] = true } -- [chunk name] = true: the stdlib's, never to blame

local function ask_for_file(kind, ...)
  assert(engine.send(nil, kind, ...))
  while true do
    local reply = assert(engine.receive())
    if reply[1] == kind then
      if #reply.fds == 0 then return nil, reply[2] end
      return engine.read(reply.fds[1]), reply[2]
    end
    package.loaded['moonprobe.host'].keep(reply)
  end
end

--- The bytes of a file of the project by its name in the tree, and where they came from.
local function asset(name)
  if overridden then
    local bytes, path = ask_for_file('asset', name)
    if bytes then return bytes, path end
  end
  return engine.asset(name), name
end

local function load_stdlib(module)
  local file
  if module == 'moonprobe' then
    file = 'stdlib/moonprobe.lua'
  else
    local rest = module:match('^moonprobe%.([%w_.]+)$')
    if not rest then return nil end
    file = 'stdlib/' .. rest:gsub('%.', '/') .. '.lua'
  end
  local source, path = asset(file)
  if not source then return '\n\tno ' .. file .. ' in moonprobe' end
  own_sources['@' .. path] = true
  return assert(loadstring(source, '@' .. path))
end

--- A user's module as a function, or nil and why there is none.
local function user_module(module)
  local file = module:gsub('%.', '/') .. '.lua'
  local source, path = ask_for_file('module', file)
  if not source then return nil, 'no ' .. file .. ' beside the script or on the search path' end
  local chunk, message = load(source, '@' .. path, 't')
  if not chunk then error(message, 0) end
  return chunk
end

package.loaders = { package.loaders[1], load_stdlib, package.loaders[3] }

-- The stdlib reaches the C side as a module of its own; user code is not given it.
package.preload['moonprobe.engine'] = function() return engine end
package.preload['moonprobe.own_sources'] = function() return own_sources end
package.preload['moonprobe.user_module'] = function() return user_module end
package.preload['moonprobe.asset'] = function() return asset end
package.preload['moonprobe.ask_for_file'] = function() return ask_for_file end

local start = assert(engine.receive())
local job = {
  name = start[2],
  file = start[3] ~= '' and start[3] or nil,
  json = start[4] == 'json',
  check = start[5] == 1 or start[5] == 2,
  permissions = start[5] == 2, -- check: also tell what the script may do
  explain = start[5] == 3 or start[5] == 4, -- tell what runs where
  measure = start[5] == 4, -- and what it costs: the script runs, but prints nothing
  record = start[5] == 5, -- events go to a file, as they are (stdlib/record.lua)
  replay = start[5] == 6, -- events come from one (stdlib/replay.lua)
  test = start[5] == 7, -- the file is a test, and the arguments say how it is run
  quiet = start[6] == 1,
  verbose = start[7] == 1,
  ring_bytes = start[9],
  cpus = start[10],
  allowed = {}, -- [what the user granted] = true
  gather_busy_ms = 1, -- how long events may gather: see mp.gather
  gather_quiet_ms = 0,
  arguments = {},
  source = engine.read(start.fds[1]),
  recording = start[12], -- the file's name
  playback = start[13],
}
if job.replay then
  job.recording_fd, job.steps_fd = start.fds[2], start.fds[3]
else
  job.ring_fd, job.recording_fd = start.fds[2], start.fds[3]
end
overridden = start[8] > 0
for name in start[11]:gmatch('[^,]+') do job.allowed[name] = true end
local folders = {} -- that may be read
for i = 15, 14 + start[14] do folders[#folders + 1] = start[i] end
for name in pairs(job.allowed) do folders[name] = true end
job.folders = folders
for i = 15 + start[14], #start do job.arguments[#job.arguments + 1] = start[i] end
package.preload['moonprobe.job'] = function() return job end

return folders, function()
  return job.test and require('moonprobe.testing.file').run() or require('moonprobe.life').live()
end
