-- SPDX-License-Identifier: Apache-2.0
--- bpf(2) for the tests, through FFI, as root: maps, BTF, programs, test runs.

local ffi = require 'ffi'

local bpf = {}

ffi.cdef [[
long syscall(long number, ...);
char *strerror(int number);
int close(int fd);
void *mmap(void *start, size_t bytes, int protection, int flags, int fd, long offset);
int munmap(void *start, size_t bytes);

struct judge_instruction { uint8_t code; uint8_t registers; int16_t off; int32_t imm; };
struct bpf_function_place { uint32_t instruction; uint32_t type; };

/* The parts of union bpf_attr that are used here (linux/bpf.h). */
struct bpf_map_create {
  uint32_t type, key_bytes, value_bytes, max_entries, flags, inner, node;
  char name[16];
};
struct bpf_map_element {
  uint32_t fd, spare;
  uint64_t key, value, flags;
};
struct bpf_btf_load {
  uint64_t btf, log;
  uint32_t bytes, log_bytes, log_level;
};
struct bpf_prog_load {
  uint32_t type, count;
  uint64_t instructions, license;
  uint32_t log_level, log_bytes;
  uint64_t log;
  uint32_t kernel_version, flags;
  char name[16];
  uint32_t interface, attach_type, btf_fd, function_bytes;
  uint64_t functions;
  uint32_t function_count, line_bytes;
  uint64_t lines;
  uint32_t line_count, btf_id, other_fd, spare;
};
struct bpf_test_run {
  uint32_t fd, result, in_bytes, out_bytes;
  uint64_t in, out;
  uint32_t repeat, duration, context_in_bytes, context_out_bytes;
  uint64_t context_in, context_out;
  uint32_t flags, cpu, batch;
  uint32_t spare;
};
]]

local SYSCALL = ({ x64 = 321, arm64 = 280 })[ffi.arch]
local MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, MAP_DELETE, MAP_NEXT = 0, 1, 2, 3, 4
local PROG_LOAD, TEST_RUN, BTF_LOAD = 5, 10, 18
local RAW_TRACEPOINT = 17
local ON_CPU = 1 -- BPF_F_TEST_RUN_ON_CPU
local STRICT_ALIGNMENT = 1
local EPERM, EINVAL, ENOSPC = 1, 22, 28

bpf.ARRAY, bpf.HASH, bpf.PERCPU_HASH, bpf.PERCPU_ARRAY, bpf.LRU_PERCPU_HASH = 2, 1, 5, 6, 10
bpf.NO_PREALLOC, bpf.MMAPABLE = 1, 1024

local function address(pointer)
  if type(pointer) == 'string' then pointer = ffi.cast('const char *', pointer) end
  return ffi.cast('uint64_t', ffi.cast('uintptr_t', ffi.cast('const void *', pointer)))
end

--- The descriptor or 0; nil, message, errno.
local function call(command, what, attributes)
  local got = tonumber(ffi.C.syscall(SYSCALL, ffi.cast('int', command), attributes,
    ffi.cast('unsigned int', ffi.sizeof(attributes))))
  if got >= 0 then return got end
  local errno = ffi.errno()
  return nil, what .. ': ' .. ffi.string(ffi.C.strerror(errno)), errno
end

function bpf.close(fd) ffi.C.close(fd) end

---@return integer|nil fd
---@return string? message
function bpf.map(kind, key_bytes, value_bytes, max_entries, flags)
  local create = ffi.new('struct bpf_map_create', { type = kind, key_bytes = key_bytes,
    value_bytes = value_bytes, max_entries = max_entries, flags = flags or 0 })
  return call(MAP_CREATE, 'a map', create)
end

---@param key string
---@param value string
function bpf.update(fd, key, value)
  local element = ffi.new('struct bpf_map_element', { fd = fd, key = address(key), value = address(value) })
  return call(MAP_UPDATE, 'filling a map', element)
end

--- The value of a key, with one part for each CPU where the map has those; nil when there is none.
---@param bytes integer of all of it
---@return string|nil
function bpf.lookup(fd, key, bytes)
  local value = ffi.new('uint8_t[?]', bytes)
  local element = ffi.new('struct bpf_map_element', { fd = fd, key = address(key), value = address(value) })
  return call(MAP_LOOKUP, 'reading a map', element) and ffi.string(value, bytes)
end

function bpf.delete(fd, key)
  call(MAP_DELETE, 'a key of a map', ffi.new('struct bpf_map_element', { fd = fd, key = address(key) }))
end

