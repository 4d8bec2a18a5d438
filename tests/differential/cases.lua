-- SPDX-License-Identifier: Apache-2.0
--- Fixed cases: functions with events on which LuaJIT and the kernel have to agree. What a long
--- run finds comes here, as tests/differential/run.lua prints it.
---
---   { events = { { FIELD = value, ... } }, [[ chunk that returns the function ]] }
---
--- Addresses are 32 hex digits. layout: number of a layout in events.lua (1); on_stack: the
--- event lies on the stack; aggregate: the chunk is one of counting.lua. refused: a pattern; the
--- function must not be translated, for this reason. open: how many of the events are left to Lua (0).

local V4 = ('0'):rep(20) .. 'ffff'

return {
  { events = { { pid = 1 }, { pid = 2 } }, [[
return function(e) return e.pid == 1 end]] },
  { events = { { dport = 443 }, { dport = 80 }, { dport = 8080 } }, [[
local ports = { [443] = true, [8443] = true }
return function(e) return ports[e.dport] or e.dport == 80 end]] },
  { events = { {}, { failed = true }, { failed = true, last = true } }, [[
return function(e) return e.failed and not e.last end]] },

  -- 64 bits.
  { events = { { u64 = 0xffffffffffffffffULL }, { u64 = 0x20000000000001LL }, { u64 = 5 } }, [[
return function(e) return e.u64 > 5 end]] },
  { events = { { s64 = -1 }, { s64 = -0x7fffffffffffffffLL - 1 }, { s64 = 0x7fffffffffffffffLL } }, [[
return function(e) return e.s64 < 0 end]] },
  -- What is no number is neither less nor more.
  { events = { { s16 = 5 }, { s16 = -5 } }, [[
local zero = 0
return function(e) return e.s16 / 4096 > 10 % zero or e.s16 / 4096 < 10 % zero end]] },
  { events = { { u8 = 5 }, { u8 = 5, u16 = 3 } }, open = 1, [[
return function(e) local rest = e.u8 % e.u16 return rest == rest end]] },
  { events = { { s64 = -11 }, { s64 = 3 } }, open = 2, refused = '64%-bit constants', [[
return function(e) return e.s64 > 0ULL end]] },
  -- Above 2^53 a field is 64-bit cdata: it compares and divides in another way, and not at all in math.
  { events = { { u64 = 0x7ffffffffffffffeLL }, { u64 = 1 } }, open = 1, [[
return function(e) return e.u64 > 1.8446744073709552e+19 end]] },
  { events = { { u64 = 0xffffffff80000000ULL }, { u64 = 1 } }, open = 1, [[
return function(e) return e.u64 <= -2147483648 end]] },
  { events = { { s64 = -0x7fffffffffffffffLL - 1 }, { s64 = 1 } }, open = 1, [[
return function(e) return e.s64 == 1.8446744073709552e+19 end]] },
  { events = { { bytes = 0xffffffffffffffffULL }, { bytes = 4096 } }, open = 1, [[
return function(e) local unused = math.floor(e.bytes / 4096) return e.pid == 0 end]] },
  { events = { { u64 = 0xffffffff80000000ULL }, { u64 = 0xffffffffffffffffULL }, { u64 = 5 } }, [[
local set = { [5] = true, [-1] = true, [-2147483648] = true }
return function(e) return set[e.u64] end]] },
  { events = { { time_ns = 8080 }, { time_ns = 0xffffffffffffffffULL } }, [[
local set = { [8080] = true }
return function(e) return set[e.time_ns] end]] },
  { events = { { s32 = 7 }, { s32 = 5 }, { s32 = 1 } }, [[
return function(e) return -7 % e.s32 <= 0 end]] },
  { events = { { pid = 1 } }, open = 1, [[
return function(e) local unused = nothing return e.pid == 1 end]] },
  { events = { { u32 = 0x12345678 }, { u32 = 0x80000001 }, { u32 = 0xfedcba98 }, {} }, [[
return function(e) return bit.bswap(e.u32) == 0x78563412 or bit.rol(e.u32, 1) == 3 or bit.ror(e.u32, 36) < 0 end]] },
  -- The results of a call are arguments of a tail call.
  { events = { { u8 = 3, u16 = 5, s8 = 5 }, { u8 = 5, u16 = 3, s8 = 3 } }, [[
local function pair(a, b) if a > b then return a, b end return b, a end
local function same(a, b, c) return a == b and b ~= c end
return function(e) return same(e.s8, pair(e.u8, e.u16)) end]] },

  -- Text: as long as the field, longer, empty, bytes that are no UTF-8.
  { events = { { comm = '0123456789abcdef' }, { comm = '0123456789abcde' }, {} }, [[
return function(e) return e.comm == '0123456789abcdef' end]] },
  { events = { { comm = '0123456789abcdef' }, { comm = '0123456789abcde' } }, [[
return function(e) return e.comm == '0123456789abcdefg' end]] },
  { events = { { comm = 'x' }, {} }, [[
return function(e) return e.comm == '' end]] },
  { events = { { odd = '\255\254' }, { odd = '\255' } }, [[
return function(e) return e.odd == '\255\254' end]] },
  { events = { { file = '/etc/passwd' }, { file = '/etc' }, { file = '/etc/' } }, [[
return function(e) return e.file:sub(1, 5) == '/etc/' end]] },
  { events = { { file = 'a.so' }, { file = '.so' }, { file = 'so' }, { file = '.so.1' } }, [[
return function(e) return e.file:sub(-3) == '.so' end]] },
  { events = { { file = 'xaab' }, { file = 'aa' }, { file = ('x'):rep(62) .. 'aa' },
    { file = ('x'):rep(63) .. 'a' } }, [[
return function(e) return e.file:find('aa', 1, true) end]] },

  -- What a look-up gives: false is not nothing.
  { events = { { comm = 'sh' }, { comm = 'ls' }, { comm = 'cat' }, {} }, [[
local switch = { sh = true, ls = false }
return function(e) return switch[e.comm] == nil or (switch[e.comm] or 5) == true end]] },
  { events = { { comm = 'sh' }, { comm = 'ls' }, { comm = 'cat' } }, [[
local switch = { sh = true, ls = false }
return function(e) return (switch[e.comm] and 5) == false end]] },
  { events = { { dport = 443 }, { dport = 80 }, { dport = 8080 }, { dport = 1 } }, [[
local names = { [443] = 'https', [80] = 'http', [8080] = 'http' }
return function(e) return names[e.dport] == 'http' end]] },

  -- Names.
  { events = { { error = 2 }, {}, { error = 4095 }, { error = -2 } }, [[
return function(e) return e.error == 'ENOENT' or e.error == '4095' or e.error == '-2' end]] },
  { events = { { error = 2 }, {} }, [[
return function(e) return e.error end]] },
  { events = { { io = 0 }, { io = 1 }, { io = 7 } }, [[
return function(e) return e.io == 'write' or e.io == '7' end]] },

  -- Addresses: only the one spelling that Lua would read.
  { events = { { daddr = V4 .. '0a000001' } }, [[
return function(e) return e.daddr == '10.0.0.1' and e.daddr ~= '::ffff:10.0.0.1' end]] },
  { events = { { daddr = ('0'):rep(31) .. '1' }, { daddr = ('0'):rep(32) } }, [[
return function(e) return e.daddr == '::1' end]] },
  { events = { { daddr = V4 .. '0a7f0001' }, { daddr = V4 .. '0b000001' }, { daddr = ('0'):rep(32) } }, [[
local inside = network('10.0.0.0/8')
return function(e) return inside(e.daddr) end]] },
  { events = { {}, { saddr = V4 .. '0a000001', daddr = V4 .. '0a000001' }, { saddr = V4 .. '0a000001',
    daddr = V4 .. '0a000002' }, { saddr = ('0'):rep(24) .. '0a000001', daddr = V4 .. '0a000001' } }, [[
return function(e) return e.saddr == e.daddr end]] },

  -- More than a stage has room for.
  { events = { {} }, refused = 'instructions', [[
return function(e) local n = e.u8 repeat n = n + 1 until n > e.s8 return n == 3 end]] },

  -- Aggregates: a key of two parts with a guard, a value function with two results, a note.
  { aggregate = true, open = 2, events = { { flags = 4294967295 }, { flags = 5, last = true } }, [[
local function key(e) return 4294967295 * e.flags end
return function(p, name) return p:count { by = { key, 'last' }, name = name } end]] },
  { aggregate = true, events = { { u8 = 5, u16 = 2 }, { u8 = 7, u16 = 3 } }, [[
local function value(e) return e.u8, e.u16 end
return function(p, name) return p:sum(value, { by = 'pid', name = name }) end]] },
  { aggregate = true, layout = 2, events = { { uid = 7, odd = 'abcdefg' }, { uid = 8, odd = 'x' } }, [[
return function(p, name) return p:max('u32', { by = 'uid', note = 'odd', name = name }) end]] },
  { aggregate = true, refused = 'a note without a key', events = { { odd = 'x' } }, [[
return function(p, name) return p:max('u32', { note = 'odd', name = name }) end]] },
}
