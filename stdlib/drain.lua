-- SPDX-License-Identifier: Apache-2.0
--- Drain: the loop that takes events out of the mapped ring and gives them to handlers.
---
---   ring (C: engine/ring.h) -> record -> handlers[header.slot](event)
---
--- Everything in the inner loop is Lua, so the trace compiler turns loop, decoding and the
--- user's handler into one piece of machine code. A handler that raises costs its event
--- only: the cursor says where it was.

local ffi = require 'ffi'
local bit = require 'bit'
local engine = require 'moonprobe.engine'
require 'moonprobe.schema' -- for the structs of record.h

ffi.cdef [[
struct ring {
  unsigned char *data;
  uint64_t mask;
  uint64_t position;
  uint64_t *handled;
};
size_t ring_ready(const struct ring *ring, size_t at_most);
void ring_release(struct ring *ring, size_t bytes);
void ring_resume(struct ring *ring);
size_t ring_reserved(const struct ring *ring);
]]

local band, rshift = bit.band, bit.rshift
local C = ffi.C

-- Bytes between two releases: stays in the cache, and does not starve the kernel. Around a
-- batch the interpreter runs for some microseconds.
local BATCH = 262144
local DISCARDED = 0x40000000

local record_pointer = ffi.typeof 'const struct ring_record *'
local header_pointer = ffi.typeof 'const struct event_header *'
local counters_pointer = ffi.typeof 'struct event_counters *'

local drain = { BATCH = BATCH, FOREIGN = 256 }

local ring, cpus
local replayed = false -- counters of the kernel are of the past
local handlers = {} -- [slot] = function(pointer to the event)
local counters = {} -- [slot] = struct event_counters[cpus]
local mine = {} -- [slot][generation] = handler of what stages of this version have judged

-- Slots are given in turn (engine/kernel_side.h): one behind all of ours is of a probe that the next version
-- uses and we do not. Its bodies run already, we are asked to hand over within milliseconds, and what they
-- send is not ours to drop. When nothing comes of that version the host says so, and it is nobody's.
local newest
local function is_next_versions(slot) return newest and band(slot - newest - 1, 255) < 128 end

--- Maps the script's ring.
---@return ffi.cdata* struct ring *
function drain.open(ring_fd, ring_bytes, possible_cpus)
  ring = ffi.cast('struct ring *', assert(engine.ring(ring_fd, ring_bytes)))
  cpus = possible_cpus
  return ring
end

--- Takes events from what looks like a ring, and counts in memory of its own: a recording's.
---@param like_ring ffi.cdata* struct ring *
---@param possible_cpus integer of the machine it was made on
function drain.feed(like_ring, possible_cpus)
  ring, cpus, replayed = like_ring, possible_cpus, true
end

--- Gives the events of a recorded slot to a handler; no stage has judged them.
---@param slot integer
---@param pointer ffi.ctype* of a pointer to the event
---@param handler fun(event, verdict: integer)
---@return ffi.cdata* struct event_counters[cpus]
function drain.handle_recorded(slot, pointer, handler)
  counters[slot] = ffi.new('struct event_counters[?]', cpus)
  handlers[slot] = function(header) return handler(ffi.cast(pointer, header), 256) end
  return counters[slot]
end

--- Makes a slot known: its counters. Handlers come with drain.handle().
---@param slot integer
---@param counters_fd integer is closed
---@return ffi.cdata* struct event_counters[cpus]
function drain.count(slot, counters_fd)
  local rows = assert(engine.map(counters_fd, ffi.sizeof('struct event_counters') * cpus))
  counters[slot] = ffi.cast(counters_pointer, rows)
  engine.close(counters_fd)
  mine[slot] = {}
  return counters[slot]
end

--- All slots up to this one, of those given in turn, are ours or nobody's; nil: all there are.
---@param newest_slot integer|nil
function drain.know(newest_slot) newest = newest_slot end

--- Gives the events of a slot to a handler, with the verdict of the stages that judged them;
--- those of other versions' stages with drain.FOREIGN and their generation, those of earlier stages
--- of this version to the handler they had.
---@param slot integer
---@param generation integer|nil of the body with these stages; nil: of one that decides nothing
---@param pointer ffi.ctype* of a pointer to the event
---@param handler fun(event, verdict: integer)
function drain.handle(slot, generation, pointer, handler)
  local by_generation = mine[slot]
  handlers[slot] = function(header)
    if header.generation == generation then
      return handler(ffi.cast(pointer, header), rshift(header.stamp, 24))
    end
    local earlier = by_generation[header.generation]
    if earlier then return earlier(ffi.cast(pointer, header), rshift(header.stamp, 24)) end
    return handler(ffi.cast(pointer, header), drain.FOREIGN + header.generation)
  end
  if generation then by_generation[generation] = handler end
end

-- Where the drain is: kept outside the loop, for a handler that raises leaves the loop.
local cursor = ffi.new [[ struct {
  uint32_t offset, stop; // of the batch at hand: the next record, the end
  uint64_t base;         // position in the ring of offset 0
  uint32_t bytes;        // its length, to be released when it is done
  uint32_t slot;         // of the event that is being handled
  uint32_t events;       // handled in this turn
  uint32_t done;         // bytes of finished batches in this turn
} ]]

