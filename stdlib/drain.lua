-- SPDX-License-Identifier: Apache-2.0
--- Drain: the loop that takes events out of the mapped ring and gives them to handlers.
---
---   ring (C: engine/ring.h) -> record -> handlers[record.probe](event)
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

local failed_at, failed_slot -- where the handler that raised was

--- Maps the script's ring.
function drain.open(ring_fd, ring_bytes, possible_cpus)
  ring = ffi.cast('struct ring *', assert(engine.ring(ring_fd, ring_bytes)))
  cpus = possible_cpus
  for slot = 0, 255 do handlers[slot] = false end
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

local cursor = ffi.new('struct { uint32_t offset; uint32_t length; uint32_t slot; }')

--- Handles `bytes` finished bytes that start at `offset` of the ring; returns the events.
local function batch(data, offset, bytes)
  local stop, events = offset + bytes, 0
  while offset < stop do
    local record = ffi.cast(record_pointer, data + offset)
    local length = record.length
    local following = offset + band(band(length, 0x3fffffff) + 15, -8)
    if band(length, DISCARDED) == 0 then
      local header = ffi.cast(header_pointer, data + offset + 8)
      local slot = header.probe
      cursor.offset, cursor.slot = following, slot
      local handler = handlers[slot]
      if handler then
        local row = counters[slot][header.cpu]
        row.received = row.received + 1
        handler(header)
        events = events + 1
      end -- else: of a probe that the last version of the script used
    end
    offset = following
  end
  return events
end

--- A batch, whatever its handlers raise.
local function guarded_batch(offset, bytes, on_error)
  local stop, events = offset + bytes, 0
  while offset < stop do
    local ok, result = pcall(batch, ring.data, offset, stop - offset)
    if ok then return events + result end
    failed_at, failed_slot = cursor.offset, cursor.slot
    local row = counters[failed_slot][0]
    row.failed = row.failed + 1
    on_error(result)
    events = events + 1
    offset = failed_at
  end
  return events
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
  local events, done = 0, 0
  local limit = math.min(at_most or math.huge, tonumber(C.ring_reserved(ring)))
  while done < limit do
    local bytes = tonumber(C.ring_ready(ring, math.min(BATCH, limit - done)))
    if bytes == 0 then break end
    local offset = tonumber(band(ring.position, ring.mask))
    events = events + guarded_batch(offset, bytes, on_error)
    C.ring_release(ring, bytes)
    done = done + bytes
  end
  return events, done
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
