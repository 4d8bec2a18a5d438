-- SPDX-License-Identifier: Apache-2.0
--- What every file in stdlib/aggregates keeps to. Runs under `moonprobe check`; no list names
--- the files. The heart of it: what was folded in parts and merged equals what was folded at
--- once, since that is how a reload, per-CPU parts and several machines come together.
local tap = require 'tap'
local aggregate = require 'moonprobe.aggregate'
local buffer = require 'string.buffer'
local json = require 'moonprobe.json'

local FIELDS = {
  name = 'string', summary = 'string', takes_value = 'boolean', sample = 'table',
  add = 'function', merge = 'function', value = 'function',
}
local OPTIONAL = { rank = 'function', text = 'function' }

-- A generator of our own (Park and Miller): the same numbers on every machine.
local seed = 20241122
local function random(below)
  seed = seed * 16807 % 2147483647
  return seed % below
end

--- Whole numbers: their sums are exact, so results can be compared exactly.
local function some(count)
  local values = {}
  for i = 1, count do
    local size = random(4)
    values[i] = size == 0 and random(4) or size == 1 and random(1000) or size == 2 and random(2 ^ 30) or -random(50)
  end
  return values
end

local function fold(kind, values, from, to, cell)
  for i = from or 1, to or #values do cell = kind.add(cell, values[i]) end
  return cell
end

--- A cell of its own, so that nothing is shared.
local function copy(cell) return buffer.decode(buffer.encode(cell)) end

local function check_form(kind, file)
  for name, expected in pairs(FIELDS) do
    tap.is(type(kind[name]), expected, ('%s: %s is a %s'):format(file, name, expected))
  end
  for name, value in pairs(kind) do
    local expected = FIELDS[name] or OPTIONAL[name]
    tap.is(type(value), expected or 'nil', ('%s: %s belongs there'):format(file, tostring(name)))
  end
  tap.is(kind.name, file, file .. ': its name is that of the file')
  tap.like(kind.summary, '^%u[^.]*%.$', file .. ': its summary is one sentence')
  tap.ok(#kind.summary <= 70, file .. ': which fits into a line of help', kind.summary)
end

local function check_sample(kind, file)
  local cell
  for _, value in ipairs(kind.sample.values) do
    cell = kind.add(cell, value)
    tap.ok(cell ~= nil, file .. ': add gives a cell')
  end
  tap.ok(#kind.sample.values > 1, file .. ': its sample has values')
  tap.is(kind.value(cell), kind.sample.value, file .. ': its sample holds')
end

local function check_merge(kind, file)
  local values = some(300)
  local whole = fold(kind, values)
  for _, at in ipairs { 1, 2, 150, 299 } do
    local a, b = fold(kind, values, 1, at), fold(kind, values, at + 1)
    local a_before, b_before = copy(a), copy(b)
    local merged = kind.merge(a, b)
    tap.is(kind.value(merged), kind.value(whole), ('%s: merged at %d equals one pass'):format(file, at))
    tap.is({ a, b }, { a_before, b_before }, ('%s: merging at %d leaves both as they were'):format(file, at))
    tap.is(kind.value(kind.merge(b, a)), kind.value(whole), ('%s: in either order'):format(file))
  end
  local parts = {}
  for i = 1, 300, 7 do parts[#parts + 1] = fold(kind, values, i, math.min(i + 6, 300)) end
  local merged = parts[1]
  for i = 2, #parts do merged = kind.merge(merged, parts[i]) end
  tap.is(kind.value(merged), kind.value(whole), file .. ': many parts, one after the other')
  while #parts > 1 do
    local half = {}
    for i = 1, #parts, 2 do half[#half + 1] = parts[i + 1] and kind.merge(parts[i], parts[i + 1]) or parts[i] end
    parts = half
  end
  tap.is(kind.value(parts[1]), kind.value(whole), file .. ': many parts, as a tree')
  for round = 1, 200 do
    local few = some(1 + random(6))
    if #few > 1 then
      local at = 1 + random(#few - 1)
      local both = kind.merge(fold(kind, few, 1, at), fold(kind, few, at + 1))
      if json.encode(kind.value(both)) ~= json.encode(kind.value(fold(kind, few))) then
        tap.is(kind.value(both), kind.value(fold(kind, few)), ('%s: few values, round %d: %s'):format(file, round,
          tap.show(few)))
      end
    end
  end
  -- What was merged goes on.
  merged = kind.merge(fold(kind, values, 1, 100), fold(kind, values, 101, 200))
  tap.is(kind.value(fold(kind, values, 201, 300, merged)), kind.value(whole), file .. ': a merged cell goes on')
end

local function check_edges(kind, file)
  for name, value in pairs { zero = 0, ['a negative one'] = -5, ['a fraction'] = 0.5, ['a large one'] = 2 ^ 63 - 1024,
    ['the largest'] = 2 ^ 64 } do
    local ok, result = pcall(function() return json.encode(kind.value(kind.add(nil, value))) end)
    tap.ok(ok, ('%s: takes %s'):format(file, name), result)
    ok, result = pcall(function()
      local cell = kind.merge(kind.add(nil, value), kind.add(nil, value))
      local once = kind.add(kind.add(nil, value), value)
      return json.encode(kind.value(cell)) == json.encode(kind.value(once))
    end)
    tap.ok(ok and result, ('%s: merges %s with itself'):format(file, name), result)
  end
end

local function check_hand_over(kind, file)
  local values = some(100)
  local cell = copy(fold(kind, values, 1, 50))
  tap.is(kind.value(fold(kind, values, 51, 100, cell)), kind.value(fold(kind, values)),
    file .. ': a cell survives a reload')
end

local function check_shown(kind, file)
  local cell = fold(kind, some(50))
  tap.is(type((kind.rank or kind.value)(cell)), 'number', file .. ': rows can be sorted by it')
  tap.ok(not json.encode(kind.value(cell)):find('cdata', 1, true), file .. ': its value is JSON', kind.value(cell))
  if not kind.text then
    tap.is(type(kind.value(cell)), 'number', file .. ': without text() its value is a number')
    return
  end
  for _, values in ipairs { { 1 }, { 0 }, some(50), { 2 ^ 63 }, { 1, 2 ^ 40 } } do
    local text = kind.text(fold(kind, values), 'latency_ns')
    tap.like(text, 'latency_ns', file .. ': its text says what the values are')
    local widest = 0
    for line in (text .. '\n'):gmatch('(.-)\n') do widest = math.max(widest, #line) end
    tap.ok(widest <= 80, file .. ': its text has at most 80 columns', widest)
  end
end

local files = aggregate.kinds()
tap.ok(#files > 0, 'there are aggregates')
for _, file in ipairs(files) do
  local kind = aggregate.kind(file)
  if tap.ok(type(kind) == 'table', file .. ': is a table') then
    check_form(kind, file)
    check_sample(kind, file)
    check_merge(kind, file)
    check_edges(kind, file)
    check_hand_over(kind, file)
    check_shown(kind, file)
  end
end
tap.done()
