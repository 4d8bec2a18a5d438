-- SPDX-License-Identifier: Apache-2.0
--- stdlib/stage/changes.lua: a filter whose values the script's own handlers change runs where they
--- run: the kernel would judge events by what was there before.
local tap = require 'tap'
local engine = require 'moonprobe.engine'
local invented = require 'invented'
local plan = require 'moonprobe.stage.plan'

--- Why the first filter is not the kernel's, with these handlers; 'kernel' when it is.
local function where(filters, take, fold)
  local made, jobs = plan.make { schema = invented.schema, sinks = { { filters = filters, take = take, fold = fold } } }
  if made and #jobs[1].left == 0 then return 'kernel' end
  return jobs[1].refusals[filters[1]].reason
end
local function line_of(fn, more) return ':' .. debug.getinfo(fn, 'S').linedefined + (more or 0) .. '%)' end

local count, seen, state = 0, {}, { count = 0, inner = { count = 0 } }
local function few(e) return e.pid > count end
local function new(e) return not seen[e.pid] end
local function first(e) return e.pid > state.count end
local function none(_) end

tap.is(where({ few, new, first }, none), 'kernel', 'what nobody changes')
tap.is(where({ few }, function(e) return count + e.pid end), 'kernel', 'what is only read')
local function counts() count = count + 1 end
tap.like(where({ few }, counts), "^'count', which the handler changes .*" .. line_of(counts), 'a variable, and where')
local function notes(e)
  seen[e.pid] = true
end
tap.like(where({ new }, notes), '^a table that the handler changes .*' .. line_of(notes, 1), 'a table, and where')
tap.is(where({ first }, notes), 'kernel', 'another table')
tap.like(where({ first }, function() state.count = state.count + 1 end), 'a table that', 'a field')
tap.is(where({ first }, function() state.inner.count = 1 end), 'kernel', 'a field of a table in it')
tap.like(where({ new }, function(e) rawset(seen, e.pid, true) end), 'a table that', 'by rawset')
tap.like(where({ new }, function(e) table.insert(seen, e.pid) end), 'a table that', 'by table.insert')
tap.like(where({ new }, function(e)
  local mine = seen
  mine[e.pid] = true
end), 'a table that', 'by another name')
tap.like(where({ few }, function() counts() end), "'count', which", 'by a function that is called')
local tools = { add = counts }
tap.like(where({ few }, function() tools.add() end), "'count', which", 'by one in a table')
tap.like(where({ few, function(e) count = count + 1 return e.pid end }, none), "'count', which", 'by another filter')
tap.like(where({ few }, none, { kind = { name = 'count' }, keys = { function(e) count = e.pid return 1 end },
    options = {},
  made = {} }), "'count', which", 'by the key of an aggregate')
local env = { total = 0, list = {} }
local function shared(text) return setfenv(assert(loadstring('return function(e) ' .. text .. ' end'))(), env) end
tap.like(where({ shared 'return e.pid > total' }, shared 'total = total + 1'), "'total', which", 'a global')
tap.like(where({ shared 'return list[e.pid]' }, shared 'list[e.pid] = true'), 'a table that', 'a table in one')
local other = 5
tap.is(where({ few }, function() other = other + 1 end), 'kernel', 'another variable')
tap.is(other, 5, 'nothing is run for that')

-- Tables that are handed on: to functions, to methods.
local function add_to(list, pid) list[pid] = true end
tap.like(where({ new }, function(e) add_to(seen, e.pid) end), 'a table that', 'by a function that is given it')
tap.is(where({ new }, function(e) add_to({}, e.pid) end), 'kernel', 'which may be given another')
local Set = {}
Set.__index = Set
function Set:add(pid) self.pids[pid] = true end
function Set:add_twice(pid)
  self:add(pid)
  return self:add(-pid)
end
local set = setmetatable({ pids = {} }, Set)
local other_set = setmetatable({ pids = {} }, Set)
local function has(e) return set.pids[e.pid] end
tap.like(where({ has }, function(e) set:add(e.pid) end), 'a table that', 'by a method')
tap.like(where({ has }, function(e) set:add_twice(e.pid) end), 'a table that', 'by one that calls it')
tap.is(where({ has }, function(e) other_set:add(e.pid) end), 'kernel', "by another one's")
local function around(list) return around(list) end
where({ has }, function() around(set) end) -- ends

-- Those of the script's other probes, too.
local only, theirs = { filters = { new }, take = none }, { filters = {}, take = notes }
local made, jobs = plan.make { schema = invented.schema, sinks = { only }, handlers = { theirs, only } }
tap.is(made, nil, 'by a handler of another probe')
tap.like(jobs[1].refusals[new].reason, '^a table that the handler changes .*' .. line_of(notes, 1), 'which is named')

-- Handlers use the stdlib: that is not looked at.
local mp = require 'moonprobe'
local function prints(e) print(e.pid, mp) end
where({ few }, prints)
local start = engine.monotonic()
where({ few }, prints)
tap.ok(engine.monotonic() - start < 2e7, 'it takes no time')
tap.done()
