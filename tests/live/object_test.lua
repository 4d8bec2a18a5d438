-- SPDX-License-Identifier: Apache-2.0
--- Objects of a script's own: loaded, attached, read and kept; maps of every kind; what is wrong is told.

local tap = dofile 'tests/tap.lua'

local folder = os.tmpname()
os.remove(folder)
os.execute('mkdir ' .. folder)
local script = folder .. '/script.lua'
local object = 'tests/objects/every_map.bpf.o'

-- The object traces one process, by its number: `sh` stops before it becomes the workload, and goes on when
-- the script runs.
tap.spit(folder .. '/go', [[
kill -CONT $1
tries=0
while [ -d /proc/$1 ] && ! grep -q '^State:.Z' /proc/$1/status && [ $tries -lt 600 ]; do
  tries=$((tries + 1)); sleep 0.05
done
]])

local head = [[
local mp = require 'moonprobe'
local opt = mp.options { pid = mp.number(0, 'whose calls') }
local object = mp.object(']] .. object .. [[', { rodata = { only_pid = opt.pid, label = 'unit test' } })
local m = object.maps
]]

--- Runs a script on a workload; `steps` is a shell script in the place of `go`.
local function run(text, workload, options, steps)
  tap.spit(script, text)
  tap.spit(folder .. '/err', '')
  if steps then tap.spit(folder .. '/steps', steps) end
  return tap.shell(([[
    sh -c 'kill -STOP $$; exec %s %s' & pid=$!
    until grep -q '^State:.T' /proc/$pid/status; do sleep 0.05; done
    %s run -f json -I build --allow object %s -c "sh %s $pid" %s --pid $pid
    status=$?
    kill -CONT $pid 2>/dev/null; kill $pid 2>/dev/null
    exit $status
  ]]):format(tap.workload, workload, tap.binary, options or '', steps and folder .. '/steps' or folder .. '/go',
    script), 110)
end

--- A row by its first word, as text.
local function row(result, name)
  return result.out:match('%["' .. name .. '",([^\n]*)%]\n') or result.out .. result.err
end

