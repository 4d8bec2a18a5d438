-- SPDX-License-Identifier: Apache-2.0
--- stdlib/network.lua: addresses in networks, and what is said about text that is none.
local tap = require 'tap'
local mp = require 'moonprobe'
local network = require 'moonprobe.network'

local FILE = debug.getinfo(1, 'S').short_src:gsub('%p', '%%%0')
local function here() return debug.getinfo(2, 'l').currentline end

--- The first and last address of a network, and its neighbours.
for _, case in ipairs {
  { '10.0.0.0/8', { '10.0.0.0', '10.255.255.255', '10.1.2.3' }, { '9.255.255.255', '11.0.0.0', '::a00:1' } },
  { '10.1.2.3/8', { '10.0.0.0', '10.255.255.255' }, { '11.0.0.0' } },
  { '192.168.4.0/22', { '192.168.4.0', '192.168.7.255' }, { '192.168.3.255', '192.168.8.0' } },
  { '172.16.0.0/12', { '172.16.0.0', '172.31.255.255' }, { '172.15.255.255', '172.32.0.0' } },
  { '1.2.3.4/32', { '1.2.3.4' }, { '1.2.3.5', '1.2.3.3' } },
  { '1.2.3.4', { '1.2.3.4' }, { '1.2.3.5' } },
  { '1.2.3.4/31', { '1.2.3.4', '1.2.3.5' }, { '1.2.3.6', '1.2.3.3' } },
  { '0.0.0.0/0', { '0.0.0.0', '255.255.255.255' }, { '::1', 'fe80::1' } },
  { '::/0', { '::', 'ffff::1', '1.2.3.4' }, {} },
  { 'fe80::/10', { 'fe80::', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff' }, { 'fec0::', 'fe7f::1' } },
  { 'fc00::/7', { 'fc00::1', 'fdff::' }, { 'fe00::' } },
  { '2001:db8::/33', { '2001:db8::1', '2001:db8:7fff::' }, { '2001:db8:8000::' } },
  { '::1', { '::1' }, { '::2', '0.0.0.1' } },
  { '::1/128', { '::1' }, { '::' } },
} do
  local inside, wrong = network.new(case[1]), {}
  for _, address in ipairs(case[2]) do if not inside(address) then wrong[#wrong + 1] = address .. ' is outside' end end
  for _, address in ipairs(case[3]) do if inside(address) then wrong[#wrong + 1] = address .. ' is inside' end end
  tap.is(wrong, {}, case[1])
end

local local_network = network.new('10.0.0.0/8', '192.168.0.0/16', 'fe80::/10')
tap.is({ local_network '10.1.1.1', local_network '192.168.1.1', local_network 'fe80::5', local_network '8.8.8.8' },
  { true, true, true, false }, 'one of several')
tap.is({ local_network '10.1.1.1', local_network '8.8.8.8' }, { true, false }, 'the same when asked again')
tap.is({ local_network(nil), local_network(5), local_network '', local_network 'x', local_network '10.0.0.1/8' },
  { false, false, false, false, false }, 'what is no address is in none')
tap.is(local_network '010.1.1.1', true, 'any spelling')

-- Many addresses: what is remembered has a bound.
collectgarbage()
local before = collectgarbage 'count'
local right = true
for i = 0, 49999 do
  local address = ('%d.%d.%d.1'):format(i % 2 == 0 and 10 or 11, math.floor(i / 256) % 256, i % 256)
  right = right and local_network(address) == (i % 2 == 0)
end
collectgarbage()
tap.ok(right, 'fifty thousand addresses')
tap.ok(collectgarbage 'count' - before < 4096, 'are not all remembered', collectgarbage 'count' - before)

-- The stages know its networks.
tap.is(#network.of(local_network), 3, 'the networks of a function')
tap.is(network.of(print), nil, 'of another there are none')
tap.ok(mp.network == network.new, 'scripts have it as mp.network')

-- Mistakes.
for _, text in ipairs { '', 'x', '10.0.0.0/', '10.0.0.0/x', '10.0.0/8', '256.0.0.0/8', '/8', '10.0.0.0/8/8', ':::/8',
  '1:2/8', '::ffff:1.2.3.4/96', ' 10.0.0.0/8' } do
  tap.raises(function() network.new(text) end, ("^%s:%d: network: '%s' is not a network like"):format(FILE, here(),
    (text:gsub('%p', '%%%0'))), ("'%s' is none"):format(text))
end
tap.raises(function() network.new('10.0.0.0/33') end, 'has at most 32 bits', 'too many bits')
tap.raises(function() network.new('::/129') end, 'has at most 128 bits', 'of an IPv6 network, too')
tap.raises(function() network.new() end, 'needs at least one network', 'no network')
tap.raises(function() network.new(5) end, "'5' is not a network", 'a number')
tap.raises(function() network.new('::1', nil) end, "'nil' is not a network", 'nothing')
tap.done()
