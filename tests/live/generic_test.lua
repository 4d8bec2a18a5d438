-- SPDX-License-Identifier: Apache-2.0
--- Generic probes: every family with a known count and values known from elsewhere, through whatever
--- hook this kernel has for it. Where it has none, the error says so.

local tap = dofile 'tests/tap.lua'
local run, each = dofile 'tests/generic_run.lua'(tap)

--- Whether this kernel has what a probe needs; a skip with its reason when not.
local function has(probe, names)
  local result = tap.moonprobe('explain -e ' .. tap.quote(("probe('%s'):count()"):format(probe)))
  local why = result.err:match 'this kernel has no [^;\n]*' or result.err:match 'this kernel allows no [^\n]*'
  if why then
    for _, name in ipairs(names) do tap.skip(name, why) end
  end
  return not why, result
end

-- Raw tracepoints: arguments by name and type, through pointers, as text.
each("probe('rawtracepoint:sched_process_exec'):each(function(e) print(e.comm, e.args.p.tgid == e.pid, "
  .. "e.args.bprm.filename == e.args.bprm.interp, e.args.old_pid == e.arg1) end)", 'exec 5', 6,
  'workload\ttrue\ttrue\ttrue', 'rawtracepoint: 6 execs, the task of each')
each("probe('rawtracepoint:sched_process_exec'):where(function(e) return e.args.p.group_leader.tgid == e.pid and "
  .. "e.args.bprm.filename:find('workload', 1, true) ~= nil end):each(function(e) print(e.args.p.comm) end)",
  'exec 5', 6, 'workload', 'rawtracepoint: filtered by what pointers lead to')
each("probe('rawtracepoint:sched_process_exec'):where(function(e) return e.args.bprm.buf[1] == 69 end)"
  .. ":each(function(e) print(e.args.p.thread_pid.numbers[0].nr == e.pid, e.args.bprm.buf[3]) end)", 'exec 5', 6,
  'true\t70', 'rawtracepoint: elements of an array, and of one without an end')
local rows = run("probe('rawtracepoint:sched_process_exec'):count('args.p.comm', 'args.p.tgid'):every('10s')", 'exec 5')
tap.is(tap.matching(rows, '"args.p.comm":"workload"'), 6, 'rawtracepoint: typed fields are keys')

-- Kernel functions.
local names = { 'kprobe: 5 calls, the address family', 'kprobe: filtered in the kernel', 'kprobe: a wildcard names its places',
  'kretprobe: 5 returns, with arguments and latency', 'kretprobe: a wildcard', 'kretprobe: entry = 0' }
if has('kprobe:tcp_connect', names) then
  each("probe('kprobe:tcp_connect'):each(function(e) print(e.comm, e.args.sk.__sk_common.skc_family) end)", 'tcp 5', 5,
    'workload\t2', names[1])
  each("probe('kprobe:tcp_connect', { quota = 0 }):where(function(e) return e.args.sk.__sk_common.skc_dport > 1023 end)"
    .. ":where(function(e) return e.args.sk.__sk_common.skc_family == 2 end):each(function() print 'one' end)",
    'tcp 5', 5, 'one', names[2])
  rows = run("probe('kprobe:tcp_v4_c*nnect'):each(function(e) print(e.place) end)", 'tcp 5')
  tap.is(rows, { 'tcp_v4_connect', 'tcp_v4_connect', 'tcp_v4_connect', 'tcp_v4_connect', 'tcp_v4_connect' }, names[3])
  each("probe('kretprobe:tcp_v4_connect'):each(function(e) print(e.ret, e.retval, e.latency_ns > 0, "
    .. "e.args.sk.__sk_common.skc_family, e.args.addr_len) end)", 'tcp 5', 5, '0\t0\ttrue\t2\t16', names[4])
  each("probe('kretprobe:tcp_v[4]_connect'):each(function(e) print(e.place, e.retval, e.latency_ns > 0) end)", 'tcp 5', 5,
    'tcp_v4_connect\t0\ttrue', names[5])
  each("probe('kretprobe:tcp_v4_connect', { entry = 0 }):each(function(e) print(e.retval, e.latency_ns) end)", 'tcp 5', 5,
    '0\t0', names[6])
end

