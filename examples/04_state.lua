-- SPDX-License-Identifier: Apache-2.0
--- Lesson 4: a reload that loses nothing. Run it with -w, then change the word below and save:
--- the new version goes on counting where the old one stopped.
---
---   sudo moonprobe run -w examples/04_state.lua

local mp = require 'moonprobe'

local seen = mp.state('seen', { programs = 0 }) -- inherited by the next version

mp.probe 'process_exec':each(function(e)
  seen.programs = seen.programs + 1
  mp.row('program', seen.programs, e.comm)
end)

mp.finally(function() mp.row('in all', seen.programs) end)
