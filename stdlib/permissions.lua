-- SPDX-License-Identifier: Apache-2.0
--- Permissions: what a script may see and do, for `moonprobe check --permissions`.

local environment = require 'moonprobe.environment'
local job = require 'moonprobe.job'
local object = require 'moonprobe.object'
local output = require 'moonprobe.output'
local stream = require 'moonprobe.stream'

local permissions = {}

local function sorted(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

function permissions.print()
  output.line(job.name)
  for _, source in ipairs(stream.sources) do
    local fields = sorted(source.fields)
    output.line(('  sees      %s: %s'):format(source.schema.name,
      #fields > 0 and table.concat(fields, ', ') or 'that it happens'))
  end
  for _, one in ipairs(object.facts()) do
    local names = {}
    for i, program in ipairs(one.programs) do names[i] = ('%s (%s)'):format(program.name, program.section) end
    output.line(('  loads     %s: %s'):format(one.name, #names > 0 and table.concat(names, ', ') or 'maps only'))
  end
  if job.allowed.object then
    output.line('  kernel    any program and any map of its own choice: as powerful as root')
  end
  local programs = job.allowed['os.execute'] or job.allowed['io.popen']
  output.line('  runs as   nobody, without capabilities, no way to gain any')
  output.line('  calls     ' .. (programs and 'any, for it may start programs'
    or job.allowed.object and 'no exec, no fork, no sockets, no signals'
    or 'no exec, no fork, no sockets, no signals, no new BPF'))
  if programs or job.allowed['package.loadlib'] then
    output.line('  files     what nobody may read or write')
  else
    output.line('  files     ' .. (#job.folders > 0 and 'reads below ' .. table.concat(job.folders, ', ')
      or 'reads none') .. '; writes none')
  end
  output.line('  memory    256 MiB')
  local granted, off = sorted(job.allowed), {}
  for _, name in ipairs(sorted(environment.grants)) do
    if not job.allowed[name] and name ~= 'stdlib' then off[#off + 1] = name end
  end
  output.line('  granted   ' .. (#granted > 0 and table.concat(granted, ', ') or 'nothing beside the usual'))
  output.line('  off       ' .. table.concat(off, ', '))
  output.flush()
end

return permissions
