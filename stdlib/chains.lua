-- SPDX-License-Identifier: Apache-2.0
--- Chains: which members of its argument a function reads, however deep: e.args.sk.skc_dport, e.args.argv[0].
---
---   chains.of(fn)  -->  { { path = 'args.sk.skc_dport', whole = true, file, line }, ... }, escapes
---
--- A forward data-flow over the bytecode: each register holds the set of paths it may have. They
--- follow locals, branches, loops, calls of functions that are known, and closures that take the
--- argument along. `whole`: something is done with the value, other than asking it for a member
--- or for its truth. The argument itself has the path ''; when that is used as a whole, it escapes.
--- `guess`: of a closure, which may mean something else.
---
--- An element is known by its number when that is written out, a local or a variable from outside that has one,
--- or what a loop with such bounds counts; else it is args.argv[?].

local bytecode = require 'moonprobe.stage.bytecode'
local own = require 'moonprobe.own_sources' -- functions of the stdlib are asked for nothing
local typed_path = require 'moonprobe.typed_path'
local util = require 'jit.util'

jit.off(true, true) -- of this file: what runs once is not worth compiling

local DEEPEST = 16 -- members; beyond, a loop follows them
local MOST_CALLS = 12
local MOST_PATHS = 64 -- in one register; beyond, a loop makes them
local MOST_NUMBERS = 64 -- in one register: as many fields as a probe has at most
local MOST_STEPS = 20000 -- beyond, it takes too long: nothing more is told

local chains = { DEEPEST = DEEPEST }

local outer -- the function at hand: closures within see its globals

-- What a register may hold: { paths = { [path] = true }, count = 1 }, and
-- { known = a Lua value, taken = { [upvalue] = value } }, and what it holds for sure:
-- { numbers = { [integer] = true } }, one of these.

local function without_numbers(v)
  if not v.numbers then return v end
  return { paths = v.paths, count = v.count, known = v.known, taken = v.taken }
end

local function join_numbers(a, b)
  if not a or not b then return nil end
  local both, count, grown = {}, 0, false
  for number in pairs(a) do both[number], count = true, count + 1 end
  for number in pairs(b) do
    if not both[number] then both[number], count, grown = true, count + 1, true end
  end
  if not grown then return a end
  return count <= MOST_NUMBERS and both or nil
end

local function join(a, b)
  if a == b then return a end
  if not a or not b then return without_numbers(a or b) end
  local numbers = join_numbers(a.numbers, b.numbers)
  local paths, grown = {}, not a.paths and b.paths
  for path in pairs(a.paths or {}) do paths[path] = true end
  local count = a.paths and a.count or 0
  for path in pairs(b.paths or {}) do
    if not paths[path] and count <= MOST_PATHS then paths[path], grown, count = true, true, count + 1 end
  end
  local known = a.known == b.known and a.known or nil
  if not grown and known == a.known and numbers == a.numbers then return a end
  return { paths = next(paths) and paths or nil, count = count, known = known, taken = known and a.taken,
    numbers = numbers }
end

