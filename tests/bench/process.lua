-- SPDX-License-Identifier: Apache-2.0
--- Process: starts the programs of the benchmark, reads them, weighs them, ends them.
---
---   local tool = process.start { 'execsnoop', '-n', 'load', terminal = true }
---   tool:wait_for('load', 5)     -- seconds until a line with that was read
---   process.memory(tool:family()) -- resident MB, proportional MB
---   tool:stop()
---
--- What is started here dies with us (PR_SET_PDEATHSIG).

local ffi = require 'ffi'

ffi.cdef [[
typedef int pid_t;
struct pollfd { int fd; short events; short revents; };
struct mp_timespec { long sec; long nsec; };
pid_t fork(void);
pid_t getpid(void);
pid_t waitpid(pid_t pid, int *status, int options);
int execvp(const char *file, char *const argv[]);
int kill(pid_t pid, int signal);
int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int sched_setaffinity(pid_t pid, size_t bytes, const uint64_t *mask);
int openpty(int *master, int *slave, char *name, const void *termios, const void *size);
int pipe2(int fds[2], int flags);
int open(const char *path, int flags, ...);
int dup2(int from, int to);
int close(int fd);
int fcntl(int fd, int command, ...);
long read(int fd, void *bytes, size_t size);
long write(int fd, const void *bytes, size_t size);
int poll(struct pollfd *fds, unsigned long count, int ms);
int clock_gettime(int clock, struct mp_timespec *time);
void _exit(int status);
]]

local C = ffi.C
local O_WRONLY, O_CREAT, O_TRUNC, O_CLOEXEC = 1, 0x40, 0x200, 0x80000
local F_SETFD, FD_CLOEXEC, POLLIN, WNOHANG = 2, 1, 1, 1
local SIGINT, SIGKILL, PR_SET_PDEATHSIG, CLOCK_MONOTONIC = 2, 9, 1, 1

local process = { logs = 'build/bench' }

local Process = {}
Process.__index = Process

local time = ffi.new('struct mp_timespec')

--- Seconds, of no meaning by themselves.
function process.now()
  C.clock_gettime(CLOCK_MONOTONIC, time)
  return tonumber(time.sec) + tonumber(time.nsec) / 1e9
end

function process.sleep(seconds)
  C.poll(nil, 0, math.max(1, math.floor(seconds * 1000)))
end

local function text_of(path)
  local file = io.open(path)
  local text = file and file:read('*a')
  if file then file:close() end
  return text or ''
end
process.text_of = text_of

local pair = ffi.new('int[2]')

local function make_pipe()
  assert(C.pipe2(pair, O_CLOEXEC) == 0)
  return pair[0], pair[1]
end

--- Between fork and exec: nothing here may raise.
local function become(argv, stdin, stdout, log, mask)
  local stderr = C.open(log, O_WRONLY + O_CREAT + O_TRUNC, ffi.cast('int', 420)) -- 0644
  C.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
  if mask then C.sched_setaffinity(0, 8, mask) end
  C.dup2(stdin, 0)
  C.dup2(stdout, 1)
  C.dup2(stderr, 2)
  if stderr > 2 then C.close(stderr) end
  C.execvp(argv[0], ffi.cast('char *const *', argv))
  C._exit(127)
end

