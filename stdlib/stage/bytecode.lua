-- SPDX-License-Identifier: Apache-2.0
--- Bytecode: a Lua function as a list of instructions, with the registers that are alive before
--- each.
---
---   { { op = 'ISLT', a = 2, d = 1, line = 7 }, { op = 'JMP', target = 9, line = 7 }, ... }
---
--- Where the instruction set is described: LuaJIT, src/lj_bc.h.

local bit = require 'bit'
local ffi = require 'ffi'
local util = require 'jit.util'
local vmdef = require 'moonprobe.vmdef'

jit.off(true, true) -- of this file: see assembler.lua

local band, rshift = bit.band, bit.rshift

-- A call has its arguments from register A + 2 on (LJ_FR2), as in every build for 64 bits of today.
assert(ffi.abi 'gc64', 'LuaJIT was built without GC64')

local bytecode = {}

-- Kinds of operands (BCMode): registers read and written, and constants.
local DST, BASE, VAR, RBASE, UV, LIT, LITS, PRI, NUM, STR, TAB, FUNC, JUMP = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
local CDATA = 14

local names = {}
for i = 0, #vmdef.bcnames / 6 - 1 do
  names[i] = vmdef.bcnames:sub(6 * i + 1, 6 * i + 6):gsub(' ', '')
end

-- Their register is a limit, not an operand.
local limits = { JMP = true, LOOP = true, UCLO = true, RET0 = true }

local primitives = { [0] = nil, [1] = false, [2] = true }

--- An operand that is a constant, as a Lua value; `at` is the prototype it is a constant of.
local function constant(at, mode, operand)
  if mode == NUM then return util.funck(at, operand) end
  if mode == STR or mode == TAB or mode == FUNC or mode == CDATA then return util.funck(at, -operand - 1) end
  if mode == LITS then return operand < 32768 and operand or operand - 65536 end
  if mode == PRI then return primitives[operand] end
  return operand
end

