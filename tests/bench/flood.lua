-- SPDX-License-Identifier: Apache-2.0
--- Flood: a process of ours that makes system calls as fast as it can, and what tracing costs it.
---
---   local load = flood.start()
---   local got = flood.trace(load, { 'bpftrace', '-e', ... }, 2000000)
---   got.cost_ns     -- of a call, more than just before and just after
---   got.text        -- what the tool has printed
---   load:stop()

local process = require 'process'

local flood = {}

local BUILD = os.getenv('BENCH_BUILD') or 'build/bench'
local MARK = os.getenv('BENCH_MARK') or 'load' -- name of our process, as no other has it
local CPUS = tonumber(os.getenv('BENCH_CPUS')) or 1

--- The flood has the last CPU for itself, what reads it has the others.
local FLOOD_CPU = CPUS > 1 and 2 ^ (CPUS - 1) or nil
local READER_CPUS = CPUS > 1 and 2 ^ (CPUS - 1) - 1 or nil

local PIECES = 100

local function run(load, count)
  load:say(('%d'):format(count))
  local cpu, wall = (load:line(60) or ''):match('^(%d+) (%d+)$')
  assert(cpu, 'the flood did not end')
  return tonumber(cpu), tonumber(wall)
end

function flood.start()
  local load = process.start { BUILD .. '/' .. MARK, 'flood', cpus = FLOOD_CPU, log = 'load' }
  run(load, 200000)
  return load
end

local function lower_quartile(values)
  table.sort(values)
  return values[math.ceil(#values / 4)]
end

--- CPU ns of one of `count` calls, and how many were made a second. They come in pieces: what
--- disturbs the machine makes some of them slower, and none faster.
function flood.run(load, count)
  local piece, costs, took = math.ceil(count / PIECES), {}, 0
  for i = 1, PIECES do
    local cpu, wall = run(load, piece)
    costs[i], took = cpu / piece, took + wall
  end
  return lower_quartile(costs), piece * PIECES / took * 1e9
end

--- Floods while a tool watches. `options`: as process.start() takes them; `reader(family)`: the
--- processes whose CPU time counts, all if there is no such function.
---@return { cost_ns: number, rate: number, reader_seconds: number, text: string, log: string }
function flood.trace(load, options, count)
  options.cpus = READER_CPUS
  local plain = flood.run(load, count / 2)
  local tool = process.start(options)
  process.sleep(0.3)
  local family = tool:family()
  process.settle(family)
  local reader = options.reader and options.reader(family) or family
  local before = process.cpu_ns(reader)
  local traced, rate = flood.run(load, count)
  process.settle(reader)
  local used = (process.cpu_ns(reader) - before) / 1e9
  local text = tool:stop(20)
  plain = (plain + flood.run(load, count / 2)) / 2
  return { cost_ns = traced - plain, rate = rate, reader_seconds = used, text = text, log = tool.log }
end

flood.PIECES = PIECES

return flood