--- What tells two sets of arguments apart.
local function signature(values)
  local words = {}
  for i, v in pairs(values) do
    local paths = {}
    for path in pairs(v.paths or {}) do paths[#paths + 1] = path end
    for number in pairs(v.numbers or {}) do paths[#paths + 1] = '#' .. number end
    table.sort(paths)
    words[#words + 1] = i .. '=' .. table.concat(paths, ',')
  end
  table.sort(words)
  return table.concat(words, ' ')
end

local follow

--- Where the last pass notes what is read; nil before it.
local found, seen, escapes, active, depth, results, noted, steps, guessing
local TOO_LONG = {}

local function note(code, one, path, whole)
  if not found then return end
  if path == '' then
    escapes = escapes or whole
    return
  end
  local key = table.concat({ code.file, one.line, path, tostring(whole), guessing > 0 and 'guess' or '' }, ' ')
  if seen[key] then return end
  seen[key] = true
  found[#found + 1] = { path = path, whole = whole, file = code.file, line = one.line,
    guess = guessing > 0 or nil }
end

local function use(code, one, v)
  local paths = {}
  for path in pairs(v and v.paths or {}) do paths[#paths + 1] = path end
  table.sort(paths)
  for _, path in ipairs(paths) do note(code, one, path, true) end
end

--- A value that stays what it is: a number by which an element may be known, or anything else.
local function constant(value)
  local is_number = type(value) == 'number' and value == math.floor(value) and math.abs(value) < 2 ^ 53
  return is_number and { numbers = { [value] = true } } or { known = value }
end

local function member(code, one, v, name)
  local paths, count = nil, 0
  for path in pairs(v.paths or {}) do
    -- As a field of the event one may also write the whole path.
    local longer = path == '' and typed_path.canonical(name) or typed_path.longer(path, name)
    if v.count > MOST_PATHS then longer = path .. ('.' .. name):rep(DEEPEST) end -- too many: told as too deep
    note(code, one, longer, false)
    if typed_path.count(longer) <= DEEPEST then
      paths, count = paths or {}, count + 1
      paths[longer] = true
    end
    if v.count > MOST_PATHS then break end
  end
  local known = constant(type(v.known) == 'table' and rawget(v.known, name) or nil)
  if not paths then return (known.known ~= nil or known.numbers) and known or nil end
  return { paths = paths, count = count, known = known.known, numbers = known.numbers }
end

--- Elements of what it leads to, by the numbers that the key may be.
local function elements(code, one, v, key)
  use(code, one, key)
  if v.paths[''] then -- of the event itself: a field by a name that is not known
    use(code, one, v)
    return nil
  end
  local result
  for number in pairs(key and key.numbers or {}) do
    local element = member(code, one, v, number)
    result = result and element and join(result, element) or result or element
  end
  if not (key and key.numbers) then use(code, one, member(code, one, v, typed_path.UNKNOWN)) end
  return result
end

--- What a loop counts, when its bounds are known; else nil.
local function counted(state, base)
  local bounds, numbers, count = {}, {}, 0
  for i = 0, 2 do
    local v = state[base + i]
    local number = v and v.numbers and next(v.numbers)
    if not number or next(v.numbers, number) then return nil end
    bounds[i] = number
  end
  if bounds[2] == 0 then return nil end
  for number = bounds[0], bounds[1], bounds[2] do
    numbers[number], count = true, count + 1
    if count > MOST_NUMBERS then return nil end
  end
  return { numbers = numbers }
end

--- Can it be followed with these arguments?
local function followed(v)
  local fn = v and v.known
  if type(fn) ~= 'function' and type(fn) ~= 'proto' then return nil end
  if type(fn) == 'function' and own[debug.getinfo(fn, 'S').source] then return nil end
  local code = bytecode.of(fn)
  return code and not code.is_vararg and depth < MOST_CALLS and code or nil
end

--- A call: what the first result may be.
local function call(code, one, state, count)
  local arguments, any = {}, false
  for i = 1, count do
    arguments[i] = state[one.a + 1 + i]
    any = any or arguments[i] and (arguments[i].paths or not arguments[i].numbers)
  end
  local callee = state[one.a]
  if any and followed(callee) then
    local guesses = callee.taken and next(callee.taken) and 1 or 0
    guessing = guessing + guesses
    local result = follow(callee.known, arguments, callee.taken or {})
    guessing = guessing - guesses
    return result
  end
  use(code, one, callee)
  for i = 1, count do use(code, one, arguments[i]) end
end

--- Names of what a function has from outside, in their order, and as a set.
local function upvalues(fn)
  local names = {}
  for i = 0, 255 do
    local name = util.funcuvname(fn, i)
    if not name then break end
    names[i], names[name] = name, i
  end
  return names
end

--- A closure, and what it takes along of its maker's variables. Which register an upvalue was is not known
--- but of arguments, so it may be any; what is told of it is a guess.
local function closure(fn, code, one, state, outside)
  local taken, arguments, mine, any = {}, {}, upvalues(fn), nil
  for i = 1, type(fn) == 'function' and code.params or 0 do arguments[debug.getlocal(fn, i) or ''] = i - 1 end
  for _, v in pairs(state) do any = v.paths and join(any, { paths = v.paths, count = v.count }) or any end
  for i, name in pairs(upvalues(one.constant)) do
    if type(i) == 'number' then
      local v = any
      if mine[name] then v = outside[mine[name]] elseif arguments[name] then v = state[arguments[name]] end
      taken[i] = v
    end
  end
  if next(taken) and followed { known = one.constant } then
    guessing = guessing + 1
    use(code, one, follow(one.constant, {}, taken))
    guessing = guessing - 1
  end
  return { known = one.constant, taken = taken }
end

local truths = { IST = true, ISTC = true, ISF = false, ISFC = false } -- what a value is when it jumps

-- How many arguments a call has; the values that another call left begin with the last of them.
local counts = {
  CALL = function(one) return one.c - 1 end,
  CALLT = function(one) return one.d - 1 end,
  CALLM = function(one) return one.c + 1 end,
  CALLMT = function(one) return one.d + 1 end,
}

--- What is in the registers behind an instruction, changed in place; what it returns.
local function step(fn, code, one, state, taken)
  local op, result = one.op, nil
  steps = steps + 1
  if steps > MOST_STEPS then error(TOO_LONG, 0) end
  if op == 'MOV' then
    result = state[one.d]
  elseif op == 'TGETS' then
    result = state[one.b] and member(code, one, state[one.b], one.constant)
  elseif op == 'TGETB' and state[one.b] and state[one.b].paths then
    result = elements(code, one, state[one.b], constant(one.c))
  elseif op == 'TGETV' and state[one.b] and state[one.b].paths then
    result = elements(code, one, state[one.b], state[one.c])
  elseif op == 'KSHORT' or op == 'KNUM' then
    result = constant(one.constant)
  elseif op == 'FORI' or op == 'FORL' then
    for _, r in ipairs(one.reads) do use(code, one, state[r]) end
    state[one.a + 3] = counted(state, one.a) -- and what it begins with stays, for the next time round
    return nil
  elseif op == 'UGET' then
    result = taken[one.d]
    if not result and type(fn) == 'function' then
      local _, known = debug.getupvalue(fn, one.d + 1)
      result = constant(known)
    end
  elseif op == 'GGET' then
    local at = type(fn) == 'function' and fn or outer
    result = constant(rawget(debug.getfenv(at), one.constant))
  elseif op == 'FNEW' then
    if found then escapes = true end -- as stdlib/reads.lua has it: a closure may ask for anything
    result = closure(fn, code, one, state, taken)
  elseif counts[op] then
    result = call(code, one, state, counts[op](one))
    if op == 'CALLT' or op == 'CALLMT' then
      if depth == 1 then use(code, one, result) end
      return result
    end
    for r in pairs(state) do if r >= one.a then state[r] = nil end end
  elseif op == 'RET1' then
    if depth == 1 then use(code, one, state[one.a]) end
    return state[one.a]
  elseif op == 'CAT' or op == 'RETM' then
    for r = op == 'CAT' and one.b or one.a, op == 'CAT' and one.c or one.a + one.d do use(code, one, state[r]) end
  elseif truths[op] == nil then
    for _, r in ipairs(one.reads) do use(code, one, state[r]) end
  end
  if op ~= 'ISTC' and op ~= 'ISFC' then
    for _, r in ipairs(one.writes) do state[r] = nil end
    if result then state[one.a] = result end
  end
end

local function copy(state)
  local other = {}
  for r, v in pairs(state) do other[r] = v end
  return other
end

--- The state behind a question for truth, when it jumps or not. What is false has no members.
local function tested(one, state, jumps)
  local truth = truths[one.op]
  if truth == nil then return state end
  local after = copy(state)
  if truth ~= jumps then after[one.d] = nil end
  if jumps and one.op:sub(-1) == 'C' then after[one.a] = after[one.d] end
  return after
end

--- The states before each instruction, when nothing changes any more.
local function settle(fn, code, entry, taken)
  local states, waiting = { entry }, { 1 }
  while #waiting > 0 do
    local i = table.remove(waiting)
    local one, state = code[i], copy(states[i])
    step(fn, code, one, state, taken)
    for _, next_one in ipairs(bytecode.successors(code, i)) do
      local after, to = tested(one, state, next_one == i + 1), states[next_one]
      local changed = not to
      if not to then
        states[next_one] = copy(after)
      else
        for r, v in pairs(after) do
          local both = join(to[r], v)
          if both ~= to[r] then to[r], changed = both, true end
        end
        for r, v in pairs(to) do
          if v.numbers and not after[r] then to[r], changed = without_numbers(v), true end
        end
      end
      if changed and code[next_one] then waiting[#waiting + 1] = next_one end
    end
  end
  return states
end

--- Follows a function with arguments; what it returns first.
function follow(fn, arguments, taken)
  local code = bytecode.of(fn)
  local key = code.number .. ' ' .. signature(arguments) .. ' / ' .. signature(taken)
    .. (guessing > 0 and ' guess' or '')
  if active[key] or (found and noted[key] or not found and results[key]) then return results[key] end
  if found then noted[key] = true end
  active[key], depth = true, depth + 1
  local entry = {}
  for i = 1, code.params do entry[i - 1] = arguments[i] end
  local notes = found
  found = nil
  local states = settle(fn, code, entry, taken)
  found = notes
  local result
  for i, one in ipairs(code) do
    if states[i] then
      local state = copy(states[i])
      local back = step(fn, code, one, state, taken)
      if back then result = join(result, back) end
    end
  end
  active[key], depth, results[key] = nil, depth - 1, result
  return result
end

--- The members a function reads of its argument.
---@param fn function
---@return { path: string, whole: boolean, file: string, line: integer, guess: boolean|nil }[]
---@return boolean escapes the argument is used as a whole: what is done with it is not known
function chains.of(fn)
  local code = bytecode.of(fn)
  if not code then return {}, true end
  if code.is_vararg then return {}, true end
  if code.params == 0 then return {}, false end
  found, seen, escapes, active, depth, results, noted = {}, {}, false, {}, 0, {}, {}
  steps, guessing = 0, 0
  outer = fn
  local list = found
  local ok, problem = pcall(follow, fn, { { paths = { [''] = true }, count = 1 } }, {})
  found, outer = nil, nil
  if not ok and problem ~= TOO_LONG then error(problem, 0) end
  escapes = escapes or not ok
  table.sort(list, function(a, b)
    if a.file ~= b.file then return a.file < b.file end
    if a.line ~= b.line then return a.line < b.line end
    if a.path ~= b.path then return a.path < b.path end
    return b.whole and not a.whole
  end)
  return list, escapes
end

return chains
