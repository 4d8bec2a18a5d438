-- SPDX-License-Identifier: Apache-2.0
--- Golden: the texts a test expects, in one file beside it: execsnoop_test.golden
---
---   === plain            the name, then the text; a line that begins with === or \ has one
---   PCOMM   PID          more \ before it, and a last line of a single \ means that the text
---   ls      7            does not end with a line end
---
--- The host opens and writes the file: a worker may write nothing.

local ask_for_file = require 'moonprobe.ask_for_file'
local engine = require 'moonprobe.engine'
local host = require 'moonprobe.host'

local golden = {}

--- Is what is given kept, instead of compared?
golden.update = false

local kept -- [name] = text
local used, is_used, changed = {}, {}, false

---@param texts { [string]: string }
---@param names string[] their order
---@return string
function golden.encode(texts, names)
  local parts = {}
  for _, name in ipairs(names) do
    local text = texts[name]
    local whole = text == '' or text:sub(-1) == '\n'
    text = ('\n' .. (whole and text or text .. '\n')):gsub('\n\\', '\n\\\\'):gsub('\n===', '\n\\===')
    parts[#parts + 1] = '=== ' .. name .. text .. (whole and '' or '\\\n')
  end
  return table.concat(parts)
end

---@param bytes string
---@return { [string]: string }
function golden.decode(bytes)
  local texts, name = {}, nil
  for line in bytes:gmatch('([^\n]*)\n') do
    local header = line:match('^=== (.*)$')
    if header then
      name = header
      texts[name] = ''
    elseif name and line == '\\' then
      texts[name] = texts[name]:sub(1, -2)
    elseif name then
      texts[name] = texts[name] .. line:gsub('^\\', '') .. '\n'
    end
  end
  return texts
end

--- The text that is kept under a name, or nil. With `update`, the given one is kept from now on.
---@param name string
---@param text string
---@return string|nil
function golden.expected(name, text)
  kept = kept or golden.decode((ask_for_file 'golden') or '')
  if not is_used[name] then
    used[#used + 1], is_used[name] = name, true
    if golden.update and kept[name] ~= text then kept[name], changed = text, true end
  end
  return kept[name]
end

--- Writes what has changed; texts that no test has asked for are left out.
---@return string|nil written
---@return string|nil problem
function golden.finish()
  if not golden.update or not kept then return nil end
  for name in pairs(kept) do changed = changed or not is_used[name] end
  if not changed then return nil end
  local fd = assert(engine.memory(golden.encode(kept, used)))
  host.send_fd(fd, 'golden')
  engine.close(fd)
  local reply
  repeat reply = host.receive() until not reply or reply[1] == 'golden'
  if not reply or #reply.fds == 0 then return nil, 'the golden file cannot be written' end
  return 'wrote ' .. reply[2]
end

return golden
