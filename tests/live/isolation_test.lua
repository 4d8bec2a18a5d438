-- SPDX-License-Identifier: Apache-2.0
--- Isolation: whatever one script does, the others and the host go on, and it is told in one
--- line. And when the host goes, nothing of it stays.

local tap = dofile 'tests/tap.lua'

local folder = os.tmpname()
os.remove(folder)
os.execute('mkdir ' .. folder)
local function file(name, body)
  return tap.spit(folder .. '/' .. name, "local mp = require 'moonprobe'\n" .. body)
end

local options = '--allow ffi'
local victim = file('victim.lua', "mp.probe('process_exec'):each(function(e) mp.row('victim', e.comm) end)")

--- Serves the victim and a hostile script over a workload of `seconds`; the victim must see
--- every exec. Returns the hostile script's lines on stderr.
local function beside_victim(name, body, seconds)
  local hostile = file('hostile.lua', body)
  local steps = ("i=0; while [ $i -lt %d ]; do /bin/true; sleep 0.25; i=$((i + 1)); done"):format(seconds * 4)
  local run = tap.moonprobe(('serve %s -c %s %s %s'):format(options, tap.quote('sh -c ' .. tap.quote(steps)),
    victim, hostile), 100)
  tap.is(tap.matching(run.rows, '^victim  true$'), seconds * 4, name .. ': the other script sees everything')
  local lines = {}
  for line in run.err:gmatch('[^\n]+') do
    if line:find('hostile.lua', 1, true) then lines[#lines + 1] = line end
  end
  return table.concat(lines, '\n'), run
end

local on_exec = "mp.probe('process_exec'):each(function(e) %s end)"

local err = beside_victim('an endless loop', on_exec:format('while true do end'), 8)
tap.like(err, 'hung in compiled code.*started again', 'an endless loop is ended and told')

err = beside_victim('a slow endless loop', on_exec:format("\n  local s = ''\n  while #s < 2 do s = s:gsub('x', 'y') end"), 8)
tap.like(err, 'hung at [^\n]*hostile.lua:4[^\n]*started again', 'an interpreted loop is told with its line')

local run
err, run = beside_victim('error() in a handler', on_exec:format("error('no')"), 2)
tap.like(err, 'hostile.lua:2: no\n[^\n]*17 events skipped', 'errors are told once and counted')
tap.is(run.status, 0, 'and are no reason to end')

err, run = beside_victim('os.exit', on_exec:format("os.exit(7)"), tap.slow and 12 or 3)
tap.like(err, 'exited by itself, status 7; its state is lost, it is started again', 'os.exit is told')
tap.like(err, 'failed 5 times within a minute: quarantined', 'and ends in quarantine')
tap.is(run.status, 1, 'which the exit status shows')

beside_victim('closing stdout and stderr', on_exec:format('io.stdout:close() io.stderr:close()'), 1)

-- A handler slower than its events loses events of its own, and every one is counted.
local slow = file('slow.lua', "mp.probe('syscall', { only_number = 110 }):each(function(e)\n"
  .. 'local t = os.clock() while os.clock() - t < 0.0005 do end end)')
run = tap.moonprobe(("run --ring 64K -f json -c '%s syscall 20000' %s"):format(tap.workload, slow))
local count = {}
for name in ('events received ring_full unhandled'):gmatch('%a[%w_]*') do
  count[name] = tonumber(run.out:match('"' .. name .. '":(%d+)'))
end
tap.ok(count.events == 20000 and count.ring_full > 1000 and
  count.events == count.received + count.ring_full + count.unhandled, 'a slow handler: its losses are counted', count)

-- FFI, where it is granted: a wild pointer, its own descriptors.
err, run = beside_victim('a wild pointer', on_exec:format("require('ffi').cast('int *', 8)[0] = 1"), 3)
tap.ok(err:find('ended by signal 11, Segmentation fault[^\n]*started again')
  or run.err:find('AddressSanitizer:DEADLYSIGNAL', 1, true) and err:find('started again'), 'a crash is told with its signal', err)
err = beside_victim('closing all descriptors', "local ffi = require 'ffi' ffi.cdef 'int close(int);'\n"
  .. on_exec:format('for fd = 0, 100 do ffi.C.close(fd) end'), 2)
tap.like(err, 'hostile.lua', 'a worker without descriptors is told')

-- Scripts that see everything do not see each other's workers. Only in a machine of the test's
-- own, where every process is one of its own.
if tap.slow then
  local writers = file('writers.lua', [[
local own = 0
mp.probe('file_io', { all_kinds = 1 }):each(function(e) if e.comm == 'moonprobe-work' then own = own + 1 end end)
mp.every('100ms', function() print('row') end)
mp.after('4s', function() print('own writes seen: ' .. own) mp.stop() end)]])
  run = tap.moonprobe(('serve -q %s %s'):format(writers, writers), 60)
  tap.is(tap.matching(run.rows, '^own writes seen: 0$'), 2, 'two scripts do not see each other\'s output')
else
  tap.skip('two scripts do not see each other\'s output', 'it would trace the processes of others')
end

-- A closed pipe.
run = tap.shell(("%s run -c '%s syscall 300000' -e %s | head -n 1; true"):format(tap.binary, tap.workload,
  tap.quote("probe('syscall'):each(function(e) mp.row(e.number) end)")), 60)
tap.is(#run.rows, 1, 'flooding a closed pipe ends quietly')

-- The host ends: nothing attached, nothing running.
local idle = file('idle.lua', "mp.probe('oom_kill'):count()")
for _, signal in ipairs { 'INT', 'TERM', 'HUP', 'KILL' } do
  run = tap.shell(("%s serve %s %s & pid=$!; sleep %d; " ..
    "for c in /proc/[0-9]*/status; do grep -q \"^PPid:.$pid$\" $c 2>/dev/null && echo worker ${c%%/status}; done > %s/workers; " ..
    "kill -%s $pid; wait $pid 2>/dev/null; sleep 0.5; " ..
    "while read w p; do grep -q 'State:.[^ZX]' $p/status 2>/dev/null && echo left $p; done < %s/workers; wc -l < %s/workers"):format(
    tap.binary, idle, idle, tap.slow and 5 or 1, folder, signal, folder, folder))
  tap.is(run.out:gsub('%s', ''), '2', ('SIG%s: both workers were there, none is left'):format(signal))
end

os.execute('rm -r ' .. folder)
tap.done()
