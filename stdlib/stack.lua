-- SPDX-License-Identifier: Apache-2.0
--- Stack: how the kernel, or a process, came to where an event happened: e.kstack, e.ustack.
---
---   event: a number  -->  Stack  --when it is shown-->  host: names of its frames
---
--- What the number is: bpf/include/stack.bpf.h. The same number is the same stack, whichever probe or
--- version of the script captured it; of two processes it is never the same. The names are asked for in
--- batches, and only of what is shown.

local ffi = require 'ffi'
local tohex = require('bit').tohex
local engine = require 'moonprobe.engine'
local host = require 'moonprobe.host'

local stack = {}

--- `lost` of what has none: of the kernel while a process ran, of a process in a thread of the kernel.
stack.NONE = 'no stack'

-- As bpf/include/stack.h has them.
local END, LOST = 0x1000000, 0xfff001

local BATCH = 200 -- stacks in a question
local MOST_NAMED = 20000 -- stacks whose names are kept
local MOST_PID = 2 ^ 30 -- engine/stack_request.c
local FIRST_INVENTED = 0xe00000 -- where no recording has any
local MOST_FRAMES = 127
local EFAULT = 14
local QUESTIONS, ANSWERS = 200, 2000 -- a second: half of what the host allows

--- How the kernel, or a process, came to where an event happened. Equal stacks are equal (==).
---@class moonprobe.Stack
---@field lost string|nil why there is none
local Stack = {}
Stack.__index = Stack

--- A place in a stack.
---@class moonprobe.Frame
---@field name string the function, '' when nobody knows it
---@field where string '+21': bytes from its start; an address when it has no name
---@field file string base name of the program, library or module; '' in the kernel itself

local made = { kernel = setmetatable({}, { __mode = 'v' }), user = setmetatable({}, { __mode = 'v' }) }
local named, named_count = { kernel = {}, user = {} }, 0
local marks = { kernel = '\30k', user = '\30u' }

local reasons = { EEXIST = 'another one has its place, raise --stacks', ENOMEM = 'no room, raise --stacks' }

local function reason_of(number)
  local id = number % END
  if id == 0 then return 'stack not captured' end
  if id < LOST then return nil end
  if END - id == EFAULT then return stack.NONE end
  local name = engine.errno_name(END - id) or tostring(END - id)
  return 'stack lost: ' .. (reasons[name] or name)
end

--- The stack that a number stands for.
---@param kind 'kernel'|'user'
---@param number number
---@return moonprobe.Stack
---@package
function stack.of(kind, number)
  local one = made[kind][number]
  if not one then
    one = setmetatable({ kind = kind, number = number, lost = reason_of(number) }, Stack)
    made[kind][number] = one
  end
  return one
end

--- Is it one?
---@param value any
---@return boolean
function stack.is(value) return type(value) == 'table' and getmetatable(value) == Stack end

-- Keys of aggregates are plain values: they go to the next version of the script.

--- What stands for it in a key.
---@return string
---@package
function Stack:key() return marks[self.kind] .. ('%.0f'):format(self.number) end

--- A text as a key, where it could be taken for one of a stack.
---@param text string
---@return string
function stack.text_key(text) return text:byte(1) == 30 and '\30s' .. text or text end

--- What a part of a key was made of.
---@param key any
---@return any
function stack.from_key(key)
  if type(key) ~= 'string' or key:byte(1) ~= 30 then return key end
  local mark, rest = key:match '^\30([kus])(.*)$'
  if mark == 's' then return rest end
  local number = tonumber(rest)
  return number and stack.of(mark == 'k' and 'kernel' or 'user', number) or key
end

-- The host may be asked so often and no more.
local second_ns, asked, looked_up = 0, 0, 0

local function new_second()
  local now = engine.monotonic()
  if now - second_ns >= 1e9 then second_ns, asked, looked_up = now, 0, 0 end
  return second_ns + 1e9 - now
end

local function wait_for_turn()
  local left = new_second()
  asked = asked + 1
  if asked <= QUESTIONS then return end
  local until_ns = engine.monotonic() + left
  while engine.monotonic() < until_ns do
    if engine.wait(math.ceil((until_ns - engine.monotonic()) / 1e6), nil) then
      host.keep(assert(engine.receive(), 'the host is gone'))
    end
  end
  new_second()
  asked = 1
