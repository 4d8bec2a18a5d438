-- SPDX-License-Identifier: Apache-2.0
--- stdlib/stage/changes.lua: a filter whose values the script's own handlers change runs where they
--- run: the kernel would judge events by what was there before.
local tap = require 'tap'
local engine = require 'moonprobe.engine'
local invented = require 'invented'
local mp = require 'moonprobe'
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

-- Closures that handlers make: they may run before the next event.
local keep = {}
tap.like(where({ few }, function() return function() count = count + 1 end end),
  "'count', which", 'by a closure, not called')
tap.is(where({ few }, function() return function() return count end end), 'kernel', 'which may only read')
tap.like(where({ few }, function()
  local function step()
    local function within() count = count + 1 end
    return within
  end
  return step
end), "'count', which", 'by one within another')
tap.like(where({ new }, function(e)
  local mine = seen
  keep[e.pid] = function() mine[1] = true end
end), 'a table that', 'by one that has it as a local, and is stored')
tap.like(where({ new }, function(e)
  local later
  keep.run = function() later[e.pid] = true end
  later = seen
end), 'a table that', 'which is given to the local later')
tap.like(where({ new }, function(e)
  local function change(list) list[e.pid] = true end
  change(seen)
end), 'a table that', 'by one that is given it')
tap.is(where({ new }, function(e)
  local function change(list) list[e.pid] = true end
  change {}
  change(keep)
end), 'kernel', 'or others')
local function setter_of(list) return function(key) list[key] = true end end
tap.like(where({ new }, function(e) setter_of(seen)(e.pid) end), 'a table that', 'by one that a function makes')
tap.like(where({ new }, function(e) mp.after('1s', function() seen[e.pid] = nil end) end), 'a table that',
  'by one that is given to the stdlib')
tap.like(where({ few }, function() pcall(function() count = 1 end) end), "'count', which", 'or the library')
tap.like(where({ few }, function(e) string.gsub(e.comm, '.', function() count = 1 end) end), "'count', which",
  'or string.gsub')
tap.like(where({ few }, function() coroutine.wrap(function() count = 1 end)() end), "'count', which", 'or a coroutine')
local stepped = coroutine.wrap(function() while true do count = coroutine.yield() end end)
local thread = coroutine.create(function() while true do count = coroutine.yield() end end)
tap.like(where({ few }, function() stepped(1) end), "'count', which .*%d", 'or one that was there before')
tap.like(where({ few }, function() coroutine.resume(thread, 1) end), "'count', which .*%d", 'and is resumed')
tap.like(where({ few }, stepped), "'count', which .*a coroutine", 'or is the handler')
tap.like(where({ few }, function() mp.row(setmetatable({}, { __tostring = function() count = 1 end })) end),
  "'count', which", 'by a metamethod')
local later = setmetatable({}, { __newindex = function(_, key) seen[key] = true end })
tap.like(where({ new }, function(e) later[e.pid] = 1 end), 'a table that', 'by __newindex')
local also = setmetatable({}, { __newindex = seen })
tap.like(where({ new }, function(e) also[e.pid] = 1 end), 'a table that', 'which may be a table')
tap.like(where({ few }, function() return later + setmetatable({}, { __add = function() count = 1 end }) end),
  "'count', which", 'by __add')

-- Tables that are reached through others, whatever the key.
local by_kind = { a = seen, b = {} }
tap.like(where({ new }, function(e) by_kind[e.comm][e.pid] = true end), 'a table that', 'in a table, by a variable key')
tap.like(where({ new }, function(e) for _, list in pairs(by_kind) do list[e.pid] = true end end), 'a table that',
  'by pairs')
