-- SPDX-License-Identifier: Apache-2.0
--- What every probe keeps to. Run by plain luajit from the top of the tree, after `make`; no
--- list names the probes. What they report is proven in tests/live.
local tap = dofile 'tests/tap.lua'

--- JSON, as moonprobe writes it (no exponents, \u only for control characters).
local function decode(text)
  local at = 1
  local value
  local function skip() at = text:find('[^ \t\n]', at) or #text + 1 end
  local function expect(literal, result)
    if text:sub(at, at + #literal - 1) ~= literal then error(('JSON: %s expected at %d'):format(literal, at)) end
    at = at + #literal
    return result
  end
  local function string_value()
    local parts = {}
    expect '"'
    while true do
      local plain, stop = text:match('^([^"\\]*)(["\\])', at)
      if not plain then error('JSON: text without an end') end
      parts[#parts + 1] = plain
      at = at + #plain + 1
      if stop == '"' then return table.concat(parts) end
      local escape = text:sub(at, at)
      at = at + 1
      if escape == 'u' then
        parts[#parts + 1] = string.char(tonumber(text:sub(at, at + 3), 16))
        at = at + 4
      else
        parts[#parts + 1] = ({ n = '\n', r = '\r', t = '\t' })[escape] or escape
      end
    end
  end
  local function list(close, one)
    local result = {}
    at = at + 1
    skip()
    if text:sub(at, at) == close then
      at = at + 1
      return result
    end
    while true do
      one(result)
      skip()
      if text:sub(at, at) == close then
        at = at + 1
        return result
      end
      expect ','
    end
  end
  function value()
    skip()
    local start = text:sub(at, at)
    if start == '"' then return string_value() end
    if start == '[' then return list(']', function(result) result[#result + 1] = value() end) end
    if start == '{' then
      return list('}', function(result)
        skip()
        local name = string_value()
        skip()
        expect ':'
        result[name] = value()
      end)
    end
    if start == 't' then return expect('true', true) end
    if start == 'f' then return expect('false', false) end
    if start == 'n' then return expect('null', nil) end
    local number = text:match('^-?[%d.]+', at)
    at = at + #(number or error('JSON: a value expected at ' .. at))
    return tonumber(number)
  end
  local result = value()
  skip()
  if at <= #text then error('JSON: more behind the value at ' .. at) end
  return result
end

local HEADER = { stamp = true, cpu = true, slot = true, generation = true }
local UNITS = { ns = true, us = true, ms = true, bytes = true }
-- Last parts of names that are units too, but not ours: one spelling for each.
local OTHER_UNITS = {}
for word in ('s sec secs second seconds msec millis milliseconds usec micros microseconds nsec nanos nanoseconds '
  .. 'byte b kb mb gb kib mib kilobytes megabytes min minutes hz percent pct jiffies ticks'):gmatch('%w+') do
  OTHER_UNITS[word] = true
end
local TYPES = { u8 = true, u16 = true, u32 = true, u64 = true, i8 = true, i16 = true, i32 = true, i64 = true,
  bool = true,
  text = true }

local function snake_case(name) return name:find('^%l[%l%d_]*$') ~= nil and not name:find('__', 1, true) end

--- Names for which a predicate does not hold.
local function wrong(list, fine)
  local names = {}
  for _, one in ipairs(list) do if not fine(one) then names[#names + 1] = one.name end end
  return table.concat(names, ' ')
end

local function check_about(probe, name)
  tap.like(probe.about, '^%u[^.]*%.$', name .. ': about is one sentence, ending with a full stop')
  tap.ok(probe.about and #probe.about <= 100, name .. ': about is short', probe.about)
  tap.like(probe.blind, '^%a.*%.$', name .. ': blind says what it cannot see')
  tap.ok(not (probe.about .. probe.blind):find('TODO', 1, true), name .. ': and is finished')
end

local function check_fields(probe, name)
  local fields, seen, twice = probe.fields, {}, {}
  local names = {}
  for i = 1, 8 do names[i] = fields[i].name end
  tap.is(names, { 'stamp', 'cpu', 'slot', 'generation', 'time_ns', 'pid', 'tid', 'comm' },
    name .. ': starts with the header and the context')
  tap.ok(#fields > 8, name .. ': and has fields of its own')
  tap.is(wrong(fields, function(one) return HEADER[one.name] or #one.doc > 0 end), '',
    name .. ': every field is documented')
  tap.is(wrong(fields, function(one) return not one.doc:find('%.$') and not one.doc:find('^%s') end), '',
    name .. ': docs are no sentences')
  tap.is(wrong(fields, function(one) return snake_case(one.name) end), '', name .. ': names are snake_case')
  tap.is(wrong(fields, function(one)
    local last = one.name:match('_(%l+)$')
    return (one.unit == '' and not UNITS[last] or one.unit == last and UNITS[last]) and not OTHER_UNITS[last]
  end), '', name .. ': units are in names, and known')
  tap.is(wrong(fields, function(one) return one.late or one.type ~= 'text' and one.type ~= 'ip_address'
    and one.name ~= 'time_ns' and (one.name == 'typed' or not one.type:find('%[')) end), '',
    name .. ': what costs is late')
  tap.is(wrong(fields, function(one) return not one.late or not HEADER[one.name] and one.name ~= 'pid'
    and one.name ~= 'tid' end), '', name .. ': whose it is is early')
  tap.is(wrong(fields, function(one) return one.unit == '' or one.type:find('^[ui]%d+$') end), '',
    name .. ': what has a unit is a number')
  tap.is(wrong(fields, function(one)
    local base = one.type:gsub('%[%d+%]$', '')
    return TYPES[base] or snake_case(base)
  end), '', name .. ': types are known, or have a name')
  tap.is(wrong(fields, function(one) return not one.values or #one.values > 1 end), '', name .. ': enums have values')
  for _, field in ipairs(fields) do
    if seen[field.name] then twice[#twice + 1] = field.name end
    seen[field.name] = true
  end
  tap.is(twice, {}, name .. ': every name once')
  tap.is(wrong(fields, function(one) return one.type ~= 'text' or not one.name:find('_bytes$') end), '',
    name .. ': the length of a text is a number')
end

local function check_knobs(probe, name)
  tap.is(wrong(probe.knobs, function(one) return snake_case(one.name) end), '', name .. ': knobs are snake_case')
  tap.is(wrong(probe.knobs, function(one) return #one.doc > 0 end), '', name .. ': knobs are documented')
  tap.is(wrong(probe.knobs, function(one) return one.default ~= nil end), '', name .. ': knobs have a default')
end

local function check_source(name, target)
  local path = 'bpf/probes/' .. name .. '.bpf.c'
  local source = tap.slurp(path)
  if not tap.ok(source ~= '', name .. ': its source is ' .. path) then return end
  tap.like(source, '^// SPDX%-License%-Identifier: GPL%-2%.0%-only OR BSD%-2%-Clause\n',
    name .. ': its license comes first')
  tap.like(source, '^[^\n]*\n/%* ' .. name .. ': %a', name .. ': then what it is about')
  if target then
    local event = source:match '\nGENERIC_PROBE%(%s*(%l+), [%l_]+,%s+"'
      or source:match '\nUNTYPED_PROBE%(%s*(%l+), [%l_]+,%s+"'
    tap.ok(event, name .. ': what it is about, and the kind of its target')
    tap.like(tap.slurp(('bpf/include/%s.bpf.h'):format(event)),
      '\nstruct ' .. tostring(event) .. '_event {\n\tstruct event_context context;', name .. ': the event it shares')
  else
    tap.like(source, '\nstruct ' .. name .. '_event {\n\tstruct event_context context;',
      name .. ': its event is named after the file')
    tap.like(source, '\nPROBE%(' .. name .. ', "', name .. ': its PROBE(), too')
  end
  local long = ''
  for line in source:gmatch('[^\n]+') do if #(line:gsub('\t', '        ')) > 100 then long = line end end
  tap.is(long, '', name .. ': lines have at most 100 columns')
end

-- What there is: sources, objects and what is listed are the same.
local function names_in(command)
  local names = {}
  for _, row in ipairs(tap.shell(command).rows) do names[#names + 1] = row:match('([^/]*)%.bpf%.[co]$') end
  table.sort(names)
  return names
end
local sources = names_in 'ls bpf/probes/*.bpf.c'
tap.ok(#sources > 0, 'there are probes')
tap.is(names_in('ls ' .. (os.getenv('BUILD') or 'build') .. '/probes/*.bpf.o'), sources,
  'every source has its object, and every object its source')

local run = tap.moonprobe 'list -f json'
tap.is(run.status, 0, 'list ends with status 0')
tap.is(run.err, '', 'and complains about none')
local listed = {}
for _, row in ipairs(run.rows) do
  local ok, probe = pcall(decode, row)
  if tap.ok(ok, 'a row is JSON', probe, row) then
    local name = probe.probe
    listed[#listed + 1] = name
    check_about(probe, name)
    check_fields(probe, name)
    check_knobs(probe, name)
    check_source(name, probe.target)
    tap.ok(#probe.hooks > 0, name .. ': has hooks')
    tap.ok(probe.event_bytes > 40 and probe.event_bytes < 4096, name .. ': an event has a sane size', probe.event_bytes)
    local text = tap.moonprobe('list ' .. name)
    tap.is(text.status, 0, name .. ': is listed by its name')
    tap.ok(text.out:find(probe.about, 1, true), name .. ': with what it is', text.out)
    for _, field in ipairs(probe.fields) do
      if not text.out:find(field.name, 1, true) and not HEADER[field.name] then
        tap.ok(false, name .. ': list shows ' .. field.name, text.out)
      end
    end
  end
end
table.sort(listed)
tap.is(listed, sources, 'all are listed')
tap.done()
