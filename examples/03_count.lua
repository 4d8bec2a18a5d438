-- SPDX-License-Identifier: Apache-2.0
--- Lesson 3: aggregates instead of rows. Counts system calls by program and name, and shows
--- how long read(2) takes, every second.
---
---   sudo moonprobe run --for 5s examples/03_count.lua

local mp = require 'moonprobe'

local calls = mp.probe 'syscall'

calls:count('comm', 'number'):every '1s'

calls
  :where(function(e) return e.number == 'read' end)
  :histogram('latency_ns', { by = 'comm' })
