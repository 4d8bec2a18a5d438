-- SPDX-License-Identifier: Apache-2.0
--- Own rings: the rings of a script's own objects, drained beside the script's own ring.
---
---   ring (C: engine/ring.h) -> record -> its struct, in place -> handlers
---
--- Their records have no header of ours: no sequence, no generation. So a version hands a ring over by
--- handling what is in it, and what programs could not reserve is not known here.

local bit = require 'bit'
local ffi = require 'ffi'
local engine = require 'moonprobe.engine'
local host = require 'moonprobe.host'
local layout = require 'moonprobe.layout'
local stream = require 'moonprobe.stream'
require 'moonprobe.drain' -- for struct ring

local own_rings = {}

local BATCH = 262144 -- bytes in a turn
local PART = 16384 -- between two looks at the clock
local TURN_NS = 5e7 -- then the host's pings are answered: it cannot see that these records are handled
local opened = {} -- those that are drained
local made = {}

--- The loop over finished records. Each ring has a copy of its own, which the trace compiler makes one
--- piece with its handlers.
local function loop_of(one, ffi, band, C) -- luacheck: ignore 431
  local ring, pointer, least, handler, cursor = one.ring, one.pointer, one.layout.bytes, one.handler, one.cursor
  local record_pointer = ffi.typeof 'const struct ring_record *'
  return function(limit)
    local data, mask, handled = ring.data, ring.mask, ring.handled
    while true do
      local offset, stop, base = cursor.offset, cursor.stop, cursor.base
      while offset < stop do
        local length = ffi.cast(record_pointer, data + offset).length
        local bytes = band(length, 0x3fffffff)
        local following = offset + band(bytes + 15, -8)
        if band(length, 0x40000000) == 0 then -- not discarded
          handled[0] = base + following -- before the handler: whatever it does, the record is done
          cursor.events = cursor.events + 1
          if bytes < least then error(one.too_short(bytes), 0) end
          handler(ffi.cast(pointer, data + offset + 8))
        end
        offset = following
      end
      if cursor.bytes > 0 then
        C.ring_release(ring, cursor.bytes)
        cursor.done = cursor.done + cursor.bytes
      end
      cursor.bytes, cursor.stop = 0, 0
      if cursor.done >= limit then return end
      local ready = tonumber(C.ring_ready(ring, math.min(262144, limit - cursor.done)))
      if ready == 0 then return end
      cursor.bytes = ready
      cursor.offset = tonumber(band(ring.position, mask))
      cursor.stop = cursor.offset + ready
      cursor.base = ring.position - cursor.offset
    end
  end
end

--- A ring that a script asks for, while it is loaded.
---@param name string for messages
---@param of table layout of its records
---@return table
function own_rings.new(name, of)
  local readable = {}
  for _, member in ipairs(of.members) do readable[member.name] = member.name end
  local one = {
    name = name, layout = of, received = 0, failed = 0, told = { received = 0, failed = 0 },
    source = { schema = { name = name, readable = readable }, knobs = {}, fields = {}, sinks = {} },
    too_short = function(bytes)
      return ('ring %s: a record of %d bytes is shorter than %s, which has %d'):format(name, bytes, of.text, of.bytes)
    end,
  }
  made[#made + 1] = one
  return one
end

function own_rings.stream(one) return stream.of_source(one.source) end

--- What is asked of a ring and cannot be.
---@return string|nil problem
function own_rings.problem()
  for _, one in ipairs(made) do
    for _, sink in ipairs(one.source.sinks) do
      if sink.kernel then
        return ('ring %s: its filters and aggregates run in the worker; leave out kernel = true'):format(one.name)
      end
    end
  end
end

--- From now on it is drained.
function own_rings.begin(one, fd, bytes)
  one.ring = ffi.cast('struct ring *', assert(engine.ring(fd, bytes)))
  one.pointer = layout.view(one.layout)
  one.handler = stream.pipeline(one.source)
  one.cursor = ffi.new [[ struct {
    uint32_t offset, stop; // as in drain.lua
    uint64_t base;
    uint32_t bytes, events, done;
  } ]]
  one.loop = loadstring(string.dump(loop_of))(one, ffi, bit.band, ffi.C)
  engine.watch(fd)
  opened[#opened + 1] = one
end

local function once(one, on_error, limit)
  local cursor = one.cursor
  cursor.offset, cursor.stop, cursor.bytes, cursor.events, cursor.done = 0, 0, 0, 0, 0
  while true do
    local ok, message = pcall(one.loop, limit)
    if ok then break end
    one.failed = one.failed + 1
    cursor.offset = tonumber(one.ring.handled[0] - cursor.base)
    on_error(message)
  end
  one.received = one.received + cursor.events
  return cursor.events, cursor.done
end

--- Handles what is finished in each of them, a batch at most.
---@param on_error fun(message: string)
---@return integer events
---@return integer bytes
function own_rings.once(on_error)
  local events, bytes = 0, 0
  local stop_ns
  for i = 1, #opened do
    local left = math.min(BATCH, tonumber(ffi.C.ring_reserved(opened[i].ring)))
    stop_ns = left > 0 and not stop_ns and engine.monotonic() + TURN_NS or stop_ns
    while left > 0 do
      local came, done = once(opened[i], on_error, math.min(left, PART))
      events, bytes, left = events + came, bytes + done, left - done
      if done == 0 or engine.monotonic() > stop_ns then break end
    end
  end
  return events, bytes
end

--- Handles all that programs have reserved by now: before the end, and before another version goes on.
function own_rings.all(on_error)
  for _, one in ipairs(opened) do
    local left = tonumber(ffi.C.ring_reserved(one.ring))
    local give_up = engine.monotonic() + 1e8 -- without progress: a record is written within microseconds
    while left > 0 and engine.monotonic() < give_up do
      local _, done = once(one, on_error, left)
      left = left - done
      if done > 0 then give_up = engine.monotonic() + 1e8 end
    end
  end
end

--- Goes on after another version has read them.
function own_rings.resume()
  for _, one in ipairs(opened) do ffi.C.ring_resume(one.ring) end
end

--- For the host's summary, when this version stops reading, for good or for now: what came since it last did.
--- What a worker that crashes has received is in no summary.
function own_rings.tell()
  for _, one in ipairs(opened) do
    host.send('ring', one.name, one.received - one.told.received, one.failed - one.told.failed)
    one.told.received, one.told.failed = one.received, one.failed
  end
end

return own_rings
