// SPDX-License-Identifier: Apache-2.0
/* USDT probes with more arguments than a function has in registers: twelve of mixed sizes, signed
 * or not, constant, in a register or in memory; and sites of one probe with different numbers of
 * them. */
#include <stdint.h>

#include <sys/sdt.h>

volatile int sink;

/* Those from the seventh on lie on the stack when it is called. */
__attribute__((noipa)) static void twelve(int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e,
					  uint32_t f, int8_t g, uint16_t h, int32_t i, uint64_t j,
					  const char *k)
{
	sink += k[0]; /* a program in the kernel reads what is in memory already */
	DTRACE_PROBE12(many, twelve, a, b, c, d, e, f, g, h, i, j, k, (int16_t)-12);
	sink++;
}

__attribute__((noipa)) static void registers(long a, long b)
{
	DTRACE_PROBE12(many, registers, 0, 1, 2, 3, 4, 5, a, (int8_t)b, (uint8_t)b, (int32_t)b,
		       (uint32_t)b, UINT64_C(0x123456789abcdef0));
	sink++;
}

__attribute__((noipa)) static void some(long a)
{
	DTRACE_PROBE8(many, some, 0, 1, 2, 3, 4, 5, 6, a);
	sink++;
	DTRACE_PROBE3(many, some, 0, 1, a);
	sink++;
}

__attribute__((noipa)) static void seven(long a)
{
	DTRACE_PROBE7(many, seven, 0, 1, 2, 3, 4, 5, a);
	sink++;
}

__attribute__((noipa)) static void floating(long a, double b)
{
	DTRACE_PROBE3(many, floating, a, b, (short)-3);
	sink++;
}

int main(void)
{
	for (int i = 0; i < 5; i++)
		twelve(-1, 255, -300, 65000, -70000, 4000000000u, -7, 60000, -80000,
		       UINT64_C(0x8000000000000001), "the eleventh");
	for (int i = 0; i < 3; i++)
		registers(i, -2);
	some(7);
	seven(-6);
	floating(5, 1.5);
	return 0;
}
