-- SPDX-License-Identifier: Apache-2.0
--- Replay: a worker whose events come from a recording, on the recording's clock.
---
---   file --C: engine/player.h--> block --until the next timer--> drain loop --> handlers
---                                      `- the timer -'
---
--- The same script on the same file does the same, whenever and wherever: nothing here asks
--- the machine it runs on. With `speed` it waits as long as the events took, and does the same then.

local ffi = require 'ffi'
local drain = require 'moonprobe.drain'
local engine = require 'moonprobe.engine'
local fields = require 'moonprobe.fields'
local host = require 'moonprobe.host'
local inject = require 'moonprobe.inject'
local job = require 'moonprobe.job'
local output = require 'moonprobe.output'
local players = require 'moonprobe.player'
local recorded = require 'moonprobe.recorded'
local recording = require 'moonprobe.recording'
local stream = require 'moonprobe.stream'
local timers = require 'moonprobe.timers'

ffi.cdef 'long read(int fd, void *to, size_t bytes);'

local C = ffi.C
local OVER, CUT, BLOCK = players.OVER, players.CUT, players.BLOCK
local HEAD, NAMES, RECORDS, COUNTERS, END = players.HEAD, players.NAMES, players.RECORDS, players.COUNTERS, players.END
local NS_PER_MS = 1e6
local PORTION, LOOK_NS = 65536, 5e7 -- bytes between two looks at the real clock; time between two at messages

local replay = {}

local player
local counts = recorded.counts
local real_monotonic = engine.monotonic
local rows = {} -- [slot] = struct event_counters[cpus]
local ring
local playback, injection

--- What the command line says: speed=2,loss=1%,...
local function parse_playback(text)
  local words = {}
  for word in text:gmatch '[^,]+' do
    local name, value = word:match '^(%l+)=(.+)$'
    if not name then error(("'%s' is not like loss=1%%"):format(word), 0) end
    words[name] = value
  end
  playback = { speed = words.speed and tonumber(words.speed) or nil }
  if words.speed and not (playback.speed and playback.speed > 0 and playback.speed <= 1e6) then
    error(('--speed %s: not a number above 0'):format(words.speed), 0)
  end
  words.speed = nil
  injection = inject.parse(words)
end

--- Opens the file; from now on its machine is the script's. Returns what is wrong.
---@return string|nil problem
function replay.open()
  local ok, problem = pcall(parse_playback, job.playback)
  problem = not ok and problem or recorded.open()
  player = recorded.player
  return problem
end

--- The recorded probe that serves a source, if need be one with other knobs.
local function probe_of(source)
  local probe, has_knobs = recording.probe_for(recorded.head, source.schema.name, source.knobs)
  if has_knobs then return probe end
  local words = {}
  for name, value in pairs(probe.set) do words[#words + 1] = ('%s=%s'):format(name, tostring(value)) end
  table.sort(words)
  host.report('%s was recorded with other knobs than the script has: %s', source.schema.name,
    #words > 0 and table.concat(words, ', ') or 'none')
  return probe
end

--- Gives each source its events. Two sources may want those of one probe.
local function connect()
  local pipelines, pointers = {}, {}
  for _, source in ipairs(stream.sources) do
    local pipeline, probe = stream.pipeline(source), probe_of(source)
    local before = pipelines[probe.slot]
    source.slot = probe.slot
    pointers[probe.slot] = source.schema.pointer
    pipelines[probe.slot] = before and function(e, v)
      before(e, v)
      pipeline(e, v)
    end or pipeline
  end
  ring = C.player_ring(player)
  drain.feed(ring, recorded.head.cpus)
  for slot, pipeline in pairs(pipelines) do rows[slot] = drain.handle_recorded(slot, pointers[slot], pipeline) end
end

--- What the kernel had counted at that moment becomes what the script is told of losses.
local function apply_counters(text)
  local now_ns, list = recording.parse_counters(text)
  for _, one in pairs(counts) do one.events, one.lost_ring, one.lost_map, one.refused = 0, 0, 0, 0 end
  for _, one in ipairs(list) do
    local slot, cpu, sum = one[1], one[2], counts[one[1]]
    if not sum or cpu >= recorded.head.cpus then error('counters of no probe', 0) end
    sum.events, sum.lost_ring = sum.events + one[3], sum.lost_ring + one[4]
    sum.lost_map, sum.refused = sum.lost_map + one[5], sum.refused + one[6]
    local row = rows[slot] and rows[slot][cpu]
    if row then
      row.lost_ring = one[4] + (injection and injection:lost(slot, cpu) or 0)
      row.lost_map, row.refused = one[5], one[6]
    end
  end
  return now_ns
end

local life

--- Looks at the host's messages without waiting, or for so many ms. True when the run is to end.
local function asked_to_finish(wait_ms)
  while engine.wait(wait_ms or 0, nil) or host.has_kept() do
    local message = host.receive()
    if not message then return true end
    if message[1] == 'finish' then
      replay.finished = true
      return true
    end
    if message[1] == 'ping' then host.send 'pong' end
    wait_ms = 0
  end
  return job.stopping
end

local began_real_ns

--- Up to when events may be shown: the next timer, or what the real clock allows.
local function limit_of(due)
  if not playback.speed then return due end
  local allowed = recorded.head.started_ns + (real_monotonic() - began_real_ns) * playback.speed
  return math.min(due, allowed)
end

--- With a speed: waits for the real clock, until `ns` at most. True when the run is to end.
local function wait_until(ns)
  local due_real = began_real_ns + (ns - recorded.head.started_ns) / playback.speed
  return asked_to_finish(math.min(100, math.max(0, math.ceil((due_real - real_monotonic()) / NS_PER_MS))))
end

local function run_timers(at)
  recorded.passed_ns = math.max(engine.monotonic(), at)
  timers.run(life.guarded)
end

local STDERR = 2
local steps = 1 -- until it waits again

--- A line from the descriptor of --step; nil at its end. Gives way to the host's messages.
---@return string|nil line
---@return boolean? ended the run is to end
local function read_step()
  local line, byte = {}, ffi.new 'char[1]'
  while true do
    local ok, said, ready = pcall(engine.wait, -1, job.steps_fd) -- not ok: it need not be waited for
    if ok and said and asked_to_finish() then return nil, true end
    if not ok or ready then
      if C.read(job.steps_fd, byte, 1) ~= 1 then return nil end
      if byte[0] == 10 then return table.concat(line) end
      line[#line + 1] = string.char(byte[0])
    end
  end
end

--- With --step: shows what the last event did, and waits for a line: empty: one event more, a number:
--- so many, q: the end. The end of the input: goes on without waiting. True: the run is to end.
local function step()
  steps = steps - 1
  if steps > 0 then return false end
  output.flush()
  engine.write(STDERR, ('-- %.6f s; Enter, a number of events, or q: '):format(
    (engine.monotonic() - recorded.head.started_ns) / 1e9))
  local line, ended = read_step()
  steps = line and math.max(1, tonumber(line) or 1) or math.huge
  return ended or line == 'q'
end

local portion, last_look_ns = 1, 0

--- Handles what the ring has been given. The host wants its pings answered meanwhile, also when
--- handlers are slow. True: the user ends the run.
local function handle()
  while job.steps_fd and C.ring_reserved(ring) > 0 do
    drain.once(life.on_error, 1)
    if step() then return true end
  end
  while C.ring_reserved(ring) > 0 do
    local began = real_monotonic()
    drain.once(life.on_error, portion)
    local now = real_monotonic()
    -- Down to a record at a time, and back: the machine may have been busy with others.
    portion = now - began > LOOK_NS and math.max(1, portion / 8) or math.min(PORTION, portion * 2)
    if now - last_look_ns > LOOK_NS then
      last_look_ns = now
      asked_to_finish()
      if replay.finished then return true end
    end
  end
end

--- Handles what the ring is given of a block, and the timers in between. True: the run is to end.
local function run_block()
  repeat
    local due = timers.next_at() or math.huge
    local limit = limit_of(due)
    if job.steps_fd then limit = math.min(limit, C.player_next_ns(player) + 1) end
    C.player_until(player, limit)
    if handle() or not output.flush() then return true end
    if asked_to_finish() then return true end
    local done = C.player_is_done(player) ~= 0
    if not done and limit < due then
      if playback.speed and wait_until(math.min(due, C.player_next_ns(player))) then return true end
    elseif not done then
      run_timers(due)
    end
  until done
  C.player_now(player) -- the clock has seen all of it
end

--- No more events: the timers until the recording's end.
local function run_rest(end_ns)
  while (timers.next_at() or math.huge) <= end_ns do
    local due = timers.next_at()
    while limit_of(due) < due do
      if wait_until(due) then return end
    end
    run_timers(due)
    if not output.flush() or asked_to_finish() then return end
  end
  recorded.passed_ns = math.max(engine.monotonic(), end_ns)
end

local function load_records()
  if C.player_load(player) == 0 then error('records that cannot be', 0) end
  if not injection then return end
  local bytes = injection:change(C.player_bytes(player), tonumber(C.player_size(player)), recorded.head)
  for slot, cpu, lost in injection:each_lost() do
    if rows[slot] then rows[slot][cpu].lost_ring = rows[slot][cpu].lost_ring + lost end
  end
  C.player_load_bytes(player, bytes, #bytes)
end

--- One block. True: there is nothing more to do.
local function take_block(kind)
  if kind == RECORDS then
    load_records()
    return run_block()
  elseif kind == NAMES then
    for _, one in ipairs(recording.parse_names(recorded.text_of_block())) do fields.remember(one[1], one[2], one[3]) end
  elseif kind == COUNTERS then
    apply_counters(recorded.text_of_block())
  elseif kind == END then
    replay.complete = true
    run_rest(apply_counters(recorded.text_of_block()))
    return true
  elseif kind == HEAD then
    error('a second head', 0)
  end
end

--- All blocks, until the end or what is wrong.
local function play()
  while not job.stopping do
    local state = C.player_next(player)
    if state ~= BLOCK then
      replay.complete = false
      replay.problem = recorded.problem_of(state)
        or ('has no end; it was cut off at byte %.0f'):format(C.player_position(player))
      replay.damaged = state ~= OVER and state ~= CUT
      return
    end
    local ok, over = pcall(take_block, C.player_kind(player))
    if not ok then
      replay.problem, replay.damaged = ('is damaged before byte %.0f: %s'):format(
        C.player_position(player), tostring(over)), true
      return
    end
    if over or asked_to_finish() then return end
  end
end

--- For the host's summary: there are no counters it could read.
local function tell_totals()
  for slot, probe_rows in pairs(rows) do
    local sum, name = drain.totals(slot), nil
    local lost = { ring = 0, map = 0, refused = 0 }
    for cpu = 0, recorded.head.cpus - 1 do
      lost.ring = lost.ring + tonumber(probe_rows[cpu].lost_ring)
      lost.map = lost.map + tonumber(probe_rows[cpu].lost_map)
      lost.refused = lost.refused + tonumber(probe_rows[cpu].refused)
    end
    for _, probe in ipairs(recorded.head.probes) do if probe.slot == slot then name = probe.name end end
    local unhandled = replay.complete and counts[slot].events > sum.received + lost.ring
      and counts[slot].events - sum.received - lost.ring or 0
    host.send('total', name, sum.events + unhandled, sum.received, sum.failed, lost.ring, lost.map, lost.refused,
      unhandled)
  end
end

--- What the script was given, against what the kernel had counted.
local function tell_truth()
  local handled, happened = 0, 0
  for slot in pairs(rows) do
    local one, received = counts[slot], drain.totals(slot).received
    handled = handled + received
    happened = happened + math.max(one.events, received) + one.lost_map + one.refused
  end
  host.report('%s', injection:report(require('moonprobe').completeness().ratio, handled, happened))
end

--- The script is loaded: replays. Returns the exit status.
---@param functions { guarded: function, on_error: function, finish: function } of stdlib/life.lua
function replay.live(functions)
  life = functions
  host.send 'ready'
  local message = host.receive()
  if not message or message[1] ~= 'run' then return 0 end
  connect()
  timers.start()
  job.running = true
  began_real_ns = real_monotonic()
  host.send('running', 0)
  if not job.stop_at_once then play() end
  if not job.stopping then host.send 'stop' end
  while not replay.finished do
    message = host.receive()
    if not message then return 1 end
    replay.finished = message[1] == 'finish'
    if message[1] == 'ping' then host.send 'pong' end
  end
  local status = life.finish()
  tell_totals()
  if replay.problem then host.report('%s', recorded.name_of_file(('%s; %s up to there'):format(
    replay.problem, recorded.shows and 'shown' or 'replayed'))) end
  if injection then tell_truth() end
  return replay.damaged and 1 or status
end

return replay
