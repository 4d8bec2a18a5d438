-- SPDX-License-Identifier: Apache-2.0
--- Regression: what once went wrong in the engine, one test each.

local tap = dofile 'tests/tap.lua'

local folder = os.tmpname()
os.remove(folder)
os.execute('mkdir ' .. folder)
local function file(name, body)
  return tap.spit(folder .. '/' .. name, body)
end

local API = "local mp = require 'moonprobe' "
local getppid = API .. "local getppid = mp.probe('syscall', { only_number = 110 }) "
-- Two milliseconds of CPU time for every event.
local slow = getppid .. [[
local n = 0
getppid:each(function() n = n + 1 local t = os.clock() while os.clock() - t < 0.002 do end end)
mp.finally(function() mp.row('finally', n) end)
]]
local script = folder .. '/script.lua'

--- Runs a script with -w under shell steps; `save FILE` replaces it by a file of the folder.
local function watched(first, steps, options)
  file('script.lua', first)
  file('steps', ('dir=%s\nsave() { cp $dir/$1 $dir/next; mv $dir/next $dir/script.lua; }\n'):format(folder) .. steps)
  return tap.moonprobe(("run -w -f json %s -c 'sh %s/steps' %s"):format(options or '', folder, script))
end

--- Lines on stderr are one message each, with nothing a terminal obeys.
local function clean(text)
  for line in text:gmatch('[^\n]+') do
    if not line:find('^moonprobe: [^%z\1-\31\127]*$') then return false end
  end
  return true
end

local run, sum

-- The active version ends while a candidate loads: the restart must not start a second one.
file('loads.lua', API .. [[local t = os.clock() while os.clock() - t < 1.2 do end
mp.probe('process_exec'):each(function(e) mp.row('second', e.comm) end)]])
run = watched(API .. "mp.probe('process_exec'):each(function(e) if e.comm == 'true' then os.exit(3) end end)", [[
children() { wc -w < /proc/$PPID/task/$PPID/children; }
until_children() { i=0; while [ $(children) -ne $1 ] && [ $i -lt 500 ]; do sleep 0.02; i=$((i + 1)); done; }
sleep 0.3; save loads.lua; until_children 3
/bin/true; until_children 2
sleep 0.3; children > $dir/children
sleep 3]])
tap.is(tap.slurp(folder .. '/children'):match('%d+'), '2', 'an end while the next version loads: one worker, and the command')
tap.is((run.err:gsub('[^\n]', '')), '\n', 'and one line, for the end')

-- Both of them load for ever so long and declare at the same moment: the host crashed.
local crashed
for _ = 1, 8 do
  file('declares.lua', API .. "for i = 1, 30 do mp.probe('syscall', { only_number = 300 + i }):count() end\n"
    .. ('while mp.now() < %.2f do end'):format(os.time() + 2))
  run = watched(API .. "mp.probe('process_exec'):count() mp.after('700ms', function() os.exit(3) end)",
    'sleep 0.5; save declares.lua; sleep 2')
  if run.status ~= 0 then crashed = run break end
end
tap.ok(not crashed, 'the host survives it', crashed)

-- A restart keeps the probes: nothing is uncounted, nothing is read as something else.
-- (The ring can hold all of them, however long a restart takes on this machine.)
local paced, rate = 40000, 20000
if tap.slow then paced, rate = 8000, 2000 end
run = tap.undisturbed(('run --ring 4M -f json -c %s %s'):format(tap.quote(('%s pace %d %d'):format(tap.workload, paced, rate)),
  file('once.lua', getppid .. "local n = 0 getppid:each(function() n = n + 1 end) if mp.now() < " .. os.time() + 2 ..
    " then mp.after('700ms', function() os.exit(3) end) end")))
sum = tap.summary(run)
tap.ok(sum and sum.events == paced, 'what happens between two workers is counted', sum)
tap.ok(sum and sum.lost == 0 and sum.received == sum.events, 'and not lost while the ring has room', sum)

file('execs.lua', API .. "mp.probe('process_exec'):each(function(e) mp.row('exec', e.comm) end)")
run = watched(getppid .. 'local n = 0 getppid:each(function() n = n + 1 if n == 100 then os.exit(3) end end)', ([[
sleep 0.3; %s syscall 150 & cp $dir/execs.lua $dir/next; sleep 0.06; mv $dir/next $dir/script.lua; sleep 1]]):format(tap.workload))
tap.is(tap.matching(run.rows, '^%["exec",""%]$'), 0, "one probe's records are never another probe's events")

