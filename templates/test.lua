-- SPDX-License-Identifier: Apache-2.0
--- Tests of NAME.lua, without root and without a kernel:
---
---   moonprobe test NAME_test.lua

local test = require 'moonprobe.test'

local run = test.load('NAME.lua', { '-u', '1000' })
run:feed('process_exec', { pid = 41, uid = 1000, comm = 'ls', args = { 'ls', '-l' } })
run:feed('process_exec', { pid = 42, uid = 0, comm = 'cron', args = { 'cron' } })
local rows = run:rows()
test.is(#rows, 1, 'only programs of that user')
test.is({ rows[1].pid, rows[1].comm, rows[1].args }, { 41, 'ls', 'ls -l' }, 'a row has what happened')
run:finish()
