-- SPDX-License-Identifier: Apache-2.0
--- Recording: the texts in a recording's blocks (engine/recording.h), written and read.
---
---   head      machine, clocks, and of each probe what is needed to read its events
---   names     what numbers are called on that machine
---   counters  events and losses by probe and CPU
---
--- A text is lines of words; the last word of a line is the rest of it, with \ddd for what
--- would end the line. What is read may come from anybody: all of it is checked, and what is not
--- understood raises.

local ffi = require 'ffi'
local typed = require 'moonprobe.typed'
local typed_path = require 'moonprobe.typed_path'

local recording = { FORMAT = 1 }

ffi.cdef [[
struct recording_machine { char names[6][65]; };
int uname(struct recording_machine *machine);
]]

--- This machine's architecture and kernel, as uname(2) has them.
function recording.machine()
  local machine = ffi.new 'struct recording_machine'
  ffi.C.uname(machine)
  return ffi.string(machine.names[4]), ffi.string(machine.names[2])
end

local MOST_PROBES, MOST_FIELDS, MOST_VALUES, MOST_CPUS, MOST_EVENT_BYTES = 32, 256, 4096, 8192, 65536

local function escape(text)
  return (text:gsub('[%c\\]', function(char) return ('\\%03d'):format(char:byte()) end))
end

--- A name that is one word of a line: those of generic probes have paths of files in them.
local function escape_word(text)
  return (escape(text):gsub(' ', '\\032'))
end

local function unescape(text)
  return (text:gsub('\\(%d%d%d)', function(code)
    return tonumber(code) < 256 and string.char(code) or error('no such character', 0)
  end))
end

local function integer(number) return ('%.0f'):format(number) end

--- Writing.

