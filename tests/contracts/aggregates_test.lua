-- SPDX-License-Identifier: Apache-2.0
--- What every file in stdlib/aggregates keeps to. Runs under `moonprobe check`; no list names
--- the files. The heart of it: what was folded in parts and merged equals what was folded at
--- once, since that is how a reload, per-CPU parts and several machines come together. And what
--- programs count, as their words say, is the cell that the worker would have made.
local tap = require 'tap'
local aggregate = require 'moonprobe.aggregate'
local buffer = require 'string.buffer'
local ffi = require 'ffi'
local json = require 'moonprobe.json'
local words = require 'moonprobe.stage.words'

local FIELDS = {
  name = 'string', summary = 'string', takes_value = 'boolean', sample = 'table',
  add = 'function', merge = 'function', value = 'function',
}
local OPTIONAL = { rank = 'function', text = 'function', options = 'table', check = 'function', kernel = 'function' }

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
  for i = from or 1, to or #values do cell = kind.add(cell, values[i], kind.sample.options) end
  return cell
end

--- What is shown of a cell.
local function shown(kind, cell) return kind.value(cell, kind.sample.options) end

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
    cell = kind.add(cell, value, kind.sample.options)
    tap.ok(cell ~= nil, file .. ': add gives a cell')
  end
  tap.ok(#kind.sample.values > 1, file .. ': its sample has values')
  tap.is(shown(kind, cell), kind.sample.value, file .. ': its sample holds')
end

local function check_merge(kind, file)
  local values = some(300)
  local whole = fold(kind, values)
  for _, at in ipairs { 1, 2, 150, 299 } do
    local a, b = fold(kind, values, 1, at), fold(kind, values, at + 1)
    local a_before, b_before = copy(a), copy(b)
    local merged = kind.merge(a, b)
    tap.is(shown(kind, merged), shown(kind, whole), ('%s: merged at %d equals one pass'):format(file, at))
    tap.is({ a, b }, { a_before, b_before }, ('%s: merging at %d leaves both as they were'):format(file, at))
    tap.is(shown(kind, kind.merge(b, a)), shown(kind, whole), ('%s: in either order'):format(file))
  end
  local parts = {}
  for i = 1, 300, 7 do parts[#parts + 1] = fold(kind, values, i, math.min(i + 6, 300)) end
  local merged = parts[1]
  for i = 2, #parts do merged = kind.merge(merged, parts[i]) end
  tap.is(shown(kind, merged), shown(kind, whole), file .. ': many parts, one after the other')
  while #parts > 1 do
    local half = {}
    for i = 1, #parts, 2 do half[#half + 1] = parts[i + 1] and kind.merge(parts[i], parts[i + 1]) or parts[i] end
    parts = half
  end
  tap.is(shown(kind, parts[1]), shown(kind, whole), file .. ': many parts, as a tree')
  for round = 1, 200 do
    local few = some(1 + random(6))
    if #few > 1 then
      local at = 1 + random(#few - 1)
      local both = kind.merge(fold(kind, few, 1, at), fold(kind, few, at + 1))
      if json.encode(shown(kind, both)) ~= json.encode(shown(kind, fold(kind, few))) then
        tap.is(shown(kind, both), shown(kind, fold(kind, few)), ('%s: few values, round %d: %s'):format(file, round,
          tap.show(few)))
      end
    end
  end
  -- What was merged goes on.
  merged = kind.merge(fold(kind, values, 1, 100), fold(kind, values, 101, 200))
  tap.is(shown(kind, fold(kind, values, 201, 300, merged)), shown(kind, whole), file .. ': a merged cell goes on')
end

local function check_edges(kind, file)
  for name, value in pairs { zero = 0, ['a negative one'] = -5, ['a fraction'] = 0.5, ['a large one'] = 2 ^ 63 - 1024,
    ['the largest'] = 2 ^ 64 } do
    local ok, result = pcall(function() return json.encode(shown(kind, fold(kind, { value }))) end)
    tap.ok(ok, ('%s: takes %s'):format(file, name), result)
    ok, result = pcall(function()
      local cell = kind.merge(fold(kind, { value }), fold(kind, { value }))
      local once = fold(kind, { value, value })
      return json.encode(shown(kind, cell)) == json.encode(shown(kind, once))
    end)
    tap.ok(ok and result, ('%s: merges %s with itself'):format(file, name), result)
  end
end

local function check_hand_over(kind, file)
  local values = some(100)
  local cell = copy(fold(kind, values, 1, 50))
  tap.is(shown(kind, fold(kind, values, 51, 100, cell)), shown(kind, fold(kind, values)),
    file .. ': a cell survives a reload')
end

local function check_shown(kind, file)
  local cell = fold(kind, some(50))
  tap.is(type((kind.rank or kind.value)(cell, kind.sample.options)), 'number', file .. ': rows can be sorted by it')
  tap.ok(not json.encode(shown(kind, cell)):find('cdata', 1, true), file .. ': its value is JSON', shown(kind, cell))
  if not kind.text then
    tap.is(type(shown(kind, cell)), 'number', file .. ': without text() its value is a number')
    return
  end
  for _, values in ipairs { { 1 }, { 0 }, some(50), { 2 ^ 63 }, { 1, 2 ^ 40 } } do
    local text = kind.text(fold(kind, values), 'latency_ns', kind.sample.options)
    tap.like(text, 'latency_ns', file .. ': its text says what the values are')
    local widest = 0
    for line in (text .. '\n'):gmatch('(.-)\n') do widest = math.max(widest, #line) end
    tap.ok(widest <= 80, file .. ': its text has at most 80 columns', widest)
  end
end

--- Every option of its own is needed or has a preset, and what is wrong is said with its name.
local function check_options(kind, file)
  tap.is(kind.options and kind.check and kind.check(kind.sample.options), nil, file .. ': its sample has good options')
  for _, name in ipairs(kind.options or {}) do
    local options = {}
    for key, value in pairs(kind.sample.options) do options[key] = value end
    options[name] = 'text'
    tap.like(kind.check(options), '^' .. name .. ': ', ('%s: says what is wrong with %s'):format(file, name))
  end
end

-- The kernel's side in Lua: what a program does with an event, word by word.

local function slot_of(op, value, scale)
  if op.slot == 'log2' then
    local whole = math.floor(value / scale)
    if whole < 1 then return whole < 0 and 0 or 1 end
    local _, exponent = math.frexp(whole)
    return math.min(exponent + 1, op.count - 1)
  end
  local slot = 0
  while slot < op.count - 1 and value >= scale * math.min(op.from + slot * op.step, op.to) do slot = slot + 1 end
  return slot
end

local ZERO_MOST = 2 ^ 62 * 1LL

local function count_event(ops, row, value, scale)
  local at = 0
  for _, op in ipairs(ops) do
    if op.op == 'add' then
      row[at] = row[at] + (op.of == 'one' and 1 or value)
    elseif op.op == 'most' then
      local most = ZERO_MOST + (op.of == 'value' and value or -value)
      if most > row[at] then row[at] = most end
    else
      local slot = at + slot_of(op, value, scale)
      row[slot] = row[slot] + 1
    end
    at = at + (op.op == 'slots' and op.count or 1)
  end
end

--- What all CPUs have, as numbers.
local function numbers_of(row, values, cpus)
  local numbers = {}
  row:combine(values, row.count, cpus)
  row:decode(row.sum, numbers)
  return numbers
end

local OPS = { add = { one = true, value = true }, most = { value = true, negated = true } }

local function check_kernel(kind, file)
  local kernel = kind.kernel(kind.sample.options)
  for i, op in ipairs(kernel.words) do
    tap.ok(op.op == 'slots' and op.count > 0 and (op.slot == 'log2' and op.count == 56
      or op.slot == 'linear' and op.count == (op.to - op.from) / op.step + 2)
      or OPS[op.op] and OPS[op.op][op.of], ('%s: word %d can be counted'):format(file, i), op)
  end
  local row, cpus = words.new(kernel.words), 3
  local empty = numbers_of(row, ffi.new('int64_t[?]', row.count * cpus), cpus)
  tap.is(kernel.cell(empty, 1), nil, file .. ': without an event there is no cell')
  for round, scale in ipairs { 1, 8, 1000, 1 } do
    local values, scaled = some(round == 4 and 1 or 200), {}
    local memory = ffi.new('int64_t[?]', row.count * cpus)
    for i, value in ipairs(values) do
      value = value * (scale == 1000 and 125 or 1) -- so that the worker's sum is exact
      scaled[i] = value / scale
      count_event(kernel.words, memory + row.count * random(cpus), value, scale)
    end
    local cell = kernel.cell(numbers_of(row, memory, cpus), scale)
    tap.is(cell, fold(kind, scaled), ('%s: the kernel counts what the worker does, divided by %d'):format(file, scale))
    tap.is(shown(kind, kind.merge(cell, fold(kind, scaled))), shown(kind, fold(kind, scaled, 1, #scaled,
      fold(kind, scaled))), file .. ': and both are put together')
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
    check_options(kind, file)
    if kind.kernel then check_kernel(kind, file) end
  end
end
tap.done()
