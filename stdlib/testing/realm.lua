-- SPDX-License-Identifier: Apache-2.0
--- Realm: the stdlib once more, for a script within a test: modules that remember anything are
--- loaded anew, what they need of the outside is given by the test.
---
---   engine   its clock and its output are the test's
---   host     nobody: what would be sent is told to the test
---   drain    the counters of the probes
---   job      what to run
---
--- Everything else is the real library. Modules that declare C types, and the translator, which
--- remembers nothing, are shared: types can be declared once.

local asset = require 'moonprobe.asset'
local engine = require 'moonprobe.engine'
local own_sources = require 'moonprobe.own_sources'
local clock = require 'moonprobe.testing.clock'
local coverage = require 'moonprobe.testing.coverage'
local load_user_module = require 'moonprobe.user_module'

local realm = {}

local shared = {}
for name in ('asset ask_for_file blame btf chains fields layout lpm nearest own_sources place player reads schema '
  .. 'syscalls typed stack units vmdef'):gmatch('%S+') do shared['moonprobe.' .. name] = true end

local chunks = {} -- [module] = function, compiled once

local function chunk_of(module)
  if not chunks[module] then
    local file = module == 'moonprobe' and 'stdlib/moonprobe.lua'
      or 'stdlib/' .. module:match('^moonprobe%.(.*)'):gsub('%.', '/') .. '.lua'
    local source, path = asset(file)
    if not source then error('no ' .. file .. ' in moonprobe', 0) end
    own_sources['@' .. path] = true
    chunks[module] = assert(loadstring(source, '@' .. path))
  end
  return chunks[module]
end

local user_chunks = {} -- likewise: the host limits how often it is asked

local function user_module(name)
  local message
  if not user_chunks[name] then user_chunks[name], message = load_user_module(name) end
  if user_chunks[name] then coverage.watch(user_chunks[name]) end
  return user_chunks[name], message
end

--- What a script sees of the machine.
local function engine_of(outside)
  return setmetatable({
    monotonic = function() return outside.clock.now end,
    realtime = function() return clock.BEGIN_NS + outside.clock.now end,
    is_terminal = function() return false end,
    write = function(_, text)
      outside.write(text)
      return true
    end,
    exit = function(status) error(('os.exit(%d) in a test'):format(status), 0) end,
  }, { __index = engine })
end

local function host_of(outside)
  return {
    send = function(name) outside.send(name) end,
    report = function(format, ...)
      outside.report(select('#', ...) > 0 and format:format(...) or format)
    end,
  }
end

local function os_of(outside)
  local function seconds() return math.floor((clock.BEGIN_NS + outside.clock.now) / 1e9) end
  return setmetatable({
    time = function(date) return date and os.time(date) or seconds() end,
    date = function(format, time) return os.date(format, time or seconds()) end,
    clock = function() return outside.clock.now / 1e9 end,
  }, { __index = os })
end

--- A realm of its own. `outside` has a job, a clock ({ now = ns }), and the functions
--- write(text), send(name), report(line), totals(slot).
---@return fun(module: string): any require
function realm.new(outside)
  local globals = setmetatable({ os = os_of(outside) }, { __index = _G })
  local loaded = {
    ['moonprobe.job'] = outside.job,
    ['moonprobe.engine'] = engine_of(outside),
    ['moonprobe.host'] = host_of(outside),
    ['moonprobe.drain'] = { totals = outside.totals },
    ['moonprobe.user_module'] = user_module,
  }
  function globals.require(name)
    if loaded[name] ~= nil then return loaded[name] end
    if not (name == 'moonprobe' or name:find('^moonprobe%.')) or shared[name]
      or name:find('^moonprobe%.stage%.') then
      return require(name)
    end
    local value = setfenv(chunk_of(name), globals)(name)
    loaded[name] = value == nil or value
    return loaded[name]
  end
  globals.require('moonprobe.loading').watch = coverage.watch
  return globals.require
end

return realm
