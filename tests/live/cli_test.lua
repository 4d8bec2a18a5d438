-- SPDX-License-Identifier: Apache-2.0
--- What a run promises, from its start to its end. Mistakes, and what asks for no run, are in
--- tests/cli/mistakes_test.lua.

local tap = dofile 'tests/tap.lua'

local folder = os.tmpname()
os.remove(folder)
os.execute('mkdir ' .. folder)
local function file(name, text) return tap.spit(folder .. '/' .. name, text) end

local head = "local mp = require 'moonprobe'\n"

-- Ends: by time, by command, by the traced process, by the script, by the reader of stdout.
local idle = file('idle.lua', head .. "mp.probe 'oom_kill':each(function(e) mp.row(e.pid) end)")
local run = tap.moonprobe('run --for 300ms ' .. idle)
tap.ok(run.status == 0 and run.err:find('0 events, 0 lost') ~= nil, '--for ends by itself', run)
tap.ok(not run.err:find('besides', 1, true), 'the kernel has kept none', run.err)
run = tap.moonprobe(("run -c '%s syscall 23' %s"):format(tap.workload,
  file('folded.lua', head .. "mp.probe('syscall', { failed_only = 0 }):count('number')")))
tap.ok(run.out:find('getppid +23\n') and run.err:find('0 events, 0 lost, besides those the kernel filtered or folded\n'),
  'what the kernel counts is no event of the summary, which says so', run)
run = tap.moonprobe("run -c 'sh -c \"exit 3\"' " .. idle)
tap.is(run.status, 0, '-c ends with its command, whatever its status')
local started = file('started.lua', head .. "mp.probe 'oom_kill':count() mp.after('1ms', function() mp.row 'started' end)")
-- The process waits for the script's row, whose pipe this shell keeps open.
run = tap.shell(('mkfifo %s/fifo; exec 3<>%s/fifo; sh -c "read row <&3" & %s run -q -p $! %s >&3'):format(folder, folder,
  tap.binary, started))
