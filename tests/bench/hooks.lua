-- SPDX-License-Identifier: Apache-2.0
--- Hooks: what a hit of each kind of generic probe costs, counted or with a field read, beside the
--- same of bpftrace on the same hook. What this machine has no hook for is left out; kernel functions can be
--- measured in a machine of the matrix: KERNEL=6.12 tests/bench/run.sh hooks

local costs = require 'costs'
local process = require 'process'

local hooks = {}

local LOAD = (os.getenv('PWD') or '.') .. '/' .. (os.getenv('BENCH_BUILD') or 'build/bench') .. '/'
  .. (os.getenv('BENCH_MARK') or 'load')

local function all(calls) return calls end

local function question(name, script, bpftrace)
  return { name = name, passes = all, result = costs.counted, script = (script:gsub('$load', LOAD)),
    bpftrace = (bpftrace:gsub('$load', LOAD)) }
end

-- Beside a program in C with the same read: peers/typed.bpf.c.
local typed = question('typed', "probe 'rawtracepoint:sys_enter':count 'args.regs.di'", '')
typed.peer, typed.bpftrace = true, nil
typed.passes = function(calls) return 0.9 * calls end -- the register holds something else now and then

hooks.questions = {
  typed,
  question('tracepoint', "probe 'tracepoint:syscalls:sys_enter_getppid':count()",
    'tracepoint:syscalls:sys_enter_getppid /pid == $pid/ { @ = count(); }'),
  question('tracepoint_field', "probe 'tracepoint:raw_syscalls:sys_exit':count 'args.ret'",
    'tracepoint:raw_syscalls:sys_exit /pid == $pid/ { @[args->ret] = count(); }'),
  question('uprobe', "probe 'uprobe:$load:syscall':count()", 'uprobe:$load:syscall /pid == $pid/ { @ = count(); }'),
  question('uprobe_argument', "probe 'uprobe:$load:syscall':count 'arg0'",
    'uprobe:$load:syscall /pid == $pid/ { @[arg0] = count(); }'),
  question('uretprobe', "probe('uretprobe:$load:syscall', { entry = 0 }):count()",
    'uretprobe:$load:syscall /pid == $pid/ { @ = count(); }'),
  question('usdt', "probe 'usdt:$load:load:call':count()", 'usdt:$load:load:call /pid == $pid/ { @ = count(); }'),
  question('kprobe', "probe 'kprobe:__x64_sys_getppid':count()",
    'kprobe:__x64_sys_getppid /pid == $pid/ { @ = count(); }'),
  -- What getppid calls: the kernel's BTF has it. There the cheapest hook for `kprobe:` is a trampoline.
  question('kprobe_argument', "probe 'kprobe:__task_pid_nr_ns':count 'args.task.tgid'",
    'kprobe:__task_pid_nr_ns /pid == $pid/ { @[((struct task_struct *)arg0)->tgid] = count(); }'),
  question('fentry', "probe 'fentry:__task_pid_nr_ns':count()",
    'kfunc:__task_pid_nr_ns /pid == $pid/ { @ = count(); }'),
  question('fentry_argument', "probe 'fentry:__task_pid_nr_ns':count 'args.task.tgid'",
    'kfunc:__task_pid_nr_ns /pid == $pid/ { @[args->task->tgid] = count(); }'),
  question('kretprobe', "probe('kretprobe:__x64_sys_getppid', { entry = 0 }):count()",
    'kretprobe:__x64_sys_getppid /pid == $pid/ { @ = count(); }'),
}

--- Seconds that a command takes, the median of three.
local function seconds(arguments)
  local took = {}
  for i = 1, 3 do
    local before = process.now()
    if os.execute(('%s run -q %s >/dev/null 2>&1'):format(os.getenv('MOONPROBE') or './moonprobe', arguments)) ~= 0 then
      return nil
    end
    took[i] = process.now() - before
  end
  table.sort(took)
  return took[2]
end

--- From the start of a command to its end: attached to a great many places, and let go.
function hooks.attach(figures)
  local many = LOAD:match '.*/' .. 'many'
  for name, code in pairs { attach_1000_uprobes = ("probe 'uprobe:%s:many_*':count()"):format(many),
    attach_tcp_functions = "probe 'kprobe:tcp_*':count()" } do
    local took = seconds(('-c true -e "%s"'):format(code))
    if took then figures:add(name, 'moonprobe', took) end
  end
end

--- Those that this kernel has the hook for.
---@return table[]
function hooks.here()
  local binary, here = os.getenv('MOONPROBE') or './moonprobe', {}
  for _, one in ipairs(hooks.questions) do
    local quoted = "'" .. one.script:gsub("'", "'\\''") .. "'"
    if os.execute(('%s explain -q -e %s >/dev/null 2>&1'):format(binary, quoted)) == 0 then
      here[#here + 1] = one
    else
      io.stderr:write(('bench: %s: not here\n'):format(one.name))
    end
  end
  return here
end

return hooks
