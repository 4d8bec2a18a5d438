-- SPDX-License-Identifier: Apache-2.0
--- Record: a worker that writes the events of its probes to a file instead of handling them.
---
---   ring --C: engine/recorder.h--> block, at most 256 KiB or half a second of it
---   names of the numbers in it, the block, counters --> file
---
--- A block is written with what is needed to read it, so the file is good up to wherever it is cut.

local ffi = require 'ffi'
local drain = require 'moonprobe.drain'
local engine = require 'moonprobe.engine'
local fields = require 'moonprobe.fields'
local host = require 'moonprobe.host'
local job = require 'moonprobe.job'
local recording = require 'moonprobe.recording'
local stack = require 'moonprobe.stack'
local stream = require 'moonprobe.stream'

ffi.cdef [[
struct recorder;
struct recorder *recorder_open(int fd);
void recorder_count(struct recorder *recorder, int slot, struct event_counters *rows, int cpus);
int recorder_watch(struct recorder *recorder, int slot, uint32_t offset, uint32_t bytes);
size_t recorder_noted(struct recorder *recorder, int place, const uint64_t **numbers);
size_t recorder_take(struct recorder *recorder, struct ring *ring, size_t at_most);
size_t recorder_held(const struct recorder *recorder);
int recorder_is_full(const struct recorder *recorder);
uint64_t recorder_records(const struct recorder *recorder);
uint64_t recorder_bytes(const struct recorder *recorder);
int recorder_flush(struct recorder *recorder);
int recorder_text(struct recorder *recorder, int kind, const char *text, size_t size);
char *strerror(int number);
]]

local C = ffi.C
local HEAD, NAMES, COUNTERS, END = 1, 2, 4, 5 -- enum recording_kind
local HOLD_NS = 5e8 -- at most so long a record waits for its block
local TAKE_BYTES = 65536

local record = {}

local recorder, ring
local watched = {} -- { place = integer, kind = 'device' }
local rows = {} -- [slot] = struct event_counters[cpus]
local failed

local function check(code)
  if code == 0 or failed then return end
  failed = true
  host.report('%s: the recording cannot be written: %s', job.recording, ffi.string(C.strerror(-code)))
end