names = { 'fentry: 5 calls', 'fexit: 5 returns, typed', 'explain: a trampoline is the cheapest' }
if has('fentry:tcp_connect', names) then
  each("probe('fentry:tcp_connect'):each(function(e) print(e.args.sk.__sk_common.skc_family) end)", 'tcp 5', 5, '2', names[1])
  each("probe('fexit:tcp_v4_connect'):each(function(e) print(e.ret, e.latency_ns > 0, e.args.addr_len) end)", 'tcp 5', 5,
    '0\ttrue\t16', names[2])
  local explained = tap.moonprobe('explain -e ' .. tap.quote "probe('kprobe:tcp_connect'):count()")
  tap.like(explained.out, 'hook +fentry', names[3])
end

-- Mistakes: one line, before anything is attached.
for _, case in ipairs {
  { "probe('kprobe:tcp_conect'):count()", "tcp_conect.*tcp_connect", 'a misspelt function' },
  { "probe('kprobe'):count()", "as 'kprobe:TARGET'", 'no target' },
  { "probe('kprob:x'):count()", "kprob", 'an unknown family' },
  { "probe('rawtracepoint:sched_process_exec'):each(function(e) return e.args.p.tgdi end)", "did you mean 'tgid'",
    'a misspelt member' },
  { "probe('rawtracepoint:sched_process_exec'):each(function(e) return e.args.pp end)", "it has|has p,", 'a misspelt argument' },
  { "probe('profile:0'):count()", 'profile:99', 'no such frequency' },
  { "probe('interval:1'):count()", 'interval:1s', 'no such time' },
  { "probe('uprobe:/nowhere:main'):count()", 'nowhere', 'no such file' },
} do
  local result = tap.moonprobe('run -e ' .. tap.quote(case[1]))
  local found = false
  for pattern in case[2]:gmatch '[^|]+' do found = found or result.err:find(pattern) ~= nil end
  tap.ok(result.status ~= 0 and found and select(2, result.err:gsub('\n', '')) == 1, 'a mistake: ' .. case[3], result)
end

-- Security hooks look on.
names = { 'lsm: 5 opens that stay allowed' }
if has('lsm:file_open', names) then
  each("probe('lsm:file_open'):where(function(e) return e.args.file.f_path.dentry.d_name.name == 'null' end)"
    .. ":each(function(e) print(e.comm) end)", 'open 5 /dev/null', 5, 'workload', names[1])
end

-- Snapshots: once, and the script ends by itself.
local function of_sleep(code)
  return tap.shell(('sleep 1000 & %s run -f json -p $! -e %s; status=$?; kill $!; exit $status'):format(tap.binary,
    tap.quote(code)))
end
local snapshot = of_sleep [[
  probe('iter:task'):where(function(e) return e.args.task.tgid == e.args.task.pid end)
    :each(function(e) print(e.args.task.comm, e.pid) end)]]
tap.is({ snapshot.status, snapshot.rows[1], #snapshot.rows }, { 0, 'sleep\t0', 2 },
  'iter: with -p one task of all, and the script ends by itself')
local mine = of_sleep "probe('iter:task_file'):count('args.task.tgid'):every('10s')"
tap.is(tap.matching(mine.rows, '"args.task.tgid":%d+'), 1, 'iter: with -p the files of one process only')
tap.like(of_sleep "probe('iter:bpf_map_elem'):count()".err, 'walks through one map or cgroup, and which one cannot be said',
  'iter: of the entries of one map')

-- Counters.
rows = run("probe('software:page-faults:1'):count()", 'exec 5')
local faults = tonumber((table.concat(rows):match '"value":(%d+)'))
tap.ok(faults and faults > 100, 'software: page faults of six programs', rows)
if has('hardware:cycles', { 'hardware: cycles of what works' }) then
  rows = run("probe('hardware:cycles'):count()", 'spin 200')
  local cycles = tonumber((table.concat(rows):match '"value":(%d+)'))
  tap.ok(cycles and cycles > 10, 'hardware: cycles of what works', rows)
end

-- Clocks.
-- An emulated kernel finds 997 a second too expensive and lowers it (perf_event_max_sample_rate).
rows = run("probe('profile:99'):count('comm')", tap.slow and 'spin 5000' or 'spin 1000')
local count = tonumber((table.concat(rows):match '"value":(%d+)'))
tap.ok(count and count > 30, 'profile: samples of what works', rows)
rows = run("probe('interval:1ms'):each(function(e) print(e.cpu) end)", 'spin 300')
tap.ok(#rows == 0 or tap.matching(rows, '^0$') == #rows, 'interval: on the first CPU only', rows)

tap.done()
