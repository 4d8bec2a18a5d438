-- SPDX-License-Identifier: Apache-2.0
--- 8. A BPF object of your own. Moonprobe loads and attaches it, and reads its ring and its maps
--- by their types; the script is plain Lua. Its programs may do anything in the kernel, so it has to be
--- granted.
---
---   make build/tests/objects/execs.bpf.o
---   sudo moonprobe run --allow object -I build/tests/objects examples/08_object.lua
---   sudo moonprobe run --allow object -I build/tests/objects examples/08_object.lua --uid 0
---   moonprobe check --permissions --allow object -I build/tests/objects examples/08_object.lua

local mp = require 'moonprobe'

local opt = mp.options { uid = mp.whole(nil, 'only programs of this user') }

-- tests/objects/execs.bpf.c; a constant is set before it is loaded.
local object = mp.object('execs.bpf.o', { rodata = { only_uid = opt.uid } })

-- A record of the ring is the struct that its BTF names, in place.
local add = mp.columns { { 'pid', width = -8 }, { 'uid', width = -8 }, { 'comm' } }
object:ring('execs'):each(function(e) add(e.pid, e.uid, e.comm) end)

-- A map reads like a table: a key that is a struct is a table.
mp.every('5s', function()
  for name, count in object.maps.counts:each() do
    if count >= 10 then mp.print(('%s was started %d times'):format(name.comm, count)) end
  end
end)

mp.finally(function()
  local lost = object.maps['.bss'][0].lost -- the object's own count: a ring does not tell what found no room
  if lost > 0 then mp.print(('%d more were not shown'):format(lost)) end
end)
