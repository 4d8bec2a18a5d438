-- SPDX-License-Identifier: Apache-2.0
--- execsnoop: new programs as they start, with their arguments.
---
---   moonprobe run execsnoop                  every program that starts
---   moonprobe run execsnoop -Tx              with the time of day, and calls that failed
---   moonprobe run execsnoop -n make -q       by "make" in the name, arguments in quotes
---   moonprobe run -c 'make -j4' -f json execsnoop
---
--- Overhead: one event per execve(2), 15 us with its row; starting a program costs 800 us
--- anyway. Nothing to worry about below some thousands of programs a second.
--- Cannot see: programs that already run; forks without an exec; arguments a program
--- rewrites later; what follows the first 1023 bytes of arguments (the row then ends in
--- "...").

local mp = require 'moonprobe'

local opt = mp.options {
  time = mp.flag('T', 'show the time of day'),
  timestamp = mp.flag('t', 'show seconds since the start of the trace'),
  fails = mp.flag('x', 'also calls that failed'),
  print_uid = mp.flag('U', 'show the user id'),
  uid = mp.whole(nil, 'only this user id', 'u'),
  name = mp.text(nil, 'only where the name of the program has this text', 'n'),
  line = mp.text(nil, 'only where the arguments have this text', 'l'),
  quote = mp.flag('q', 'put arguments in quotes'),
  max_args = mp.whole(20, 'show at most so many arguments'),
}

local started = mp.now()

local row = mp.columns {
  { 'time', width = -8, format = mp.clock, shown = opt.time },
  { 'seconds', title = 'TIME(s)', width = -8, decimals = 3, shown = opt.timestamp },
  { 'uid', width = -6, shown = opt.print_uid },
  { 'comm', title = 'PCOMM', width = -16 },
  { 'pid', width = -7 },
  { 'ppid', width = -7 },
  { 'error', title = 'RET', width = -6, none = '0' },
  { 'args', width = -1 },
}

--- The program's name counts as an argument, as the kernel has it.
local function line_of(args, cut)
  for i, arg in ipairs(args) do
    if opt.quote then args[i] = '"' .. arg:gsub('["\\]', '\\%0') .. '"' end
  end
  local more = #args > opt.max_args + 1
  return table.concat(args, ' ', 1, math.min(#args, opt.max_args + 1)) .. ((more or cut) and ' ...' or '')
end

mp.probe('process_exec', { failed = opt.fails })
  :when(opt.uid, function(e) return e.uid == opt.uid end)
  :when(opt.name, function(e) return e.comm:find(opt.name, 1, true) ~= nil end)
  :when(opt.line, function(e) return e.args:find(opt.line, 1, true) ~= nil end)
  :each(function(e)
    row(e.time, e.time - started, e.uid, e.comm, e.pid, e.parent_pid, e.error,
      line_of(e.args_list, e.args_cut))
  end)
