// SPDX-License-Identifier: Apache-2.0
/* Deterministic: in a replay, Lua's tables are walked in the same order every time.
 *
 * LuaJIT seeds the numbers of its strings, and so the order of pairs(), from getrandom(2), and
 * keys that are objects are ordered by their addresses. `moonprobe replay` turns the random
 * addresses off for itself and its worker (personality(2)); where they are off, LuaJIT is given a
 * constant for a seed, through the linker's --wrap. */
#include "deterministic.h"

#include <stdarg.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>

#define ASK 0xffffffff

static bool is_deterministic(void)
{
	int persona = personality(ASK);

	return persona >= 0 && (persona & ADDR_NO_RANDOMIZE);
}

void deterministic_children(void)
{
	int persona = personality(ASK);

	if (persona >= 0)
		personality(persona | ADDR_NO_RANDOMIZE);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	long arguments[6];
	va_list list;

	/* As syscall(3) itself: six registers, whatever is in them. */
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_getrandom && is_deterministic()) {
		memset((void *)arguments[0], 0x5a, arguments[1]);
		return arguments[1];
	}
	return __real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
			      arguments[4], arguments[5]);
}
