-- SPDX-License-Identifier: Apache-2.0
--- Costs: what questions that the kernel answers add to the time of a getppid(2).
---
---   reject_number     only one system call is of interest, and it is another
---   reject_comm       only "curl" is of interest
---   count_by_comm     how often each thread's name makes one
---   latency_histogram how long they take, in powers of two
---
--- Each is asked as a script, as a bpftrace program, and by a program written by hand in C for
--- nothing else (peers/), all told to watch one process. Moonprobe and C are on the same hooks;
--- bpftrace is on the tracepoints that wrap them. (Its rawtracepoint is on the same hooks,
--- too, and does not work in bpftrace 0.17.)
---
---   fields_three      events that a script handles, which reads three fields of them; beside it
---                     what they cost when it reads none, and when it reads all

local flood = require 'flood'

local costs = {}

local MOONPROBE = os.getenv('MOONPROBE') or './moonprobe'
local BUILD = os.getenv('BENCH_BUILD') or 'build/bench'

local function number_of(json, key)
  return tonumber(json:match('"' .. key .. '":(%d+)'))
end

costs.counted = function(text) return number_of(text, 'value') or tonumber(text:match('"count":(%d+),"sum"')) end
local counted = costs.counted
local function offered(text) return number_of(text, 'events') end
local function received(text) return number_of(text, 'received') end

--- Of bpftrace's maps: `@: 5`, `@[load]: 5` or `[256, 512)  5 |@@`, added up.
local function printed(text)
  local sum = 0
  for line in text:gmatch('[^\n]+') do
    sum = sum + (tonumber(line:match('^@.*: (%d+)$') or line:match('^%[[^)]*[])] +(%d+) |')) or 0)
  end
  return sum
end

-- `passes`: how many events pass at least, of so many calls. What finds fewer has not done its work.
-- `$pid` and `$number` are put in.
local function some() return flood.PIECES end
local function all(calls) return calls end

-- A field is captured when the function can read it, and this one never comes to it: the events
-- differ, the work of the script does not.
local READING = "local n = 0 probe 'syscall':each(function(e) n = n + 1 if n < 0 then print(%s) end end)"

--- What measure() is asked for: its own, or those of hooks.lua.
costs.questions = {
  {
    name = 'reject_number', peer = true, passes = some, result = received,
    script = [[local n = 0
      probe 'syscall_enter':where(function(e) return e.number == 'getuid' end):each(function() n = n + 1 end)]],
    bpftrace = 'tracepoint:raw_syscalls:sys_enter /pid == $pid && args->id == $number/ { @ = count(); }',
  },
  {
    name = 'reject_comm', peer = true, passes = some, result = received,
    script = [[local n = 0
      probe 'syscall_enter':where(function(e) return e.comm == 'curl' end):each(function() n = n + 1 end)]],
    bpftrace = 'tracepoint:raw_syscalls:sys_enter /pid == $pid && comm == "curl"/ { @ = count(); }',
  },
  {
    name = 'count_by_comm', peer = true, passes = all, result = counted,
    script = "probe 'syscall_enter':count 'comm'",
    bpftrace = 'tracepoint:raw_syscalls:sys_enter /pid == $pid/ { @[comm] = count(); }',
  },
  {
    name = 'latency_histogram', peer = true, passes = all, result = counted,
    script = "probe 'syscall':histogram 'latency_ns'",
    bpftrace = [[tracepoint:raw_syscalls:sys_enter /pid == $pid/ { @start[tid] = nsecs; }
      tracepoint:raw_syscalls:sys_exit /@start[tid]/ { @ = hist(nsecs - @start[tid]); delete(@start[tid]); }
      END { clear(@start); }]],
  },
  { name = 'fields_three', passes = all, result = offered, script = READING:format 'e.number, e.result, e.tid' },
  { name = 'fields_three', as = 'none', passes = all, result = offered, script = READING:format '' },
  {
    name = 'fields_three', as = 'all', passes = all, result = offered,
    script = READING:format 'e.number, e.result, e.pid, e.tid, e.latency_ns, e.time, e.comm, e.args',
  },
}

local function tools_for(question, pid, number)
  local function put_in(text) return (text:gsub('$pid', pid):gsub('$number', number)) end
  local tools = {
    { name = question.as or 'moonprobe', result = question.result, log = 'moonprobe-' .. question.name,
      MOONPROBE, 'run', '-f', 'json', '-p', pid, '-e', put_in(question.script) },
  }
  if question.peer then
    tools[2] = { name = 'c', result = function(text) return number_of(text, 'events') end,
      log = 'peer-' .. question.name, BUILD .. '/peer', ('%s/%s.bpf.o'):format(BUILD, question.name), pid, number }
  end
  if question.bpftrace then
    tools[#tools + 1] = { name = 'bpftrace', result = printed, log = 'bpftrace-' .. question.name,
      'bpftrace', '-e', put_in(question.bpftrace) }
  end
  return tools
end

---@param figures table
---@param questions table[]
---@param number integer of getuid(2)
---@param calls integer in a round
---@param rounds integer
---@param has table which programs are installed
function costs.measure(figures, questions, number, calls, rounds, has)
  local load = flood.start()
  for _ = 1, rounds do
    for _, question in ipairs(questions) do
      for _, tool in ipairs(tools_for(question, tostring(load.pid), tostring(number))) do
        if has[tool.name] ~= false then
          local got = flood.trace(load, tool, calls)
          local passed = tool.result(got.text) or 0
          if passed >= question.passes(calls) then
            figures:add(question.name .. '_cost', tool.name, got.cost_ns)
          else
            io.stderr:write(('bench: %s: %s has seen only %d events; see %s\n'):format(question.name, tool.name,
              passed, got.log))
          end
        end
      end
    end
  end
  load:stop()
end

return costs
