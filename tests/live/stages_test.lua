-- SPDX-License-Identifier: Apache-2.0
--- Stages: filters and aggregates that run in the kernel: known counts, the same result as in the
--- worker, swaps under load, carried over a reload and a crash.

local tap = dofile 'tests/tap.lua'

local folder = os.tmpname()
os.remove(folder)
os.execute('mkdir ' .. folder)
local function file(name, body) return tap.spit(folder .. '/' .. name, body) end

local API = "local mp = require 'moonprobe' "

--- Runs a script under a workload; rows of stdout as text.
local function run(body, workload, options)
  return tap.moonprobe(('run -f json %s -c %s %s'):format(options or '', tap.quote(tap.workload .. ' ' .. workload),
    file('script.lua', API .. body)), 170)
end

--- The events that came through the ring.
local function sent(result)
  local sum = tap.summary(result)
  return sum and sum.events
end

-- A filter: what it rejects does not reach the ring; what it lets through does, once.
local result = run("local seen = 0 mp.probe 'syscall' :where(function(e) return e.number == 'getppid' and "
  .. "e.comm == 'workload' end) :each(function() seen = seen + 1 end) mp.finally(function() mp.row(seen) end)",
  'syscall 1000')
tap.is({ result.rows[1], sent(result) }, { '[1000]', 1000 }, 'a filter: exactly what it lets through is sent')

-- The same of syscall_enter, which asks before it looks whose call it is if it may: others' calls,
-- of which there are plenty, neither pass nor count.
os.execute(('%s pace %d 2000 >/dev/null 2>&1 &'):format(tap.workload, tap.slow and 20000 or 8000))
result = run([[
local seen = { 0, 0 }
local function filtered(i, filter)
  mp.probe('syscall_enter', { only_number = i == 1 and -1 or 110 }):where(filter, { kernel = true })
    :each(function() seen[i] = seen[i] + 1 end)
end
filtered(1, function(e) return e.number == 'getppid' end)
filtered(2, function(e) return e.number == 'getppid' and e.pid > 1 and e.tid > 1 end)
local counted = mp.probe('syscall_enter', { only_number = 110, quota = 0 }):count { by = 'number', kernel = true }
mp.finally(function()
  mp.row(seen[1], seen[2], counted:rows()[1].value)
  counted:clear()
end)]], 'syscall 1000')
tap.is(result.rows[1], '[1000,1000,1000]', 'syscall_enter: only the calls of the command')