local function put(kind, text) check(C.recorder_text(recorder, kind, text, #text)) end

--- Every field is captured, no stage decides: a replay may ask anything.
function record.want_all(source)
  for _, field in ipairs(source.schema.fields) do
    if source.schema.readable[field.name] then source.fields[field.name] = true end
  end
end

--- The numbers whose names only this machine knows.
local function watch_names(source, known)
  for _, field in ipairs(source.schema.fields) do
    local of_stack = fields.stack_kind(field.type)
    local kind = field.type == 'device_number' and 'device' or of_stack and of_stack .. 'stack'
    if kind then
      local place = C.recorder_watch(recorder, source.slot, field.offset, field.bytes)
      if place >= 0 then
        watched[#watched + 1] = { place = place, kind = kind, stack = of_stack }
      end
    elseif field.type == 'syscall_number' and not known.syscall then
      known.syscall = {}
      for number, name in pairs(require 'moonprobe.syscalls') do
        known.syscall[#known.syscall + 1] = { 'syscall', number, name }
      end
      table.sort(known.syscall, function(a, b) return a[2] < b[2] end)
      put(NAMES, recording.names(known.syscall))
    end
  end
end

--- Stacks have names while the kernel side is there; the host is asked for all at once.
local function name_stacks(list, kind, stacks)
  stack.name(stacks)
  for _, one in ipairs(stacks) do
    local text = one:packed()
    if text then list[#list + 1] = { kind, one.number, text } end
  end
end

local function noted_names()
  local list, numbers = {}, ffi.new 'const uint64_t *[1]'
  for _, one in ipairs(watched) do
    local count, stacks = tonumber(C.recorder_noted(recorder, one.place, numbers)), {}
    for i = 0, count - 1 do
      local number = tonumber(numbers[0][i])
      if one.stack then
        stacks[#stacks + 1] = stack.of(one.stack, number)
      else
        list[#list + 1] = { one.kind, number, fields.device_name(number) }
      end
    end
    name_stacks(list, one.kind, stacks)
  end
  return list
end

--- A block has at most a megabyte.
local function put_names(list)
  local part, bytes = {}, 0
  for _, one in ipairs(list) do
    part[#part + 1], bytes = one, bytes + 4 * #one[3] + 64 -- escaped
    if bytes > 400000 then
      put(NAMES, recording.names(part))
      part, bytes = {}, 0
    end
  end
  if #part > 0 then put(NAMES, recording.names(part)) end
end

local function counters()
  local list = {}
  for _, source in ipairs(stream.sources) do
    for cpu = 0, job.cpus - 1 do
      local row = rows[source.slot][cpu]
      list[#list + 1] = { source.slot, cpu, tonumber(row.events), tonumber(row.lost_ring), tonumber(row.lost_map),
        tonumber(row.refused) }
    end
  end
  return recording.counters(engine.monotonic(), list)
end

local function flush()
  put_names(noted_names())
  check(C.recorder_flush(recorder))
  put(COUNTERS, counters())
end

--- Begins the file. `run` is the host's message (stdlib/life.lua): its time, slots, generations, counters.
--- Events may have waited in the ring by now: the recording begins with that time.
function record.begin(run)
  local architecture, kernel = recording.machine()
  recorder = C.recorder_open(job.recording_fd)
  if recorder == nil then error('no memory for the recorder', 0) end
  ring = drain.open(job.ring_fd, job.ring_bytes, job.cpus)
  for i, source in ipairs(stream.sources) do
    source.slot = run[4 + 2 * i]
    rows[source.slot] = drain.count(source.slot, run.fds[i])
    C.recorder_count(recorder, source.slot, rows[source.slot], job.cpus)
  end
  put(HEAD, recording.head({
    architecture = architecture,
    byte_order = ffi.abi 'le' and 'little' or 'big',
    word_bytes = ffi.sizeof 'void *',
    kernel = kernel,
    cpus = job.cpus,
    started_ns = run[4],
    realtime_offset_ns = engine.realtime() - engine.monotonic(),
  }, stream.sources))
  local known = {}
  for _, source in ipairs(stream.sources) do watch_names(source, known) end
end

local held_since

--- Takes what is finished, writes what is due. Returns the bytes taken.
local function take()
  local taken = tonumber(C.recorder_take(recorder, ring, TAKE_BYTES))
  if C.recorder_held(recorder) == 0 then
    held_since = nil
    return taken
  end
  local now = engine.monotonic()
  held_since = held_since or now
  if C.recorder_is_full(recorder) ~= 0 or now - held_since >= HOLD_NS then
    flush()
    held_since = nil
  end
  return taken
end

local function finish()
  local left = tonumber(C.ring_reserved(ring))
  local give_up = engine.monotonic() + 1e8 -- a record is written within microseconds
  while left > 0 and engine.monotonic() < give_up do left = left - take() end
  flush()
  put(END, counters())
  if failed then return 1 end
  if not job.quiet then
    host.report('%s: %.0f records in %.0f bytes', job.recording, tonumber(C.recorder_records(recorder)),
      tonumber(C.recorder_bytes(recorder)))
  end
  return 0
end

--- Records until the host says finish; returns the exit status.
function record.live()
  host.send('running', 0)
  local asked = false
  while true do
    local taken = take()
    if failed and not asked then
      asked = true
      host.send 'stop'
    end
    local said
    if taken >= TAKE_BYTES / 2 then
      said = engine.wait(0, nil)
    elseif taken > 0 then
      said = engine.wait(1, nil)
    else
      local wait = held_since and math.max(1, math.ceil((held_since + HOLD_NS - engine.monotonic()) / 1e6)) or -1
      said = engine.wait(wait, job.ring_fd)
    end
    if said or host.has_kept() then
      local message = host.receive()
      if not message then return 1 end
      if message[1] == 'finish' then return finish() end
      if message[1] == 'ping' then host.send 'pong' end
    end
  end
end

return record