--- Starts a program. Its stdout is a pipe, a terminal, or a file; its stderr goes to a log.
---@param options table argv in 1..n; terminal = boolean; file = path; cpus = bits; log = name
function process.start(options)
  local argv = ffi.new('const char *[?]', #options + 1)
  for i, word in ipairs(options) do argv[i - 1] = word end
  local log = ('%s/%s.log'):format(process.logs, options.log or options[1]:match('[^/]*$'))
  local mask = options.cpus and ffi.new('uint64_t[1]', options.cpus)
  local stdin, to_stdin = make_pipe()
  local from_stdout, stdout
  if options.terminal then
    local master, slave = ffi.new('int[1]'), ffi.new('int[1]')
    assert(C.openpty(master, slave, nil, nil, nil) == 0, 'openpty')
    from_stdout, stdout = master[0], slave[0]
    for _, fd in ipairs { from_stdout, stdout } do C.fcntl(fd, F_SETFD, ffi.cast('int', FD_CLOEXEC)) end
  elseif options.file then
    stdout = C.open(options.file, O_WRONLY + O_CREAT + O_TRUNC + O_CLOEXEC, ffi.cast('int', 420))
    from_stdout = -1
  else
    from_stdout, stdout = make_pipe()
  end
  local started = process.now()
  local pid = C.fork()
  assert(pid >= 0, 'fork')
  if pid == 0 then become(argv, stdin, stdout, log, mask) end
  C.close(stdin)
  C.close(stdout)
  return setmetatable({
    pid = pid, stdin = to_stdin, stdout = from_stdout, started = started,
    text = '', log = log, ended = false,
  }, Process)
end

local buffer = ffi.new('char[65536]')

--- Reads what comes first within `seconds`: how many bytes, nil at the end of the output.
function Process:read(seconds)
  local one = ffi.new('struct pollfd[1]', { { fd = self.stdout, events = POLLIN } })
  if C.poll(one, 1, math.max(0, math.ceil(seconds * 1000))) == 0 then return 0 end
  local got = tonumber(C.read(self.stdout, buffer, 65536))
  if got <= 0 then return nil end
  self.text = self.text .. ffi.string(buffer, got)
  return got
end

--- Seconds from the start until a line with `pattern` was read; nil when none came.
function Process:wait_for(pattern, seconds)
  local give_up = self.started + seconds
  while process.now() < give_up do
    if not self:read(give_up - process.now()) then return nil end
    if self.text:match(pattern .. '[^\n]*\n') then return process.now() - self.started end
  end
end

--- The next line; nil when none came.
function Process:line(seconds)
  local give_up = process.now() + seconds
  while not self.text:find('\n', 1, true) do
    local left = give_up - process.now()
    if left <= 0 or not self:read(left) then return nil end
  end
  local line
  line, self.text = self.text:match('^([^\n]*)\n(.*)$')
  return line
end

function Process:say(line)
  C.write(self.stdin, line .. '\n', #line + 1)
end

function Process:alive()
  if not self.ended and C.waitpid(self.pid, nil, WNOHANG) == self.pid then self.ended = true end
  return not self.ended
end

--- Ends it as Ctrl-C does, reading the rest of what it says; kills it when that takes too long.
function Process:stop(seconds)
  local give_up = process.now() + (seconds or 5)
  if self:alive() then C.kill(self.pid, SIGINT) end
  while self:alive() and process.now() < give_up do
    if self.stdout < 0 or not self:read(0.005) then process.sleep(0.005) end
  end
  if self:alive() then
    C.kill(self.pid, SIGKILL)
    C.waitpid(self.pid, nil, 0)
    self.ended = true
  end
  repeat until self.stdout < 0 or (self:read(0) or 0) == 0
  C.close(self.stdin)
  if self.stdout >= 0 then C.close(self.stdout) end
  return self.text
end

--- Its own and its children's process ids.
function Process:family()
  local pids = { self.pid }
  local list = io.popen('ps -o pid= --ppid ' .. self.pid)
  for pid in list:read('*a'):gmatch('%d+') do pids[#pids + 1] = tonumber(pid) end
  list:close()
  return pids
end

--- CPU time of processes in ns: user and system, of all their threads, as the scheduler
--- accounts it. (/proc/PID/stat has the same sum in ticks of 10 ms.)
function process.cpu_ns(pids)
  local sum = 0
  for _, pid in ipairs(pids) do
    for task in io.popen('ls /proc/' .. pid .. '/task 2>/dev/null'):lines() do
      sum = sum + (tonumber(text_of(('/proc/%d/task/%s/schedstat'):format(pid, task)):match('^%d+')) or 0)
    end
  end
  return sum
end

--- Resident memory in MB (10^6), and the proportional share of it.
function process.memory(pids)
  local rss, pss = 0, 0
  for _, pid in ipairs(pids) do
    rss = rss + (tonumber(text_of(('/proc/%d/status'):format(pid)):match('VmRSS:%s*(%d+)')) or 0)
    pss = pss + (tonumber(text_of(('/proc/%d/smaps_rollup'):format(pid)):match('Pss:%s*(%d+)')) or 0)
  end
  return rss * 1024 / 1e6, pss * 1024 / 1e6
end

--- Waits until processes do next to nothing: they have started, or have nothing left to do.
function process.settle(pids, seconds)
  local give_up = process.now() + (seconds or 5)
  local before, quiet = process.cpu_ns(pids), 0
  repeat -- twice: once can be because others have the CPUs
    process.sleep(0.15)
    local after = process.cpu_ns(pids)
    quiet = after > 0 and after - before < 2e6 and quiet + 1 or 0
    before = after
  until quiet == 2 or process.now() > give_up
end

return process
