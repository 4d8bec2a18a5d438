-- SPDX-License-Identifier: Apache-2.0
--- Typed: fields of a generic probe, 'kprobe:tcp_connect', by the path of kernel types that leads to
--- them: args.sk.__sk_common.skc_dport, args.argv[0] (typed_path.lua).
---
---   where(function(e) return e.args.sk.__sk_common.skc_dport end)
---      |  chains.lua                                    a path
---      |  find(): the host knows the types              a field: kind, size, values
---      |  lay_out(), when the script is loaded          its place in the room of the event
---      `- declare(): unions, one for each member that has members
---
--- A probe's name is its family, whose object there is, a colon, and the target. The object's event
--- ends with a room, `__u8 typed[N]`. What the script reads lies there, at offsets chosen here, which
--- the host is told with the declaration. From then on it is a field like any other, whose
--- name is the path.

local ffi = require 'ffi'
local chains = require 'moonprobe.chains'
local fields = require 'moonprobe.fields'
local host = require 'moonprobe.host'
local nearest = require 'moonprobe.nearest'
local typed_path = require 'moonprobe.typed_path'

local typed = {}

local ROOM = 'typed'

local ask = host.ask

local function field_of_reply(reply)
  local one = { kind = reply[2], element_bytes = reply[3], elements = reply[4], bytes = reply[5], type = reply[6],
    doc = reply[7] }
  for i = 8, #reply - 1, 2 do
    one.values = one.values or {}
    one.values[reply[i]] = reply[i + 1]
  end
  return one
end

-- A test loads scripts again and again, and the host counts messages.
local MOST_PATH = 255 -- engine/typed.h
local answers = {} -- [name of a probe] = { [path] = what the resolver gives }

--- Who knows the types; a test may put its own in this place.
---   target(name)        true; or nil and why there is no such target
---   places(name)        what the places it is attached to are called, in their order
---   member(name, path)  { kind, element_bytes, elements, bytes, type, doc, values }: a field, kinds as those
---                       of engine.schema; kind 'struct' or 'pointer': it has members; 'array': it has elements
---                       and is no value; 'error': message
typed.resolver = {
  target = function(name)
    if answers[name] then return true end
    local reply = ask('target', name)
    if reply[2] ~= 1 then return nil, reply[3] end
    answers[name] = {}
    return true
  end,
  places = function(name)
    local places = {}
    repeat
      local reply = ask('places', name, #places)
      for i = 2, #reply do places[#places + 1] = reply[i] end
    until #reply < 2
    return places
  end,
  member = function(name, path)
    local known = answers[name] or {}
    if #path > MOST_PATH or path:find '%c' then
      return { kind = 'error', message = ('%q is no path: names with dots between, of at most %d bytes'):format(
        path:sub(1, 40):gsub('%c', '?'), MOST_PATH) }
    end
    if not known[path] then
      local reply = ask('typed', name, path)
      known[path] = reply[2] == 'error' and { kind = 'error', message = reply[3] } or field_of_reply(reply)
    end
    return known[path]
  end,
}

--- The family and the target of a probe's name; nil when it is a plain one.
---@param name string
---@return string|nil family
---@return string? target
function typed.split(name)
  if #name > 255 or name:find '%c' then return nil end
  return name:match '^([%a_][%w_]*):(.+)$'
end

--- Gives the field that tells where an event is from the names of those places.
function typed.name_places(self)
  for _, field in ipairs(self.fields) do
    if field.name == 'place' then
      field.values = {}
      for i, name in ipairs(typed.resolver.places(self.name)) do field.values[i - 1] = name end
    end
  end
end

--- May a field of an event that its object does not describe have this name?
function typed.is_root(name) return name == 'args' or name == 'ret' or name == 'string' or name:find '^arg%d' ~= nil end

--- All that is above a leaf has members.
local function note_nodes(of, path)
  for above in typed_path.above(path) do of.nodes[above] = true end
end

--- Is it a family's schema: does its name go on?
---@param self table as engine.schema gives it
function typed.is_family(self) return self.target ~= nil end

--- Makes a family's schema that of a probe.
---@param self table as engine.schema gives it
---@return string|nil problem
function typed.start(self)
  local room = self.fields[#self.fields]
  if not typed.is_family(self) then
    return ("'%s' is no family of probes: nothing can follow its name"):format(self.name)
  end
  if room.name == ROOM and room.kind == 'u' and room.element_bytes == 1 then
    self.fields[#self.fields] = nil
  else
    room = { offset = self.bytes, bytes = 0 } -- nothing is read of it by type
  end
  self.typed = { room = room, asked = {}, leaves = {}, nodes = {}, whole = {}, early = {}, tested = {},
    unclear = {}, passed = {} }
end

--- The same for a probe of a recording, whose typed fields have their places.
---@param self table as recording.parse_head gives it
function typed.start_recorded(self)
  self.typed = { asked = {}, leaves = {}, nodes = {}, whole = {}, early = {}, tested = {},
    unclear = {}, passed = {}, done = true, recorded = {} }
  for _, field in ipairs(self.fields) do
    if field.name:find '[.%[]' then
      self.typed.leaves[field.name] = field
      table.insert(self.typed.recorded, field.name)
      note_nodes(self.typed, field.name)
    end
  end
end

local function look_up_recorded(self, path)
  if self.typed.leaves[path] then return self.typed.leaves[path] end
  if self.typed.nodes[path] then return { kind = 'struct' } end
  local known = self.typed.recorded
  local near = nearest(path, known)
  return { kind = 'error', message = ("%s: '%s' was not recorded%s"):format(self.name, path,
    near and ("; did you mean '%s'?"):format(near)
    or #known > 0 and '; there are ' .. table.concat(known, ', ') or '; no typed fields were') }
end

--- What is known of a path: see the resolver.
local function look_up(self, path)
  local asked = self.typed.asked
  if not asked[path] then
    asked[path] = self.typed.recorded and look_up_recorded(self, path) or typed.resolver.member(self.name, path)
  end
  return asked[path]
end

local function is_text(field)
  return field.kind == 'c' or fields.type_of(field):find "string" ~= nil or field.values ~= nil
end

--- What is wrong with asking a value for a member; nil: it is a method of text.
local function wrong_member(self, path, field, rest)
  if field.elements > 0 or not is_text(field) then
    return ("%s: '%s' is %s and has no member '%s'"):format(self.name, path,
      field.elements > 0 and 'an array' or 'a number', rest)
  end
  if string[rest] then return nil end
  local methods = {}
  for name in pairs(string) do methods[#methods + 1] = name end
  local near = nearest(rest, methods)
  return ("%s: '%s' is text and has no method '%s'%s"):format(self.name, path, rest,
    near and ("; did you mean '%s'?"):format(near) or '')
end

--- A leaf below a path, or one above it: both at once cannot be.
local function conflict(self, path, is_whole)
  local of = self.typed
  local function clash(whole, below)
    local field = of.leaves[whole] or of.asked[whole]
    local what, instead = 'a number and what it leads to', 'the numbers are e.arg0, e.arg1, ...'
    if field.kind == 'c' then
      what, instead = 'text and its characters', 'its characters are text:byte(1), ...'
    elseif (field.elements or 0) > 0 then
      what, instead = 'a list and its elements', 'read the elements, or go through the list'
    end
    return ("%s: '%s' is used as a whole, and '%s' is read of it: it cannot be both %s; %s"):format(self.name, whole,
      below, what, instead)
  end
  if is_whole then
    for _, list in ipairs { of.leaves, of.tested } do
      for name, one in pairs(list) do
        if not one.guess and typed_path.is_below(name, path) then return clash(path, name) end
      end
    end
    return nil
  end
  for above in typed_path.above(path) do
    if of.whole[above] then return clash(above, path) end
  end
end

local function take(self, path, one, early)
  local of = self.typed
  if early then of.early[path] = true end
  if of.leaves[path] then return path end
  if of.done then
    return nil, ("%s: '%s' is read first when the script is loaded already"):format(self.name, path)
  end
  of.leaves[path] = { name = path, kind = one.kind, element_bytes = one.element_bytes, elements = one.elements,
    bytes = one.bytes, type = (one.type or ''):match '^[%a_][%w_]*$' or '', doc = one.doc or '', unit = '',
    values = one.values }
  note_nodes(of, path)
  self.readable[path] = path
  return path
end

local function take_whole(self, path, one, early)
  local problem = conflict(self, path, true)
  if problem then return nil, problem end
  self.typed.whole[path] = true
  return take(self, path, one, early)
end

--- A value that is asked for its truth, or that a closure may read: it may as well be on the way to elements.
--- Which of these is known when all is.
local function take_later(self, path, one, early, guess)
  local of = self.typed
  if of.leaves[path] or of.done then return take(self, path, one, early) end
  local there = of.tested[path]
  of.tested[path] = { one = one, early = early or there and there.early, guess = guess and (not there or there.guess) }
  return path
end

--- What take_later() has put off: a field, or no more than `passed` on the way to one.
local function take_rest(self)
  local of, paths = self.typed, {}
  for path in pairs(of.tested) do paths[#paths + 1] = path end
  table.sort(paths, function(a, b) return a > b end) -- what is below another comes first
  for _, path in ipairs(paths) do
    -- Of what only a closure reads, and by a number that is not known, the whole would be something else.
    local is_leaf = not of.nodes[path] and not (of.tested[path].guess and of.unclear[path])
    for above in typed_path.above(path) do is_leaf = is_leaf and not of.leaves[above] end
    if is_leaf then
      take(self, path, of.tested[path].one, of.tested[path].early)
    else
      of.nodes[path], of.passed[path] = true, true
    end
  end
end

--- A sentence for a member or element of which nobody knows which one.
local function unknown_part(self, path, one)
  local what, write = 'element', ('number, as %s[0]'):format(path)
  if one.kind == 'struct' then
    what, write = 'member', ('name, as %s.NAME'):format(path)
  elseif one.kind == 'pointer' then
    what, write = 'member or element', ('name or number, as %s.NAME or %s[0]'):format(path, path)
  elseif (one.elements or 0) > 0 then
    write = ('%s, or go through all with ipairs(e.%s)'):format(write, path)
  end
  return ("%s: '%s': which %s that is has to be known when the script is loaded: write its %s"):format(self.name,
    typed_path.longer(path, typed_path.UNKNOWN), what, write)
end

local has_parts = { struct = true, pointer = true, array = true }

--- Notes that a path is read.
---@param self table a schema
---@param path string
---@param whole boolean as a value; else it is asked for members, or for its truth
---@param early boolean before an event is on its way to the worker
---@param guess boolean|nil it may mean something else
---@return string|nil name of the field that may have it; nil: no value is needed
---@return string|nil problem
function typed.read(self, path, whole, early, guess)
  if typed_path.count(path) > chains.DEEPEST then
    return nil, ("%s: '%s...': members are followed in a loop; a path that is written out will do"):format(self.name,
      path:sub(1, 60))
  end
  local one
  for key, prefix, rest in typed_path.parts(path) do
    if key == typed_path.UNKNOWN and one then
      local of_which = path:sub(1, #prefix - 3)
      self.typed.unclear[of_which] = true
      return nil, unknown_part(self, of_which, one)
    end
    one = look_up(self, prefix)
    if one.kind == 'error' then return nil, one.message end
    if not has_parts[one.kind] and (rest == '' or rest:sub(1, 1) == '.') then
      local problem = rest ~= '' and wrong_member(self, prefix, one, rest:sub(2)) or conflict(self, prefix)
      if problem then return nil, problem end
      -- A method of text takes all of it.
      if guess or not whole and rest == '' then return take_later(self, prefix, one, early, guess) end
      return take_whole(self, prefix, one, early)
    end
  end
  if not whole then
    self.typed.nodes[path] = true
    return nil
  elseif one.kind == 'struct' then
    return nil, ("%s: '%s' is a struct: name one of its members"):format(self.name, path)
  elseif one.kind == 'array' then
    return nil, ("%s: '%s' is an array: name one of its elements, as %s[0]"):format(self.name, path, path)
  end
  return take_whole(self, path, { kind = 'u', element_bytes = 8, elements = 0, bytes = 8, doc = 'its address' }, early)
end

local function align_of(field) return (field.kind == 'c' or field.kind == 's') and 8 or field.element_bytes end

--- Gives each typed field its place: the largest alignment first. Raises when they are too many.
---@param self table a schema
function typed.lay_out(self)
  local of, list, words = self.typed, {}, {}
  take_rest(self)
  for _, field in pairs(of.leaves) do list[#list + 1] = field end
  table.sort(list, function(a, b)
    local early_a, early_b = of.early[a.name] or false, of.early[b.name] or false
    if early_a ~= early_b then return early_a end
    local left, right = align_of(a), align_of(b)
    if left ~= right then return left > right end
    return a.name < b.name
  end)
  local at, most = of.room.offset, of.room.offset + of.room.bytes
  for i, field in ipairs(list) do
    field.late = not of.early[field.name]
    -- What is captured later lies by itself: each capture clears what is between its fields.
    local align = field.late and (i == 1 or not list[i - 1].late) and 8 or align_of(field)
    field.offset = math.ceil(at / align) * align
    at = field.offset + field.bytes
    words[i] = ('%s %d'):format(field.name, field.bytes)
    self.fields[#self.fields + 1] = field
  end
  if at > most then
    error(('%s: what is read of its arguments needs %d bytes and there are %d: %s'):format(self.name,
      at - of.room.offset, of.room.bytes, table.concat(words, ', ')), 0)
  end
  of.done = true
end

-- The nested members. Each that has members is a union as large as they need, and all of them begin
-- where the event begins: so a field's place does not depend on how it is reached, and
-- e.args.sk.x is one load at a constant offset.

local unions = 0

-- Members of the kernel's structs that are no names in LuaJIT's C.
local reserved = {}
for name in ([[_Bool bool char int float double long short complex _Complex signed unsigned const volatile restrict
  inline typedef extern static auto register struct union enum sizeof goto void asm __asm __asm__
  __cdecl __ptr32 __ptr64 __extension__ __attribute __attribute__ __declspec __alignof __alignof__
  __const __volatile __inline __restrict __signed __complex __signed__ __const__ __volatile__
  __inline__ __restrict__ __complex__ __thiscall __fastcall __stdcall]]):gmatch '%S+' do reserved[name] = true end

--- The tree of paths: { members = { [name or number] = node }, field }.
local function tree_of(self)
  local root = { path = '', members = {} }
  local function node_of(path)
    local node = root
    for key, longer in typed_path.parts(path) do
      node.members[key] = node.members[key] or { path = longer, members = {} }
      node = node.members[key]
    end
    return node
  end
  for path in pairs(self.typed.nodes) do node_of(path) end
  for path, field in pairs(self.typed.leaves) do node_of(path).field = field end
  return root
end

local function sorted_names(node)
  local names = {}
  for name in pairs(node.members) do names[#names + 1] = name end
  table.sort(names, function(a, b) -- of elements, by number
    if type(a) == type(b) then return a < b end
    return type(a) == 'number'
  end)
  return names
end

local function getter_of_member(member)
  return loadstring(('return function(of) return of[%q] end'):format(member))()
end

local function none() return false end

--- The i-th member's name in C.
local function name_in_c(name, i)
  local is_own = reserved[name] or tostring(name):find '^%d'
  return is_own and ('m%d_%s'):format(i, name) or name
end

--- A member that is read: its declaration, its getter if it needs one, and its name in C. What is converted
--- has another name there than it has, and one that cannot be another's.
local function leaf_of(field, name, i)
  local function named(other) return setmetatable({ name = other }, { __index = field }) end
  local plain = name_in_c(name, i)
  local declaration, get = fields.of(named(plain), none)
  if not get then return declaration, nil, plain end
  local unique = ('%s_m%d'):format(name, i)
  declaration, get = fields.of(named(unique), none)
  return declaration, get, '_' .. unique
end

local declare

--- Declarations of what a node has, for a union; its getters by name. `places`: where members must be.
local function members_of(self, node)
  local declarations, getters, places = {}, {}, {}
  for i, name in ipairs(sorted_names(node)) do
    local one = node.members[name]
    local declaration, get, member
    if one.field then
      declaration, get, member = leaf_of(one.field, name, i)
      declarations[i] = ('struct { uint8_t gap_m%d[%d]; const %s };'):format(i, one.field.offset, declaration)
    else
      member = name_in_c(name, i)
      declarations[i] = ('const %s %s;'):format(declare(self, one), member)
    end
    places[member] = one.field and one.field.offset or 0
    getters[name] = get or getter_of_member(member)
    -- A number is one in whichever way it is written: e.args[3] is args.3.
    local other = type(name) == 'number' and ('%.0f'):format(name) or tonumber(name:match '^%d+$')
    if other then getters[other] = getters[name] end
  end
  return declarations, getters, places
end

local function check_places(self, ctype, places)
  for member, offset in pairs(places) do
    if ffi.offsetof(ctype, member) ~= offset then
      error(('probe %s: %s is not where it should be'):format(self.name, member), 0)
    end
  end
end

--- A sentence for a member that is not there.
local function unknown_member(self, node, name)
  local is_key = type(name) == 'string' or type(name) == 'number'
  local path, names = typed_path.longer(node.path, is_key and name or tostring(name)), sorted_names(node)
  for i, one in ipairs(names) do names[i] = tostring(one) end
  local near = type(name) == 'string' and nearest(name, names)
  return ("%s has no field '%s'%s"):format(self.name, path, near and ("; did you mean '%s'?"):format(near)
    or self.typed.recorded and '' or ': no function given to where(), each()... reads it where this can be seen')
end

--- The union of a node, declared; gives its ctype's name.
function declare(self, node)
  local declarations, getters, places = members_of(self, node)
  unions = unions + 1
  local ctype = 'union moonprobe_typed_' .. unions
  ffi.cdef(('%s { uint8_t none; %s };'):format(ctype, table.concat(declarations, ' ')))
  check_places(self, ctype, places)
  ffi.metatype(ctype, {
    __index = function(of, name)
      local getter = getters[name]
      if getter then return getter(of) end
      error(unknown_member(self, node, name), 2)
    end,
  })
  return ctype
end

--- What the event has of typed fields: declarations for its union, getters by name and by whole path, where
--- members have to be.
---@param self table a schema
---@return string[] declarations
---@return table getters
---@return table places
function typed.declare(self)
  local declarations, getters, places = members_of(self, tree_of(self))
  for path in pairs(self.typed.leaves) do
    if path:find '[.%[]' then
      local code = 'return function(event) return event'
      for key in typed_path.parts(path) do code = code .. (type(key) == 'number' and '[%d]' or '[%q]'):format(key) end
      getters[path] = loadstring(code .. ' end')()
      getters[path:gsub('%[(%d+)%]', '.%1')] = getters[path] -- as people may write it, too
    end
  end
  return declarations, getters, places
end

--- Its part of a declaration: the words for one of the fields that are read; nil for an ordinary one.
---@param self table a schema
---@param name string
---@return string|nil kind 'typed'
---@return string path
---@return integer offset
---@return 'early'|'late' when
function typed.words(self, name)
  local leaf = self.typed and self.typed.leaves[name]
  if not leaf then return nil end
  return 'typed', name, leaf.offset, leaf.late and 'late' or 'early'
end

return typed
