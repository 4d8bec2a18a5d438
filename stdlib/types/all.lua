-- SPDX-License-Identifier: Apache-2.0
--- All: the files of `moonprobe types`, LuaCATS declarations for editors and luacheck.
---
---   moonprobe.lua, moonprobe/json.lua, ...   what a script may require
---   moonprobe/probes/NAME.lua                a probe: its event, its knobs, its stream
---   moonprobe/shared.lua                     what they share
---
--- Made from the objects' BTF and the docstrings of the stdlib, so they say what is so. A public
--- function without a docstring is an error.

local class = require 'moonprobe.types.class'
local engine = require 'moonprobe.engine'
local environment = require 'moonprobe.environment'
local host = require 'moonprobe.host'
local job = require 'moonprobe.job'
local module = require 'moonprobe.types.module'
local options = require 'moonprobe.options'
local probe = require 'moonprobe.types.probe'
local schema = require 'moonprobe.schema'
local shared = require 'moonprobe.types.shared'
local source = require 'moonprobe.types.source'
local stub = require 'moonprobe.types.stub'

local all = {}

--- What scripts and their tests may require.
---@return string[]
function all.modules()
  local names = {}
  for name in pairs(environment.public_modules) do
    if name:find('^moonprobe') then names[#names + 1] = name end
  end
  if engine.asset('stdlib/test.lua') then names[#names + 1] = 'moonprobe.test' end -- of tests only
  table.sort(names)
  return names
end

--- The files, and what is wrong with the docstrings they are made from.
---@param probe_names string[]
---@return { name: string, text: string }[]
---@return string[] problems
function all.files(probe_names)
  local probes, classes, names = {}, class.all()
  probe_names = schema.plain(probe_names)
  for i, name in ipairs(probe_names) do probes[i] = assert(schema.of(name)) end
  stub.probes = probe_names
  local files = {}
  local function add(file, returned)
    files[#files + 1] = { name = file.name, text = file:text(returned) }
  end
  for _, name in ipairs(all.modules()) do add(module.stub(name)) end
  add(shared.stub(probes, classes, names))
  for _, one in ipairs(probes) do add(probe.stub(one, classes)) end
  local problems, known = {}, {}
  for _, text in ipairs(source.problems) do -- those of streams come once for each probe
    if not known[text] then problems[#problems + 1] = text end
    known[text] = true
  end
  return files, problems
end

--- Gives the host (engine/stubs.c) the files, for each a line with its name and how many bytes
--- follow, and ends the script. The job's arguments are the probes' names.
function all.write()
  local files, problems = all.files(job.arguments)
  for _, problem in ipairs(problems) do host.report('%s', problem) end
  local parts = {}
  for i, file in ipairs(files) do
    parts[i] = ('%s %d\n%s'):format(file.name, #file.text, file.text)
  end
  local ok = #problems == 0 and engine.write(1, table.concat(parts))
  error(setmetatable({ status = ok and 0 or 2 }, options.Exit), 0)
end

return all
