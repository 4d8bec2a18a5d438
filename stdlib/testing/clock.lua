-- SPDX-License-Identifier: Apache-2.0
--- Clock: time in a test stands still until it is moved. It begins at 0 ns, which is midnight of
--- the 1st of January 2000, UTC.

local engine = require 'moonprobe.engine'

local clock = {}

clock.BEGIN_NS = 946684800e9 -- since 1970

--- The machine's own, for benchmarks.
clock.real = engine.monotonic

--- From now on `time` of every event is by this calendar: the schemas have the offset built in.
function clock.stop()
  engine.monotonic = function() return 0 end
  engine.realtime = function() return clock.BEGIN_NS end
end

return clock
