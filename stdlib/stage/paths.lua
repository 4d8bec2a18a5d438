-- SPDX-License-Identifier: Apache-2.0
--- Paths: follows a function's bytecode with values that are not known yet, and gives a graph.
---
---   { test = condition, yes = node, no = node }      a question about the event
---   { leave = 'pass' | 'reject' | 'undecided' }      or what finish() makes of the result
---
--- Where the way depends on the event it forks; two ways that come to the same place with the
--- same values become one again. Loops and calls are followed like the rest, so there are
--- none in the graph: constant bounds are unrolled, local functions inlined.

local arithmetic = require 'moonprobe.stage.arithmetic'
local builtins = require 'moonprobe.stage.builtins'
local bytecode = require 'moonprobe.stage.bytecode'
local condition = require 'moonprobe.stage.condition'
local reading = require 'moonprobe.stage.reading'
local value = require 'moonprobe.stage.value'

jit.off(true, true) -- of this file: see assembler.lua

local const, refuse, undecided = value.const, value.refuse, value.undecided

-- Beyond, a translation would take longer than some milliseconds.
local MOST_NODES, MOST_STEPS, MOST_DEPTH, MOST_CALLS = 600, 10000, 150, 16

local paths = {}

local LOOP = 'for ... in; a numeric for with constant bounds, or a look-up in a table, will do'

local UNDECIDED = { leave = 'undecided' }
local NIL = nil -- made anew for each translation

local walk -- the translation at hand: { schema, live, finish, nodes, steps, memo, forks, file, line }

local function copy_frame(frame)
  if not frame then return nil end
  local r = {}
  for i, v in pairs(frame.r) do r[i] = v end
  return { code = frame.code, fn = frame.fn, pc = frame.pc, r = r, parent = copy_frame(frame.parent),
    to = frame.to, want = frame.want, calls = frame.calls, multi = frame.multi }
end

--- Where the values begin that the last call left for an instruction; nil: it takes none.
local function multi_from(one)
  if one.op == 'CALLM' then return one.a + 2 + one.c end
  if one.op == 'CALLMT' then return one.a + 2 + one.d end
  return one.op == 'RETM' and one.a + one.d or nil
end

