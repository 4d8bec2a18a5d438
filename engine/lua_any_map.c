// SPDX-License-Identifier: Apache-2.0
#include "lua_any_map.h"

#include "growing.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int fail(lua_State *lua, int err)
{
	lua_pushnil(lua);
	lua_pushinteger(lua, err < 0 ? -err : err);
	return 2;
}

static int done(lua_State *lua, int err)
{
	if (err)
		return fail(lua, err);
	lua_pushboolean(lua, 1);
	return 1;
}

static int engine_any_get(lua_State *lua)
{
	static struct growing value;
	int fd = luaL_checkint(lua, 1), err = growing_make_room(&value, luaL_checkint(lua, 3));

	if (!err)
		err = bpf_map_lookup_elem(fd, lua_tostring(lua, 2), value.start);
	if (err)
		return fail(lua, err);
	lua_pushlightuserdata(lua, value.start);
	return 1;
}

static int engine_any_take(lua_State *lua)
{
	static struct growing value;
	int fd = luaL_checkint(lua, 1), err = growing_make_room(&value, luaL_checkint(lua, 3));

	if (!err)
		err = bpf_map_lookup_and_delete_elem(fd, lua_tostring(lua, 2), value.start);
	if (err)
		return fail(lua, err);
	lua_pushlightuserdata(lua, value.start);
	return 1;
}

static int engine_any_set(lua_State *lua)
{
	return done(lua,
		    bpf_map_update_elem(luaL_checkint(lua, 1), lua_tostring(lua, 2),
					luaL_checkstring(lua, 3), (__u64)luaL_checknumber(lua, 4)));
}

static int engine_any_delete(lua_State *lua)
{
	return done(lua, bpf_map_delete_elem(luaL_checkint(lua, 1), luaL_checkstring(lua, 2)));
}

static int engine_any_next(lua_State *lua)
{
	static struct growing key;
	size_t key_bytes = luaL_checkint(lua, 3);
	int err = growing_make_room(&key, key_bytes);

	if (!err)
		err = bpf_map_get_next_key(luaL_checkint(lua, 1), lua_tostring(lua, 2), key.start);
	if (err)
		return fail(lua, err);
	lua_pushlstring(lua, key.start, key_bytes);
	return 1;
}

static int engine_any_batch(lua_State *lua)
{
	static struct growing keys, values, next;
	int fd = luaL_checkint(lua, 1), err;
	size_t key_bytes = luaL_checkint(lua, 2), value_bytes = luaL_checkint(lua, 3);
	__u32 count = (__u32)luaL_checknumber(lua, 4);
	/* A hash says where it is by the number of a bucket, the others by a key. */
	size_t from_bytes = key_bytes < sizeof(__u32) ? sizeof(__u32) : key_bytes;
	const char *from = lua_tostring(lua, 5);

	err = growing_make_room(&keys, count * key_bytes);
	if (!err)
		err = growing_make_room(&values, count * value_bytes);
	if (!err)
		err = growing_make_room(&next, from_bytes);
	if (err)
		return fail(lua, err);
	memset(next.start, 0, from_bytes);
	err = bpf_map_lookup_batch(fd, (void *)from, next.start, keys.start, values.start, &count,
				   NULL);
	if (err && err != -ENOENT)
		return fail(lua, err);
	lua_pushinteger(lua, count);
	lua_pushlightuserdata(lua, keys.start);
	lua_pushlightuserdata(lua, values.start);
	if (err) /* that was the end */
		return 3;
	lua_pushlstring(lua, next.start, from_bytes);
	return 4;
}

/* What is in an object. */

static void set_text(lua_State *lua, const char *key, const char *value)
{
	lua_pushstring(lua, value);
	lua_setfield(lua, -2, key);
}

static void set_number(lua_State *lua, const char *key, double value)
{
	lua_pushnumber(lua, value);
	lua_setfield(lua, -2, key);
}

static void push_map(lua_State *lua, struct bpf_map *map)
{
	struct bpf_map *inner = bpf_map__inner_map(map);

	lua_newtable(lua);
	set_text(lua, "name", bpf_map__name(map));
	set_number(lua, "kind", bpf_map__type(map));
	set_number(lua, "key_bytes", bpf_map__key_size(map));
	set_number(lua, "value_bytes", bpf_map__value_size(map));
	set_number(lua, "max_entries", bpf_map__max_entries(map));
	set_number(lua, "flags", bpf_map__map_flags(map));
	set_number(lua, "key_type", bpf_map__btf_key_type_id(map));
	set_number(lua, "value_type", bpf_map__btf_value_type_id(map));
	if (inner) {
		push_map(lua, inner);
		lua_setfield(lua, -2, "inner");
	}
}

static void push_object(lua_State *lua, struct bpf_object *object, const struct btf *btf)
{
	struct bpf_program *program;
	struct bpf_map *map;
	const void *raw;
	__u32 size;
	int count = 0;

	lua_newtable(lua);
	raw = btf__raw_data(btf, &size);
	lua_pushlstring(lua, raw, raw ? size : 0);
	lua_setfield(lua, -2, "btf");
	lua_newtable(lua);
	bpf_object__for_each_map(map, object)
	{
		push_map(lua, map);
		lua_rawseti(lua, -2, ++count);
	}
	lua_setfield(lua, -2, "maps");
	lua_newtable(lua);
	count = 0;
	bpf_object__for_each_program(program, object)
	{
		lua_newtable(lua);
		set_text(lua, "name", bpf_program__name(program));
		set_text(lua, "section", bpf_program__section_name(program));
		lua_pushboolean(lua, !bpf_program__autoload(program));
		lua_setfield(lua, -2, "optional");
		lua_rawseti(lua, -2, ++count);
	}
	lua_setfield(lua, -2, "programs");
}

/* Whoever asked tells what was wrong, in one line. */
__attribute__((format(printf, 2, 0))) static int say_nothing(enum libbpf_print_level level,
							     const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int engine_object(lua_State *lua)
{
	DECLARE_LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "own");
	size_t size;
	const char *bytes = luaL_checklstring(lua, 1, &size);
	struct bpf_object *object;
	char why[128];

	libbpf_set_print(say_nothing);
	object = bpf_object__open_mem(bytes, size, &options);
	if (!object) {
		libbpf_strerror(-errno, why, sizeof(why)); /* knows its own numbers too */
		lua_pushnil(lua);
		lua_pushfstring(lua, "is no BPF object: %s; clang -g -O2 -target bpf makes one",
				why);
		return 2;
	}
	if (!bpf_object__btf(object)) {
		bpf_object__close(object);
		lua_pushnil(lua);
		lua_pushstring(lua, "is built without BTF; compile it with -g");
		return 2;
	}
	push_object(lua, object, bpf_object__btf(object));
	bpf_object__close(object);
	return 1;
}

void lua_any_map_push(lua_State *lua)
{
	static const luaL_Reg functions[] = {
		{"any_batch", engine_any_batch}, {"any_delete", engine_any_delete},
		{"any_get", engine_any_get},	 {"any_next", engine_any_next},
		{"any_set", engine_any_set},	 {"any_take", engine_any_take},
		{"object", engine_object},	 {NULL, NULL},
	};

	luaL_register(lua, NULL, functions);
}
