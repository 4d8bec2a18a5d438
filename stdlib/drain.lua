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

local band = bit.band
local C = ffi.C

-- Bytes between two releases: stays in the cache, and does not starve the kernel. Around a
-- batch the interpreter runs for some microseconds.
local BATCH = 262144
local DISCARDED = 0x40000000

local record_pointer = ffi.typeof 'const struct ring_record *'
local header_pointer = ffi.typeof 'const struct event_header *'
local counters_pointer = ffi.typeof 'struct event_counters *'

local drain = { BATCH = BATCH }

local ring, cpus
local handlers = {} -- [slot] = function(pointer to the event)
local counters = {} -- [slot] = struct event_counters[cpus]

--- Maps the script's ring.
function drain.open(ring_fd, ring_bytes, possible_cpus)
  ring = ffi.cast('struct ring *', assert(engine.ring(ring_fd, ring_bytes)))
  cpus = possible_cpus
end

--- Gives the events of a slot to a handler.
---@param slot integer
---@param pointer ffi.ctype* of a pointer to the event
---@param handler fun(event)
---@param counters_fd integer
function drain.handle(slot, pointer, handler, counters_fd)
  local rows = assert(engine.map(counters_fd, ffi.sizeof('struct event_counters') * cpus))
  counters[slot] = ffi.cast(counters_pointer, rows)
  engine.close(counters_fd)
  handlers[slot] = function(header) return handler(ffi.cast(pointer, header)) end
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
        handled[0] = base + following -- before the handler: whatever it does, the event is done
        cursor.slot = slot
        if handler then
          local row = counters[slot][header.cpu]
          row.received = row.received + 1
          events = events + 1
          handler(header)
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
    sum.events = sum.events + tonumber(row.events + row.lost_map + row.refused)
    sum.received = sum.received + tonumber(row.received)
    sum.failed = sum.failed + tonumber(row.failed)
    sum.lost = sum.lost + tonumber(row.lost_ring + row.lost_map + row.refused)
  end
  return sum
end

--- Goes on where another version has left the ring.
function drain.resume()
  C.ring_resume(ring)
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

return drain
