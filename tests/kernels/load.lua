-- SPDX-License-Identifier: Apache-2.0
--- Loads BPF objects, every program of them, and says as TAP which the kernel accepts.
---
---   luajit tests/kernels/load.lua build/probes/*.bpf.o
---   tests/kernels/boot.sh 6.1 -f build/probes -f tests/kernels/load.lua -p libbpf.so.1 -- \
---     'luajit tests/kernels/load.lua build/probes/*.bpf.o'
---
--- Nothing is attached. Programs that are not loaded by default (SEC("?...")) are loaded, too;
--- with `-d` as the first argument only the default ones. libbpf's messages go to stderr.
local ffi = require 'ffi'

ffi.cdef [[
struct bpf_object;
struct bpf_program;
struct bpf_object *bpf_object__open_file(const char *path, const void *options);
struct bpf_program *bpf_object__next_program(const struct bpf_object *object, struct bpf_program *previous);
int bpf_program__set_autoload(struct bpf_program *program, bool autoload);
int bpf_object__load(struct bpf_object *object);
void bpf_object__close(struct bpf_object *object);
]]
local bpf = ffi.load('libbpf.so.1')

local paths = { ... }
local all = true
if paths[1] == '-d' then
  all = false
  table.remove(paths, 1)
end

print(('1..%d'):format(#paths))
local failed = 0
for number, path in ipairs(paths) do
  local object = bpf.bpf_object__open_file(path, nil)
  local errno = object == nil and -ffi.errno() or 0
  local programs = 0
  if object ~= nil then
    local program = bpf.bpf_object__next_program(object, nil)
    while program ~= nil do
      if all then
        bpf.bpf_program__set_autoload(program, true)
      end
      programs = programs + 1
      program = bpf.bpf_object__next_program(object, program)
    end
    errno = bpf.bpf_object__load(object)
    bpf.bpf_object__close(object)
  end
  if errno ~= 0 then
    failed = failed + 1
  end
  print(('%sok %d - %s: %s\n'):format(errno == 0 and '' or 'not ', number, path,
    errno == 0 and programs .. ' programs' or 'error ' .. errno))
  io.stdout:flush()
end
os.exit(failed == 0 and 0 or 1)
