-- SPDX-License-Identifier: Apache-2.0
--- Recorded: a recording in the place of the machine: its probes, its clock, what it calls things.

local ffi = require 'ffi'
local engine = require 'moonprobe.engine'
local fields = require 'moonprobe.fields'
local host = require 'moonprobe.host'
local job = require 'moonprobe.job'
local nearest = require 'moonprobe.nearest'
local recording = require 'moonprobe.recording'
local schema = require 'moonprobe.schema'
require 'moonprobe.drain' -- for struct ring

ffi.cdef [[
struct player;
struct player *player_open(int fd);
int player_probe(struct player *player, uint32_t slot, uint32_t event_bytes, uint32_t time_offset);
void player_cpus(struct player *player, uint32_t cpus);
int player_next(struct player *player);
int player_kind(const struct player *player);
const char *player_bytes(const struct player *player);
size_t player_size(const struct player *player);
double player_position(const struct player *player);
int player_load(struct player *player);
int player_load_bytes(struct player *player, const void *bytes, size_t size);
size_t player_until(struct player *player, double ns);
int player_is_done(const struct player *player);
double player_next_ns(const struct player *player);
double player_now(struct player *player);
struct ring *player_ring(struct player *player);
char *strerror(int number);
]]

local C = ffi.C
local HEAD = 1 -- enum recording_kind
local BLOCK, OVER, CUT, DAMAGED, FOREIGN = 0, 1, 2, 3, 4 -- enum recording_state

local recorded = {
  player = nil, -- struct player *
  head = nil, -- of stdlib/recording.lua
  counts = {}, -- [slot] = { events, lost_ring, lost_map, refused }, as counted by the kernel
  passed_ns = 0, -- up to where timers have been told the time
}

local player

--- The text of the block at hand.
function recorded.text_of_block() return ffi.string(C.player_bytes(player), C.player_size(player)) end

--- What is wrong with the file where it stopped to be readable; nil: nothing.
function recorded.problem_of(state)
  local at = ('%.0f'):format(C.player_position(player))
  if state == CUT then return 'is cut off in the block at byte ' .. at end
  if state == DAMAGED then return 'is damaged in the block at byte ' .. at end
  if state == FOREIGN then return 'was made on a machine of the other byte order' end
  if state ~= OVER then return 'cannot be read: ' .. ffi.string(C.strerror(ffi.errno())) end
end

--- What is said of the file begins with its name.
function recorded.name_of_file(text) return ('%s: %s'):format(job.recording, text) end

local function fail(text) error(recorded.name_of_file(text), 0) end

local function open_head()
  player = C.player_open(job.recording_fd)
  recorded.player = player
  if player == nil then error('no memory for the player', 0) end
  local state = C.player_next(player)
  if state == FOREIGN then fail(recorded.problem_of(state)) end
  if state ~= BLOCK or C.player_kind(player) ~= HEAD then
    fail(state == CUT and 'is cut off in its head, or no recording'
      or state > DAMAGED and recorded.problem_of(state) or 'is no recording of moonprobe')
  end
  local head, problem = recording.parse_head(recorded.text_of_block())
  if not head then fail(problem) end
  if head.byte_order ~= (ffi.abi 'le' and 'little' or 'big') then fail(recorded.problem_of(FOREIGN)) end
  if head.word_bytes ~= ffi.sizeof 'void *' then
    fail(('was made on a machine of %d bits'):format(8 * head.word_bytes))
  end
  if head.architecture ~= recording.machine() then
    host.report('%s was recorded on %s; errors and signals have the names of this machine', job.recording,
      head.architecture)
  end
  C.player_cpus(player, head.cpus)
  for _, probe in ipairs(head.probes) do
    if C.player_probe(player, probe.slot, probe.bytes, probe.time_offset) ~= 0 then
      fail(('probe %s: its events cannot be so'):format(probe.name))
    end
    recorded.counts[probe.slot] = { events = 0, lost_ring = 0, lost_map = 0, refused = 0 }
  end
  recorded.head = head
end

local function names_of_probes()
  local names = {}
  for i, probe in ipairs(recorded.head.probes) do names[i] = probe.name end
  return names
end

--- A probe as it was recorded.
local function recorded_probe(name)
  for _, probe in ipairs(recorded.head.probes) do
    if probe.name == name then return probe.known or probe end
  end
  local names = names_of_probes()
  local near = nearest(name, names)
  return nil, ("%s has no probe '%s'%s"):format(job.recording, name,
    near and ("; did you mean '%s'?"):format(near) or '; it has ' .. table.concat(names, ', '))
end

--- Opens the file, and makes its clock and its probes those of the script. Returns what is wrong.
---@return string|nil problem
function recorded.open()
  local ok, problem = pcall(open_head)
  if not ok then return problem end
  local head = recorded.head
  recorded.passed_ns = head.started_ns
  -- The script reads these, whatever it calls them.
  engine.monotonic = function()
    return math.max(recorded.passed_ns, C.player_now(player))
  end
  engine.realtime = function() return engine.monotonic() + head.realtime_offset_ns end
  schema.recorded = function(name)
    local probe, message = recorded_probe(name)
    if probe then return probe end
    return nil, message
  end
  fields.forget_names()
  ok, problem = pcall(function()
    for _, probe in ipairs(head.probes) do assert(schema.of(probe.name)) end
  end)
  if not ok then return recorded.name_of_file(problem) end
end

return recorded
