-- SPDX-License-Identifier: Apache-2.0
--- Recordings that no probe has made here: one of many gigabytes, as far as it can be told, and one of
--- another architecture.
---
--- What is shown of 10 GB, with less: the memory that replay and show need does not grow with the file.
--- They run with a limit that a reader which kept the file would break, and need no more for a file of
--- hundreds of blocks than for an eighth of it. 8 MiB are allowed for, since the collector takes its time: who
--- keeps what was read needs 168 MB more. (With 3 GB it was tried by hand: not a page more than with 384 MB.)

local tap = dofile 'tests/tap.lua'
local made = dofile 'tests/made_recording.lua'
local ffi = require 'ffi'

local BLOCK_EVENTS = 5000 -- 240 KB: as the recorder's blocks
local BLOCKS = 800 -- 192 MB
local LIMIT_KB = 24576 -- for each process, all that it may write to; they start with less than 16 MiB

local folder = os.tmpname()
os.remove(folder)
os.execute('mkdir ' .. folder)
local function path(name) return folder .. '/' .. name end

local PROBE = 'probe 1 big 40\nabout a\nblind b\n' .. made.FIELDS
local native = io.popen('uname -m'):read '*l'
local head = made.head(PROBE, native)
local events = {}
for i = 1, BLOCK_EVENTS do events[i] = { slot = 1, time_ns = i * 1e3, comm = 'event', pid = i } end
local records = made.records(events)

--- Writes the same records again and again, with the counters behind them, as a recorder would.
local function grow(name, blocks)
  local file = assert(io.open(path(name), 'wb'))
  file:write(made.block(head, 0))
  for i = 1, blocks do
    file:write(made.block(records, 2 * i - 1))
    file:write(made.block(made.counters(BLOCK_EVENTS * 1e3, { { 1, 0, i * BLOCK_EVENTS, 0, 0, 0 } }), 2 * i))
  end
  file:write(made.block(made.finish(1e9, { { 1, 0, blocks * BLOCK_EVENTS, 0, 0, 0 } }), 2 * blocks + 1))
  local bytes = file:seek 'end'
  file:close()
  return bytes
end

ffi.cdef [[
struct made_usage { long user[2], system[2], most_kb, others[13]; };
int getrusage(int who, struct made_usage *usage);
]]

--- The most memory that any process we have waited for has had, and any it has waited for.
local function most_kb()
  local usage, CHILDREN = ffi.new 'struct made_usage', -1
  ffi.C.getrusage(CHILDREN, usage)
  return tonumber(usage.most_kb)
end

local function limited(arguments)
  local unlimited = tap.binary:find 'asan' ~= nil -- its shadow memory is terabytes
  return tap.shell(('%s %s %s'):format(unlimited and '' or ('ulimit -d %d;'):format(LIMIT_KB), tap.binary, arguments), 120)
end

local counting = tap.spit(path 'counting.lua', [[
local mp = require 'moonprobe'
local n, sum = 0, 0
local big = mp.probe 'big'
big:each(function(e) n, sum = n + 1, sum + e.pid end)
big:count 'comm':every '1ms'
mp.finally(function() mp.row('all', n, sum) end)
]])
local SUM = BLOCK_EVENTS * (BLOCK_EVENTS + 1) / 2

--- Replays and shows a file; gives what the most needed that we have run so far.
local function read(name, blocks)
  local run = limited(('replay -q %s %s'):format(path(name), counting))
  tap.is({ run.status, run.err, run.rows[#run.rows] }, { 0, '', ('all  %.0f  %.0f'):format(blocks * BLOCK_EVENTS,
    blocks * SUM) }, name .. ': replayed, every event')
  run = limited(('show -n 2 %s'):format(path(name)))
  tap.is({ run.status, run.err, #run.rows, run.rows[#run.rows] }, { 0, '', 5,
    ('big: %.0f events recorded, 0 lost'):format(blocks * BLOCK_EVENTS) }, name .. ': shown, every event counted')
  return most_kb()
end

local bytes = grow('part.rec', BLOCKS / 8)
local before = read('part.rec', BLOCKS / 8)
bytes = bytes + grow('whole.rec', BLOCKS)
tap.ok(bytes > 1.5 * LIMIT_KB * 1024, 'a file that would not fit into the memory there is', bytes)
local after = read('whole.rec', BLOCKS)
if tap.binary:find 'asan' then
  tap.skip('memory', 'AddressSanitizer keeps what was freed')
else
  tap.ok(after - before <= 8192, 'the whole needs no more memory than a part', before, after)
  -- What keeps events does break it.
  local keeping = limited(([[replay -q -e "local kept = {} probe 'big':each(function(e)
    kept[#kept + 1] = e.comm .. e.pid .. #kept end)" %s]]):format(path 'whole.rec'))
  tap.like(keeping.err, 'not enough memory', 'what keeps all events breaks the limit')
end
os.remove(path 'whole.rec')

-- Of another architecture, with the same order of bytes.
local other = native == 'riscv64' and 'x86_64' or 'riscv64'
tap.spit(path 'other.rec', made.file { made.head(PROBE, other),
  made.records { { slot = 1, time_ns = 5e8, comm = 'one', pid = 7 }, { slot = 1, time_ns = 6e8, comm = 'two', pid = 8 } },
  made.finish(1e9, { { 1, 0, 2, 0, 0, 0 } }) })
local function warning(who)
  return ('moonprobe: %s: %s was recorded on %s; errors and signals have the names of this machine\n'):format(
    who, path 'other.rec', other)
end
local run = tap.moonprobe(([[replay -q -e "probe 'big':each(function(e) row(e.comm, e.pid) end)" %s]]):format(
  path 'other.rec'))
tap.is({ run.status, run.err }, { 0, warning '-e' }, 'another architecture: a warning of one line')
tap.is(run.rows, { 'one  7', 'two  8' }, 'and its events')
run = tap.moonprobe('show -f json ' .. path 'other.rec')
tap.is({ run.status, run.err, #run.rows }, { 0, warning 'show', 4 }, 'shown, with the warning')
tap.like(run.rows[1], '"architecture":"' .. other .. '"', 'whose it is')
tap.like(run.rows[3], '"comm":"two",.*"pid":8', 'an event')

os.execute('rm -r ' .. folder)
tap.done()
