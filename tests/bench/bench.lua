-- SPDX-License-Identifier: Apache-2.0
--- Bench: Moonprobe's figures beside bpftrace's, libbpf-tools' and a C program's.
---
--- Every round measures all of them, one after the other, so that what disturbs the machine
--- disturbs all; a figure is the median of its rounds. What is traced is always a process of
--- our own (tests/bench/load.c). Times of different machines do not compare; the ratios do.
---
---   start_to_first_event    from fork() of the tool to the first line about an event that
---                           happens every 0.5 ms, read from its terminal
---   resident_memory         of all its processes (host and worker), waiting for an event
---   resident_memory_share   the same, a page in several processes divided among them (PSS)
---   idle_cpu                of all its processes, of one CPU, while no event happens
---   events_per_cpu_second   getppid(2) in a loop, each an event to the consumer, which counts
---                           by the result: over the CPU time of the process that reads them
---   events_per_second       how fast they came: as fast as one CPU can while it is traced
---   events_lost             of those; the tools' buffers are as large as they are by default
---   added_cost_per_syscall  CPU time of a getppid(2) with the tool attached, less that without
---
--- What the kernel's answers cost is in costs.lua, what has no peer in promises.lua;
--- what a hit of a generic probe costs in hooks.lua.
---
---   ROUNDS=5 IDLE_SECONDS=10 EVENTS=2000000 tests/bench/run.sh [start] [idle] [flood] [costs] [hooks] [promises]

package.path = 'tests/bench/?.lua;' .. package.path
local costs = require 'costs'
local hooks = require 'hooks'
local flood = require 'flood'
local process = require 'process'
local promises = require 'promises'
local report = require 'report'

local function setting(name, preset)
  return tonumber(os.getenv(name)) or preset
end

local ROUNDS = setting('ROUNDS', 5)
local IDLE_SECONDS = setting('IDLE_SECONDS', 10)
local EVENTS = setting('EVENTS', 2000000)
local MOONPROBE = os.getenv('MOONPROBE') or './moonprobe'
local BUILD = os.getenv('BENCH_BUILD') or 'build/bench'
local MARK = os.getenv('BENCH_MARK') or 'load' -- name of our process, as no other has it
local NOBODY = '61184' -- a uid that has no process

process.logs = BUILD

local function installed(program)
  return os.execute('command -v ' .. program .. ' >/dev/null 2>&1') == 0
end

local numbers = {} -- of system calls, by name
for number, name in pairs(dofile('build/stdlib/syscalls.lua')) do numbers[name] = number end
local GETPPID, GETUID = numbers.getppid, numbers.getuid

local function note(...)
  io.stderr:write('bench: ', string.format(...), '\n')
end

local has = { bpftrace = installed('bpftrace'), execsnoop = installed('execsnoop') }
for name, there in pairs(has) do
  if not there then note('%s is not installed: no figures of it', name) end
end

