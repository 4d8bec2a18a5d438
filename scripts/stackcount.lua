-- SPDX-License-Identifier: Apache-2.0
--- stackcount: how often a function was called or an event happened, by the way that led there.
---
---   moonprobe run stackcount rawtracepoint:sched_process_exec       until Ctrl-C, then the stacks
---   moonprobe run -c 'make -j4' stackcount -P rawtracepoint:sched_process_exec    by program, too
---   moonprobe run -p 181 stackcount -T rawtracepoint:sched_process_exec 1 10      each second
---   moonprobe run -q stackcount -fP rawtracepoint:sched_process_exec | flamegraph.pl > execs.svg
---
--- What is counted is a generic probe, which moonprobe list shows: kprobe:tcp_sendmsg,
--- 'kprobe:tcp_send*', rawtracepoint:sched_switch, uprobe:/bin/bash:readline, profile:99.
--- A name without a colon is a function of the kernel: stackcount tcp_sendmsg. Functions of
--- programs are counted by the process's stack, the rest by the kernel's; -K, -U and both choose.
---
--- Overhead: the kernel walks the stack at each call and counts it there: 2 us for the kernel's,
--- 1 us for a process's of five frames, beside what the probe costs. There is room for 16384 stacks
--- (run --stacks); those that find none are counted as [stack lost].
--- Cannot see: callers in programs and libraries that are built without frame pointers; names in
--- programs without symbols; before Linux 6.11 the caller of a function that a uprobe is at.

local mp = require 'moonprobe'

local opt = mp.options {
  what = mp.argument(1, mp.text('profile:99', 'what is counted: a probe, or a function of the kernel')),
  interval = mp.argument(2, mp.interval(nil, 'print and clear every so many seconds', 'i')),
  count = mp.argument(3, mp.whole(nil, 'end after so many', nil, 1)),
  time = mp.flag('T', 'print the time of day, too'),
  kernel = mp.flag('K', "the kernel's stack"),
  user = mp.flag('U', "the process's stack"),
  process = mp.flag('P', 'by the name of the thread, too'),
  folded = mp.flag('f', 'a line for each stack, outermost function first, for flame graphs'),
  top = mp.whole(nil, 'show at most so many', nil, 1),
}

local name = opt.what:find(':', 1, true) and opt.what or 'kprobe:' .. opt.what
local of_program = name:find '^u' ~= nil
local user = opt.user or of_program and not opt.kernel
local kernel = opt.kernel or not user

local by = {}
if opt.process then by[#by + 1] = 'comm' end
if kernel then by[#by + 1] = 'kstack' end
if user then by[#by + 1] = 'ustack' end

local counts = mp.probe(name):count { by = by, name = name }

mp.intervals(opt, function()
  if opt.folded then counts:print_folded(opt.top) else counts:print(opt.top) end
  counts:clear()
end)