local lists = { {}, seen }
tap.like(where({ new }, function(e) for i = 1, #lists do lists[i][e.pid] = true end end), 'a table that', 'by a number')
tap.like(where({ new }, function(e) for _, list in ipairs(lists) do table.insert(list, e.pid) end end), 'a table that',
  'by ipairs and table.insert')
tap.like(where({ new }, function() table.remove(seen) end), 'a table that', 'by table.remove')
tap.like(where({ new }, function(e) select(2, e, unpack(lists))[1] = true end), 'a table that', 'by unpack and select')
local keyed = { [seen] = 1 }
tap.like(where({ new }, function(e) next(keyed)[e.pid] = true end), 'a table that', 'or the table')
tap.like(where({ new }, function(e)
  keep.last = seen
  keep.last[e.pid] = true
end), 'a table that', 'that a handler has put into another')
tap.like(where({ new }, function(e)
  local pair = { e, seen }
  local list = pair[2]
  list[e.pid] = true
end), 'a table that', 'or into one that it makes')
tap.like(where({ new }, function(e)
  local function give(...) return ... end
  local _, list = give(e, seen)
  list[e.pid] = true
end), 'a table that', 'by what a function returns')
local queue = {}
tap.like(where({ new }, function(e)
  for i = 1, 2 do
    local list = queue
    if i == 2 then list = seen end
    if e.pid > 5 then list[e.pid] = true end
  end
end), 'a table that', 'on one of two ways')
tap.is(where({ new }, function(e)
  local list = seen
  local n = #list
  list = queue
  list[e.pid] = n
end), 'kernel', 'a variable that has it no more')
local many = {}
for i = 1, 1000 do many[i] = { {} } end
many[500][1] = seen
tap.like(where({ new }, function(e) many[e.pid][1][e.pid] = true end), 'a table that', 'among a thousand')
tap.is(where({ first }, function(e) many[e.pid][1][e.pid] = true end), 'kernel', 'where others are not')
many[1000][1] = { run = counts }
tap.like(where({ few }, function(e) many[e.pid][1].run() end), "'count', which", 'a function among them')
tap.like(where({ few }, function() assert(loadstring 'count = 1')() end), "'count', which", 'what cannot be known')

-- Keys of their own.
local settings = { least = 3, hits = 0 }
local function at_least(e) return e.pid > settings.least end
tap.is(where({ at_least }, function() settings.hits = settings.hits + 1 end), 'kernel', 'another key of the table')
tap.like(where({ at_least }, function(e) settings[e.comm] = 1 end), 'a table that', 'any key of it')
local function total_of(e) return e.pid > #seen end
tap.like(where({ total_of }, function() seen[1] = true end), 'a table that', 'its length')
tap.is(where({ at_least }, function(e)
  local message = { text = e.comm, settings = settings }
  message.text = ('%s %d'):format(message.text, settings.least)
  mp.row(message.text, math.max(e.pid, settings.least), mp.now())
end), 'kernel', 'what handlers usually do')

-- Of handlers whose loops are compiled by now.
local hot = { seen }
local function runs(e)
  local n = 0
  for _, list in pairs(hot) do n = n + e.pid if n < 0 then list[1] = true end end
  for _, list in ipairs(hot) do n = n + e.pid if n < 0 then list[1] = true end end
  return n
end
for _ = 1, 300 do runs { pid = 1 } end
tap.like(where({ new }, runs), 'a table that', 'in a loop that was compiled')

-- What timers change is followed while it runs; what they give to handlers counts.
local current, also_current = {}, { list = {} }
local function swaps()
  current = current and seen
  also_current.list = also_current.list and seen
end
local function timed(take)
  local filter = new
  local _, of = plan.make { schema = invented.schema, sinks = { { filters = { filter }, take = take } },
    timers = { swaps, function() seen[1] = true load 'x = 1' end } }
  return #of[1].left == 0 and 'kernel' or of[1].refusals[filter].reason
end
tap.is(timed(none), 'kernel', 'a table that a timer changes')
tap.is(timed(function() queue[1] = true end), 'kernel', 'beside a handler that changes another')
tap.like(timed(function(e) current[e.pid] = true end), 'a table that', 'which a timer has put into a variable')
tap.like(timed(function(e) also_current.list[e.pid] = true end), 'a table that', 'or into a table')

-- Columns have functions since they were declared: a row calls them.
do
  local row = mp.columns { { 'n' }, { 'pid', format = function(pid)
    count = count + 1
    return pid
  end } }
  local _, of = plan.make { schema = invented.schema, formats = require('moonprobe.output').formats,
    sinks = { { filters = { few }, take = function(e) row(1, e.pid) end } } }
  tap.like(of[1].refusals[few].reason, "'count', which", 'by the format of a column')
end

-- Those of the script's other probes, too.
local only, theirs = { filters = { new }, take = none }, { filters = {}, take = notes }
local made, jobs = plan.make { schema = invented.schema, sinks = { only }, handlers = { theirs, only } }
tap.is(made, nil, 'by a handler of another probe')
tap.like(jobs[1].refusals[new].reason, '^a table that the handler changes .*' .. line_of(notes, 1), 'which is named')

-- Handlers use the stdlib: that is not looked at.
local function prints(e) print(e.pid, mp) end
where({ few }, prints)
local start = engine.monotonic()
where({ few }, prints)
tap.ok(engine.monotonic() - start < 2e7, 'it takes no time')
tap.done()
