-- SPDX-License-Identifier: Apache-2.0
--- Stacks: of a program whose calls are known (tests/targets/chain.c), of the kernel below a known
--- system call, and those that are lost.

local tap = dofile 'tests/tap.lua'
local json = dofile 'tests/json.lua'

local CHAIN = 'build/tests/targets/chain'
local EXEC = 'rawtracepoint:sched_process_exec'

--- The rows of a run with -f json, decoded, and the run.
local function run(code, command, options)
  local result = tap.undisturbed(('run -f json %s -c %s -e %s'):format(options or '', tap.quote(command),
    tap.quote(code)), 120)
  local rows = {}
  for _, line in ipairs(result.rows) do
    local ok, row = pcall(json.decode, line)
    if ok and not row.summary then rows[#rows + 1] = row end
  end
  tap.ok(result.status == 0 and result.err == '', ('%s: %s'):format(command, (code:gsub('%s+', ' '))), result)
  return rows, result
end

--- The functions of a stack of the program: without offsets, and without those of the C library, which
--- begins it.
local function names_of(frames)
  local names = {}
  for _, frame in ipairs(frames) do names[#names + 1] = frame:match '^([%w_]+)%+%d+ %[chain%]$' end
  return table.concat(names, ' ')
end

--- { [names] = value }
local function by_names(rows)
  local counts = {}
  for _, row in ipairs(rows) do
    local names = names_of(row.ustack or row.key1)
    counts[names] = (counts[names] or 0) + row.value
  end
  return counts
end

-- Where calls return to. The program has ended long before anything is printed.
local calls = { ['chain_middle chain_outer main'] = 50, ['chain_outer main'] = 30 }
local probe = ("probe('uretprobe:%s:chain_leaf')"):format(CHAIN)
local rows = run(probe .. ":count('ustack', 'comm')", CHAIN .. ' 50 30')
tap.is(by_names(rows), calls, 'by the stack, in the kernel')
tap.ok(#rows == 2 and rows[1].comm == 'chain', 'two rows', rows)
local first = rows[1].ustack[1]
rows = run(probe .. ":where(function(e) return tostring(e.pid) ~= '' end):count('ustack')", CHAIN .. ' 50 30')
tap.is(by_names(rows), calls, 'by the stack, in the worker')
tap.is(rows[1].ustack[1], first, 'which reads the same')
rows = run(probe .. ':count(function(e) return e.ustack end)', CHAIN .. ' 50 30')
tap.is(by_names(rows), calls, 'by what a function gives')
rows = run(probe .. [[:each(function(e) row(e.ustack) end)]], CHAIN .. ' 2 1')
tap.is({ #rows, names_of(rows[1][1]), names_of(rows[3][1]) },
  { 3, 'chain_middle chain_outer main', 'chain_outer main' }, 'as a value')
rows = run("local seen, last, same = {}, nil, 0 " .. probe .. [[:each(function(e)
  seen[e.ustack] = true
  same, last = same + (e.ustack == last and 1 or 0), e.ustack
end) finally(function()
  local count = 0
  for _ in pairs(seen) do count = count + 1 end
  row(count, same, last:folded(), last:frames()[1].name, #last:lines() == #last:frames())
end)]], CHAIN .. ' 50 30')
tap.is({ rows[1][1], rows[1][2], rows[1][4], rows[1][5] }, { 2, 78, 'chain_outer', true },
  'equal stacks are equal, its parts')
tap.like(rows[1][3], 'main;chain_outer$', 'folded')

-- At the entry: before 6.11 the kernel does not see the caller of a function that has no frame yet
-- (cfa7f3d2c526, "perf,x86: avoid missing caller address in stack traces captured in uprobe").
rows = run(("probe('uprobe:%s:chain_leaf'):count('ustack')"):format(CHAIN), CHAIN .. ' 50 30')
local counts = by_names(rows)
tap.is({ counts['chain_leaf chain_middle chain_outer main'] or counts['chain_leaf chain_outer main'],
  counts['chain_leaf chain_outer main'] ~= 50 and counts['chain_leaf chain_outer main'] or counts['chain_leaf main'] },
  { 50, 30 }, 'at the entry')
tap.is(rows[1].ustack[1], 'chain_leaf+0 [chain]', 'with its place')

-- Several processes of one program: the same stack, at other addresses.
rows = run(probe .. ":count('ustack')", ("sh -c '%s 5; %s 5; %s 5'"):format(CHAIN, CHAIN, CHAIN))
tap.is(by_names(rows), { ['chain_middle chain_outer main'] = 15 }, 'of three processes')
tap.is(#rows, 1, 'is one row')

-- The kernel's.
rows = run(("probe('%s'):count('kstack')"):format(EXEC), tap.workload .. ' exec 5')
local sum, called, ours = 0, 0, 0
for _, row in ipairs(rows) do
  local text = table.concat(row.kstack, '\n')
  sum = sum + row.value
  if text:find 'sys_execve' then called = called + row.value end
  if text:find 'bpf_' or text:find 'unknown' then ours = ours + 1 end
end
tap.is({ sum, called, ours }, { 6, 6, 0 }, 'execve, 6 times, and nothing of ours')
rows = run(("probe('%s'):each(function(e) row(e.kstack) end)"):format(EXEC), tap.workload .. ' exec 5')
tap.ok(#rows == 6 and table.concat(rows[1][1], '\n'):find 'sys_execve', 'as a value', rows)

-- As perf's tracepoints see it.
rows = run("probe('tracepoint:sched:sched_process_exec'):count('kstack')", tap.workload .. ' exec 5')
called = 0
for _, row in ipairs(rows) do
  if table.concat(row.kstack, '\n'):find 'sys_execve' then called = called + row.value end
end
tap.is(called, 6, 'a tracepoint')

-- By each hook that this kernel has for a function: the trampoline, many at once, the return.
for _, probe_name in ipairs { 'kprobe:tcp_v4_connect', 'kprobe:tcp_v[4]_connect', 'kretprobe:tcp_v4_connect',
  'kretprobe:tcp_v[4]_connect', 'fentry:tcp_v4_connect', 'fexit:tcp_v4_connect' } do
  local explained = tap.moonprobe('explain -e ' .. tap.quote(("probe('%s'):count()"):format(probe_name)))
  if explained.status ~= 0 then
    tap.skip(probe_name, 'this kernel has no hook for it')
  else
    rows = run(("probe('%s'):count('kstack', 'ustack')"):format(probe_name), tap.workload .. ' tcp 5')
    local connects, at_function, foreign = 0, 0, 0
    for _, row in ipairs(rows) do
      local frames = table.concat(row.kstack, '\n')
      if frames:find 'sys_connect' then connects = connects + row.value end
      if frames:find '^tcp_v4_connect%+' then at_function = at_function + row.value end
      if frames:find 'bpf_' or frames:find 'unknown' then foreign = foreign + 1 end
    end
    tap.is({ connects, foreign }, { 5, 0 }, probe_name .. ': by the system call')
    if not probe_name:find 'ret' then tap.is(at_function, 5, probe_name .. ': from the function on') end
  end
end

-- Samples: where it was, by name, and how it came there.
rows = run("local mp = require 'moonprobe' probe('profile:199'):where(function(e) return not e.in_kernel end)"
  .. ":each(function(e) row(e.ustack, mp.resolve(e.ip, e.pid), e.kstack.lost) end)", CHAIN .. ' spin 500')
local inside, own, named = 0, 0, 0
for _, row in ipairs(rows) do
  if names_of(row[1]):find 'chain_spin main$' then inside = inside + 1 end
  if row[1][1]:find '%[chain%]$' then own = own + 1 end
  if row[2] == row[1][1] and row[3] == 'no stack' then named = named + 1 end
end
tap.ok(inside > 3 and inside >= 0.8 * own, 'it spins', rows) -- beside what starts it
tap.is(named, #rows, 'ip is where the stack begins')

-- Names and addresses.
rows = run("local mp = require 'moonprobe' local at = mp.resolve 'vfs_read' "
  .. "row(mp.resolve(at), mp.resolve(at + 1), (mp.resolve 'no_such_function_xyz'), (mp.resolve(5)), mp.resolve 'vfs_read' == at)"
  .. " probe('interval:1s'):count()", tap.workload .. ' sleep 1 1')
tap.is({ rows[1][1], rows[1][2], rows[1][3], rows[1][4], rows[1][5] },
  { 'vfs_read+0', 'vfs_read+1', json.null, json.null, true }, 'resolve')

-- Room for 16 stacks only: what finds none is counted, apart from the others.
local code = "probe('rawtracepoint:sys_enter'):count{ name = 'all' } probe('rawtracepoint:sys_enter'):count{ name = 'stacks', by = 'ustack' }"
rows = run(code, 'ls -l /', '--stacks 16')
local all, split, lost, nameless = 0, 0, 0, 0
for _, row in ipairs(rows) do
  if row.aggregate == 'all' then
    all = row.value
  else
    split = split + row.value
    if row.ustack[1]:find 'without names' then nameless = nameless + 1 end
    if row.ustack[1]:find '^%[stack lost: .*%-%-stacks%]$' then lost = lost + row.value end
  end
end
tap.ok(all > 30 and split == all and lost > 0 and nameless == 0, 'stacks are lost and counted', rows)

-- What a worker may ask: numbers that are no stacks are told to be none; other questions end it.
local asking = "local host = require 'moonprobe.host' local mp = require 'moonprobe' "
  .. "mp.probe 'rawtracepoint:sched_process_exec':each(function(e) return e.kstack, e.ustack end) mp.after('1ms', function() %s mp.stop() end)"
local function ask(question)
  return tap.moonprobe(('run -q --allow stdlib -c %s -e %s'):format(tap.quote(tap.workload .. ' sleep 1 60000'),
    tap.quote(asking:format(question))))
end
local numbers = '0, 1, 16383, 16385, 0xfff000, 0xfff001, 0xffffff, 0x1000000, 2^46, 2^47'
for _, kind in ipairs { 'kernel', 'user' } do
  local result = ask(("local r = host.ask('stacks', '%s', %s) mp.row(#r > 10, r[2], r[#r])"):format(kind, numbers))
  tap.is({ result.status, result.out:match 'true' }, { 0, 'true' }, kind .. ': no such stacks')
end
tap.is(ask "mp.row(#host.ask('resolve', 99999999, 'ffff'), #host.ask('resolve', 0, '1'), #host.ask('find', 'x y'))".out,
  '1  1  1\n', 'nothing is known of them')
for _, question in ipairs { "'stacks'", "'stacks', 'other'", "'stacks', 'kernel', -1", "'stacks', 'kernel', 0.5", "'stacks', 'kernel', 0/0",
  "'stacks', 'kernel', 2^48", "'stacks', 'kernel', 'x'", "'stacks', 5", "'resolve'", "'resolve', 0", "'resolve', 0, 5",
  "'resolve', -1, 'f'", "'resolve', 0, 'fx'", "'resolve', 0, ''", "'find'", "'find', 5" } do
  local result = ask(('host.ask(%s)'):format(question))
  tap.ok(result.err:find 'malformed', 'ends: ' .. question, result)
end
local flood = ask "for i = 1, 1000 do host.ask('stacks', 'kernel', 1) end"
tap.ok(flood.err:find 'flooded its host with questions', 'too many questions', flood)

-- In a recording, for another machine.
local file, script = os.tmpname(), os.tmpname()
tap.spit(script, ("require('moonprobe').probe('uretprobe:%s:chain_leaf'):count('ustack', 'kstack')\n"):format(CHAIN))
local recorded = tap.moonprobe(('record -o %s -c "%s 50 30" %s'):format(file, CHAIN, script))
local replayed = tap.moonprobe(('replay -q -f json %s %s'):format(file, script))
rows = {}
for _, line in ipairs(replayed.rows) do
  local row = json.decode(line)
  if not row.summary then rows[#rows + 1] = row end
end
tap.is(by_names(rows), calls, 'replayed', recorded, replayed)
os.remove(file)
os.remove(script)

-- Text.
local text = tap.moonprobe(('run -q -c "%s 5" -e %s'):format(CHAIN, tap.quote(probe .. ":count('ustack')"))).out
tap.like(text, '^  chain_middle%+%d+ %[chain%]\n  chain_outer%+%d+ %[chain%]\n  main%+%d+ %[chain%]\n', 'as text')
tap.like(text, '\n +5\n$', 'the value below it')

tap.done()
