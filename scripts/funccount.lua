-- SPDX-License-Identifier: Apache-2.0
--- funccount: how often functions of the kernel, of programs or of libraries were called.
---
---   moonprobe run funccount 'vfs_*'          until Ctrl-C, then each kernel function of that name
---   moonprobe run funccount -Ti 1 'tcp_send*'     every second, with the time of day
---   moonprobe run -p 181 funccount 'libc:mallo*'  a library's, by one process
---   moonprobe run funccount -d 10 't:block:*'     tracepoints; and kretprobe:, usdt:, ...
---
--- Overhead: all is counted in the kernel: 0.2 us per call of one function (a trampoline), about
--- twice that with a wildcard (kprobe.multi), more with breakpoints where the kernel has neither;
--- 2 to 10 us per call of a user function. Wildcards over thousands of functions, or hot ones, slow
--- the machine down: try -d 1 first.
--- Cannot see: calls that the compiler inlined; functions that the kernel excludes from tracing;
--- calls while the probe runs on the same CPU, as from interrupts (the summary counts them).

local mp = require 'moonprobe'

local opt = mp.options {
  pattern = mp.argument(1, mp.target(nil, 'functions as vfs_*, libc:malloc, or any probe'), true),
  interval = mp.interval(nil, 'print and clear every so many seconds', 'i'),
  duration = mp.interval(nil, 'end after so many seconds', 'd'),
  time = mp.flag('T', 'print the time of day, too'),
  top = mp.whole(nil, 'show at most so many', 't', 1),
  where = mp.expression(nil, 'count only calls e where this is true', 'w'),
}

local calls = mp.probe(opt.pattern)
if opt.where then calls = calls:where(opt.where) end
-- What has no places is one thing, as profile:99.
local by_place = opt.pattern:find '[*?%[]'
local counts = by_place and calls:count 'place' or calls:count()

if opt.duration then mp.after(('%dns'):format(opt.duration), mp.stop) end

mp.intervals(opt, function()
  local row = mp.columns { { 'func', width = -36 }, { 'count', width = 12 } }
  for _, one in ipairs(counts:rows(opt.top)) do
    row(by_place and one.key or opt.pattern:match '([^:]*)$', one.value)
  end
  counts:print_overflow()
  counts:clear()
end)
