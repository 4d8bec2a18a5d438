-- SPDX-License-Identifier: Apache-2.0
--- bashreadline: the lines people type into bash, on the whole machine.
---
---   moonprobe run bashreadline               every line, as it is entered
---   moonprobe run -p 181 bashreadline        in this shell
---   moonprobe run -f json bashreadline -s libreadline     where bash takes it from a library
---
--- Overhead: one event per line that somebody types; nothing to worry about.
--- Cannot see: whether a line then runs as a command, or fails; scripts, which bash does not read
--- this way; other shells; what follows the first 255 bytes; a bash in a container without -p.

local mp = require 'moonprobe'

local opt = mp.options {
  shared = mp.text('bash', 'the file that has readline(): bash, or a library', 's'),
}

local row = mp.columns {
  { 'time', width = -9, format = mp.clock },
  { 'pid', width = -7 },
  { 'command', width = -1 },
}

-- NULL: the end of the input.
mp.probe('uretprobe:' .. opt.shared .. ':readline', { entry = 0 })
  :where(function(e) return e.retval ~= 0 end)
  :each(function(e) row(e.time, e.pid, e.string.retval) end)
