-- SPDX-License-Identifier: Apache-2.0
--- Words: the arithmetic of what programs count, exact in 64 bits.
---
---   { op = 'add', of = 'one'|'value' }     added up, over events and over CPUs
---   { op = 'slots', count = N, ... }       N words, of which an event adds one to one
---   { op = 'most', of = 'value' }          2^62 + the largest value; 0: none yet
---   { op = 'most', of = 'negated' }        2^62 - the smallest value; 0: none yet

local ffi = require 'ffi'

local words = {}

local ZERO_MOST = 2 ^ 62 * 1LL

local int64s, pointer = ffi.typeof 'int64_t[?]', ffi.typeof 'const int64_t *'

local Words = {}
Words.__index = Words

--- Runs of words that are alike: from first to last, `most`, `counts`: they only ever go up.
local function runs_of(ops)
  local runs, at = {}, 0
  for _, op in ipairs(ops) do
    local most, counts = op.op == 'most' and op.of or nil, op.op == 'slots' or op.of == 'one'
    local last = runs[#runs]
    if not last or last.most ~= most or last.counts ~= counts then
      last = { first = at, most = most, counts = counts }
      runs[#runs + 1] = last
    end
    at = at + (op.op == 'slots' and op.count or 1)
    last.last = at - 1
  end
  return runs, at
end

---@param ops table[] as a kind of aggregate lists them
function words.new(ops)
  local runs, count = runs_of(ops)
  local self = setmetatable({ runs = runs, count = count, bytes = count * 8 }, Words)
  self.sum, self.delta = int64s(count), int64s(count)
  local parts = {}
  for i, run in ipairs(runs) do
    self.has_counts = self.has_counts or run.counts
    self.has_most = self.has_most or run.most ~= nil
    parts[i] = ('%s%s %d'):format(run.most or 'sum', run.counts and '+' or '', run.last - run.first + 1)
  end
  self.shape = table.concat(parts, ', ')
  return self
end

--- Puts two rows together, into the first.
local function join(self, into, other)
  for _, run in ipairs(self.runs) do
    if run.most then
      for i = run.first, run.last do
        if other[i] > into[i] then into[i] = other[i] end
      end
    else
      for i = run.first, run.last do into[i] = into[i] + other[i] end
    end
  end
end
Words.join = join

--- All CPUs' values into self.sum.
---@param values ffi.cdata* int64_t *, of the first
---@param stride integer words from one to the next
---@param cpus integer
function Words:combine(values, stride, cpus)
  ffi.copy(self.sum, values, self.bytes)
  for cpu = 1, cpus - 1 do join(self, self.sum, values + cpu * stride) end
end

--- What self.sum has more than the base, into self.delta.
---   'nothing'
---   'part'     an event of which a program has not counted all yet
---   'more'
---   'anew'     less than the base: the key was away meanwhile, all of the sum is new
---@param base ffi.cdata*|nil int64_t *
---@return string
function Words:subtract(base)
  local sum, delta = self.sum, self.delta
  local more, counted, less = false, false, false
  for _, run in ipairs(self.runs) do
    for i = run.first, run.last do
      local now = sum[i]
      local rest = base and now - base[i] or now
      if rest ~= 0 then
        more = true
        if run.counts then counted = true end
        if rest < 0 and (run.counts or run.most) then less = true end
        if run.most then rest = now end
      end
      delta[i] = rest
    end
  end
  if less then
    ffi.copy(delta, sum, self.bytes)
    return 'anew'
  end
  return not more and 'nothing' or self.has_counts and not counted and 'part' or 'more'
end

--- A row as numbers: values themselves for 'most', nil when there is none.
---@param row ffi.cdata* int64_t *
---@param into number[]
function Words:decode(row, into)
  for _, run in ipairs(self.runs) do
    for i = run.first, run.last do
      local value = row[i]
      if not run.most then
        into[i + 1] = tonumber(value)
      elseif value == 0 then
        into[i + 1] = nil
      else
        into[i + 1] = tonumber(run.most == 'negated' and ZERO_MOST - value or value - ZERO_MOST)
      end
    end
  end
end

--- A row of its own; bytes in a string are a row too.
function Words:copy(row)
  local copy = int64s(self.count)
  ffi.copy(copy, ffi.cast(pointer, row), self.bytes)
  return copy
end

return words
