// SPDX-License-Identifier: Apache-2.0
#include "lua_map.h"

#include "growing.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BATCH_BYTES (1 << 20) /* about so much at a time */
#define LEAST_ENTRIES 32

static int fail(lua_State *lua, const char *what, int err)
{
	lua_pushnil(lua);
	lua_pushfstring(lua, "%s: %s", what, strerror(err));
	return 2;
}

static int engine_map_batch(lua_State *lua)
{
	static struct growing keys, values;
	int fd = luaL_checkint(lua, 1), err;
	size_t key_bytes = luaL_checkint(lua, 2), value_bytes = luaL_checkint(lua, 3);
	bool goes_on = !lua_isnoneornil(lua, 4);
	__u32 from = goes_on ? (__u32)luaL_checknumber(lua, 4) : 0, next = 0, count;
	__u32 entries = BATCH_BYTES / (key_bytes + value_bytes);

	if (entries < LEAST_ENTRIES)
		entries = LEAST_ENTRIES;
	/* ENOSPC: one bucket has more. Entries of the same hash are few, so this ends soon. */
	do {
		err = growing_make_room(&keys, entries * key_bytes);
		if (!err)
			err = growing_make_room(&values, entries * value_bytes);
		if (err)
			break;
		count = entries;
		err = bpf_map_lookup_batch(fd, goes_on ? &from : NULL, &next, keys.start,
					   values.start, &count, NULL);
		entries *= 2;
	} while (err == -ENOSPC);
	if (err && err != -ENOENT)
		return fail(lua, "reading a map", -err);
	lua_pushinteger(lua, count);
	lua_pushlightuserdata(lua, keys.start);
	lua_pushlightuserdata(lua, values.start);
	if (err == -ENOENT) /* that was the last bucket */
		return 3;
	lua_pushnumber(lua, next);
	return 4;
}

static int engine_map_lookup(lua_State *lua)
{
	static struct growing value;
	int fd = luaL_checkint(lua, 1), err = growing_make_room(&value, luaL_checkint(lua, 3));

	if (!err)
		err = bpf_map_lookup_elem(fd, luaL_checkstring(lua, 2), value.start);
	if (err)
		return fail(lua, "reading a map", -err);
	lua_pushlightuserdata(lua, value.start);
	return 1;
}

static int engine_map_update(lua_State *lua)
{
	int fd = luaL_checkint(lua, 1), err;

	err = bpf_map_update_elem(fd, luaL_checkstring(lua, 2), luaL_checkstring(lua, 3), BPF_ANY);
	if (err)
		return fail(lua, "writing a map", -err);
	lua_pushboolean(lua, 1);
	return 1;
}

static int engine_map_wipe(lua_State *lua)
{
	size_t size, key_bytes = luaL_checkint(lua, 3);
	const char *keys = luaL_checklstring(lua, 2, &size);
	int fd = luaL_checkint(lua, 1);
	__u32 left = size / key_bytes;

	while (left > 0) {
		__u32 count = left;
		int err = bpf_map_delete_batch(fd, keys, &count, NULL);

		if (!err)
			break;
		if (err != -ENOENT || count >= left)
			return fail(lua, "emptying a map", -err);
		/* It stopped at a key that is gone: the next one. */
		keys += (count + 1) * key_bytes;
		left -= count + 1;
	}
	lua_pushboolean(lua, 1);
	return 1;
}

static int engine_map_unmap(lua_State *lua)
{
	size_t page = sysconf(_SC_PAGESIZE), bytes = (size_t)luaL_checknumber(lua, 2);

	munmap(lua_touserdata(lua, 1), (bytes + page - 1) / page * page);
	return 0;
}

void lua_map_push(lua_State *lua)
{
	static const luaL_Reg functions[] = {
		{"map_batch", engine_map_batch}, {"map_lookup", engine_map_lookup},
		{"map_unmap", engine_map_unmap}, {"map_update", engine_map_update},
		{"map_wipe", engine_map_wipe},	 {NULL, NULL},
	};

	luaL_register(lua, NULL, functions);
}
