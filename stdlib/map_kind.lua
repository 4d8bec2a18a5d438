-- SPDX-License-Identifier: Apache-2.0
--- Map kind: which kinds of BPF maps there are (enum bpf_map_type), and what can be done with them.

local map_kind = {
  HASH = 1, ARRAY = 2, PERCPU_HASH = 5, PERCPU_ARRAY = 6, STACK_TRACE = 7, LRU_HASH = 9, LRU_PERCPU_HASH = 10,
  LPM_TRIE = 11, ARRAY_OF_MAPS = 12, HASH_OF_MAPS = 13, QUEUE = 22, STACK = 23, RING = 27,
}

local words = {
  [map_kind.HASH] = 'hash', [map_kind.ARRAY] = 'array', [3] = 'array of programs', [4] = 'perf event array',
  [map_kind.PERCPU_HASH] = 'per-CPU hash', [map_kind.PERCPU_ARRAY] = 'per-CPU array',
  [map_kind.STACK_TRACE] = 'stack trace map', [8] = 'cgroup array', [map_kind.LRU_HASH] = 'LRU hash',
  [map_kind.LRU_PERCPU_HASH] = 'per-CPU LRU hash', [map_kind.LPM_TRIE] = 'LPM trie',
  [map_kind.ARRAY_OF_MAPS] = 'array of maps', [map_kind.HASH_OF_MAPS] = 'hash of maps', [19] = 'cgroup storage',
  [map_kind.QUEUE] = 'queue', [map_kind.STACK] = 'stack', [24] = 'socket storage', [map_kind.RING] = 'ring',
  [29] = 'task storage', [30] = 'bloom filter', [31] = 'user ring',
}

local function set_of(...)
  local set = {}
  for _, name in ipairs { ... } do set[map_kind[name]] = true end
  return set
end

-- Sets of kinds:
map_kind.per_cpu = set_of('PERCPU_HASH', 'PERCPU_ARRAY', 'LRU_PERCPU_HASH') -- a value for each CPU
map_kind.arrays = set_of('ARRAY', 'PERCPU_ARRAY', 'ARRAY_OF_MAPS') -- from 0, all are always there
map_kind.of_maps = set_of('ARRAY_OF_MAPS', 'HASH_OF_MAPS') -- values are maps
map_kind.in_line = set_of('QUEUE', 'STACK') -- no keys, but a first and a last
map_kind.keyed = set_of('HASH', 'ARRAY', 'PERCPU_HASH', 'PERCPU_ARRAY', 'STACK_TRACE', 'LRU_HASH', 'LRU_PERCPU_HASH',
  'LPM_TRIE', 'ARRAY_OF_MAPS', 'HASH_OF_MAPS')

--- What a kind is called: 'per-CPU hash'.
---@param kind integer
---@param otherwise string|nil what one is called that has no name here
---@return string
function map_kind.name(kind, otherwise) return words[kind] or otherwise or ('map of kind %d'):format(kind) end

return map_kind