--- All keys of a map.
---@return string[]
function bpf.keys(fd, key_bytes)
  local keys, following = {}, ffi.new('uint8_t[?]', key_bytes)
  local element = ffi.new('struct bpf_map_element', { fd = fd, value = address(following) })
  while call(MAP_NEXT, 'the next key', element) do
    keys[#keys + 1] = ffi.string(following, key_bytes)
    element.key = address(keys[#keys])
  end
  return keys
end

local function pages(bytes) return math.ceil(bytes / 4096) * 4096 end

--- The value of a mapped array of one.
---@return ffi.cdata* uint8_t *
function bpf.mapped(fd, bytes)
  local start = ffi.C.mmap(nil, pages(bytes), 3, 1, fd, 0) -- PROT_READ | PROT_WRITE, MAP_SHARED
  assert(ffi.cast('intptr_t', start) ~= -1, 'mmap of a map failed')
  return ffi.cast('uint8_t *', start)
end

function bpf.unmap(start, bytes) ffi.C.munmap(start, pages(bytes)) end

--- A mapped array with one value; its bytes as a pointer, zero at first.
---@return integer fd
---@return ffi.cdata* uint8_t *
function bpf.memory(bytes)
  local fd = assert(bpf.map(bpf.ARRAY, 4, bytes, 1, bpf.MMAPABLE))
  return fd, bpf.mapped(fd, bytes)
end

--- BTF that says no more than: here are some functions. bpf_loop() takes no callback without.
---@param names string[] of functions: the first takes a context, the others what they like
---@return integer fd
---@return integer[] type ids of the functions
function bpf.function_types(names)
  local text, types, ids = '\0', {}, {}
  local function name(of)
    text = text .. of .. '\0'
    return #text - #of - 1
  end
  local function add(...)
    types[#types + 1] = ffi.string(ffi.new('uint32_t[?]', select('#', ...), ...), 4 * select('#', ...))
    return #types
  end
  local function info(kind, length) return kind * 2 ^ 24 + length end
  local int = add(name 'int', info(1, 0), 4, 1 * 2 ^ 24 + 32) -- BTF_KIND_INT, signed, 32 bits
  local pointer = add(0, info(2, 0), 0) -- void *
  local argument = name 'argument'
  local proto = add(0, info(13, 1), int, argument, pointer)
  for i, one in ipairs(names) do ids[i] = add(name(one), info(12, 0), proto) end -- static
  local all = table.concat(types)
  local header = ffi.new('uint32_t[6]', 0x0001eb9f, 24, 0, #all, #all, #text)
  local blob = ffi.string(header, 24) .. all .. text
  local load = ffi.new('struct bpf_btf_load', { btf = address(blob), bytes = #blob })
  local fd, message, errno = call(BTF_LOAD, 'BTF', load)
  return fd, fd and ids or message, errno
end

local log_bytes = 2 ^ 24
local log -- made when first needed

--- Loads a raw tracepoint program.
---@param instructions ffi.cdata* struct judge_instruction[]
---@param count integer
---@param btf_fd integer
---@param functions { [1]: integer, [2]: integer }[] first instruction and type id of each
---@return integer|nil fd
---@return string? message the verifier's
function bpf.program(instructions, count, btf_fd, functions)
  local places = ffi.new('struct bpf_function_place[?]', #functions)
  for i, place in ipairs(functions) do places[i - 1].instruction, places[i - 1].type = place[1], place[2] end
  local license = 'GPL'
  local load = ffi.new('struct bpf_prog_load', { type = RAW_TRACEPOINT, count = count,
    instructions = address(instructions), license = address(license), flags = STRICT_ALIGNMENT, name = 'judge',
    btf_fd = btf_fd, function_bytes = 8, functions = address(places), function_count = #functions })
  local fd, message, errno = call(PROG_LOAD, 'the program', load)
  if fd or errno == EPERM then return fd, message end
  log = log or ffi.new('char[?]', log_bytes)
  log[0] = 0
  load.log_level, load.log_bytes, load.log = 1, log_bytes, address(log)
  fd, message, errno = call(PROG_LOAD, 'the program', load)
  if fd then bpf.close(fd) end
  return nil, errno == ENOSPC and message .. '\n(the log is too long)' or message .. '\n' .. ffi.string(log)
end

--- Runs a program once, on one CPU.
---@return integer|nil result
---@return string? message
function bpf.run(fd, cpu)
  local test = ffi.new('struct bpf_test_run', { fd = fd, flags = ON_CPU, cpu = cpu })
  local ok, message, errno = call(TEST_RUN, 'the test run', test)
  if not ok then return nil, message, errno end
  return test.result
end

bpf.EPERM, bpf.EINVAL = EPERM, EINVAL

return bpf
