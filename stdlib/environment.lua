-- SPDX-License-Identifier: Apache-2.0
--- Environment: the globals and modules a user's script gets. What is not listed here is not
--- there, unless the user granted it by name (`--allow ffi,debug`).
---
--- This keeps scripts honest and portable. What keeps the machine safe is the process: nobody,
--- no capabilities, seccomp, Landlock.

local blame = require 'moonprobe.blame'
local engine = require 'moonprobe.engine'
local job = require 'moonprobe.job'
local nearest = require 'moonprobe.nearest'
local output = require 'moonprobe.output'

local environment = {}

--- What can be granted, and what it opens.
environment.grants = {
  ffi = 'any memory of the worker, any C function',
  debug = 'other functions\' variables, the stdlib\'s among them',
  ['os.execute'] = 'starting programs, as nobody',
  ['io.popen'] = 'starting programs, as nobody',
  ['package.loadlib'] = 'C modules',
  object = 'BPF objects of one\'s own, and any map: any program in the kernel',
  stdlib = 'the internals of the stdlib, for its tests',
}

local base = { 'assert', 'collectgarbage', 'error', 'getmetatable', 'ipairs', 'next', 'pairs', 'pcall',
  'rawequal', 'rawget', 'rawset', 'select', 'setmetatable', 'tonumber', 'tostring', 'type', 'unpack',
  'xpcall', '_VERSION', 'bit', 'coroutine', 'math', 'string', 'table' }
local os_names = { 'clock', 'date', 'difftime', 'exit', 'getenv', 'remove', 'rename', 'time', 'tmpname' }
local io_names = { 'close', 'flush', 'input', 'lines', 'open', 'output', 'read', 'stderr', 'stdin',
  'stdout', 'type', 'write' }
local public_modules = { moonprobe = true, ['moonprobe.json'] = true, ['moonprobe.units'] = true,
  ['string.buffer'] = true, bit = true }

--- What a script may require without a grant.
environment.public_modules = public_modules

local function part_of(library, names)
  local part = {}
  for _, name in ipairs(names) do part[name] = library[name] end
  return part
end

local globals = {}

--- Compiles text (never bytecode) into a function that sees the user's globals.
local function compile(source, name, mode, env)
  if type(source) == 'function' then
    local parts = {}
    for part in source do
      if part == '' then break end
      parts[#parts + 1] = part
    end
    source = table.concat(parts)
  end
  if mode ~= nil and not tostring(mode):find('t') then return nil, 'only text can be loaded' end
  local chunk, message = load(source, name, 't')
  if not chunk then return nil, message end
  return setfenv(chunk, env or globals)
end

--- The same for what the stdlib is given as text: a function that sees the user's globals, and mp.
---@param text string
---@param name string of the chunk
---@return function|nil
---@return string? message
function environment.compile(text, name)
  rawset(globals, 'mp', require 'moonprobe')
  return compile(text, name)
end

local function read_file(name)
  local file, message = io.open(name, 'rb')
  if not file then return nil, message end
  local text = file:read('*a')
  file:close()
  return text
end

local loaded = {}

--- The stdlib's public modules, LuaJIT's own that are harmless or granted, the user's.
local function user_require(name)
  if type(name) ~= 'string' or name:find('%z') then blame("require: needs a module's name") end
  if public_modules[name] or (job.test and name == 'moonprobe.test') or (job.allowed.stdlib and name:find('^moonprobe'))
    or (job.allowed.ffi and (name == 'ffi' or name:find('^jit')))
    or (job.allowed.debug and name == 'debug') then
    return require(name)
  elseif environment.grants[name] and name ~= 'object' then
    blame("module '%s' is not granted to this script; run it with --allow %s", name, name)
  elseif loaded[name] ~= nil then
    return loaded[name]
  end
  local chunk, message = require('moonprobe.user_module')(name)
  if not chunk and job.allowed['package.loadlib'] then return require(name) end
  if not chunk and name == 'moonprobe.test' then blame("this is a test; moonprobe test %s runs it", job.file) end
  if not chunk then blame("module '%s' not found: %s", name, message) end
  loaded[name] = true
  local value = setfenv(chunk, globals)(name)
  if value ~= nil then loaded[name] = value end
  return loaded[name]
end

local function user_print(...)
  local words = { ... }
  for i = 1, select('#', ...) do words[i] = output.escaped(tostring(words[i])) end
  output.line(table.concat(words, '\t')) -- in the order of rows, which are gathered too
end

local function unknown(_, name)
  local grant = environment.grants[name]
  if grant and name ~= 'object' then blame("'%s' is not granted to this script; run it with --allow %s", name, name) end
  local names = {}
  for known in pairs(globals) do names[#names + 1] = known end
  local near = nearest(tostring(name), names)
  blame("no variable named '%s'%s", tostring(name), near and ("; did you mean '%s'?"):format(near) or '')
end

--- Missing members of os and io are told as what they are: not granted.
local function guarded(library, prefix)
  return setmetatable(library, { __index = function(_, name)
    local full = prefix .. '.' .. tostring(name)
    if environment.grants[full] then
      blame("'%s' is not granted to this script; run it with --allow %s", full, full)
    end
    return nil
  end })
end

--- The one table of globals for the script and its modules. `also` is merged into it.
---@param also table
---@return table
function environment.make(also)
  for _, name in ipairs(base) do globals[name] = _G[name] end
  globals.os = guarded(part_of(os, os_names), 'os')
  globals.io = guarded(part_of(io, io_names), 'io')
  globals.os.exit = function(status)
    output.flush() -- the rows so far
    engine.exit(status == nil and 0 or status == true and 0 or status == false and 1 or tonumber(status) or 1)
  end
  if job.replay then -- the recording's time
    globals.os.time = function(date) return date and os.time(date) or math.floor(engine.realtime() / 1e9) end
    globals.os.date = function(format, time) return os.date(format, time or globals.os.time()) end
    globals.os.clock = function() return engine.monotonic() / 1e9 end
  end
  for _, name in ipairs { 'os.execute', 'io.popen' } do
    local library, member = name:match('^(%a+)%.(%a+)$')
    if job.allowed[name] then globals[library][member] = _G[library][member] end
  end
  if job.allowed.debug then globals.debug = debug end
  if job.allowed['package.loadlib'] then globals.package = package end
  globals._G = globals
  globals.require = user_require
  globals.print = user_print
  globals.load = compile
  globals.loadstring = function(text, name) return compile(text, name or text) end
  globals.loadfile = function(name)
    local text, message = read_file(name)
    if not text then return nil, message end
    return compile(text, '@' .. name)
  end
  globals.dofile = function(name)
    local chunk, message = globals.loadfile(name)
    if not chunk then error(message, 0) end
    return chunk()
  end
  if job.allowed.stdlib then
    for name, value in pairs(_G) do
      if name ~= '_G' and name ~= 'require' and name ~= 'print' then globals[name] = value end
    end
  end
  for name, value in pairs(also) do globals[name] = value end
  return setmetatable(globals, { __index = unknown })
end

return environment
