-- SPDX-License-Identifier: Apache-2.0
--- The sandbox: what a script tries and must not do is refused, and the script goes on.

local tap = dofile 'tests/tap.lua'

local with_ffi = '--allow ffi' -- options of `run` for scripts that need the FFI
local sanitized = tap.binary:find('asan') ~= nil

local folder = os.tmpname()
os.remove(folder)
os.execute(('mkdir %s %s/script %s/path %s/other'):format(folder, folder, folder, folder))
for _, name in ipairs { 'script', 'path', 'other' } do
  tap.spit(('%s/%s/file'):format(folder, name), 'in ' .. name)
end
local has_landlock = tap.moonprobe('doctor').out:find('yes  Landlock') ~= nil

--- Runs a script under three execs, which it must still see after all it tried; what it printed
--- as "NAME: RESULT" lines, as a table, and the run. In the script, try(name, fn) prints what fn
--- returns; `here` is the scratch folder.
local function attempts(options, code)
  local path = tap.spit(folder .. '/script/attempt.lua', ([[
local mp = require 'moonprobe'
local here = '%s'
local function try(name, fn)
  local ok, value, message = pcall(fn)
  print(name .. ': ' .. tostring(ok and (value or message) or value))
end
%s
local execs = 0
mp.probe 'process_exec':each(function() execs = execs + 1 end)
mp.finally(function() print('went on: ' .. execs) end)
]]):format(folder, code))
  local run = tap.moonprobe(("run -q -I %s/path %s -c '%s exec 3' %s"):format(folder, options, tap.workload, path))
  local results = {}
  for _, row in ipairs(run.rows) do
    local name, result = row:match('^(.-): (.*)$')
    if name then results[name] = result end
  end
  return results, run
end

-- Files.
local got, run = attempts('', [[
local function read(path) return function()
  local file, message = io.open(path)
  return file and file:read('*a'), message
end end
local function write(path) return function() return io.open(path, 'w') end end
try('beside the script', read(here .. '/script/file'))
try('search path', read(here .. '/path/file'))
try('other folder', read(here .. '/other/file'))
try('dots', read(here .. '/script/../other/file'))
try('passwd', read '/etc/passwd')
try('shadow', read '/etc/shadow')
try('maps', read '/proc/self/maps')
try('environ', read '/proc/1/environ')
try('device', read '/dev/null')
try('write beside', write(here .. '/script/new'))
try('write over', write(here .. '/script/file'))
try('write tmp', write '/tmp/moonprobe-sandbox-test')
try('append', function() return io.open(here .. '/script/file', 'a') end)
try('remove', function() return os.remove(here .. '/script/file') end)
try('rename', function() return os.rename(here .. '/script/file', here .. '/script/moved') end)
try('tmpname', os.tmpname)
try('memory', function() return (io.open '/proc/meminfo':read()) end)
try('zone', function() return os.date '%z' end)
]])
tap.is({ run.status, run.err, got['went on'] }, { 0, '', '4' }, 'files: the script goes on')
tap.is(got['beside the script'], 'in script', 'a file beside the script can be read')
tap.is(got['search path'], 'in path', 'a file on the search path can be read')
for _, name in ipairs { 'other folder', 'dots', 'passwd', 'maps', 'environ', 'device' } do
  if has_landlock then
    tap.like(got[name], 'Permission denied', 'cannot be read: ' .. name)
  else
    tap.skip('cannot be read: ' .. name, 'the kernel has no Landlock')
  end
end
tap.like(got.shadow, '^/etc/shadow: ', 'cannot be read: shadow')
for _, name in ipairs { 'write beside', 'write over', 'write tmp', 'append', 'remove', 'rename' } do
  tap.like(got[name], 'Operation not permitted', 'refused: ' .. name)
end
tap.like(got.tmpname, 'unable to generate', 'refused: tmpname')
tap.is(tap.slurp(folder .. '/script/file'), 'in script', 'the file is untouched')
tap.is(got.zone, os.date '%z', 'the time zone is known')
tap.like(got.memory, '^MemTotal: ', 'as is what the machine has of memory')

-- Programs: the functions are not there. Where they are granted, what is run is nobody.
local programs = [[
try('execute', function() return 'status ' .. tostring(os.execute('test $(id -u) = 65534')) end)
try('popen', function() return 'uid ' .. io.popen('id -u'):read('*l') end)
try('touch', function() return 'status ' .. tostring(os.execute('touch ' .. here .. '/other/executed 2>&1')) end)
]]
got, run = attempts('', programs)
tap.ok(run.status == 0 and got['went on'] == '4', 'programs: the script goes on', run)
tap.ok(got.execute and not got.execute:find('^status'), 'refused: os.execute', got)
tap.ok(got.popen and not got.popen:find('^uid'), 'refused: io.popen', got)
got, run = attempts('--allow os.execute,io.popen', programs)
tap.is({ run.status, got.execute, got.popen }, { 0, 'status 0', 'uid 65534' }, 'granted: programs run, as nobody')
tap.is(tap.shell('ls ' .. folder .. '/other').out, 'file\n', 'and write nowhere')

