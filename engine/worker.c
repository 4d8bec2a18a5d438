// SPDX-License-Identifier: Apache-2.0
#include "worker.h"

#include "asset.h"
#include "error.h"
#include "lua_engine.h"
#include "message.h"
#include "privilege.h"
#include "sandbox.h"

#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static lua_State *state; /* for the signal handler */

/* The host has waited for an answer for too long: tells where Lua is, and ends. */
static void tell_and_end(lua_State *lua, lua_Debug *activation)
{
	static struct message message;
	const char *where = "";
	size_t length = 0;

	(void)activation;
	lua_sethook(lua, NULL, 0, 0);
	message_start(&message, "stuck");
	/* The innermost line: C functions have none. */
	for (int level = 0; level < 10 && !length; level++) {
		luaL_where(lua, level);
		where = lua_tolstring(lua, -1, &length);
	}
	message_string(&message, where, length > 2 ? length - 2 : length); /* ends in ": " */
	message_send(WORKER_SOCKET, &message);
	_exit(1);
}

/* Allowed in a handler: the hook comes with the next instruction. Compiled code has no
 * hooks; then the host ends us. */
static void on_interrupt(int signal)
{
	(void)signal;
	lua_sethook(state, tell_and_end, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

static int traceback(lua_State *lua)
{
	luaL_traceback(lua, lua, lua_tostring(lua, 1), 1);
	return 1;
}

static bool is_granted(lua_State *lua, int index, const char *grant)
{
	bool granted;

	lua_getfield(lua, index, grant);
	granted = lua_toboolean(lua, -1);
	lua_pop(lua, 1);
	return granted;
}

/* The table at `index` lists the folders that may be read, and has what the user granted as
 * its fields. */
static int enter_sandbox(lua_State *lua, int index)
{
	const char *folders[SEARCH_DIRS + 1];
	struct sandbox_options options = {.folders = folders};
	struct error error;
	int err;

	for (int i = 0; i < SEARCH_DIRS + 1; i++) {
		lua_rawgeti(lua, index, i + 1);
		if (lua_isstring(lua, -1))
			folders[options.folder_count++] = lua_tostring(lua, -1);
		lua_pop(lua, 1); /* the table keeps it */
	}
	options.programs =
		is_granted(lua, index, "os.execute") || is_granted(lua, index, "io.popen");
	options.objects = is_granted(lua, index, "object");
	options.libraries = is_granted(lua, index, "package.loadlib");
	err = sandbox_enter(&options, &error);
	if (err)
		error_print("worker: %s", error.text);
	return err;
}

/* boot.lua is part of the executable always: it is what fetches everything else. It takes the
 * start message, and returns the folders and a function that loads user code: that is called
 * in the sandbox or not at all. */
static int boot(lua_State *lua)
{
	const struct asset *file = asset_embedded("stdlib/boot.lua");

	lua_pushcfunction(lua, traceback);
	if (luaL_loadbuffer(lua, (const char *)file->bytes, file->size, "@stdlib/boot.lua")) {
		error_print("%s", lua_tostring(lua, -1));
		return 1;
	}
	lua_engine_push(lua);
	if (lua_pcall(lua, 1, 2, 1)) {
		error_print("%s", lua_tostring(lua, -1));
		return 1;
	}
	if (enter_sandbox(lua, 2))
		return 1;
	if (lua_pcall(lua, 0, 1, 1)) {
		error_print("%s", lua_tostring(lua, -1));
		return 1;
	}
	return (int)lua_tointeger(lua, -1);
}

int worker_main(void)
{
	lua_State *lua;
	int err = privilege_drop(), status;

	if (err) {
		error_print("worker: cannot drop privileges: %s", strerror(-err));
		return 1;
	}
	prctl(PR_SET_NAME, "moonprobe-work"); /* else it shows as "exe" */
	signal(SIGPIPE, SIG_IGN);	      /* a closed stdout is told by write */
	/* Sent to all of a terminal or group; the host decides, and has SIGKILL for us. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	lua = luaL_newstate();
	if (!lua) {
		error_print("worker: no memory for Lua");
		return 1;
	}
	state = lua;
	signal(SIGUSR1, on_interrupt);
	luaL_openlibs(lua);
	status = boot(lua);
	lua_close(lua);
	fflush(stdout);
	/* No more to do at exit; a leak checker could not look at us anyway. */
	_exit(status);
}
