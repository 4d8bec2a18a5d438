-- SPDX-License-Identifier: Apache-2.0
--- Made recording: a recording (engine/recording.h) written by a test, block by block.
---
---   local made = dofile 'tests/made_recording.lua'
---   made.file { made.head(probe_lines), made.records { { slot = 1, time_ns = 5e8, comm = 'cat', pid = 7 } },
---     made.counters(1e9, { { 1, 0, 4, 3, 0, 0 } }), made.finish(2e9, {}) }

local ffi = require 'ffi'
local bit = require 'bit'

ffi.cdef [[
#pragma pack(1)
struct made_block { uint32_t magic; uint16_t kind, packed; uint32_t raw, stored, number, checksum; };
struct made_event { uint32_t length, page; uint32_t stamp; uint16_t cpu; uint8_t slot, generation;
  uint64_t time_ns; char comm[16]; uint32_t gone, pid; };
#pragma pack()
]]

local made = {}

local crc_of_byte = ffi.new 'uint32_t[256]'
for byte = 0, 255 do
  local crc = byte
  for _ = 1, 8 do
    crc = bit.bxor(bit.rshift(crc, 1), bit.band(0xedb88320, -bit.band(crc, 1)))
  end
  crc_of_byte[byte] = crc
end

--- Of a text, behind one that has `crc`.
local function crc32(bytes, crc)
  local at = ffi.cast('const uint8_t *', bytes)
  crc = bit.bnot(crc)
  for i = 0, #bytes - 1 do
    crc = bit.bxor(bit.rshift(crc, 8), bit.tobit(crc_of_byte[bit.band(bit.bxor(crc, at[i]), 255)]))
  end
  return bit.bnot(crc)
end

--- A block { kind, bytes } as the bytes of a file, in which `number` are before it.
---@param block { [1]: integer, [2]: string }
---@param number integer
---@return string header
---@return string bytes
function made.block(block, number)
  local header = ffi.new('struct made_block', 0x3152504d, block[1], 0, #block[2], #block[2], number, 0)
  header.checksum = crc32(block[2], crc32(ffi.string(header, ffi.sizeof(header)), 0)) % 2 ^ 32
  return ffi.string(header, ffi.sizeof(header)), block[2]
end

--- Blocks { kind, bytes } as the bytes of a file.
---@param blocks { [1]: integer, [2]: string }[]
---@return string
function made.file(blocks)
  local parts = {}
  for i, block in ipairs(blocks) do
    parts[2 * i - 1], parts[2 * i] = made.block(block, i - 1)
  end
  return table.concat(parts)
end

--- The fields of made.records(); the last two stand where no version has them.
made.FIELDS = [[
field stamp u 0 4 4 0 early - -
field cpu u 4 2 2 0 early - -
field slot u 6 1 1 0 early - -
field generation u 7 1 1 0 early - -
field time_ns u 8 8 8 0 early - -
field comm c 16 16 1 0 early - -
field gone u 32 4 4 0 early - -
field pid u 36 4 4 0 early - -
]]

--- A head that began at 100 s, with these lines of probes.
---@param probes string
---@param architecture string|nil (x86_64)
---@return table block
function made.head(probes, architecture)
  return { 1, ('moonprobe-recording 1\narchitecture %s\nbyte_order little\nkernel 6.1\nword_bytes 8\ncpus 2\n')
    :format(architecture or 'x86_64')
    .. 'started_ns 100000000000\nrealtime_offset_ns 0\n' .. probes }
end

--- Events; time_ns from the begin.
---@param events { slot: integer, time_ns: number, comm: string, pid: integer }[]
---@return table block
function made.records(events)
  local parts = {}
  for i, one in ipairs(events) do
    local event = ffi.new('struct made_event', { length = 40, stamp = i, slot = one.slot, time_ns = 100e9 + one.time_ns,
      comm = one.comm, gone = 99, pid = one.pid })
    parts[i] = ffi.string(event, ffi.sizeof(event))
  end
  return { 3, table.concat(parts) }
end

local function counters(kind, ns, rows)
  local lines = { ('time %.0f'):format(100e9 + ns) }
  for _, row in ipairs(rows) do lines[#lines + 1] = table.concat(row, ' ') end
  return { kind, table.concat(lines, '\n') .. '\n' }
end

--- Rows of { slot, cpu, events, lost_ring, lost_map, refused }.
function made.counters(ns, rows) return counters(4, ns, rows) end

--- The same at the end.
function made.finish(ns, rows) return counters(5, ns, rows) end

return made
