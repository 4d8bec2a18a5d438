-- SPDX-License-Identifier: Apache-2.0
--- argdist: which values a function's arguments or results have, and how often.
---
---   moonprobe run argdist -C 'kretprobe:vfs_read' -e 'e.retval'          how often which result
---   moonprobe run argdist -C vfs_write -e 'e.comm, e.args.count' 1 10    pairs, ten times
---   moonprobe run argdist -H 'r:vfs_read' -e 'e.latency_ns / 1000' -w 'e.retval > 0'
---   moonprobe run argdist -H tcp_sendmsg -e e.args.size -b e.comm        a histogram for each name
---   moonprobe run -p 181 argdist -C libc:open -e e.string.arg0
---
--- Expressions are Lua. An event e has e.args.NAME where the types are known, and members of what
--- they point to (e.args.sk.__sk_common.skc_dport); e.arg0 to e.arg5, numbers; of returns e.retval,
--- e.ret and e.latency_ns; e.pid, e.tid, e.comm, e.uid, e.cpu; e.place, the function. Without -e,
--- -C counts calls by function.
---
--- Overhead: what `moonprobe explain` shows as translated is counted in the kernel: 0.2 to 0.4 us
--- per call, 2 to 10 us more of a user function. Other expressions cost an event per call, 1 us and
--- more; past some hundred thousand a second some are lost (the summary says how many).
--- Cannot see: calls that the compiler inlined; functions that the kernel excludes from tracing;
--- more than 10000 different values (the rest is told as not counted).

local mp = require 'moonprobe'

local opt = mp.options {
  interval = mp.argument(1, mp.interval(nil, 'print and clear every so many seconds', 'i')),
  count = mp.argument(2, mp.whole(nil, 'end after so many', 'n', 1)),
  duration = mp.interval(nil, 'end after so many seconds', 'd'),
  counted = mp.target(nil, 'count the values of calls of this function', 'C'),
  histogram = mp.target(nil, 'draw a histogram of the value of calls of this function', 'H'),
  expressions = mp.expressions(nil, 'the values, as e.comm, e.retval', 'e'),
  where = mp.expression(nil, 'only calls e where this is true', 'w'),
  by = mp.expressions(nil, 'with -H: a histogram for each value of this', 'b'),
  cumulative = mp.flag('c', 'do not clear after printing'),
  top = mp.whole(nil, 'show at most so many', 'T', 1),
}

if (opt.counted == nil) == (opt.histogram == nil) then mp.refuse('one of -C TARGET and -H TARGET is needed') end
local values = opt.expressions
if opt.histogram and (not values or #values ~= 1) then mp.refuse('-H needs -e with one value') end
if opt.counted and opt.by then mp.refuse('-b is for -H: -e may have several values') end

local calls = mp.probe(opt.counted or opt.histogram)
if opt.where then calls = calls:where(opt.where) end

if opt.duration then mp.after(('%dns'):format(opt.duration), mp.stop) end

local function histogram()
  local drawn = calls:histogram(values[1], {
    by = opt.by and { unpack(opt.by) } or nil,
    key_names = opt.by and opt.by.texts or nil,
    name = ('%s %s'):format(opt.histogram, values.texts[1]),
    label = values.texts[1],
  })
  return drawn, function() drawn:print(opt.top) end
end

--- As bcc shows them: e.comm = "cat", e.retval = 5.
local function event_of(parts)
  if not values then return parts[1] end
  local words = {}
  for i, text in ipairs(values.texts) do words[i] = ('%s = %s'):format(text, (tostring(parts[i]):gsub('\n', ' < '))) end
  return table.concat(words, ', ')
end

local function count()
  local counts = calls:count { by = values and { unpack(values) } or 'place' }
  return counts, function()
    local row = mp.columns { { 'count', width = 12 }, { 'event', width = -1 }, { 'values', shown = false } }
    for _, one in ipairs(counts:rows(opt.top)) do row(one.value, event_of(one.parts), one.parts) end
    counts:print_overflow()
  end
end

local what, show = (opt.counted and count or histogram)()
opt.time = opt.interval ~= nil
mp.intervals(opt, function()
  show()
  if not opt.cumulative then what:clear() end
end)