-- Every kind of aggregate, in the kernel and in the worker (a key that only Lua can make), on the
-- same events: the same result. The values differ from event to event.
local both = [[
local p = mp.probe('syscall', { only_number = 110 })
local function only_lua(e) return 'x' .. e.comm end
local function made(by)
  return {
    p:count { by = by }, p:sum('result', { by = by }), p:min('result', { by = by }), p:max('result', { by = by }),
    p:avg('tid', { by = by }), p:histogram(function(e) return e.tid % 50 / 8 end, { by = by }),
    p:linear_histogram('tid', { by = by, from = 0, to = 4000000, step = 40000 }),
  }
end
local kernel, worker = made 'comm', made(only_lua)
mp.finally(function()
  local json = require 'moonprobe.json'
  for i, one in ipairs(kernel) do
    local a, b = one:rows(), worker[i]:rows()
    mp.row(one.kind.name, #a == 1 and #b == 1 and json.encode(a[1].value) == json.encode(b[1].value))
    kernel[i]:clear() worker[i]:clear()
  end
end)
]]
result = run(both, tap.slow and 'pace 2000 2000' or 'pace 20000 50000')
for i, kind in ipairs { 'count', 'sum', 'min', 'max', 'avg', 'histogram', 'linear_histogram' } do
  tap.is(result.rows[i], ('["%s",true]'):format(kind), kind .. ': the same in the kernel and in the worker')
end

-- Values that change while it runs: a number is stored, text makes new stages.
local plenty = tap.slow and 50 or 1000
result = run([[
local least, name = 2 ^ 31, 'workload'
local seen, all = { 0, 0, 0, 0 }, 0
local phase, since, before = 1, 0, 0 -- events of all and of the phase
local plenty = ]] .. plenty .. [[

local calls = mp.probe('syscall', { only_number = 110 })
calls:where(function(e) return e.comm == name and e.tid + 10 >= least end, { kernel = true })
  :each(function() seen[phase] = seen[phase] + 1 end)
calls:each(function() all = all + 1 end)
local function next_phase() phase, since, before = phase + 1, all, 0 end
mp.every('50ms', function()
  if all - since < plenty then return end
  if phase == 1 then least = 10 next_phase()
  elseif name == 'nobody' and phase == 2 and seen[2] == before then next_phase() -- no more of them come
  elseif phase == 2 and seen[2] > plenty then name = 'nobody' since = all
  elseif phase == 3 then name = 'workload' next_phase()
  elseif phase == 4 and seen[4] > plenty then mp.stop() end
  before = seen[2]
end)
mp.finally(function() for i = 1, 4 do mp.row(i, seen[i]) end end)
]], tap.slow and 'pace 60000 1000' or 'pace 600000 10000')
local function seen(phase) return tonumber((result.rows[phase] or ''):match('^%[%d,(%d+)%]')) or -1 end
tap.ok(seen(1) == 0 and seen(2) > plenty and seen(3) == 0 and seen(4) > plenty,
  'a live number and a text change while it runs', result.out, result.err)

-- A thousand swaps under load: each event is judged by exactly one of the two filters, whoever
-- counts it: the kernel, or the handlers behind the filters.
local swaps, rate = 1000, 500000
local SECONDS, LEAST = 6, 0.2 -- a busy machine is late with its timers
if tap.slow then swaps, rate = 40, 3000 end
result = run(([[
local side, swaps = 'a', 0
local p = mp.probe('syscall', { only_number = 110 })
local a = p:where(function(e) return side == 'a' and e.number == 'getppid' end, { kernel = true }):count()
local b = p:where(function(e) return side == 'b' and e.number == 'getppid' end, { kernel = true }):count()
mp.every('4ms', function()
  if swaps == %d then return end
  side = side == 'a' and 'b' or 'a'
  swaps = swaps + 1
end)
mp.finally(function()
  mp.row((a:rows()[1] or { value = 0 }).value, (b:rows()[1] or { value = 0 }).value, swaps)
end)
]]):format(swaps), ('pace %d %d'):format(rate * SECONDS, rate))
local in_a, in_b, done = (result.rows[1] or ''):match('^%[(%d+),(%d+),(%d+)%]')
in_a, in_b = tonumber(in_a) or 0, tonumber(in_b) or 0
tap.is({ in_a + in_b, (tonumber(done) or 0) >= swaps * LEAST }, { rate * SECONDS, true }, ('%d swaps under load: every event is judged once'):format(swaps))
tap.ok(in_a > 0 and in_b > 0, 'by both', result.out)
local swapped = tonumber(result.out:match('"swaps":{"count":(%d+)')) or 0
tap.ok(swapped >= (tap.slow and 5 or swaps * LEAST), 'the bodies have really been swapped', swapped)

result = run(([[
local side, swaps, a, b = 'a', 0, 0, 0
local p = mp.probe('syscall', { only_number = 110 })
p:where(function(e) return side == 'a' and e.number == 'getppid' end, { kernel = true }):each(function() a = a + 1 end)
p:where(function(e) return side == 'b' and e.number == 'getppid' end, { kernel = true }):each(function() b = b + 1 end)
mp.every('4ms', function()
  if swaps == %d then return end
  side = side == 'a' and 'b' or 'a'
  swaps = swaps + 1
end)
mp.finally(function() mp.row(a, b, swaps) end)
]]):format(swaps), ('pace %d %d'):format(rate * SECONDS, rate), '--ring 16M')
in_a, in_b, done = (result.rows[1] or ''):match('^%[(%d+),(%d+),(%d+)%]')
in_a, in_b = tonumber(in_a) or 0, tonumber(in_b) or 0
local lost = (tap.summary(result) or {}).lost
tap.is({ in_a + in_b + (lost or 0), (tonumber(done) or 0) >= swaps * LEAST }, { rate * SECONDS, true }, -- a busy machine may lose some
  ('%d swaps with handlers: every event reaches exactly one'):format(swaps))

-- Over reloads: the new version's filter takes over from the old one's without a gap, and what
-- the kernel has counted goes on, also when a worker is killed.
local reloads, paced = 20, 5000000
if tap.slow then reloads, paced = 4, 30000 end
local script = folder .. '/reload.lua'
local function version(side)
  return API .. ([[
local n = mp.state('n', { a = 0, b = 0 })
local p = mp.probe('syscall', { only_number = 110 }):where(function(e) return e.comm == 'workload' end)
local side = '%s'
p:where(function(e) return side == 'a' and e.number == 'getppid' end, { kernel = true }):each(function() n.a = n.a + 1 end)
p:where(function(e) return side == 'b' and e.number == 'getppid' end, { kernel = true }):each(function() n.b = n.b + 1 end)
local all = p:count()
mp.finally(function() mp.row(n.a, n.b, all:rows()[1].value) all:clear() end)
]]):format(side)
end
file('reload.lua', version 'a')
file('a.lua', version 'a')
file('b.lua', version 'b')
file('err', '')
file('steps', ([[
dir=%s
told() {
  tries=0
  while [ "$(grep -c "$1" $dir/err)" -lt $2 ]; do
    tries=$((tries + 1)); [ $tries -gt 600 ] && break
    sleep 0.02
  done
}
%s pace %d %d & pid=$!
i=1
while [ $i -le %d ]; do
  [ $((i %% 2)) = 1 ] && cp $dir/b.lua $dir/next || cp $dir/a.lua $dir/next
  mv $dir/next $dir/reload.lua
  told reloaded $i
  i=$((i + 1))
done
wait $pid
]]):format(folder, tap.workload, paced, tap.slow and 3000 or 500000, reloads))
result = tap.shell(('%s run -w -f json --ring 16M -c "sh %s/steps" %s 2>%s/err'):format(tap.binary, folder, script,
  folder), 170)
local one, other, counted = (result.rows[1] or ''):match('^%[(%d+),(%d+),(%d+)%]')
lost = (tap.summary(result) or {}).lost
tap.is({ (tonumber(one) or 0) + (tonumber(other) or 0) + (lost or 0), tonumber(counted) }, { paced, paced },
  ('%d reloads with other filters: every event reaches one handler, and the kernel counts on'):format(reloads))
tap.ok((tonumber(one) or 0) > 0 and (tonumber(other) or 0) > 0, 'of both versions', result.out)

-- What the worker counts for a version in between, and the kernel again after it, is counted once: the
-- version before still waits for the new one to fail, and has maps of the same name.
-- One with other knobs has a probe of its own, with maps of that name, too.
local where = { kernel = "e.comm == 'workload'", worker = "e.comm:upper() == 'WORKLOAD'" }
where.knob = where.kernel
for name, filter in pairs(where) do
  file(name .. '.lua', API .. ([[
local calls = mp.probe('syscall', { only_number = 110, min_ns = %d }):where(function(e) return %s end)
local all = calls:count 'comm'
local handled = mp.state('handled', { n = 0 })
calls:each(function() handled.n = handled.n + 1 end)
mp.finally(function() mp.row(all:rows()[1].value, handled.n) all:clear() end)
]]):format(name == 'knob' and 1 or 0, filter))
end
--- Runs kernel.lua, or `first`, under steps that save others over it or end its worker; again where the kernel
--- skipped programs, as tap.undisturbed does.
local function saved_over(steps, first)
  local last
  for _ = 1, 5 do
    file('err', '')
    file('reload.lua', tap.slurp(folder .. (first or '/kernel.lua')))
    file('steps', ([[
dir=%s workload=%s
save() { cp $dir/$1.lua $dir/next; mv $dir/next $dir/reload.lua; }
told() { while [ "$(grep -c ${2:-reloaded} $dir/err)" -lt $1 ]; do sleep 0.02; done; }
workers() { grep -l moonprobe-work $(sed 's| *$||; s|[0-9]*|/proc/&/comm|g' /proc/$PPID/task/$PPID/children) | cut -d/ -f3; }
]]):format(folder, tap.workload) .. steps)
    last = tap.shell(('%s run -w -f json -c "sh %s/steps" %s 2>%s/err'):format(tap.binary, folder, script, folder), 60)
    if not last.out:find '"recursion":[1-9]' then break end
  end
  return last
end
result = saved_over [[
$workload syscall 100; save worker; told 1
$workload syscall 100; save kernel; told 2
$workload syscall 100; save knob; told 3
$workload syscall 100; save kernel; told 4
$workload syscall 100
]]
tap.is(result.rows[1], '[500,500]', 'to the worker, to another probe, and back: each event is counted once')
result = saved_over [[
$workload pace 3000 1500 & pid=$!
sleep 0.5; save worker; wait $pid; told 1
]]
tap.is({ result.rows[1], result.out:match('"reloads":{"count":(%d+)') }, { '[3000,3000]', '1' },
  'also those that come while the old version still reads what stages of the new one let through')

-- A worker that is killed: what the kernel counts goes on.
file('dies.lua', API .. [[
local all = mp.probe('syscall', { only_number = 110 }):where(function(e) return e.comm == 'workload' end):count()
mp.after('1ms', function() error 'it runs' end)
mp.finally(function() mp.row(all:rows()[1].value) all:clear() end)
]])
local calls, pace = 9000, 3000
if tap.slow then calls, pace = 4500, 1500 end
result = saved_over(([[
told 1 'runs'
$workload pace %d %d & pid=$!
sleep 0.3; kill -9 $(workers); told 2 'runs'; wait $pid
]]):format(calls, pace), '/dies.lua')
tap.is({ result.rows[1], result.out:match '"restarts":(%d+)' }, { ('[%d]'):format(calls), '1' },
  'a worker that dies costs nothing of what the kernel counts')

-- Another probe, and back, while events come. Between two calls of the host both probes are there, some
-- microseconds if it is not interrupted.
result = saved_over(([[
$workload pace %d %d & pid=$!
sleep 0.3; save knob; told 1; sleep 0.3; save kernel; told 2; sleep 0.3; save knob; told 3; wait $pid
]]):format(calls, pace))
local folds, handled = (result.rows[1] or ''):match '^%[(%d+),(%d+)%]'
folds, handled = tonumber(folds) or 0, tonumber(handled) or 0
lost = (tap.summary(result) or {}).lost
tap.ok(folds >= calls and handled >= calls and lost == 0, 'to another probe while events come: none is lost', result)
tap.ok(folds < 1.01 * calls and handled < 1.01 * calls, 'and they are not told by both', result.out)

-- A filter that means what its handler has done is judged where the handler runs.
result = run([[
local seen, n = {}, 0
local p = mp.probe('syscall', { only_number = 110 })
p:where(function(e) return not seen[e.pid] end):each(function(e) seen[e.pid] = true mp.row('once') end)
p:where(function(e) return e.number == 'getppid' and n < 10 end):each(function() n = n + 1 end)
mp.finally(function() mp.row(n) end)
]], 'syscall 1000')
tap.is({ result.rows[1], result.rows[2] }, { '["once"]', '[10]' }, 'what a handler changes is not judged before it')
result = run([[
local started, opened = {}, 0
mp.probe('process_exec'):each(function(e) started[e.pid] = true end)
mp.probe('file_open'):where(function(e) return started[e.pid] end):each(function() opened = opened + 1 end)
mp.finally(function() mp.row(opened) end)
]], 'open 7 /dev/null')
tap.is(result.rows[1], '[7]', 'nor by the handler of another probe')
result = tap.moonprobe(('run -c %s %s'):format(tap.quote(tap.workload .. ' syscall 50'), file('script.lua', API .. [[
local n = 0
local row = mp.columns { { 'n', format = function() n = n + 1 return '' .. n end } }
mp.probe('syscall', { only_number = 110 }):where(function() return n < 10 end):each(function(e) row(e.pid) end)
]])))
tap.is({ #result.rows, result.rows[11] }, { 11, '10' }, 'nor by the format of a column') -- text, and a heading
result = run([[
local lists, keep, n = { seen = {} }, {}, 0
local p = mp.probe('syscall', { only_number = 110 })
p:where(function(e) return not lists.seen[e.pid] end):each(function(e)
  for _, list in pairs(lists) do list[e.pid] = true end
  mp.row('once')
end)
p:where(function(e) return e.number == 'getppid' and n < 10 end):each(function()
  keep.count = function() n = n + 1 end
  keep.count()
end)
mp.finally(function() mp.row(n) end)
]], 'syscall 1000')
tap.is({ result.rows[1], result.rows[2] }, { '["once"]', '[10]' }, 'nor through another table, or by a closure')

-- Full maps: what is not counted is told.
result = run([[
local p = mp.probe('syscall_enter')
p:where(function(e) return e.number == 'getppid' end, { kernel = true })
  :count { by = function(e) return e.cpu end, max_keys = 1, kernel = true }
mp.probe('syscall', { only_number = 110 }):count { by = 'latency_ns', max_keys = 3, kernel = true, name = 'narrow' }
]], 'syscall 3000')
local kept, refused = 0, tonumber(result.out:match('"aggregate":"narrow","not_counted":(%d+)'))
for value in result.out:gmatch('"aggregate":"narrow","latency_ns":%d+,"value":(%d+)') do kept = kept + value end
tap.ok(refused and refused > 0 and kept + refused == 3000, 'a full map: what is not counted is told', result.out)

-- Intervals: what is printed and cleared sums up to all, under load.
result = run("mp.probe('syscall', { only_number = 110 }):count('comm'):every('50ms')",
  tap.slow and 'pace 3000 3000' or 'pace 600000 400000')
local summed = 0
for value in result.out:gmatch('"comm":"workload","value":(%d+)') do summed = summed + value end
tap.is(summed, tap.slow and 3000 or 600000, 'intervals lose nothing between reading and clearing')

-- What cannot run in the kernel says so, when it must.
result = run("mp.probe('syscall'):where(function(e) return (e.comm .. 'x') == 'x' end, { kernel = true }):each(print)", 'syscall 1')
tap.like(result.err, 'script.lua:1: cannot run in the kernel: joining text', 'kernel = true: an error with the line')
tap.is(result.status, 2, 'and exit status 2')

os.execute('rm -rf ' .. folder)
tap.done()
