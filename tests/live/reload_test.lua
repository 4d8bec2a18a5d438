-- SPDX-License-Identifier: Apache-2.0
--- Reload: nothing is lost, nothing is seen twice, what is kept stays attached, and a version
--- that is no good does not get far.

local tap = dofile 'tests/tap.lua'

local folder = os.tmpname()
os.remove(folder)
os.execute('mkdir ' .. folder)
local script = folder .. '/script.lua'

--- Runs a script with -w under a shell script, in which
---   save TEXT      replaces the script
---   told PATTERN N waits until stderr has N lines with the pattern
local function run(first, steps)
  tap.spit(script, first)
  tap.spit(folder .. '/err', '')
  tap.spit(folder .. '/steps', ([[
dir=%s
save() { printf '%%s\n' "$1" > $dir/next; mv $dir/next $dir/script.lua; }
told() {
  tries=0
  while [ "$(grep -c "$1" $dir/err)" -lt $2 ]; do
    tries=$((tries + 1)); [ $tries -gt 600 ] && { echo "waited in vain for $2 times $1" >&2; break; }
    sleep 0.05
  done
}
]]):format(folder) .. steps)
  local result = tap.shell(('%s run -w -f json --ring 16M -c "sh %s/steps" %s 2>%s/err'):format(tap.binary, folder,
    script, folder), 170)
  result.err = tap.slurp(folder .. '/err')
  return result
end

-- Under load: every record exactly once, by the kernel's numbers.
local reloads = tap.slow and 10 or 100
local rate, events = 600000, 100000000 -- the workload is ended when the reloads are done
if tap.slow then rate = 5000 end
local counting = [[
local mp = require 'moonprobe'
local cpus = mp.state('cpus', {})
mp.probe('syscall', { only_number = 110 }):each(function(e)
  local one = cpus[e.cpu]
  if not one then one = { n = 0, sum = 0, last = -1, back = 0 } cpus[e.cpu] = one end
  -- The number has 24 bits: which of those that end like it is nearest to the last one?
  local number = one.last + (e.sequence - one.last + 2 ^ 23) % 2 ^ 24 - 2 ^ 23
  one.n = one.n + 1
  one.sum = one.sum + number
  if number <= one.last then one.back = one.back + 1 end
  one.last = math.max(one.last, number)
end)
mp.finally(function()
  for cpu, one in pairs(cpus) do mp.row('cpu', cpu, one.n, one.sum, one.last, one.back) end
end)
]]
local result = run(counting, ([[
%s pace %d %d & pid=$!
i=1
while [ $i -le %d ]; do
  echo "-- $i" >> $dir/script.lua
  told reloaded $i
  i=$((i + 1))
done
kill $pid
]]):format(tap.workload, events, rate, reloads))
local sum = tap.summary(result)
local count = tonumber(result.out:match('"reloads":{"count":(%d+)'))
tap.is(count, reloads, ('%d reloads under load'):format(reloads))
tap.ok(sum and sum.lost == 0 and sum.events == sum.received and sum.failed == 0, '0 lost', sum, result.err)
local seen, exact = 0, true
for n, numbers, last, back in result.out:gmatch('%["cpu",%d+,(%d+),(%d+),([%d-]+),(%d+)%]') do
  n, numbers, last = tonumber(n), tonumber(numbers), tonumber(last)
  seen = seen + n
  -- 0 .. n-1, each once: the count, the largest, and the sum agree, in rising order.
  if last ~= n - 1 or numbers ~= n * (n - 1) / 2 or tonumber(back) ~= 0 then exact = false end
end
tap.ok(exact and sum and seen == sum.events, 'every sequence number once, in order, on every CPU', result.out)
if not tap.slow then
  local pause = tonumber(result.out:match('"pause_ns":(%d+)')) / reloads / 1e6
  local seconds = seen / rate
  io.write(('# %d events in about %.0f s, mean pause %.2f ms\n'):format(seen, seconds, pause))
end

