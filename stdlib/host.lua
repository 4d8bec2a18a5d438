-- SPDX-License-Identifier: Apache-2.0
--- Host: messages to and from the host process. engine/README.md lists them.

local engine = require 'moonprobe.engine'

local host = {}

local kept = {} -- messages that came while a reply was awaited

--- Sends a message of strings and numbers. Raises when the host is gone.
---@param name string
---@param ... string|number
function host.send(name, ...)
  assert(engine.send(nil, name, ...))
end

--- The same with a file descriptor, which stays ours.
function host.send_fd(fd, name, ...)
  assert(engine.send(fd, name, ...))
end

--- The next message, waiting for it; nil when the host is gone.
---@return { [integer]: string|number, fds: integer[] }|nil
function host.receive()
  if #kept > 0 then return table.remove(kept, 1) end
  return engine.receive()
end

--- Waits for an answer; other messages that come meanwhile are kept.
---@param name string of the message
---@return table
function host.answer(name)
  while true do
    local reply = engine.receive()
    if not reply then error('the host is gone', 0) end
    if reply[1] == name then return reply end
    host.keep(reply)
  end
end

--- Sends a question, and waits for its answer: the message of the same name.
---@param name string
---@param ... string|number
---@return table
function host.ask(name, ...)
  host.send(name, ...)
  return host.answer(name)
end

function host.keep(message)
  kept[#kept + 1] = message
end

--- True when receive() would not wait for one that was kept.
function host.has_kept()
  return #kept > 0
end

--- One line for the user, printed by the host after the script's name.
---@param format string
function host.report(format, ...)
  local line = select('#', ...) > 0 and format:format(...) or format
  host.send('report', (line:sub(1, 2000):gsub('%z.*', '')))
end

return host
