-- SPDX-License-Identifier: Apache-2.0
--- stdlib/testing/event.lua: events of Lua values read as they were written.
local tap = require 'tap'
local engine = require 'moonprobe.engine'
local event = require 'moonprobe.testing.event'
local schema = require 'moonprobe.schema'

local function made(probe, values) return event.new(assert(schema.of(probe)), values) end

local function reads(probe, field, value, expected)
  local got = made(probe, { [field] = value })[field]
  tap.ok(got == expected and type(got) == type(expected), ('%s.%s = %s'):format(probe, field, tap.show(value)), got)
end

reads('tcp_close', 'pid', 7, 7)
reads('tcp_close', 'pid', 2 ^ 32 - 1, 2 ^ 32 - 1)
reads('tcp_close', 'pid', 7ULL, 7)
reads('tcp_close', 'comm', 'curl', 'curl')
reads('tcp_close', 'comm', ('x'):rep(16), ('x'):rep(16))
reads('tcp_close', 'comm', '\255\1', '\255\1')
reads('tcp_close', 'saddr', '10.0.0.1', '10.0.0.1')
reads('tcp_close', 'saddr', '2001:DB8:0::1', '2001:db8::1')
reads('tcp_close', 'direction', 'server', 'server')
reads('tcp_close', 'error', 'ECONNRESET', 'ECONNRESET')
reads('tcp_close', 'error', 104, 'ECONNRESET')
reads('tcp_close', 'error', false, nil)
reads('tcp_close', 'sent_bytes', 2 ^ 53, 2 ^ 53)
reads('tcp_close', 'sent_bytes', 2ULL ^ 53 + 1, 2ULL ^ 53 + 1)
reads('tcp_close', 'sent_bytes', 0xffffffffffffffffULL, 0xffffffffffffffffULL)
reads('syscall', 'result', -2, -2)
reads('syscall', 'result', -0x8000000000000000LL, -0x8000000000000000LL)
reads('syscall', 'number', 'openat', 'openat')
reads('syscall', 'number', 5000, '5000')
reads('process_exit', 'exit_code', -128, -128)
reads('process_exit', 'signal', 'SIGKILL', 'SIGKILL')
reads('process_exit', 'core_dumped', true, true)
reads('process_exit', 'core_dumped', 0, false)
reads('process_exec', 'args', 'ls -l', 'ls -l')
reads('block_io', 'device', 'sda', 'sda')
reads('block_io', 'device', '8:16', '8:16')
reads('block_io', 'operation', 'flush', 'flush')

local exec = made('process_exec', { args = { 'ls', '', '-l' } })
tap.is({ exec.args, exec.args_list, exec.args_bytes }, { 'ls  -l', { 'ls', '', '-l' }, 7 }, 'text of several parts')
tap.is(made('process_exec', { args = { 'ls' }, args_bytes = 1 }).args, 'l', 'its length may be said')
tap.is(made('process_exec', { args_list = { 'a', 'b' } }).args, 'a b', 'a list by the name of the list')
tap.is(made('syscall', { args = { 1, 2ULL ^ 60 } }).args, { 1, 2ULL ^ 60, 0, 0, 0, 0 }, 'an array')
local offset = engine.realtime() - engine.monotonic()
tap.ok(math.abs(made('tcp_close', { time_ns = 1.5e9 }).time - (1.5e9 + offset) / 1e9) < 1, 'time of day')

local function refuses(probe, field, value, pattern)
  tap.raises(function() made(probe, { [field] = value }) end, pattern, ('%s.%s = %s is refused'):format(probe, field,
    tap.show(value)))
end

refuses('tcp_close', 'dadr', 1, "tcp_close has no field 'dadr'; did you mean 'daddr'%?")
refuses('tcp_close', 'time', 1, 'tcp_close: time is made of time_ns')
refuses('tcp_close', 'pid', '7', "tcp_close: pid = '7': an integer from 0 to 4294967295")
refuses('tcp_close', 'pid', -1, 'an integer from 0')
refuses('tcp_close', 'pid', 0.5, 'an integer from 0')
refuses('tcp_close', 'sport', 65536, 'an integer from 0 to 65535')
refuses('tcp_close', 'sent_bytes', 2 ^ 53 + 2, 'beyond 2%^53 write it as 9007199254740993ULL')
refuses('tcp_close', 'sent_bytes', -1LL, 'not negative')
refuses('syscall', 'result', 2ULL ^ 63, 'at most 2%^63%-1')
refuses('tcp_close', 'comm', ('x'):rep(17), '16 bytes fit')
refuses('tcp_close', 'comm', 'a\0b', 'zero byte')
refuses('tcp_close', 'comm', 7, 'text')
refuses('tcp_close', 'saddr', '10.0.0', "an address like '10.0.0.1'")
refuses('tcp_close', 'error', 'ECONRESET', "did you mean 'ECONNRESET'%?")
refuses('tcp_close', 'direction', 'x', 'one of client, server, unknown')
refuses('process_exit', 'signal', 'KILL', "did you mean 'SIGKILL'%?")
refuses('process_exit', 'core_dumped', 2, 'true or false')
refuses('process_exec', 'args', { ('x'):rep(2000) }, '1024 bytes fit')
refuses('process_exec', 'args', { 1 }, 'text, or a list of texts')
refuses('syscall', 'args', { 1, 2, 3, 4, 5, 6, 7 }, 'a list of at most 6 numbers')

-- Every field of every probe can be written.
local plain = { u = 1, i = 1, b = true, c = 'text', s = '10.0.0.1' }
for _, probe in ipairs(schema.plain(engine.assets('probes/', '.bpf.o'))) do
  local self, values = assert(schema.of(probe)), {}
  for name, member in pairs(self.readable) do
    for _, field in ipairs(self.fields) do
      if field.name == name and member == name then
        values[name] = field.elements > 0 and field.kind ~= 'c' and { 1 } or plain[field.kind]
      end
    end
  end
  local ok, problem = pcall(event.new, self, values)
  tap.ok(ok, probe .. ': all fields', problem)
end

tap.done()
