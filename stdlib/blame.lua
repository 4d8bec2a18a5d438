-- SPDX-License-Identifier: Apache-2.0
--- Blame: raises an error at the user's line, however deep in the stdlib it was noticed.

local place = require 'moonprobe.place'

---@param format string
local function blame(format, ...)
  local message = select('#', ...) > 0 and format:format(...) or format
  local _, file, line = place()
  if file then message = ('%s:%d: %s'):format(file, line, message) end
  error(message, 0)
end

return blame
