-- SPDX-License-Identifier: Apache-2.0
--- Live: what translated functions use from outside: upvalues, globals, fields of tables.
---
--- An integer becomes a place in a mapped array that the kernel reads: changing it is one store.
--- Everything else is built into the instructions and watched: when it changes, the function is
--- translated anew. The worker looks after every turn (changes()).

local ffi = require 'ffi'
local changes = require 'moonprobe.stage.changes'
local value = require 'moonprobe.stage.value'

local Live = {}
Live.__index = Live

local live = {}

-- Tables that were looked up by a field of the event are compared whole, so not every turn.
local TABLES_NS = 1e8

--- What one translation uses; the values of the one before are forgotten.
---@param changed table|nil what handlers change (changes.lua)
function live.new(changed)
  value.start()
  return setmetatable({ integers = {}, numbers = {}, watches = {}, tables = {}, known = {}, names = {},
    changed = changed or changes.none() }, Live)
end

--- The value of something outside, read by `get`; `owner` and `key` tell it from others,
--- `called` is what the script calls it.
local function value_of(self, owner, key, called, get)
  local known = self.known[owner]
  if not known then
    known = {}
    self.known[owner] = known
  end
  if known[key] then return known[key] end
  local now = get()
  if type(now) == 'table' then self.names[now] = self.names[now] or called end
  if value.is_integer(now) then
    local number = { get = get, last = now, called = called, low = now >= 0 and 0 or -value.MOST, place = nil }
    known[key] = value.int('live', number.low, value.MOST, { a = number })
    known[key].number = number
    self.integers[#self.integers + 1] = number
  else
    self.watches[#self.watches + 1] = { get = get, last = now, called = called }
    known[key] = value.const(now)
  end
  return known[key]
end

local function refuse_changed(called, place)
  if not place then return end
  value.refuse("'%s', which the handler changes (%s): it is judged where the handler runs", called, place)
end

function Live:upvalue(fn, index)
  local called = debug.getupvalue(fn, index)
  refuse_changed(called, self.changed:variable(debug.upvalueid(fn, index)))
  return value_of(self, fn, index, called, function()
    local _, now = debug.getupvalue(fn, index)
    return now
  end)
end

--- A global. One that is not there raises in scripts (stdlib/environment.lua).
function Live:global(fn, name)
  local env = debug.getfenv(fn)
  refuse_changed(name, self.changed:table(env, name))
  local v = value_of(self, env, name, name, function() return rawget(env, name) end)
  if value.is_const(v, 'nil') and getmetatable(env) then value.undecided() end
  return v
end

--- Refuses a table that handlers change: at a key, or anywhere.
function Live:check(from, key)
  local place = self.changed:table(from, key)
  if place then
    value.refuse('a table that the handler changes (%s): it is judged where the handler runs', place)
  end
end

--- table[key] of a table known now.
function Live:index(from, key)
  self:check(from, key)
  if key == nil or key ~= key then return value.const(nil) end
  if rawget(from, key) == nil and getmetatable(from) then
    value.refuse('a table with a metatable; a plain one will do')
  end
  local called = ('%s.%s'):format(self.names[from] or '?', type(key) == 'table' and '?' or tostring(key))
  return value_of(self, from, key, called, function() return rawget(from, key) end)
end

local LENGTH = {} -- as a key

--- #table
function Live:length(from)
  self:check(from)
  return value_of(self, from, LENGTH, '#' .. (self.names[from] or '?'), function() return #from end)
end

--- A value that must be constant: a live number is built in, and watched.
function Live:built_in(v)
  if v.is ~= 'int' or v.op ~= 'live' then return v end
  local number = v.number
  if not number.is_watched then
    self.watches[#self.watches + 1] = { get = number.get, last = number.last, called = number.called }
    number.is_watched = true
  end
  return value.const(number.last)
end

--- The place of a live number in the array, from 0.
function Live:place(number)
  if not number.place then
    self.numbers[#self.numbers + 1] = number
    number.place = #self.numbers - 1
  end
  return number.place
end

local function copy(from)
  local to = {}
  for key, v in pairs(from) do to[key] = v end
  return to
end

--- Watches a table's whole content.
function Live:watch_table(from)
  if not self.tables[from] then self.tables[from] = copy(from) end
end

local function differs(a, b)
  for key, v in pairs(a) do if not rawequal(rawget(b, key), v) then return true end end
  for key in pairs(b) do if rawget(a, key) == nil then return true end end
  return false
end

--- The array's first content.
---@return string
function Live:bytes()
  local array = ffi.new('int64_t[?]', math.max(#self.numbers, 1))
  for i, number in ipairs(self.numbers) do array[i - 1] = number.last end
  return ffi.string(array, ffi.sizeof(array))
end

--- Brings the mapped array up to date. True when something that is built in has changed.
---@param array ffi.cdata* int64_t *
---@param now number ns
---@return boolean
function Live:changes(array, now)
  for i = 1, #self.integers do -- one without a place, too: its range alone has answered something
    local number = self.integers[i]
    local current = number.get()
    if current ~= number.last then
      if not value.is_integer(current) or current < number.low then return true end -- another range
      number.last = current
      if number.place then array[number.place] = current end
    end
  end
  for i = 1, #self.watches do
    local watch = self.watches[i]
    local current, last = watch.get(), watch.last
    if not rawequal(current, last) and (current == current or last == last) then return true end
  end
  if next(self.tables) and now - (self.looked_ns or 0) > TABLES_NS then
    self.looked_ns = now
    for from, before in pairs(self.tables) do
      if differs(from, before) then return true end
    end
  end
  return false
end

--- For people: what is used from outside, by name; functions and libraries left out.
---@return { name: string, value: any, live: boolean }[]
function Live:report()
  local list = {}
  for _, number in ipairs(self.numbers) do
    list[#list + 1] = { name = number.called, value = number.last, live = true }
  end
  for _, watch in ipairs(self.watches) do
    local kind = type(watch.last)
    if kind ~= 'function' and kind ~= 'table' then
      list[#list + 1] = { name = watch.called, value = watch.last, live = false }
    end
  end
  for from in pairs(self.tables) do
    list[#list + 1] = { name = self.names[from] or '?', value = from, live = false }
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

return live