--- What tells two states apart: where they are, and what is still needed.
local function key_of(frame)
  local words = {}
  while frame do
    words[#words + 1] = frame.code.number
    words[#words + 1] = frame.pc
    local one = frame.code[frame.pc]
    for _, r in ipairs(one and one.alive or {}) do words[#words + 1] = frame.r[r] and frame.r[r].id or 'x' end
    local first = one and frame.multi and multi_from(one)
    if first then
      for r = first, first + frame.multi - 1 do words[#words + 1] = frame.r[r] and frame.r[r].id or 'x' end
    end
    if frame.parent then words[#words + 1] = frame.to .. '/' .. frame.want end
    frame = frame.parent
  end
  return table.concat(words, ' ')
end

local follow

--- Forks by a test: each side gets a state of its own, made ready by `set`.
local function fork(frame, test, set)
  if type(test) == 'boolean' then
    set(frame, test)
    return follow(frame)
  end
  while test.ask == 'not' do
    local inner, outer = test.of, set
    test = inner
    set = function(one, answer) outer(one, not answer) end
  end
  local key = key_of(frame) -- ways that come here from different places: the same question
  if walk.forks[key] then return walk.forks[key] end
  walk.nodes = walk.nodes + 1
  if walk.nodes > MOST_NODES then
    refuse('more than %d questions; too many ways through it: look values up in a table', MOST_NODES)
  end
  local node = { test = test, file = walk.file, line = walk.line }
  local other = copy_frame(frame)
  set(frame, true)
  node.yes = follow(frame)
  set(other, false)
  node.no = follow(other)
  walk.forks[key] = node
  return node
end

--- Puts a value into a register and goes on behind the instruction.
local function put(frame, register, v)
  if v.is ~= 'choice' then
    frame.r[register] = v
    frame.pc = frame.pc + 1
    return nil
  end
  return fork(frame, v.test, function(one, answer)
    one.r[register] = answer and v.yes or v.no
    one.pc = one.pc + 1
  end)
end

local function get(frame, register)
  return frame.r[register] or NIL
end

local do_return

--- Calls a function with values; its results go to registers from `to` on. `want`: how many, -1: all.
local function call(frame, callee, arguments, to, want, is_tail)
  callee = walk.live:built_in(callee)
  if not value.is_const(callee, 'function') then
    if callee.is == 'const' then undecided() end
    refuse('a call of something that is not a known function; a local function will do')
  end
  local fn = callee.value
  local builtin = builtins[fn] or builtins.network(fn)
  if builtin then
    if builtins.takes_constants[fn] then
      for i = 2, #arguments do arguments[i] = walk.live:built_in(arguments[i]) end
    end
    local result, second = builtin(arguments)
    if is_tail then
      if result.is ~= 'choice' then return do_return(frame, { result, second }) end
      return fork(frame, result.test, function(one, answer)
        one.finished = { answer and result.yes or result.no }
      end)
    end
    for i = 1, want - 1 do frame.r[to + i] = i == 1 and second or NIL end
    if want < 0 then
      frame.r[to + 1], frame.multi = second, second and 2 or 1
    end
    if want == 0 then
      frame.pc = frame.pc + 1
      return nil
    end
    return put(frame, to, result)
  end
  local code = bytecode.of(fn)
  if fn == pairs or fn == ipairs or fn == next then refuse(LOOP) end
  if not code then
    refuse('a call of a library function that the kernel has not; comparisons and look-ups will do')
  end
  if code.is_vararg then refuse('a call of a function with ...; name its arguments') end
  if frame.calls == MOST_CALLS then refuse('calls more than %d deep; write it flat', MOST_CALLS) end
  local inner = { code = code, fn = fn, pc = 1, r = {}, calls = frame.calls + 1 }
  if is_tail then
    inner.parent, inner.to, inner.want = frame.parent, frame.to, frame.want
  else
    inner.parent, inner.to, inner.want = frame, to, want
  end
  for i = 1, code.params do inner.r[i - 1] = arguments[i] or NIL end
  return follow(inner)
end

--- Leaves a function with values: back to its caller, or to the end.
function do_return(frame, values)
  local parent = frame.parent
  if not parent then return walk.finish(values[1] or NIL, fork, frame) end
  for i = 1, math.max(frame.want, frame.want < 0 and #values or 0) do
    parent.r[frame.to + i - 1] = values[i] or NIL
  end
  if frame.want < 0 then parent.multi = #values end
  parent.pc = parent.pc + 1
  return follow(parent)
end

local function gather(frame, from, count)
  local list = {}
  for i = 1, count do list[i] = get(frame, from + i - 1) end
  return list
end

-- Each instruction: returns a node when the way ends or forks here, else nil and has moved pc.
local instructions = {}

--- The instruction behind a comparison is the jump it takes when the answer is `when`.
local function branch(test_of, when)
  return function(frame, one)
    local target = frame.code[frame.pc + 1].target
    local test = test_of(frame, one)
    if type(test) == 'boolean' then
      frame.pc = test == when and target or frame.pc + 2
      return nil
    end
    return fork(frame, test, function(state, answer)
      state.pc = answer == when and target or state.pc + 2
    end)
  end
end

local function less(how, swapped)
  return function(frame, one)
    local a, b = get(frame, one.a), get(frame, one.d)
    if swapped then a, b = b, a end
    return condition.less(how, a, b)
  end
end

instructions.ISLT = branch(less 'lt', true)
instructions.ISGE = branch(less 'lt', false)
instructions.ISLE = branch(less 'le', true)
instructions.ISGT = branch(less 'le', false)

local function equal(frame, one) return condition.equal(get(frame, one.a), get(frame, one.d)) end
local function equal_constant(frame, one) return condition.equal(get(frame, one.a), const(one.constant)) end
instructions.ISEQV, instructions.ISNEV = branch(equal, true), branch(equal, false)
for _, kind in ipairs { 'S', 'N', 'P' } do
  instructions['ISEQ' .. kind] = branch(equal_constant, true)
  instructions['ISNE' .. kind] = branch(equal_constant, false)
end

local function truth(frame, one) return condition.truth(get(frame, one.d)) end
instructions.IST, instructions.ISF = branch(truth, true), branch(truth, false)

--- A flag that is known to be set or not is a constant.
local function known(v, answer)
  if v.is == 'bool' then return const(answer) end
  if not answer and v.is ~= 'const' and not condition.may_be_false(v) then return NIL end
  return v
end

--- As branch(), and copies the value when it jumps.
local function branch_and_copy(when)
  return function(frame, one)
    local v, target = get(frame, one.d), frame.code[frame.pc + 1].target
    return fork(frame, condition.truth(v), function(state, answer)
      if answer == when then
        state.r[one.a], state.pc = known(v, answer), target
      else
        state.pc = state.pc + 2
      end
    end)
  end
end
instructions.ISTC, instructions.ISFC = branch_and_copy(true), branch_and_copy(false)

function instructions.MOV(frame, one) return put(frame, one.a, get(frame, one.d)) end
function instructions.NOT(frame, one)
  return fork(frame, condition.truth(get(frame, one.d)), function(state, answer)
    state.r[one.a], state.pc = const(not answer), state.pc + 1
  end)
end
function instructions.UNM(frame, one) return put(frame, one.a, arithmetic.negate(get(frame, one.d))) end
function instructions.LEN(frame, one)
  local v = get(frame, one.d)
  return put(frame, one.a, value.is_const(v, 'table') and walk.live:length(v.value) or builtins.length(v))
end

for name, op in pairs { ADD = 'add', SUB = 'sub', MUL = 'mul', DIV = 'div', MOD = 'mod' } do
  local divides = op == 'div' or op == 'mod'
  local function compute(frame, one, a, b)
    if divides then b = walk.live:built_in(b) end
    return put(frame, one.a, arithmetic.binary(op, a, b))
  end
  instructions[name .. 'VV'] = function(frame, one)
    return compute(frame, one, get(frame, one.b), get(frame, one.c))
  end
  instructions[name .. 'VN'] = function(frame, one)
    return compute(frame, one, get(frame, one.b), const(one.constant))
  end
  instructions[name .. 'NV'] = function(frame, one)
    return compute(frame, one, const(one.constant), get(frame, one.b))
  end
end
function instructions.POW(frame, one)
  local a, b = walk.live:built_in(get(frame, one.b)), walk.live:built_in(get(frame, one.c))
  return put(frame, one.a, arithmetic.binary('pow', a, b))
end

local function load_constant(frame, one) return put(frame, one.a, const(one.constant)) end
for _, name in ipairs { 'KSTR', 'KSHORT', 'KNUM', 'KPRI', 'KCDATA' } do instructions[name] = load_constant end
function instructions.KNIL(frame, one)
  for r = one.a, one.d do frame.r[r] = NIL end
  frame.pc = frame.pc + 1
end

function instructions.UGET(frame, one)
  return put(frame, one.a, walk.live:upvalue(frame.fn, one.d + 1))
end
function instructions.GGET(frame, one) return put(frame, one.a, walk.live:global(frame.fn, one.constant)) end

function instructions.TGETS(frame, one)
  return put(frame, one.a, reading.index(walk, get(frame, one.b), const(one.constant)))
end
function instructions.TGETB(frame, one)
  return put(frame, one.a, reading.index(walk, get(frame, one.b), const(one.c)))
end
function instructions.TGETV(frame, one)
  return put(frame, one.a, reading.index(walk, get(frame, one.b), get(frame, one.c)))
end

function instructions.CALL(frame, one)
  return call(frame, get(frame, one.a), gather(frame, one.a + 2, one.c - 1), one.a, one.b - 1, false)
end
function instructions.CALLM(frame, one)
  return call(frame, get(frame, one.a), gather(frame, one.a + 2, one.c + frame.multi), one.a, one.b - 1, false)
end
function instructions.CALLT(frame, one)
  return call(frame, get(frame, one.a), gather(frame, one.a + 2, one.d - 1), nil, nil, true)
end
function instructions.CALLMT(frame, one)
  return call(frame, get(frame, one.a), gather(frame, one.a + 2, one.d + frame.multi), nil, nil, true)
end

function instructions.RET0(frame) return do_return(frame, {}) end
function instructions.RET1(frame, one) return do_return(frame, { get(frame, one.a) }) end
function instructions.RET(frame, one) return do_return(frame, gather(frame, one.a, one.d - 1)) end
function instructions.RETM(frame, one) return do_return(frame, gather(frame, one.a, one.d + frame.multi)) end

function instructions.JMP(frame, one) frame.pc = one.target end
instructions.UCLO = instructions.JMP
function instructions.LOOP(frame) frame.pc = frame.pc + 1 end

local function bound(frame, register)
  local v = walk.live:built_in(get(frame, register))
  if not value.is_const(v, 'number') then
    refuse('a loop whose bounds depend on the event; constant ones will do')
  end
  return v.value
end

local function within_loop(at, stop, step)
  if step >= 0 then return at <= stop end
  return at >= stop
end

function instructions.FORI(frame, one)
  local at, stop, step = bound(frame, one.a), bound(frame, one.a + 1), bound(frame, one.a + 2)
  frame.r[one.a + 3] = const(at)
  frame.pc = within_loop(at, stop, step) and frame.pc + 1 or one.target
end
function instructions.FORL(frame, one)
  local stop, step = bound(frame, one.a + 1), bound(frame, one.a + 2)
  local at = bound(frame, one.a) + step
  frame.r[one.a], frame.r[one.a + 3] = const(at), const(at)
  frame.pc = within_loop(at, stop, step) and one.target or frame.pc + 1
end

local OUTSIDE = 'changing something outside of the function; do that in each()'
local TABLE = 'making a table; make it once, outside of the function'
local reasons = {
  CAT = 'joining text; compare the parts', FNEW = 'making a function; make it outside', TNEW = TABLE, TDUP = TABLE,
  VARG = '...; name the arguments', ITERC = LOOP, ITERN = LOOP, ISNEXT = LOOP,
  USETV = OUTSIDE, USETS = OUTSIDE, USETN = OUTSIDE, USETP = OUTSIDE, GSET = OUTSIDE, TSETV = OUTSIDE,
  TSETS = OUTSIDE, TSETB = OUTSIDE, TSETM = OUTSIDE, TSETR = OUTSIDE,
}

local function run(frame)
  while true do
    if frame.finished then
      local values = frame.finished
      frame.finished = nil
      return do_return(frame, values)
    end
    local one = frame.code[frame.pc]
    walk.steps = walk.steps + 1
    if walk.steps > MOST_STEPS then
      refuse('too long; fewer turns of its loops, or a look-up in a table, will do')
    end
    walk.file, walk.line = frame.code.file, one.line
    local instruction = instructions[one.op]
    if not instruction then
      refuse('%s', reasons[one.op] or 'what LuaJIT makes of it (' .. one.op .. '); write it in another way')
    end
    local node = instruction(frame, one)
    if node then return node end
  end
end

--- The graph from a state on.
function follow(frame)
  local key = not frame.finished and key_of(frame) or nil
  local known_node = key and walk.memo[key]
  if known_node == false then refuse('a loop whose end depends on the event; constant bounds will do') end
  if known_node then return known_node end
  if key then walk.memo[key] = false end
  walk.depth = walk.depth + 1
  if walk.depth > MOST_DEPTH then
    refuse('too deep; too many questions one after the other: look values up in a table')
  end
  local ok, node = pcall(run, frame)
  walk.depth = walk.depth - 1
  if not ok then
    if node == value.undecided_mark then
      node = UNDECIDED
    else
      if value.is_refusal(node) and not node.line then node.file, node.line = walk.file, walk.line end
      error(node, 0)
    end
  end
  if key then walk.memo[key] = node end
  return node
end

--- The graph of a function of the event.
---@param fn function
---@param schema table
---@param live table what it uses from outside is noted there
---@param finish fun(v, fork, frame): table what becomes of the result: a node
---@return table|nil graph nil when it cannot be translated
---@return table fields [name] = true: what it reads; or { reason, file, line }
function paths.of(fn, schema, live, finish)
  local code = bytecode.of(fn)
  if not code then return nil, { reason = 'it is not a Lua function', file = '?', line = 0 } end
  NIL = const(nil)
  walk = { schema = schema, live = live, finish = finish, nodes = 0, steps = 0, depth = 0, memo = {}, forks = {},
    fields = {}, file = code.file, line = code.line }
  local frame = { code = code, fn = fn, pc = 1, r = { [0] = value.event }, calls = 0 }
  if code.params == 0 then frame.r = {} end
  local ok, node
  if code.is_vararg then
    ok, node = false, { reason = 'a function with ...; name its argument', file = code.file, line = code.line }
  else
    ok, node = pcall(follow, frame)
  end
  if ok then return node, walk.fields end
  if type(node) ~= 'table' or not node.reason then error(node, 0) end
  return nil, node
end

local PASS, REJECT = { leave = 'pass' }, { leave = 'reject' }

--- finish() of a filter.
function paths.as_filter(v)
  local test = condition.truth(v)
  if type(test) == 'boolean' then return test and PASS or REJECT end
  local yes, no = PASS, REJECT
  while test.ask == 'not' do test, yes, no = test.of, no, yes end
  return { test = test, yes = yes, no = no, file = walk.file, line = walk.line }
end

--- finish() of a key or a value: a node with the value.
function paths.as_value(v)
  if v.is == 'element' or v.is == 'found' then
    refuse('what a look-up gives; only whether there is something')
  end
  return { leave = 'value', value = v }
end

--- The graph of a field by its name: one node with its value.
---@return table|nil graph
---@return table fields, or a refusal
function paths.of_field(name, schema, live)
  walk = { schema = schema, live = live, fields = {}, file = 'field ' .. name, line = 0 }
  local ok, result = pcall(reading.index, walk, value.event, const(name))
  if ok then return { leave = 'value', value = result }, walk.fields end
  if not value.is_refusal(result) then error(result, 0) end
  result.file, result.line = 'field ' .. name, 0
  return nil, result
end

return paths
