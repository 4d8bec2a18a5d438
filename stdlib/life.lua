-- SPDX-License-Identifier: Apache-2.0
--- Life: what a worker does from loading its script to its end.
---
---   load -> declare*, ready -> run -> (timers, drain, flush, wait)* -> finish
---                                    ^                              -> yield: state, wait
---                                    '---------- resume ----------------'

local aggregate = require 'moonprobe.aggregate'
local drain = require 'moonprobe.drain'
local engine = require 'moonprobe.engine'
local explain = require 'moonprobe.explain'
local host = require 'moonprobe.host'
local job = require 'moonprobe.job'
local loading = require 'moonprobe.loading'
local mp = require 'moonprobe'
local object = require 'moonprobe.object'
local output = require 'moonprobe.output'
local own_rings = require 'moonprobe.own_rings'
local stages = require 'moonprobe.stages'
local record = job.record and require 'moonprobe.record'
local replay = job.replay and require 'moonprobe.replay'
local state = require 'moonprobe.state'
local stream = require 'moonprobe.stream'
local timers = require 'moonprobe.timers'

local life = {}

-- Being woken costs as much as hundreds of events. So the worker lets them gather after a turn
-- with many, and also when it was woken only just before: a fast flow of events shows itself
-- as few each time, because each time is soon.
local BUSY = 64 -- events
local woken_at = 0

--- Errors of handlers and timers: each is told once, all are counted.
local told, told_count = {}, 0

local function on_error(message)
  local ok, text = pcall(tostring, message)
  message = ok and text or 'an error that cannot be shown'
  if told[message] or told_count == 10 then return end
  told[message], told_count = true, told_count + 1
  host.report('%s', message)
end

local function guarded(fn)
  local ok, message = pcall(fn)
  if not ok then on_error(message) end
end

--- Runs the user's file. Returns nil, or the exit status when there is nothing to run.
local function load_script()
  local ended = loading.run()
  if not ended then return nil end
  if ended.text then engine.write(1, ended.text) end
  if ended.message then host.report('%s', ended.message) end
  return ended.status
end

