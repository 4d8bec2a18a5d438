-- SPDX-License-Identifier: Apache-2.0
--- Shrink: a failing function and event, made as small as they fail, and printed as a case for
--- cases.lua.

local ffi = require 'ffi'
local constants = require 'generate.constants'
local counting = require 'counting'
local judge = require 'judge'
local tree = require 'tree'
local trial = require 'trial'

local shrink = {}

local TRIES, SECONDS = 3000, 20

local function literal(value)
  if type(value) == 'string' then return constants.quoted(value) end
  if type(value) == 'boolean' then return tostring(value) end
  if type(value) == 'table' then
    local parts = {}
    for i, one in ipairs(value) do parts[i] = literal(one) end
    return '{ ' .. table.concat(parts, ', ') .. ' }'
  end
  if type(value) == 'cdata' then
    if value == -0x7fffffffffffffffLL - 1 then return '-0x7fffffffffffffffLL - 1' end
    return tostring(value)
  end
  return ('%.0f'):format(value)
end

--- A case as Lua: paste it into cases.lua.
function shrink.case(text, layout, on_stack, event)
  local names, parts = {}, {}
  for name in pairs(event or {}) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = name .. ' = ' .. literal(event[name]) end
  local head = layout ~= 1 and ('layout = %d, '):format(layout) or ''
  return ('  { %s%sevents = { { %s } }, [[\n%s]] },'):format(head, on_stack and 'on_stack = true, ' or '',
    table.concat(parts, ', '), text)
end

--- Zeroes the fields of the event at a place that do not matter.
local function shrink_event(run, text, schema, options, at, same)
  local base = judge.events + at * judge.STRIDE
  for _, field in ipairs(schema.fields) do
    local kept = ffi.string(base + field.offset, field.bytes)
    ffi.fill(base + field.offset, field.bytes)
    if not same(run(text, schema, options)) then ffi.copy(base + field.offset, kept, field.bytes) end
  end
end

--- Of an aggregate: one event alone, if it fails with one. Says its number, 0, and that it is alone.
local function find_event(run, text, schema, options, same)
  local kept = ffi.string(judge.events, judge.COUNT * judge.STRIDE)
  options.count = 1
  for i = 0, judge.COUNT - 1 do
    ffi.copy(judge.events, ffi.cast('const char *', kept) + i * judge.STRIDE, judge.STRIDE)
    if same(run(text, schema, options)) then return 0 end
  end
  options.count = nil
  ffi.copy(judge.events, kept, #kept)
end

--- The smallest function and event found that fail in the same way.
---@param made table of generate.one; its tree is changed
---@param schema table
---@param options table of trial.run, or of counting.run
---@param first table the result that failed
---@return string text
---@return table|nil event nil when it does not depend on one
---@return table result
function shrink.run(made, schema, options, first)
  local result, run = first, made.is_aggregate and counting.run or trial.run
  local function kind(of)
    return (of.message or ''):gsub('sink %d+: ', ''):gsub('0x%x+', 'x'):gsub("'.-'", ''):gsub('%d+', '0'):sub(1, 12)
  end
  local function alike(other) return other.outcome == first.outcome and kind(other) == kind(first) end
  local ends = os.time() + SECONDS
  tree.shrink(made.tree, function(root)
    if os.time() > ends then return false end
    local other = run(tree.text(root), schema, options)
    if not alike(other) then return false end
    result = other
    return true
  end, TRIES)
  local text = tree.text(made.tree)
  local at = result.at
  if made.is_aggregate then at = find_event(run, text, schema, options, alike) end
  if not at then return text, nil, result end
  shrink_event(run, text, schema, options, at, function(other)
    return alike(other) and (made.is_aggregate or other.at == at)
  end)
  return text, trial.event(schema, at), run(text, schema, options)
end

return shrink
