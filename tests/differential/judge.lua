-- SPDX-License-Identifier: Apache-2.0
--- The judge: a program that lets the two stages of a plan judge many events in one system call.
---
---   test run -> main -> bpf_loop -> one: event number i -> early -> late -> answers[i]
---
--- The events lie in the value of a mapped array, the answers in another. Early sees them as they
--- are before the costly fields are filled. With `on_stack` each is first copied to the stack,
--- where most probes have theirs: the verifier and alignment are stricter there.

local bit = require 'bit'
local ffi = require 'ffi'
local bpf = require 'bpf'

local judge = { COUNT = 256 }

local STRIDE = 512 -- room of an event
local MOST_INSTRUCTIONS = 8192
judge.STRIDE = STRIDE

local PSEUDO_CALL, PSEUDO_FUNCTION, PSEUDO_MAP, PSEUDO_VALUE = 1, 4, 1, 2
local LOAD_64, EXIT, CALL = 0x18, 0x95, 0x85

ffi.cdef 'int sched_getcpu(void); int sched_setaffinity(int pid, size_t bytes, const void *mask);'

--- Stays on the CPU it is on, so that `cpu` is known.
local function stay()
  local cpu, mask = ffi.C.sched_getcpu(), ffi.new('uint64_t[16]')
  mask[math.floor(cpu / 64)] = bit.lshift(1ULL, cpu % 64)
  assert(ffi.C.sched_setaffinity(0, 128, mask) == 0, 'sched_setaffinity')
  return cpu
end

--- What all judges share. nil and a message where bpf(2) is not allowed.
function judge.open()
  local probe, message = bpf.map(bpf.ARRAY, 4, 4, 1)
  if not probe then return nil, message end
  bpf.close(probe)
  judge.cpu = stay()
  judge.events_fd, judge.events = bpf.memory(judge.COUNT * STRIDE)
  judge.early_fd, judge.early = bpf.memory(judge.COUNT * STRIDE)
  judge.answers_fd, judge.answers = bpf.memory(judge.COUNT * 4 + 4) -- and how many are to be judged
  judge.answers = ffi.cast('uint32_t *', judge.answers)
  local ids
  judge.btf_fd, ids = bpf.function_types { 'main', 'one', 'early', 'late' }
  if not judge.btf_fd then return nil, ids end
  judge.types = ids
  return true
end

local function two_halves(register, pseudo, value, value_high)
  return { { LOAD_64, register + 16 * pseudo, 0, value }, { 0, 0, 0, value_high or 0 } }
end

local function registers(to, from) return to + 16 * (from or 0) end

local HELPER_LOOP, HELPER_READ = 181, 113 -- bpf_loop, bpf_probe_read_kernel
local SCRATCH = 3 -- byte of an event that early leaves for late

