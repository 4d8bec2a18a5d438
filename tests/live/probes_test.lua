-- SPDX-License-Identifier: Apache-2.0
--- Every probe sees exactly what a workload does: known counts, right values.

local tap = dofile 'tests/tap.lua'

local scratch = os.tmpname()

--- Runs the workload under a probe; the fields of each event as a list of strings, and the
--- run. Checks that nothing was lost on the way.
local function events(probe, fields, workload, knobs)
  local reads = {}
  for i, field in ipairs(fields) do reads[i] = ('tostring(e.%s)'):format(field) end
  local code = ("probe('%s', {%s}):each(function(e) print(%s) end)"):format(probe, knobs or '',
    table.concat(reads, ', '))
  local run = tap.undisturbed(('run -f json -c %s -e %s'):format(
    tap.quote(tap.workload .. ' ' .. workload), tap.quote(code)))
  local rows = {}
  for _, line in ipairs(run.rows) do
    if not line:find('^{"summary"') then
      local row, i = {}, 0
      for value in (line .. '\t'):gmatch('(.-)\t') do
        i = i + 1
        row[fields[i]] = value
      end
      rows[#rows + 1] = row
    end
  end
  local sum = tap.summary(run)
  tap.ok(run.status == 0 and sum and sum.lost == 0 and sum.failed == 0 and sum.events == sum.received
    and sum.received == #rows, ('%s, %s: nothing lost'):format(probe, workload), run, sum)
  return rows, run
end

local function count(rows, wanted)
  local found = 0
  for _, row in ipairs(rows) do
    local same = true
    for field, value in pairs(wanted) do same = same and row[field] == value end
    if same then found = found + 1 end
  end
  return found
end

local function all(rows, test)
  for _, row in ipairs(rows) do if not test(row) then return false end end
  return #rows > 0
end

-- Processes.
local rows = events('process_exec', { 'comm', 'error', 'args', 'parent_pid', 'pid' }, 'exec 23')
tap.is(#rows, 24, 'process_exec: the workload and 23 execs')
tap.is(count(rows, { comm = 'workload', error = 'nil' }), 24, 'process_exec: names and no error')
tap.like(rows[1].args, 'workload exec 23$', 'process_exec: arguments')
tap.is(count(rows, { parent_pid = rows[1].pid }), 23, 'process_exec: the parent')

rows = events('process_exec', { 'args_cut' }, 'exec 1 ' .. ('x'):rep(1100))
tap.is({ rows[1].args_cut, rows[2].args_cut }, { 'true', 'false' }, 'process_exec: arguments that do not fit')

rows = events('process_exec', { 'error', 'file' }, 'exec-fail 23', 'failed = 1')
tap.is(count(rows, { error = 'ENOENT' }), 23, 'process_exec: failed = 1 shows failed calls')

rows = events('process_exit', { 'exit_code', 'signal' }, 'exit 7')
tap.is(rows, { { exit_code = '7', signal = 'nil' } }, 'process_exit: exit code')
rows = events('process_exit', { 'exit_code', 'signal' }, 'kill-self 9')
tap.is(rows, { { exit_code = '0', signal = 'SIGKILL' } }, 'process_exit: signal')
rows = events('process_exit', { 'run_ns' }, 'sleep 1 50')
tap.ok(#rows == 1 and tonumber(rows[1].run_ns) >= 50e6, 'process_exit: run time', rows)
tap.is(#(events('process_exit', { 'is_thread' }, 'threads 5')), 1, 'process_exit: once per process')
tap.is(count(events('process_exit', { 'is_thread' }, 'threads 5', 'threads = 1'), { is_thread = 'true' }), 5,
  'process_exit: threads = 1 shows each thread')

tap.is(#(events('process_fork', { 'child_pid' }, 'fork 23')), 23, 'process_fork: 23 children')
tap.is(count(events('process_fork', { 'is_thread' }, 'threads 5', 'threads = 1'), { is_thread = 'true' }), 5,
  'process_fork: threads = 1 shows threads')

-- Files.
rows = events('file_open', { 'path', 'result', 'flags', 'uid' }, 'open 23 ' .. scratch)
tap.is(count(rows, { path = scratch, uid = '0' }), 23, 'file_open: 23 opens of the path')
tap.ok(all(rows, function(row) return tonumber(row.result) >= 0 end), 'file_open: descriptors')
rows = events('file_open', { 'result' }, 'open-missing 23', 'failed_only = 1')
tap.is(count(rows, { result = '-2' }), 23, 'file_open: 23 times ENOENT')

local name = scratch:match('[^/]+$')
rows = events('file_io', { 'operation', 'bytes', 'name', 'result' }, 'write 23 1000 ' .. scratch)
tap.is(count(rows, { operation = 'write', bytes = '1000', name = name, result = '1000' }), 23,
  'file_io: 23 writes')
rows = events('file_io', { 'operation', 'bytes', 'name' }, 'read 23 1000 ' .. scratch)
tap.is(count(rows, { operation = 'read', bytes = '1000', name = name }), 23, 'file_io: 23 reads')

rows = events('file_stat', { 'call', 'path', 'result', 'dirfd', 'flags', 'uid' }, 'stat 23 ' .. scratch)
tap.is(count(rows, { call = 'fstatat', path = scratch, result = '0', dirfd = '-100', flags = '256', uid = '0' }), 23,
  'file_stat: 23 times fstatat with its flags')
tap.is(count(rows, { call = 'statfs', path = scratch, dirfd = '-100', flags = '0' }), 23, 'file_stat: 23 times statfs')
rows = events('file_stat', { 'result' }, 'stat 3 /dev/null , stat-missing 23', 'failed_only = 1')
tap.is(rows, (function()
  local wanted = {}
  for i = 1, 23 do wanted[i] = { result = '-2' } end
  return wanted
end)(), 'file_stat: failed_only shows 23 times ENOENT')
local longest = ('/'):rep(255 - #scratch) .. scratch
rows = events('file_stat', { 'path' }, ('stat 1 %s , stat 1 /%s'):format(longest, longest))
tap.is(count(rows, { path = longest }), #rows / 2, 'file_stat: a path that just fits')
tap.is(count(rows, { path = '/' .. longest:sub(1, -2) }), #rows / 2, 'file_stat: one that does not')

rows = events('file_sync', { 'call', 'name', 'bytes', 'flags', 'result' }, 'sync 5 ' .. scratch)
tap.is(count(rows, { call = 'sync_file_range', name = name, bytes = '4096', flags = '2', result = '0' }), 5,
  'file_sync: 5 times sync_file_range with its arguments')
tap.is(#(events('file_sync', { 'call' }, 'sync-wrong 5', 'min_ns = 1000000000')), 0, 'file_sync: min_ns')

rows = events('mount_call', { 'call', 'type', 'target', 'flags', 'data', 'result' }, 'mount 5 /tmp')
tap.is(count(rows, { call = 'mount', type = 'tmpfs', target = '/tmp', flags = '6', data = 'size=64k', result = '0' }), 5,
  'mount_call: 5 mounts')
tap.is(count(rows, { call = 'umount', type = '', target = '/tmp', flags = '2', result = '0' }), 5, 'mount_call: 5 unmounts')

-- System calls.
rows = events('syscall', { 'number', 'result', 'latency_ns' }, 'syscall 1000')
tap.is(count(rows, { number = 'getppid' }), 1000, 'syscall: 1000 getppid by name')
tap.ok(all(rows, function(row) return tonumber(row.latency_ns) > 0 end), 'syscall: latencies')
tap.is(#(events('syscall', { 'number' }, 'syscall 1000', 'only_number = 110')), 1000,
  'syscall: only_number filters in the kernel')

rows = events('syscall_enter', { 'number', 'args[3]' }, 'write 23 1000 ' .. scratch)
tap.is(count(rows, { number = 'write', ['args[3]'] = '1000' }), 23, 'syscall_enter: 23 writes and their third argument')
tap.is(count(rows, { number = 'exit_group' }), 1, 'syscall_enter: a call that never returns')
tap.is(#(events('syscall_enter', { 'number' }, 'syscall 1000', 'only_number = 110')), 1000,
  'syscall_enter: only_number filters in the kernel')

-- A flood tells its name, and does not hide others: quotas, and whose events were lost.
local quiet = tap.moonprobe(("run -f json -c %s -e %s"):format(
  tap.quote(("sh -c '%s syscall 20000; %s syscall 50'"):format(tap.workload, tap.workload)),
  -- (A key that only the worker can make: what the kernel counts needs no ring, so no quota.)
  tap.quote([[probe('syscall', { only_number = 110, quota = 100 }):count(function(e) return 'p' .. e.pid end, 'comm')
    mp.finally(function() local c = mp.completeness() mp.row(c.events, c.events - c.lost, c.ratio < 1) end)]])))
local per_pid = {}
for pid, value in quiet.out:gmatch('"key1":"p(%d+)","comm":"workload","value":(%d+)') do
  per_pid[#per_pid + 1] = tonumber(value)
  local _ = pid
end
table.sort(per_pid)
local refused = tonumber(quiet.out:match('"quota":(%d+)')) or 0
tap.ok(per_pid[1] == 50 and per_pid[2] and per_pid[2] >= 100 and per_pid[2] + refused == 20000,
  'quota: the flood is held back, the quiet process is seen whole', quiet.out)
tap.like(quiet.out, '"losers":%[{"pid":%d+,"comm":"workload","ring_full":0,"quota":' .. refused .. '}%]',
  'quota: the flood is named')
local counted = 0
for value in quiet.out:gmatch('"value":(%d+)}') do counted = counted + tonumber(value) end
tap.like(quiet.out, ('%%[%d,%d,true%%]'):format(counted + refused, counted), 'mp.completeness agrees')
local full = tap.moonprobe(("run --ring 4K -f json -c '%s syscall 100000' -e %s"):format(tap.workload,
  tap.quote("probe('syscall', { only_number = 110 }):each(function(e) return e.comm end)")))
local lost = tonumber(full.out:match('"ring_full":(%d+)'))
tap.ok(lost and lost > 0 and full.out:find('"losers":[{"pid":', 1, true)
  and full.out:find(('"comm":"workload","ring_full":%d,'):format(lost), 1, true), 'a full ring: whose events were lost',
  full.out)

-- The drain loop and the handler in it are compiled: one trace that loops.
local traces = tap.moonprobe(("run -q --allow ffi -c '%s syscall 100000' -e %s"):format(tap.workload, tap.quote([[
local util, n = require 'jit.util', 0
probe('syscall', { only_number = 110 }):each(function(e) n = n + e.tid end)
mp.finally(function()
  for i = 1, 200 do
    local ok, info = pcall(util.traceinfo, i)
    if ok and info then print(info.linktype) end
  end
end)]])))
tap.ok(tap.matching(traces.rows, '^loop$') >= 1, 'the hot loop is compiled', traces)

-- Scheduler.
rows = events('sched_offcpu', { 'off_ns', 'state' }, 'sleep 5 20')
local slept = 0
for _, row in ipairs(rows) do
  if tonumber(row.off_ns) >= 20e6 and row.state == 'interruptible' then slept = slept + 1 end
end
tap.ok(slept >= 5, 'sched_offcpu: five sleeps of 20 ms', rows)
rows = events('sched_latency', { 'latency_ns', 'preempted' }, 'sleep 5 20')
tap.ok(count(rows, { preempted = 'false' }) >= 5, 'sched_latency: five wake-ups', rows)

-- Signals and memory.
rows = events('signal', { 'number', 'outcome', 'target_comm' }, 'signal 23')
tap.is(count(rows, { number = 'SIGUSR1', target_comm = 'workload' }), 23, 'signal: 23 SIGUSR1')
rows = events('signal_send', { 'call', 'number', 'target', 'target_tid', 'pid', 'result' }, 'kill 5')
local own = rows[1] and rows[1].pid
tap.is(count(rows, { call = 'kill', number = 'nil', target = own, target_tid = '0', result = '0' }), 5,
  'signal_send: 5 times kill')
tap.is(count(rows, { call = 'tgkill', target = own, target_tid = own }), 5, 'signal_send: 5 times tgkill')
tap.is(count(events('signal_send', { 'result' }, 'kill 3 , kill-missing 5', 'failed_only = 1'), { result = '-3' }), 5,
  'signal_send: failed_only shows 5 times ESRCH')
local before = #(events('page_fault', { 'access' }, 'fault 0'))
rows = events('page_fault', { 'access' }, 'fault 500')
tap.ok(math.abs(#rows - before - 500) <= 16, 'page_fault: 500 fresh pages',
  ('%d with, %d without'):format(#rows, before))

-- Out of memory, in a cgroup of our own: version 1 or 2, whichever has the memory controller.
local function memory_cgroup()
  local v1 = '/sys/fs/cgroup/memory/moonprobe-test'
  local v2 = '/sys/fs/cgroup/moonprobe-test'
  if os.execute('mkdir -p ' .. v1 .. ' 2>/dev/null') == 0 and tap.slurp(v1 .. '/memory.limit_in_bytes') ~= '' then
    tap.spit(v1 .. '/memory.limit_in_bytes', '16M')
    return v1
  end
  os.execute('echo +memory > /sys/fs/cgroup/cgroup.subtree_control; mkdir -p ' .. v2)
  if tap.slurp(v2 .. '/memory.max') == '' then return nil end
  tap.spit(v2 .. '/memory.max', '16M')
  return v2
end

local cgroup = memory_cgroup()
if cgroup then
  local run = tap.undisturbed(('run -f json -c %s -e %s'):format(
    tap.quote(("sh -c 'echo 0 > %s/cgroup.procs; %s eat-memory 64; true'"):format(cgroup, tap.workload)),
    tap.quote("probe 'oom_kill':each(function(e) print('killed', e.victim_pid > 0, e.comm) end)")))
  tap.is(tap.matching(run.rows, '^killed\ttrue\tworkload$'), 1, 'oom_kill: one victim')
  os.execute('rmdir ' .. cgroup)
else
  tap.skip('oom_kill: one victim', 'no memory cgroup can be made here')
end

-- TCP and UDP over loopback.
local function network()
  rows = events('tcp_connect', { 'daddr', 'dport', 'error', 'latency_ns', 'uid' }, 'tcp 10 1000')
  tap.is(count(rows, { daddr = '127.0.0.1', error = 'nil', uid = '0' }), 10, 'tcp_connect: 10 connections')
  rows = events('tcp_connect', { 'daddr', 'error' }, 'tcp6 10')
  tap.is(count(rows, { daddr = '::1', error = 'nil' }), 10, 'tcp_connect: 10 over IPv6')
  rows = events('tcp_connect', { 'error' }, 'tcp-refused 10')
  tap.is(count(rows, { error = 'ECONNREFUSED' }), 10, 'tcp_connect: 10 refused')
  rows = events('tcp_accept', { 'saddr', 'queue_ns' }, 'tcp 10')
  tap.is(count(rows, { saddr = '127.0.0.1' }), 10, 'tcp_accept: 10 accepted')
  rows = events('tcp_close', { 'direction', 'sent_bytes', 'received_bytes', 'duration_ns' }, 'tcp 10 1000')
  tap.is(count(rows, { direction = 'client', sent_bytes = '1000', received_bytes = '1000' }), 10,
    'tcp_close: the clients\' sides, bytes both ways')
  tap.is(count(rows, { direction = 'server', sent_bytes = '1000', received_bytes = '1000' }), 10,
    'tcp_close: the servers\' sides')
  tap.ok(all(rows, function(row) return tonumber(row.duration_ns) > 0 end), 'tcp_close: durations')
  rows = events('tcp_retransmit', { 'state', 'bytes' }, 'tcp-retransmit 3')
  tap.is(count(rows, { state = 'syn_sent' }), 3, 'tcp_retransmit: 3 SYNs')
  rows = events('udp_message', { 'direction', 'bytes' }, 'udp 10 300')
  tap.is(count(rows, { direction = 'sent', bytes = '300' }), 10, 'udp_message: 10 sent')
  tap.is(count(rows, { direction = 'received', bytes = '300' }), 10, 'udp_message: 10 received')
end
network()

-- Disks: the null device where there is one, else a file beside the tree.
local null_device = io.open('/dev/nullb0', 'rb')
if null_device then
  null_device:close()
  rows = events('block_io', { 'operation', 'bytes', 'device' }, 'direct-write 23 4096 /dev/nullb0')
  tap.is(count(rows, { operation = 'write', bytes = '4096', device = 'nullb0' }), 23, 'block_io: 23 writes')
else
  os.execute('mkdir -p build/tests')
  rows = events('block_io', { 'operation', 'bytes' }, 'direct-write 23 4096 build/tests/direct')
  if #rows == 0 then
    tap.skip('block_io: 23 writes', 'the file system here is not on a disk of this kernel')
  else
    -- The file system may add one of its own in the writer's name.
    local writes = count(rows, { operation = 'write', bytes = '4096' })
    tap.ok(writes == 23 or writes == 24, 'block_io: 23 writes', rows)
  end
  os.remove('build/tests/direct')
end

-- Text is zero from its end to the end of its room, also after a longer one before it.
local CHECK = [[
local ffi = require 'ffi'
local schema = assert(require('moonprobe.schema').of('%s'))
local seen, bad = 0, {}
probe('%s', {%s}):each(function(e)
  local bytes = ffi.cast('const uint8_t *', e)
  local sent = bit.band(ffi.cast('const uint32_t *', bytes - 8)[0], 0x3fffffff)
  for _, field in ipairs(schema.fields) do
    if field.kind == 'c' then
      local length = schema.readable[field.name .. '_bytes'] and e[field.name .. '_bytes'] or #e[field.name]
      if length >= field.bytes or bytes[field.offset + length] ~= 0 then bad[field.name .. ' has no end'] = true end
      for i = field.offset + length, math.min(field.offset + field.bytes, sent) - 1 do
        if bytes[i] ~= 0 then bad[field.name .. ' is not padded'] = true end
      end
    end
  end
  seen = seen + 1
end)
mp.finally(function()
  print('seen', seen > 0)
  for what in pairs(bad) do print(what) end
end)
]]
local long = scratch .. '-' .. ('x'):rep(100)
tap.spit(long, ('x'):rep(100))
for _, case in ipairs {
  { 'process_exec', ('exec 3 %s; %s exec 3 x'):format(('x'):rep(1100), tap.workload) },
  { 'process_exec', ('exec-fail 3; %s exec-fail 3'):format(tap.workload), 'failed = 1' },
  { 'process_exit', 'exit 7' },
  { 'process_fork', 'fork 3' },
  { 'file_open', ('open 3 %s; %s open 3 /'):format(long, tap.workload) },
  { 'file_io', ('read 3 10 %s; %s read 3 10 %s'):format(long, tap.workload, scratch) },
  { 'syscall', 'syscall 3' },
  { 'syscall_enter', 'syscall 3' },
  { 'sched_offcpu', 'sleep 3 1' },
  { 'sched_latency', 'sleep 3 1' },
  { 'signal', 'signal 3' },
  { 'page_fault', 'fault 3' },
  { 'tcp_connect', 'tcp 3 10' },
  { 'tcp_accept', 'tcp 3 10' },
  { 'tcp_close', 'tcp 3 10' },
  { 'tcp_retransmit', 'tcp-retransmit 1' },
  { 'udp_message', 'udp 3 10' },
} do
  local name_of, workload, knobs = case[1], case[2], case[3] or ''
  local run = tap.moonprobe(('run -q --allow ffi,stdlib -c %s -e %s'):format(
    tap.quote(('sh -c "%s %s"'):format(tap.workload, workload)), tap.quote(CHECK:format(name_of, name_of, knobs))))
  tap.is(run.rows, { 'seen\ttrue' }, name_of .. ': text is padded with zeros')
end
os.remove(long)

os.remove(scratch)
tap.done()
