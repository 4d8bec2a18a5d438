-- SPDX-License-Identifier: Apache-2.0
--- Translated: a filter as the kernel would answer it, beside what Lua answers.
---
---   translated.outcome(fn, event)   'pass' | 'reject' | 'undecided' | nil, reason, line
---   translated.agree(tap, fn, events, name)

local machine = require 'machine'
local invented = require 'invented'
local plan = require 'moonprobe.stage.plan'

local translated = {}

local words = { [0] = 'reject', [1] = 'pass', [0x81] = 'undecided' }

--- The verdict of a plan's stages, one after the other as in a probe's body.
---@param stage table of machine.load()
---@return integer
function translated.verdict(stage, event)
  if stage.stages.early and stage:run('early', event) == 0 then return 0 end
  if not stage.stages.late then return 0xff end
  return (stage:run('late', event))
end

--- A filter made ready: a function of an event; nil, the reason and its line when it is refused.
---@param fn function
---@param schema table|nil of the invented probe
---@return (fun(event): string)|nil
---@return string|table reason, or the plan
---@return integer? line
function translated.filter(fn, schema)
  local made, jobs = plan.make { schema = schema or invented.schema,
    sinks = { { filters = { fn }, take = function() end } } }
  if not made then return nil, jobs[1].refusal.reason, jobs[1].refusal.line end
  local stage = machine.load(made)
  return function(event)
    local verdict = translated.verdict(stage, event)
    return words[verdict] or verdict
  end, made
end

--- What Lua makes of it.
function translated.lua(fn, event)
  local ok, result = pcall(fn, event)
  return not ok and 'raises' or result and 'pass' or 'reject'
end

--- Passes when the kernel gives Lua's answer for each event, or leaves it to the worker; which it
--- must not always do. What makes Lua raise must be left to it.
function translated.agree(tap, fn, events, name, schema)
  local ask, reason = translated.filter(fn, schema)
  if not ask then return tap.ok(false, name, 'refused: ' .. reason) end
  local decided, problem = 0, nil
  for i, event in ipairs(events) do
    local kernel, lua = ask(event), translated.lua(fn, event)
    if kernel ~= 'undecided' then
      decided = decided + 1
      if kernel ~= lua then problem = ('event %d: %s in the kernel, %s in Lua'):format(i, kernel, lua) end
    end
  end
  return tap.ok(not problem and decided > 0, name, problem or 'nothing was decided')
end

--- The reason and line of a refusal, or 'translated'.
function translated.refusal(fn, schema)
  local ask, reason, line = translated.filter(fn, schema)
  if ask then return 'translated' end
  return reason, line
end

return translated
