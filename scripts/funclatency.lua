-- SPDX-License-Identifier: Apache-2.0
--- funclatency: how long calls of a function took, as a histogram.
---
---   moonprobe run funclatency vfs_read       until Ctrl-C, then one picture, in nanoseconds
---   moonprobe run funclatency -uTi 5 'vfs_*'      all of them together, in microseconds
---   moonprobe run funclatency -mF -d 10 'tcp_send*'    each function for itself, in milliseconds
---   moonprobe run -p 181 funclatency -u libc:getaddrinfo
---
--- The bar of [4, 8) is for calls of 4 to below 8 units, as bpftrace draws it.
---
--- Overhead: hooks at call and return, counted in the kernel: 0.3 us per call where it has
--- trampolines or kprobe.multi, 1 us with breakpoints; 3 us for each call of a user function.
--- Cannot see: calls that the compiler inlined; calls that have not returned; of a function that
--- calls itself, the outer call; time in it includes what it called, slept and waited for.

local mp = require 'moonprobe'

local opt = mp.options {
  pattern = mp.argument(1, mp.target(nil, 'functions as vfs_read, tcp_*, libc:malloc'), true),
  interval = mp.interval(nil, 'print and clear every so many seconds', 'i'),
  duration = mp.interval(nil, 'end after so many seconds', 'd'),
  time = mp.flag('T', 'print the time of day, too'),
  microseconds = mp.flag('u', 'in microseconds instead of nanoseconds'),
  milliseconds = mp.flag('m', 'in milliseconds instead of nanoseconds'),
  functions = mp.flag('F', 'a histogram for each function'),
  where = mp.expression(nil, 'only calls e where this is true, as e.retval < 0', 'w'),
}

local label = opt.milliseconds and 'msecs' or opt.microseconds and 'usecs' or 'nsecs'
local unit = opt.milliseconds and 1e6 or opt.microseconds and 1e3 or 1

-- Who asks for a call means its return.
local calls = mp.probe((opt.pattern:gsub('^([ku])probe:', '%1retprobe:'):gsub('^fentry:', 'fexit:')))
if opt.where then calls = calls:where(opt.where) end
local latency = calls:histogram(function(e) return e.latency_ns / unit end, {
  by = opt.functions and 'place' or nil,
  name = opt.pattern:match '([^:]*)$' .. ' latency',
  label = label,
})

if opt.duration then mp.after(('%dns'):format(opt.duration), mp.stop) end

mp.intervals(opt, function()
  local count, total = 0, 0
  for _, one in ipairs(latency:rows()) do
    count, total = count + one.value.count, total + one.value.sum
  end
  latency:print()
  if count > 0 and not mp.json then
    print(('avg = %.0f %s, total: %.0f %s, count: %d'):format(total / count, label, total, label, count))
  end
  latency:clear()
end)
