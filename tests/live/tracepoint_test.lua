-- SPDX-License-Identifier: Apache-2.0
--- Tracepoints by category and name: known counts, the fields of their records, the arguments of system calls.

local tap = dofile 'tests/tap.lua'
local run, each = dofile 'tests/generic_run.lua'(tap)

local scratch = os.tmpname()

local function probe(name, where, fields)
  local parts = {}
  for i, field in ipairs(fields) do parts[i] = 'e.' .. field end
  return ("probe('tracepoint:%s')%s:each(function(e) print(%s) end)"):format(name,
    where and (':where(function(e) return %s end)'):format(where) or '', table.concat(parts, ', '))
end

-- Fields of records: integers, text of a fixed length and text that lies elsewhere in the record.
each(probe('sched:sched_process_exec', "e.args.old_pid == e.pid and e.args.pid == e.pid",
  { 'comm', "args.filename:match('[^/]+$')" }), 'exec 5', 6, 'workload\tworkload', 'execs: integers, dynamic text')
each(probe('sched:sched_process_fork', 'e.args.parent_pid == e.pid and e.args.child_pid ~= e.pid',
  { 'args.parent_comm', 'args.child_comm' }), 'fork 5', 5, 'workload\tworkload', 'forks: text of any place')
each(probe('sched:sched_process_exit', nil, { 'args.comm', 'args.pid == e.tid' }), 'fork 5', 6, 'workload\ttrue',
  'exits: text of a fixed length')
local rows = run(probe('sched:sched_switch', "e.args.prev_state == 1 and e.args.prev_comm == 'workload'",
  { 'args.prev_pid == e.tid' }), 'sleep 5 20')
tap.ok(tap.matching(rows, '^true$') >= 5, 'switches: filtered by text and a number in the kernel', rows)

-- Numbers that the kernel prints by name, addresses, arrays. (What connect(2) does itself: that it is answered
-- another process may be told, whom the packet interrupts.)
each(probe('sock:inet_sock_set_state', "e.args.oldstate == 'close' and e.args.newstate == 'syn_sent'",
  { 'args.family', 'args.protocol', 'args.saddr_v6', 'args.daddr[0]', 'args.daddr[3]' }), 'tcp 5', 5,
  'inet\ttcp\t127.0.0.1\t127\t1', 'sockets: states by name')
each(probe('signal:signal_generate', "e.args.sig == 'SIGUSR1'", { 'args.sig', 'args.errno', 'args.comm' }), 'signal 5', 5,
  'SIGUSR1\tnil\tworkload', 'signals by name')
each(probe('raw_syscalls:sys_enter', 'e.args.id == 110', { 'args.id', 'args.args[5] ~= nil' }), 'syscall 5', 5, '110\ttrue',
  'an array')
each("probe('tracepoint:sock:inet_sock_set_state'):where(function(e) return e.args.newstate == 'syn_sent' end)"
  .. ":each(function(e) print(table.concat(e.args.daddr, '.')) end)", 'tcp 5', 5, '127.0.0.1', 'an array as a whole')

-- System calls by name.
each(probe('syscalls:sys_enter_openat', nil, { 'args.__syscall_nr', 'args.dfd', 'args.filename', 'args.flags',
  'args.mode' }), 'open 5 ' .. scratch, 5, 'openat\t-100\t' .. scratch .. '\tO_RDONLY|O_CLOEXEC\t0000',
  'openat: text of the program, flags and mode')
each(probe('syscalls:sys_enter_openat', 'bit.band(e.args.flags_bits, 0x241) == 0x241', { 'args.flags', 'args.mode',
  'args.mode_bits' }), 'write 1 10 ' .. scratch, 1, 'O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC\t0600\t384',
  'openat: the number of the flags in a filter')
each(probe('syscalls:sys_exit_openat', 'e.args.ret == -2', { 'args.ret', 'args.__syscall_nr' }), 'open-missing 5', 5,
  '-2\topenat', 'openat: results')
each(probe('syscalls:sys_enter_write', nil, { 'args.fd > 2', 'args.count' }), 'write 5 1000 ' .. scratch, 5, 'true\t1000',
  'write: numbers')
each(probe('syscalls:sys_enter_kill', nil, { 'args.pid == e.pid', 'args.sig' }), 'kill-self 9', 1, 'true\tSIGKILL',
  'kill: the signal')
each(probe('syscalls:sys_enter_socket', "e.args.family == 'AF_INET'", { 'args.type' }), 'tcp 5', 6,
  'SOCK_STREAM|SOCK_CLOEXEC', 'socket: family and type')
each(probe('syscalls:sys_enter_connect', nil, { 'args.uservaddr.sa_family', 'args.addrlen' }), 'tcp 5', 5, '2\t16',
  "connect: a struct in the program's memory")
each(probe('syscalls:sys_enter_execve', "e.args.argv[0] == 'workload'", { 'args.argv[1]', 'args.argv[2]',
  "args.argv[3] == ''" }), 'exec 5', 5, 'exit\t0\ttrue', "execve: text by pointers in the program's memory")
