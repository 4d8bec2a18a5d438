-- SPDX-License-Identifier: Apache-2.0
--- Lesson 2: where() narrows a stream, columns() lays rows out and names them in JSON, and an
--- option of the script becomes part of its --help. Prints opens that took long.
---
---   sudo moonprobe run examples/02_where.lua --over 100us
---   sudo moonprobe run -f json examples/02_where.lua

local mp = require 'moonprobe'

local opt = mp.options {
  over = mp.duration('1ms', 'only opens that take longer'),
}

local row = mp.columns {
  { 'comm', width = -16 },
  { 'latency_us', width = 10 },
  { 'path', width = -1 },
}

mp.probe 'file_open'
  :where(function(e) return e.latency_ns > opt.over end)
  :each(function(e) row(e.comm, e.latency_ns / 1e3, e.path) end)
