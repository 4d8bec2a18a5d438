-- SPDX-License-Identifier: Apache-2.0
--- Heap: the tables and functions that a script has, and that its handlers may make, as sets.
---
---   an object   a table or function that is there: looked at as it is
---               a site: what handlers make at one place, tables or closures
---               inside: all that a table leads to, where it has too many members to tell apart
---
--- A set of them, { [object] = true }, tells what may be in a register, a variable, a member. nil is the
--- empty one. Sets are never changed, so equal ones may be shared.

jit.off(true, true) -- of this file: see reach.lua

local heap = {}

heap.ANY = {} -- as a key: any
heap.GIVE_UP = {} -- raised when it cannot be known what is changed
local ANY = heap.ANY

local MOST_OBJECTS = 20000 -- in what a table leads to
local MOST_MEMBERS = 200 -- of a table that are told apart

local Heap = {}
Heap.__index = Heap
heap.Heap = Heap

function Heap:only(object)
  local set = self.singles[object]
  if not set then
    set = { [object] = true }
    self.singles[object] = set
  end
  return set
end

function heap.join(a, b)
  if b == nil or a == b then return a end
  if a == nil then return b end
  local more
  for object in pairs(b) do
    if not a[object] then
      if not more then
        more = {}
        for one in pairs(a) do more[one] = true end
      end
      more[object] = true
    end
  end
  return more or a
end

--- Adds to what is known under a key; counts how often this was new.
function Heap:add(to, key, set)
  local before = to[key]
  local now = heap.join(before, set)
  if now ~= before then to[key], self.growth = now, self.growth + 1 end
end

function heap.each(set) return pairs(set or {}) end

--- Of a value that is there: nil when it is no table or function.
function Heap:of_value(value)
  local kind = type(value)
  return (kind == 'table' or kind == 'function') and self:only(value) or nil
end

--- Is it a table that is there? Then it is the script's: nothing but rawget() and next() is right for it.
function Heap:is_table(object) return type(object) == 'table' and not self.made[object] end

--- Is it a function, one that is there or one that handlers make?
function Heap:is_function(object) return type(object) == 'function' or self.made[object] == 'closure' end

--- Something that handlers make, by where.
function Heap:site(unit, pc, kind, what)
  local site = unit.sites[pc]
  if not site then
    site = what
    unit.sites[pc], self.made[site] = site, kind
  end
  return site
end

--- All that a table leads to, and the table: one object that stands for them.
function Heap:inside(object)
  if self.made[object] == 'inside' then return object end
  local one = self.insides[object]
  if not one then
    one = { inside = object }
    self.insides[object], self.made[one] = one, 'inside'
  end
  return one
end

function Heap:metatables(object)
  local set = self.metas[object]
  local class = self:is_table(object) and debug.getmetatable(object)
  return type(class) == 'table' and heap.join(set, self:only(class)) or set
end

--- The objects that one leads to by members and metatables: [object] = true.
function Heap:led_to(from)
  local known = self.led[from]
  if known and known.growth == self.growth then return known.set end
  local set, list = { [from] = true }, { from }
  local function visit(object)
    if not set[object] and (type(object) == 'table' or type(object) == 'function') then
      set[object], list[#list + 1] = true, object
    end
  end
  local at = 1
  while list[at] do
    if at > MOST_OBJECTS then error(heap.GIVE_UP, 0) end
    local object = list[at]
    if self.made[object] == 'inside' then visit(object.inside) end
    for _, put in pairs(self.contents[object] or {}) do
      for one in pairs(put) do visit(one) end
    end
    for class in heap.each(self:metatables(object)) do visit(class) end
    if self:is_table(object) then
      for key, value in next, object do
        visit(key)
        visit(value)
      end
    end
    at = at + 1
  end
  self.led[from] = { set = set, growth = self.growth }
  return set
end

--- All members of a table that is there.
function Heap:members(of)
  local known = self.all_members[of]
  if known ~= nil then return known or nil end
  local set, count = nil, 0
  for key, value in next, of do
    for i = 1, 2 do
      local one = i == 1 and key or value -- a key is what next() gives
      if type(one) == 'table' or type(one) == 'function' then
        set, count = set or {}, count + 1
        set[one] = true
      end
    end
    if count > MOST_MEMBERS then
      set = self:only(self:inside(of))
      break
    end
  end
  self.all_members[of] = set or false
  return set
end

--- What object[key] may be, without its metatable.
function Heap:raw_member(object, key)
  local set
  if self.made[object] == 'inside' then
    set = self:only(object)
    for other, contents in pairs(self.contents) do
      -- What handlers have made may be in there: it costs too much to ask.
      if next(contents) and (self.made[other] or other == object.inside or self:led_to(object.inside)[other]) then
        for _, put in pairs(contents) do set = heap.join(set, put) end
      end
    end
    return set
  end
  local contents = self.contents[object]
  if contents and key == ANY then
    for _, put in pairs(contents) do set = heap.join(set, put) end
  elseif contents then
    set = heap.join(contents[key], contents[ANY])
  end
  if self:is_table(object) then
    local there
    if key == ANY then there = self:members(object) else there = self:of_value(rawget(object, key)) end
    set = heap.join(set, there)
  end
  return set
end

--- Has it a member that no metatable is asked for?
function Heap:has(object, key)
  return key ~= ANY and self:is_table(object) and rawget(object, key) ~= nil
end

--- An empty one, with the members of `more`.
---@param more table
---@return table
function heap.new(more)
  for _, name in ipairs { 'singles', 'made', 'insides', 'led', 'all_members', 'contents', 'metas' } do
    more[name] = {}
  end
  more.growth = 0
  return more
end

return heap
