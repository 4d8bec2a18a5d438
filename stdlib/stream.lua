-- SPDX-License-Identifier: Apache-2.0
--- Stream: the events of a probe on their way to a handler or an aggregate.
---
---   mp.probe 'process_exec' :where(function(e) return e.uid == 0 end) :count 'comm'
---
--- Every method but the aggregates' returns a stream; where() a narrower one, so a probe can
--- be split into several.

local bit = require 'bit'
local aggregate = require 'moonprobe.aggregate'
local blame = require 'moonprobe.blame'
local chains = require 'moonprobe.chains'
local nearest = require 'moonprobe.nearest'
local place = require 'moonprobe.place'
local reads = require 'moonprobe.reads'
local schema = require 'moonprobe.schema'
local typed = require 'moonprobe.typed'
local typed_path = require 'moonprobe.typed_path'

local stream = {}

local MOST_PROBES = 32 -- engine/kernel_side.h

--- What the script uses, in the order of first use:
---   { schema, knobs = { [name] = value }, fields = { [name] = true }, sinks = { { filters, take } } }
stream.sources = {}

--- Sources that are no probes, of which nothing runs in the kernel (own rings).
stream.others = {}

--- What is made of each function before it is called with events; nil: nothing.
stream.wrap = nil

local Stream = {}


--- Marks a typed field of a generic probe as read.
---@param late boolean only when the event is on its way to the worker
---@param guess boolean|nil it may mean something else
---@return string|nil problem
local function want_typed(source, path, whole, late, guess)
  local self = source.schema
  local first = typed_path.first(path)
  if path == first and not typed.is_root(path) then
    return schema.unknown_field(self, path)
  end
  local name, problem = typed.read(self, path, whole and not guess, not late, guess)
  if name then source.fields[name] = true end
  return problem
end

--- Marks a field as read; gives its one name.
local function want(source, name, late)
  local member = source.schema.readable[name]
  if source.schema.typed and (not member or source.schema.typed.leaves[member]) then
    name = typed_path.canonical(name)
    local problem = want_typed(source, name, true, late)
    if problem then blame(problem) end
    return name
  end
  if not member then blame(schema.unknown_field(source.schema, name)) end
  source.fields[member] = true
  if source.schema.readable[member .. '_bytes'] then source.fields[member .. '_bytes'] = true end
  return name
end

--- The same for what a function reads of a generic probe.
local function want_chains(source, fn, late)
  local self = source.schema
  local found, escapes = chains.of(fn)
  for _, read in ipairs(found) do
    local first = typed_path.first(read.path)
    if self.readable[first] and not self.typed.leaves[first] then
      want(source, first)
    else
      local problem = want_typed(source, read.path, read.whole, late, read.guess)
      if problem and not read.guess then error(('%s:%d: %s'):format(read.file, read.line, problem), 0) end
    end
  end
  source.reads_any = source.reads_any or escapes
end

--- Marks all that a function reads.
local function want_reads(source, fn, late)
  if source.schema.typed then return want_chains(source, fn, late) end
  local found, file = reads(fn)
  if not found then
    for _, member in pairs(source.schema.readable) do source.fields[member] = true end
    return
  end
  for _, read in ipairs(found) do
    if not source.schema.readable[read.name] then
      error(('%s:%d: %s'):format(file, read.line, schema.unknown_field(source.schema, read.name)), 0)
    end
    want(source, read.name)
  end
end

--- The script is loaded: nothing is opened or added any more, and all that is read is known.
function stream.freeze()
  for _, source in ipairs(stream.sources) do
    schema.finish(source.schema)
    for path in pairs(source.schema.typed and source.schema.typed.passed or {}) do source.fields[path] = nil end
    if source.reads_any then
      for _, member in pairs(source.schema.readable) do source.fields[member] = true end
    end
  end
  stream.frozen = true
end

local function check_function(method, fn)
  if type(fn) ~= 'function' then blame(method .. ': needs a function of the event') end
end

local function same_knobs(a, b)
  for name, value in pairs(a) do if b[name] ~= value then return false end end
  for name in pairs(b) do if a[name] == nil then return false end end
  return true
end

