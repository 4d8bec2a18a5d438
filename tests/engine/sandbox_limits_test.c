// SPDX-License-Identifier: Apache-2.0
/* Limits of memory and files, and what a failure to enter says. */
#include "sandboxed.h"

#include <errno.h>
#include <sys/mman.h>

static long allocate(const void *argument)
{
	size_t size = *(const size_t *)argument;

	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			       MAP_FAILED
		       ? errno
		       : 0;
}

static void memory_is_limited(void **state)
{
	const size_t some = 8 << 20, much = 257 << 20;
	struct sandbox_options small = options;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	SKIP("AddressSanitizer needs terabytes of address space");
#endif
	small.memory_bytes = 4 << 20;
	assert_int_equal(in_sandbox(&options, allocate, &some), 0);
	assert_int_equal(in_sandbox(&options, allocate, &much), ENOMEM);
	assert_int_equal(in_sandbox(&small, allocate, &some), ENOMEM);
}

static long count_files(const void *argument)
{
	long count = 0;

	(void)argument;
	while (count < 250 && memfd_create("file", 0) >= 0)
		count++;
	return count;
}

static void files_are_limited(void **state)
{
	(void)state;
	assert_in_range(in_sandbox(&options, count_files, NULL), 64, SANDBOX_FILES - 3);
}

static long enter_again(const void *argument)
{
	struct error error;

	(void)argument;
	return sandbox_enter(&options, &error) && strstr(error.text, "sandbox: ") ? 0 : 1;
}

static void a_failure_is_told(void **state)
{
	(void)state;
	assert_int_equal(in_sandbox(&options, enter_again, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_limited),
		cmocka_unit_test(files_are_limited),
		cmocka_unit_test(a_failure_is_told),
	};

	return cmocka_run_group_tests_name("sandbox_limits", tests, sandbox_setup,
					   sandbox_teardown);
}
