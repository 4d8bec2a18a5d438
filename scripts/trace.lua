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
--- Overhead: one event per hit, 1 us, and 5 us to print it; 2 us more of a user function. A filter
--- that `moonprobe explain` shows as translated runs in the kernel: what it rejects costs 0.1 us.
--- Cannot see: calls that the compiler inlined; functions that the kernel excludes from tracing;
--- what comes while the ring is full (the summary says how many were lost).

local mp = require 'moonprobe'

local opt = mp.options {
  probe = mp.argument(1, mp.target(nil, 'a function as vfs_read, libc:malloc, or any probe'), true),
  expressions = mp.expressions(nil, 'the values, as e.comm, e.retval', 'e'),
  format = mp.text(nil, "the message, as 'read %d bytes'", 'f'),
  where = mp.expression(nil, 'only hits e where this is true', 'w'),
  time = mp.flag('T', 'show the time of day'),
  timestamp = mp.flag('t', 'show seconds since the start of the trace'),
  print_cpu = mp.flag('C', 'show the CPU'),
  tid = mp.number(nil, 'only this thread', 'L'),
  name = mp.text(nil, 'only where the name of the program has this text', 'n'),
  max_events = mp.number(nil, 'end after so many', 'M'),
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
}

local directives = {}
for one in (opt.format or ''):gsub('%%%%', ''):gmatch '%%[^%a]*(%a)' do directives[#directives + 1] = one end

--- A value as its directive takes it: 64-bit numbers and nil become text, or a number.
local function for_directive(directive, value)
  if directive == 's' or directive == 'q' then return mp.show(value) end
  return type(value) == 'cdata' and directive ~= 'd' and directive ~= 'x' and tonumber(value) or value
end

local function message_of(...)
  local words = { ... }
  for i = 1, #values do
    if opt.format then words[i] = for_directive(directives[i], words[i]) else words[i] = mp.show(words[i]) end
  end
  return opt.format and opt.format:format(unpack(words, 1, #values)) or table.concat(words, ' ')
end

local hits, count = mp.probe(opt.probe), 0
if opt.tid then hits = hits:where(function(e) return e.tid == opt.tid end) end
if opt.name then hits = hits:where(function(e) return e.comm:find(opt.name, 1, true) ~= nil end) end
if opt.where then hits = hits:where(opt.where) end

local is_wildcard, name = opt.probe:find '[*?%[]', opt.probe:match '([^:]*)$'

local function report(e, place, ...)
  if opt.max_events and count >= opt.max_events then return end
  count = count + 1
  row(e.time, e.time - started, e.cpu, e.pid, e.tid, e.comm, place, values and message_of(...) or opt.format,
    values and { ... } or nil)
  if count == opt.max_events then mp.stop() end
end

-- The expressions are called where it can be seen which fields they read.
local all = values and values.all
if is_wildcard and all then
  hits:each(function(e) report(e, e.place, all(e)) end)
elseif is_wildcard then
  hits:each(function(e) report(e, e.place) end)
elseif all then
  hits:each(function(e) report(e, name, all(e)) end)
else
  hits:each(function(e) report(e, name) end)
end
