-- SPDX-License-Identifier: Apache-2.0
--- Player: a recording opened to be replayed (engine/player.h): its head read, its probes known to
--- the C side, which checks every record before Lua sees it. Whoever reads on takes block after block.

local ffi = require 'ffi'
local recording = require 'moonprobe.recording'

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
void player_close(struct player *player);
char *strerror(int number);
]]

local C = ffi.C

local player = {
  HEAD = 1, NAMES = 2, RECORDS = 3, COUNTERS = 4, END = 5, -- enum recording_kind
  BLOCK = 0, OVER = 1, CUT = 2, DAMAGED = 3, FOREIGN = 4, -- enum recording_state
}

--- The text of the block at hand.
---@param self ffi.cdata* struct player *
---@return string
function player.text(self) return ffi.string(C.player_bytes(self), C.player_size(self)) end

--- What is wrong with a file where it stopped to be readable before its end.
---@param self ffi.cdata*
---@param state integer
---@return string
function player.problem(self, state)
  local at = ('%.0f'):format(C.player_position(self))
  if state == player.CUT then return 'is cut off in the block at byte ' .. at end
  if state == player.DAMAGED then return 'is damaged in the block at byte ' .. at end
  if state == player.FOREIGN then return 'was made on a machine of the other byte order' end
  if state == player.OVER then return 'has no end; it was cut off at byte ' .. at end
  return 'cannot be read: ' .. ffi.string(C.strerror(ffi.errno()))
end

local function problem_of_head(self, state)
  if state == player.CUT then return 'is cut off in its head, or no recording' end
  return state > player.DAMAGED and player.problem(self, state) or 'is no recording of moonprobe'
end

--- Opens a recording: the player, and the head (stdlib/recording.lua).
---@param fd integer must stay open as long as the player is used
---@return ffi.cdata*|nil player
---@return table|string head or what is wrong
function player.open(fd)
  local self = C.player_open(fd)
  if self == nil then return nil, 'no memory to read it' end
  ffi.gc(self, C.player_close)
  local state = C.player_next(self)
  if state ~= player.BLOCK or C.player_kind(self) ~= player.HEAD then return nil, problem_of_head(self, state) end
  local head, problem = recording.parse_head(player.text(self))
  if not head then return nil, problem end
  if head.byte_order ~= (ffi.abi 'le' and 'little' or 'big') then return nil, player.problem(self, player.FOREIGN) end
  if head.word_bytes ~= ffi.sizeof 'void *' then
    return nil, ('was made on a machine of %d bits'):format(8 * head.word_bytes)
  end
  C.player_cpus(self, head.cpus)
  for _, probe in ipairs(head.probes) do
    if C.player_probe(self, probe.slot, probe.bytes, probe.time_offset) ~= 0 then
      return nil, ('probe %s: its events cannot be so'):format(probe.name)
    end
  end
  return self, head
end

return player
