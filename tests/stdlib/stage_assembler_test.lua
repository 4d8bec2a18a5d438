-- SPDX-License-Identifier: Apache-2.0
--- stdlib/stage/assembler.lua: encodings, and that the shortened program does what the one does that
--- was written: random programs are run both ways.
local tap = require 'tap'
local ffi = require 'ffi'
local assembler = require 'moonprobe.stage.assembler'
local listing = require 'moonprobe.stage.listing'
local machine = require 'machine'

local function hex(list)
  local digits = assembler.bytes(list):gsub('.', function(byte) return ('%02x'):format(byte:byte()) end)
  return (digits:gsub(('.'):rep(16), '%0 '):gsub(' $', ''))
end

--- The bytes of one or more instructions, as llvm-objdump shows them.
local function encoding(write, expected, name)
  local code = assembler.new()
  write(code)
  tap.is(hex(code.list), expected, name)
end
encoding(function(code) code:alu('mov', 0, -1) end, 'b7000000ffffffff', 'r0 = -1')
encoding(function(code) code:alu_register('add', 2, 3) end, '0f32000000000000', 'r2 += r3')
encoding(function(code) code:alu('sar', 4, 32) end, 'c704000020000000', 'r4 s>>= 32')
encoding(function(code) code:negate(5) end, '8705000000000000', 'r5 = -r5')
encoding(function(code) code:load(2, 6, 1, 20) end, '7162140000000000', 'r2 = *(u8 *)(r6 + 20)')
encoding(function(code) code:load(2, 10, 8, -8) end, '79a2f8ff00000000', 'r2 = *(u64 *)(r10 - 8)')
encoding(function(code) code:load(3, 6, 4, 8) end, '6163080000000000', 'r3 = *(u32 *)(r6 + 8)')
encoding(function(code) code:load(3, 6, 2, 8) end, '6963080000000000', 'r3 = *(u16 *)(r6 + 8)')
encoding(function(code) code:store(10, 8, -16, 2) end, '7b2af0ff00000000', '*(u64 *)(r10 - 16) = r2')
encoding(function(code) code:store_number(10, 8, -16, -3) end, '7a0af0fffdffffff', '*(u64 *)(r10 - 16) = -3')
encoding(function(code) code:atomic_add(9, 8, 2) end, 'db29080000000000', 'lock *(u64 *)(r9 + 8) += r2')
encoding(function(code) code:compare_exchange(9, 0, 3) end, 'db390000f1000000', 'r0 = cmpxchg(r9 + 0, r0, r3)')
encoding(function(code) code:call(1) end, '8500000001000000', 'call 1')
encoding(function(code) code:exit() end, '9500000000000000', 'exit')
encoding(function(code) code:load_map(1, 2) end, '1811000002000000 0000000000000000', 'r1 = map 2')
encoding(function(code) code:load_map(1, 2, 16) end, '1821000002000000 0000000010000000', 'r1 = value of map 2 + 16')
encoding(function(code) code:load_number(2, 2 ^ 31 - 1) end, 'b7020000ffffff7f', 'the largest short number')
encoding(function(code) code:load_number(2, 2 ^ 31) end, '1802000000000080 0000000000000000', 'a longer one')
encoding(function(code) code:load_number(2, -2 ^ 31 - 1) end, '18020000ffffff7f 00000000ffffffff', 'a negative one')
encoding(function(code) code:load_number(2, 2 ^ 53) end, '1802000000000000 0000000000002000', '2^53')
encoding(function(code) code:load_number(2, -2 ^ 62) end, '1802000000000000 00000000000000c0', '-2^62')
encoding(function(code) code:load_number(2, 0xffff800000000000) end, '1802000000000000 000000000080ffff', 'an address')

-- Jumps.
local function program(write)
  local code = assembler.new()
  write(code, function() return code:label() end)
  return code:finish()
end
local short = program(function(code, label)
  local yes, no, done = label(), label(), label()
  code:jump_if('eq', 2, 5, yes)
  code:jump(no)
  code:place(yes)
  code:alu('mov', 0, 1)
  code:jump(done)
  code:place(no)
  code:alu('mov', 0, 0)
  code:jump(done)
  code:place(done)
  code:exit()
end)
tap.is(listing.of(short, {}),
  { '   0: if r2 != 5 goto +2', '   1: r0 = 1', '   2: goto +1', '   3: r0 = 0', '   4: exit' },
  'a jump over a jump is one jump, and a jump to what follows is none')
