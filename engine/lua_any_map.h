/* SPDX-License-Identifier: Apache-2.0 */
/* Lua any map: calls for maps of every kind, by descriptor. What a key and a value are is for Lua
 * to know (stdlib/map_entries.lua): sizes are trusted. Failures return nil and the errno.
 *
 *   any_get(fd, key, value_bytes) -> value     key nil: the next one of a queue or stack
 *   any_take(fd, key, value_bytes) -> value    the same, and it is deleted, as one step
 *   any_set(fd, key, value, flags) -> true     key nil: pushed
 *   any_delete(fd, key) -> true
 *   any_next(fd, key, key_bytes) -> key        the one after it; of nil: the first
 *   any_batch(fd, key_bytes, value_bytes, entries, from) -> count, keys, values, next
 *     From is nil for the start, else what the last call gave; next is nil at the end. ENOSPC:
 *     one more time with more entries.
 *
 * Values and what a batch has read are light userdata, valid until the next call; keys are
 * strings.
 *
 *   object(bytes) -> { btf, maps, programs } | nil, message: what is in an object */
#ifndef MOONPROBE_LUA_ANY_MAP_H
#define MOONPROBE_LUA_ANY_MAP_H

struct lua_State;

void lua_any_map_push(struct lua_State *lua); /* into the table on top of the stack */

#endif
