/* SPDX-License-Identifier: Apache-2.0 */
/* Worker: the process one version of a script runs in.
 *
 *   start message -> privileges dropped -> Lua state -> stdlib/boot.lua -> user code
 *
 * It has the socket to its host, stdout and stderr, its ring, its counters, and nothing
 * else. What Lua can ask of C is the table `engine` (engine/lua_engine.c). */
#ifndef MOONPROBE_WORKER_H
#define MOONPROBE_WORKER_H

#define WORKER_SOCKET 3	      /* descriptor of the socket in a worker */
#define WORKER_NAME "-worker" /* its first argument, so that ps shows what it is */

/* Runs until the script ends; the process's exit status: 0, 1 (the script failed while
 * running) or 2 (it could not be loaded). */
int worker_main(void);

#endif
