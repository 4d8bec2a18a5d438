-- SPDX-License-Identifier: Apache-2.0
--- stdlib/fields.lua: how raw members of an event read in Lua.
local tap = require 'tap'
local ffi = require 'ffi'
local bit = require 'bit'
local fields = require 'moonprobe.fields'

local made = 0

--- A struct with one field (and others, as cdef); the struct and what reads it.
local function field(about, others)
  made = made + 1
  local declaration, getter = fields.of(about, function(name) return others ~= nil and others:find(name, 1,
    true) ~= nil end)
  local name = 'struct fields_test_' .. made
  ffi.cdef(('%s { %s %s };'):format(name, declaration, others or ''))
  local event = ffi.new(name)
  return event, getter and function() return getter(event) end or function() return event[about.name] end
end

local function number(kind, bytes, type_name, values)
  return { name = 'n', kind = kind, element_bytes = bytes, bytes = bytes, elements = 0, type = type_name or '',
    values = values }
end

-- Small integers are plain members.
for _, case in ipairs { { 'u', 1, 255 }, { 'u', 2, 65535 }, { 'u', 4, 4294967295 }, { 'i', 1, -128 }, { 'i', 2,
  -32768 },
  { 'i', 4, -2147483648 } } do
  local event, read = field(number(case[1], case[2]))
  event.n = case[3]
  tap.is(read(), case[3], ('%s%d holds %.0f'):format(unpack(case)))
end
do
  local event, read = field(number('b', 1))
  event.n = true
  tap.is(read(), true, 'a bool is a boolean')
end

-- 64 bits: a number while that is exact, else all the digits.
local function is_64(kind, raw, expected, name)
  local event, read = field(number(kind, 8))
  event._n = raw
  local value = read()
  tap.ok(type(value) == type(expected) and value == expected, name, tostring(value))
end
is_64('u', 0, 0, 'u64: 0')
is_64('u', 2LL ^ 53LL - 1, 2 ^ 53 - 1, 'u64: 2^53 - 1 is a number')
is_64('u', 2LL ^ 53LL, 2 ^ 53, 'u64: 2^53 is a number')
is_64('u', 9007199254740993LL, 9007199254740993ULL, 'u64: 2^53 + 1 is exact')
is_64('u', 0x7fffffffffffffffLL, 0x7fffffffffffffffULL, 'u64: 2^63 - 1 is exact')
is_64('u', 0x8000000000000000ULL, 0x8000000000000000ULL, 'u64: 2^63 is not negative')
is_64('u', -1LL, 18446744073709551615ULL, 'u64: 2^64 - 1')
is_64('i', -1LL, -1, 'i64: -1')
is_64('i', -2LL ^ 53LL, -2 ^ 53, 'i64: -2^53 is a number')
is_64('i', -9007199254740993LL, -9007199254740993LL, 'i64: -2^53 - 1 is exact')
is_64('i', 9007199254740993LL, 9007199254740993LL, 'i64: 2^53 + 1 is exact')
is_64('i', 0x8000000000000000LL, -9223372036854775807LL - 1, 'i64: the smallest')
do
  local event, read = field(number('u', 8))
  event._n = 0x8000000000000000ULL
  tap.ok(read() > 5 and read() == 0x8000000000000000ULL and read() ~= 0x8000000000000001ULL,
    'a large one compares exactly')
end

-- Text.
do
  local event, read = field { name = 't', kind = 'c', bytes = 8, element_bytes = 1, elements = 0, type = '' }
  tap.is(read(), '', 'no text')
  ffi.copy(event._t, 'abc')
  tap.is(read(), 'abc', 'text ends at its zero byte')
  ffi.copy(event._t, 'abcdefgh', 8)
  tap.is(read(), 'abcdefgh', 'text without a zero byte ends with the field')
  ffi.copy(event._t, 'ab\0defgh', 8)
  tap.is(read(), 'ab', 'what is behind the zero byte is not text')
  local kept = read()
  ffi.copy(event._t, 'zz\0', 3)
  tap.is(kept, 'ab', 'text that was read stays when the event goes')
