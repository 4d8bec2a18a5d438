-- SPDX-License-Identifier: Apache-2.0
--- Blame: raises an error at the user's line, however deep in the stdlib it was noticed.

local own = require 'moonprobe.own_sources' -- [chunk name] = true for stdlib files

---@param format string
local function blame(format, ...)
  local message = select('#', ...) > 0 and format:format(...) or format
  for level = 2, 50 do
    local info = debug.getinfo(level, 'Sl')
    if not info then break end
    if info.what ~= 'C' and not own[info.source] and info.currentline > 0 then
      error(('%s:%d: %s'):format(info.short_src, info.currentline, message), 0)
    end
  end
  error(message, 0)
end

return blame
