-- SPDX-License-Identifier: Apache-2.0
--- profile: where the CPUs' time goes: what they were doing, looked at so many times a second.
---
---   moonprobe run profile                       until Ctrl-C, then the stacks
---   moonprobe run -p 181 profile -U 5           every five seconds what the process did, by itself
---   moonprobe run --for 10s -q profile -f | flamegraph.pl > cpu.svg
---   moonprobe run -c 'make -j4' profile -F 99 -K
---
--- Innermost function first; the kernel's, then those of the process that called it. -F 99 looks
--- 99 times a second: not 100, which other things do as well.
---
--- Overhead: 1 to 2 us for each look at each CPU that works: 0.01% of it at 49 Hz.
--- Cannot see: idle CPUs; callers in programs and libraries that are built without frame pointers;
--- names in programs without symbols; code with interrupts off is counted where they are on again.

local mp = require 'moonprobe'

local opt = mp.options {
  interval = mp.argument(1, mp.interval(nil, 'print and clear every so many seconds', 'i')),
  count = mp.argument(2, mp.whole(nil, 'end after so many', nil, 1)),
  time = mp.flag('T', 'print the time of day, too'),
  frequency = mp.whole(49, 'look so many times a second', 'F', 1),
  kernel = mp.flag('K', "only the kernel's stacks"),
  user = mp.flag('U', "only the processes' stacks"),
  process = mp.flag('P', 'each process for itself, not all of one name together'),
  folded = mp.flag('f', 'a line for each stack, outermost function first, for flame graphs'),
  top = mp.whole(nil, 'show at most so many', nil, 1),
}

local by = { 'comm' }
if opt.process then by[#by + 1] = 'pid' end
if opt.kernel or not opt.user then by[#by + 1] = 'kstack' end
if opt.user or not opt.kernel then by[#by + 1] = 'ustack' end

local samples = mp.probe(('profile:%d'):format(opt.frequency)):count { by = by, name = 'samples' }

mp.intervals(opt, function()
  if opt.folded then samples:print_folded(opt.top) else samples:print(opt.top) end
  samples:clear()
end)