tap.is({ run.status, run.err }, { 0, '' }, '-p ends with its process')
run = tap.moonprobe('run ' .. file('stop.lua', head .. "mp.after('50ms', mp.stop) mp.finally(function() print 'bye' end)"))
tap.is({ run.status, run.out }, { 0, 'bye\n' }, 'mp.stop ends the run, mp.finally runs')
local flood = file('flood.lua', head .. "mp.probe 'syscall':each(function(e) mp.row(e.number) end)")
run = tap.shell(("%s run -c '%s syscall 200000' %s | head -n 2; true"):format(tap.binary, tap.workload, flood), 30)
tap.ok(#run.rows == 2 and run.err:find('signal') == nil, 'a closed pipe ends it quietly', run.err)
for _, signal in ipairs { 'INT', 'TERM', 'HUP' } do
  run = tap.shell(("rm -f %s/rows; %s run -o %s/rows %s & pid=$!; %s kill -%s $pid; wait $pid; echo status $?"):format(
    folder, tap.binary, folder, started, tap.wait('grep -q started ' .. folder .. '/rows'), signal))
  tap.ok(run.out == 'status 0\n' and run.err:find('0 events, 0 lost') ~= nil, 'SIG' .. signal .. ' ends it cleanly', run)
end

run = tap.shell(("%s run %s & pid=$!; sleep 0.01; kill -TERM $pid; wait $pid; echo status $?"):format(tap.binary, idle))
tap.ok((run.out == 'status 0\n' or run.out == 'status 143\n') and not run.err:find('hung') and not run.err:find('loading'),
  'SIGTERM while it starts is no failure', run)

-- Handlers that fail cost their event only.
run = tap.moonprobe(("run -f json -c '%s exec 9' %s"):format(tap.workload, file('raise.lua', head .. [[
local n = 0
mp.probe 'process_exec':each(function(e)
  n = n + 1
  if n == 5 then error('at five') end
  mp.row(n)
end)]])))
local sum = tap.summary(run)
tap.is({ run.status, #run.rows - 1, sum and sum.failed, sum and sum.received }, { 0, 9, 1, 10 }, 'one event fails, nine are handled')
tap.like(run.err, 'raise%.lua:5: at five', 'the failure is told with its line')
run = tap.moonprobe(("run -q -f json -c '%s exec 9' %s"):format(tap.workload, folder .. '/raise.lua'))
tap.is({ run.status, #run.rows, tap.summary(run) }, { 0, 9, nil }, '-q: rows in JSON, and no summary')
tap.like(run.err, 'process_exec: 1 events skipped, their handler raised an error\n$', '-q: what went wrong is told')

-- Promptness: at once when quiet, later when the script says so; in ms from event to handler.
local function latency(gather)
  local r = tap.moonprobe(("run -q -c '%s sleep 9 30' %s"):format(tap.workload, file('latency.lua', head .. gather .. [[

mp.probe('syscall', { min_ns = 20000000 }):each(function(e) mp.row((mp.now() - e.time) * 1000) end)]])))
  local all = {}
  for ms in r.out:gmatch('([%d.]+)\n') do all[#all + 1] = tonumber(ms) end
  table.sort(all)
  return all[math.ceil(#all / 2)] or -1, #all
end
local prompt, seen = latency('')
local late = latency("mp.gather { quiet = '20ms' }")
tap.ok(late >= 20, 'mp.gather lets events gather', late)
tap.ok(seen >= 9 and prompt >= 0 and prompt < (tap.slow and late / 2 or 10), 'without it a quiet event is handled within 10 ms',
  prompt, late, seen)

-- Output.
run = tap.moonprobe(("run -q -o %s/rows -c '%s exec 3' %s"):format(folder, tap.workload,
  file('rows.lua', head .. "mp.probe 'process_exec':each(function(e) mp.row(e.comm) end)")))
tap.is({ run.out, run.err, tap.slurp(folder .. '/rows') }, { '', '', ('workload\n'):rep(4) }, '-o FILE, -q')
run = tap.moonprobe(("run -c '%s exec 3' -e %s"):format(tap.workload, tap.quote("probe 'process_exec':count('comm')")))
tap.like(run.out, 'workload +4', '-e with a count that is printed at the end')
run = tap.undisturbed(("run -f json -c '%s exec 3' -e %s"):format(tap.workload, tap.quote("probe 'process_exec':count('comm')")))
tap.like(run.rows[1], '^{"aggregate":"process_exec count by comm","comm":"workload","value":4}$', 'the same in JSON')

-- list, doctor.
run = tap.moonprobe('list')
tap.ok(run.status == 0 and #run.rows >= 17, 'list shows every probe')
run = tap.moonprobe('doctor')
tap.ok(run.status == 0 and run.out:find('yes  unprivileged worker') ~= nil, 'doctor', run)
run = tap.moonprobe('doctor -f json')
tap.like(run.rows[1], '^{"check":"kernel","works":true', 'doctor in JSON')

-- Without privileges: which are missing, and what still works.
local as_nobody = 'setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all '
if tap.shell(as_nobody .. 'true').status == 0 then
  os.execute(('cp %s %s/moonprobe; chmod 755 %s %s/moonprobe'):format(tap.binary, folder, folder, folder))
  run = tap.shell(as_nobody .. folder .. '/moonprobe run ' .. idle)
  tap.ok(run.status == 2 and run.err:find('CAP_BPF and CAP_PERFMON missing') ~= nil, 'no privileges: named', run)
  run = tap.shell(as_nobody .. folder .. '/moonprobe check ' .. idle)
  tap.is(run.status, 0, 'check needs no privileges')
  run = tap.shell(as_nobody .. folder .. '/moonprobe run execsnoop --help')
  tap.ok(run.status == 0 and run.out:find('^usage: moonprobe run') ~= nil, '--help needs no privileges', run)
  run = tap.shell(as_nobody .. folder .. '/moonprobe doctor')
  tap.ok(run.status == 1 and run.out:find('NO   privileges') ~= nil, 'doctor without privileges', run)
else
  tap.skip('without privileges', 'setpriv is missing')
end

-- A kernel without BTF, as this one looks with an empty folder mounted over it.
local hidden = "unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf && "
if tap.shell(hidden .. "true'").status == 0 then
  run = tap.shell(hidden .. tap.binary .. " run execsnoop'")
  tap.ok(run.status == 2 and run.err:find('the kernel has no BTF') ~= nil, 'no BTF: is told', run)
  run = tap.shell(hidden .. tap.binary .. " doctor'")
  tap.ok(run.status == 1 and run.out:find('NO +kernel BTF') ~= nil, 'doctor without BTF', run)
else
  tap.skip('a kernel without BTF', 'no mount namespace can be made here')
end

-- Alone in another folder, as after a copy to another machine.
run = tap.shell(('cp %s %s/alone && cd / && env -i %s/alone run -q -c /bin/true -e %s'):format(tap.binary, folder,
  folder, tap.quote("probe 'process_exec':each(function(e) print(e.comm) end)")))
tap.is(run.out, 'true\n', 'the executable runs alone')

os.execute('rm -r ' .. folder)
tap.done()
