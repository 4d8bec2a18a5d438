-- SPDX-License-Identifier: Apache-2.0
--- Shrink: a failing function and event, made as small as they fail, and printed as a case for
--- cases.lua.

local ffi = require 'ffi'
local generate = require 'generate'
local judge = require 'judge'
local tree = require 'tree'
local trial = require 'trial'

local shrink = {}

local TRIES, SECONDS = 3000, 20

local function literal(value)
  if type(value) == 'string' then return generate.quoted(value) end
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
local function shrink_event(text, schema, options, at, same)
  local base = judge.events + at * judge.STRIDE
  for _, field in ipairs(schema.fields) do
    local kept = ffi.string(base + field.offset, field.bytes)
    ffi.fill(base + field.offset, field.bytes)
    if not same(trial.run(text, schema, options)) then ffi.copy(base + field.offset, kept, field.bytes) end
  end
end

--- The smallest function and event found that fail in the same way.
---@param made table of generate.one; its tree is changed
---@param schema table
---@param options table of trial.run
---@param first table the result that failed
---@return string text
---@return table|nil event nil when it does not depend on one
---@return table result
function shrink.run(made, schema, options, first)
  local result = first
  local function kind(of) return (of.message or ''):gsub('sink %d+: ', ''):gsub('0x%x+', 'x'):sub(1, 60) end
  local function alike(other) return other.outcome == first.outcome and kind(other) == kind(first) end
  local ends = os.time() + SECONDS
  tree.shrink(made.tree, function(root)
    if os.time() > ends then return false end
    local other = trial.run(tree.text(root), schema, options)
    if not alike(other) then return false end
    result = other
    return true
  end, TRIES)
  local text = tree.text(made.tree)
  if not result.at then return text, nil, result end
  local at = result.at
  shrink_event(text, schema, options, at, function(other) return alike(other) and other.at == at end)
  return text, trial.event(schema, at), trial.run(text, schema, options)
end

return shrink
