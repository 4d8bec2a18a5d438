-- SPDX-License-Identifier: Apache-2.0
--- Lesson 6: a script's test. Lesson 4 counts programs and goes on counting after a reload; this
--- proves it without root and without starting a program.
---
---   moonprobe test examples/06_state_test.lua
---   moonprobe test --watch --coverage examples      again whenever something changes

local test = require 'moonprobe.test'

local run = test.load '04_state' -- beside this file

run:feed('process_exec', { comm = 'ls' })
run:feed('process_exec', { comm = 'cat' })
test.is(run:rows(), { { 'program', 1, 'ls' }, { 'program', 2, 'cat' } }, 'a row for each')

run:reload()
run:feed('process_exec', { comm = 'make' })
test.is(run:state().seen, { programs = 3 }, 'the new version goes on')

run:finish()
test.is(run:lines(), {
  'program  1  ls',
  'program  2  cat',
  'program  3  make',
  'in all  3',
}, 'all that was printed')
