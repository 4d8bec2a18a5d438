-- SPDX-License-Identifier: Apache-2.0
--- Functions of kernel modules: a trampoline at each that the module's types tell of, whatever else in the
--- kernel has its name; a breakpoint where the module has no types.

local tap = dofile 'tests/tap.lua'
local run, each = dofile 'tests/generic_run.lua'(tap)

local function is_loaded(module) return tap.slurp('/proc/modules'):find('^' .. module .. ' ') ~= nil
  or tap.slurp('/proc/modules'):find('\n' .. module .. ' ') ~= nil end

local unload = {}
local function load_module(module)
  if is_loaded(module) then return true end
  local ok = os.execute('modprobe ' .. module .. ' 2>/dev/null') == 0 and is_loaded(module)
  if ok then table.insert(unload, 1, module) end
  return ok
end

local function finish()
  for _, module in ipairs(unload) do os.execute('rmmod ' .. module .. ' 2>/dev/null') end
  tap.done()
end

if not load_module 'tun' then tap.skip_all 'there is no module tun to load' end
local device = io.open '/dev/net/tun'
if not device then tap.skip_all 'there is no /dev/net/tun' end
device:close()

local OPENS = 'open 5 /dev/net/tun' -- each is a call of tun_chr_open, its close one of __tun_detach
local NAME = 'f_path.dentry.d_name.name'

local function explained(probe)
  return tap.moonprobe('explain -e ' .. tap.quote(("probe('%s'):count()"):format(probe)))
end

local allowed = explained 'fentry:tun_chr_open'
local why = allowed.err:match 'this kernel allows no [^\n]*'
if why then
  tap.skip('trampolines in a module', why)
else
  each(("probe('fentry:tun_chr_open'):each(function(e) print(e.comm, e.args.file.%s) end)"):format(NAME), OPENS, 5,
    'workload\ttun', 'fentry: 5 calls, arguments by type')
  each(("probe('fexit:tun_chr_open'):each(function(e) print(e.ret, e.retval, e.latency_ns > 0, e.args.file.%s) end)"):format(
    NAME), OPENS, 5, '0\t0\ttrue\ttun', 'fexit: 5 returns')
  each(("probe('kprobe:__tun_detach'):each(function(e) print(e.args.tfile.socket.file.%s, e.args.clean) end)"):format(NAME),
    OPENS, 5, 'tun\ttrue', "kprobe: through a struct of the module's own to the kernel's")
  local rows = run(("probe('kretprobe:tun:tun_chr_open'):where(function(e) return e.args.file.%s == 'tun' end)"
    .. ":count('comm'):every('10s')"):format(NAME), OPENS)
  tap.is(tap.matching(rows, '"comm":"workload","value":5'), 1, 'kretprobe: filtered and counted, the module named')
  for probe, hook in pairs { ['fentry:tun_chr_open'] = 'fentry', ['kprobe:tun_chr_open'] = 'fentry',
    ['kprobe:tun:tun_chr_open'] = 'fentry', ['kretprobe:tun_chr_open'] = 'fexit' } do
    local result = explained(probe)
    tap.ok(result.status == 0 and result.out:find('\n  hook +' .. hook .. ' ') and not result.out:find 'hook +kprobe',
      'explain: a trampoline for ' .. probe, result)
  end

  -- What is attached keeps the module; what has ended lets it go.
  local script = tap.spit(os.tmpname(), 'rmmod tun\n' .. tap.workload .. ' ' .. OPENS .. '\n')
  local kept = tap.undisturbed(("run -f json -c 'sh %s' -e %s"):format(script,
    tap.quote "probe('fentry:tun_chr_open'):count():every('10s')"))
  tap.ok(kept.err:find 'rmmod' and tap.matching(kept.rows, '"value":5') == 1, 'attached: the module cannot be removed', kept)
  os.remove(script)
  tap.is({ os.execute 'rmmod tun', load_module 'tun' }, { 0, true }, 'and ended: it can')
  each("probe('fentry:tun_chr_open'):each(function(e) print(e.comm) end)", OPENS, 5, 'workload', 'loaded anew: it is found')

  -- The kernel itself has a function of that name, too.
  local name = "a function of a module, not the kernel's of that name"
  if load_module 'bridge' and os.execute 'brctl addbr bridge_of_test 2>/dev/null' == 0 then
    script = tap.spit(os.tmpname(), 'for i in 1 2 3 4 5; do echo 1 >/sys/class/net/bridge_of_test/bridge/flush; done\n')
    local flushed = tap.undisturbed(("run -f json -c 'sh %s' -e %s"):format(script,
      tap.quote "probe('kprobe:bridge:flush_store'):each(function(e) print(e.args.buf + 0, e.args.len) end)"))
    tap.ok(tap.matching(flushed.rows, '^1\t2$') == 5 or flushed.err:find 'which this kernel would take %(before 6.4%)',
      name, flushed)
    os.execute 'brctl delbr bridge_of_test'
    os.remove(script)
  else
    tap.skip(name, 'no bridge can be made here')
  end
end

-- A module without types: its file without the section of that name, or the signature that fits no more.
local file = tap.shell('find /lib/modules/$(uname -r) -name tun.ko').rows[1]
local bare, marks = tap.slurp(file or ''):gsub('%z%.BTF%z', '\0.NIL\0')
bare = bare:gsub('~Module signature appended~\n$', '')
local path = tap.spit(os.tmpname(), bare)
if marks == 1 and os.execute 'rmmod tun' == 0 and os.execute(('insmod %s 2>/dev/null'):format(path)) == 0 then
  table.insert(unload, 1, 'tun')
  local result = tap.moonprobe "run -e \"probe('fentry:tun_chr_open'):count()\""
  tap.ok(result.status ~= 0 and result.err:find 'tun_chr_open: a trampoline is for one function that the BTF'
    and select(2, result.err:gsub('\n', '')) == 1, 'no types: fentry says why not', result)
  tap.like(explained('kprobe:tun_chr_open').out, '\n  hook +kprobe ', 'no types: kprobe takes a breakpoint')
  each("probe('kprobe:tun_chr_open'):each(function(e) print(e.comm, e.arg0 ~= 0) end)", OPENS, 5, 'workload\ttrue',
    'no types: 5 calls')
  each("probe('kretprobe:tun_chr_open'):each(function(e) print(e.retval, e.latency_ns > 0) end)", OPENS, 5, '0\ttrue',
    'no types: 5 returns')
  os.execute 'rmmod tun'
else
  for _, what in ipairs { 'fentry says why not', 'kprobe takes a breakpoint', '5 calls', '5 returns' } do
    tap.skip('no types: ' .. what, 'no module without them can be loaded here')
  end
end
load_module 'tun'
os.remove(path)

local listed = tap.moonprobe "list 'fentry:tun_chr_open'"
tap.ok(listed.status == 0 and listed.out:find('\n +args%.inode +struct inode %*\n') ~= nil, 'list: its arguments', listed)
listed = tap.moonprobe "list 'kprobe:__tun_detach'"
tap.ok(listed.status == 0 and listed.out:find('\n +args%.tfile +struct tun_file %*\n') ~= nil, "list: the module's types", listed)
local mistaken = tap.moonprobe "run -e \"probe('fentry:tun_chr_opn'):count()\""
tap.ok(mistaken.status ~= 0 and mistaken.err:find('tun_chr_open', 1, true), 'a misspelt function of a module', mistaken)

finish()
