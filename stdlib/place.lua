-- SPDX-License-Identifier: Apache-2.0
--- Place: the user's line, however deep in the stdlib somebody asks.

local own = require 'moonprobe.own_sources' -- [chunk name] = true for stdlib files

--- The innermost caller that is no stdlib file.
---@return string|nil 'file:line'
local function place()
  for level = 2, 50 do
    local info = debug.getinfo(level, 'Sl')
    if not info then return nil end
    if info.what ~= 'C' and not own[info.source] and info.currentline > 0 then
      return ('%s:%d'):format((info.source:gsub('^[@=]', '')), info.currentline), info.short_src, info.currentline
    end
  end
end

return place
