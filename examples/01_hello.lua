-- SPDX-License-Identifier: Apache-2.0
--- Lesson 1: a probe and a handler. Prints every program that starts.
---
---   sudo moonprobe run examples/01_hello.lua

local mp = require 'moonprobe'

mp.probe 'process_exec':each(function(e)
  mp.row(e.pid, e.comm, e.args)
end)
