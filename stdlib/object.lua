-- SPDX-License-Identifier: Apache-2.0
--- Object: a BPF object of the script's own: any CO-RE object that libbpf loads.
---
---   local object = mp.object 'my.bpf.o'
---   object:ring('events', 'struct event'):each(function(e) mp.row(e.pid, e.comm) end)
---   mp.finally(function() for pid, count in object.maps.counts:each() do mp.row(pid, count) end end)
---
---   load script -> object, its types -> load, entry -> host loads it -> maps -> attached -> run
---
--- Nothing is attached before the script is loaded and checked. A reload with the same bytes and options
--- keeps programs, links and maps.

local asked = require 'moonprobe.ask_for_file'
local blame = require 'moonprobe.blame'
local btf = require 'moonprobe.btf'
local engine = require 'moonprobe.engine'
local ffi = require 'ffi'
local host = require 'moonprobe.host'
local job = require 'moonprobe.job'
local json = require 'moonprobe.json'
local layout = require 'moonprobe.layout'
local map_kind = require 'moonprobe.map_kind'
local map_state = require 'moonprobe.map_state'
local nearest = require 'moonprobe.nearest'
local output = require 'moonprobe.output'
local own_map = require 'moonprobe.own_map'
local own_rings = require 'moonprobe.own_rings'
local stream = require 'moonprobe.stream'

local object = {}

local MOST_OBJECTS = 16 -- engine/own_objects.h
local MOST_NAME = 255 -- engine/object.h
local ENTRIES_BYTES = 30000 -- in a message, unless one alone has more
local OPTIONS_BYTES = 60000 -- of an object, in one message

local all = {} -- in the order of first use, as the host knows them
local selves = setmetatable({}, { __mode = 'k' }) -- [Object] = what is known of it

local function near_text(name, names)
  local near = type(name) == 'string' and nearest(name, names)
  return near and ("; did you mean '%s'?"):format(near) or #names > 0 and '; it has ' .. table.concat(names, ', ') or ''
end