end

--- Names are of any program: they must not end a line or mean anything to a terminal.
local function clean(text) return (text:gsub('[%c\127]', '?')) end

local function take_frames(reply, at, count)
  local frames = {}
  for i = 1, count do
    frames[i] = { name = clean(reply[at]), where = reply[at + 1], file = clean(reply[at + 2]):match '[^/]*$' }
    at = at + 3
  end
  return frames, at
end

--- Who knows the names; a test puts its own in this place.
---@param kind 'kernel'|'user'
---@param numbers number[]
---@return (moonprobe.Frame[]|false)[] those of the first ones, at least one
stack.resolver = function(kind, numbers)
  wait_for_turn()
  local reply, list, at = host.ask('stacks', kind, unpack(numbers)), {}, 2
  while at <= #reply do
    local count = reply[at]
    list[#list + 1], at = false, at + 1
    if count >= 0 then list[#list], at = take_frames(reply, at, count) end
  end
  return list
end

local function name_all(kind, numbers)
  if named_count + #numbers > MOST_NAMED then named, named_count = { kernel = {}, user = {} }, 0 end
  named_count = named_count + #numbers
  while #numbers > 0 do
    local batch, rest = {}, {}
    for i, number in ipairs(numbers) do
      local into = i <= BATCH and batch or rest
      into[#into + 1] = number
    end
    local list = stack.resolver(kind, batch)
    if #list == 0 then list = { false } end
    for i, number in ipairs(batch) do
      if i <= #list then named[kind][number] = list[i] else table.insert(rest, number) end
    end
    numbers = rest
  end
end

--- Asks for the names of all these at once, before they are shown one by one.
---@param list moonprobe.Stack[]
function stack.name(list)
  local wanted, seen = { kernel = {}, user = {} }, {}
  for _, one in ipairs(list) do
    if not one.lost and named[one.kind][one.number] == nil and not seen[one] then
      seen[one] = true
      table.insert(wanted[one.kind], one.number)
    end
  end
  for _, kind in ipairs { 'kernel', 'user' } do
    if #wanted[kind] > 0 then name_all(kind, wanted[kind]) end
  end
end

--- Its frames as one text, for a recording; nil when there is nothing to be known.
---@return string|nil
---@package
function Stack:packed()
  local parts = {}
  for i, frame in ipairs(self:frames()) do parts[i] = frame.name .. '\2' .. frame.where .. '\2' .. frame.file end
  return #parts > 0 and table.concat(parts, '\1') or nil
end

--- Takes the frames of a recorded stack. Raises when they are none.
---@param kind 'kernel'|'user'
---@param number number
---@param text string of packed()
---@package
function stack.unpack(kind, number, text)
  local frames = {}
  for part in (text .. '\1'):gmatch '(.-)\1' do
    local name, where, file = part:match '^(.-)\2(.-)\2(.*)$'
    if not name or #frames == MOST_FRAMES then error('a stack that is not understood', 0) end
    frames[#frames + 1] = { name = clean(name), where = clean(where), file = clean(file) }
  end
  named[kind][number] = frames
end

--- From now on stacks are those of a recording, and nobody is asked.
---@package
function stack.forget()
  named, named_count = { kernel = {}, user = {} }, 0
  stack.resolver = function() return {} end
  stack.is_recorded = true
end

--- A stack that a test makes up: of these functions, the innermost first; of none: there is no stack.
---@param kind 'kernel'|'user'
---@param names string[]
---@return number
---@package
function stack.invent(kind, names)
  if #names == 0 then return END - EFAULT end
  local key = table.concat(names, '\0')
  stack.invented = stack.invented or { kernel = {}, user = {}, count = FIRST_INVENTED }
  local known = stack.invented[kind]
  if not known[key] then
    stack.invented.count = stack.invented.count + 1
    known[key] = stack.invented.count
    local frames = {}
    for i, name in ipairs(names) do frames[i] = { name = name, where = '', file = '' } end
    named[kind][known[key]] = frames
  end
  return known[key]
end

--- [vdso] has its brackets from the kernel.
local function bare(file) return (file:gsub('^%[(.*)%]$', '%1')) end

local function text_of(frame)
  local place = frame.name ~= '' and frame.name .. frame.where or '[unknown] ' .. frame.where
  return frame.file ~= '' and ('%s [%s]'):format(place, bare(frame.file)) or place
end

--- Its frames, the innermost first. None when there is no stack: `lost` says why.
---@return moonprobe.Frame[]
function Stack:frames()
  if self.lost then return {} end
  stack.name { self }
  return named[self.kind][self.number] or {}
end

--- Its frames as they are printed, the innermost first: 'vfs_read+21', 'main+5 [bash]',
--- '[unknown] 0x1234 [libfoo.so]'; '[stack lost: ...]' alone when there is none.
---@return string[]
function Stack:lines()
  local lines = {}
  for i, frame in ipairs(self:frames()) do lines[i] = text_of(frame) end
  if #lines == 0 then lines[1] = ('[%s]'):format(self.lost or 'stack without names') end
  return lines
end

--- The names of its functions on one line, the outermost first and with ';' between: what
--- flamegraph.pl reads.
---@return string
function Stack:folded()
  local names, frames = {}, self:frames()
  for i, frame in ipairs(frames) do
    local name = frame.name ~= '' and frame.name or frame.file ~= '' and '[' .. bare(frame.file) .. ']' or '[unknown]'
    names[#frames + 1 - i] = name:gsub(';', ':')
  end
  return #names > 0 and table.concat(names, ';') or ('[%s]'):format(self.lost or 'stack without names')
end

function Stack:__tostring() return table.concat(self:lines(), '\n') end

--- What it is in JSON (stdlib/json.lua).
Stack.__json = Stack.lines

local answers, answer_count = {}, 0

--- An answer of the host, asked for once.
local function remembered(question, make)
  local answer = answers[question]
  if answer == nil then
    new_second()
    looked_up = looked_up + 1
    if looked_up > ANSWERS then return { problem = 'too many questions in one second' } end
    if answer_count == MOST_NAMED then answers, answer_count = {}, 0 end
    answer_count = answer_count + 1
    answer = make()
    answers[question] = answer
  end
  return answer
end

local function name_of(address, pid)
  if stack.is_recorded then return { problem = 'names are not recorded' } end
  local bits = ffi.cast('uint64_t', address)
  local in_kernel = bits >= 0x8000000000000000ULL
  if not in_kernel and not pid then return { problem = 'an address of a process: whose?' } end
  if not in_kernel and not (type(pid) == 'number' and pid >= 0 and pid <= MOST_PID and pid == math.floor(pid)) then
    return { problem = 'no process has such a number' }
  end
  local owner, text = in_kernel and 0 or pid, tohex(bits, 16)
  return remembered(owner .. ' ' .. text, function()
    local reply = host.ask('resolve', owner, text)
    if not reply[2] then return { problem = 'nothing is known of 0x' .. text:gsub('^0+', '') } end
    return { text = text_of((take_frames(reply, 2, 1))[1]) }
  end)
end

local function addresses_of(name)
  if stack.is_recorded then return { problem = 'names are not recorded' } end
  return remembered('=' .. name, function()
    local reply, list = host.ask('find', name), {}
    for i = 2, #reply do list[i - 1] = assert(loadstring('return ' .. reply[i] .. 'ULL'))() end
    if #list == 0 then return { problem = ("the kernel has no function '%s'"):format(name) } end
    return { list = list }
  end)
end

--- What is at an address, as 'vfs_read+21'; of a process's memory with its pid. Or, of a name of the
--- kernel's, where it is: mostly one address, of a name that is there twice several. nil and why, when
--- nothing is known of it.
---@param what integer|string
---@param pid integer|nil
---@return string|integer|nil
---@return any
function stack.resolve(what, pid)
  local answer
  if type(what) == 'string' then
    if #what > 256 or what:find '%z' then return nil, 'no name' end
    answer = addresses_of(what)
  elseif type(what) == 'number' or type(what) == 'cdata' and tonumber(what) then
    answer = name_of(what, pid)
  else
    return nil, 'no address'
  end
  if answer.problem then return nil, answer.problem end
  if answer.list then return unpack(answer.list) end
  return answer.text
end

return stack