--- Handles finished records, batch by batch, until `limit` bytes are done or none is finished.
local function batches(limit)
  local data, mask, handled = ring.data, ring.mask, ring.handled
  while true do
    local offset, stop, base, events = cursor.offset, cursor.stop, cursor.base, 0
    while offset < stop do
      local record = ffi.cast(record_pointer, data + offset)
      local length = record.length
      local following = offset + band(band(length, 0x3fffffff) + 15, -8)
      if band(length, DISCARDED) == 0 then
        local header = ffi.cast(header_pointer, data + offset + 8)
        local slot = header.slot
        local handler = handlers[slot]
        if handler then
          handled[0] = base + following -- before the handler: whatever it does, the event is done
          cursor.slot = slot
          local row = counters[slot][header.cpu]
          row.received = row.received + 1
          events = events + 1
          handler(header)
        elseif is_next_versions(slot) then
          local bytes = tonumber(base + offset - ring.position)
          if bytes > 0 then C.ring_release(ring, bytes) end
          cursor.events, cursor.done = cursor.events + events, cursor.done + bytes
          return
        end -- else: of a probe that the last version of the script used
      end
      offset = following
    end
    cursor.events = cursor.events + events
    if cursor.bytes > 0 then
      C.ring_release(ring, cursor.bytes)
      cursor.done = cursor.done + cursor.bytes
    end
    cursor.bytes, cursor.stop = 0, 0
    if cursor.done >= limit then return end
    local bytes = tonumber(C.ring_ready(ring, math.min(BATCH, limit - cursor.done)))
    if bytes == 0 then return end
    cursor.bytes = bytes
    cursor.offset = tonumber(band(ring.position, mask))
    cursor.stop = cursor.offset + bytes
    cursor.base = ring.position - cursor.offset
  end
end

--- What a slot's probe has seen, lost and handled so far, over all CPUs: `events` happened,
--- `lost` of them never reached the ring.
---@return { events: number, received: number, failed: number, lost: number }
function drain.totals(slot)
  local sum = { events = 0, received = 0, failed = 0, lost = 0 }
  for cpu = 0, cpus - 1 do
    local row = counters[slot][cpu]
    local events = replayed and row.received + row.lost_ring or row.events
    sum.events = sum.events + tonumber(events + row.lost_map + row.refused)
    sum.received = sum.received + tonumber(row.received)
    sum.failed = sum.failed + tonumber(row.failed)
    sum.lost = sum.lost + tonumber(row.lost_ring + row.lost_map + row.refused)
  end
  return sum
end

--- Handles what is finished, at most `at_most` bytes; returns events and bytes. What comes
--- meanwhile is left: running after a fast kernel would make batches of ten events each.
---@param on_error fun(message: string) a handler raised
---@param at_most number|nil
---@return integer events
---@return integer bytes
function drain.once(on_error, at_most)
  local limit = math.min(at_most or math.huge, tonumber(C.ring_reserved(ring)))
  cursor.offset, cursor.stop, cursor.bytes, cursor.events, cursor.done = 0, 0, 0, 0, 0
  while true do
    local ok, message = pcall(batches, limit)
    if ok then return cursor.events, cursor.done end
    local row = counters[cursor.slot][0]
    row.failed = row.failed + 1
    cursor.offset = tonumber(ring.handled[0] - cursor.base)
    on_error(message)
  end
end

--- Handles everything the kernel has reserved by now, also what it is still writing.
function drain.all(on_error)
  local left = tonumber(C.ring_reserved(ring))
  local give_up = engine.monotonic() + 1e8 -- a record is written within microseconds
  while left > 0 and engine.monotonic() < give_up do
    local _, done = drain.once(on_error, left)
    left = left - done
  end
end

--- Looks at every finished record up to a position, in order. `choose` says of each whether it
--- is handled, left in the ring, or neither. Once one is left, the ring keeps all that follow.
---@param stop number position in the ring
---@param choose fun(is_mine: boolean): 'handle'|'leave'|'skip'
---@return number position up to which records were looked at
local function walk(stop, choose, on_error)
  local start = tonumber(ring.position)
  local give_up = engine.monotonic() + 1e8
  local ready
  repeat
    ready = tonumber(C.ring_ready(ring, stop - start))
  until ready >= stop - start or engine.monotonic() > give_up
  local offset, left = 0, nil
  local base = ring.data + tonumber(band(ring.position, ring.mask))
  while offset < ready do
    local length = ffi.cast(record_pointer, base + offset).length
    local following = offset + band(band(length, 0x3fffffff) + 15, -8)
    if band(length, DISCARDED) == 0 then
      local header = ffi.cast(header_pointer, base + offset + 8)
      local slot = header.slot
      local choice = choose(mine[slot] ~= nil and mine[slot][header.generation] ~= nil)
      if choice == 'leave' then
        left = left or offset
      elseif choice == 'handle' and handlers[slot] then
        if not left then ring.handled[0] = start + following end
        local row = counters[slot][header.cpu]
        row.received = row.received + 1
        local ok, message = pcall(handlers[slot], header)
        if not ok then
          row.failed = row.failed + 1
          on_error(message)
        end
      end
    end
    offset = following
  end
  C.ring_release(ring, left or ready)
  return start + ready
end

--- Handles what stages of this version have let through, and leaves the rest of what the ring
--- holds now to the next version.
---@return number handled_until position in the ring
function drain.hand_over(on_error)
  drain.handled_until = walk(tonumber(ring.position) + tonumber(C.ring_reserved(ring)), function(is_mine)
    return is_mine and 'handle' or 'leave'
  end, on_error)
  return drain.handled_until
end

--- Goes on where the last version has left the ring: up to `handled_until` it has handled its own.
function drain.take_over(handled_until, on_error)
  if handled_until <= tonumber(ring.position) then return end
  walk(handled_until, function(is_mine) return is_mine and 'handle' or 'skip' end, on_error)
end

--- Goes on after hand_over(), because the next version has failed.
function drain.resume(on_error)
  C.ring_resume(ring)
  if drain.handled_until <= tonumber(ring.position) then return end
  walk(drain.handled_until, function(is_mine) return is_mine and 'skip' or 'handle' end, on_error)
end

return drain
