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

--- Serves the victim and a hostile script over a workload that goes on until `pattern` of grep (or nothing) was
--- told, and for `more` (4) programs, four a second; the victim must see every exec. Returns the hostile script's
--- lines on stderr, and the run.
local function beside_victim(name, body, pattern, more)
  local hostile = file('hostile.lua', body)
  tap.spit(folder .. '/steps', [[
programs=0
program() { /bin/true; programs=$((programs + 1)); sleep 0.25; }
until [ -z "$1" ] || grep -q "$1" "$3/err" || [ $programs -gt 400 ]; do program; done
for i in $(seq $2); do program; done
echo $programs > $3/programs]])
  local run = tap.shell(('%s serve %s -c %s %s %s 2>%s/err'):format(tap.binary, options,
    tap.quote(('sh %s/steps "%s" %d %s'):format(folder, pattern or '', more or 4, folder)), victim, hostile, folder), 120)
  run.err = tap.slurp(folder .. '/err')
  local programs = tonumber(tap.slurp(folder .. '/programs'))
  tap.is(tap.matching(run.rows, '^victim  true$'), programs, name .. ': the other script sees everything')
  local lines = {}
  for line in run.err:gmatch('[^\n]+') do
    if line:find('hostile.lua', 1, true) then lines[#lines + 1] = line end
  end
  return table.concat(lines, '\n'), run
end

local on_exec = "mp.probe('process_exec'):each(function(e) %s end)"

local err = beside_victim('an endless loop', on_exec:format('while true do end'), 'started again')
tap.like(err, 'hung in compiled code.*started again', 'an endless loop is ended and told')

err = beside_victim('a slow endless loop', on_exec:format("\n  local s = ''\n  while #s < 2 do s = s:gsub('x', 'y') end"), 'hostile.lua:4')
tap.like(err, 'hung at [^\n]*hostile.lua:4[^\n]*started again', 'an interpreted loop is told with its line')

local run
err, run = beside_victim('error() in a handler', on_exec:format("error('no')"), 'hostile.lua:2: no', 8)
local skipped = tonumber(err:match('hostile.lua:2: no\n[^\n]-(%d+) events skipped'))
tap.is(skipped, tap.matching(run.rows, '^victim  '), 'errors are told once and counted')
tap.is(run.status, 0, 'and are no reason to end')

err, run = beside_victim('os.exit', on_exec:format("os.exit(7)"), 'quarantined')
tap.like(err, 'exited by itself, status 7; its state is lost, it is started again', 'os.exit is told')
tap.like(err, 'failed 5 times within a minute: quarantined', 'and ends in quarantine')
tap.is(run.status, 1, 'which the exit status shows')

beside_victim('closing stdout and stderr', on_exec:format('io.stdout:close() io.stderr:close()'))

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
err, run = beside_victim('a wild pointer', on_exec:format("require('ffi').cast('int *', 8)[0] = 1"), 'started again')
tap.ok(err:find('ended by signal 11, Segmentation fault[^\n]*started again')
  or run.err:find('AddressSanitizer:DEADLYSIGNAL', 1, true) and err:find('started again'), 'a crash is told with its signal', err)
err = beside_victim('closing all descriptors', "local ffi = require 'ffi' ffi.cdef 'int close(int);'\n"
  .. on_exec:format('for fd = 0, 100 do ffi.C.close(fd) end'), 'hostile.lua')
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
local idle = file('idle.lua', "mp.probe('oom_kill'):count() mp.after('1ms', function() mp.row 'started' end)")
local running = "while read w p; do grep -q 'State:.[^ZX]' $p/status && echo left $p; done < %s/workers"
for _, signal in ipairs { 'INT', 'TERM', 'HUP', 'KILL' } do
  run = tap.shell(("rm -f %s/rows; %s serve %s %s >%s/rows & pid=$!; %s" ..
    "for c in /proc/[0-9]*/status; do grep -q \"^PPid:.$pid$\" $c 2>/dev/null && echo worker ${c%%/status}; done > %s/workers; " ..
    "kill -%s $pid; wait $pid 2>/dev/null; running() { %s; }; %s running; wc -l < %s/workers"):format(folder, tap.binary,
    idle, idle, folder, tap.wait(('[ "$(grep -c started %s/rows)" = 2 ]'):format(folder)), folder, signal,
    running:format(folder), tap.wait '[ -z "$(running)" ]', folder))
  tap.is(run.out:gsub('%s', ''), '2', ('SIG%s: both workers were there, none is left'):format(signal))
end

os.execute('rm -r ' .. folder)
tap.done()
