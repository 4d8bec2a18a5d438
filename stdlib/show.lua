-- SPDX-License-Identifier: Apache-2.0
--- Show: the script of `moonprobe show`. Prints what is in the recording it is replayed on.

local job = require 'moonprobe.job'
local json = require 'moonprobe.json'
local mp = require 'moonprobe'
local output = require 'moonprobe.output'
local recorded = require 'moonprobe.recorded'

local most = tonumber(job.arguments[1]) or math.huge
job.arguments = {}
recorded.shows = true

local head, shown, counts = recorded.head, 0, {}

local function print_head()
  local probes = {}
  for i, probe in ipairs(head.probes) do
    local names = {}
    for j, field in ipairs((probe.known or probe).fields) do names[j] = field.name end
    probes[i] = { probe = probe.name, slot = probe.slot, bytes = probe.bytes, knobs = probe.set, fields = names }
  end
  if job.json then
    output.line(json.encode { recording = { architecture = head.architecture, byte_order = head.byte_order,
      kernel = head.kernel, cpus = head.cpus, started = (head.started_ns + head.realtime_offset_ns) / 1e9,
      probes = probes } })
    return
  end
  output.line(('recorded %s on %s, Linux %s, %d CPUs'):format(
    os.date('!%Y-%m-%d %H:%M:%S UTC', math.floor((head.started_ns + head.realtime_offset_ns) / 1e9)),
    output.text(head.architecture), output.text(head.kernel), head.cpus))
  for i, probe in ipairs(head.probes) do
    local words, names = { probe.name }, {}
    for name in pairs(probe.set) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do words[#words + 1] = name .. '=' .. output.text(probe.set[name]) end
    output.line(table.concat(words, ' ') .. ': ' .. table.concat(probes[i].fields, ' '))
  end
end

--- Values of one event: what scripts read, in the order of the struct.
local function printer(probe)
  local schema, names = probe.known or probe, {}
  for _, field in ipairs(schema.fields) do
    if schema.readable[field.name] and field.name ~= 'time_ns' then names[#names + 1] = field.name end
  end
  local in_json = { 'time', 'probe', unpack(names) }
  return function(event)
    counts[probe.slot] = (counts[probe.slot] or 0) + 1
    if shown >= most then return end
    shown = shown + 1
    if job.json then
      local values = { event.time, probe.name }
      for i, name in ipairs(names) do values[i + 2] = event[name] end
      output.line(json.object(in_json, values))
      return
    end
    local words = { ('%.6f'):format(event.time), probe.name }
    for _, name in ipairs(names) do
      local value = event[name]
      if type(value) == 'table' then value = json.encode(value) end
      words[#words + 1] = name .. '=' .. output.text(value)
    end
    output.line(table.concat(words, ' '))
  end
end

print_head()
for _, probe in ipairs(head.probes) do
  local knobs = {}
  for name, value in pairs(probe.set) do knobs[name] = value end
  mp.probe(probe.name, knobs):each(printer(probe))
end

mp.finally(function()
  for _, probe in ipairs(head.probes) do
    local sum = recorded.counts[probe.slot]
    local lost = sum.lost_ring + sum.lost_map + sum.refused
    local seen = counts[probe.slot] or 0
    if job.json then
      output.line(json.object({ 'probe', 'slot', 'recorded', 'lost' }, { probe.name, probe.slot, seen,
        { ring_full = sum.lost_ring, map_full = sum.lost_map, quota = sum.refused } }))
    else
      output.line(('%s: %s events recorded, %s lost'):format(probe.name, output.text(seen), output.text(lost)))
    end
  end
end)


