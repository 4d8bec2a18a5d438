-- SPDX-License-Identifier: Apache-2.0
--- syscount: how often which system call was made, and how long they took.
---
---   moonprobe run syscount                   until Ctrl-C, then the ten most frequent
---   moonprobe run -p 181 syscount -L 1 10    ten times a second's worth, longest in sum first
---   moonprobe run -c 'ls -l' syscount -x     only calls that failed
---   moonprobe run --for 10s syscount -P -e ENOENT     by process, of one error
---
--- Overhead: two hooks on EVERY system call of the machine, and an event for each that is
--- counted: half a microsecond or so per call, which can halve the speed of a program that
--- does little else. -p or -c spare the others most of it, -x and -e all but the failures.
--- Past a million calls a second some are lost; the summary says how many.
--- Cannot see: calls that never return (exit); calls that run when the trace starts; what
--- seccomp refuses; 32-bit programs' calls have wrong names.

local mp = require 'moonprobe'

local opt = mp.options {
  interval = mp.argument(1, mp.interval(nil, 'print and clear every so many seconds', 'i')),
  count = mp.argument(2, mp.number(nil, 'end after so many')),
  time = mp.flag(nil, 'print the time of day, too'),
  top = mp.number(10, 'show at most so many', 'T'),
  failures = mp.flag('x', 'only calls that failed'),
  errno = mp.errno(nil, 'only calls that failed with this error', 'e'),
  latency = mp.flag('L', 'also the time spent in the calls, and sort by it'),
  milliseconds = mp.flag('m', 'times in milliseconds instead of microseconds'),
  process = mp.flag('P', 'by process instead of by call'),
}

local key = opt.process and { by = 'pid', note = 'comm' } or { by = 'number' }
local calls = mp.probe('syscall', { failed_only = opt.failures or opt.errno ~= nil })
  :when(opt.errno, function(e) return e.result == -opt.errno end)
local counts = calls:count(key)
local times = opt.latency and calls:sum('latency_ns', key)

mp.intervals(opt, function()
  local row = mp.columns {
    { 'pid', width = -7, shown = opt.process },
    { 'comm', width = -16, shown = opt.process },
    { 'syscall', width = -22, shown = not opt.process },
    { 'count', width = 10 },
    { 'time_ns', title = opt.milliseconds and 'TIME (ms)' or 'TIME (us)', width = 16, shown = opt.latency,
      format = function(ns) return ('%.3f'):format(ns / (opt.milliseconds and 1e6 or 1e3)) end },
  }
  for _, one in ipairs((times or counts):rows(opt.top)) do
    row(opt.process and one.key or nil, one.note, not opt.process and one.key or nil,
      counts.cells[one.key], times and one.value or nil)
  end
  counts:clear()
  if times then times:clear() end
end)