end
do
  local event, read = field({ name = 'args', kind = 'c', bytes = 16, element_bytes = 1, elements = 0, type = '' },
    'uint32_t args_bytes;')
  ffi.copy(event._args, 'ls\0-l\0/tmp\0', 11)
  event.args_bytes = 11
  tap.is(read(), 'ls -l /tmp', 'parts with their own length: spaces between them')
  event.args_bytes = 5
  tap.is(read(), 'ls -l', 'cut short')
  event.args_bytes = 0
  tap.is(read(), '', 'none')
  event.args_bytes = 4000000000
  tap.is(read(), 'ls -l /tmp' .. (' '):rep(5), 'a length that is wrong ends with the field')
  local list = fields.list_getter('args', 16)
  event.args_bytes = 11
  tap.is(list(event), { 'ls', '-l', '/tmp' }, 'the parts as a list')
  ffi.copy(event._args, 'a\0\0b\0', 5)
  event.args_bytes = 5
  tap.is(list(event), { 'a', '', 'b' }, 'with empty parts')
  event.args_bytes = 4000000000
  tap.is(#list(event) <= 16, true, 'not longer than the field')
end

-- Enums.
local names = fields.enum_names
tap.is(names { [0] = 'IO_READ', 'IO_WRITE' }, { [0] = 'read', 'write' }, 'the shared start goes')
tap.is(names { [0] = 'IO_READ', 'IO_WRITE', 'IO_WRITE_ZEROES' }, { [0] = 'read', 'write', 'write_zeroes' },
  'a longer name keeps its own underscores')
tap.is(names { [1] = 'TCP_ESTABLISHED', [2] = 'TCP_SYN_SENT', [3] = 'TCP_SYN_RECV' },
  { 'established', 'syn_sent', 'syn_recv' }, 'only what all share')
tap.is(names { [2] = 'TCP_SYN_SENT', [3] = 'TCP_SYN_RECV' }, { [2] = 'sent', [3] = 'recv' },
  'up to the last underscore')
tap.is(names { [0] = 'READ', 'WRITE' }, { [0] = 'read', 'write' }, 'nothing shared')
tap.is(names { [0] = 'A_B', 'C_D' }, { [0] = 'a_b', 'c_d' }, 'nothing shared, with underscores')
tap.is(names { [5] = 'STATE_DEAD' }, { [5] = 'dead' }, 'a single one')
tap.is(names { [0] = 'IOX_READ', 'IO_WRITE' }, { [0] = 'iox_read', 'io_write' }, 'a start is whole words')
do
  local event, read = field(number('u', 4, 'io', { [0] = 'IO_READ', 'IO_WRITE' }))
  tap.is(read(), 'read', 'an enum reads as its name')
  event._n = 1
  tap.is(read(), 'write', 'another value')
  event._n = 77
  tap.is(read(), '77', 'a value without a name is its number')
end

-- Types by name.
do
  local event, read = field(number('i', 4, 'error_number'))
  tap.is(read(), nil, 'no error is nil')
  event._n = 2
  tap.is(read(), 'ENOENT', 'an error by name')
  event._n = 4095
  tap.is(read(), '4095', 'an unknown one by number')
  event, read = field(number('u', 4, 'signal_number'))
  tap.is(read(), nil, 'no signal is nil')
  event._n = 9
  tap.is(read(), 'SIGKILL', 'a signal by name')
  event._n = 40
  tap.is(read(), 'SIGRT40', 'a real-time signal')
  event._n = 99
  tap.is(read(), '99', 'no signal at all')
  event, read = field(number('u', 4, 'syscall_number'))
  event._n = 0xffffff
  tap.is(read(), '16777215', 'an unknown system call by number')
  event._n = tonumber(require('jit').arch == 'x64' and 59 or 221)
  tap.is(read(), 'execve', 'a system call by name')
  event, read = field(number('u', 4, 'device_number'))
  event._n = bit.bor(bit.lshift(4000, 20), 77)
  tap.is(read(), '4000:77', 'a device without a name')
end
tap.is(fields.error_name(13), 'EACCES', 'error_name')
tap.is(fields.error_name(0), nil, 'error_name of none')
tap.is(fields.signal_name(15), 'SIGTERM', 'signal_name')

-- Arrays.
do
  local event, read = field { name = 'a', kind = 'u', element_bytes = 4, bytes = 12, elements = 3, type = '' }
  event._a[0], event._a[1], event._a[2] = 1, 2, 4294967295
  tap.is(read(), { 1, 2, 4294967295 }, 'an array is a list')
  event, read = field { name = 'a', kind = 'u', element_bytes = 8, bytes = 24, elements = 3, type = '' }
  event._a[0], event._a[1], event._a[2] = 1, 9007199254740993LL, -1LL
  local list = read()
  tap.is(list[1], 1, '64 bits in an array: a number')
  tap.ok(list[2] == 9007199254740993ULL, '64 bits in an array: exact', tostring(list[2]))
  tap.ok(list[3] == 18446744073709551615ULL and tostring(list[3]) == '18446744073709551615ULL',
    '64 bits in an array: not negative', tostring(list[3]))
  event, read = field { name = 'a', kind = 'i', element_bytes = 8, bytes = 16, elements = 2, type = '' }
  event._a[0], event._a[1] = -5, -9007199254740993LL
  list = read()
  tap.is(list[1], -5, 'signed: a number')
  tap.ok(list[2] == -9007199254740993LL, 'signed: exact', tostring(list[2]))
end

-- Addresses (RFC 5952).
local address, read_address = field { name = 'ip', kind = 's', type = 'ip_address', bytes = 16, element_bytes = 16,
  elements = 0 }
local function ip(words, expected, name)
  for i, word in ipairs(words) do
    address._ip.bytes[2 * i - 2], address._ip.bytes[2 * i - 1] = bit.rshift(word, 8), bit.band(word, 255)
  end
  tap.is(read_address(), expected, name or expected)
end
ip({ 0, 0, 0, 0, 0, 0, 0, 0 }, '::')
ip({ 0, 0, 0, 0, 0, 0, 0, 1 }, '::1')
ip({ 0, 0, 0, 0, 0, 0xffff, 0x7f00, 1 }, '127.0.0.1', 'IPv4: 127.0.0.1')
ip({ 0, 0, 0, 0, 0, 0xffff, 0, 0 }, '0.0.0.0', 'IPv4: 0.0.0.0')
ip({ 0, 0, 0, 0, 0, 0xffff, 0xffff, 0xffff }, '255.255.255.255', 'IPv4: 255.255.255.255')
ip({ 0x2001, 0xdb8, 0, 0, 0, 0, 0, 1 }, '2001:db8::1')
ip({ 0x2001, 0xdb8, 0, 0, 1, 0, 0, 1 }, '2001:db8::1:0:0:1', '4.2.3: the first of equal runs')
ip({ 0x2001, 0, 0, 1, 0, 0, 0, 1 }, '2001:0:0:1::1', '4.2.3: the longest run')
ip({ 0x2001, 0xdb8, 0, 1, 1, 1, 1, 1 }, '2001:db8:0:1:1:1:1:1', '4.2.2: a single zero stays')
ip({ 0x2001, 0xdb8, 1, 1, 1, 1, 0, 0 }, '2001:db8:1:1:1:1::', 'zeros at the end')
ip({ 0, 0, 1, 2, 3, 4, 5, 6 }, '::1:2:3:4:5:6', 'zeros at the start')
ip({ 0, 1, 2, 3, 4, 5, 6, 7 }, '0:1:2:3:4:5:6:7', 'a single zero at the start')
ip({ 1, 2, 3, 4, 5, 6, 7, 0 }, '1:2:3:4:5:6:7:0', 'a single zero at the end')
ip({ 0xfe80, 0, 0, 0, 0xabcd, 0xef, 0x1000, 0xa }, 'fe80::abcd:ef:1000:a', '4.1, 4.3: no leading zeros, lower case')
ip({ 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff }, 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')
ip({ 1, 0, 0, 0, 0, 0, 0, 0 }, '1::')
ip({ 0, 0, 0, 0, 0, 0xfffe, 1, 2 }, '::fffe:1:2', 'nearly an IPv4 address')
ip({ 0, 0, 0, 0, 1, 0xffff, 1, 2 }, '::1:ffff:1:2', 'another one')
for i = 1, 10100 do -- more than the cache of texts holds
  address._ip.bytes[14], address._ip.bytes[15] = bit.rshift(i, 8), bit.band(i, 255)
  read_address()
end
ip({ 0, 0, 0, 0, 0, 0, 0, 1 }, '::1', 'right after very many others')

-- What the arguments of system calls are made of.
local function argument(kind, bytes, type_name, cases)
  local event, read = field(number(kind, bytes, type_name))
  for raw, expected in pairs(cases) do
    event._n = raw
    tap.is(read(), expected, ('%s: %s'):format(type_name, expected))
  end
end
argument('i', 4, 'flags_open', { [0] = 'O_RDONLY', [0x80000] = 'O_RDONLY|O_CLOEXEC', [0x242] = 'O_RDWR|O_CREAT|O_TRUNC',
  [0x101001] = 'O_WRONLY|O_SYNC', [0x1001] = 'O_WRONLY|O_DSYNC', [3] = '0x3', [0x40000000] = 'O_RDONLY|0x40000000' })
argument('i', 4, 'flags_descriptor', { [0] = '0', [0x80800] = 'O_NONBLOCK|O_CLOEXEC', [-2 ^ 31] = '0x80000000' })
argument('i', 4, 'flags_access', { [0] = 'F_OK', [5] = 'R_OK|X_OK' })
argument('u', 8, 'flags_prot', { [0] = 'PROT_NONE',
  [3] = 'PROT_READ|PROT_WRITE', [2 ^ 32 + 1] = 'PROT_READ|0x100000000' })
argument('u', 8, 'flags_mmap', { [0x22] = 'MAP_PRIVATE|MAP_ANONYMOUS', [0] = '0', [0x20] = 'MAP_ANONYMOUS' })
argument('u', 8, 'flags_clone', { [0x11] = 'SIGCHLD', [0x80000100] = 'CLONE_VM|CLONE_IO', [0] = '0' })
argument('i', 4, 'flags_socket', { [0x80001] = 'SOCK_STREAM|SOCK_CLOEXEC', [9] = '0x9' })
argument('i', 4, 'flags_futex', { [0x81] = 'FUTEX_WAKE|FUTEX_PRIVATE_FLAG' })
argument('u', 2, 'mode_octal', { [420] = '0644', [0] = '0000', [0x81a4] = '0100644', [2048 + 493] = '04755' })
argument('u', 4, 'name_whence', { [0] = 'SEEK_SET', [2] = 'SEEK_END', [77] = '77' })
argument('i', 4, 'name_family', { [2] = 'AF_INET', [-1] = '-1' })
argument('u', 4, 'name_fcntl', { [3] = 'F_GETFL', [1030] = 'F_DUPFD_CLOEXEC' })

tap.raises(function() fields.of({ name = 'x', kind = 's', type = 'unknown', bytes = 4 }, print) end,
  'field x: no reader for struct unknown', 'a struct nobody can read')
tap.done()
