-- SPDX-License-Identifier: Apache-2.0
--- 7. Any function, any tracepoint: programs that start, by what the kernel itself hands over.
---
---   moonprobe run -c 'sh -c "ls; date"' examples/07_generic.lua
---
--- No probe was written for this. `moonprobe list rawtracepoint:sched_process_exec` shows the arguments;
--- their members follow pointers by themselves, and are filtered and counted in the kernel like any field.

local mp = require 'moonprobe'

local exec = mp.probe 'rawtracepoint:sched_process_exec'
  :where(function(e) return e.args.bprm.filename ~= '/bin/false' end)

exec:each(function(e) mp.print(('%s starts as process %d'):format(e.args.bprm.filename, e.args.p.tgid)) end)
exec:count 'args.p.real_parent.comm'
