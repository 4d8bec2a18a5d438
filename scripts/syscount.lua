-- SPDX-License-Identifier: Apache-2.0
--- syscount: how often which system call was made, and how long they took.
---
---   moonprobe run syscount                   until Ctrl-C, then the ten most frequent
---   moonprobe run -p 181 syscount -L 1 10    ten times a second's worth, longest in sum first
---   moonprobe run -c 'ls -l' syscount -x     only calls that failed
---   moonprobe run --for 10s syscount -P -e ENOENT     by process, of one error
---
--- Overhead: two hooks on EVERY system call of the machine, and an event for each that is
--- counted: 0.4 to 0.6 us per call, which makes a program of nothing but cheap calls three
--- times slower. -x and -e save the event but not the hooks (0.4 us); -p and -c spare the
--- other processes most of it. Past two million calls a second some are lost; the summary
--- says how many.
--- Cannot see: calls that never return (exit); calls that run when the trace starts; what
--- seccomp refuses; 32-bit programs' calls have wrong names.

local mp = require 'moonprobe'

local opt = mp.options {
  interval = mp.argument(1, mp.interval(nil, 'print and clear every so many seconds', 'i')),
  count = mp.argument(2, mp.whole(nil, 'end after so many', nil, 1)),
  time = mp.flag(nil, 'print the time of day, too'),
  top = mp.whole(10, 'show at most so many', 'T', 1),
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

local by_process = { { 'pid', width = -7 }, { 'comm', width = -16 } }
local by_call = { { 'syscall', width = -24 } }
local unit = opt.milliseconds and 1e6 or 1e3

--- Columns print their heading once, so each interval has its own.
local function columns()
  local list = { unpack(opt.process and by_process or by_call) }
  list[#list + 1] = { 'count', width = 12 }
  if times then
    list[#list + 1] = { 'time_ns', title = opt.milliseconds and 'TIME (ms)' or 'TIME (us)', width = 16,
      format = function(ns) return ('%.3f'):format(ns / unit) end }
  end
  return mp.columns(list)
end

mp.intervals(opt, function()
  local row, calls_of = columns(), {}
  for _, one in ipairs(times and counts:rows() or {}) do calls_of[one.key] = one.value end
  for _, one in ipairs((times or counts):rows(opt.top)) do
    local count = times and calls_of[one.key] or one.value
    if opt.process then row(one.key, one.note, count, one.value) else row(one.key, count, one.value) end
  end
  counts:print_overflow()
  counts:clear()
  if times then times:clear() end
end)