-- System calls, through the FFI.
got, run = attempts(with_ffi, [[
local ffi = require 'ffi'
ffi.cdef [=[
int fork(void);
int execve(const char *, char *const *, char *const *);
int socket(int, int, int);
long ptrace(long, int, void *, void *);
int mount(const char *, const char *, const char *, unsigned long, const void *);
int kill(int, int);
int getppid(void);
int setuid(unsigned);
int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long);
int open(const char *, int, ...);
int unlink(const char *);
long syscall(long, ...);
char *strerror(int);
]=]
local C = ffi.C
local numbers = ({ x64 = { bpf = 321, perf = 298 }, arm64 = { bpf = 280, perf = 241 } })[ffi.arch]
local function call(name, fn)
  try(name, function()
    local result = tonumber(fn())
    return result >= 0 and 'worked, ' .. result or ffi.string(C.strerror(ffi.errno()))
  end)
end
local argv = ffi.new('char *[1]')
local attr = ffi.new('uint32_t[32]', { 2, 4, 8, 1 }) -- an array of one
local function bpf(command) return function()
  return C.syscall(numbers.bpf, ffi.cast('int', command), attr, ffi.cast('int', 128))
end end
call('fork', function() return C.fork() end)
call('execve', function() return C.execve('/bin/true', argv, argv) end)
call('TCP socket', function() return C.socket(2, 1, 0) end)
call('UNIX socket', function() return C.socket(1, 2, 0) end)
call('raw socket', function() return C.socket(17, 3, 0) end)
call('ptrace', function() return C.ptrace(0, 0, nil, nil) end)
call('mount', function() return C.mount('none', '/tmp', 'tmpfs', 0, nil) end)
call('kill', function() return C.kill(1, 0) end)
call('kill all', function() return C.kill(-1, 0) end)
call('setuid', function() return C.setuid(65534) end)
call('outlive the host', function() return C.prctl(1, 0, 0, 0, 0) end)
call('dumpable', function() return C.prctl(4, 1, 0, 0, 0) end)
call('create a map', bpf(0))
call('load a program', bpf(5))
call('list programs', bpf(11))
call('open a map by id', bpf(14))
call('perf event', function() return C.syscall(numbers.perf, attr, 0, -1, -1, 0) end)
call('write a file', function() return C.open(here .. '/script/file', 1) end)
call('create a file', function() return C.open(here .. '/script/new', 66, ffi.cast('int', 384)) end)
call('unlink', function() return C.unlink(here .. '/script/file') end)
call('read a file', function() return C.open('/etc/hostname', 0) end)
attr[0] = 1023
call('look up', bpf(1))
local sum = 0
for i = 1, 1e6 do sum = sum + i % 7 end
try('compiled', function() return require('jit').status() and sum end)
]])
tap.ok(run.status == 0 and got['went on'] == '4', 'system calls: the script goes on', run)
for _, name in ipairs { 'fork', 'execve', 'TCP socket', 'UNIX socket', 'raw socket', 'ptrace', 'mount', 'kill',
  'kill all', 'setuid', 'outlive the host', 'dumpable', 'create a map', 'load a program', 'list programs',
  'open a map by id', 'perf event', 'write a file', 'create a file', 'unlink' } do
  tap.is(got[name], 'Operation not permitted', 'refused: ' .. name)
end
if has_landlock then
  tap.ok(got['read a file'] == 'Permission denied' or got['read a file'] == 'No such file or directory',
    'refused: read a file', got['read a file'])
end
tap.is(got['look up'], 'Bad file descriptor', 'map look-ups reach the kernel')
tap.is(got.compiled, '2999998', 'loops are compiled')

-- Memory.
local growth = [[
local function grow_table() local t = {} for i = 1, 1e9 do t[i] = i .. ('x'):rep(2 ^ 20) end end
local function grow_text() local t = 'x' while true do t = t .. t end end
]]
if sanitized then
  tap.skip('memory', 'not limited with AddressSanitizer')
else
  got, run = attempts('', growth .. [[
try('table', grow_table)
collectgarbage()
try('text', grow_text)
collectgarbage()
]])
  tap.ok(run.status == 0 and got['went on'] == '4', 'memory: the script goes on', run)
  tap.is({ got.table, got.text }, { 'not enough memory', 'not enough memory' }, 'growth without bounds ends')
  run = select(2, attempts('', growth .. 'grow_table()'))
  tap.ok(run.status == 2 and run.err:find('not enough memory') ~= nil, 'not caught, it ends the script only', run)
end

-- A live worker, seen from outside.
local idle = tap.spit(folder .. '/script/idle.lua',
  "require 'moonprobe'.probe 'oom_kill':each(function() end)")
run = tap.shell(([[
%s run -q --for 120s %s & host=$!
tries=600
while [ $tries -gt 0 ]; do
  sleep 0.1
  tries=$((tries - 1))
  read -r worker </proc/$host/task/$host/children # its only child
  grep -q '^Seccomp:.2$' /proc/$worker/status || continue
  cat /proc/$worker/status /proc/$worker/limits
  tries=0
done
kill -INT $host
wait $host]]):format(tap.binary, idle))
local function fact(pattern, name) tap.like(run.out, pattern, 'a live worker: ' .. name) end
fact('\nUid:\t65534\t65534\t65534\t65534\n', 'is nobody')
fact('\nGid:\t65534\t65534\t65534\t65534\n', 'in no group')
fact('\nGroups:%s*\n', 'in no other group')
fact('\nThreads:\t1\n', 'has one thread')
for _, set in ipairs { 'Inh', 'Prm', 'Eff', 'Amb' } do
  fact('\nCap' .. set .. ':\t0+\n', 'no capability in Cap' .. set)
end
fact('\nNoNewPrivs:\t1\n', 'cannot gain privileges')
fact('\nSeccomp:\t2\n', 'system calls are filtered')
fact('\nMax core file size +0 +0 ', 'dumps no core')
fact('\nMax processes +0 +0 ', 'starts no process')
fact('\nMax open files +128 +128 ', 'opens 128 files at most')
if not sanitized then fact('\nMax data size +268435456 +268435456 ', 'has 256 MiB') end

os.execute('rm -r ' .. folder)
tap.done()
