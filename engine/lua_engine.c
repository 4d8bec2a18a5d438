// SPDX-License-Identifier: Apache-2.0
#include "lua_engine.h"

#include "asset.h"
#include "lua_any_map.h"
#include "lua_map.h"
#include "message.h"
#include "ring.h"
#include "schema.h"
#include "worker.h"

#include <errno.h>
#include <lauxlib.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* One packet is enough: a worker has one thread. */
static struct message message;

static int fail(lua_State *lua, const char *what, int err)
{
	lua_pushnil(lua);
	lua_pushfstring(lua, "%s: %s", what, strerror(err));
	return 2;
}

/* send(fd or nil, name, ...): strings and numbers to the host -> true | nil, message */
static int engine_send(lua_State *lua)
{
	int err;

	message_start(&message, luaL_checkstring(lua, 2));
	if (!lua_isnil(lua, 1))
		message_fd(&message, luaL_checkint(lua, 1));
	for (int i = 3; i <= lua_gettop(lua); i++) {
		size_t length;
		const char *bytes;

		if (lua_type(lua, i) == LUA_TNUMBER) {
			message_number(&message, lua_tonumber(lua, i));
			continue;
		}
		bytes = luaL_checklstring(lua, i, &length);
		message_string(&message, bytes, length);
	}
	err = message_send(WORKER_SOCKET, &message);
	if (err)
		return fail(lua, "send to host", -err);
	lua_pushboolean(lua, 1);
	return 1;
}

/* receive() -> { name, value..., fds = { fd... } } | nil (the host is gone), waits */
static int engine_receive(lua_State *lua)
{
	int got = message_receive(WORKER_SOCKET, &message), count = 0;

	if (got == 0)
		return 0;
	if (got < 0)
		return fail(lua, "receive from host", -got);
	lua_newtable(lua);
	while (!message_at_end(&message)) {
		const char *bytes;
		size_t length;
		double number;

		if (message_next_kind(&message) == 'n' && message_next_number(&message, &number))
			lua_pushnumber(lua, number);
		else if (message_next_string(&message, &bytes, &length))
			lua_pushlstring(lua, bytes, length);
		else
			return luaL_error(lua, "malformed message from host");
		lua_rawseti(lua, -2, ++count);
	}
	lua_newtable(lua);
	for (int i = 0; i < message.fd_count; i++) {
		lua_pushinteger(lua, message_take_fd(&message, i));
		lua_rawseti(lua, -2, i + 1);
	}
	lua_setfield(lua, -2, "fds");
	return 1;
}

static int epoll_fd = -1; /* what a worker waits for: the host, and rings */

static void watch(lua_State *lua, int fd)
{
	struct epoll_event one = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_fd < 0) {
		epoll_fd = epoll_create1(EPOLL_CLOEXEC);
		if (epoll_fd < 0)
			luaL_error(lua, "epoll: %s", strerror(errno));
		watch(lua, WORKER_SOCKET);
	}
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &one))
		luaL_error(lua, "epoll: %s", strerror(errno));
}

/* watch(fd): a ring that wait() looks at, too */
static int engine_watch(lua_State *lua)
{
	watch(lua, luaL_checkint(lua, 1));
	return 0;
}

/* wait(ms, ring_fd or nil) -> message is there, ring has events; ms < 0 waits for ever */
static int engine_wait(lua_State *lua)
{
	static int watched_ring = -1;
	struct epoll_event ready[8];
	int timeout = luaL_checkint(lua, 1);
	int ring_fd = lua_isnil(lua, 2) ? -1 : luaL_checkint(lua, 2);
	int count, said = 0, events = 0;

	if (ring_fd < 0) { /* a nap, or no ring yet: the set of descriptors stays as it is */
		struct pollfd socket = {.fd = WORKER_SOCKET, .events = POLLIN};

		lua_pushboolean(lua, poll(&socket, 1, timeout) > 0);
		return 1;
	}
	if (ring_fd != watched_ring) {
		watch(lua, ring_fd);
		watched_ring = ring_fd;
	}
	count = epoll_wait(epoll_fd, ready, 8, timeout);
	for (int i = 0; i < count; i++) {
		said |= ready[i].data.fd == WORKER_SOCKET;
		events |= ready[i].data.fd != WORKER_SOCKET;
	}
	lua_pushboolean(lua, said);
	lua_pushboolean(lua, events);
	return 2;
}

/* asset(name) -> bytes of the embedded file | nil */
static int engine_asset(lua_State *lua)
{
	const struct asset *asset = asset_embedded(luaL_checkstring(lua, 1));

	if (!asset)
		return 0;
	lua_pushlstring(lua, (const char *)asset->bytes, asset->size);
	return 1;
}

