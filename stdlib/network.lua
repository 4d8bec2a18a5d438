-- SPDX-License-Identifier: Apache-2.0
--- Network: whether an address lies in one of some networks (CIDR, RFC 4632 and 4291).
---
---   local inside = mp.network('10.0.0.0/8', '192.168.0.0/16', 'fe80::/10')
---   mp.probe 'tcp_connect' :where(function(e) return not inside(e.daddr) end)

local bit = require 'bit'
local blame = require 'moonprobe.blame'

local network = {}

local made = setmetatable({}, { __mode = 'k' }) -- [function] = networks

local function parse(text)
  local named = require 'moonprobe.stage.named'
  local address, bits = tostring(text):match('^([^/]+)/(%d+)$')
  if not address then address, bits = tostring(text), nil end
  local bytes = named.parse_address(address)
  if not bytes then blame("network: '%s' is not a network like 10.0.0.0/8 or fe80::/10", tostring(text)) end
  local is_ipv4 = address:find('.', 1, true) ~= nil
  local most = is_ipv4 and 32 or 128
  bits = tonumber(bits) or most
  if bits > most then blame("network: '%s' has at most %d bits", tostring(text), most) end
  return { bytes = bytes, bits = is_ipv4 and bits + 96 or bits }
end

local function contains(one, bytes)
  local whole = math.floor(one.bits / 8)
  if bytes:sub(1, whole) ~= one.bytes:sub(1, whole) then return false end
  local rest = one.bits % 8
  return rest == 0 or bit.rshift(bit.bxor(bytes:byte(whole + 1), one.bytes:byte(whole + 1)), 8 - rest) == 0
end

--- A function that says whether an address, as an event's field reads, is in one of the networks.
--- An IPv4 address is in an IPv6 network only as ::ffff:a.b.c.d.
---@param ... string networks, or single addresses
---@return fun(address: string): boolean
function network.new(...)
  local networks = {}
  for i = 1, select('#', ...) do networks[i] = parse((select(i, ...))) end
  if #networks == 0 then blame('network: needs at least one network') end
  local parse_address = require('moonprobe.stage.named').parse_address
  local known, count = {}, 0
  local function inside(address)
    if type(address) ~= 'string' then return false end
    local answer = known[address]
    if answer == nil then
      local bytes = parse_address(address)
      answer = false
      for _, one in ipairs(networks) do answer = answer or bytes and contains(one, bytes) or false end
      if count == 10000 then known, count = {}, 0 end
      known[address], count = answer, count + 1
    end
    return answer
  end
  made[inside] = networks
  return inside
end

--- The networks of such a function; nil for any other.
---@return { bytes: string, bits: integer }[]|nil
function network.of(fn) return made[fn] end

return network
