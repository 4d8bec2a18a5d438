-- SPDX-License-Identifier: Apache-2.0
--- Golden: text that is kept in a file beside the test, TEST.NAME.golden. The host opens and writes
--- it: a worker may write nothing.

local ask_for_file = require 'moonprobe.ask_for_file'
local engine = require 'moonprobe.engine'
local host = require 'moonprobe.host'

local golden = {}

--- Is what is given written instead of compared?
golden.update = false

--- The text that is kept; nil and the file's name when there is none.
---@param name string
---@return string|nil text
---@return string file
function golden.read(name)
  local text, file = ask_for_file('golden', name)
  return text, file or name .. '.golden'
end

--- Keeps a text.
---@param name string
---@param text string
---@return boolean|nil done
function golden.write(name, text)
  local fd = assert(engine.memory(text))
  host.send_fd(fd, 'golden', name)
  engine.close(fd)
  local reply
  repeat reply = host.receive() until not reply or reply[1] == 'golden'
  return reply ~= nil and #reply.fds > 0
end

return golden
