/* SPDX-License-Identifier: Apache-2.0 */
/* Lua map: BPF maps for the stdlib, by descriptors that the host has handed over.
 *
 *   map_batch(fd, key_bytes, value_bytes, from) -> count, keys, values, next | nil, message
 *     Some entries of a hash, from its start (from is nil) or from where the last call ended;
 *     `next` is nil when these were the last. `value_bytes` of all CPUs, for a per-CPU hash.
 *   map_lookup(fd, key, value_bytes) -> value | nil, message
 *   map_update(fd, key, value) -> true | nil, message
 *   map_wipe(fd, keys, key_bytes) -> true | nil, message
 *     Deletes the keys in that string; that some are gone already is fine.
 *   map_unmap(address, bytes): the end of an engine.map()
 *
 * What is read is light userdata, valid until the next call of the same function: memory is used
 * again, and bounded whatever the number of entries. What is written are strings. */
#ifndef MOONPROBE_LUA_MAP_H
#define MOONPROBE_LUA_MAP_H

struct lua_State;

void lua_map_push(struct lua_State *lua); /* into the table on top of the stack */

#endif
