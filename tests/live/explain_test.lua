-- SPDX-License-Identifier: Apache-2.0
--- explain: what runs where and why, in text and JSON, and what it costs.

local json = dofile 'tests/json.lua'
local tap = dofile 'tests/tap.lua'

local folder = os.tmpname()
os.remove(folder)
os.execute('mkdir -p ' .. folder .. '/stdlib/stage')
local function file(name, text) return tap.spit(folder .. '/' .. name, text) end

local script = file('known.lua', [[
local mp = require 'moonprobe'
local opt = mp.options { over = mp.number(0, 'ns') }
local names = { workload = true }
local calls = mp.probe('syscall'):where(function(e) return e.latency_ns > opt.over end)
calls:where(function(e) return names[e.comm] end):count('comm', 'number')
calls:where(function(e)
  return e.comm:find('w.*d')
end):each(function(e) mp.row(e.comm) end)
calls:sum('latency_ns', { by = function(e) return e.comm:upper() end })
print 'not to be seen'
]])

--- The functions of the script by line and kind, as 'kernel' or 'worker'.
local expected = { ['filter 4'] = 'kernel', ['filter 5'] = 'kernel', ['count 5'] = 'kernel', ['filter 6'] = 'worker',
  ['each 8'] = 'worker', ['sum 9'] = 'worker' }

-- Text.
local run = tap.moonprobe('explain ' .. script)
tap.ok(run.status == 0 and run.err == '', 'a script is explained, quietly', run)
tap.is(run.rows[1], 'syscall', 'text: the probe')
local found = {}
for where, what, line in run.out:gmatch('\n  (%l+) +(%l+)[^\n]-known%.lua:(%d+)') do found[what .. ' ' .. line] = where end
tap.is(found, expected, 'text: every function, its place, and where it runs')
tap.like(run.out, '\n  hook +tp_btf/sys_enter +%d+ instructions', 'text: the hooks of this kernel')
tap.like(run.out, '\n  hook +tp_btf/sys_exit +%d+ instructions', 'text: all of them')
tap.like(run.out, 'count by comm, number', 'text: keys')
tap.like(run.out, 'sum latency_ns by line 9', 'text: field, and a function as key')
tap.like(run.out, 'line 7: patterns; plain text, .- will do', 'text: what forced it, its line, and what to write')
tap.like(run.out, '\n  live +opt.over = 0', 'text: live numbers')
tap.like(run.out, '\n  built in +names = a table', 'text: what is built in')
tap.ok(not run.out:find('r6 = r1') and not run.out:find('not to be seen'), 'text: no instructions, no rows', run.out)

-- The instructions.
run = tap.moonprobe('explain -v ' .. script)
tap.like(run.out, 'stage +early, %d+ instructions:\n +0: r6 = r1\n', '-v: the early stage')
tap.like(run.out, 'stage +late, %d+ instructions:\n +0: r6 = r1\n', '-v: the late stage')
tap.like(run.out, '; ' .. folder:gsub('%p', '%%%0') .. '/known.lua:5\n', '-v: where they come from')