-- Every kind of map, known counts.
local result = run(head .. [[
local n, sum, last = 0, 0, -1
object:ring('events'):each(function(e)
  n, sum = n + 1, sum + e.number
  if e.number ~= last + 1 then mp.row('gap', last, e.number) end
  last = e.number
  if n == 1 then
    mp.row('first', tostring(e.big), e.negative, e.kind, e.comm, e.label, e.at.port, e.at.bytes[3], e.as_word,
      e.as_bytes[2], e.low, e.high, e.yes)
  end
end)
object:ring('events'):where(function(e) return e.number < 23 end):count('kind')
m.totals[2] = 7
m.networks['10.0.0.0/8'] = 'ten'
local function sorted(map)
  local all = {}
  for key, value in map:each() do all[#all + 1] = ('%s=%s'):format(key, tostring(value)) end
  table.sort(all)
  return table.concat(all, ' ')
end
mp.finally(function()
  local received = object:received 'events'
  mp.row('ring', n, sum, received.received, received.failed)
  for key, value in m.calls:each() do mp.row('hash', key.pid == opt.pid, key.kind, value.hits, value.least) end
  mp.row('array', m.totals[0], m.totals[1], m.totals[2], tostring(m.totals[9]))
  mp.row('per_cpu', m.cpu_calls[opt.pid]:sum(), m.cpu_cells[0]:sum().hits, tostring(m.cpu_calls[0]))
  local list = {}
  for cpu = 1, #m.cpu_cells[0] do list[cpu] = cpu end
  m.cpu_calls[5] = list
  mp.row('per_cpu_set', m.cpu_calls[5]:sum() == #list * (#list + 1) / 2)
  local entries = m.recent:batch()
  mp.row('lru', #entries, entries[1][2] == opt.pid, m.cpu_recent:take(opt.pid % 32):sum() > 0)
  mp.row('take', m.recent:take(5) == opt.pid, tostring(m.recent:take(5)), #m.recent:batch())
  m.networks['10.1.0.0/16'] = 'tenone'
  mp.row('lpm', m.networks['10.1.2.3'], m.networks['10.2.2.3/32'], tostring(m.networks['11.0.0.0/8']),
    sorted(m.networks), m.networks[{ prefix = 32, data = '\10\1\1\1' }])
  mp.row('take_lpm', tostring(m.networks:take('10.1.0.0/16')), m.networks:take_in_two('10.1.0.0/16'),
    tostring(m.networks['10.1.2.3']))
  mp.row('queue', m.line:peek(), m.line:pop(), m.line:pop(), m.line:push(100), tostring(m.line:push('x')))
  mp.row('stack', m.pile:peek(), m.pile:pop(), m.pile:pop())
  for _ = 1, 8 do m.pile:pop() end
  mp.row('empty', tostring(m.pile:pop()), tostring(m.pile:peek()))
  local stacks, deepest = 0, 0
  for _, addresses in m.stacks:each() do stacks, deepest = stacks + 1, math.max(deepest, #addresses) end
  mp.row('traces', stacks > 0, deepest > 0)
  mp.row('maps', m.shelves[0][0], m.shelves[1][0], tostring(m.shelves[2]), m.drawers[1][0], tostring(m.drawers[9]))
  m.shelves[2] = m.shelves[0]
  m.drawers[9] = m.inner_b
  m.inner_b[0] = 77
  mp.row('maps_set', m.shelves[2][0], m.drawers[9][0], m.drawers[1][0])
  local view = m.cells:map()
  mp.row('mapped', view[0].hits, view:add(0, 'hits', 5), view:load(0, 'hits'), m.cells[0].hits,
    m.cells:add(0, 'least', -3), m.cells:load(0, 'least'))
  view:store(3, 'small', 2 ^ 32 - 1)
  mp.row('mapped_set', m.cells:add(3, 'small', 2), m.cells[3].small, view[3].small)
  mp.row('sections', m['.bss'][0].lost, m['.data'][0].limit, m['.rodata'][0].label)
  mp.row('flags', m.calls:insert({ pid = 1 }, { hits = 1 }), tostring(m.calls:insert({ pid = 1 }, {})),
    m.calls:replace({ pid = 1, kind = 0 }, { hits = 2 }), tostring(m.calls:replace({ pid = 2 }, {})), m.calls[{ pid = 1 }].hits)
  m.calls[{ pid = 1 }] = nil
  m.calls[{ pid = 1 }] = nil
  mp.row('gone', tostring(m.calls[{ pid = 1 }]), tostring(m.calls:delete { pid = 1 }))
end)
]], 'syscall 1000')

tap.is(row(result, 'ring'), '1000,499500,1000,0', 'every record of the ring once')
tap.ok(not result.out:find '"gap"', 'in order', result.out)
tap.is(row(result, 'first'), '"9223372036854775808ULL",-1,"enter","workload","unit test",443,7,67305985,2,5,2748,true',
  'fields: 64 bits, signs, enums, text, structs, arrays, unions, bit fields')
tap.like(result.out, '23', 'filters and aggregates of a ring')
local function rings(received, failed)
  return ('"rings":[{"ring":"events of %s","received":%s,"failed":%d}]}}\n'):format(object, received, failed)
end
tap.ok(result.out:find(rings(1000, 0), 1, true), 'the summary has the ring', result.out)
tap.is(row(result, 'hash'), 'true,1,1000,0', 'a hash of structs')
tap.is(row(result, 'array'), '1000,0,7,"nil"', 'an array; what the script wrote before it ran; nothing outside')
tap.is(row(result, 'per_cpu'), '1000,1000,"nil"', 'per-CPU hash and array, summed')
tap.is(row(result, 'per_cpu_set'), 'true', 'a value for each CPU is written')
tap.is(row(result, 'lru'), '1000,true,true', 'LRU maps, read in batches')
tap.is(row(result, 'take'), 'true,"nil",999', 'looked up and deleted')
tap.is(row(result, 'lpm'), '"tenone","ten","nil","10.0.0.0/8=ten 10.1.0.0/16=tenone","tenone"', 'networks')
tap.like(row(result, 'take_lpm'), '^"nil","tenone","ten"', 'a trie takes in two steps')
tap.like(row(result, 'queue'), '^0,0,1,true,"nil"', 'a queue')
tap.is(row(result, 'stack'), '7,7,6', 'a stack')
tap.is(row(result, 'empty'), '"nil","nil"', 'an empty one')
tap.is(row(result, 'traces'), 'true,true', 'stack traces')
tap.is(row(result, 'maps'), '1000,0,"nil",0,"nil"', 'maps of maps')
tap.is(row(result, 'maps_set'), '1000,77,77', 'a map is put into a map')
tap.is(row(result, 'mapped'), '1000,1000,1005,1005,0,-3', 'a mapped array: add, load, read in place')
tap.is(row(result, 'mapped_set'), '4294967295,1,1', 'store; an integer wraps as in the kernel')
tap.is(row(result, 'sections'), '0,1000,"unit test"', 'global variables')
tap.is(row(result, 'flags'), 'true,"nil",true,"nil",2', 'insert and replace')
tap.is(row(result, 'gone'), '"nil","nil"', 'deleted, and once more')
tap.is(result.status, 0, 'exit status')

-- What a ring's handlers change is not judged before them.
tap.spit(script, head .. [[
local over = false
object:ring('events'):each(function(e) over = e.number >= 22 end)
mp.probe 'syscall':where(function(e) return e.pid == opt.pid and not over end):count()
]])
tap.like(tap.shell(('%s explain -I build --allow object %s --pid 1'):format(tap.binary, script)).out,
  "'over', which the handler changes", "what a ring's handlers change")

-- Programs by name.
local exits = [[
local mp = require 'moonprobe'
local opt = mp.options { pid = mp.number(0, 'whose calls') }
local object = mp.object(']] .. object .. [[', { rodata = { only_pid = opt.pid }, attach = %s })
mp.finally(function() mp.row('totals', object.maps.totals[0], object.maps.totals[1] > 23) end)
]]
tap.is(row(run(exits:format "{ 'on_exit' }", 'syscall 23'), 'totals'), '0,true', 'only the program that was named')
tap.is(row(run(exits:format "{ 'on_enter', 'on_exit' }", 'syscall 23'), 'totals'), '23,true', 'two of them')
tap.is(row(run(exits:format 'false', 'syscall 23'), 'totals'), '0,false', 'none')

-- Hooks of every kind, as libbpf attaches them; a kernel that refuses one says so.
for _, name in ipairs { 'by_tracepoint', 'by_fentry', 'by_fexit', 'by_kprobe', 'by_kretprobe', 'by_ksyscall' } do
  local must = name == 'by_tracepoint'
  local got = run(([[
local mp = require 'moonprobe'
local opt = mp.options { pid = mp.number(0, 'whose calls') }
local object = mp.object('tests/objects/hooks.bpf.o', { rodata = { only_pid = opt.pid }, attach = { '%s' } })
mp.finally(function() mp.row('calls', object.maps.calls[0]) end)
]]):format(name), name:find '^by_f' and 'open 23 /dev/null' or 'syscall 23')
  if not must and got.err:find('object tests/objects/hooks.bpf.o: program ' .. name .. ': ', 1, true) then
    tap.skip(name, (got.err:gsub('\n', ' ')))
  else
    tap.is(row(got, 'calls'), '23', name)
  end
end

-- A handler that raises, and a record that is too short, cost themselves.
result = run(head .. [[
object:ring('events'):each(function(e) if e.number % 10 == 3 then error 'of ours' end end)
mp.finally(function() local ring = object:received 'events' mp.row('ring', ring.received, ring.failed) end)
]], 'syscall 100')
tap.is(row(result, 'ring'), '100,10', 'handlers that raise')
local _, told_errors = result.err:gsub('of ours', '')
tap.is(told_errors, 1, 'and are told once')
tap.ok(result.out:find(rings(100, 10), 1, true), 'the summary counts them', result.out)
result = run(head .. "object:ring('events'):each(function(e) if e.number % 10 == 3 then error 'of ours' end end)",
  'syscall 100', '-f text')
tap.like(result.err, ('ring events of %s: 10 records skipped, their handler raised an error\n.*'
  .. 'ring events of %s: 100 records received\n'):format(object, object):gsub('%.bpf', '%%.bpf'), 'and in text')
result = run(head .. [[
object:ring('events', 'struct larger'):each(function() mp.row('wrong') end)
mp.finally(function() local ring = object:received 'events' mp.row('ring', ring.received, ring.failed) end)
]], 'syscall 23')
tap.is(row(result, 'ring'), '23,23', 'records that are shorter than their struct')
tap.like(result.err, 'ring events of .*: a record of 80 bytes is shorter than struct larger, which has 88', 'are told')

-- A reload keeps programs, links and maps; a dropped object is closed.
local tell = [[
dir=]] .. folder .. [[

told() {
  tries=0
  while [ "$(grep -c "$1" $dir/err)" -lt $2 ]; do
    tries=$((tries + 1)); [ $tries -gt 600 ] && { echo "waited in vain for $2 times $1" >&2; break; }
    sleep 0.05
  done
}
ids() { cat /proc/$PPID/fdinfo/* 2>/dev/null | grep -E '^(link_id|map_id|prog_id)' | sort > $dir/$1; }
]]
local counting = head .. [[
local state = mp.state('state', { n = 0, sum = 0, last = -1, gaps = 0 })
object:ring('events'):each(function(e)
  if e.number ~= state.last + 1 then state.gaps = state.gaps + 1 end
  state.n, state.sum, state.last = state.n + 1, state.sum + e.number, e.number
end)
mp.finally(function() mp.row('sum', state.n, state.sum == state.n * (state.n - 1) / 2, state.gaps,
  state.n == m.totals[0], m.totals[2]) end)
]]
local reloads = tap.slow and 3 or 20
local paced = ('pace 1000000 %d'):format(tap.slow and 500 or 5000)
local function run_reloads(text, steps)
  local got = run(text, paced, '-w 2>' .. folder .. '/err', tell .. steps)
  got.err = got.err .. tap.slurp(folder .. '/err')
  return got
end
result = run_reloads(counting .. 'm.totals[2] = 5', ([[
ids before
kill -CONT $1
i=1
while [ $i -le %d ]; do
  echo "-- $i" >> $dir/script.lua
  told reloaded $i
  i=$((i + 1))
done
ids after
kill -9 $1
]]):format(reloads))
tap.like(row(result, 'sum'), '^%d+,true,0,true,5$', ('%d reloads: every record once, in order; maps are kept'):format(reloads))
tap.ok(result.out:find(rings(row(result, 'sum'):match '^%d+', 0), 1, true), 'the summary is of all versions', result.out)
local before, after = tap.slurp(folder .. '/before'), tap.slurp(folder .. '/after')
tap.ok(before ~= '' and before == after, 'the same programs, links and maps', before, after)

run_reloads(counting, [[
ids before
echo "local mp = require 'moonprobe' mp.options { pid = mp.number(0, 'whose calls') }" > $dir/next; mv $dir/next $dir/script.lua
told reloaded 1
ids after
]])
local function links(name)
  local _, count = tap.slurp(folder .. '/' .. name):gsub('link_id', '')
  return count
end
tap.is(links 'before' - links 'after', 1, 'a dropped object is detached')

-- A new file is a new object.
os.execute(('cp build/%s %s/own.bpf.o'):format(object, folder))
run_reloads([[
local mp = require 'moonprobe'
local opt = mp.options { pid = mp.number(0, 'whose calls') }
local own = mp.object('own.bpf.o', { rodata = { only_pid = opt.pid } })
]], [[
ids before
cp $dir/own.bpf.o $dir/next; echo >> $dir/next; mv $dir/next $dir/own.bpf.o
told reloaded 1
ids after
]])
before, after = tap.slurp(folder .. '/before'), tap.slurp(folder .. '/after')
tap.ok(before ~= '' and after ~= '' and before ~= after, 'a changed object is loaded anew, when it is watched', before, after)

-- A worker that crashes costs the record it died of.
result = run(counting .. [[
object:ring('events'):each(function(e)
  if e.number == 50 then os.exit(9) end
  if e.number == 99 then error('the last') end
end)
]], 'syscall 100', '2>' .. folder .. '/err', tell .. "kill -CONT $1; told 'the last' 1")
result.err = tap.slurp(folder .. '/err')
tap.like(result.err, 'started again', 'a crash is told')
tap.like(row(result, 'sum'), '^49,', 'the object stays, and the rest of the records is handled')

-- A map that is there already. Pinning it is root's: the test does it.
tap.spit(folder .. '/pin.lua', [[
local ffi = require 'ffi'
ffi.cdef 'long syscall(long number, ...);'
local bpf = ffi.arch == 'x64' and 321 or 280
local of_id = ffi.new('struct { uint32_t id, next, flags, more[29]; }', { tonumber(arg[1]) })
local fd = ffi.C.syscall(bpf, ffi.cast('int', 14), of_id, ffi.cast('int', 128)) -- BPF_MAP_GET_FD_BY_ID
local pin = ffi.new('struct { uint64_t path; uint32_t fd, flags; uint64_t more[14]; }',
  { ffi.cast('uintptr_t', ffi.cast('const char *', arg[2])), fd })
os.exit(ffi.C.syscall(bpf, ffi.cast('int', 6), pin, ffi.cast('int', 128)) == 0 and 0 or 1) -- BPF_OBJ_PIN
]])
result = run(head, 'syscall 1', '', tell .. ([[
kill -CONT $1
tries=0
while [ -d /proc/$1 ] && ! grep -q '^State:.Z' /proc/$1/status && [ $tries -lt 600 ]; do
  tries=$((tries + 1)); sleep 0.05
done
id=$(for file in /proc/$PPID/fdinfo/*; do
  grep -q '^max_entries:.64$' $file 2>/dev/null && grep -q '^map_type:.1$' $file && sed -n 's/^map_id:.//p' $file
done | head -n 1)
%s run -f json --for 100ms --allow object -e "
  local m = map { id = $id }
  finally(function() for k, v in m:each() do row('found', k.kind, v.hits) end m[{ pid = 5 }] = { hits = 6 }
    row('wrote', m[{ pid = 5 }].hits) end)"
pin=/sys/fs/bpf/moonprobe-test-$$
luajit $dir/pin.lua $id $pin
%s run -f json --for 100ms --allow object -e "
  finally(function() for k, v in map { pin = '$pin' }:each() do row('no', 1) end end)"
%s run -f json --for 100ms --allow object -e "
  local m = map { pin = '$pin' }
  finally(function() row('pinned', m[{ pid = 5 }].hits, tostring(m[{ pid = 6 }])) end)"
rm $pin
%s run --for 100ms -e "map { id = $id }"
%s run --for 100ms --allow object -e "map { id = 4294967295 }"
]]):format(tap.binary, tap.binary, tap.binary, tap.binary, tap.binary))
tap.is(row(result, 'found'), '1,1', 'a map by its id, typed by its own BTF')
tap.is(row(result, 'wrote'), '6', 'is written')
tap.is(row(result, 'pinned'), '6,"nil"', 'a map by where it is pinned')
tap.like(result.err, 'maps are opened while the script is loaded', 'not later')
tap.like(result.err, "'object' is not granted", 'without a grant it is refused')
tap.like(result.err, 'map id 4294967295: there is none', 'one that is not there')

-- What is wrong is told in a line; nothing is attached.
local function refused(text, pattern, name, options)
  tap.spit(script, "local mp = require 'moonprobe' " .. text)
  local got = tap.moonprobe(('run --for 200ms -I build -I %s %s %s'):format(folder, options or '--allow object', script))
  local _, lines = got.err:gsub('\n', '')
  return tap.ok(got.status == 2 and got.err:find(pattern) and lines == 1, name, got)
end
tap.spit(folder .. '/text.o', 'this is no object')
tap.spit(folder .. '/empty.o', '')
local bytes = tap.slurp('build/' .. object)
-- Its section of types has another name.
tap.spit(folder .. '/untyped.o', (tap.slurp 'build/tests/objects/execs.bpf.o':gsub('%.BTF%z', '.XTF\0')))
tap.spit(folder .. '/half.o', bytes:sub(1, math.floor(#bytes / 2)))
refused("mp.object '" .. object .. "'", "'object' is not granted to this script.*%-%-allow object", 'no grant', '')
refused("mp.object 'missing.o'", 'object missing.o: not beside the script', 'no file')
refused("mp.object(('x'):rep(256))", "object: needs a file's name", 'a name that is too long')
refused("mp.object 'a\\0b'", "object: needs a file's name", 'a name with a zero byte')
refused("mp.map { id = 2 ^ 32 }", 'map: id: needs a number from 0 to', 'an id that no map has')
refused("mp.map { pin = 'a\\0b' }", 'map: pin: needs a path', 'a path with a zero byte')
refused("mp.map { pin = ('x'):rep(70000) }", 'map: pin: needs a path', 'a path that is too long')
refused("mp.object '/etc/passwd'", 'object /etc/passwd: a path from the script', 'a path that leads elsewhere')
refused("mp.object 'text.o'", 'object text.o: is no BPF object', 'no ELF')
refused("mp.object 'empty.o'", 'object empty.o: is no BPF object', 'an empty file')
refused("mp.object 'untyped.o'", 'object untyped.o: is', 'no types')
refused("mp.object 'half.o'", 'object half.o: is no BPF object', 'a file that is cut off')
refused("mp.object 'tests/objects/refused.bpf.o'", 'program careless: the kernel refused it: R0 invalid mem access',
  'the verifier\'s reason')
refused("mp.object 'tests/objects/huge.bpf.o'", 'map everything: 2147483648 entries take.*max_entries = n', 'a huge map')
for program, pattern in pairs {
  by_nothing = 'SEC%("tp/syscalls/sys_enter_no_such_call"%) cannot be attached: No such file.*leaves it out',
  by_no_name = 'SEC%("raw_tp"%) ',
  by_nobody = 'SEC%("xdp"%) does not say where to attach it; leave it out of attach',
} do
  refused(("mp.object('tests/objects/hooks.bpf.o', { attach = { '%s' } })"):format(program),
    'program ' .. program .. ': ' .. pattern, program .. ' cannot be attached')
end
refused("mp.object('tests/objects/huge.bpf.o', { attach = { 'noting' } })", "did you mean 'nothing'", 'a misspelt program')
refused(("mp.object('%s').maps.totals[0] = 1.5"):format(object), 'map totals: value: expected an integer.*given 1.5',
  'a value that does not fit, before anything runs')
refused(("mp.object('%s'):ring('events'):each(function(e) return e.nunber end)"):format(object),
  "no field 'nunber'; did you mean 'number'", 'a misspelt field')
refused(("mp.object('%s'):ring('events'):where{ function(e) return e.yes end, kernel = true }:count()"):format(object),
  'run in the worker', 'what cannot run in the kernel')
refused(("mp.object('%s', { rodata = { label = ('x'):rep(17) } })"):format(object), 'rodata.label: expected a string of',
  'a constant that is too long')

refused(([[
  local names = {}
  for i = 1, 5000 do names[i] = 'on_exit' end
  mp.object('%s', { attach = names })]]):format(object), 'its options have more than', 'options that no message has room for')

-- What check and explain tell.
tap.spit(script, ("require 'moonprobe'.object('%s'):ring('events'):count()"):format(object))
local checked = tap.moonprobe('check --permissions -I build --allow object ' .. script)
tap.like(checked.out, 'as powerful as root', 'check --permissions says what it means')
tap.like(checked.out, 'on_enter %(raw_tp/sys_enter%)', 'and what is loaded')
local explained = tap.moonprobe('explain -I build --allow object ' .. script)
tap.like(explained.out, 'on_exit +%?*raw_tp/sys_exit +not attached', 'explain tells programs')
tap.like(explained.out, 'networks +LPM trie, 16 entries', 'and maps')

os.execute('rm -rf ' .. folder)
tap.done()
