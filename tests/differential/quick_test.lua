-- SPDX-License-Identifier: Apache-2.0
--- The same Lua function, in LuaJIT and in the kernel: fixed cases, then random functions and
--- events. `make differential` runs more of them. As root, from the top of the tree.

package.path = 'tests/differential/?.lua;' .. package.path
local tap = dofile 'tests/tap.lua'
local ffi = require 'ffi'
require('stdlib').use()
local campaign = require 'campaign'
local cases = require 'cases'
local counting = require 'counting'
local events = require 'events'
local judge = require 'judge'
local trial = require 'trial'

local allowed, message = judge.open()
if not allowed then tap.skip_all(message) end

-- Fixed cases.
for _, case in ipairs(cases) do
  local schema = events.layout(case.layout or 1)
  trial.put(schema, case.events)
  local run = case.aggregate and counting.run or trial.run
  local result = run(case[1], schema, { on_stack = case.on_stack, compiled = true, count = #case.events })
  local name = case[1]:gsub('%s*\n%s*', ' ')
  if #name > 100 then name = name:sub(1, 97) .. '...' end
  if case.refused then
    tap.ok(result.outcome == 'refused' and result.message:find(case.refused), 'refused: ' .. name, result)
  else
    tap.ok(result.outcome == 'same' and result.open <= (case.open or 0), name, result.message or result)
  end
end

-- The test sees what is wrong: a function with one instruction changed.
do
  local schema = events.layout(1)
  local list = {}
  for value = 0, 199 do list[value + 1] = { u32 = math.floor(value / 2), u16 = value % 2 + 6 } end
  local text = "return function(e) return e.u32 > 40 and e.u32 < 60 and e.u16 == 7 end"
  local tried, seen = 0, 0
  local function try(change)
    trial.put(schema, list)
    local result = trial.run(text, schema, { change = change, count = #list })
    tried = tried + 1
    if result.outcome ~= 'same' then seen = seen + 1 end
  end
  local JUMPS = 5 -- the class of conditional jumps on 64 bits; 6: on 32
  trial.put(schema, list)
  local right = trial.run(text, schema, { count = #list })
  tap.is(right.outcome, 'same', 'as it is translated it is right')
  local count = right.plan and #right.plan.early / 8 or 0
  for i = 0, count - 1 do
    local code = ffi.cast('const struct judge_instruction *', right.plan.early)[i]
    local class, op = code.code % 8, math.floor(code.code / 16)
    if (class == JUMPS or class == JUMPS + 1) and op ~= 0 and op ~= 8 and op ~= 9 and code.code % 16 < 8 then
      try(function(plan)
        local bytes = ffi.new('uint8_t[?]', #plan.early)
        ffi.copy(bytes, plan.early, #plan.early)
        local one = ffi.cast('struct judge_instruction *', bytes) + i
        one.imm = one.imm + 1
        plan.early = ffi.string(bytes, #plan.early)
      end)
    end
  end
  tap.ok(tried > 0 and seen == tried, 'a wrong constant is seen', { tried = tried, seen = seen })
end

-- Random ones.
local PAIRS = tonumber(os.getenv 'PAIRS' or '') or (tap.slow and 60000 or 400000)
local done = campaign.run { first = tonumber(os.getenv 'SEED' or '') or 1, pairs = PAIRS, seconds = 300 }
for _, failure in ipairs(done.failures) do
  tap.ok(false, ('function %d'):format(failure.seed), campaign.describe(failure))
end
tap.is(done.failed, 0, ('%d functions, %d pairs: LuaJIT and the kernel agree'):format(done.functions, done.pairs))

--- What filters are mostly made of must be translated, and decided.
local BOUNDS = { -- at most so many % refused, and so many % of the events left open
  plain = { 0, 0 },
}
for profile, bound in pairs(BOUNDS) do
  local one = done.profiles[profile] or { functions = 0, refused = 0, pairs = 0, open = 0 }
  local most = bound[1] * one.functions / 100
  tap.ok(one.functions > 0 and one.refused <= most, profile .. ' functions are translated', one)
  tap.ok(one.pairs > 0 and 100 * one.open <= bound[2] * one.pairs, profile .. ' functions are decided', one)
end
campaign.report(done, function(line) io.write('# ', line, '\n') end, false)
tap.done()