-- JSON.
run = tap.moonprobe('explain -f json -v ' .. script .. ' --over 7')
local ok, of = pcall(json.decode, run.rows[1] or '')
if tap.ok(ok and #run.rows == 1 and run.status == 0, 'JSON: an object for the one probe', run) then
  found = {}
  for _, one in ipairs(of.functions) do found[one.what .. ' ' .. one.place:match('%d+$')] = one.runs end
  tap.is({ of.probe, of.tried, found }, { 'syscall', true, expected }, 'JSON: every function')
  tap.is({ #of.hooks, of.hooks[1].section }, { 2, 'tp_btf/sys_enter' }, 'JSON: hooks')
  tap.is({ #of.stages, of.stages[1].stage, #of.stages[1].listing > 3 }, { 2, 'early', true }, 'JSON: instructions')
  tap.is(of.outside, { { live = false, name = 'names', value = 'table' }, { live = true, name = 'opt.over', value = 7 } },
    'JSON: what is used from outside')
end

-- Costs.
local many = tap.slow and 5000 or 100000
local workload = ("-c '%s syscall %d'"):format(tap.workload, many)
run = tap.moonprobe(('explain --measure 30s --ring 16M -f json %s %s'):format(workload, script))
ok, of = pcall(json.decode, run.rows[1] or '')
if tap.ok(ok and run.status == 0 and #run.rows == 3, 'measured: probe, worker, summary, no rows', run) then
  local runs, cost = 0, {}
  for _, one in ipairs(of.hooks) do runs = runs + (one.runs > 0 and one.ns > 0 and one.runs or 0) end
  tap.ok(runs >= 2 * many, 'measured: both programs ran for each call', of.hooks)
  for _, one in ipairs(of.functions) do cost[one.what .. ' ' .. one.place:match('%d+$')] = one end
  local sum = cost['sum 9']
  tap.ok(sum.calls >= many and sum.ns_per_call > 0 and sum.ns_per_call < (tap.slow and 1e6 or 50000), 'measured: a function in the worker', sum)
  tap.is({ cost['each 8'].calls, cost['filter 6'].calls }, { sum.calls, sum.calls }, 'measured: all see the same events')
  tap.is(cost['count 5'].calls, 0, 'measured: the kernel leaves the worker nothing to count')
  local worker, sum_up = json.decode(run.rows[2]), tap.summary(run)
  tap.ok(worker.cpu_percent > 0 and worker.events == sum_up.received, 'measured: the worker as a whole', run.rows)
end
run = tap.moonprobe(('explain --measure 30s %s %s'):format(workload, script))
tap.like(run.out, 'hook +tp_btf/sys_exit +[%d,]+ runs +%d+ ns each, [%d.]+ %% of a CPU', 'measured, text: a program')
tap.like(run.out, '[%d,]+ calls, %d+ ns each', 'measured, text: a function')
tap.like(run.err, 'known.lua: %d+ events, %d+ lost', 'measured, text: the summary')
run = tap.moonprobe("explain --measure 200ms -e " .. tap.quote("probe 'oom_kill':each(function(e) end)"))
tap.ok(run.status == 0 and run.out:find('not called') ~= nil, '--measure ends by itself', run)

-- Every tool.
for _, name in ipairs { 'biolatency', 'execsnoop', 'opensnoop', 'runqlat', 'syscount', 'tcplife' } do
  run = tap.moonprobe('explain ' .. name)
  tap.ok(run.status == 0 and run.err == '' and run.out:find('\n  hook ') ~= nil, name .. ' is explained', run)
end

-- A stage that the verifier refuses: it takes for granted that a key has found room.
local folding, changed = tap.slurp('stdlib/stage/folding.lua'):gsub("code:jump_if%('ne', 0, 0, made%)", 'code:jump(made)')
tap.is(changed, 1, 'a translator with a bug')
file('stdlib/stage/folding.lua', folding)
run = tap.moonprobe(('explain -I %s %s'):format(folder, script))
tap.ok(run.status == 0 and run.err:find('the kernel refused the late stage') and not run.err:find('moonprobe explain')
  and run.out:find('refused +probe syscall: .*known%.lua:%d+: the kernel refused') and not run.out:find('\n  kernel ') ~= nil,
  'the verifier\'s refusal is told', run)
local insisting = file('insist.lua', [[
local mp = require 'moonprobe'
mp.probe('syscall'):where{ function(e) return e.pid > 1 end, kernel = true }:count 'comm'
]])
for _, command in ipairs { 'explain', "run -c 'true'" } do
  run = tap.moonprobe(('%s -I %s %s'):format(command, folder, insisting))
  local _, lines = run.err:gsub('\n', '\n')
  tap.ok(run.status == 2 and lines == 1 and run.err:find('the script wants it in the kernel') ~= nil,
    command .. ': kernel = true takes no refusal', run)
end
tap.is(tap.moonprobe('explain ' .. insisting).status, 0, 'kernel = true, and it can')

-- What must run in the kernel and cannot.
local function must(text, pattern, name)
  local path = file('must.lua', "local mp = require 'moonprobe'\n" .. text)
  for _, command in ipairs { 'check', 'explain', "run -c 'true'" } do
    run = tap.moonprobe(('%s %s'):format(command, path))
    local _, lines = run.err:gsub('\n', '\n')
    tap.ok(run.status == 2 and run.out == '' and lines == 1
      and run.err:find('must%.lua:' .. pattern) ~= nil, command .. ': ' .. name, run, pattern)
  end
end
must("mp.probe('syscall')\n  :where(function(e) return e.comm:find('w.*') end, { kernel = true })\n  :count()",
  '3: cannot run in the kernel: patterns', 'where(f, { kernel = true })')
must("mp.probe('syscall'):where{ function(e) return (e.comm .. 'x') == 'ax' end, kernel = true }:count()",
  '2: cannot run in the kernel: joining text', 'where{ f, kernel = true }')
must("\nmp.probe('syscall'):count{ by = function(e) return e.comm:upper() end, kernel = true }",
  '3: cannot run in the kernel: ', 'count{ kernel = true }')
must("\nmp.probe('syscall'):count{ by = function(e) return e.args end, kernel = true }",
  '3: cannot run in the kernel: ', 'a field that is no key')

-- Mistakes of the command line.
local function mistake(arguments, pattern, name)
  run = tap.moonprobe('explain ' .. arguments)
  local _, lines = run.err:gsub('\n', '\n')
  tap.ok(run.status == 2 and run.out == '' and lines == 1 and run.err:find(pattern) ~= nil, 'mistake: ' .. name, run)
end
mistake('', 'no script given', 'no script')
mistake('execsnop', "no tool named 'execsnop'", 'misspelt tool')
mistake('--frobnicate execsnoop', 'unknown option %-%-frobnicate', 'unknown option')
mistake('--measure 5 execsnoop', 'not a time', 'a time without unit')
mistake('-c true execsnoop', '%-c is for %-%-measure', '-c without --measure')
mistake("-e 'probe \"syscal\"'", "did you mean 'syscall'", 'unknown probe')
tap.like(tap.moonprobe('explain --help').out, '^usage: moonprobe explain', '--help')
tap.like(tap.moonprobe('explain execsnoop --help').out, '^usage: moonprobe run', '--help of the script')
tap.like(tap.moonprobe("explain -e 'print(1)'").out, '^%-e: uses no probe\n$', 'a script without probes')

-- Without privileges, without BTF: what can be told without the kernel.
local function untried(prefix, binary, pattern, name)
  run = tap.shell(prefix .. binary .. ' explain ' .. script)
  tap.ok(run.status == 0 and run.err:find(pattern) and run.out:find('^syscall  not tried on this kernel\n')
    and run.out:find('\n  kernel +filter +[^\n]*known.lua:4') ~= nil, name .. ': the translation is told', run)
end
local as_nobody = 'setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all '
if tap.shell(as_nobody .. 'true').status == 0 then
  os.execute(('cp %s %s/moonprobe; chmod 755 %s %s/moonprobe'):format(tap.binary, folder, folder, folder))
  untried(as_nobody, folder .. '/moonprobe', 'CAP_BPF and CAP_PERFMON missing.*not tried', 'no privileges')
  run = tap.shell(as_nobody .. folder .. '/moonprobe explain --measure 1s ' .. script)
  tap.ok(run.status == 2 and run.out == '' and run.err:find('CAP_BPF') ~= nil, 'no privileges: nothing is measured', run)
else
  tap.skip('without privileges', 'setpriv is missing')
end
local hidden = "unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf && "
if tap.shell(hidden .. "true'").status == 0 then
  run = tap.shell(("%s%s explain %s'"):format(hidden, tap.binary, script))
  tap.ok(run.status == 0 and run.err:find('no BTF') and run.out:find('not tried on this kernel') ~= nil, 'no BTF', run)
else
  tap.skip('a kernel without BTF', 'no mount namespace can be made here')
end

os.execute('rm -r ' .. folder)
tap.done()