--- main and one; the stages follow behind. Says where the functions begin.
local function frame(on_stack, event_bytes, early_count)
  local code, labels = {}, {}
  local room = math.ceil(event_bytes / 8) * 8
  local function add(...)
    for _, instruction in ipairs { ... } do code[#code + 1] = instruction end
  end
  --- r1 = event number r6 of a map; r7 is its offset.
  local function load_event(fd)
    add(unpack(two_halves(1, PSEUDO_VALUE, fd)))
    add({ 0x0f, registers(1, 7), 0, 0 })
    if on_stack then
      add({ 0xbf, registers(3, 1), 0, 0 }, { 0xbf, registers(1, 10), 0, 0 }, { 0x07, registers(1), 0, -room },
        { 0xb7, registers(2), 0, event_bytes }, { CALL, 0, 0, HELPER_READ },
        { 0xbf, registers(1, 10), 0, 0 }, { 0x07, registers(1), 0, -room })
    end
  end
  local calls = {}
  local function call_stage(name)
    calls[name] = #code
    add({ CALL, 16 * PSEUDO_CALL, 0, 0 })
  end
  add(unpack(two_halves(1, PSEUDO_VALUE, judge.answers_fd, 4 * judge.COUNT)))
  add({ 0x61, registers(1, 1), 0, 0 })
  local callback = #code
  add(unpack(two_halves(2, PSEUDO_FUNCTION, 0)))
  add({ 0xb7, registers(3), 0, 0 }, { 0xb7, registers(4), 0, 0 }, { CALL, 0, 0, HELPER_LOOP }, { 0xb7, 0, 0, 0 },
    { EXIT, 0, 0, 0 })
  labels.one = #code
  code[callback + 1][4] = labels.one - callback - 1
  local dropped
  add({ 0xbf, registers(6, 1), 0, 0 }) -- r6 = index
  local beyond = #code
  add({ 0x35, registers(6), 0, judge.COUNT }) -- not below COUNT: end
  add({ 0xbf, registers(7, 6), 0, 0 }, { 0x27, registers(7), 0, STRIDE })
  add({ 0xb7, registers(8), 0, 0 }) -- r8 = what early leaves
  if early_count > 0 then
    load_event(judge.early_fd)
    add({ 0xbf, registers(9, 1), 0, 0 }, { 0x72, registers(9), SCRATCH, 0 })
    call_stage('early')
    dropped = #code
    add({ 0x15, registers(0), 0, 0 }, { 0x71, registers(8, 9), SCRATCH, 0 })
  end
  load_event(judge.events_fd)
  add({ 0x73, registers(1, 8), SCRATCH, 0 })
  call_stage('late')
  if dropped then code[dropped + 1][3] = #code - dropped - 1 end -- r0 is 0: so is the answer
  add(unpack(two_halves(1, PSEUDO_VALUE, judge.answers_fd)))
  add({ 0x67, registers(6), 0, 2 }, { 0x0f, registers(1, 6), 0, 0 }, { 0x63, registers(1, 0), 0, 0 })
  local out = #code
  add({ 0xb7, 0, 0, 0 }, { EXIT, 0, 0, 0 })
  code[beyond + 1][3] = out - beyond - 1
  labels.early, labels.late = #code, #code + early_count
  for name, at in pairs(calls) do code[at + 1][4] = labels[name] - at - 1 end
  return code, labels
end

local KINDS = { values = bpf.ARRAY, set = bpf.HASH, percpu_hash = bpf.PERCPU_HASH, lru = bpf.LRU_PERCPU_HASH,
  percpu_array = bpf.PERCPU_ARRAY }
local FLAGS = { values = bpf.MMAPABLE, percpu_hash = bpf.NO_PREALLOC }

--- Makes a plan's maps; memory: [index of a map of values] = its bytes.
local function make_maps(plan, fds, memory)
  for i, map in ipairs(plan.maps) do
    local kind = KINDS[map.kind]
    if not kind then return nil, 'a map of unknown kind ' .. tostring(map.kind) end
    local fd, message = bpf.map(kind, map.key_bytes, map.value_bytes, map.max_entries, FLAGS[map.kind])
    if not fd then return nil, message end
    fds[i] = fd
    if map.kind == 'values' then memory[i] = bpf.mapped(fd, map.value_bytes) end
    for _, entry in ipairs(map.content) do
      if #entry[1] ~= map.key_bytes or #entry[2] ~= map.value_bytes then
        return nil, ('map %d: an entry of %d and %d bytes'):format(i - 1, #entry[1], #entry[2])
      end
      local ok, why = bpf.update(fd, entry[1], entry[2])
      if not ok then return nil, why end
    end
  end
  return true
end

--- Puts descriptors in the place of a plan's map numbers.
local function set_maps(code, count, fds)
  local at = 0
  while at < count do
    local pseudo = bit.rshift(code[at].registers, 4)
    if code[at].code == LOAD_64 then
      if pseudo == PSEUDO_MAP or pseudo == PSEUDO_VALUE then
        local fd = fds[code[at].imm + 1]
        if not fd then return nil, ('instruction %d: no map %d'):format(at, code[at].imm) end
        code[at].imm = fd
      end
      at = at + 1
    end
    at = at + 1
  end
  return true
end

--- A program that judges; nil and why it could not be loaded.
---@param plan { early: string, late: string, maps: table[] } instructions as bytes
---@param event_bytes integer
---@param on_stack boolean
---@return table|nil judge with run(), close(), memory
---@return string? message
function judge.load(plan, event_bytes, on_stack)
  local early, late = #plan.early / 8, #plan.late / 8
  if late == 0 or late > MOST_INSTRUCTIONS or early > MOST_INSTRUCTIONS then
    return nil, ('%d and %d instructions'):format(early, late)
  end
  local fds, memory = {}, {}
  local function close_maps()
    for _, fd in pairs(fds) do bpf.close(fd) end
  end
  local function close_memory()
    for i, start in pairs(memory) do bpf.unmap(start, plan.maps[i].value_bytes) end
  end
  local function fail(message)
    close_maps()
    close_memory()
    return nil, message
  end
  local ok, message = make_maps(plan, fds, memory)
  if not ok then return fail(message) end
  local code, labels = frame(on_stack, event_bytes, early)
  local count = #code + early + late
  local all = ffi.new('struct judge_instruction[?]', count)
  for i, one in ipairs(code) do
    all[i - 1].code, all[i - 1].registers, all[i - 1].off, all[i - 1].imm = one[1], one[2], one[3], one[4]
  end
  ffi.copy(all + labels.early, plan.early, #plan.early)
  ffi.copy(all + labels.late, plan.late, #plan.late)
  ok, message = set_maps(all + labels.early, early + late, fds)
  if not ok then return fail(message) end
  local functions = { { 0, judge.types[1] }, { labels.one, judge.types[2] } }
  if early > 0 then functions[3] = { labels.early, judge.types[3] } end
  functions[#functions + 1] = { labels.late, judge.types[4] }
  local fd
  fd, message = bpf.program(all, count, judge.btf_fd, functions)
  if not fd then return fail(message) end
  return {
    memory = memory,
    fds = fds, -- of the maps, until close()
    --- Judges the first events: judge.answers has what it said.
    run = function(how_many)
      ffi.fill(judge.answers, judge.COUNT * 4, 0xee)
      judge.answers[judge.COUNT] = how_many
      return bpf.run(fd, judge.cpu)
    end,
    close = function()
      bpf.close(fd)
      close_maps()
      close_memory()
    end,
  }
end

return judge