--- The registers an instruction reads and writes, as lists.
local function registers(one, modes)
  local reads, writes = {}, {}
  local function span(list, from, to) for r = from, to do list[#list + 1] = r end end
  for _, part in ipairs { 'a', 'b', 'c', 'd' } do
    local mode = modes[part]
    if mode == VAR or mode == RBASE then reads[#reads + 1] = one[part] end
    if mode == DST then writes[#writes + 1] = one[part] end
  end
  local op = one.op
  if op == 'CALL' or op == 'CALLM' then
    reads[#reads + 1] = one.a
    span(reads, one.a + 2, one.a + one.c + (op == 'CALL' and 0 or 1))
    if one.b > 1 then span(writes, one.a, one.a + one.b - 2) end
  elseif op == 'CALLT' or op == 'CALLMT' then
    reads[#reads + 1] = one.a
    span(reads, one.a + 2, one.a + one.d + (op == 'CALLT' and 0 or 1))
  elseif op == 'RET' or op == 'RET1' then
    span(reads, one.a, one.a + one.d - 2)
  elseif op == 'RETM' then
    span(reads, one.a, one.a + one.d - 1)
  elseif op == 'KNIL' then
    span(writes, one.a, one.d)
  elseif op == 'FORI' then
    span(reads, one.a, one.a + 2)
    writes[#writes + 1] = one.a + 3
  elseif op == 'FORL' then
    span(reads, one.a, one.a + 2)
    span(writes, one.a, one.a)
    writes[#writes + 1] = one.a + 3
  end
  return reads, writes
end

local conditional = { ISTC = true, ISFC = true } -- they write only when they jump

--- Where control goes from instruction `i`.
local function successors(list, i)
  local one = list[i]
  local op = one.op
  if op:find('^RET') or op:find('^CALLM?T$') then return {} end
  if op == 'JMP' or op == 'UCLO' then return { one.target } end
  if one.target then return { i + 1, one.target } end -- loops
  if op:find('^IS') then return { i + 1, i + 2 } end
  return { i + 1 }
end

--- Adds `alive` to every instruction: the registers, sorted, that are read later on.
local function find_alive(list)
  local alive = {}
  for i = 1, #list do alive[i] = {} end
  local changed = true
  local following = {}
  for i = 1, #list do following[i] = successors(list, i) end
  while changed do
    changed = false
    for i = #list, 1, -1 do
      local now = {}
      for _, next_one in ipairs(following[i]) do
        for r in pairs(alive[next_one] or {}) do now[r] = true end
      end
      if not conditional[list[i].op] then
        for _, r in ipairs(list[i].writes) do now[r] = nil end
      end
      for _, r in ipairs(list[i].reads) do now[r] = true end
      for r in pairs(now) do
        if not alive[i][r] then alive[i], changed = now, true end
      end
    end
  end
  for i, set in ipairs(alive) do
    local sorted = {}
    for r in pairs(set) do sorted[#sorted + 1] = r end
    table.sort(sorted)
    list[i].alive = sorted
  end
end

-- What a loop becomes when LuaJIT has compiled it, or given up. JLOOP may have been a return, too.
local before = { JFORI = 'FORI', JFORL = 'FORL', IFORL = 'FORL', ILOOP = 'LOOP', JITERL = 'ITERL', IITERL = 'ITERL' }

--- A compiled loop's end has the number of its trace in the place of its begin.
local function restore_loops(list)
  for pc, one in ipairs(list) do
    local last = one.target and one.target > pc and list[one.target - 1]
    if one.op == 'FORI' and not last.target then last.target = pc + 1 end
    -- for ... in: enters at its end, where the next values are asked for.
    local ending = one.target and (one.op == 'JMP' or one.op == 'ISNEXT') and list[one.target + 1]
    if ending and ending.op == 'ITERL' then
      if not ending.target then ending.target = pc + 1 end -- others that jump there are behind this one
      if list[one.target].op == 'JLOOP' then
        local next_one = list[one.target]
        next_one.op, next_one.a, next_one.b = 'ITERN', ending.a, 3
      end
    end
  end
end

local decoded, count = setmetatable({}, { __mode = 'k' }), 0

--- The instructions of a function, and its `number`. Decoded once: running it may replace some by compiled loops.
--- nil for a function that is not Lua's.
---@param fn function
---@return table[]|nil
function bytecode.of(fn)
  if decoded[fn] then return decoded[fn] end
  local info = util.funcinfo(fn)
  if not info.bytecodes or info.linedefined < 0 then return nil end -- some of the Lua library's are bytecode, too
  local list = { params = info.params, is_vararg = info.isvararg,
    file = (info.source or ''):gsub('^[@=]', ''), line = info.linedefined }
  for pc = 1, info.bytecodes - 1 do
    local word, mode = util.funcbc(fn, pc)
    local name = names[band(word, 0xff)]
    local one = { op = before[name] or name, line = util.funcinfo(fn, pc).currentline }
    local modes = { a = band(mode, 7), b = band(rshift(mode, 3), 15) }
    one.a = band(rshift(word, 8), 0xff)
    if modes.b ~= 0 then
      modes.c = band(rshift(mode, 7), 15)
      one.b, one.c = rshift(word, 24), band(rshift(word, 16), 0xff)
      one.constant = constant(fn, modes.c, one.c)
    else
      modes.d = band(rshift(mode, 7), 15)
      one.d = rshift(word, 16)
      if modes.d == JUMP then one.target = pc + 1 + one.d - 0x8000 end
      one.constant = constant(fn, modes.d, one.d)
    end
    if limits[one.op] then modes.a = 0 end
    if modes.a == UV then one.upvalue = one.a end
    one.reads, one.writes = registers(one, modes)
    one.modes = modes
    list[pc] = one
  end
  restore_loops(list)
  find_alive(list)
  count = count + 1
  list.number = count
  decoded[fn] = list
  return list
end

local captured = setmetatable({}, { __mode = 'k' })

--- What the functions that are made in a function take along, also in those within: of each prototype, for
--- each of its upvalues, the register of the function that makes it, or its upvalue. Nobody tells but the
--- function's dump (LuaJIT, src/lj_bcdump.h: prototypes, those within first).
---@param fn function
---@return { [any]: { register: integer|nil, upvalue: integer|nil }[] } by prototype
function bytecode.captures(fn)
  if captured[fn] then return captured[fn] end
  local bytes, at = string.dump(fn, true), 5
  local of = {}
  local function number() -- ULEB128
    local n, scale = 0, 1
    repeat
      local byte = bytes:byte(at)
      n, scale, at = n + byte % 128 * scale, scale * 128, at + 1
    until byte < 128
    return n
  end
  assert(bytes:sub(1, 4) == '\27LJ\2', 'another dump than LuaJIT 2.1 makes')
  number() -- flags; without debug information there is no name
  local function walk(proto)
    for i = 1, util.funcinfo(proto).gcconsts do
      local within = util.funck(proto, -i)
      if type(within) == 'proto' then walk(within) end
    end
    local size = number()
    local following, upvalues = at + size, bytes:byte(at + 3)
    at = at + 4
    number() -- constants of two kinds
    number()
    local instructions = number()
    at = at + 4 * instructions
    local list = {}
    for i = 1, upvalues do
      local low, high = bytes:byte(at, at + 1)
      list[i] = high >= 0x80 and { register = low } or { upvalue = low + high % 64 * 256 + 1 }
      at = at + 2
    end
    of[proto], at = list, following
  end
  walk(fn)
  of[fn] = nil -- it would keep itself
  captured[fn] = of
  return of
end

--- How a function is told to people.
---@param fn function
---@return string 'file:line'
function bytecode.place(fn)
  local info = util.funcinfo(fn)
  return ('%s:%d'):format((info.source or '?'):gsub('^[@=]', ''), info.linedefined or 0)
end

--- Where control goes from instruction `i` of what of() gives.
---@return integer[]
bytecode.successors = successors

bytecode.modes = { DST = DST, BASE = BASE, VAR = VAR, RBASE = RBASE, LIT = LIT }

return bytecode