-- The same script again, with several knobs: the links stay, nothing is lost.
watched(getppid:gsub('110', '110, min_ns = 0, failed_only = 0, quota = 0') .. ' getppid:count()', ([[
links() { cat /proc/$PPID/fdinfo/* 2>/dev/null | grep '^link_id' | sort; }
sleep 0.3; links > $dir/before
for i in 1 2 3 4 5 6 7 8; do echo "-- $i" >> $dir/script.lua; sleep 0.3; done
links > $dir/after]]))
tap.is(tap.slurp(folder .. '/after'), tap.slurp(folder .. '/before'), 'a probe with several knobs stays attached')

-- The end while a version hands over is an end like any other.
file('slow.lua', slow)
run = watched(slow, ('sleep 0.3; %s syscall 600; save slow.lua; sleep 0.3'):format(tap.workload))
tap.ok(run.status == 0 and run.out:find('"finally",60%d') ~= nil, 'an end while a version hands over', run)

-- So is the loss of the version that was to take over.
run = watched(slow, ([[
sleep 0.3; %s syscall 1000; save slow.lua; sleep 0.5
for pid in $(cat /proc/$PPID/task/$PPID/children); do last=$pid; done
kill -9 $last; sleep 3]]):format(tap.workload))
tap.ok(run.out:find('"restarts":0') ~= nil, 'a candidate that dies during the handover costs the active one nothing', run)

-- What is slow is not hung, at the end either.
run = tap.moonprobe(("run -c '%s syscall 2000' %s"):format(tap.workload, folder .. '/slow.lua'))
tap.ok(run.status == 0 and run.out:find('finally  2000') ~= nil, 'a drain of four seconds at the end', run)

-- mp.stop, again and again.
run = tap.moonprobe(("run --ring 4M -c '%s syscall 30000' %s"):format(tap.workload, file('stop.lua', getppid ..
  "local n = 0 getppid:each(function() n = n + 1 if n >= 10 then mp.stop() end end) mp.finally(function() mp.row 'finally' end)")))
tap.ok(run.status == 0 and run.out:find('finally') ~= nil, 'mp.stop in every event', run)

-- timeout(1) and systemd signal everybody.
local counting = file('counting.lua', getppid
  .. "getppid:count() mp.after('1ms', function() mp.row 'started' end) mp.finally(function() mp.row 'finally' end)")
for _, signal in ipairs { 'TERM', 'HUP' } do
  os.remove(folder .. '/rows')
  file('steps', ('%s run -o %s/rows -c "sleep 200" %s & %s trap : %s; kill -%s 0; wait $!; wait'):format(tap.binary, folder,
    counting, tap.wait(('grep -q started %s/rows'):format(folder)), signal, signal))
  run = tap.shell(('setsid sh %s/steps'):format(folder))
  tap.ok(tap.slurp(folder .. '/rows'):find('finally') ~= nil and run.err:find('Terminated') == nil and run.err:find('Hangup') == nil,
    ('SIG%s to the process group ends the run, not the worker'):format(signal), run)
end

-- Output that cannot be written is a failure.
run = tap.moonprobe(("run -o /dev/full -c '%s syscall 100' -e \"probe('syscall'):each(function(e) row(e.pid) end)\""):format(tap.workload))
tap.is(run.status, 1, '-o on a full disk: status')
tap.like(run.err, 'No space left on device', '-o on a full disk: is told')

-- The command finds the signals as the shell left them.
run = tap.moonprobe([[run -q -c "sh -c 'grep SigIgn /proc/self/status'" -e "probe('oom_kill'):count()"]])
tap.is(run.out, tap.shell('grep SigIgn /proc/self/status').out, 'the command of -c does not inherit an ignored SIGPIPE')

-- A knob's number is the knob's number.
for _, number in ipairs { '2^32 + 110', '110.5', '0/0' } do
  run = tap.moonprobe(("run -c '%s syscall 10' -e \"probe('syscall', { only_number = %s }):count()\""):format(tap.workload, number))
  tap.ok(run.status == 2 and run.err:find('only_number') ~= nil, 'a knob refuses ' .. number, run)
end

-- Messages are one line, whoever words them.
file('comm.c', '#include <sys/prctl.h>\n#include <unistd.h>\nint main(void) { prctl(PR_SET_NAME, "\\033[31m\\nx"); '
  .. 'for (int i = 0; i < 100; i++) getppid(); return 0; }')
os.execute(('gcc -o %s/comm %s/comm.c'):format(folder, folder))
run = tap.moonprobe(("run -c %s/comm -e \"probe('syscall', { only_number = 110, quota = 1 }):count('comm')\""):format(folder))
tap.ok(clean(run.err), "a traced program's name in the summary is escaped", run.err)
run = tap.moonprobe(("run -c '%s exec 2' %s"):format(tap.workload, file('lines.lua', API .. "mp.probe('process_exec'):each(function() error('a\\nb') end)")))
tap.ok(clean(run.err), 'an error of two lines is told in one', run.err)
run = tap.moonprobe(("run -c '%s exec 2' %s"):format(tap.workload, file('long.lua', API .. "mp.probe('process_exec'):each(function() error(('x'):rep(70000)) end)")))
tap.ok(clean(run.err) and run.err:find('started again') == nil, 'a very long error costs its event only', run.err)
run = tap.moonprobe("run -c true -e \"for i = 1, 33 do probe('syscall', { only_number = i }):count() end\"")
tap.ok(run.err:find('malformed') == nil and run.err:find('32 probes') ~= nil, '33 probes: the reason', run.err)
run = tap.moonprobe('run -e "os.exit(77)"')
tap.ok(run.status <= 2, 'os.exit when loading: the status is one of ours', run.status)

-- Sources that are no files.
os.remove(folder .. '/rows')
run = tap.shell(("%s run -q -w -o %s/rows -c 'sleep 200' %s & host=$!; %s mkfifo %s/fifo; mv %s/fifo %s; sleep 0.5; kill -TERM $host; "
  .. 'wait $host; echo ended'):format(tap.binary, folder, file('fifo.lua', API .. "mp.after('1ms', function() mp.row 'started' end)"),
  tap.wait(('grep -q started %s/rows'):format(folder)), folder, folder, folder .. '/fifo.lua'))
tap.is(run.out, 'ended\n', 'a script replaced by a FIFO does not stop the host')
run = watched(API .. "mp.probe('process_exec'):count()", 'sleep 0.3; mkdir $dir/empty; rm $dir/script.lua; mv $dir/empty $dir/script.lua; sleep 0.5; rmdir $dir/script.lua')
tap.ok(clean(run.err), 'a script replaced by a directory: one line', run.err)

-- A module is a file of the script's folder, not what a link there points to.
os.execute(('mkdir %s/lib && echo "return 1" > %s.out && ln -s %s.out %s/lib/outside.lua'):format(folder, folder, folder, folder))
run = tap.moonprobe('check ' .. file('lib/script.lua', "require 'outside'"))
tap.like(run.err, 'outside', 'a module that is a link out of the folder is refused')
os.remove(folder .. '.out')

-- Rows of several scripts do not mix within a line.
for _, letter in ipairs { 'A', 'B' } do
  file(letter .. '.lua', getppid .. ("local text = ('%s'):rep(60) getppid:each(function() mp.row(text) end)"):format(letter))
end
run = tap.shell(("%s serve -q --ring 4M -c '%s syscall 30000' %s/A.lua %s/B.lua | { sleep 1; cat; }"):format(tap.binary, tap.workload, folder, folder))
tap.is(#run.rows - tap.matching(run.rows, '^A+$') - tap.matching(run.rows, '^B+$'), 0, 'no line has parts of two scripts')

-- The end comes between two starts: what was counted cannot be shown, and that is said.
file('dies.lua', API .. "mp.probe('process_exec'):count() mp.after('1ms', function() os.exit(3) end)")
file('steps', tap.wait(('[ "$(grep -c "started again" %s/err)" = 3 ]'):format(folder)))
run = tap.shell(('%s run -c "sh %s/steps" %s/dies.lua 2>%s/err; echo $?; cat %s/err'):format(tap.binary, folder, folder, folder, folder))
tap.like(run.out, '^1\n.*the end came before it was started again; what it had counted is not shown', 'an end between two starts is told')

-- A worker that cannot be asked is not alive.
file('deaf.lua', API .. "local ffi = require 'ffi' ffi.cdef 'int close(int);' "
  .. "mp.probe('process_exec'):each(function() ffi.C.close(3) while true do end end)")
file('steps', '/bin/true; ' .. tap.wait(('grep -q "started again" %s/err'):format(folder)))
run = tap.shell(('%s serve --allow ffi -c "sh %s/steps" %s/deaf.lua 2>%s/err; cat %s/err'):format(tap.binary, folder, folder,
  folder, folder), 100)
tap.like(run.out, 'started again', 'an endless loop behind a closed socket is ended')

os.execute('rm -rf ' .. folder)
tap.done()
