/* SPDX-License-Identifier: Apache-2.0 */
/* Lua engine: the C functions the stdlib is built on, as one table.
 * Expected failures return nil, message; misuse raises. User scripts do not get it. */
#ifndef MOONPROBE_LUA_ENGINE_H
#define MOONPROBE_LUA_ENGINE_H

struct lua_State;

void lua_engine_push(struct lua_State *lua); /* pushes the table */

#endif