rows = run("probe('tracepoint:syscalls:sys_enter_execve'):count('args.argv.0', 'args.argv[1]')", 'exec 5')
tap.is(rows[1], '{"aggregate":"tracepoint:syscalls:sys_enter_execve count by args.argv[0], args.argv[1]",'
  .. '"args.argv[0]":"workload","args.argv[1]":"exit","value":5}', 'elements are keys')
rows = run("probe('tracepoint:syscalls:sys_enter_openat'):count('args.filename', 'args.flags')", 'open 7 ' .. scratch)
tap.ok(tap.matching(rows, '"args.flags":"O_RDONLY|O_CLOEXEC","value":7') == 1, 'flags are keys', rows)

-- A value that is built into the filter changes: there are new stages, which read the same.
local later = run([[local name, sleeps = 'nobody', 0
  mp.after('200ms', function() name = 'workload' end)
  probe('tracepoint:syscalls:sys_enter_clock_nanosleep')
    :where(function(e) return e.comm == name and e.args.rqtp.tv_nsec == 20e6 end, { kernel = true })
    :each(function(e) sleeps = sleeps + 1 end)
  mp.finally(function() print(sleeps > 0 and sleeps < 50) end)]], 'sleep 50 20')
tap.is(later, { 'true' }, 'a filter of a system call that changes')

-- Many: each event says where it is from; what all records have can be read.
each(probe('syscalls:sys_enter_getppi[d]', nil, { 'place' }), 'syscall 5', 5, 'sys_enter_getppid', 'a wildcard')
rows = run("probe('tracepoint:sched:sched_process_*'):count('place')", 'fork 5')
tap.ok(tap.matching(rows, '"place":"sched_process_fork","value":5') == 1
  and tap.matching(rows, '"place":"sched_process_exit","value":6') == 1, 'a wildcard: places are keys', rows)
rows = run("probe('tracepoint:s[cy]*:sys_exit_getppid'):each(function(e) print(e.place, e.args.ret > 0) end)", 'syscall 5')
tap.is(rows[5], 'syscalls:sys_exit_getppid\ttrue', 'categories may be many')

-- Stacks. (Of a system call older kernels give that of the program only.)
rows = run("probe('tracepoint:sched:sched_process_fork'):count('kstack')", 'fork 5')
tap.ok(tap.matching(rows, 'kernel_clone.*"value":5') == 1, 'stacks are keys', rows)

-- The hook, and what is wrong with a name.
tap.like(tap.moonprobe("explain -e \"probe('tracepoint:sched:sched_switch'):count()\"").out, 'hook%s+tp%s', 'explain')
tap.like(tap.moonprobe("explain -e \"probe('tracepoint:syscalls:sys_enter_execve'):where(function(e) return "
  .. "e.args.argv[1] == 'x' end):count('args.argv.0')\"").out, 'kernel%s+filter.*kernel%s+count by args.argv%[0%]',
  'explain: elements are read in the kernel')
for name, message in pairs {
  ['shced:sched_switch'] = "no category shced of tracepoints; did you mean 'sched'%?",
  ['sched:sched_swich'] = "no tracepoint sched_swich in sched; did you mean 'sched_switch'%?",
  ['sched_switch'] = 'a tracepoint is CATEGORY:NAME, as tracepoint:sched:sched_switch',
  ['sched:nothing_*'] = 'no tracepoint nothing_%* in sched',
} do
  local result = tap.moonprobe(("run -c true -e \"probe('tracepoint:%s'):count()\""):format(name))
  tap.ok(result.status ~= 0 and result.err:find(message), name, result.err)
end
local wrong = tap.moonprobe("run -c true -e \"probe('tracepoint:sched:sched_switch'):each(function(e) print(e.args.pid) end)\"")
tap.like(wrong.err, "args has no 'pid'; sched_switch has prev_comm, prev_pid", 'fields that are not there')
wrong = tap.moonprobe("run -c true -e \"probe('tracepoint:sock:inet_sock_set_state'):count('args.saddr[4]')\"")
tap.like(wrong.err, '^moonprobe: %-e:1: args.saddr has 4 elements, %[0%] to %[3%], and no %[4%]\n$',
  'elements that are not there')

-- Letting go of all system calls takes the kernel half a minute, and nobody waits for it. (The last test: who
-- attaches to a tracepoint meanwhile does wait.)
local started = os.time()
local all = tap.moonprobe(("run -f json -c '%s syscall 5' -e %s"):format(tap.workload, tap.quote(
  "probe('tracepoint:syscalls:sys_enter_*'):where(function(e) return e.args.__syscall_nr == 'getppid' end)"
  .. ":each(function(e) print(e.place) end)")))
tap.is({ all.status, all.rows[1], tap.summary(all).failed }, { 0, 'sys_enter_getppid', 0 }, 'all system calls')
tap.ok(os.time() - started < 10, 'all system calls: the end is quick', os.time() - started)

os.remove(scratch)
tap.done()
