-- SPDX-License-Identifier: Apache-2.0
--- Report: figures of several rounds, as a table and as build/bench.json.
---
---   figures:add('idle_cpu', 'moonprobe', 0.01)        -- one round of one program
---   figures:define('idle_cpu', '%', { most = 0.1 })   -- shown in the order of definition
---
--- In the JSON, `value` and `peer_value` are medians over the rounds and `ratio` is one by the
--- other; `pair_ratio` is the median of the rounds' own ratios, which disturbances of the
--- machine reach less. `peer` is null where the value stands for itself.

local report = {}

local Figures = {}
Figures.__index = Figures

function report.new()
  return setmetatable({ rounds = {}, peers = {}, defined = {} }, Figures)
end

function Figures:add(name, who, value)
  local rounds = self.rounds[name] or {}
  self.rounds[name] = rounds
  if not rounds[who] then
    rounds[who] = {}
    if who ~= 'moonprobe' then
      self.peers[name] = self.peers[name] or {}
      table.insert(self.peers[name], who)
    end
  end
  table.insert(rounds[who], value)
end

function Figures:define(name, unit, target)
  table.insert(self.defined, { name = name, unit = unit, target = target })
end

local function median(values)
  local sorted = { unpack(values) }
  table.sort(sorted)
  local n = #sorted
  if n == 0 then return nil end
  return n % 2 == 1 and sorted[(n + 1) / 2] or (sorted[n / 2] + sorted[n / 2 + 1]) / 2
end

local function ratio(a, b)
  return a and b and b ~= 0 and a / b or nil
end

--- An entry for the value itself and one for every peer.
function Figures:entries()
  local entries = {}
  for _, one in ipairs(self.defined) do
    local rounds = self.rounds[one.name] or {}
    local own, target = rounds.moonprobe or {}, one.target
    local value = median(own)
    local bound, met = target.most or target.least, nil
    if bound and value then
      if target.most then met = value <= bound else met = value >= bound end
    end
    table.insert(entries, {
      name = one.name, unit = one.unit, value = value, target = bound, met = met,
      rounds = #own, sign = target.most and '<=' or '>=',
    })
    for _, peer in ipairs(self.peers[one.name] or {}) do
      local theirs, pairwise = rounds[peer], {}
      for i = 1, math.min(#own, #theirs) do pairwise[#pairwise + 1] = ratio(own[i], theirs[i]) end
      local wanted = target.ratio and target.ratio[peer]
      local at_most = target.ratio_most and target.ratio_most[peer]
      local found = ratio(value, median(theirs))
      local paired = found and median(pairwise) -- nothing lost is no ratio
      local fulfilled
      if wanted and found then fulfilled = found >= wanted end
      if at_most and found then fulfilled = found <= at_most end
      table.insert(entries, {
        name = one.name, unit = one.unit, value = value, peer = peer, peer_value = median(theirs),
        ratio = found, pair_ratio = paired, target = wanted or at_most, met = fulfilled,
        rounds = #theirs, sign = at_most and '<=' or '>=',
      })
    end
  end
  return entries
end

local function short(number)
  if not number then return '-' end
  if math.abs(number) >= 1e6 then return ('%.2fM'):format(number / 1e6) end
  if math.abs(number) >= 1e4 then return ('%.0fk'):format(number / 1e3) end
  if number == 0 or math.abs(number) >= 100 then return ('%.0f'):format(number) end
  return ('%.3g'):format(number)
end

function Figures:print(out)
  local row = '%-24s %7s %-6s %-9s %7s %6s  %s\n'
  out:write(row:format('FIGURE', 'VALUE', '', 'PEER', 'PEER', 'RATIO', 'TARGET'))
  for _, entry in ipairs(self:entries()) do
    local target = ''
    if entry.target then
      target = ('%s %s %s'):format(entry.sign, short(entry.target),
        entry.met and 'met' or entry.met == false and 'MISSED' or '?')
    end
    out:write((row:format(entry.peer and '' or entry.name, entry.peer and '' or short(entry.value),
      entry.peer and '' or entry.unit, entry.peer or '', entry.peer and short(entry.peer_value) or '',
      entry.peer and short(entry.pair_ratio or entry.ratio) or '', target):gsub(' +\n', '\n')))
  end
end

local keys = { 'name', 'value', 'unit', 'peer', 'peer_value', 'ratio', 'pair_ratio', 'target', 'met', 'rounds' }

local function json(value)
  if value == nil then return 'null' end
  if type(value) == 'string' then return '"' .. value .. '"' end -- ours: nothing to escape
  if type(value) == 'number' then return ('%.6g'):format(value) end
  return tostring(value)
end

function Figures:write(path)
  local lines = {}
  for _, entry in ipairs(self:entries()) do
    local members = {}
    for _, key in ipairs(keys) do members[#members + 1] = ('"%s":%s'):format(key, json(entry[key])) end
    lines[#lines + 1] = ' {' .. table.concat(members, ',') .. '}'
  end
  local file = assert(io.open(path, 'w'))
  file:write('[\n', table.concat(lines, ',\n'), '\n]\n')
  file:close()
end

return report
