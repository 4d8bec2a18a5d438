-- SPDX-License-Identifier: Apache-2.0
--- Record and replay: what was recorded of a known workload gives the rows that the same scripts
--- print live; without privileges; the same bytes every time; whatever happens to the file.

local tap = dofile 'tests/tap.lua'
local json = dofile 'tests/json.lua'

local N = tap.slow and 2000 or 50000

local folder = os.tmpname()
os.remove(folder)
os.execute(('mkdir %s && chmod 755 %s'):format(folder, folder))
local function path(name) return folder .. '/' .. name end

local function record(name, workload, script)
  return tap.undisturbed(('record -o %s -f json -c %s %s'):format(path(name), tap.quote(tap.workload .. ' ' .. workload), script))
end

local function replay(name, script, options)
  return tap.moonprobe(('replay %s %s %s'):format(options or '', path(name), script))
end

--- Rows without what differs between two runs of a workload.
local function comparable(run)
  local rows = {}
  for _, line in ipairs(run.rows) do
    local row = json.decode(line)
    if not row.summary then
      for _, name in ipairs { 'time', 'pid', 'tid', 'ppid', 'seconds', 'age', 'latency_us' } do row[name] = nil end
      rows[#rows + 1] = tap.show(row)
    end
  end
  table.sort(rows)
  return rows
end

-- Tools: live, and on a recording of the same workload.
for _, case in ipairs {
  { 'execsnoop', 'exec 23' },
  { 'exitsnoop', 'fork 23' },
  { 'opensnoop', 'open 23 /dev/null' },
  { 'opensnoop', 'open-missing 23', '-x' },
} do
  local tool, workload, options = case[1], case[2], case[3] or ''
  local script = tool .. ' ' .. options
  local live = tap.undisturbed(('run -f json -c %s %s'):format(tap.quote(tap.workload .. ' ' .. workload), script))
  local made = record('tool.rec', workload, script)
  local sum = tap.summary(made)
  tap.ok(made.status == 0 and sum and sum.lost == 0 and sum.events == sum.received and sum.events >= 23,
    workload .. ': recorded, nothing lost', made)
  local again = replay('tool.rec', script, '-f json')
  tap.is(again.status, 0, script .. ': replayed')
  tap.is(comparable(again), comparable(live), script .. ': the rows of the live run')
  tap.is(tap.summary(again), sum, script .. ': the summary of the recording')
end

-- Filters, folds, timers, options and state, on many events.
local script = tap.spit(path 'many.lua', [[
local mp = require 'moonprobe'
local opt = mp.options { ticks = mp.flag('t', 'show the clock') }
local calls = mp.probe('syscall', { only_number = 110 })
calls:where(function(e) return e.number == 'getppid' end):count('comm'):every('20ms', { keep = true })
calls:histogram('latency_ns')
calls:where(function(e) return e.pid % 2 == 0 end, { kernel = true }):count('pid')
local seen, n, last, backwards = {}, 0, 0, 0
calls:each(function(e)
  n = n + 1
  seen['pid' .. e.pid] = true
  local now = mp.now()
  if now < last or math.abs(now - e.time) > 0.01 then backwards = backwards + 1 end
  last = now
end)
if opt.ticks then mp.every('10ms', function() mp.row('tick', mp.now(), os.time(), os.date(), n) end) end
mp.finally(function()
  for name in pairs(seen) do mp.row(name) end
  mp.row('finally', n, backwards, mp.completeness().events, mp.completeness().lost, math.random())
end)
]])
local made = record('many.rec', 'syscall ' .. N, script)
local sum = tap.summary(made)
tap.is({ made.status, sum and sum.events }, { 0, N }, 'all events counted')
local function replayed(options, arguments)
  return replay('many.rec', script .. ' ' .. (arguments or ''), options)
end
local first, second = replayed('', '-t'), replayed('', '-t')
tap.is({ first.status, second.status }, { 0, 0 }, 'replayed twice')
tap.ok(first.out == second.out and first.err == second.err and #first.out > 0, 'the same bytes', first, second)
tap.like(first.out, ('finally  %d  0  %d  %d  '):format(sum.received, N, sum.lost), 'every event, in its time')
tap.ok(tap.matching(first.rows, '^tick') >= 1, 'timers fire between events', first)
tap.is(tap.matching(first.rows, '^workload +' .. sum.received .. '$') >= 1, true, 'a filter and a count')

-- Without privileges.
local nobody = 'setpriv --reuid 65534 --regid 65534 --clear-groups '
if tap.shell(nobody .. 'cat ' .. script).status == 0 then
  local copy = path 'moonprobe'
  os.execute(('cp %s %s && chmod 755 %s && chmod 644 %s'):format(tap.binary, copy, copy, path 'many.rec'))
  local alone = tap.shell(('cd / && %s %s replay %s %s -t'):format(nobody, copy, path 'many.rec', script))
  tap.is({ alone.status, alone.out == first.out, alone.err }, { 0, true, first.err }, 'nobody replays the same bytes')
else
  tap.skip('nobody replays', 'no setpriv')
end

-- In real time, the same.
tap.is(replayed('--speed 20', '-t').out, first.out, '--speed: the same bytes')

-- What is lost on purpose is told, and is the same for the same seed.
local lossy = replayed '-q --inject loss=10%,burst=5,reorder=1ms --seed 7'
tap.like(lossy.err, 'injected: %d+ of %d+ events lost; completeness: the script says (0%.%d+), the truth is %1', 'injected loss')
local lost, all = lossy.err:match 'injected: (%d+) of (%d+)'
tap.ok(all and lost / all > 0.05 and lost / all < 0.15, 'about as much as was asked', lost, all)
tap.is(replayed('-q --inject loss=10%,burst=5,reorder=1ms --seed 7').out, lossy.out, 'the same seed, the same events')
tap.ok(replayed('-q --inject loss=10%,burst=5,reorder=1ms --seed 8').out ~= lossy.out, 'another seed, others')

-- show.
local shown = tap.moonprobe(('show -f json -n 5 %s'):format(path 'many.rec'))
local head, last = json.decode(shown.rows[1] or '{}'), json.decode(shown.rows[#shown.rows] or '{}')
tap.is({ shown.status, #shown.rows, shown.err }, { 0, 7, '' }, 'show -n 5')
tap.is(head.recording and head.recording.probes[1].knobs.only_number, 110, 'show: knobs')
tap.is({ last.probe, last.recorded }, { 'syscall', sum.received }, 'show: counts')
local event = json.decode(shown.rows[2])
tap.is(event.number, 'getppid', 'show: an event')
tap.ok(event.time > head.recording.started - 1e-6, 'the clock starts before the command', event.time, head.recording.started)
tap.like(tap.moonprobe('show -n 0 ' .. path 'many.rec').out, '\nsyscall: %d+ events recorded, %d+ lost\n$', 'show: text')

-- Elements of typed fields have the same names in a recording as in a script.
local of_argv = tap.spit(path 'elements.lua', [[
local mp = require 'moonprobe'
local execs = mp.probe 'tracepoint:syscalls:sys_enter_execve':where(function(e) return e.args.argv[0] == 'workload' end)
execs:each(function(e) mp.row(e.args.argv[1], e.args.argv[2]) end)
execs:count('args.argv.1', 'args.argv[2]')
]])
local elements = tap.undisturbed(('run -c %s %s'):format(tap.quote(tap.workload .. ' exec 5'), of_argv))
made = tap.undisturbed(('record -o %s -c %s %s'):format(path 'elements.rec', tap.quote(tap.workload .. ' exec 5'), of_argv))
tap.is({ made.status, #elements.rows, elements.rows[5], replay('elements.rec', of_argv).out },
  { 0, 7, 'exit  0', elements.out }, 'a replay reads the elements that were recorded')

-- --probe, and a script for a probe that is not there.
made = tap.moonprobe(('record -o %s -c %s --probe process_exec --probe process_exit'):format(path 'two.rec',
  tap.quote(tap.workload .. ' exec 3')))
tap.is(made.status, 0, '--probe')
local execs = replay('two.rec', 'execsnoop -f json', '-q')
tap.is(execs.status, 2, 'options of the engine come first')
execs = replay('two.rec', "", "-q -e \"probe 'process_exec':count()\"")
tap.is({ execs.status, execs.out:match '%d+' }, { 0, '4' }, 'another script, on a part of the probes')
local function one_line(run, pattern, name, status)
  tap.is({ run.status, #run.err:gsub('[^\n]', '') }, { status or 2, 1 }, name .. ': status and one line')
  tap.like(run.err, pattern, name)
end
one_line(replay('two.rec', 'tcplife'), "two.rec has no probe 'tcp_close'; it has process_exec, process_exit", 'no such probe')
one_line(replay('none.rec', 'execsnoop'), 'none.rec: No such file', 'no file')
one_line(tap.moonprobe 'replay tests/tap.lua execsnoop', 'tests/tap.lua: is no recording of moonprobe', 'not a recording')
one_line(tap.moonprobe 'replay /dev/null execsnoop', '/dev/null: is no recording of moonprobe', 'an empty file')
one_line(replay('two.rec', 'execsnoop', '--inject los=1%'), "no 'los'; there are loss, burst and reorder", 'bad --inject')
one_line(replay('two.rec', 'execsnoop', '--speed x'), '%-%-speed x: not a number', 'bad --speed')
local before = tap.slurp(path 'two.rec')
one_line(tap.moonprobe(('record -o %s --probe nope'):format(path 'two.rec')), "no probe named 'nope'", 'no such probe to record')
tap.ok(tap.slurp(path 'two.rec') == before, 'what was recorded before is still there')
one_line(tap.moonprobe 'record execsnoop', '%-o FILE says where to', 'no -o')
one_line(tap.moonprobe('record -o /nonexistent/x execsnoop'), '/nonexistent/x: No such file', 'a folder that is not there')

-- Cut and damaged files.
local bytes = tap.slurp(path 'many.rec')
tap.spit(path 'cut.rec', bytes:sub(1, #bytes - 1))
local cut = replay('cut.rec', script)
tap.is(cut.status, 0, 'cut: replayed')
tap.like(cut.err, 'cut.rec: is cut off in the block at byte %d+; replayed up to there', 'cut: told where')
tap.like(cut.out, ('finally  %d  0  '):format(sum.received), 'cut: what is there is used')
cut = tap.moonprobe('show -n 3 ' .. path 'cut.rec')
tap.is(cut.status, 0, 'cut: shown')
tap.like(cut.err, '^moonprobe: [^\n]*cut.rec: is cut off in the block at byte %d+; shown up to there\n$', 'cut: show says what it did')
tap.spit(path 'cut.rec', bytes:sub(1, math.floor(#bytes / 2)))
tap.is(replay('cut.rec', script).status, 0, 'cut in the middle')
one_line((function()
  tap.spit(path 'cut.rec', bytes:sub(1, 100))
  return replay('cut.rec', script)
end)(), 'is cut off in its head', 'cut in its head')
local middle = math.floor(#bytes / 2)
tap.spit(path 'bad.rec', bytes:sub(1, middle) .. string.char((bytes:byte(middle + 1) + 1) % 256) .. bytes:sub(middle + 2))
local bad = replay('bad.rec', script)
tap.is(bad.status, 1, 'damaged: status')
tap.like(bad.err, 'bad.rec: is damaged in the block at byte %d+; replayed up to there', 'damaged: told where')
tap.like(bad.out, 'finally', 'damaged: the end of the script is run')
tap.spit(path 'other.rec', bytes:sub(1, 4):reverse() .. bytes:sub(5))
one_line(replay('other.rec', script), 'made on a machine of the other byte order', 'other byte order')

-- One event at a time: a line for each step; q ends; at the end of the input it goes on.
local function stepped(lines)
  local run = tap.shell(("printf '%s' | %s replay -q --step %s execsnoop"):format(lines, tap.binary, path 'steps.rec'))
  return #run.rows, run.status
end
tap.moonprobe(('record -q -o %s -c %s execsnoop'):format(path 'steps.rec', tap.quote(tap.workload .. ' exec 5')))
tap.is({ stepped('q\\n') }, { 1, 0 }, '--step: one event, then q')
tap.is({ stepped('\\n2\\nq\\n') }, { 4, 0 }, 'a line is a step, a number so many')
tap.is({ stepped('\\n') }, { 6, 0 }, 'the end of the input: all the rest')

one_line(tap.moonprobe(('record -o %s --probe process_exec execsnoop'):format(path 'none.rec')),
  "no probe named 'execsnoop'", 'names behind a probe are probes')
one_line(tap.moonprobe(('record -o %s --probe process_exec execsnoop -q'):format(path 'none.rec')),
  'options come before', 'an option behind the names')
made = tap.moonprobe(('record -o %s -c %s --probe process_exec process_exit rawtracepoint:sched_process_exec'):format(
  path 'three.rec', tap.quote(tap.workload .. ' exec 3')))
execs = replay('three.rec', '', "-q -e \"probe 'rawtracepoint:sched_process_exec':count()\"")
tap.is({ made.status, execs.status, execs.out:match '%d+' }, { 0, 0, '4' }, '--probe with many names, one of them generic')
for _, both in ipairs { "--probe process_exec -e 'x = 1'", "-e 'x = 1' --probe process_exec" } do
  one_line(tap.moonprobe(('record -o %s %s'):format(path 'none.rec', both)), 'a script or %-%-probe, not both', 'both: ' .. both)
end

-- A mistake leaves what was there: no file, or the recording that was.
tap.spit(path 'no interpreter', '#!/nonexistent/interpreter\n')
os.execute(("chmod 755 '%s'"):format(path 'no interpreter'))
for _, mistaken in ipairs { '--probe proces_exec', "-e 'probe \"proces_exec\"'", "-e 'x ='", '-c /nonexistent/command execsnoop',
  ("-c \"'%s'\" --probe process_exec"):format(path 'no interpreter') } do
  local command = ('record -o %s %s'):format(path 'none.rec', mistaken)
  local none = tap.moonprobe(command)
  tap.is({ none.status, (io.open(path 'none.rec')) }, { 2 }, 'no file: ' .. mistaken)
  tap.spit(path 'none.rec', 'was there')
  none = tap.moonprobe(command)
  tap.is({ none.status, tap.slurp(path 'none.rec') }, { 2, 'was there' }, 'the file is kept: ' .. mistaken)
  os.remove(path 'none.rec')
end
tap.spit(path 'none.rec', '')
tap.is(tap.moonprobe(('record -o %s --probe proces_exec'):format(path 'none.rec')).status, 2, 'an empty file was there')
tap.is(tap.slurp(path 'none.rec'), '', 'and is kept')

-- A full disk, and a recorder that is killed.
local full = tap.moonprobe(('record -o /dev/full -c %s execsnoop'):format(tap.quote(tap.workload .. ' exec 2')))
tap.ok(full.status == 1 and full.err:find 'cannot be written: No space left', 'a full disk', full)
local killed = tap.shell(('%s record -o %s -c %s %s & pid=$!; %s sleep 1.5; kill -KILL $pid; wait $pid'):format(
  tap.binary, path 'killed.rec', tap.quote(tap.workload .. ' pace 1000000 1000'), script,
  tap.wait(('[ $(wc -c <%s) -gt 3000 ]'):format(path 'killed.rec'))))
tap.is(killed.status, 137, 'killed')
local rest = replay('killed.rec', script)
tap.is(rest.status, 0, 'what a killed recorder has written is replayed')
tap.ok((tonumber(rest.out:match 'finally  (%d+)') or 0) >= (tap.slow and 1 or 500), 'up to a second before', rest.err, rest.out:sub(-300))

os.execute('rm -r ' .. folder)
tap.done()
