-- SPDX-License-Identifier: Apache-2.0
--- Looks: what a test can look at in a run. Looking changes nothing.

local buffer = require 'string.buffer'
local stack = require 'moonprobe.stack'

--- What a test can look at.
---@class moonprobe.Looks
local Looks = {}

--- All rows of mp.columns and mp.row so far, as { [column] = value }, hidden columns too; values as
--- the script gave them.
---@return table[]
function Looks:rows()
  local rows = {}
  for i, row in ipairs(self.row_list) do rows[i] = row end
  return rows
end

--- All that was printed so far.
---@return string
function Looks:text()
  self.version.require('moonprobe.output').flush()
  return table.concat(self.printed)
end

--- The same, line by line.
---@return string[]
function Looks:lines()
  local lines = {}
  for line in self:text():gmatch('([^\n]*)\n') do lines[#lines + 1] = line end
  return lines
end

--- Forgets rows and text so far.
---@return moonprobe.Run self
function Looks:clear()
  self:text()
  self.row_list, self.printed = {}, {}
  return self
end

--- What the aggregates hold: [name][key] = value, [name] = value without keys. The parts of a key
--- have ', ' between; stacks are as their folded() gives them.
---@return table
function Looks:aggregates()
  local all = {}
  for _, one in ipairs(self.version.require('moonprobe.aggregate').all()) do
    local shown, held = one.shown, {}
    for _, row in ipairs(one:rows()) do
      if #row.parts == 0 then
        held = row.value
      else
        local parts = {}
        for i, part in ipairs(row.parts) do parts[i] = stack.is(part) and part:folded() or part end
        held[#parts == 1 and parts[1] or table.concat(parts, ', ')] = row.value
      end
    end
    one.shown = shown
    local name, twin = one.name, 1
    while all[name] ~= nil do
      twin = twin + 1
      name = ('%s #%d'):format(one.name, twin)
    end
    all[name] = held
  end
  return all
end

--- A copy of what mp.state holds, by name.
---@return table
function Looks:state()
  local states = {}
  for name, value in pairs(buffer.decode((self.version.require('moonprobe.state').save()))) do
    local own = name:match('^state (.*)')
    if own then states[own] = value end
  end
  return states
end

--- The probes the script uses: [name] = its knobs.
---@return table
function Looks:probes()
  local probes = {}
  for _, source in ipairs(self.version.sources) do probes[source.schema.name] = source.knobs end
  return probes
end

--- Messages: of handlers and timers that raised, of the library. Those that nobody looks at
--- fail the test.
---@return string[]
function Looks:errors()
  self.errors_seen = #self.error_list
  return { unpack(self.error_list) }
end

--- Messages that no test has looked at.
---@package
function Looks:unseen_errors()
  return { unpack(self.error_list, (self.errors_seen or 0) + 1) }
end

--- Has the script asked to end?
---@return boolean
function Looks:stopped()
  return self.is_stopped
end

--- Time on the clock, in ns.
---@return number
function Looks:now()
  return self.clock.now
end

return Looks
