-- SPDX-License-Identifier: Apache-2.0
--- Fixed cases: functions with events on which LuaJIT and the kernel have to agree. What a long
--- run finds comes here, as tests/differential/run.lua prints it.
---
---   { events = { { FIELD = value, ... } }, [[ chunk that returns the function ]] }
---
--- Addresses are 32 hex digits. layout: number of a layout in events.lua (1); on_stack: the
--- event lies on the stack. refused: a pattern; the function must not be translated, for this
--- reason. open: how many of the events are left to Lua (0).

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
}
