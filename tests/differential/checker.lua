-- SPDX-License-Identifier: Apache-2.0
--- Checker: what the host does with a worker's plan before the verifier sees it (engine/plan_file.c,
--- engine/stage_check.c), from build/tests/stages.so.

local ffi = require 'ffi'

ffi.cdef [[
struct checker_error { char text[600]; };
struct checker_code { const void *code; uint32_t count; const uint32_t *where; };
struct checker_plan {
  const void *maps;
  uint32_t map_count;
  struct checker_code stages[2];
};
struct checker_scope { uint32_t event_bytes; const void *maps; uint32_t map_count; };
int plan_open(struct checker_plan **plan, int fd, struct checker_error *error);
void plan_close(struct checker_plan *plan);
int stage_check(const void *code, uint32_t count, const struct checker_scope *scope, struct checker_error *error);
int memfd_create(const char *name, unsigned int flags);
long write(int fd, const void *bytes, size_t count);
]]

local checker = {}

local ok, library = pcall(ffi.load, './build/tests/stages.so')
checker.is_there = ok

local names = { [0] = 'early', 'late' }

--- Why the host would not take this plan; nil when it would.
---@param bytes string plan.h
---@param event_bytes integer
---@return string|nil
function checker.refuses(bytes, event_bytes)
  local plan, why = ffi.new 'struct checker_plan *[1]', ffi.new 'struct checker_error'
  local fd = ffi.C.memfd_create('plan', 1)
  assert(fd >= 0 and ffi.C.write(fd, bytes, #bytes) == #bytes, 'memfd')
  local err = library.plan_open(plan, fd, why)
  ffi.C.close(fd)
  if err ~= 0 then return 'plan_open: ' .. ffi.string(why.text) end
  local one, problem = plan[0], nil
  local scope = ffi.new('struct checker_scope', event_bytes, one.maps, one.map_count)
  for stage = 0, 1 do
    local code = one.stages[stage]
    if code.count > 0 and library.stage_check(code.code, code.count, scope, why) ~= 0 then
      problem = names[stage] .. ' stage: ' .. ffi.string(why.text)
    end
  end
  library.plan_close(one)
  return problem
end

return checker
