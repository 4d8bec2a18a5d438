-- SPDX-License-Identifier: Apache-2.0
--- Playback: a recording (moonprobe record) as the events of a run.
---
---   file -> engine/player.h: checked -> struct of this version -> move(time), take() of the run
---
--- The run's clock stands where it stood when the recording begins, so times are the same on
--- every day. Events are those of the probes as they are now: fields are found by name.

local ffi = require 'ffi'
local bit = require 'bit'
local blame = require 'moonprobe.blame'
local engine = require 'moonprobe.engine'
local fields = require 'moonprobe.fields'
local host = require 'moonprobe.host'
local nearest = require 'moonprobe.nearest'
local player = require 'moonprobe.player'
local recording = require 'moonprobe.recording'

local playback = {}

local C = ffi.C
local RECORD_BYTES = 8 -- struct ring_record

--- A descriptor of the file, beside the test or on the search path; nil: there is none.
local function open(name)
  host.send('recording', name)
  local kept, reply = {}, host.receive()
  while reply and reply[1] ~= 'recording' do
    kept[#kept + 1] = reply
    reply = host.receive()
  end
  for _, message in ipairs(kept) do host.keep(message) end
  return reply and reply.fds[1]
end

--- What of a recorded event goes where in this version's: { from, to, bytes }...
local function copies_of(recorded, own)
  local by_name, copies = {}, {}
  for _, field in ipairs(recorded.fields) do by_name[field.name] = field end
  for _, field in ipairs(own.fields) do
    local was = by_name[field.name]
    if was then
      local same = was.kind == field.kind and was.element_bytes == field.element_bytes
        and was.elements == field.elements
      if not same and not (was.kind == 'c' and field.kind == 'c') then
        blame('%s: field %s was recorded as something else than it is now', own.name, field.name)
      end
      copies[#copies + 1] = { was.offset, field.offset, math.min(was.bytes, field.bytes) }
    end
  end
  return copies
end

--- Who gets the events of a slot: { [slot] = { source, copies, type }... }.
local function connect(self, run, name)
  local names, ways = {}, {}
  for i, probe in ipairs(self.head.probes) do names[i] = probe.name end
  for _, source in ipairs(run.version.sources) do
    local schema = source.schema
    local probe, has_knobs = recording.probe_for(self.head, schema.name, source.knobs)
    if not probe then
      local near = nearest(schema.name, names)
      blame("%s has no probe '%s'%s", name, schema.name,
        near and ("; did you mean '%s'?"):format(near) or '; it has ' .. table.concat(names, ', '))
    end
    if not has_knobs then
      run:note(('%s: %s was recorded with other knobs than the script has'):format(name, schema.name))
    end
    ways[probe.slot] = ways[probe.slot] or {}
    table.insert(ways[probe.slot], { source = source, copies = copies_of(probe.known or probe, schema),
      type = schema.struct })
  end
  return ways
end

--- The events of a block of records, each at its time.
local function feed_records(self, run)
  if C.player_load(self.player) == 0 then error('records that cannot be', 0) end
  local bytes, size, at = C.player_bytes(self.player), tonumber(C.player_size(self.player)), 0
  while at < size and not run:stopped() do
    local length = ffi.cast('const struct ring_record *', bytes + at).length
    local event = bytes + at + RECORD_BYTES
    for _, way in ipairs(self.ways[ffi.cast('const struct event_header *', event).slot] or {}) do
      local made = ffi.new(way.type)
      local to = ffi.cast('char *', made)
      for _, copy in ipairs(way.copies) do
        local count = math.min(copy[3], length - copy[1])
        if count > 0 then ffi.copy(to + copy[2], event + copy[1], count) end
      end
      local ns = math.max(0, tonumber(made._time_ns) - self.head.started_ns) + self.began_ns
      made._time_ns = ns
      run:move(ns)
      run:give(way.source, made)
    end
    at = at + bit.band(RECORD_BYTES + length + 7, bit.bnot(7))
  end
end

--- What was lost since the counters before. Returns when that was.
local function lose(self, run)
  local now_ns, rows = recording.parse_counters(player.text(self.player))
  for _, row in ipairs(rows) do
    local slot, place = row[1], row[1] .. ' ' .. row[2]
    local lost = row[4] + row[5] + row[6]
    for _, way in ipairs(self.ways[slot] or {}) do
      run:count_lost(way.source.schema.name, math.max(0, lost - (self.lost[place] or 0)))
    end
    self.lost[place] = lost
  end
  return now_ns
end

--- One block; true when it was the last.
local function take_block(self, run)
  local kind = C.player_kind(self.player)
  if kind == player.RECORDS then
    feed_records(self, run)
  elseif kind == player.NAMES then
    for _, one in ipairs(recording.parse_names(player.text(self.player))) do
      fields.remember(one[1], one[2], one[3])
    end
  elseif kind == player.COUNTERS then
    lose(self, run)
  elseif kind == player.END then
    run:move(self.began_ns + math.max(0, lose(self, run) - self.head.started_ns))
    return true
  elseif kind == player.HEAD then
    error('a second head', 0)
  end
end

--- What is wrong with the file where it ends early; nil: nothing.
local function play(self, run)
  while not run:stopped() do
    local state = C.player_next(self.player)
    if state ~= player.BLOCK then return player.problem(self.player, state) end
    local ok, over = pcall(take_block, self, run)
    if not ok then
      return ('is damaged before byte %.0f: %s'):format(C.player_position(self.player), tostring(over))
    end
    if over then return nil end
  end
end

--- Feeds a recording to a run. What is wrong with the file's start raises; what comes later is
--- one of the run's errors, and what was before is fed.
---@param run moonprobe.Run
---@param name string NAME.rec, beside the test or on the search path
function playback.feed(run, name)
  if type(name) ~= 'string' or name:sub(-4) ~= '.rec' or name:find '%z' then
    blame('replay: needs a recording, NAME.rec')
  end
  local fd = open(name)
  if not fd then blame('replay: no %s beside the test or on the search path (-I)', name) end
  local opened, head = player.open(fd)
  if not opened then
    engine.close(fd)
    blame('%s: %s', name, head)
  end
  local self = { player = opened, head = head, began_ns = run:now(), lost = {} }
  local ok, problem = pcall(function()
    self.ways = connect(self, run, name)
    return play(self, run)
  end)
  engine.close(fd)
  if not ok then error(problem, 0) end
  if problem then run:note(('%s: %s; replayed up to there'):format(name, problem)) end
end

return playback
