-- SPDX-License-Identifier: Apache-2.0
--- stdlib/stage/named.lua: from the text that Lua reads back to the numbers of the record.
local tap = require 'tap'
local ffi = require 'ffi'
local fields = require 'moonprobe.fields'
local invented = require 'invented'
local named = require 'moonprobe.stage.named'
local value = require 'moonprobe.stage.value'

local field = invented.fields

-- Which fields are.
local names = {}
for _, one in ipairs(invented.schema.fields) do if named.is(one) then names[#names + 1] = one.name end end
tap.is(names, { 'io', 'error', 'signal', 'syscall' }, 'fields that read as names')
tap.is({ named.may_be_nil(field.error), named.may_be_nil(field.signal), named.may_be_nil(field.syscall) or false,
  named.may_be_nil(field.io) }, { true, true, false, false }, 'which may be nil')

--- Every number of a field reads as its text, and its text finds it: `reads` is what Lua reads.
local function round_trip(name, from, to, reads)
  local wrong = {}
  for number = from, to do
    local text = reads(number)
    local found = false
    for _, one in ipairs(text and named.numbers(field[name], text) or {}) do
      found = found or one == number
      if reads(one) ~= text then wrong[#wrong + 1] = ('%s finds %d'):format(text, one) end
    end
    if text and not found then wrong[#wrong + 1] = number end
  end
  tap.is(wrong, {}, ('%s: from %d to %d and back'):format(name, from, to))
end
local function read(name)
  return function(number) return invented.event({ [name] = number })[name] end
end
round_trip('error', -140, 600, read 'error')
round_trip('signal', 0, 130, read 'signal')
round_trip('syscall', 0, 1100, read 'syscall')
round_trip('io', 0, 10, read 'io')

tap.is(named.numbers(field.error, 'ENOENT'), { 2 }, 'an error by its name')
tap.is(named.numbers(field.error, '2'), {}, 'which has no other')
tap.is(named.numbers(field.error, '0'), {}, 'no error is nil')
tap.is(named.numbers(field.io, 'write'), { 1 }, 'an enum')
tap.is(named.numbers(field.io, 'WRITE'), {}, 'as it is written')
tap.is(named.numbers(field.io, '7'), { 7 }, 'a number without a name')
for _, text in ipairs { '', 'x', '7.5', '07', ' 7', '1e1', '0x7', '-1', '4294967296', 'nan', 'inf' } do
  tap.is(named.numbers(field.io, text), {}, ("no number reads as '%s'"):format(text))
end

-- Ranges.
value.start()
tap.is({ named.raw(field.i16).low, named.raw(field.i16).high }, { -32768, 32767 }, 'the range of a field')
tap.is(named.raw(field.u64).is, 'wide', '64 bits')
tap.is(named.raw(field.args, 2).at, 2, 'an element')
tap.ok(named.raw(field.args, 2) == named.raw(field.args, 2), 'the same twice is one value')
tap.ok(named.raw(field.args, 2) ~= named.raw(field.args, 1), 'another is not')

-- Addresses, compared with what the C library reads.
local function bytes_of(text)
  local bytes = ffi.new 'uint8_t[16]'
  if ffi.C.inet_pton(10, text, bytes) == 1 then return ffi.string(bytes, 16) end
  bytes[10], bytes[11] = 255, 255
  if ffi.C.inet_pton(2, text, bytes + 12) == 1 then return ffi.string(bytes, 16) end
end
for _, text in ipairs { '1.2.3.4', '0.0.0.0', '255.255.255.255', '::', '::1', '1::', 'fe80::1', '1:2:3:4:5:6:7:8',
  '1::8',
  '2001:DB8::a', '1:2:3:4:5:6:7::', '::2:3:4:5:6:7:8', '0:0:0:0:0:0:0:0',
  -- and what it does not
  '256.1.1.1', '1.2.3', '1.2.3.4.5', '', ':', ':::', '1:::2', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9',
  '12345::',
  'g::', '1:2:3:4:5:6:7:8::', 'x', '1.2.3.4 ', '::1%lo' } do
  tap.is(named.parse_address(text), bytes_of(text), ("the address '%s'"):format(text))
end
for _, text in ipairs { '10.0.0.1', '::1', 'fe80::1', '2001:db8::', '1:0:0:2::' } do
  tap.is(named.address_bytes(text), bytes_of(text), text .. ' is how it reads')
  tap.is(fields.address_text(named.address_bytes(text)), text, 'and reads so')
end
for _, text in ipairs { '010.0.0.1', '0::1', 'FE80::1', '1:0:0:0:0:0:0:1', '::ffff:a00:1', 'x', '' } do
  tap.is(named.address_bytes(text), nil, ("no address reads as '%s'"):format(text))
end

-- Numbers of arguments with one name each.
local family = { kind = 'i', element_bytes = 4, elements = 0, type = 'name_family' }
tap.ok(named.is(family) and not named.may_be_nil(family), 'a family of addresses has a name')
tap.is(named.numbers(family, 'AF_INET'), { 2 }, 'AF_INET is 2')
tap.is(named.numbers(family, '99'), { 99 }, 'one without a name is its digits')
tap.is(named.numbers(family, '2'), {}, 'one with a name is not')
tap.done()