local function check_knobs(self, knobs)
  local known = {}
  for i, knob in ipairs(self.knobs) do
    known[i] = knob.name
    known[knob.name] = knob
  end
  for name, value in pairs(knobs) do
    local knob = type(name) == 'string' and known[name]
    if not knob then
      local near = nearest(tostring(name), known)
      blame(("probe %s has no knob '%s'%s"):format(self.name, tostring(name),
        near and ("; did you mean '%s'?"):format(near) or
        (#known > 0 and '; it has ' .. table.concat(known, ', ') or '')))
    end
    local want_type = knob.is_text and 'string' or 'number'
    if type(value) == 'boolean' and not knob.is_text then
      knobs[name] = value and 1 or 0
    elseif type(value) ~= want_type then
      blame(('probe %s: knob %s needs a %s'):format(self.name, name, want_type))
    elseif knob.is_text then
      if #value >= knob.bytes then
        blame(('probe %s: knob %s: text of less than %d bytes'):format(self.name, name, knob.bytes))
      end
    else
      local most = 2 ^ (8 * knob.bytes - (knob.is_signed and 1 or 0))
      local least = knob.is_signed and -most or 0
      if not (value == math.floor(value) and value < most and value >= least) then
        blame(('probe %s: knob %s needs an integer from %.0f to %.0f'):format(self.name, name, least, most - 1))
      end
    end
  end
end

--- The schema that the script has of a probe: a generic one's is the script's own.
local function opened(name)
  for _, source in ipairs(stream.sources) do
    if source.schema.name == name then return source.schema end
  end
end

--- The events of a probe. Calling it again with the same knobs gives the same instance.
---@param name moonprobe.Probe
---@param knobs moonprobe.Knobs|nil
---@return moonprobe.Stream
function stream.open(name, knobs)
  if type(name) ~= 'string' then blame("probe: needs a probe's name") end
  local self, message = opened(name), nil
  if not self then self, message = schema.of(name) end
  if not self then blame(message) end
  local copy = {}
  for knob, value in pairs(knobs or {}) do copy[knob] = value end
  check_knobs(self, copy)
  local source
  for _, one in ipairs(stream.sources) do
    if one.schema == self and same_knobs(one.knobs, copy) then source = one end
  end
  if not source then
    if stream.frozen then blame('probe: all probes are opened while the script is loaded') end
    if #stream.sources == MOST_PROBES then blame('probe: more than %d probes in one script', MOST_PROBES) end
    source = { schema = self, knobs = copy, fields = {}, sinks = {} }
    stream.sources[#stream.sources + 1] = source
  end
  return setmetatable({ source = source, filters = {}, kernel = false }, Stream)
end

--- The events of a source that is no probe: nothing of it runs in the kernel (stdlib/own_rings.lua).
function stream.of_source(source)
  if not stream.others[source] then stream.others[source], stream.others[#stream.others + 1] = true, source end
  return setmetatable({ source = source, filters = {}, kernel = false }, Stream)
end

---@class moonprobe.Stream
local methods = {}

--- Lets only events pass for which the function returns true. It runs in the kernel when it can be
--- translated, else here, with the same result; `moonprobe explain` tells which.
--- where(f, { kernel = true }), or where{ f, kernel = true }: an error when it cannot.
---@param predicate fun(e: moonprobe.Event): any
---@param options { kernel: boolean }|nil
---@return moonprobe.Stream stream a new one
---@overload fun(self: moonprobe.Stream, predicate: moonprobe.Predicate): moonprobe.Stream
function methods:where(predicate, options)
  if type(predicate) == 'table' then predicate, options = predicate[1], predicate end
  check_function('where', predicate)
  want_reads(self.source, predicate)
  local filters = {}
  for i, filter in ipairs(self.filters) do filters[i] = filter end
  filters[#filters + 1] = predicate
  local kernel = self.kernel or options ~= nil and options.kernel == true
  return setmetatable({ source = self.source, filters = filters, kernel = kernel }, Stream)
end

--- where(), when an option asks for it: :when(opt.uid, function(e) return e.uid == opt.uid end)
---@param asked any nil or false: all events pass
---@param predicate fun(e: moonprobe.Event): any
---@return moonprobe.Stream
function methods:when(asked, predicate)
  check_function('when', predicate)
  return asked and self:where(predicate) or self
end

--- Calls the function with every event. The event is valid during the call: copy fields that
--- are needed later.
---@param handler fun(e: moonprobe.Event)
---@return moonprobe.Stream stream the same
function methods:each(handler)
  check_function('each', handler)
  if stream.frozen then blame('each: handlers are added while the script is loaded') end
  want_reads(self.source, handler, true)
  self.source.sinks[#self.source.sinks + 1] = { filters = self.filters, take = handler, kernel = self.kernel }
  return self
end

local function is_list(of, name)
  local leaf = of.typed and of.typed.leaves[name]
  if leaf then return leaf.elements > 0 end
  for _, field in ipairs(of.fields or {}) do -- rings of own objects have types instead
    if field.name == name then return field.elements > 0 end
  end
  return false
end

--- A function of the event from a field's name, several names, or a function.
local function key_of(source, by, late)
  if by == nil then return nil, {}, {} end
  local parts = {}
  local getters, names = {}, {}
  for i, part in ipairs(type(by) == 'table' and by or { by }) do
    parts[i] = part
    if type(part) == 'function' then
      want_reads(source, part, late)
      getters[i], names[i] = part, 'key' .. i
    elseif type(part) == 'string' then
      part = want(source, part, late)
      if is_list(source.schema, part) then -- each is a table of its own, equal to no other
        local element = source.schema.typed and "'%s[0]'" or 'function(e) return e.%s[1] end'
        blame(("by: '%s' is a list; fold by an element, as by " .. element):format(part, part))
      end
      getters[i], names[i], parts[i] = function(event) return event[part] end, part, part
    else
      blame('by: needs field names or functions')
    end
  end
  return getters, names, parts
end

--- A field of an event, as a probe's own stub names them.
---@alias moonprobe.Field string

--- A part of an aggregate's key.
---@alias moonprobe.Key moonprobe.Field|fun(e: moonprobe.Event): any

--- What where{ f, kernel = true } takes.
---@class moonprobe.Predicate
---@field [1] fun(e: moonprobe.Event): any
---@field kernel boolean

--- The name of a probe. A function that takes one is declared once for each, with what belongs to it.
---@alias moonprobe.Probe string

--- Fields of an event that a test makes up.
---@alias moonprobe.Values table<string, any>

--- Knobs of any probe; a probe's own stub names its own.
---@alias moonprobe.Knobs table<string, integer|boolean|string>

--- Options of every aggregate.
---@class moonprobe.AggregateOptions
---@field by? moonprobe.Key|moonprobe.Key[] what is one key
---@field full? 'refuse'|'lru' with max_keys keys: refuse new ones, or drop the one unused for longest
---@field kernel? boolean an error when it cannot run in the kernel
---@field key_names? string[] what the parts of a key are called, when they are functions
---@field label? string what the values are
---@field max_keys? integer (10000)
---@field name? string the heading
---@field note? moonprobe.Key tells more about a key, as its first event has it

local OPTIONS = { 'by', 'full', 'kernel', 'key_names', 'label', 'max_keys', 'name', 'note' }
local MOST_KEYS = 1048576 -- bpf/include/plan.h

local function check_options(kind, options)
  local known = {}
  for _, name in ipairs(OPTIONS) do known[#known + 1], known[name] = name, true end
  for _, name in ipairs(kind.options or {}) do known[#known + 1], known[name] = name, true end
  for name in pairs(options) do
    if type(name) ~= 'string' or not known[name] then
      local near = nearest(tostring(name), known)
      blame(("%s: no option '%s'; %s"):format(kind.name, tostring(name), near
        and ("did you mean '%s'?"):format(near) or 'it has ' .. table.concat(known, ', ')))
    end
  end
  local full, keys = options.full, options.max_keys
  if full ~= nil and full ~= 'refuse' and full ~= 'lru' then
    blame(("%s: full: 'refuse' or 'lru'"):format(kind.name))
  end
  if keys ~= nil and not (type(keys) == 'number' and keys >= 1 and keys <= MOST_KEYS and keys == math.floor(keys)) then
    blame(('%s: max_keys: an integer from 1 to %d'):format(kind.name, MOST_KEYS))
  end
  if options.key_names ~= nil and type(options.key_names) ~= 'table' then
    blame(('%s: key_names: needs a list'):format(kind.name))
  end
  local problem = kind.check and kind.check(options)
  if problem then blame(('%s: %s'):format(kind.name, problem)) end
end

local function add_aggregate(self, kind, field, options)
  check_options(kind, options)
  if stream.frozen then blame(kind.name .. ': aggregates are added while the script is loaded') end
  local value
  if kind.takes_value then
    if type(field) == 'function' then
      want_reads(self.source, field)
      value = field
    elseif type(field) == 'string' then
      field = want(self.source, field)
      value = function(event) return event[field] end
    else
      blame(kind.name .. ': needs a field name or a function')
    end
  end
  local getters, names, parts = key_of(self.source, options.by)
  local note = options.note and key_of(self.source, options.note, true)[1]
  local made = aggregate.new(kind, {
    probe = self.source.schema.name,
    field = type(field) == 'string' and field or nil,
    names = options.key_names or names,
    options = options,
  })
  self.source.sinks[#self.source.sinks + 1] = {
    filters = self.filters,
    take = made:taker(getters, value, note),
    kernel = self.kernel or options.kernel == true,
    place = place(),
    fold = { kind = kind, options = options, keys = parts, value = kind.takes_value and field or nil,
      note = options.note, made = made },
  }
  return made
end

--- count(by...), sum(field, options), histogram(field, options), ...: one method for every
--- file in stdlib/aggregates. A kind that takes no value takes its keys instead.
local function aggregate_method(kind)
  return function(self, field, ...)
    if not kind.takes_value then
      local by = { field, ... }
      local options = type(field) == 'table' and field or { by = #by > 0 and by or nil }
      return add_aggregate(self, kind, nil, options)
    end
    local options = ... or {}
    if type(options) ~= 'table' then options = { by = { ... } } end
    return add_aggregate(self, kind, field, options)
  end
end

Stream.__index = function(_, name)
  if methods[name] then return methods[name] end
  local kind = type(name) == 'string' and aggregate.kind(name)
  if kind then
    methods[name] = aggregate_method(kind)
    return methods[name]
  end
  local names = aggregate.kinds()
  for method in pairs(methods) do names[#names + 1] = method end
  local near = nearest(tostring(name), names)
  blame(("a stream has no method '%s'%s"):format(tostring(name),
    near and ("; did you mean '%s'?"):format(near) or ''))
end

local MOST_BOUND = 50 -- a Lua function has at most 60 upvalues

--- The code of one sink: `if test and test then take end`, its functions bound to names.
local function call_of(bind, filters, take, more)
  local tests = {}
  for i, filter in ipairs(filters) do tests[i] = bind(filter) .. '(e)' end
  local call = ('%s(e%s)'):format(bind(take), more or '')
  return #tests > 0 and ('if %s then %s end'):format(table.concat(tests, ' and '), call) or call
end

--- The code of one sink that the kernel's stages have judged (stage/plan.lua, the verdict):
--- below 128 the kernel's filters have passed; up to 255 all filters are asked again; from 256 on: judged
--- by stages of another version, which may have folded it by itself.
local function judged_call(bind, sink, alone)
  local job = sink.job
  local theirs = job.fold and call_of(bind, sink.filters, sink.take, ', v - 256')
  if not job.bit then return ('if v > 255 then %s end'):format(theirs) end -- the kernel always decides, and folds
  local passed = call_of(bind, job.left, sink.take)
  local again = call_of(bind, sink.filters, sink.take)
  local mine = alone and '' or ('if band(v, %d) ~= 0 then '):format(job.bit)
  local code = ('if v < 128 then %s%s%s elseif v < 256 then %s%s%s'):format(
    mine, passed, alone and '' or ' end', mine, again, alone and '' or ' end')
  return ('%s else %s end'):format(code, theirs or again)
end

--- One function for some sinks.
local function compiled(sinks)
  local names, values, body = { 'band' }, { bit.band }, {}
  local function bind(fn)
    if not names[fn] then
      values[#values + 1] = stream.wrap and stream.wrap(fn) or fn
      names[#values] = 'f' .. #values
      names[fn] = names[#values]
    end
    return names[fn]
  end
  for i, sink in ipairs(sinks) do
    body[i] = sink.job and judged_call(bind, sink, sink.alone) or call_of(bind, sink.filters, sink.take)
  end
  local code = ('local %s = ... return function(e, v) %s end')
    :format(table.concat(names, ', '), table.concat(body, ' '))
  return assert(loadstring(code, '=pipeline'))(unpack(values))
end

--- One function for all sinks of a source. It is generated, so that every source has code of
--- its own, which the trace compiler can specialise.
---@param source table
---@param jobs table[]|nil what the kernel does of each sink (stage/plan.lua)
---@return fun(event, verdict: integer)
function stream.pipeline(source, jobs)
  local groups, bound = { {} }, 0
  for i, sink in ipairs(source.sinks) do
    local need = #sink.filters + 1
    bound = bound + need
    if bound > MOST_BOUND then groups[#groups + 1], bound = {}, need end
    table.insert(groups[#groups], { filters = sink.filters, take = sink.take, job = jobs and jobs[i],
      alone = #source.sinks == 1 })
  end
  if #groups == 1 then return compiled(groups[1]) end
  local parts = {}
  for i, group in ipairs(groups) do parts[i] = compiled(group) end
  return function(e, v)
    for i = 1, #parts do parts[i](e, v) end
  end
end

return stream
