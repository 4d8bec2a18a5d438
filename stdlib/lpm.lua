-- SPDX-License-Identifier: Apache-2.0
--- LPM: keys of a longest-prefix trie: '10.0.0.0/8' and 'fe80::/10', or { prefix = bits, data = bytes }.
---
--- A key is a length in bits (host's order), then bytes (the network's). 4 bytes are an IPv4 network, 16 an
--- IPv6 one; ::ffff:10.0.0.0/104 is written as 10.0.0.0/8, too.

local ffi = require 'ffi'
local fields = require 'moonprobe.fields'
local layout = require 'moonprobe.layout'

local lpm = {}

local MAPPED = ('\0'):rep(10) .. '\255\255' -- before the bytes of an IPv4 address

local function parse(text, bytes)
  local address, bits = text:match '^([^/]+)/(%d+)$'
  address = address or text
  local all = require('moonprobe.stage.named').parse_address(address)
  if not all then return nil end
  local is_ipv4 = address:find('.', 1, true) ~= nil
  bits = tonumber(bits) or (is_ipv4 and 32 or 128)
  if bits > (is_ipv4 and 32 or 128) or bytes == 4 and not is_ipv4 then return nil end
  if bytes == 4 then return bits, all:sub(13) end
  return is_ipv4 and bits + 96 or bits, all
end

local function text_of(prefix, data)
  if #data == 4 then return ('%s/%d'):format(fields.address_text(MAPPED .. data), prefix) end
  if data:sub(1, 12) ~= MAPPED then return ('%s/%d'):format(fields.address_text(data), prefix) end
  return prefix >= 96 and ('%s/%d'):format(fields.address_text(data), prefix - 96) or nil
end

--- The layout of a trie's keys.
---@param bytes integer of the whole key
---@return table|nil layout
---@return string|nil message
function lpm.layout(bytes)
  local room = bytes - 4
  if room < 1 then return nil, 'its key has no room for data behind the length' end
  local text = room == 4 and "a network like '10.0.0.0/8'" or room == 16 and "a network like 'fe80::/10'"
    or ('{ prefix = bits, data = %d bytes }'):format(room)
  local check = layout.raw(room)
  return { kind = 'lpm', bytes = bytes, align = 4, text = text,
    read = function(at)
      local prefix = ffi.cast('const uint32_t *', at)[0]
      local data = ffi.string(ffi.cast('const uint8_t *', at) + 4, room)
      return (room == 4 or room == 16) and text_of(prefix, data) or { prefix = prefix, data = data }
    end,
    write = function(at, key, where)
      local prefix, data
      if type(key) == 'string' and (room == 4 or room == 16) then
        prefix, data = parse(key, room)
      elseif type(key) == 'table' then
        prefix, data = key.prefix or key[1], key.data or key[2]
      end
      if not prefix or data == nil then
        layout.problem(where, 'expected %s, given %s', text, layout.shown(key))
      end
      if type(prefix) ~= 'number' or prefix ~= math.floor(prefix) or prefix < 0 or prefix > 8 * room then
        layout.problem(where, 'expected a prefix of 0 to %d bits, given %s', 8 * room, layout.shown(prefix))
      end
      check.write(ffi.cast('uint8_t *', at) + 4, data, where .. '.data')
      ffi.cast('uint32_t *', at)[0] = prefix
    end }
end

return lpm
