-- SPDX-License-Identifier: Apache-2.0
--- Lesson 5: the filter runs in the kernel. It is plain Lua; its values stay live: every two
--- seconds it becomes twice as strict, and nothing is reloaded or detached.
---
---   sudo moonprobe explain examples/05_kernel.lua
---   sudo moonprobe run --for 8s examples/05_kernel.lua --over 20us

local mp = require 'moonprobe'

local opt = mp.options { over = mp.duration('20us', 'count calls slower than this, at first') }

local waiting = { futex = true, poll = true, ppoll = true, select = true, epoll_wait = true,
  epoll_pwait = true, nanosleep = true, clock_nanosleep = true, pselect6 = true }

local slow = mp.probe 'syscall'
  :where(function(e) return e.latency_ns > opt.over and not waiting[e.number] end, { kernel = true })
  :count { by = { 'comm', 'number' }, kernel = true }

mp.every('2s', function()
  print(('slower than %d us:'):format(opt.over / 1000))
  slow:print(5)
  slow:clear()
  opt.over = opt.over * 2
end)