static int push_name(const char *name, void *lua)
{
	lua_pushstring(lua, name);
	lua_rawseti(lua, -2, (int)lua_objlen(lua, -2) + 1);
	return 0;
}

/* assets(folder, suffix) -> sorted names of the embedded files, without both */
static int engine_assets(lua_State *lua)
{
	struct search_path none = {0};
	const char *folder = luaL_checkstring(lua, 1), *suffix = luaL_checkstring(lua, 2);

	lua_newtable(lua);
	asset_each(&none, folder, suffix, push_name, lua);
	return 1;
}

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

static void push_field(lua_State *lua, const struct schema_field *field)
{
	const char kind[2] = {(char)field->kind, 0};

	lua_newtable(lua);
	set_text(lua, "name", field->name);
	set_text(lua, "kind", kind);
	set_text(lua, "type", field->type);
	set_text(lua, "doc", field->doc);
	set_text(lua, "unit", schema_unit(field->name));
	set_number(lua, "offset", field->offset);
	set_number(lua, "bytes", field->bytes);
	set_number(lua, "element_bytes", field->element_bytes);
	set_number(lua, "elements", field->elements);
	lua_pushboolean(lua, field->late);
	lua_setfield(lua, -2, "late");
	if (!field->value_count)
		return;
	lua_newtable(lua);
	for (int i = 0; i < field->value_count; i++) {
		lua_pushstring(lua, field->values[i].name);
		lua_rawseti(lua, -2, (int)field->values[i].value);
	}
	lua_setfield(lua, -2, "values");
}

static void push_knob(lua_State *lua, const struct schema_knob *knob)
{
	lua_newtable(lua);
	set_text(lua, "name", knob->name);
	set_text(lua, "doc", knob->doc);
	set_number(lua, "bytes", knob->bytes);
	lua_pushboolean(lua, knob->kind == SCHEMA_SIGNED);
	lua_setfield(lua, -2, "is_signed");
	lua_pushboolean(lua, knob->kind == SCHEMA_TEXT);
	lua_setfield(lua, -2, "is_text");
	if (knob->kind == SCHEMA_TEXT)
		set_text(lua, "preset", knob->preset_text);
	else
		set_number(lua, "preset", knob->preset);
}

static void push_program(lua_State *lua, const struct schema_program *program)
{
	lua_newtable(lua);
	set_text(lua, "name", program->name);
	set_text(lua, "section", program->section);
	lua_pushboolean(lua, program->optional);
	lua_setfield(lua, -2, "optional");
	if (program->only_with)
		set_text(lua, "only_with", program->only_with);
}

/* schema(name, object bytes) -> { name, about, blind, bytes, fields, knobs, programs } |
 * nil, message */
static int engine_schema(lua_State *lua)
{
	size_t size;
	const char *name = luaL_checkstring(lua, 1);
	const char *bytes = luaL_checklstring(lua, 2, &size);
	struct schema *schema;
	struct error error;

	if (schema_open(&schema, name, bytes, size, &error)) {
		lua_pushnil(lua);
		lua_pushstring(lua, error.text);
		return 2;
	}
	lua_newtable(lua);
	set_text(lua, "name", schema->name);
	set_text(lua, "about", schema->about);
	if (schema->target)
		set_text(lua, "target", schema->target);
	set_text(lua, "blind", schema->blind);
	set_number(lua, "bytes", schema->event_bytes);
	lua_newtable(lua);
	for (int i = 0; i < schema->field_count; i++) {
		push_field(lua, &schema->fields[i]);
		lua_rawseti(lua, -2, i + 1);
	}
	lua_setfield(lua, -2, "fields");
	lua_newtable(lua);
	for (int i = 0; i < schema->knob_count; i++) {
		push_knob(lua, &schema->knobs[i]);
		lua_rawseti(lua, -2, i + 1);
	}
	lua_setfield(lua, -2, "knobs");
	lua_newtable(lua);
	for (int i = 0; i < schema->program_count; i++) {
		push_program(lua, &schema->programs[i]);
		lua_rawseti(lua, -2, i + 1);
	}
	lua_setfield(lua, -2, "programs");
	schema_close(schema);
	return 1;
}

/* read(fd) -> the whole file, and closes it | nil, message */
static int engine_read(lua_State *lua)
{
	int fd = luaL_checkint(lua, 1);
	struct stat status;
	luaL_Buffer buffer;
	off_t at = 0;
	ssize_t got;

	luaL_buffinit(lua, &buffer);
	if (fstat(fd, &status) || !S_ISREG(status.st_mode)) {
		close(fd);
		return fail(lua, "read", EINVAL);
	}
	do {
		got = pread(fd, luaL_prepbuffer(&buffer), LUAL_BUFFERSIZE, at);
		if (got > 0) {
			luaL_addsize(&buffer, got);
			at += got;
		}
	} while (got > 0);
	close(fd);
	luaL_pushresult(&buffer);
	return got < 0 ? fail(lua, "read", errno) : 1;
}

