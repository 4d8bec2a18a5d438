// SPDX-License-Identifier: Apache-2.0
/* Dropping is for good, so it is done in a child, which reports by its exit status. */
#include "privilege.h"

#include "test.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>

#define NOBODY 65534

/* Runs check() in a child that has dropped its privileges; the number it returns. */
static int after_drop(int (*check)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (privilege_drop())
			_exit(100);
		_exit(check());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Does /proc/self/status have this line? */
static bool status_has(const char *line)
{
	char text[8192];

	scratch_read("/proc/self/status", text, sizeof(text));
	return strstr(text, line) != NULL;
}

static int check_user(void)
{
	uid_t uids[3];
	gid_t gids[3], groups[1];

	if (getresuid(&uids[0], &uids[1], &uids[2]) || getresgid(&gids[0], &gids[1], &gids[2]))
		return 1;
	for (int i = 0; i < 3; i++)
		if (uids[i] != NOBODY || gids[i] != NOBODY)
			return 2;
	if (getgroups(0, groups) != 0)
		return 3;
	return status_has("\nUid:\t65534\t65534\t65534\t65534\n") ? 0 : 4;
}

static void it_becomes_nobody(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root, to become somebody else");
	assert_int_equal(after_drop(check_user), 0);
}

static uid_t user_before;

static int check_same_user(void)
{
	return getuid() == user_before && geteuid() == user_before ? 0 : 1;
}

static void a_user_stays_who_they_are(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	user_before = geteuid() ? geteuid() : 12345;
	pid = fork();
	if (pid == 0) {
		if (!geteuid() && setresuid(12345, 12345, 12345))
			_exit(99);
		if (privilege_drop())
			_exit(100);
		_exit(check_same_user());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int check_capabilities(void)
{
	if (!status_has("\nCapInh:\t0000000000000000\n"))
		return 1;
	if (!status_has("\nCapPrm:\t0000000000000000\n"))
		return 2;
	if (!status_has("\nCapEff:\t0000000000000000\n"))
		return 3;
	if (!status_has("\nCapAmb:\t0000000000000000\n"))
		return 4;
	for (int capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (privilege_has(capability))
			return 5;
	return 0;
}

static void no_capability_is_left(void **state)
{
	(void)state;
	assert_int_equal(after_drop(check_capabilities), 0);
}

static int check_no_way_back(void)
{
	if (!status_has("\nNoNewPrivs:\t1\n") || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 1;
	if (!setuid(0) || !seteuid(0) || !setgid(0))
		return 2;
	return 0;
}

static void there_is_no_way_back(void **state)
{
	(void)state;
	assert_int_equal(after_drop(check_no_way_back), 0);
}

static int check_not_to_be_traced(void)
{
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 1;
}

static void nobody_may_trace_it(void **state)
{
	(void)state;
	assert_int_equal(after_drop(check_not_to_be_traced), 0);
}

static int check_end(void)
{
	int number = 0;

	if (prctl(PR_GET_PDEATHSIG, &number, 0, 0, 0))
		return 1;
	return number == 9 ? 0 : 2;
}

static void it_ends_with_its_host(void **state)
{
	(void)state;
	assert_int_equal(after_drop(check_end), 0);
}

static int check_twice(void)
{
	return privilege_drop() ? 1 : check_capabilities();
}

static void dropping_again_is_fine(void **state)
{
	(void)state;
	assert_int_equal(after_drop(check_twice), 0);
}

static int check_check(void)
{
	struct error error = {0};

	if (privilege_check(&error) != -EPERM)
		return 1;
	if (!strstr(error.text, "CAP_BPF and CAP_PERFMON missing"))
		return 2;
	return strstr(error.text, "as root") ? 0 : 3;
}

static void what_is_missing_is_named(void **state)
{
	struct error error;

	(void)state;
	assert_int_equal(after_drop(check_check), 0);
	if (!geteuid() && privilege_has(CAP_SYS_ADMIN))
		assert_int_equal(privilege_check(&error), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_becomes_nobody),
		cmocka_unit_test(a_user_stays_who_they_are),
		cmocka_unit_test(no_capability_is_left),
		cmocka_unit_test(there_is_no_way_back),
		cmocka_unit_test(nobody_may_trace_it),
		cmocka_unit_test(it_ends_with_its_host),
		cmocka_unit_test(dropping_again_is_fine),
		cmocka_unit_test(what_is_missing_is_named),
	};

	return cmocka_run_group_tests_name("privilege", tests, NULL, NULL);
}
