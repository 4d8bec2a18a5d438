-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('gethostlatency', tap)

-- The workload is linked statically; the interpreter of this test is not. Addresses ask nobody.
local script = os.tmpname()
tap.spit(script, [[
local ffi = require 'ffi'
ffi.cdef 'int getaddrinfo(const char *, const char *, const void *, void **); void *gethostbyname(const char *);'
for i = 1, 23 do ffi.C.getaddrinfo('127.0.0.' .. i, '1', nil, ffi.new 'void *[1]') end
for _ = 1, 5 do ffi.C.gethostbyname '127.0.0.99' end
ffi.C.getaddrinfo(nil, '1', nil, ffi.new 'void *[1]')
]])

local function lookups(options, engine)
  return tap.undisturbed(('run %s -c %s gethostlatency %s'):format(engine or '', tap.quote('luajit ' .. script),
    options or ''))
end

local probe = tap.moonprobe "explain -e \"probe('uretprobe:libc:getaddrinfo'):count()\""
if probe.status ~= 0 then
  tap.skip('look-ups', probe.err:gsub('\n.*', ''))
else
  local run = lookups('', '-f json')
  tap.is(tap.matching(run.rows, '"comm":"luajit","ms":[%d.]+,"host":"127%.0%.0%.%d+","func":"getaddrinfo"}$'), 23,
    '23 of one function')
  tap.is(tap.matching(run.rows, '"host":"127%.0%.0%.99","func":"gethostbyname"}$'), 5, 'five of another')
  tap.is(tap.matching(run.rows, '"host":null,"func":"getaddrinfo"}$'), 1, 'one without a name')
  tap.is(tap.matching(run.rows, '"host":"127%.0%.0%.23"'), 1, 'each with its name')
  local sum = tap.summary(run)
  tap.ok(sum and sum.lost == 0 and sum.failed == 0 and run.status == 0, 'nothing lost', run)
  tap.is(#lookups('-m 60s').rows, 0, '-m: none takes so long')
  run = lookups()
  tap.like(run.rows[1], '^TIME +PID +COMM +LATms HOST$', 'text: heading')
  tap.is(tap.matching(run.rows, '^%d%d:%d%d:%d%d +%d+ +luajit +%d+%.%d%d%d 127%.0%.0%.%d+$'), 28, 'text: rows')
end
os.remove(script)

tool.finish()
