-- SPDX-License-Identifier: Apache-2.0
--- Found map: a map that is there already: by its pin or id, or in a map of maps. The host opens it,
--- for we may not, and hands over its descriptor.

local ffi = require 'ffi'
local blame = require 'moonprobe.blame'
local engine = require 'moonprobe.engine'
local host = require 'moonprobe.host'
local job = require 'moonprobe.job'
local map_kind = require 'moonprobe.map_kind'
local map_state = require 'moonprobe.map_state'
local own_map = require 'moonprobe.own_map'
local stream = require 'moonprobe.stream'

local found_map = {}

local MOST_MAPS = 64 -- engine/own_objects.h
local MOST_PATH = 4095 -- PATH_MAX without its end
local MISSING = 'No such file or directory' -- as the host says it

local asked, asked_since = 0, 0

--- Asks the host, which limits how often.
local function ask(name, answer, ...)
  if engine.monotonic() - asked_since > 1e9 then asked, asked_since = 0, engine.monotonic() end
  asked = asked + 1
  if asked > 1000 then engine.wait(2, nil) end
  host.send(name, ...)
  return host.answer(answer)
end

--- What the host has answered. Its types are its own, else `types`. With `keep` its descriptor stays open for good,
--- else as long as somebody has the map.
local function described(name, reply, types, keep)
  local fd = reply.fds[1]
  local one = { name = name, kind = reply[3], key_bytes = reply[4], value_bytes = reply[5], max_entries = reply[6],
    flags = reply[7], key_type = reply[8], value_type = reply[9] }
  if reply.fds[2] then
    types = assert(require('moonprobe.btf').parse(engine.read(reply.fds[2])))
  end
  if not types then one.key_type, one.value_type = 0, 0 end
  local made, problem = own_map.new(one, types)
  if not made then
    engine.close(fd)
    return nil, problem
  end
  local self = map_state.of(made)
  self.fd = fd
  if not keep then
    self.held = ffi.gc(ffi.new('int[1]', fd), function(held) engine.close(held[0]) end)
  end
  return made
end

--- The map that a map of maps has for a key.
---@param self table the outer one's state
---@param key any
---@param bytes string the key's
---@return moonprobe.Map|nil
---@return string|nil message
function found_map.inner(self, key, bytes)
  local reply = ask('inner', 'inner', self.object, self.index, bytes)
  local text = map_state.key_text(key)
  if #reply.fds == 0 then
    if reply[2] == MISSING then return nil end
    return self:refused('its map for %s: %s', text, reply[2])
  end
  return described(('%s[%s]'):format(self.name, text), reply, self.types)
end

--- In the place of one where nothing of the kernel is looked at.
local function absent(name)
  local made = own_map.new { name = name, kind = map_kind.HASH, key_bytes = 0, value_bytes = 0 }
  map_state.of(made).absent = 'is not opened here: nothing of the kernel is'
  return made
end

local found = 0

--- A map that is there already, by where it is pinned or by its id (bpftool map). It needs --allow object.
--- Its types are those it was made with; without any, keys and values of 1, 2, 4 and 8 bytes are integers, others
--- strings of bytes.
---@param which { pin: string|nil, id: integer|nil }
---@return moonprobe.Map
function found_map.open(which)
  if not job.allowed.object then
    blame("map: 'object' is not granted to this script: any map of the machine; run it with --allow object")
  end
  if type(which) ~= 'table' or (which.pin == nil) == (which.id == nil) then
    blame('map: needs { pin = path } or { id = number }')
  end
  for name in pairs(which) do
    if name ~= 'pin' and name ~= 'id' then blame("map: '%s' is neither pin nor id", tostring(name)) end
  end
  if which.pin ~= nil and (type(which.pin) ~= 'string' or #which.pin > MOST_PATH or which.pin:find '%z') then
    blame('map: pin: needs a path, of at most %d bytes', MOST_PATH)
  end
  if which.id ~= nil and not (type(which.id) == 'number' and which.id >= 0 and which.id < 2 ^ 32
    and which.id == math.floor(which.id)) then
    blame('map: id: needs a number from 0 to 2^32 - 1')
  end
  local name = which.pin or ('id %d'):format(which.id)
  if job.check or job.replay or job.test then return absent(name) end
  if stream.frozen then blame('map %s: maps are opened while the script is loaded', name) end
  if found == MOST_MAPS then blame('map %s: more than %d maps in one script', name, MOST_MAPS) end
  local reply = ask('map', 'found', which.pin and 'pin' or 'id', which.pin or which.id)
  if #reply.fds == 0 and reply[2] == 'offline' then return absent(name) end
  if #reply.fds == 0 then
    blame('map %s: %s', name, reply[2] == MISSING and 'there is none; bpftool map shows all with their ids and pins'
      or reply[2])
  end
  local made, problem = described(name, reply, nil, true)
  if not made then blame(problem) end
  local self = map_state.of(made)
  self.object, self.index = -1, found
  found = found + 1
  return made
end

return found_map