local function sorted(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  return names
end

--- '.bss' of 'own.bss', as libbpf calls the map of a section.
local function section_of(name) return name:match '^own(%.[%w_.]+)$' or name end

--- Options: words for the host.

local function wrong(name, format, ...)
  blame('object %s: %s', name, format:format(...))
end

local function add_attach(self, words, attach)
  if attach == nil or attach == true then return end
  if attach == false then
    words[#words + 1] = 'detached'
    return
  end
  if type(attach) ~= 'table' then wrong(self.name, 'attach: needs a list of programs, or false') end
  local names = {}
  for _, program in ipairs(self.programs) do names[#names + 1], names[program.name] = program.name, program end
  for key in pairs(attach) do
    if type(key) ~= 'number' then wrong(self.name, "attach: needs a list of programs; '%s' is no place in one", key) end
  end
  if #attach == 0 then words[#words + 1] = 'detached' end
  for _, name in ipairs(attach) do
    if type(name) ~= 'string' or not names[name] then
      wrong(self.name, "has no program '%s'%s", tostring(name), near_text(name, names))
    end
    words[#words + 1], words[#words + 2] = 'attach', name
    names[name].named = true
  end
  self.only_named = true
end

--- The constants: [name] = layout, as the BTF has them.
local function constants_of(types)
  local constants, names = {}, {}
  for _, one in ipairs(types.all) do
    if one.kind == 'section' and one.name == '.rodata' then
      for _, member in ipairs(one.members) do
        local variable = types.all[member.type]
        if variable and variable.kind == 'variable' then
          constants[variable.name] = layout.of(types, variable.type)
          names[#names + 1] = variable.name
        end
      end
    end
  end
  return constants, names
end

local function add_constants(self, words, values)
  if values == nil then return end
  if type(values) ~= 'table' then wrong(self.name, 'rodata: needs a table of constants') end
  local constants, names = constants_of(self.types)
  for _, name in ipairs(sorted(values)) do
    local one = constants[name]
    if not one then
      wrong(self.name, "has no constant '%s'%s", tostring(name), #names == 0
        and '; those are const volatile variables' or near_text(name, names))
    end
    local bytes = ffi.new('uint8_t[?]', one.bytes)
    local ok, message = layout.try(one.write, bytes, values[name], 'rodata.' .. name)
    if not ok then wrong(self.name, '%s', message) end
    words[#words + 1], words[#words + 2], words[#words + 3] = 'rodata', name, ffi.string(bytes, one.bytes)
  end
end

local function add_maps(self, words, maps)
  if maps == nil then return end
  if type(maps) ~= 'table' then wrong(self.name, 'maps: needs a table of { name = { max_entries = n } }') end
  for _, name in ipairs(sorted(maps)) do
    local one = maps[name]
    if not self.by_name[name] then
      wrong(self.name, "has no map '%s'%s", tostring(name), near_text(name, self.map_names))
    end
    for key in pairs(type(one) == 'table' and one or { [tostring(one)] = true }) do
      if key ~= 'max_entries' then wrong(self.name, "maps.%s: only max_entries can be set, not '%s'", name, key) end
    end
    local entries = one.max_entries
    if type(entries) ~= 'number' or entries < 1 or entries > 2 ^ 32 - 1 or entries ~= math.floor(entries) then
      wrong(self.name, 'maps.%s.max_entries: expected an integer from 1 to %.0f, given %s', name, 2 ^ 32 - 1,
        layout.shown(entries))
    end
    words[#words + 1], words[#words + 2], words[#words + 3] = 'entries', self.by_name[name].libbpf_name, entries
    self.by_name[name].max_entries = entries
  end
end

local known_options = { 'attach', 'rodata', 'maps' }

local function words_of(self, options)
  local words = {}
  if type(options) ~= 'table' then wrong(self.name, 'needs a table of options') end
  for name in pairs(options) do
    local known = name == 'attach' or name == 'rodata' or name == 'maps'
    if not known then wrong(self.name, "no option '%s'%s", tostring(name), near_text(name, known_options)) end
  end
  add_attach(self, words, options.attach)
  add_constants(self, words, options.rodata)
  add_maps(self, words, options.maps)
  local bytes = 0
  for _, word in ipairs(words) do bytes = bytes + #tostring(word) + 10 end
  if bytes > OPTIONS_BYTES then wrong(self.name, 'its options have more than %d bytes', OPTIONS_BYTES) end
  return words
end

--- Opening.

local Object = {}

--- What may be said of an object.
---@class moonprobe.ObjectOptions
---@field attach? string[]|false the programs that are attached, no others; false: none
---@field rodata? table<string, any> values of const volatile variables
---@field maps? table<string, { max_entries: integer }> sizes of maps

local function read(name)
  local bytes, found = asked('object', name)
  if not bytes then wrong(name, '%s', found or 'cannot be read') end
  local what, message = engine.object(bytes)
  if not what then wrong(name, '%s', message) end
  local types, problem = btf.parse(what.btf)
  if not types then wrong(name, '%s', problem) end
  return what, types
end

local function add_own_maps(self, what)
  self.maps, self.by_name, self.map_names = {}, {}, {}
  for index, one in ipairs(what.maps) do
    one.libbpf_name, one.name, one.index = one.name, section_of(one.name), index - 1
    self.by_name[one.name] = one
    self.map_names[index] = one.name
  end
  table.sort(self.map_names)
end

--- A map, when it is asked for: one whose types nobody can read spoils nothing else.
local function map_of(self, name)
  local one = self.by_name[name]
  if not one then wrong(self.name, "has no map '%s'%s", tostring(name), near_text(name, self.map_names)) end
  if not one.map then
    local message
    one.map, message = own_map.declared(one, self.types, self.queue, { object = self.number, index = one.index })
    if not one.map then wrong(self.name, '%s', message) end
    local state = map_state.of(one.map)
    if job.replay or job.record or job.test or job.check then
      state.absent = 'is not there: nothing is loaded here'
      state.queue = {}
    elseif self.given then
      local problem = self.given[one.index] and own_map.attach(one.map, self.given[one.index].message,
        self.given[one.index].at, self.given[one.index].fd)
      if problem or not self.given[one.index] then wrong(self.name, '%s', problem or name .. ' was not made') end
    end
  end
  return one.map
end

--- Loads a BPF object of the script's own: it is attached when the script runs, by its SEC() names, and closed
--- when the script ends. It needs --allow object, for its programs may do anything in the kernel.
--- attach: the programs that are attached (preset: all that say where; false: none). rodata: values of const
--- volatile variables. maps: { NAME = { max_entries = n } }.
---@param name string a path from the script's folder, or from one on the search path (-I)
---@param options moonprobe.ObjectOptions|nil
---@return moonprobe.Object
function object.open(name, options)
  if type(name) ~= 'string' or name == '' or #name > MOST_NAME or name:find '%z' then
    blame("object: needs a file's name, of at most %d bytes", MOST_NAME)
  end
  if not job.allowed.object then
    blame("object: 'object' is not granted to this script: its programs could do anything in the kernel; "
      .. 'run it with --allow object')
  end
  if stream.frozen then blame('object: all objects are opened while the script is loaded') end
  if #all == MOST_OBJECTS then blame('object: more than %d objects in one script', MOST_OBJECTS) end
  local what, types = read(name)
  local self = { name = name, types = types, programs = what.programs, queue = {}, number = #all }
  add_own_maps(self, what)
  self.words = words_of(self, options or {})
  for _, one in ipairs(all) do
    local same = one.name == name and #one.words == #self.words
    for i, word in ipairs(self.words) do same = same and one.words[i] == word end
    if same then return one.public end
  end
  all[#all + 1] = self
  self.public = setmetatable({
    maps = setmetatable({}, { __index = function(_, map) return map_of(self, map) end }),
  }, Object)
  selves[self.public] = self
  return self.public
end

--- A BPF object of the script's own. `object.maps.NAME` is a map of it (moonprobe.Map); sections of variables
--- are object.maps['.data'], ['.bss'] and ['.rodata'].
---@class moonprobe.Object
---@field maps table<string, moonprobe.Map>
local methods = {}

--- The struct that a ring's records are, when the script does not say it: of a tag
--- __attribute__((btf_decl_tag("event:NAME"))) on the map, else of a variable `struct NAME *unused...`, as bpf2go
--- wants one, too.
local function event_type(self, ring)
  local types, candidates = self.types, {}
  for _, one in ipairs(types.all) do
    if one.kind == 'tag' and one.component == -1 then
      local variable, name = types.all[one.type], one.name:match '^event:(.*)$'
      local is_its = name and variable and variable.kind == 'variable' and variable.name == ring
      if is_its then return types:find(name), name end
    elseif one.kind == 'variable' and one.name:find '^_*unused' then
      local pointer = types:resolve(one.type)
      local target = pointer and pointer.kind == 'pointer' and types:resolve(pointer.type)
      if target and target.kind == 'struct' then candidates[#candidates + 1] = { id = target.id, by = one.name } end
    end
  end
  if #candidates > 1 then
    for _, one in ipairs(candidates) do if one.by:find(ring, 1, true) then return one.id end end
    return nil
  end
  return candidates[1] and candidates[1].id
end

--- The records of a ring (BPF_MAP_TYPE_RINGBUF) as a stream of events: each, where, count and all other
--- aggregates, which run in the worker here. A handler gets a record in place: it is valid during the call. What
--- is received is counted, see received(), and is in the closing summary; what a program could not send only the
--- object itself can count.
--- Without a type the records are of the struct that a tag on the map names, btf_decl_tag("event:NAME"), else of
--- that which a variable `struct NAME *unused...` points to, as bpf2go wants one.
---@param name string of the map
---@param type string|nil the struct its records are, as 'struct event'
---@return moonprobe.Stream
function methods:ring(name, type)
  local this = selves[self]
  local one = this.by_name[name]
  if not one then wrong(this.name, "has no map '%s'%s", tostring(name), near_text(name, this.map_names)) end
  if one.kind ~= map_kind.RING then wrong(this.name, 'map %s is no ring (BPF_MAP_TYPE_RINGBUF)', name) end
  local id, found
  if type == nil then
    id, found = event_type(this, name)
  else
    id, found = this.types:find(tostring(type)), tostring(type)
  end
  if not id and found then
    wrong(this.name, "ring %s: has no type '%s'%s", name, found,
      near_text(found:gsub('^struct ', ''), this.types:structs()))
  elseif not id then
    wrong(this.name, "ring %s: of what struct are its records? Say it, as ring('%s', 'struct %s')", name, name,
      this.types:structs()[1] or 'event')
  end
  local of, message = layout.of(this.types, id)
  if not of or of.kind ~= 'struct' then
    wrong(this.name, 'ring %s: %s is no struct%s', name, this.types:describe(id), message and ': ' .. message or '')
  end
  if one.ring and one.ring.layout ~= of then
    wrong(this.name, 'ring %s: its records are %s already', name, one.ring.layout.text)
  end
  if not one.ring then
    if stream.frozen then wrong(this.name, 'ring %s: rings are opened while the script is loaded', name) end
    one.ring = own_rings.new(('%s of %s'):format(name, this.name), of)
    map_of(this, name)
  end
  return own_rings.stream(one.ring)
end

--- How many records of a ring were received, and how many of them failed: their handler raised, or they were
--- shorter than their struct. By this version of the script.
---@param name string
---@return { received: integer, failed: integer }
function methods:received(name)
  local one = selves[self].by_name[name]
  if not one or not one.ring then wrong(selves[self].name, "no ring '%s' was opened", tostring(name)) end
  return { received = one.ring.received, failed = one.ring.failed }
end

Object.__index = function(self, name)
  if methods[name] then return methods[name] end
  wrong(selves[self].name, "has no '%s'%s", tostring(name), near_text(name, { 'maps', 'received', 'ring' }))
end
Object.__newindex = function(self, name) wrong(selves[self].name, "'%s' cannot be set", tostring(name)) end

--- What the worker does with them (stdlib/life.lua).

--- Asks the host for them, when the script is loaded.
---@return string|nil problem
function object.declare()
  for _, self in ipairs(all) do
    host.send('load', self.name, unpack(self.words))
    local words, bytes = {}, 0
    for _, entry in ipairs(self.queue) do
      local name, its_bytes = entry.map.name, #entry.key + #entry.value + 200
      if #words > 0 and bytes + its_bytes > ENTRIES_BYTES then
        host.send('entry', unpack(words))
        words, bytes = {}, 0
      end
      for _, word in ipairs { self.by_name[name].libbpf_name, entry.key, entry.value, entry.flags } do
        words[#words + 1] = word
      end
      bytes = bytes + its_bytes
    end
    if #words > 0 then host.send('entry', unpack(words)) end
  end
  return own_rings.problem()
end

--- maps OBJECT KEPT (INDEX NAME TYPE KEY VALUE ENTRIES FLAGS KEY_TYPE VALUE_TYPE)* + fds
function object.answer(message)
  local self = all[message[2] + 1]
  self.given, self.kept = {}, message[3] == 1
  local count = 0
  for at = 4, #message, 9 do
    count = count + 1
    self.given[message[at]] = { message = message, at = at + 1, fd = message.fds[count] }
  end
end

--- The script runs from now on.
function object.begin()
  for _, self in ipairs(all) do
    for _, one in pairs(self.by_name) do
      local given = self.given[one.index]
      if one.map and not given then error(('object %s: map %s was not made'):format(self.name, one.name), 0) end
      if one.map then
        local problem = own_map.attach(one.map, given.message, given.at, given.fd)
        if problem then error(('object %s: %s'):format(self.name, problem), 0) end
      end
      if one.ring then own_rings.begin(one.ring, given.fd, map_state.of(one.map).max_entries) end
    end
    -- Of an object that is kept: a new one has them from the host, before it was attached.
    for _, entry in ipairs(self.kept and self.queue or {}) do
      local ok, errno = engine.any_set(entry.map.fd, entry.key, entry.value, entry.flags)
      if not ok and not (entry.flags == 1 and errno == 17) then
        host.report('object %s: map %s: %s', self.name, entry.map.name,
          engine.errno_name(errno) or tostring(errno))
      end
    end
    self.queue = {}
  end
end

--- What there is, for explain and check --permissions.
---@return { name: string, programs: table[], maps: table[] }[]
function object.facts()
  local facts = {}
  for i, self in ipairs(all) do
    local programs, maps = {}, {}
    local detached = self.words[1] == 'detached'
    for _, one in ipairs(self.programs) do
      programs[#programs + 1] = { name = one.name, section = one.section,
        attached = not detached and (one.named or not self.only_named and not one.optional) or false }
    end
    for _, name in ipairs(self.map_names) do
      local one = self.by_name[name]
      maps[#maps + 1] = { name = name, kind = map_kind.name(one.kind), max_entries = one.max_entries,
        key_bytes = one.key_bytes, value_bytes = one.value_bytes }
    end
    facts[i] = { name = self.name, programs = programs, maps = maps }
  end
  return facts
end

--- Prints them, for explain.
function object.explain()
  for _, one in ipairs(object.facts()) do
    if job.json then
      output.line(json.object({ 'object', 'programs', 'maps' }, { one.name, one.programs, one.maps }))
    else
      output.line(one.name)
      for _, program in ipairs(one.programs) do
        output.line(('  kernel    %-20s %s%s'):format(program.name, program.section,
          program.attached and '' or '  not attached'))
      end
      for _, map in ipairs(one.maps) do
        output.line(('  map       %-20s %s, %.0f entries of %d + %d bytes'):format(map.name, map.kind, map.max_entries,
          map.key_bytes, map.value_bytes))
      end
    end
  end
end

return object