-- Kept probes keep their links; added and dropped ones come and go.
local two = "local mp = require 'moonprobe' mp.probe('process_exec'):count() mp.probe('process_fork'):count()"
local three = two .. " mp.probe('process_exit'):count()"
local one = "local mp = require 'moonprobe' mp.probe('process_exec'):count()"
result = run(two, ([[
links() { cat /proc/$PPID/fdinfo/* 2>/dev/null | grep '^link_id' | sort > $dir/$1; }
links 2
save "%s"; told reloaded 1; sleep 0.3; links 3
save "%s"; told reloaded 2; sleep 0.3; links 1
]]):format(three, one))
local function links(name)
  local ids = {}
  for id in tap.slurp(folder .. '/' .. name):gmatch('link_id:%s*(%d+)') do ids[id] = true end
  local n = 0
  for _ in pairs(ids) do n = n + 1 end
  return ids, n
end
local function subset(small, large)
  for id in pairs(small) do if not large[id] then return false end end
  return true
end
local ids2, n2 = links '2'
local ids3, n3 = links '3'
local ids1, n1 = links '1'
-- Three links are those that follow the command's children.
tap.is({ n2, n3, n1 }, { 5, 6, 4 }, 'a link per probe: two, three, one')
tap.ok(subset(ids2, ids3), 'adding a probe leaves the others\' links alone', result.err)
tap.ok(subset(ids1, ids2), 'dropping probes leaves the other\'s link alone', result.err)

-- More fields in the new version: another body in the same slot.
result = run("local mp = require 'moonprobe' mp.probe('process_exec'):each(function(e) mp.row(e.pid) end)", [[
links() { cat /proc/$PPID/fdinfo/* 2>/dev/null | grep '^link_id' | sort > $dir/$1; }
/bin/true; links a
save "local mp = require 'moonprobe' mp.probe('process_exec'):each(function(e) mp.row(e.comm, e.args) end)"
told reloaded 1
links b; /bin/true; /bin/true
]])
tap.is({ tap.slurp(folder .. '/a'), tap.matching(result.rows, '^%["true","/bin/true"%]$') },
  { tap.slurp(folder .. '/b'), 2 }, 'a version that reads more gets it, over the same link')

-- A module counts as part of the script.
tap.spit(folder .. '/word.lua', "return 'one'")
result = run("local mp = require 'moonprobe' local word = require 'word' "
  .. "mp.probe('process_exec'):each(function(e) mp.row(word, e.comm) end)", [[
/bin/true; echo "return 'two'" > $dir/word.lua; told reloaded 1; /bin/true]])
tap.is({ tap.matching(result.rows, '^%["one","true"%]$'), tap.matching(result.rows, '^%["two","true"%]$') }, { 1, 1 },
  'a module that changes reloads the script')

-- A repeating timer keeps its beat: saved every 0.3 s, one of 1 s would never be due otherwise.
result = run("local mp = require 'moonprobe' mp.every('1s', function() mp.row('beat') end)", [[
for i in 1 2 3 4 5 6 7 8; do sleep 0.3; echo "-- $i" >> $dir/script.lua; done; told reloaded 4]])
tap.ok(tap.matching(result.rows, '^%["beat"%]$') >= 2, 'timers keep their beat over reloads', result.out, result.err)

-- Versions that cannot be loaded leave the old one running, and say why.
local steady = "local mp = require 'moonprobe' local s = mp.state('s', { n = 0 }) mp.probe('process_exec'):each(function(e) s.n = s.n + 1 mp.row('n', s.n, e.comm) end)"
result = run(steady, [[
/bin/true
save "local mp = ="; told 'stays' 1; /bin/true
save "error 'at load'"; told 'stays' 2; /bin/true
save "local mp = require 'moonprobe' mp.probe('process_exec'):each(function(e) return e.cmm end)"; told 'stays' 3; /bin/true
save "local mp = require 'moonprobe' mp.probe('process_exec', { failed = 1 }):count() os.exit(1)"; told 'stays' 4; /bin/true
]])
tap.is(tap.matching(result.rows, '"true"%]$'), 5, 'versions that do not load leave the old one running')
tap.ok(result.err:find('unexpected symbol') and result.err:find('at load') and result.err:find("did you mean 'comm'"),
  'and the reasons are told', result.err)

-- A version that fails within its probation is rolled back, whatever the failure.
local function rolls_back(body, pattern, name)
  local r = run(steady, ([[
/bin/true
save "%s"; told 'back to the one before' 1
/bin/true; /bin/true
]]):format(body))
  -- The old version goes on counting where it had stopped.
  local last = tonumber(r.out:match('.*%["n",(%d+),"true"%]')) or 0
  tap.ok(r.err:find(pattern) ~= nil and r.out:find('"rollbacks":1') ~= nil and last > 3, 'rolled back: ' .. name, r.err, r.out)
end
rolls_back("local mp = require 'moonprobe' mp.probe('process_exec'):count() mp.after('10ms', function() os.exit(3) end)",
  'exited by itself, status 3', 'it exits')
rolls_back("local mp = require 'moonprobe' mp.probe('process_exec'):count() mp.after('10ms', function() while true do end end)",
  'hung in compiled code', 'it hangs in compiled code')
rolls_back("local mp = require 'moonprobe' mp.probe('process_exec'):count()\nmp.after('10ms', function()\n  local t = {} while true do for k in pairs(t) do t[k] = nil end string.rep('x', 10):gsub('x', 'y') end end)",
  'hung at .*script.lua:3', 'it hangs, with the line')

-- Two saves in a row: the last one wins.
result = run(steady, ([[
i=0
while [ $i -lt 20 ]; do save "%s -- $i"; i=$((i + 1)); done
save "local mp = require 'moonprobe' mp.probe('process_exec'):each(function(e) mp.row('last', e.comm) end) mp.row('loaded last')"
tries=0
while ! grep -q XX $dir/none 2>/dev/null && [ $tries -lt 20 ]; do tries=$((tries + 1)); sleep 0.1; done
/bin/true
]]):format(steady))
tap.ok(tap.matching(result.rows, '^%["last","true"%]$') == 1, 'of many saves the last one runs', result.out, result.err)

os.execute('rm -r ' .. folder)
tap.done()
