-- SPDX-License-Identifier: Apache-2.0
--- The stdlib under plain luajit: its modules from their folder, and stand-ins for what the C
--- side of a worker gives. Only what reading fields and planning stages need is there.

local bit = require 'bit'
local bpf = require 'bpf'
local ffi = require 'ffi'

ffi.cdef [[
const char *strerrorname_np(int number);
const char *sigabbrev_np(int number);
]]

local stdlib = { schemas = {} } -- [name of a probe] = what engine.schema gives

local FOLDERS = { 'stdlib/', 'build/stdlib/' }

local function slurp(path)
  local file = io.open(path, 'rb')
  if not file then return nil end
  local text = file:read('*a')
  file:close()
  return text
end

local function name_of(known, number)
  local name = known(bit.tobit(number))
  if name ~= nil then return ffi.string(name) end
end

local now = 5e12 -- ns; it only goes on when somebody waits

local engine = {
  errno_name = function(number) return name_of(ffi.C.strerrorname_np, number) end,
  signal_name = function(number) return name_of(ffi.C.sigabbrev_np, number) end,
  monotonic = function() return now end,
  wait = function(ms) now = now + ms * 1e6 end,
  asset = function(name) return slurp(name) end,
  realtime = function() return 1.7e18 end,
  assets = function() return {} end,
  schema = function(name) return stdlib.schemas[name] end,
}

-- An aggregate's cells are read with these.

function engine.map(fd, bytes) return bpf.mapped(fd, bytes) end
function engine.map_unmap(start, bytes) bpf.unmap(start, bytes) end
function engine.map_update(fd, key, value) return bpf.update(fd, key, value) end
function engine.close() end -- whoever made the maps closes them

function engine.map_wipe(fd, keys, key_bytes)
  for at = 1, #keys, key_bytes do bpf.delete(fd, keys:sub(at, at + key_bytes - 1)) end
  return true
end

local kept = {} -- what pointers to were given, until the next call

function engine.map_lookup(fd, key, bytes)
  kept.value = bpf.lookup(fd, key, bytes)
  return ffi.cast('const char *', kept.value)
end

--- All at once.
function engine.map_batch(fd, key_bytes, value_bytes)
  local keys, values = bpf.keys(fd, key_bytes), {}
  for i, key in ipairs(keys) do values[i] = bpf.lookup(fd, key, value_bytes) end
  kept.keys, kept.values = table.concat(keys), table.concat(values)
  return #keys, ffi.cast('const char *', kept.keys), ffi.cast('const char *', kept.values)
end

local function asset(name)
  if name:match('^probes/') then return name end -- engine.schema above does not look at it
  return slurp((name:gsub('^include/', 'bpf/include/'))), name
end

local modules = {
  engine = engine,
  asset = asset,
  own_sources = {},
  job = { allowed = {}, arguments = {}, folders = {} },
}

function stdlib.use()
  table.insert(package.loaders, 2, function(module)
    local name = module:match('^moonprobe%.([%w_.]+)$')
    if not name then return nil end
    if modules[name] then return function() return modules[name] end end
    for _, folder in ipairs(FOLDERS) do
      local path = folder .. name:gsub('%.', '/') .. '.lua'
      local source = slurp(path)
      if source then return assert(loadstring(source, '@' .. path)) end
    end
    return '\n\tno ' .. name .. ' in stdlib'
  end)
end

return stdlib
