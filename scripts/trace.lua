-- SPDX-License-Identifier: Apache-2.0
--- trace: a line for each hit of a probe, with what you ask for.
---
---   moonprobe run trace do_unlinkat                    who calls this kernel function
---   moonprobe run trace r:vfs_read -e 'e.retval, e.latency_ns' -w 'e.retval < 0'
---   moonprobe run trace vfs_write -f '%d bytes to %s' -e 'e.args.count, e.args.file.f_inode.i_ino'
---   moonprobe run -p 181 trace -TM 10 libc:open -f 'opens %s' -e e.string.arg0
---   moonprobe run -f json trace 'tcp_*' -n curl
---
--- Expressions are Lua. An event e has e.args.NAME where the types are known, and members of what
--- they point to (e.args.sk.__sk_common.skc_dport); e.arg0 to e.arg5, numbers; of returns e.retval,
--- e.ret and e.latency_ns; e.pid, e.tid, e.comm, e.uid, e.cpu; e.place, the function. The format is
--- that of Lua's string.format; %s shows anything.
---
--- Overhead: one event per hit, and 10 us for its row; 2 to 10 us more of a user function. A filter
--- that `moonprobe explain` shows as translated runs in the kernel: what it rejects costs 0.2 us.
--- Cannot see: calls that the compiler inlined; functions that the kernel excludes from tracing;
--- what comes while the ring is full, past 100,000 a second (the summary says how many were lost).

local mp = require 'moonprobe'

local opt = mp.options {
  probe = mp.argument(1, mp.target(nil, 'a function as vfs_read, libc:malloc, or any probe'), true),
  expressions = mp.expressions(nil, 'the values, as e.comm, e.retval', 'e'),
  format = mp.text(nil, "the message, as 'read %d bytes'", 'f'),
  where = mp.expression(nil, 'only hits e where this is true', 'w'),
  time = mp.flag('T', 'show the time of day'),
  timestamp = mp.flag('t', 'show seconds since the start of the trace'),
  print_cpu = mp.flag('C', 'show the CPU'),
  kernel_stack = mp.flag('K', 'show how the kernel came there'),
  user_stack = mp.flag('U', 'show how the program came there'),
  tid = mp.whole(nil, 'only this thread', 'L'),
  name = mp.text(nil, 'only where the name of the program has this text', 'n'),
  max_events = mp.whole(nil, 'end after so many', 'M', 1),
}

local values = opt.expressions
if opt.format then
  -- A directive for each value, of which only %s takes everything.
  local zeros = {}
  for i = 1, values and #values or 0 do zeros[i] = 0 end
  local ok = pcall(string.format, opt.format, unpack(zeros))
  if not ok then mp.refuse("format '%s': it asks for other values than -e has", opt.format) end
end

local started = mp.now()

local row = mp.columns {
  { 'time', width = -8, format = mp.clock, shown = opt.time },
  { 'seconds', title = 'TIME(s)', width = -10, decimals = 6, shown = opt.timestamp },
  { 'cpu', width = -3, shown = opt.print_cpu },
  { 'pid', width = -7 },
  { 'tid', width = -7 },
  { 'comm', width = -15 },
  { 'func', width = -16 },
  { 'message', width = -1, shown = values ~= nil or opt.format ~= nil },
  { 'values', shown = false },
  { 'kstack', shown = false },
  { 'ustack', shown = false },
}

local directives = {}
for one in (opt.format or ''):gsub('%%%%', ''):gmatch '%%[^%a]*(%a)' do directives[#directives + 1] = one end

--- A value in a line: a stack has several.
local function shown(value)
  return mp.show(type(value) == 'table' and tostring(value):gsub('\n', ' < ') or value)
end

--- A value as its directive takes it: 64-bit numbers and nil become text, or a number.
local function for_directive(directive, value)
  if directive == 's' or directive == 'q' then return shown(value) end
  return type(value) == 'cdata' and directive ~= 'd' and directive ~= 'x' and tonumber(value) or value
end

local function message_of(...)
  local words = { ... }
  for i = 1, #values do
    if opt.format then words[i] = for_directive(directives[i], words[i]) else words[i] = shown(words[i]) end
  end
  return opt.format and opt.format:format(unpack(words, 1, #values)) or table.concat(words, ' ')
end

local hits, count = mp.probe(opt.probe), 0
if opt.tid then hits = hits:where(function(e) return e.tid == opt.tid end) end
if opt.name then hits = hits:where(function(e) return e.comm:find(opt.name, 1, true) ~= nil end) end
if opt.where then hits = hits:where(opt.where) end

local function print_stack(stack)
  if stack and not mp.json then print('    ' .. tostring(stack):gsub('\n', '\n    ')) end
end

local function report(time, cpu, pid, tid, comm, place, kstack, ustack, ...)
  if opt.max_events and count >= opt.max_events then return end
  count = count + 1
  row(time, time - started, cpu, pid, tid, comm, place, values and message_of(...) or opt.format,
    values and { ... } or nil, kstack, ustack)
  print_stack(kstack)
  print_stack(ustack)
  if count == opt.max_events then mp.stop() end
end

-- Each reads of an event what it needs, and the event goes no further: so only that is captured.
local function nothing() end
local name = opt.probe:match '([^:]*)$'
local place_of = opt.probe:find '[*?%[]' and function(e) return e.place end or function() return name end
local kstack_of = opt.kernel_stack and function(e) return e.kstack end or nothing
local ustack_of = opt.user_stack and function(e) return e.ustack end or nothing
local values_of = values and values.all or nothing

hits:each(function(e)
  report(e.time, e.cpu, e.pid, e.tid, e.comm, place_of(e), kstack_of(e), ustack_of(e), values_of(e))
end)
