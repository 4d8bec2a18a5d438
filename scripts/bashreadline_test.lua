-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local PROBE = 'uretprobe:bash:readline'

local function feed(run)
  run:feed(PROBE, { time_ns = 1e9, pid = 7, retval = 4096, string = { retval = 'ls -l "a b"' } })
  run:feed(PROBE, { time_ns = 2e9, pid = 7, retval = 4096 })
  run:feed(PROBE, { time_ns = 3e9, pid = 7, retval = 0 })
  return run
end

local run = feed(test.load 'bashreadline')
test.is(run:rows(), { { time = 946684801, pid = 7, command = 'ls -l "a b"' },
  { time = 946684802, pid = 7, command = '' } },
  'lines, an empty one too, but not the end of the input')
test.golden('plain', run:text())
test.is(run:probes(), { [PROBE] = { entry = 0 } }, 'calls are not asked for')
test.like(feed(test.load('bashreadline', {}, { json = true })):lines()[1],
  '^{"time":946684801,"pid":7,"command":"ls %-l \\"a b\\""}$', 'JSON')
test.raises(function() test.load('bashreadline', { '-s', '/nonexistent' }) end, '/nonexistent')
