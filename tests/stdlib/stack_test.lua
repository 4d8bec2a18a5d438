-- SPDX-License-Identifier: Apache-2.0
--- stdlib/stack.lua: stacks as values, as keys, as they read; names in batches; what is not to be believed.
local tap = require 'tap'
local aggregate = require 'moonprobe.aggregate'
local host = require 'moonprobe.host'
local json = require 'moonprobe.json'
local output = require 'moonprobe.output'
local recording = require 'moonprobe.recording'
local stack = require 'moonprobe.stack'
local state = require 'moonprobe.state'

local PID = 0x1000000 -- what a process's id is multiplied with

--- What the host is asked, and its answers: every stack has two frames, so many fit into a message.
local asked, fit = {}, 3
local function frame(...) return { ... } end
local function answer(kind, numbers)
  local reply = { 'stacks' }
  for i = 1, math.min(fit, #numbers) do
    local inner = kind == 'kernel' and frame('f' .. numbers[i], '+7', '')
      or frame('u' .. numbers[i] % PID, '+7', '/lib/libx.so')
    reply[#reply + 1] = 2
    for _, words in ipairs { inner, frame('', '0x1234', '/bin/a b') } do
      for _, word in ipairs(words) do reply[#reply + 1] = word end
    end
  end
  return reply
end
function host.ask(name, kind, ...)
  asked[#asked + 1] = { name, kind, ... }
  return name == 'stacks' and answer(kind, { ... }) or error('another question: ' .. name)
end

-- As values.
local one = stack.of('kernel', 5)
tap.ok(one == stack.of('kernel', 5), 'equal')
tap.ok(one ~= stack.of('kernel', 6) and one ~= stack.of('user', 5), 'others are not')
tap.ok(stack.of('user', 7 * PID + 5) ~= stack.of('user', 8 * PID + 5), "nor is another process's")
tap.ok(stack.is(one) and not stack.is {} and not stack.is 'x' and not stack.is(nil), 'is one')
tap.is(#asked, 0, 'nobody is asked before it is shown')
tap.is(tostring(one), 'f5+7\n[unknown] 0x1234 [a b]', 'as text')
tap.is(asked, { { 'stacks', 'kernel', 5 } }, 'one question')
tap.is(one:lines(), { 'f5+7', '[unknown] 0x1234 [a b]' }, 'lines')
tap.is(one:frames()[1], { name = 'f5', where = '+7', file = '' }, 'frames')
tap.is(one:folded(), '[a b];f5', 'folded')
tap.is(json.encode(one), '["f5+7","[unknown] 0x1234 [a b]"]', 'JSON')
tap.is(output.text(one), tostring(one), 'its lines are lines')
tap.is(#asked, 1, 'and no other')
tap.is(stack.of('user', 7 * PID + 5):lines()[1], 'u5+7 [libx.so]', 'with its file')

-- Batches: so many as fit, then the rest.
asked = {}
local list = {}
for i = 101, 107 do list[#list + 1] = stack.of('kernel', i) end
list[#list + 1] = stack.of('kernel', 5)
stack.name(list)
tap.is({ #asked, #asked[1], #asked[2], #asked[3] }, { 3, 9, 6, 3 }, 'those that are not known')
fit = 0
tap.is(stack.of('kernel', 200):lines(), { '[stack without names]' }, 'an answer with nothing in it ends')
fit = 3

-- Without one.
for _, case in ipairs {
  { 0, 'stack not captured' }, { PID - 14, 'no stack' }, { PID - 1, 'stack lost: EPERM' },
  { PID - 17, 'stack lost: another one has its place, raise --stacks' },
  { PID - 12, 'stack lost: no room, raise --stacks' },
  { 0xfff001, 'stack lost: 4095' },
} do
  local none = stack.of('kernel', case[1])
  tap.is({ none.lost, none:lines()[1], none:frames(), none:folded() }, { case[2], '[' .. case[2] .. ']', {},
    '[' .. case[2] .. ']' }, case[2])
end
tap.is(stack.of('kernel', 0xfff000).lost, nil, 'the largest that is one')

-- Names are of any program.
local real_answer = answer
function answer() return { 'stacks', 1, 'a\nb\27[31m', '+1', '/tmp/x\ny' } end
tap.is(stack.of('user', 9 * PID + 1):lines(), { 'a?b?[31m+1 [x?y]' }, 'no control characters')
tap.is(stack.of('user', 9 * PID + 2):folded(), 'a?b?[31m', 'folded')
function answer() return { 'stacks', 1, 'operator;', '+1', '' } end
tap.is(stack.of('user', 9 * PID + 3):folded(), 'operator:', 'a semicolon parts nothing')
function answer() return { 'stacks', -1 } end
tap.is(stack.of('user', 9 * PID + 4):lines(), { '[stack without names]' }, 'one that the host does not have')
answer = real_answer

-- As keys.
local made = 0
local function counted(parts)
  made = made + 1
  local names, getters = {}, {}
  for i in ipairs(parts[1]) do
    names[i] = 'key' .. i
    getters[i] = function(event) return event[i] end
  end
  local counts = aggregate.new(aggregate.kind 'count', { probe = 'p' .. made, names = names, options = {} })
  local take = counts:taker(getters)
  for _, event in ipairs(parts) do take(event) end
  return counts, take
end
local function rows_of(counts)
  local rows = {}
  for i, row in ipairs(counts:rows()) do
    rows[i] = { row.value }
    for j, part in ipairs(row.parts) do rows[i][j + 1] = tostring(part) end
  end
  return rows
end
local function kernel(number) return stack.of('kernel', number) end
local function text(number) return ('f%d+7\n[unknown] 0x1234 [a b]'):format(number) end

local counts = counted { { kernel(1) }, { kernel(2) }, { kernel(1) } }
tap.is(rows_of(counts), { { 2, text(1) }, { 1, text(2) } }, 'a stack')
tap.ok(counts:rows()[1].key == kernel(1), 'is the key of its row')
tap.is(rows_of(counted { { kernel(1), 'a' }, { kernel(1), 'b' }, { kernel(1), 'b' } }),
  { { 2, text(1), 'b' }, { 1, text(1), 'a' } }, 'with others')
tap.is(rows_of(counted { { stack.of('user', 7 * PID + 1) }, { stack.of('user', 8 * PID + 1) },
  { stack.of('user', 8 * PID + 2) } }),
  { { 2, 'u1+7 [libx.so]\n[unknown] 0x1234 [a b]' }, { 1, 'u2+7 [libx.so]\n[unknown] 0x1234 [a b]' } },
  'of two processes, that read alike, is one row')
local evil = kernel(1):key()
tap.is(rows_of(counted { { evil }, { kernel(1) }, { '\30' }, { '\30s' } }),
  { { 1, '\30' }, { 1, evil }, { 1, '\30s' }, { 1, text(1) } }, 'text that looks like a key of one is text')
tap.is(#rows_of(counted { { evil, 1 }, { kernel(1), 1 } }), 2, 'also beside others')
for _, key in ipairs { '\30k', '\30kx', '\30u-', '\30', '\30q1', 'k5', '' } do
  tap.is(stack.from_key(key), key, ('no key of one: %q'):format(key))
end

-- The next version goes on with them.
local saved = state.save()
counts:clear()
state.restore(saved)
tap.is(rows_of(counts), { { 2, text(1) }, { 1, text(2) } }, 'a reload')

-- Recorded.
local packed = kernel(1):packed()
local names = recording.parse_names(recording.names { { 'kernelstack', 1, packed } })
tap.is(names, { { 'kernelstack', 1, packed } }, 'as a line of a recording')
tap.is(kernel(PID - 17):packed(), nil, 'one that was lost has none')
for _, pid in ipairs { -1, 1.5, 2 ^ 40, 0 / 0, '1', {} } do
  tap.is({ stack.resolve(5, pid) }, { nil, 'no process has such a number' }, 'of no process')
end
stack.forget()
asked = {}
tap.is(kernel(1):lines(), { '[stack without names]' }, 'nobody is asked of a recording')
stack.unpack('kernel', 1, packed)
tap.is(kernel(1):lines(), { 'f1+7', '[unknown] 0x1234 [a b]' }, 'it brings them')
stack.unpack('user', 1, 'a\nb\2+1\2x')
tap.is(stack.of('user', 1):lines(), { 'a?b+1 [x]' }, 'but not everything')
for _, broken in ipairs { '', 'a', 'a\2b', ('a\2b\2c\1'):rep(200) } do
  tap.raises(function() stack.unpack('kernel', 1, broken) end, 'not understood', ('damaged: %.10q'):format(broken))
end
tap.is({ stack.resolve(5) }, { nil, 'names are not recorded' }, 'no address')
tap.is({ stack.resolve 'vfs_read' }, { nil, 'names are not recorded' }, 'no name')
tap.is({ stack.resolve {} }, { nil, 'no address' }, 'no such question')
tap.is(#asked, 0, 'nobody was asked')

tap.done()
