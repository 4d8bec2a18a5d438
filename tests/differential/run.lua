-- SPDX-License-Identifier: Apache-2.0
--- Long runs of the differential test, as root, from the top of the tree:
---
---   SEED=1 PAIRS=1000000 luajit tests/differential/run.lua
---
--- SEED     number of the first function (the time); the same gives the same function and events
--- PAIRS    how many pairs of a function and an event (1,000,000)
--- SECONDS  at most so long
--- PROFILE  only functions of this profile (generate/functions.lua)
--- COMPILED=1   also compares LuaJIT's compiler with its interpreter
--- SHOW=1   only prints the function SEED

package.path = 'tests/differential/?.lua;' .. package.path
require('stdlib').use()
local campaign = require 'campaign'
local judge = require 'judge'
local shrink = require 'shrink'
local tree = require 'tree'
local trial = require 'trial'

local function setting(name, default) return tonumber(os.getenv(name) or '') or default end

local ok, message = judge.open()
if not ok then
  io.stderr:write('run.lua: ', message, '; this needs root\n')
  os.exit(2)
end

local first = setting('SEED', os.time() % 100000 * 10000)
if os.getenv('SHOW') then
  local made, schema, how = campaign.prepare(first, os.getenv('PROFILE'))
  local text = tree.text(made.tree)
  local result = (made.is_aggregate and require('counting') or trial).run(text, schema, how)
  print(text)
  print(('%s %s, layout %d%s: %s %s'):format(made.profile, first, how.layout, how.on_stack and ', on the stack' or '',
    result.outcome, result.message or ''))
  if result.at then print(shrink.case(text, how.layout, how.on_stack, trial.event(schema, result.at))) end
  os.exit(result.outcome == 'same' and 0 or 1)
end

print(('from function %d on'):format(first))
local shown, next_line = 0, os.time() + 30
local done = campaign.run {
  first = first,
  pairs = setting('PAIRS', 1000000),
  seconds = setting('SECONDS'),
  profile = os.getenv('PROFILE'),
  compiled = os.getenv('COMPILED') ~= nil,
  progress = function(self)
    while shown < #self.failures do
      shown = shown + 1
      print(campaign.describe(self.failures[shown]))
      io.stdout:flush()
    end
    if os.time() >= next_line then
      next_line = os.time() + 30
      io.stderr:write(('%d functions, %d pairs, %d failures\n'):format(self.functions, self.pairs, self.failed))
    end
  end,
}
campaign.report(done, print, true)
for i = 1, math.min(5, #done.compiler) do
  local one = done.compiler[i]
  print(("LuaJIT's compiler and interpreter differ on function %d: %s\n%s"):format(one.seed, one.message,
    shrink.case(one.text, 1, false, one.event)))
end
os.exit(done.failed == 0 and 0 or 1)
