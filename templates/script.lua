-- SPDX-License-Identifier: Apache-2.0
--- NAME: programs as they start, with their arguments.
---
---   sudo moonprobe run NAME.lua              every program
---   sudo moonprobe run NAME.lua -u 1000      only those of one user

local mp = require 'moonprobe'

local opt = mp.options {
  uid = mp.whole(nil, 'only programs of this user id', 'u'),
}

local row = mp.columns {
  { 'time', width = -8, format = mp.clock },
  { 'pid', width = 7 },
  { 'comm', width = -16 },
  { 'args', width = -1 },
}

mp.probe 'process_exec'
  :when(opt.uid, function(e) return e.uid == opt.uid end)
  :each(function(e) row(e.time, e.pid, e.comm, e.args) end)
