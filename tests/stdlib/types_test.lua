-- SPDX-License-Identifier: Apache-2.0
--- stdlib/types: the stubs have all there is, and say of it what it is.
local tap = require 'tap'
local ffi = require 'ffi'
local aggregate = require 'moonprobe.aggregate'
local all = require 'moonprobe.types.all'
local check = require 'moonprobe.types.check'
local docs = require 'moonprobe.types.docs'
local engine = require 'moonprobe.engine'
local environment = require 'moonprobe.environment'
local schema = require 'moonprobe.schema'
local stream = require 'moonprobe.stream'

local probes = schema.plain(engine.assets('probes/', '.bpf.o'))
local files, problems = all.files(probes)
tap.is(problems, {}, 'every public function has a docstring that fits it')
local texts = {}
for _, file in ipairs(files) do
  texts[file.name] = file.text
  tap.ok(file.text:find('^%-%-%-@meta\n'), file.name .. ' is a stub')
  local ok, problem = loadstring(file.text, '@' .. file.name)
  tap.ok(ok, file.name .. ' is Lua', problem)
  tap.ok(not file.text:find('[ \t]\n'), file.name .. ': no spaces at ends of lines')
end

local function has(text, part) return text and text:find(part, 1, true) ~= nil end

-- Public modules: everything they export.
for _, name in ipairs(all.modules()) do
  local text, missing = texts[name:gsub('%.', '/') .. '.lua'], {}
  for key, value in pairs(require(name)) do
    local part = type(value) == 'function' and ('.%s('):format(key) or ('---@field %s '):format(key)
    if not key:find('^_') and not has(text, part) then missing[#missing + 1] = key end
  end
  tap.is(missing, {}, name .. ': has all it exports')
end
for name in pairs(environment.public_modules) do
  if name:find('^moonprobe') then tap.ok(texts[name:gsub('%.', '/') .. '.lua'], name .. ' has a stub') end
end

-- Probes: every field with the type its values have, every knob, every method, every aggregate.
local function fits(value, said)
  if value == nil then return said:find('%?$') ~= nil end
  if type(value) == 'table' then return said == type(value[1] or '') .. '[]' or said == 'integer[]' end
  if said:find("^'") then return type(value) == 'string' end
  if type(value) == 'cdata' then return said == 'integer' end
  local plain = said:gsub('%?$', '')
  return type(value) == (plain == 'integer' and 'number' or plain)
end

for _, name in ipairs(probes) do
  local self, text, wrong = schema.of(name), texts['moonprobe/probes/' .. name .. '.lua'], {}
  for field in pairs(self.readable) do
    local said = text:match('\n%-%-%-@field ' .. field .. ' (%S+) ')
    if not said or not has(text, ("'%s'"):format(field)) then wrong[#wrong + 1] = field .. ' is missing' end
    for _, byte in ipairs { 0, 255, 1 } do
      local memory = ffi.new('uint8_t[?]', self.bytes)
      ffi.fill(memory, self.bytes, byte)
      local value = ffi.cast(self.pointer, memory)[field]
      if said and not fits(value, said) then
        wrong[#wrong + 1] = ('%s: %s is no %s'):format(field, type(value), said)
      end
    end
  end
  for _, knob in ipairs(self.knobs) do
    if not has(text, ('\n---@field %s? '):format(knob.name)) then wrong[#wrong + 1] = knob.name end
  end
  for _, kind in ipairs(aggregate.kinds()) do
    if not has(text, (':%s('):format(kind)) then wrong[#wrong + 1] = kind end
  end
  for _, method in ipairs { 'where', 'when', 'each' } do
    if not has(text, (':%s('):format(method)) then wrong[#wrong + 1] = method end
  end
  tap.is(wrong, {}, name .. ': fields, knobs, aggregates, methods')
  local form = name == probes[1] and ("---@param name '%s'"):format(name) or ("fun(name: '%s', "):format(name)
  tap.ok(has(texts['moonprobe.lua'], form), name .. ': mp.probe gives its stream')
end

-- What a method can be misspelt as is known to the stream itself, and so are its options.
local ok, message = pcall(function() return stream.open('signal'):count { qqqqqqqqq = 1 } end)
local options = not ok and message:match('it has (.*)$') or ''
for option in options:gmatch('%w[%w_]*') do
  tap.ok(has(texts['moonprobe/shared.lua'], ('---@field %s? '):format(option)), 'option ' .. option .. ' of aggregates')
end
tap.ok(#options > 20, 'which are told', message)

-- A probe's stub speaks of that probe.
local connect = texts['moonprobe/probes/tcp_connect.lua']
tap.ok(has(connect, '---@field latency_ns integer (ns) '), 'units')
tap.ok(has(connect, '---@field error string? '), 'what may be nil')
tap.ok(has(connect, '---@param handler fun(e: moonprobe.Event.tcp_connect)\n'), 'handlers get its event')
tap.ok(not connect:find('e: moonprobe%.Event[^.]'), 'and no other')
tap.ok(has(connect, '---@field error? string|integer\n') and not has(connect, '---@field time? '), 'what tests give')
tap.ok(has(texts['moonprobe/test.lua'] or '', 'function test.load('), 'what tests call')
tap.ok(has(texts['moonprobe/shared.lua'], "---@overload fun(self: moonprobe.Run, probe: 'tcp_connect', "
  .. 'values: moonprobe.Values.tcp_connect, knobs?: moonprobe.Knobs.tcp_connect): moonprobe.Run\n'), 'run:feed')
tap.ok(has(texts['moonprobe/probes/file_io.lua'], "---@field operation 'read'|'write' "), 'enums by name')

-- Docstrings that do not fit.
local function judged(text)
  local source = 'local m = {}\n' .. text
  local read = docs.read(source)
  return check.problem(read.defined['m.f'], check.returns(source, 'm.lua')) or 'fine'
end
tap.is(judged('--- Does.\n---@param a any\nfunction m.f(a) print(a) end'), 'fine', 'one that fits')
tap.is(judged('--- Does.\n---@return any\nfunction m.f() return m.g() end'), 'fine', 'a tail call returns')
tap.is(judged('function m.f() end'), 'has no docstring', 'none')
tap.like(judged('---@return any\nfunction m.f() return 1 end'), 'says nothing', 'only tags')
tap.like(judged('--- Does.\nfunction m.f(a, b) print(a, b) end'), '%(a, b%), .*for %(%)', 'no parameters')
tap.like(judged('--- Does.\n---@param a any\n---@param c any\nfunction m.f(a, b) print(a, b) end'), 'for %(a, c%)',
  'another name')
tap.like(judged('--- Does.\n---@param a any\nfunction m.f(a, ...) print(a, ...) end'), '%(a, %.%.%.%)', 'no varargs')
tap.like(judged('--- Does.\nfunction m.f() return 1 end'), 'returns something', 'no return')
tap.like(judged('--- Does.\n---@return any\nfunction m.f() print(1) end'), 'returns nothing', 'a return too many')
tap.like(judged('--- Does.\n---@return any\nfunction m.f() print(function() return 1 end) end'), 'returns nothing',
  'what an inner function returns')
tap.is(check.problem(nil, {}), 'its definition is not found', 'no definition')
tap.done()