local function add_field(lines, field)
  lines[#lines + 1] = table.concat({ 'field', field.name, field.kind, integer(field.offset), integer(field.bytes),
    integer(field.element_bytes), integer(field.elements), field.late and 'late' or 'early',
    field.type ~= '' and field.type or '-', escape(field.doc) }, ' ')
  local numbers = {}
  for number in pairs(field.values or {}) do numbers[#numbers + 1] = number end
  table.sort(numbers)
  for _, number in ipairs(numbers) do
    lines[#lines + 1] = ('value %s %s'):format(integer(number), escape_word(field.values[number]))
  end
end

local function add_probe(lines, source, is_known)
  local schema = source.schema
  lines[#lines + 1] = ('probe %d %s %d'):format(source.slot, escape_word(schema.name), schema.bytes)
  if not is_known then
    lines[#lines + 1] = 'about ' .. escape(schema.about)
    lines[#lines + 1] = 'blind ' .. escape(schema.blind)
    for _, field in ipairs(schema.fields) do add_field(lines, field) end
    for _, knob in ipairs(schema.knobs) do
      lines[#lines + 1] = ('knob %s %d %s %s'):format(knob.name, knob.bytes,
        knob.is_text and 'text' or knob.is_signed and 'signed' or 'unsigned', escape(knob.doc))
      if type(knob.preset) == 'number' then lines[#lines + 1] = 'preset_number ' .. integer(knob.preset) end
      if type(knob.preset) == 'string' then lines[#lines + 1] = 'preset_text ' .. escape(knob.preset) end
    end
  end
  local names = {}
  for name in pairs(source.knobs) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = source.knobs[name]
    lines[#lines + 1] = type(value) == 'number' and ('number %s %s'):format(name, integer(value))
      or ('text %s %s'):format(name, escape(value))
  end
end

--- The text of a head.
---@param machine { architecture: string, byte_order: string, word_bytes: integer, kernel: string,
---  cpus: integer, started_ns: number, realtime_offset_ns: number }
---@param sources table[] of stdlib/stream.lua, with their slots
---@return string
function recording.head(machine, sources)
  local lines, known = { 'moonprobe-recording ' .. recording.FORMAT }, {}
  for _, name in ipairs { 'architecture', 'byte_order', 'kernel' } do
    lines[#lines + 1] = name .. ' ' .. escape(machine[name])
  end
  for _, name in ipairs { 'word_bytes', 'cpus', 'started_ns', 'realtime_offset_ns' } do
    lines[#lines + 1] = name .. ' ' .. integer(machine[name])
  end
  for _, source in ipairs(sources) do
    add_probe(lines, source, known[source.schema.name])
    known[source.schema.name] = true
  end
  return table.concat(lines, '\n') .. '\n'
end

--- { { kind, number, name }... } as text.
function recording.names(list)
  local lines = {}
  for i, one in ipairs(list) do lines[i] = ('%s %s %s'):format(one[1], integer(one[2]), escape(one[3])) end
  return table.concat(lines, '\n') .. '\n'
end

--- Rows of { slot, cpu, events, lost_ring, lost_map, refused } at a moment, as text.
function recording.counters(now_ns, rows)
  local lines = { 'time ' .. integer(now_ns) }
  for i, row in ipairs(rows) do
    local words = {}
    for j = 1, 6 do words[j] = integer(row[j]) end
    lines[i + 1] = table.concat(words, ' ')
  end
  return table.concat(lines, '\n') .. '\n'
end

--- Reading.

local function bad(what) error(what, 0) end

local function number_of(word, least, most, what)
  local number = word and word:match '^%-?%d+$' and #word < 20 and tonumber(word)
  if not number or number < least or number > most then bad(('%s: not a number that can be'):format(what)) end
  return number
end

local function name_of(word, what)
  if not word or #word > 63 or not word:match '^[%a_][%w_]*$' then bad(what .. ': not a name') end
  return word
end

--- The name of a number. One of a place is what a linker or a program's author took for a name: target:add.
local function value_name_of(word)
  local name = word and unescape(word)
  if not name or #name > 255 or name:find '%c' then bad 'value: not a name' end
  return name
end

--- The name of a probe: of a generic one, anything may follow its family.
local function probe_name_of(word)
  local name = word and word:find(':', 1, true) and unescape(word)
  if not name then return name_of(word, 'probe') end
  if not typed.split(name) then bad 'probe: not a name' end
  return name
end

local MOST_PATH, MOST_MEMBERS = 255, 16

--- The name of a field: of a generic probe also a path of names and numbers.
local function field_name_of(word, is_generic)
  if not is_generic or not word:find '[.%[]' then return name_of(word, 'field') end
  local count, path = 0, ''
  for key in typed_path.parts(word) do
    count, path = count + 1, typed_path.longer(path, key)
    local is_number = count > 1 and tostring(key):find '^%d+$'
    if not is_number then name_of(tostring(key), 'field') end
  end
  if #word > MOST_PATH or count > MOST_MEMBERS or path ~= word then bad 'field: not a name' end
  return word
end

local element_sizes = { u = { 1, 2, 4, 8 }, i = { 1, 2, 4, 8 }, b = { 1 } }

local function check_field(field, event_bytes)
  local what = 'field ' .. field.name
  if field.bytes < 1 or field.offset + field.bytes > event_bytes then bad(what .. ': outside its event') end
  if field.kind == 'c' then
    if field.elements ~= 0 then bad(what .. ': an array of text') end
  elseif field.kind == 's' then
    if field.type ~= 'ip_address' or field.bytes ~= 16 then bad(what .. ': a struct that is not known') end
  else
    local known = false
    for _, size in ipairs(element_sizes[field.kind] or {}) do known = known or size == field.element_bytes end
    if not known or field.bytes ~= field.element_bytes * math.max(1, field.elements) then
      bad(what .. ': of a kind or size that is not known')
    end
    if field.offset % field.element_bytes ~= 0 then bad(what .. ': not aligned') end
  end
end

--- What fields say of each other.
local function check_probe(probe)
  local by_name = {}
  for _, field in ipairs(probe.fields) do
    if by_name[field.name] then bad('field ' .. field.name .. ': twice') end
    by_name[field.name] = field
  end
  for _, field in ipairs(probe.fields) do
    for above in typed_path.above(field.name) do
      if by_name[above] then bad('field ' .. above .. ': a value and a struct') end
    end
    local length = field.kind == 'c' and by_name[field.name .. '_bytes']
    if length and not (length.kind == 'u' and length.bytes <= 4 and length.elements == 0
        and length.type == '' and not length.values) then
      bad('field ' .. length.name .. ': not a length')
    end
  end
  local time = by_name.time_ns
  if not time or time.kind ~= 'u' or time.bytes ~= 8 then
    bad('probe ' .. probe.name .. ': it does not tell the time')
  end
  probe.time_offset = time.offset
end

local readers = {}

local function last_probe(head)
  return head.probes[#head.probes] or bad('a line of no probe')
end

--- The schema at hand: of a probe that is there twice, nothing but its knobs may follow.
local function last_schema(head)
  local probe = last_probe(head)
  if probe.known then bad('probe ' .. probe.name .. ': described twice') end
  return probe
end

for _, name in ipairs { 'architecture', 'byte_order', 'kernel' } do
  readers[name] = function(head, rest) head[name] = unescape(rest) end
end
for name, most in pairs { word_bytes = 16, cpus = MOST_CPUS, started_ns = 2 ^ 62, realtime_offset_ns = 2 ^ 62 } do
  readers[name] = function(head, rest) head[name] = number_of(rest, name == 'cpus' and 1 or 0, most, name) end
end

function readers.probe(head, rest)
  local slot, name, bytes = rest:match '^(%S+) (%S+) (%S+)$'
  if #head.probes == MOST_PROBES then bad 'too many probes' end
  local probe = { slot = number_of(slot, 0, 255, 'slot'), name = probe_name_of(name), fields = {}, knobs = {},
    programs = {}, set = {}, bytes = number_of(bytes, 16, MOST_EVENT_BYTES, 'bytes'), about = '', blind = '' }
  for _, other in ipairs(head.probes) do
    if other.slot == probe.slot then bad('slot ' .. slot .. ': twice') end
    if other.name == probe.name then
      if other.bytes ~= probe.bytes then bad('probe ' .. name .. ': of two sizes') end
      probe.known = other.known or other
    end
  end
  head.probes[#head.probes + 1] = probe
end

function readers.about(head, rest) last_schema(head).about = unescape(rest) end
function readers.blind(head, rest) last_schema(head).blind = unescape(rest) end

function readers.field(head, rest)
  local probe = last_schema(head)
  local name, kind, offset, bytes, element_bytes, elements, late, type_name, doc =
    rest:match '^(%S+) (%a) (%d+) (%d+) (%d+) (%d+) (%a+) (%S+) (.*)$'
  if not name or #probe.fields == MOST_FIELDS then bad 'a field that is none, or too many' end
  local function size(word) return number_of(word, 0, MOST_EVENT_BYTES, 'field ' .. name) end
  local field = { name = field_name_of(name, probe.name:find(':', 1, true)), kind = kind, offset = size(offset),
    bytes = size(bytes), element_bytes = size(element_bytes), elements = size(elements), late = late == 'late',
    type = type_name == '-' and '' or name_of(type_name, 'type'), doc = unescape(doc) }
  check_field(field, probe.bytes)
  probe.fields[#probe.fields + 1] = field
end

function readers.value(head, rest)
  local probe = last_schema(head)
  local field = probe.fields[#probe.fields] or bad 'a value of no field'
  local number, name = rest:match '^(%S+) (%S+)$'
  head.values = head.values + 1
  if head.values > MOST_VALUES then bad 'too many values' end
  field.values = field.values or {}
  field.values[number_of(number, -2 ^ 62, 2 ^ 62, 'value')] = value_name_of(name)
end

function readers.knob(head, rest)
  local probe = last_schema(head)
  local name, bytes, kind, doc = rest:match '^(%S+) (%d+) (%a+) (.*)$'
  if #probe.knobs == MOST_FIELDS then bad 'too many knobs' end
  probe.knobs[#probe.knobs + 1] = { name = name_of(name, 'knob'), bytes = number_of(bytes, 1, 4096, 'knob'),
    is_text = kind == 'text', is_signed = kind == 'signed', doc = unescape(doc) }
end

local function last_knob(head)
  local list = last_schema(head).knobs
  return list[#list] or bad 'a preset of no knob'
end

function readers.preset_number(head, rest) last_knob(head).preset = number_of(rest, -2 ^ 63, 2 ^ 64, 'preset') end
function readers.preset_text(head, rest) last_knob(head).preset = unescape(rest) end

function readers.number(head, rest)
  local name, number = rest:match '^(%S+) (%S+)$'
  last_probe(head).set[name_of(name, 'knob')] = number_of(number, -2 ^ 63, 2 ^ 64, 'knob')
end

function readers.text(head, rest)
  local name, text = rest:match '^(%S+) (.*)$'
  last_probe(head).set[name_of(name, 'knob')] = unescape(text)
end

local function each_line(text)
  if text:sub(-1) ~= '\n' then bad 'its last line has no end' end
  return text:gmatch '([^\n]*)\n'
end

--- Are these a probe's knobs? One that is not set has its preset, if the recording knows it.
local function has_knobs(probe, knobs)
  local presets = {}
  for _, knob in ipairs((probe.known or probe).knobs) do presets[knob.name] = knob.preset end
  local function value_of(set, name)
    if set[name] ~= nil then return set[name] end
    return presets[name]
  end
  for _, set in ipairs { probe.set, knobs } do
    for name in pairs(set) do if value_of(probe.set, name) ~= value_of(knobs, name) then return false end end
  end
  return true
end

--- A head's text as a table, or nil and what is wrong with it.
---   architecture, byte_order, word_bytes, kernel, cpus, started_ns, realtime_offset_ns
---   probes   as engine.schema() gives them, with slot, time_offset, set = { [knob] = value }
---@param text string
---@return table|nil
---@return string? message
function recording.parse_head(text)
  local head, line_number = { probes = {}, values = 0 }, 0
  local ok, problem = pcall(function()
    for line in each_line(text) do
      line_number = line_number + 1
      local word, rest = line:match '^(%S+) (.*)$'
      if line_number == 1 then
        local format = word == 'moonprobe-recording' and rest:match '^%d+$' or bad 'not a head'
        if tonumber(format) > recording.FORMAT then
          bad(('made by a newer moonprobe: format %s, this one reads up to %d'):format(format, recording.FORMAT))
        end
      else
        local read = readers[word] or bad 'a line that is not understood'
        read(head, rest)
      end
    end
    line_number = nil
    for _, name in ipairs { 'architecture', 'byte_order', 'kernel', 'word_bytes', 'cpus', 'started_ns',
      'realtime_offset_ns' } do
      if head[name] == nil then bad(name .. ': missing') end
    end
    if #head.probes == 0 then bad 'no probes' end
    for _, probe in ipairs(head.probes) do
      if not probe.known then check_probe(probe) end
      probe.time_offset = (probe.known or probe).time_offset
    end
  end)
  if ok then return head end
  local where = line_number and line_number > 1 and ('line %d of its head: '):format(line_number) or ''
  return nil, where .. tostring(problem)
end

--- The recorded probe for a source of a script: the one with its knobs. Other knobs are another
--- selection of events.
---@param head table
---@param name string
---@param knobs { [string]: number|string }
---@return table|nil probe the first of that name, when none has these knobs
---@return boolean has_knobs
function recording.probe_for(head, name, knobs)
  local first
  for _, probe in ipairs(head.probes) do
    if probe.name == name then
      if has_knobs(probe, knobs) then return probe, true end
      first = first or probe
    end
  end
  return first, false
end

--- A list { { kind, number, name }... }; raises.
function recording.parse_names(text)
  local list = {}
  for line in each_line(text) do
    local kind, number, name = line:match '^(%l+) (%d+) (.*)$'
    if #list == 65536 or not kind then bad 'names that are not understood' end
    list[#list + 1] = { kind, number_of(number, 0, 2 ^ 47, 'name'), unescape(name) }
  end
  return list
end

--- The moment and the rows; raises.
function recording.parse_counters(text)
  local now_ns, rows = nil, {}
  for line in each_line(text) do
    if not now_ns then
      now_ns = number_of(line:match '^time (%d+)$', 0, 2 ^ 62, 'time')
    else
      local row = {}
      for word in line:gmatch '%S+' do row[#row + 1] = number_of(word, 0, 2 ^ 62, 'counter') end
      if #row ~= 6 or #rows == MOST_PROBES * MOST_CPUS then bad 'counters that are not understood' end
      rows[#rows + 1] = row
    end
  end
  return now_ns or bad 'counters without a time', rows
end

return recording