--- The tools, watching what process `pid` executes.
local function exec_tools(pid, execsnoop_filter)
  local tools = {
    { name = 'moonprobe', MOONPROBE, 'run', '-p', tostring(pid), 'execsnoop' },
    { name = 'bpftrace', 'bpftrace', '-e', ([[tracepoint:sched:sched_process_exec /pid == %d/ {
      printf("%%d %%s %%s\n", pid, comm, str(args->filename)) }]]):format(pid) },
    { name = 'execsnoop', 'execsnoop', unpack(execsnoop_filter) },
  }
  local wanted = {}
  for _, tool in ipairs(tools) do
    tool.terminal = true
    if has[tool.name] ~= false then wanted[#wanted + 1] = tool end
  end
  return wanted
end

local function measure_start(figures)
  local load = process.start { BUILD .. '/' .. MARK, 'exec', log = 'load' }
  for _ = 1, ROUNDS + 2 do -- they are short
    for _, options in ipairs(exec_tools(load.pid, { '-n', MARK })) do
      local tool = process.start(options)
      local seconds = tool:wait_for(MARK, 10)
      tool:stop()
      if seconds then
        figures:add('start_to_first_event', options.name, seconds * 1000)
      else
        note('%s showed no event; see %s', options.name, tool.log)
      end
      process.sleep(0.1)
    end
  end
  load:stop()
end

--- All wait at the same time: they do nothing, so they do not disturb each other.
local function measure_idle(figures)
  local load = process.start { BUILD .. '/' .. MARK, 'flood', log = 'load' }
  local tools = {}
  for i, options in ipairs(exec_tools(load.pid, { '-u', NOBODY, '-n', MARK })) do
    tools[i] = { name = options.name, process = process.start(options) }
  end
  process.sleep(1)
  for _, tool in ipairs(tools) do
    tool.family = tool.process:family()
    process.settle(tool.family)
    local rss, pss = process.memory(tool.family)
    figures:add('resident_memory', tool.name, rss)
    figures:add('resident_memory_share', tool.name, pss)
  end
  for _ = 1, 2 do
    local before, since = {}, process.now()
    for i, tool in ipairs(tools) do before[i] = process.cpu_ns(tool.family) end
    process.sleep(IDLE_SECONDS)
    for i, tool in ipairs(tools) do
      local used = (process.cpu_ns(tool.family) - before[i]) / 1e9
      figures:add('idle_cpu', tool.name, 100 * used / (process.now() - since))
    end
  end
  for _, tool in ipairs(tools) do tool.process:stop() end
  load:stop()
end

local SCRIPT = [[
  local seen = {}
  probe('syscall', { only_number = %d }):each(function(e)
    seen[e.result] = (seen[e.result] or 0) + 1
  end)]]

local function count_lines(path)
  local lines = 0
  for line in io.lines(path) do if line:match('^%d+$') then lines = lines + 1 end end
  os.remove(path)
  return lines
end

--- What is attached to the flood; `reader` of its processes is the one that takes the events;
--- `result(text)` gives the events it got and those it lost.
local function flood_tools(pid)
  local printed = BUILD .. '/printed'
  local tools = {
    {
      name = 'moonprobe', MOONPROBE, 'run', '-f', 'json', '-p', tostring(pid),
      '-e', SCRIPT:format(GETPPID),
      reader = function(family) return { family[2] } end,
      result = function(text)
        return tonumber(text:match('"received":(%d+)')), tonumber(text:match('"ring_full":(%d+)'))
      end,
    },
    {
      name = 'c', BUILD .. '/consumer', 'build/probes/syscall.bpf.o', tostring(pid), tostring(GETPPID),
      result = function(text)
        return tonumber(text:match('"received":(%d+)')), tonumber(text:match('"lost":(%d+)'))
      end,
    },
    {
      name = 'bpftrace', log = 'bpftrace-printf', 'bpftrace', '-e',
      ('tracepoint:syscalls:sys_exit_getppid /pid == %d/ { printf("%%d\\n", args->ret) }'):format(pid),
      events = EVENTS / 10, no_cost = true, file = printed,
      result = function()
        local got = count_lines(printed)
        return got, EVENTS / 10 - got
      end,
    },
    {
      name = 'bpftrace', log = 'bpftrace-count', 'bpftrace', '-e',
      ('tracepoint:syscalls:sys_exit_getppid /pid == %d/ { @ = count() }'):format(pid),
    },
  }
  local wanted = {}
  for _, tool in ipairs(tools) do
    if has[tool.name] ~= false then wanted[#wanted + 1] = tool end
  end
  return wanted
end

local function measure_flood(figures)
  local load = flood.start()
  for _ = 1, ROUNDS do
    for _, tool in ipairs(flood_tools(load.pid)) do
      local seen = flood.trace(load, tool, tool.events or EVENTS)
      if not tool.no_cost then figures:add('added_cost_per_syscall', tool.name, seen.cost_ns) end
      if tool.result then
        local got, lost = tool.result(seen.text)
        if got and got > 0 then
          figures:add('events_per_cpu_second', tool.name, got / seen.reader_seconds)
          figures:add('events_lost', tool.name, lost)
          figures:add('events_per_second', tool.name, seen.rate)
        else
          note('%s got no events; see %s', tool.name, seen.log)
        end
      end
    end
  end
  load:stop()
end

local function measure_costs(figures)
  costs.measure(figures, costs.questions, GETUID, EVENTS / 2, ROUNDS, has)
end

local function measure_hooks(figures)
  hooks.attach(figures)
  costs.measure(figures, hooks.here(), GETUID, EVENTS / 4, ROUNDS, has)
end

local function measure_promises(figures)
  promises.reload(figures, GETPPID, ROUNDS)
  promises.change(figures, ROUNDS)
  promises.rate(figures, GETPPID, ROUNDS)
  promises.quiet(figures)
  promises.hundred(figures, IDLE_SECONDS)
end

local figures = report.new()
local parts = {
  start = measure_start, idle = measure_idle, flood = measure_flood, costs = measure_costs,
  hooks = measure_hooks, promises = measure_promises,
}
for _, part in ipairs(#arg > 0 and arg or { 'start', 'idle', 'flood', 'costs', 'hooks', 'promises' }) do
  assert(parts[part], 'start, idle, flood, costs, hooks or promises, not ' .. part)(figures)
end

figures:define('start_to_first_event', 'ms', { most = 50 })
figures:define('resident_memory', 'MB', { most = 25 })
figures:define('resident_memory_share', 'MB', {})
figures:define('idle_cpu', '%', { most = 0.1 })
figures:define('events_per_cpu_second', '1/s', { least = 10e6, ratio = { c = 0.7, bpftrace = 50 } })
figures:define('events_per_second', '1/s', {})
figures:define('events_lost', 'events', { most = 0 })
figures:define('added_cost_per_syscall', 'ns', { ratio_most = { c = 1.2 } })
figures:define('reject_number_cost', 'ns', { ratio_most = { c = 1.15, bpftrace = 0.65 } })
figures:define('reject_comm_cost', 'ns', { ratio_most = { c = 1.15, bpftrace = 0.65 } })
figures:define('count_by_comm_cost', 'ns', { ratio_most = { c = 1.15, bpftrace = 0.5 } })
figures:define('latency_histogram_cost', 'ns', { ratio_most = { c = 1.15, bpftrace = 0.5 } })
figures:define('fields_three_cost', 'ns', {})
for _, one in ipairs(hooks.questions) do
  figures:define(one.name .. '_cost', 'ns', { ratio_most = one.peer and { c = 1.15 } or { bpftrace = 1 } })
end
figures:define('attach_1000_uprobes', 's', { most = 1 })
figures:define('attach_tcp_functions', 's', { most = 5 })
figures:define('reload_pause', 'ms', { most = 5 })
figures:define('filter_change', 'ms', { most = 2 })
figures:define('lost_at_1M', 'events', { most = 0 })
figures:define('quiet_latency', 'ms', { most = 10 })
figures:define('script_memory', 'MB', { most = 6 })
figures:define('hundred_idle_cpu', '%', { most = 1 })
figures:print(io.stdout)
figures:write('build/bench.json')
