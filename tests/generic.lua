-- SPDX-License-Identifier: Apache-2.0
--- Generic: a family of probes that does not exist, and types that nobody has: what a script's typed
--- fields are tested on.
---
---   local sources = generic.load(function() mp.probe('signal:tcp_connect'):each(...) end)
---   local event = generic.event(sources[1].schema, { args = { sk = { port = 443 } } })

local ffi = require 'ffi'
local engine = require 'moonprobe.engine'
local event = require 'moonprobe.testing.event'
local stream = require 'moonprobe.stream'
local typed = require 'moonprobe.typed'

local generic = { FAMILY = 'signal', asked = {} } -- a name that an object has; its schema is ours

local ROOM = 512

--- The event of the family, as engine.schema gives it. `late`: what is there only when it is sent.
local function family()
  local made = dofile 'tests/made_fields.lua' ()
  local function add(...) made:add(...) end
  add('stamp', 'u', 4)
  add('cpu', 'u', 2)
  add('slot', 'u', 1)
  add('generation', 'u', 1)
  add('time_ns', 'u', 8, { late = true })
  add('pid', 'u', 4)
  add('tid', 'u', 4)
  add('comm', 'c', 16, { late = true })
  add('arg0', 'u', 8)
  add('arg1', 'u', 8)
  add('typed', 'u', 1, { elements = ROOM })
  return { name = generic.FAMILY, target = 'nobodys', about = 'A function of nobody.', blind = '', fields = made.fields,
    knobs = {}, programs = {}, bytes = made.bytes }
end
local real_schema = engine.schema
function engine.schema(name, object)
  if name == generic.FAMILY then return family() end
  return real_schema(name, object)
end

local function number(kind, bytes, options)
  local one = { kind = kind, element_bytes = bytes, elements = 0, bytes = bytes, type = '', doc = '' }
  for name, value in pairs(options or {}) do one[name] = value end
  if one.elements > 0 then one.bytes = bytes * one.elements end
  return one
end
local function text(bytes) return { kind = 'c', element_bytes = 1, elements = 0, bytes = bytes, type = '',
  doc = '' } end

local STATE = { [0] = 'TCP_CLOSED', 'TCP_ESTABLISHED', 'TCP_SYN_SENT' }

--- What each target has, by path.
generic.members = {
  args = { kind = 'struct' },
  ret = number('i', 4),
  ['args.fd'] = number('i', 4),
  ['args.count'] = number('u', 8),
  ['args.offset'] = number('i', 8),
  ['args.small'] = number('u', 1),
  ['args.tiny'] = number('i', 1),
  ['args.short'] = number('i', 2),
  ['args.flag'] = number('b', 1),
  ['args.name'] = text(32),
  ['args.path'] = text(64),
  ['args.long'] = text(400),
  ['args.list'] = number('u', 4, { elements = 3 }),
  ['args.wide'] = number('u', 8, { elements = 2 }),
  ['args.state'] = number('u', 4, { type = 'tcp_state', values = STATE }),
  ['args.error'] = number('i', 4, { type = 'error_number' }),
  ['args.address'] = { kind = 's', element_bytes = 16, elements = 0, bytes = 16, type = 'ip_address', doc = '' },
  ['args.char'] = number('u', 2),
  ['args._name_m1'] = number('u', 2),
  ['args.list[0]'] = number('u', 4),
  ['args.list[1]'] = number('u', 4),
  ['args.list[2]'] = number('u', 4),
  ['args.name[0]'] = number('i', 1),
  ['args.argv'] = number('u', 8),
  ['args.argv[0]'] = text(64),
  ['args.argv[1]'] = text(64),
  ['args.argv[2]'] = text(64),
  ['args.argv[300]'] = text(64),
  ['args.iov'] = { kind = 'pointer' },
  ['args.iov.iov_len'] = number('u', 8),
  ['args.iov[0]'] = { kind = 'struct' },
  ['args.iov[0].iov_len'] = number('u', 8),
  ['args.iov[1]'] = { kind = 'struct' },
  ['args.iov[1].iov_len'] = number('u', 8),
  ['args.pairs'] = { kind = 'array' },
  ['args.pairs[0]'] = { kind = 'array' },
  ['args.pairs[0][1]'] = number('u', 2),
  ['args.pairs[2]'] = { kind = 'array' },
  ['args.pairs[2][0]'] = number('u', 2),
  ['args.pairs[2][1]'] = number('u', 2),
  ['args.3'] = number('i', 4),
  ['args.sk'] = { kind = 'pointer' },
  ['args.sk.port'] = number('u', 2),
  ['args.sk.mark'] = number('u', 4),
  ['args.sk.next'] = { kind = 'pointer' },
  ['args.sk.next.port'] = number('u', 2),
  ['args.sk.__sk_common'] = { kind = 'struct' },
  ['args.sk.__sk_common.skc_dport'] = number('u', 2),
  ['args.sk.__sk_common.skc_daddr'] = number('u', 4),
  ['args.sk.__sk_common.skc_state'] = number('u', 1, { values = STATE }),
  ['args.sk.__sk_common.int'] = number('u', 4),
}

generic.real_resolver = typed.resolver
typed.resolver = {
  target = function(name)
    generic.asked[#generic.asked + 1] = name
    if name:find 'nowhere' then return nil, ("'%s': there is no such function"):format(name) end
    return true
  end,
  places = function(name) return { name:match ':(.*)' } end,
  member = function(name, path)
    generic.asked[#generic.asked + 1] = path
    local shorter, count = path, 1
    while count > 0 do shorter, count = shorter:gsub('%.next%.next', '.next') end -- a list of any length
    local one = generic.members[shorter]
    if one then return one end
    return { kind = 'error', message = ("%s: no member '%s'; did you mean something else?"):format(name, path) }
  end,
}

--- What a script uses: its sources, with all that is read known.
---@param script fun()
---@return table[]
function generic.load(script)
  stream.sources, stream.frozen = {}, false
  script()
  stream.freeze()
  local sources = stream.sources
  stream.sources, stream.frozen = {}, false
  return sources
end

local alive = setmetatable({}, { __mode = 'k' })

--- An event as handlers get it.
---@param schema table
---@param values table
---@return ffi.cdata*
function generic.event(schema, values)
  local made = event.new(schema, values)
  local one = ffi.cast(schema.pointer, made)
  alive[one] = made
  return one
end

return generic
