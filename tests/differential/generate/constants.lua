-- SPDX-License-Identifier: Apache-2.0
--- Constants: the values that matter, and their Lua text. What is used is noted in g.pool, so
--- that events come near it.

local dice = require 'generate.dice'
local events = require 'events'

local one_of, chance = dice.one_of, dice.chance

local constants = {}

constants.names = { 'curl', 'nginx', 'ssh', 'sshd', 'a', 'bash', 'systemd', '/', '/etc/', '/etc/passwd', '.log',
  '/tmp', 'postgres', 'kworker/0:1', 'x', '', ' ', '.', 'ab', 'abcdefg', 'abcdefgh', 'abcdefghi', '0123456789abcde',
  '0123456789abcdef', '0123456789abcdefg', '/usr/bin/', 'lib', '.so', '\255\254', '\\n', '%d', '^a', '[x', 'n', '1',
  '80', '/very/long/path/that/goes/on/and/on/until/there/is/no/more/room', '/proc/self', 'python3.11', 'Web Content' }
constants.addresses = { '10.0.0.1', '127.0.0.1', '192.168.1.1', '0.0.0.0', '255.255.255.255', '::', '::1', 'fe80::1',
  '2001:db8::1', '2001:db8::1:0:0:1', '2001:db8:0:1:1:1:1:1', '::ffff:10.0.0.1', '::10.0.0.1', 'FE80::1', '010.0.0.1',
  '10.0.0', 'fe80:0:0:0:0:0:0:1', '::ffff', '1:2:3:4:5:6:7:8', '10.0.0.1 ', '::fffe:a00:1', '8.8.8.8', '10.' }
constants.networks = { '10.0.0.0/8', '192.168.0.0/16', '127.0.0.0/8', '0.0.0.0/0', '::/0', '10.1.2.3/32', '10.0.0.1',
  'fe80::/10', '2001:db8::/32', '::1/128', '10.128.0.0/9', '172.16.0.0/12', '2001:db8::/33', 'fc00::/7', '8.8.8.8/31',
  '::1' }
constants.divisors = { 1, 2, 3, 4, 7, 8, 10, 16, 100, 256, 1000, 1024, 4096, 1e6, 1e9, 65536, -1, -2, -7, 2 ^ 32 }

constants.comparisons = { ' == ', ' ~= ', ' < ', ' <= ', ' > ', ' >= ' }

local NUMBERS = { 0, 0, 1, 1, 2, 3, 5, 7, 10, 22, 53, 80, 100, 127, 128, 255, 256, 443, 1000, 1023, 1024, 4096, 8080,
  32767, 32768, 65535, 65536, 100000, 1e6, 1e9, 2 ^ 31 - 1, 2 ^ 31, 2 ^ 32 - 1, 2 ^ 32, -1, -1, -2, -5, -128, -1000,
  -32768, -2 ^ 31 }
local WIDE_NUMBERS = { 2 ^ 32 + 1, 2 ^ 40, 2 ^ 51, 2 ^ 52, 2 ^ 53 - 1, 2 ^ 53, 2 ^ 53 + 2, 2 ^ 63, 2 ^ 63 - 1024,
  2 ^ 64, 2 ^ 64 - 2048, 1e12, 1e15, 1e18, 1e19, -2 ^ 53, -2 ^ 53 - 2, -2 ^ 63, -1e12, -2 ^ 64, 1e300, -1e300 }
local FRACTIONS = { 0.5, 1.5, -0.5, 2.5, 0.1, 1e-9, 99.99, 4294967295.5, -1.5, 255.5, 1e9 + 0.5 }
local WIDE_LITERALS = { '1ULL', '0ULL', '-1LL', '0xffffffffffffffffULL', '9007199254740993LL', '9007199254740993ULL',
  '0x8000000000000000ULL', '0x7fffffffffffffffLL', '5LL', '4096ULL' }

--- A number as Lua text that gives exactly it.
local function number_text(value)
  if value ~= value then return '(0 / 0)' end
  local text
  if value == math.huge or value == -math.huge then
    text = value > 0 and '1e999' or '-1e999'
  elseif value == math.floor(value) and math.abs(value) < 2 ^ 53 then
    text = ('%.0f'):format(value)
  else
    text = ('%.17g'):format(value)
  end
  return value < 0 and '(' .. text .. ')' or text
end

--- Text as a Lua literal.
---@return string
function constants.quoted(text)
  return "'" .. text:gsub('[%c\128-\255\\\']', function(byte) return ('\\%03d'):format(byte:byte()) end) .. "'"
end

local function note(list, value)
  list[#list + 1] = value
  return value
end

--- A number of these, or one of those that this function may have, as Lua text.
function constants.number(g, of)
  local value
  if of then
    value = one_of(of)
  elseif g.on.fractions and chance(12) then
    value = one_of(FRACTIONS)
  elseif g.on.wide and chance(15) then
    value = one_of(WIDE_NUMBERS)
  else
    value = chance(80) and one_of(NUMBERS) or dice.random(0, 300)
  end
  return number_text(note(g.pool.numbers, value))
end

--- A 64-bit literal.
function constants.literal(g)
  local literal = one_of(WIDE_LITERALS)
  note(g.pool.numbers, assert(loadstring('return ' .. literal))())
  return literal:sub(1, 1) == '-' and '(' .. literal .. ')' or literal
end

--- The text itself, not quoted: one of these, or of names.
function constants.text(g, of)
  return note(g.pool.texts, one_of(of or constants.names))
end

function constants.word(g, of) return constants.quoted(constants.text(g, of)) end

--- An address or a network, quoted.
function constants.address(g, of)
  local text = one_of(of)
  local hex = events.address((text:gsub('/.*', '')))
  if hex then note(g.pool.addresses, hex) end
  return constants.quoted(text)
end

return constants
