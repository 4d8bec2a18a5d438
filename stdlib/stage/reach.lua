-- SPDX-License-Identifier: Apache-2.0
--- Reach: follows functions through all they call, with the tables and functions that each register may
--- hold, and notes what is assigned to.
---
---   roots -> unit: a function, what its parameters may be --run()--> calls: more units, or parameters
---                                                         --> stores: what is put where
---   again, until nothing is added
---
--- What a timer changes does not count, see changes.lua. But it may put a table where a handler finds it: what
--- only timers call is followed, too, and noted is nothing.
---
--- What may be in a register is a set of objects (heap.lua). It only grows, and so does what was put into a
--- table or a variable, in whatever order it happens. Numbers, texts, events and all that is in them change
--- nothing and are left out.
---
--- The stdlib's functions and the library's are not followed: they change nothing of a script's but what
--- natives.lua tells, and may call what they are given.

local bytecode = require 'moonprobe.stage.bytecode'
local heap = require 'moonprobe.stage.heap'
local natives = require 'moonprobe.stage.natives'
local own = require 'moonprobe.own_sources'

jit.off(true, true) -- of this file: what runs once is not worth compiling

local reach = { ANY = heap.ANY }

local ANY, GIVE_UP, each, join = heap.ANY, heap.GIVE_UP, heap.each, heap.join
local MULTI = -1 -- as a register: what the last call, or `...`, left for the next instruction

local MOST_STEPS = 40000 -- instructions: some 100 ms
local MOST_DEPTH = 50 -- of calls of the library

local Reach = setmetatable({}, { __index = heap.Heap })
Reach.__index = Reach

--- What set[key] may be.
function Reach:member(set, key, depth)
  local found
  if depth == 100 then error(GIVE_UP, 0) end
  for object in each(set) do
    found = join(found, self:raw_member(object, key))
    if not self:has(object, key) then
      for class in each(self:metatables(object)) do
        local index = self:raw_member(class, '__index')
        for one in each(index) do
          if one ~= object then
            found = join(found, self:is_function(one) and self:call_method(one, { self:only(object) })
              or self:member(self:only(one), key, (depth or 0) + 1))
          end
        end
      end
    end
  end
  return found
end

--- set[key] = value.
function Reach:put(set, key, value, depth)
  if depth == 100 then error(GIVE_UP, 0) end
  for object in each(set) do
    if type(object) == 'table' then
      self.contents[object] = self.contents[object] or {}
      self:add(self.contents[object], key, value)
      if self.made[object] then
        local from = self.made[object] == 'inside' and object.inside
        if from and self.unit.counts and not self.found.deep[from] then self.found.deep[from] = self:place() end
      elseif self.unit.counts then
        local keys = self.found.tables[object] or {}
        self.found.tables[object] = keys
        keys[key] = keys[key] or self:place()
      end
      if not self:has(object, key) then
        for class in each(self:metatables(object)) do
          for one in each(self:raw_member(class, '__newindex')) do
            if self:is_function(one) then
              self:call_method(one, { self:only(object), value, value }) -- the key may be a table, too
            elseif one ~= object then
              self:put(self:only(one), key, value, (depth or 0) + 1)
            end
          end
        end
      end
    end
  end
end

--- What a function in a metatable gives; the stdlib's own make something of theirs.
function Reach:call_method(fn, given)
  if type(fn) == 'function' and own[debug.getinfo(fn, 'S').source] then return nil end
  return self:call(self:only(fn), given)
end

--- What operators, and the library, may call of these: the functions in their metatables.
function Reach:operate(set, other)
  local result
  local all = join(set, other)
  for object in each(all) do
    for class in each(self:metatables(object)) do
      for one in each(self:raw_member(class, ANY)) do
        if self:is_function(one) then result = join(result, self:call_method(one, { all, all, all })) end
      end
    end
  end
  return result
end

--- May a call of it change something of the script's? The stdlib's change only what they call.
function Reach:may_change(fn)
  if type(fn) ~= 'function' or self:unit_of(fn) then return true end
  local native = natives[fn]
  return native and native ~= natives.pure or natives.is_opaque(fn, self.unit.env)
end

--- Calls a function that is not followed.
function Reach:call_native(fn, given, rest)
  if natives.is_opaque(fn, self.unit.env) then
    if self.unit.counts then error(GIVE_UP, 0) end
    return nil
  end
  local all = rest
  for _, one in pairs(given) do all = join(all, one) end
  if not all and fn ~= getmetatable then return nil end
  local native = natives[fn]
  self:operate(all)
  if native and native ~= natives.pure then return native(self, given, all) end
  if self.calling[fn] then return nil end -- it is given to itself: what else it was given is called already
  local result, called
  local function add(one) if self:may_change(one) then called = join(called, self:only(one)) end end
  for object in each(all) do
    if self:is_function(object) then
      add(object)
    elseif not native then
      result = join(result, self:only(self:inside(object)))
      for one in each(self:raw_member(object, ANY)) do -- { each = function ... }
        if self:is_function(one) then add(one) end
      end
    end
  end
  if not native then result = join(result, all) end
  if called then
    self.calling[fn] = true
    result = join(result, self:call(called, {}, result or all))
    self.calling[fn] = nil
  end
  return result