local threaded = program(function(code, label)
  local a, b, c, dead = label(), label(), label(), label()
  code:jump_if('lt', 2, 0, a)
  code:alu('mov', 0, 1)
  code:exit()
  code:place(dead)
  code:alu('mov', 0, 9)
  code:place(a)
  code:jump(b)
  code:place(b)
  code:jump(c)
  code:place(c)
  code:alu('mov', 0, 2)
  code:exit()
end)
tap.is(#threaded, 5, 'jumps to jumps go on at once, and what nobody reaches is gone')

-- Random programs. Jumps only go forward, so they end.
local random_state = 12345
local function random(below)
  random_state = (random_state * 1103515245 + 12345) % 2 ^ 31
  return math.floor(random_state / 2 ^ 31 * below)
end
local ALU = { 'add', 'sub', 'or', 'and', 'xor', 'mov', 'mul', 'shr', 'sar' }
local IF = { 'eq', 'ne', 'lt', 'le', 'gt', 'ge', 'ltu', 'leu', 'gtu', 'geu' }

local function random_code(size)
  local code, open = assembler.new(), {}
  local last = code:label()
  local function some_label()
    if #open > 0 and random(2) == 0 then return open[random(#open) + 1] end
    if random(8) == 0 then return last end
    open[#open + 1] = code:label()
    return open[#open]
  end
  for _ = 1, size do
    local kind = random(10)
    if kind < 4 then
      code:alu(ALU[random(#ALU) + 1], random(6), random(20) - 5)
    elseif kind < 6 then
      local from, number, condition, to = random(6), random(8) - 3, IF[random(#IF) + 1], some_label()
      if random(4) == 0 then
        code:jump_if_32(random(2) == 0 and 'eq' or 'ne', from, number, to)
      elseif random(3) == 0 then
        code:jump_if_register(condition, from, random(6), to)
      else
        code:jump_if(condition, from, number, to)
      end
      if random(2) == 0 then code:jump(some_label()) end
    elseif kind < 7 then
      code:jump(some_label())
    elseif kind < 8 and random(6) == 0 then
      code:exit()
    elseif #open > 0 then
      code:place(table.remove(open, random(#open) + 1))
    end
  end
  for _, label in ipairs(open) do code:place(label) end
  code:place(last)
  code:exit()
  return code
end

--- The program as it was written: every instruction, every jump.
local function plain(code)
  local list = {}
  for i, one in ipairs(code.list) do
    list[i] = { code = one.code, dst = one.dst, src = one.src, immediate = one.immediate,
      offset = one.target and code.at[one.target] - i - 1 or one.offset }
  end
  return assembler.bytes(list)
end

local runner = machine.load { maps = {} }
--- All registers at the end, and how many steps it took.
local function outcome(bytes, seed)
  local r = ffi.new('int64_t[11]')
  for i = 0, 5 do r[i] = (seed * (i + 7)) % 9 - 4 end
  local _, steps = runner:execute(bytes, r)
  return ffi.string(r, 48), steps
end

local differ, longer, unreached, steps_before, steps_after = 0, 0, 0, 0, 0
for _ = 1, 150 do
  local code = random_code(4 + random(60))
  local written = plain(code)
  local list = code:finish()
  local made = assembler.bytes(list)
  if #made > #written then longer = longer + 1 end
  for i, one in ipairs(list) do
    if one.to and (one.offset < 0 or i + 1 + one.offset > #list) then unreached = unreached + 1 end
    if one.code == 0x05 and one.offset == 0 then unreached = unreached + 1 end
  end
  for seed = 1, 6 do
    local before, many = outcome(written, seed)
    local after, few = outcome(made, seed)
    if before ~= after then differ = differ + 1 end
    steps_before, steps_after = steps_before + many, steps_after + few
  end
end
tap.is(differ, 0, 'what is shortened does the same')
tap.is({ longer, unreached }, { 0, 0 }, 'no longer, and no jump to nowhere or to what follows')
tap.ok(steps_after < steps_before * 0.95, 'in fewer steps', steps_before, steps_after)

-- In front of others, and where each came from.
local code = assembler.new()
local label = code:label()
code.where = 'file:3'
code:jump_if('eq', 1, 0, label)
code:alu('mov', 0, 1)
code:place(label)
code:exit()
local head = assembler.new()
head:alu_register('mov', 6, 1)
head:alu('mov', 0, 0)
code:prepend(head)
local all = code:finish()
tap.is({ all[1].dst, all[2].dst, all[3].offset, all[5].code }, { 6, 0, 1, 0x95 }, 'jumps stay right behind a head')
tap.is({ all[1].where, all[3].where }, { '', 'file:3' }, 'each knows its line')

-- Long ones do not take long.
local engine = require 'moonprobe.engine'
local start = engine.monotonic()
random_code(4000):finish()
tap.ok(engine.monotonic() - start < 3e8, 'a long program', (engine.monotonic() - start) / 1e6)
tap.done()
