-- SPDX-License-Identifier: Apache-2.0
--- State: what a new version of a script inherits from the old one.
---
--- Each part has a name and two functions: save() gives a plain value, restore(value) takes
--- one over. The whole is encoded by LuaJIT's string.buffer.

local blame = require 'moonprobe.blame'
local buffer = require 'string.buffer'

local state = {}

local parts = {}

---@param name string unique in the script
---@param save fun(): any
---@param restore fun(value: any)
function state.part(name, save, restore)
  if parts[name] then blame(("state '%s' exists already"):format(name)) end
  parts[name] = { save = save, restore = restore }
end

--- Parts that cannot be saved or encoded (functions, cycles) are left out and told.
---@return string bytes
---@return string|nil problems
function state.save()
  local saved, problems = {}, {}
  local function leave_out(name, problem)
    saved[name] = nil
    problems[#problems + 1] = ('%s: %s'):format(name, tostring(problem))
  end
  for name, part in pairs(parts) do
    local ok, value = pcall(part.save)
    if ok then saved[name] = value else leave_out(name, value) end
  end
  local ok, bytes = pcall(buffer.encode, saved)
  if not ok then
    for name, value in pairs(saved) do
      local fine, problem = pcall(buffer.encode, value)
      if not fine then leave_out(name, problem) end
    end
    bytes = buffer.encode(saved)
  end
  return bytes, #problems > 0 and table.concat(problems, '; ') or nil
end

--- Gives every part that both versions have its value back. Parts the new version dropped are
--- forgotten.
---@param bytes string
function state.restore(bytes)
  for name, value in pairs(buffer.decode(bytes)) do
    if parts[name] then parts[name].restore(value) end
  end
end

return state
