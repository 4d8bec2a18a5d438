-- SPDX-License-Identifier: Apache-2.0
--- Promises: what Moonprobe does and its peers do not, so there is nobody beside it.
---
---   reload_pause        from the old version's last event to the new one's first turn, under
---                       600,000 events a second
---   filter_change       from the assignment to a string that a filter compares with, to the first
---                       event that passes the new filter: translating, loading, swapping it in
---   lost_at_1M          events lost at a million a second, of 3 million
---   quiet_latency       from an event, when nothing else happens, to its handler
---   script_memory       of one of a hundred idle scripts: its worker's share of memory (PSS), and
---                       the kernel's for its maps and programs (memlock in the host's fdinfo)
---   hundred_idle_cpu    of a hundred idle scripts together, of one CPU

local process = require 'process'

local promises = {}

local MOONPROBE = os.getenv('MOONPROBE') or './moonprobe'
local BUILD = os.getenv('BENCH_BUILD') or 'build/bench'
local WORKLOAD = 'build/tests/workload'

local function write(name, text)
  local path = BUILD .. '/' .. name
  local file = assert(io.open(path, 'w'))
  file:write(text)
  file:close()
  return path
end

local COUNTING = [[
local mp = require 'moonprobe'
local s = mp.state('s', { n = 0 })
mp.probe('syscall', { only_number = %d }):each(function(e) s.n = s.n + 1 end)
-- %d
]]

function promises.reload(figures, getppid, rounds)
  local script = write('reloaded.lua', COUNTING:format(getppid, 0))
  local tool = process.start { MOONPROBE, 'run', '-w', '-f', 'json', '-c', WORKLOAD .. ' pace 100000000 600000',
    script, log = 'reload' }
  process.sleep(0.5)
  for i = 1, 4 * rounds do
    write('reloaded.lua', COUNTING:format(getppid, i))
    process.sleep(0.2)
  end
  tool:stop(20)
  for pause in process.text_of(tool.log):gmatch('nothing handled for ([%d.]+) ms') do
    figures:add('reload_pause', 'moonprobe', tonumber(pause))
  end
end

local CHANGING = [[
local mp = require 'moonprobe'
local wanted, changed_at, first = 'nothing', 0, nil
mp.probe('syscall_enter'):where(function(e) return e.number == wanted end):each(function(e) first = first or e.time end)
mp.every('10ms', function()
  if wanted == 'getppid' then
    if first then mp.row((first - changed_at) * 1000) end
    wanted = 'nothing'
  else
    wanted, first, changed_at = 'getppid', nil, mp.now()
  end
end)]]

function promises.change(figures, rounds)
  local script = write('changing.lua', CHANGING)
  local tool = process.start { MOONPROBE, 'run', '-q', '-c', WORKLOAD .. (' pace %d 200000'):format(40000 * rounds),
    script, log = 'change' }
  while tool:read(20) do end -- luacheck: ignore
  for ms in tool:stop():gmatch('([%d.]+)\n') do figures:add('filter_change', 'moonprobe', tonumber(ms)) end
end

function promises.rate(figures, getppid, rounds)
  local script = write('counting.lua', COUNTING:format(getppid, 0))
  for _ = 1, rounds do
    local tool = process.start { MOONPROBE, 'run', '-f', 'json', '-c', WORKLOAD .. ' pace 3000000 1000000', script,
      log = 'rate' }
    while tool:read(20) do end -- luacheck: ignore
    local text = tool:stop()
    figures:add('lost_at_1M', 'moonprobe', tonumber(text:match('"ring_full":(%d+)')))
  end
end

function promises.quiet(figures)
  local script = write('quiet.lua', [[
local mp = require 'moonprobe'
mp.probe('syscall', { min_ns = 10000000 }):each(function(e) mp.row((mp.now() - e.time) * 1000) end)
]])
  local tool = process.start { MOONPROBE, 'run', '-q', '-c', WORKLOAD .. ' sleep 40 20', script, log = 'quiet' }
  while tool:read(20) do end -- luacheck: ignore
  for ms in tool:stop():gmatch('([%d.]+)\n') do figures:add('quiet_latency', 'moonprobe', tonumber(ms)) end
end

local function kernel_mb(host)
  local list = io.popen(('cat /proc/%d/fdinfo/* 2>/dev/null'):format(host))
  local bytes = 0
  for line in list:lines() do bytes = bytes + (tonumber(line:match('^memlock:%s*(%d+)')) or 0) end
  list:close()
  return bytes / 1e6
end

function promises.hundred(figures, seconds)
  local load = process.start { BUILD .. '/load', 'flood', log = 'load' } -- waits: executes nothing
  local words = { MOONPROBE, 'serve', '-q', '-p', tostring(load.pid), log = 'hundred' }
  local text = "local mp = require 'moonprobe' mp.probe('process_exec'):each(function(e) mp.row(e.pid) end)"
  for i = 1, 100 do words[#words + 1] = write('idle-' .. i .. '.lua', text) end
  local tool = process.start(words)
  process.sleep(2)
  local family = tool:family()
  process.settle(family, 20)
  family = tool:family()
  if #family == 101 then
    local _, workers = process.memory({ unpack(family, 2) })
    figures:add('script_memory', 'moonprobe', (workers + kernel_mb(family[1])) / 100)
    local used, since = process.cpu_ns(family), process.now()
    process.sleep(seconds)
    used = (process.cpu_ns(family) - used) / 1e9
    figures:add('hundred_idle_cpu', 'moonprobe', 100 * used / (process.now() - since))
  else
    io.stderr:write(('bench: %d of 100 scripts run; see %s\n'):format(#family - 1, tool.log))
  end
  tool:stop(20)
  load:stop()
end

return promises