--- What the host needs to make a body: knobs, fields, and the plan as a file.
---@return string|nil problem the script asks for what the kernel cannot do
local function declare(source)
  local words = { source.schema.name }
  if record then record.want_all(source) end
  for _, sink in ipairs(source.sinks) do if sink.kernel and not record then words[2] = 'kernel' end end
  for name, value in pairs(source.knobs) do
    words[#words + 1], words[#words + 2], words[#words + 3] = 'knob', name, value
  end
  stages.add_fields(words, source)
  local problem = not record and stages.plan(source)
  if problem then return problem end
  local fd = source.plan and engine.memory(source.plan:encode())
  host.send_fd(fd, 'declare', unpack(words))
  if fd then engine.close(fd) end
end

--- Has all that the script looks at happened already? So it is with snapshots.
local function is_snapshot()
  for _, source in ipairs(stream.sources) do
    if source.schema.target ~= 'iterator' then return false end
  end
  return #stream.sources > 0
end

--- The host's answers to `ready`: for each plan whether it is accepted, then run: when the old
--- version stopped (0: there was none), up to where it has handled its records, the time, which is
--- before -c's command begins, the newest slot; slot and generation of each probe; state and counters' fds.
local function begin(message)
  if job.measure then explain.start() end
  local fds, stopped_ns, handled_until = message.fds, message[2], message[3]
  local first = stopped_ns > 0 and 2 or 1
  drain.know(message[5])
  for i, source in ipairs(stream.sources) do
    source.slot = message[4 + 2 * i]
    drain.count(source.slot, fds[first + i - 1])
    stages.begin(source, message[5 + 2 * i])
  end
  timers.start()
  if stopped_ns > 0 then
    local ok, problem = pcall(state.restore, assert(engine.read(fds[1])))
    if not ok then host.report('the old version\'s state could not be taken over: %s', tostring(problem)) end
  end
  job.running = true
  object.begin()
  host.send('running', stopped_ns > 0 and engine.monotonic() - stopped_ns or 0)
  drain.take_over(handled_until, on_error)
  if job.stop_at_once or is_snapshot() then mp.stop() end
end

local function finish()
  drain.know(nil)
  drain.all(on_error)
  own_rings.all(on_error)
  for _, fn in ipairs(mp._finally) do guarded(fn) end
  guarded(aggregate.print_rest)
  output.flush()
  own_rings.tell()
  if job.measure then explain.print() end
  return output.failed and 1 or 0
end

--- Hands over to a new version: what the ring holds is still ours, then the state goes up.
local function yield()
  local handled_until = drain.hand_over(on_error)
  own_rings.all(on_error)
  local stopped_ns = engine.monotonic()
  own_rings.tell()
  output.flush()
  local bytes, problems = state.save()
  if problems then host.report('not handed over to the new version: %s', problems) end
  local fd = engine.memory(bytes)
  host.send_fd(fd, 'state', stopped_ns, handled_until)
  engine.close(fd)
  local message
  repeat
    message = host.receive()
    if message and message[1] == 'ping' then host.send 'pong' end
  until not message or message[1] == 'resume' or message[1] == 'finish'
  if not message then return 0 end
  own_rings.resume()
  drain.know(message[2])
  drain.resume(on_error) -- the new version failed, or nothing comes of it
  if message[1] == 'finish' then return finish() end
end

local function turn()
  timers.run(guarded)
  -- A batch, then a look at the messages: the host wants its pings answered.
  local events, bytes = drain.once(on_error, drain.BATCH)
  local own_events, own_bytes = own_rings.once(on_error)
  events, bytes = events + own_events, bytes + own_bytes
  stages.follow_changes()
  if not output.flush() then mp.stop() end
  local wait = host.has_kept() and 0 or timers.wait_ms()
  local said
  if bytes >= math.min(drain.BATCH, job.ring_bytes / 4) then
    said = engine.wait(0, nil) -- there is more, or the ring fills fast
  elseif events >= BUSY or events > 0 and engine.monotonic() - woken_at < job.gather_busy_ms * 1e6 then
    said = engine.wait(math.min(wait >= 0 and wait or math.huge, job.gather_busy_ms), nil)
  else
    local woken
    said, woken = engine.wait(wait, job.ring_fd)
    if woken and not said and job.gather_quiet_ms > 0 then
      said = engine.wait(job.gather_quiet_ms, nil)
    end
    woken_at = engine.monotonic()
  end
  return said or host.has_kept()
end

--- The whole life; returns the exit status.
---@return integer
function life.live()
  output.muted = job.explain or job.record
  if replay then
    local problem = replay.open()
    if problem then
      host.report('%s', problem)
      return 2
    end
  end
  local status = load_script()
  if status then return status end
  if replay then return replay.live { guarded = guarded, on_error = on_error, finish = finish } end
  for _, source in ipairs(stream.sources) do
    local problem = declare(source)
    if problem then
      host.report('%s', problem)
      return 2
    end
  end
  local problem = not record and object.declare()
  if problem then
    host.report('%s', problem)
    return 2
  end
  if job.measure then explain.prepare() end
  host.send('ready')
  if job.permissions then require('moonprobe.permissions').print() end
  if job.check then return 0 end
  local message = host.receive()
  local answers = { stage = stages.answer, hooks = explain.hooks, maps = object.answer }
  while message and answers[message[1]] do
    answers[message[1]](message)
    message = host.receive()
  end
  if message and message[1] == 'finish' and job.explain then explain.print() end
  if not message or message[1] ~= 'run' then return 0 end
  if record then
    record.begin(message)
    return record.live()
  end
  -- Not before: the position in the ring is the old version's until now.
  drain.open(job.ring_fd, job.ring_bytes, job.cpus)
  begin(message)
  while true do
    if turn() then
      message = host.receive()
      if not message then return 1 end -- the host is gone
      if message[1] == 'finish' then return finish() end
      if message[1] == 'ping' then host.send 'pong' end
      if message[1] == 'resume' then drain.know(message[2]) end
      if message[1] == 'restaged' then stages.restaged(message) end
      if message[1] == 'hooks' then explain.hooks(message) end
      local status_of_yield = message[1] == 'yield' and yield()
      if status_of_yield then return status_of_yield end
    end
  end
end

return life