/* memory(bytes) -> fd of an anonymous file with them | nil, message */
static int engine_memory(lua_State *lua)
{
	size_t size;
	const char *bytes = luaL_checklstring(lua, 1, &size);
	int fd = memfd_create("moonprobe-state", MFD_CLOEXEC);

	if (fd < 0)
		return fail(lua, "memfd_create", errno);
	for (size_t at = 0; at < size;) {
		ssize_t put = pwrite(fd, bytes + at, size - at, at);

		if (put < 0) {
			close(fd);
			return fail(lua, "memfd", errno);
		}
		at += put;
	}
	lua_pushinteger(lua, fd);
	return 1;
}

/* close(fd) */
static int engine_close(lua_State *lua)
{
	close(luaL_checkint(lua, 1));
	return 0;
}

/* exit(status): at once; nothing registered for the end of the process runs */
static int engine_exit(lua_State *lua)
{
	int status = luaL_checkint(lua, 1);

	fflush(stdout);
	_exit(status);
}

/* write(fd, text) -> true | nil, message; all of it, waiting for a slow reader */
static int engine_write(lua_State *lua)
{
	int fd = luaL_checkint(lua, 1);
	size_t size;
	const char *bytes = luaL_checklstring(lua, 2, &size);

	while (size) {
		ssize_t put = write(fd, bytes, size);

		if (put < 0 && errno == EAGAIN) {
			usleep(1000); /* somebody made the terminal non-blocking */
			continue;
		}
		if (put < 0 && errno != EINTR)
			return fail(lua, "write", errno);
		if (put > 0) {
			bytes += put;
			size -= put;
		}
	}
	lua_pushboolean(lua, 1);
	return 1;
}

static double now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

/* monotonic() -> ns, the clock of time_ns */
static int engine_monotonic(lua_State *lua)
{
	lua_pushnumber(lua, now(CLOCK_MONOTONIC));
	return 1;
}

/* realtime() -> ns since 1970 */
static int engine_realtime(lua_State *lua)
{
	lua_pushnumber(lua, now(CLOCK_REALTIME));
	return 1;
}

/* errno_name(2) -> 'ENOENT' | nil */
static int engine_errno_name(lua_State *lua)
{
	lua_pushstring(lua, strerrorname_np(luaL_checkint(lua, 1)));
	return 1;
}

/* signal_name(9) -> 'KILL' | nil */
static int engine_signal_name(lua_State *lua)
{
	lua_pushstring(lua, sigabbrev_np(luaL_checkint(lua, 1)));
	return 1;
}

/* is_terminal(fd) -> boolean */
static int engine_is_terminal(lua_State *lua)
{
	lua_pushboolean(lua, isatty(luaL_checkint(lua, 1)));
	return 1;
}

/* ring(fd, bytes) -> struct ring * as light userdata, for the process's life | nil, message */
static int engine_ring(lua_State *lua)
{
	struct ring *ring;
	int err = ring_open(&ring, luaL_checkint(lua, 1), (size_t)luaL_checknumber(lua, 2));

	if (err)
		return fail(lua, "mapping the ring", -err);
	lua_pushlightuserdata(lua, ring);
	return 1;
}

/* map(fd, bytes) -> a mapped array as light userdata, for the process's life | nil, message */
static int engine_map(lua_State *lua)
{
	size_t page = sysconf(_SC_PAGESIZE), bytes = (size_t)luaL_checknumber(lua, 2);
	void *start = mmap(NULL, (bytes + page - 1) / page * page, PROT_READ | PROT_WRITE,
			   MAP_SHARED, luaL_checkint(lua, 1), 0);

	if (start == MAP_FAILED)
		return fail(lua, "mapping counters", errno);
	lua_pushlightuserdata(lua, start);
	return 1;
}

void lua_engine_push(lua_State *lua)
{
	static const luaL_Reg functions[] = {
		{"asset", engine_asset},
		{"assets", engine_assets},
		{"close", engine_close},
		{"errno_name", engine_errno_name},
		{"exit", engine_exit},
		{"is_terminal", engine_is_terminal},
		{"map", engine_map},
		{"memory", engine_memory},
		{"monotonic", engine_monotonic},
		{"read", engine_read},
		{"realtime", engine_realtime},
		{"receive", engine_receive},
		{"ring", engine_ring},
		{"schema", engine_schema},
		{"send", engine_send},
		{"signal_name", engine_signal_name},
		{"wait", engine_wait},
		{"watch", engine_watch},
		{"write", engine_write},
		{NULL, NULL},
	};

	lua_newtable(lua);
	luaL_register(lua, NULL, functions);
	lua_map_push(lua);
	lua_any_map_push(lua);
}
