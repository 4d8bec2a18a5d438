// SPDX-License-Identifier: Apache-2.0
#include "verifier_log.h"

#include "test.h"

static void ends(const char *log, int number, const char *reason)
{
	char said[64];

	assert_int_equal(verifier_log_end(log, said, sizeof(said)), number);
	assert_string_equal(said, reason);
}

static void where_it_ends_and_why(void **state)
{
	(void)state;
	ends("0: R1=ctx(off=0,imm=0) R10=fp0\n"
	     "0: (bf) r6 = r1                       ; R1=ctx(off=0,imm=0)\n"
	     "; return 0;\n"
	     "12: (79) r1 = *(u64 *)(r0 +0)\n"
	     "R0 invalid mem access 'map_value_or_null'\n"
	     "processed 13 insns (limit 1000000) max_states_per_insn 0\n",
	     12, "R0 invalid mem access 'map_value_or_null'");
	ends("func#0 @0\n0: (85) call pc+1\ncaller:\n R10=fp0\ncallee:\n frame1: R1=ctx\n"
	     "2: (95) exit\nR0 !read_ok\nverification time 40 usec\nstack depth 0\n",
	     2, "R0 !read_ok");
	ends("from 5 to 7: R0=0\n7: (95) exit\n", 7, "");
	ends("unreachable insn 3\n", -1, "unreachable insn 3");
	ends("4: (79) r2 = *(u64 *)(r1 +16)\n"
	     "invalid access to map value, value_size=16\nR1 is outside\n\n",
	     4, "invalid access to map value, value_size=16; R1 is outside");
	ends("1: (95) exit\nit goes on and on, longer than anybody wants to read in one line of "
	     "it\n",
	     1, "it goes on and on, longer than anybody wants to read in one lin");
	ends("", -1, "");
	ends("99", -1, "");
	ends("99: (", 99, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(where_it_ends_and_why)};

	return cmocka_run_group_tests_name("verifier_log", tests, NULL, NULL);
}