end

--- Calls a table: what its metatable has for that.
local function call_table(self, object, given, rest)
  local result
  local shifted = { self:only(object) }
  for i, one in pairs(given) do shifted[i + 1] = one end
  for class in each(self:metatables(object)) do
    result = join(result, self:call(self:raw_member(class, '__call'), shifted, rest))
  end
  return result
end

--- Calls all functions that a table leads to.
local function call_inside(self, from, given, rest)
  local functions
  for one in pairs(self:led_to(from)) do
    if self:is_function(one) then functions = join(functions, self:only(one)) end
  end
  return self:call(functions, given, rest)
end

--- Calls what is in a set; gives what may be returned.
---@param given { [integer]: table } sets by position, from 1
---@param rest table|nil what may be at any position
function Reach:call(set, given, rest)
  local result
  self.depth, self.steps = self.depth + 1, self.steps + 1
  if self.depth > MOST_DEPTH or self.steps > MOST_STEPS then error(GIVE_UP, 0) end
  for object in each(set) do
    local unit = self:unit_of(object)
    if unit then
      if self.unit.counts and not unit.counts then unit.counts, self.growth = true, self.growth + 1 end
      for i = 1, unit.code.params do self:add(unit.params, i, join(given[i], rest)) end
      if unit.code.is_vararg then
        self:add(unit, 'varargs', rest)
        for i, one in pairs(given) do if i > unit.code.params then self:add(unit, 'varargs', one) end end
      end
      result = join(result, unit.result)
    elseif type(object) == 'function' then
      result = join(result, self:call_native(object, given, rest))
    elseif self.made[object] == 'inside' then
      result = join(result, call_inside(self, object.inside, given, rest))
    else
      result = join(result, call_table(self, object, given, rest))
    end
  end
  self.depth = self.depth - 1
  return result
end

--- The unit of a function that is followed: one that is there, or a closure that a handler makes.
function Reach:unit_of(object)
  local unit = self.units[object]
  if unit ~= nil then return unit end
  unit = false
  if type(object) == 'function' then
    local code = not own[debug.getinfo(object, 'S').source] and bytecode.of(object)
    if code then
      unit = { code = code, fn = object, env = debug.getfenv(object), cells = {} }
      for i = 1, debug.getinfo(object, 'u').nups do
        local id = debug.upvalueid(object, i)
        self.cells[id] = self.cells[id] or { id = id, set = self:of_value(select(2, debug.getupvalue(object, i))) }
        unit.cells[i] = self.cells[id]
      end
    end
  elseif self.made[object] == 'closure' then
    unit = { code = bytecode.of(object.closure), fn = object.root, env = object.env, cells = object.cells }
  end
  if unit then
    unit.params, unit.sites, unit.captured = {}, {}, {}
    self.list[#self.list + 1], self.growth = unit, self.growth + 1
  end
  self.units[object] = unit
  return unit
end

--- Where the instruction at hand is.
function Reach:place()
  return self.unit.code.file .. ':' .. self.line
end

-- Instructions: what they do with the sets in the registers.

local instructions = {}

local function get(self, r, register)
  local cell = self.unit.captured[register]
  return cell and join(r[register], cell.set) or r[register]
end

local function set(self, r, register, value)
  r[register] = value
  local cell = self.unit.captured[register]
  if cell then self:add(cell, 'set', value) end
end

--- The results of a call, or `...`: to as many registers as are wanted, or all.
local function spread(self, r, from, count, value)
  r[MULTI] = value
  for register = from, from + math.max(count, 1) - 1 do set(self, r, register, value) end
end

local function arguments(self, r, from, count)
  local given = {}
  for i = 1, count do given[i] = get(self, r, from + i - 1) end
  return given
end

function instructions.MOV(self, r, one) set(self, r, one.a, get(self, r, one.d)) end
function instructions.ISTC(self, r, one) set(self, r, one.a, join(r[one.a], get(self, r, one.d))) end
instructions.ISFC = instructions.ISTC
function instructions.KNIL(self, r, one) for register = one.a, one.d do set(self, r, register, nil) end end
function instructions.UGET(self, r, one) set(self, r, one.a, self.unit.cells[one.d + 1].set) end

local function change(self, cell, value)
  self:add(cell, 'set', value)
  local variables = self.found.variables
  if cell.id and self.unit.counts and not variables[cell.id] then variables[cell.id] = self:place() end
end
function instructions.USETV(self, r, one) change(self, self.unit.cells[one.a + 1], get(self, r, one.d)) end
for _, op in ipairs { 'USETS', 'USETN', 'USETP' } do
  instructions[op] = function(self, _, one) change(self, self.unit.cells[one.a + 1], nil) end
end

function instructions.GGET(self, r, one)
  set(self, r, one.a, self:member(self:only(self.unit.env), one.constant))
end
function instructions.GSET(self, r, one)
  self:put(self:only(self.unit.env), one.constant, get(self, r, one.a))
end

function instructions.TNEW(self, r, one, pc) set(self, r, one.a, self:only(self:site(self.unit, pc, 'table', {}))) end
instructions.TDUP = instructions.TNEW -- what it copies has no tables and functions in it

function instructions.FNEW(self, r, one, pc)
  local unit = self.unit
  local site = self:site(unit, pc, 'closure', { closure = one.constant, cells = {}, root = unit.fn, env = unit.env })
  for i, from in ipairs(bytecode.captures(unit.fn)[one.constant]) do
    if from.register then
      unit.captured[from.register] = unit.captured[from.register] or {}
      site.cells[i] = unit.captured[from.register]
      self:add(site.cells[i], 'set', r[from.register])
    else
      site.cells[i] = unit.cells[from.upvalue]
    end
  end
  local made = self:unit_of(site) -- whoever calls it, and when
  if unit.counts and not made.counts then made.counts, self.growth = true, self.growth + 1 end
  set(self, r, one.a, self:only(site))
  -- A local function that calls itself: its register is captured before it is in there.
  if unit.captured[one.a] then self:add(unit.captured[one.a], 'set', self:only(site)) end
end

--- The method of a text may be the script's own: string.mine = function ...
local function method_of_text(self, key)
  local fn = rawget(string, key)
  return type(fn) == 'function' and not natives[fn] and self:only(fn) or nil
end

function instructions.TGETS(self, r, one)
  set(self, r, one.a, join(self:member(get(self, r, one.b), one.constant), method_of_text(self, one.constant)))
end
function instructions.TGETB(self, r, one) set(self, r, one.a, self:member(get(self, r, one.b), one.c)) end
function instructions.TGETV(self, r, one) set(self, r, one.a, self:member(get(self, r, one.b), ANY)) end
function instructions.TSETS(self, r, one) self:put(get(self, r, one.b), one.constant, get(self, r, one.a)) end
function instructions.TSETB(self, r, one) self:put(get(self, r, one.b), one.c, get(self, r, one.a)) end
function instructions.TSETV(self, r, one) -- the key is in there, too: next() gives it
  self:put(get(self, r, one.b), ANY, join(get(self, r, one.a), get(self, r, one.c)))
end
function instructions.TSETM(self, r, one) self:put(get(self, r, one.a - 1), ANY, r[MULTI]) end
instructions.TGETR, instructions.TSETR = instructions.TGETV, instructions.TSETV

local iterators = { [pairs] = next, [ipairs] = (ipairs {}) }

--- The beginning of `for ... in pairs(t)`: what is called is told from what it is called with, or all that is
--- in t would be called.
local function begin_loop(self, r, one, callee)
  local fn = next(callee or {})
  if not iterators[fn] or next(callee, fn) or one.c ~= 2 then return false end
  local given = get(self, r, one.a + 2)
  set(self, r, one.a, self:only(iterators[fn]))
  set(self, r, one.a + 1, given)
  set(self, r, one.a + 2, nil)
  return true
end

function instructions.CALL(self, r, one)
  local callee = get(self, r, one.a)
  if one.b == 4 and begin_loop(self, r, one, callee) then return end
  local result = self:call(callee, arguments(self, r, one.a + 2, one.c - 1))
  spread(self, r, one.a, one.b - 1, result)
end
function instructions.CALLM(self, r, one)
  local result = self:call(get(self, r, one.a), arguments(self, r, one.a + 2, one.c), r[MULTI])
  spread(self, r, one.a, one.b - 1, result)
end
function instructions.CALLT(self, r, one)
  self:add(self.unit, 'result', self:call(get(self, r, one.a), arguments(self, r, one.a + 2, one.d - 1)))
end
function instructions.CALLMT(self, r, one)
  self:add(self.unit, 'result', self:call(get(self, r, one.a), arguments(self, r, one.a + 2, one.d), r[MULTI]))
end
function instructions.ITERC(self, r, one)
  local result = self:call(get(self, r, one.a - 3), { get(self, r, one.a - 2), get(self, r, one.a - 1) })
  spread(self, r, one.a, one.b - 1, result)
end
instructions.ITERN = instructions.ITERC
function instructions.ITERL(self, r, one) set(self, r, one.a - 1, join(r[one.a - 1], get(self, r, one.a))) end
function instructions.VARG(self, r, one) spread(self, r, one.a, one.b - 1, self.unit.varargs) end

local function gives(self, r, from, to)
  for register = from, to do self:add(self.unit, 'result', get(self, r, register)) end
end
function instructions.RET(self, r, one) gives(self, r, one.a, one.a + one.d - 2) end
instructions.RET1 = instructions.RET
function instructions.RETM(self, r, one)
  gives(self, r, one.a, one.a + one.d - 1)
  self:add(self.unit, 'result', r[MULTI])
end
function instructions.JLOOP(self, r) -- may have been a return
  for _, value in pairs(r) do self:add(self.unit, 'result', value) end
end

function instructions.CAT(self, r, one)
  local all
  for register = one.b, one.c do all = join(all, get(self, r, register)) end
  set(self, r, one.a, all and self:operate(all))
end

--- Anything else: operators, on what it reads.
local function operation(self, r, one)
  local result
  if one.reads[1] then
    local a, b = get(self, r, one.reads[1]), one.reads[2] and get(self, r, one.reads[2])
    result = (a or b) and self:operate(a, b) or nil
  end
  for _, register in ipairs(one.writes) do set(self, r, register, result) end
end

--- Where other ways may come in: there the registers of all of them are joined.
local function meets(code)
  if code.meets then return code.meets end
  local list = {}
  for pc = 1, #code do
    local following = bytecode.successors(code, pc)
    if #following ~= 1 or following[1] ~= pc + 1 then
      for _, to in ipairs(following) do list[to] = true end
    end
  end
  code.meets = list
  return list
end

--- Runs a unit once: from its parameters along all ways.
function Reach:run(unit)
  local code, at = unit.code, meets(unit.code)
  local states, waiting = {}, { 1 }
  self.unit = unit
  states[1] = {}
  for i = 1, code.params do states[1][i - 1] = unit.params[i] end
  --- Adds registers to what is known where ways meet; true: there is something new.
  local function arrive(to, r)
    local there = states[to]
    if not there then
      there = {}
      for register, value in pairs(r) do there[register] = value end
      states[to] = there
      return true
    end
    local is_new = false
    for register, value in pairs(r) do
      local both = join(there[register], value)
      if both ~= there[register] then there[register], is_new = both, true end
    end
    return is_new
  end
  while #waiting > 0 do
    local pc = table.remove(waiting)
    local r = {}
    for register, value in pairs(states[pc]) do r[register] = value end
    for register, cell in pairs(unit.captured) do self:add(cell, 'set', r[register]) end
    while pc do
      local one = code[pc]
      self.steps, self.line = self.steps + 1, one.line
      if self.steps > MOST_STEPS then error(GIVE_UP, 0) end
      local instruction = instructions[one.op] or operation
      instruction(self, r, one, pc)
      local following, on = bytecode.successors(code, pc), nil
      for _, to in ipairs(following) do
        if not code[to] then -- luacheck: ignore 542
        elseif not at[to] then
          on = to
        elseif arrive(to, r) then
          waiting[#waiting + 1] = to
        end
      end
      pc = on
    end
  end
end

local function run_new(self, from, to, step)
  for i = from, to, step do
    local unit = self.list[i]
    if unit.ran ~= self.growth then -- else there is nothing new for it
      unit.ran = self.growth
      self:run(unit)
    end
  end
end

--- What functions may change, called in any order, with what is no table and no function.
---@param roots function[]
---@param others function[] what these change does not count, but is looked at
---@return { variables: table, tables: table, deep: table, everything: string|nil, leads: function } by
---  upvalueid, and by table and key or ANY: 'file:line'; deep: the same for all that a table leads to;
---  leads(from, to): does it?; everything: where it cannot be known
function reach.from(roots, others)
  local self = setmetatable(heap.new { found = { variables = {}, tables = {}, deep = {} }, units = {},
    list = {}, cells = {}, calling = {}, steps = 0, depth = 0 }, Reach)
  local ok, problem = pcall(function()
    for _, fn in ipairs(roots) do
      local unit = self:unit_of(fn)
      if unit then unit.counts = true elseif natives.is_opaque(fn) then self.found.everything = 'a coroutine' end
    end
    for _, fn in ipairs(others) do self:unit_of(fn) end
    repeat
      local growth = self.growth
      run_new(self, 1, #self.list, 1) -- parameters go from callers to callees, results back
      run_new(self, #self.list, 1, -1)
    until growth == self.growth
  end)
  if not ok then
    if problem ~= GIVE_UP then error(problem, 0) end
    self.found.everything = self:place()
  end
  function self.found.leads(from, to)
    local known, there = pcall(self.led_to, self, from)
    return not known or there[to] ~= nil
  end
  return self.found
end

return reach
