// SPDX-License-Identifier: Apache-2.0
#include "functions.h"

#include "kernel_btf.h"
#include "test.h"

#include <errno.h>
#include <time.h>

static char folder[64];
static struct functions found;
static struct error error;

static const char kallsyms[] = "ffffffff81000000 T _text\n"
			       "ffffffff81000010 T tcp_connect\n"
			       "ffffffff81000020 t tcp_reset\n"
			       "ffffffff81000030 t tcp_reset\n"
			       "ffffffff81000040 t tcp_reset.cold\n"
			       "ffffffff81000050 t tcp_fin.part.0\n"
			       "ffffffff81000060 t tcp_ack.isra.0\n"
			       "ffffffff81000070 t __pfx_tcp_connect\n"
			       "ffffffff81000080 D tcp_prot\n"
			       "ffffffff81000090 W tcp_weak\n"
			       "ffffffff810000a0 T udp_sendmsg\n"
			       "ffffffffc0000000 t ext4_sync_file\t[ext4]\n"
			       "ffffffffc0000010 t ext4_sync_fs\t[ext4]\n"
			       "ffffffffc0000020 t tcp_in_module\t[mine]\n"
			       "ffffffffc0000030 t tcp_reset\t[mine]\n"
			       "ffffffffc0000040 t tcp_program\t[bpf]\n"
			       "ffffffffc0000050 t tcp_jump\t[__builtin__ftrace]\n";

static int setup(void **state)
{
	(void)state;
	scratch_make(folder);
	scratch_write(folder, "kallsyms", kallsyms);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	functions_free(&found);
	scratch_remove(folder);
	return 0;
}

static int open_list(const char *name)
{
	return open(scratch_path(folder, name), O_RDONLY | O_CLOEXEC);
}

static int match(const char *pattern)
{
	struct functions_source source = {open_list("available"), open_list("kallsyms"),
					  open_list("blacklist")};
	int err;

	functions_free(&found);
	error.text[0] = 0;
	err = functions_match_in(&source, pattern, &found, &error);
	close(source.available);
	close(source.kallsyms);
	close(source.blacklist);
	return err;
}

/* "NAME MODULE:NAME ..." */
static void assert_matches(const char *pattern, const char *expected)
{
	char text[1024] = "";
	size_t length = 0;

	assert_int_equal(match(pattern), 0);
	for (size_t i = 0; i < found.count; i++)
		length += snprintf(text + length, sizeof(text) - length, "%s%s%s%s", i ? " " : "",
				   found.list[i].module, *found.list[i].module ? ":" : "",
				   found.list[i].name);
	assert_string_equal(text, expected);
}

static void wildcards_of_kallsyms(void **state)
{
	(void)state;
	assert_matches("tcp_*", "tcp_ack.isra.0 tcp_connect mine:tcp_in_module tcp_reset "
				"mine:tcp_reset tcp_weak");
	assert_false(found.traceable);
	assert_matches("tcp_re?et", "tcp_reset mine:tcp_reset");
	assert_matches("[tu][cd]p_[cs]*", "tcp_connect udp_sendmsg");
	assert_matches("*sync*", "ext4:ext4_sync_file ext4:ext4_sync_fs");
	assert_matches("tcp_*.*", "tcp_ack.isra.0 tcp_fin.part.0 tcp_reset.cold"); /* asked for */
	assert_matches("__pfx_*", "__pfx_tcp_connect");
}

static void wildcards_of_a_module(void **state)
{
	(void)state;
	assert_matches("ext4:*", "ext4:ext4_sync_file ext4:ext4_sync_fs");
	assert_matches("mine:tcp_*", "mine:tcp_in_module mine:tcp_reset");
	assert_matches("vmlinux:tcp_r*", "tcp_reset");
	assert_matches("*:tcp_r*", "tcp_reset mine:tcp_reset");
	assert_int_equal(match("bpf:*"), -ENOENT);
	assert_int_equal(match("none:*"), -ENOENT);
}

static void one_name(void **state)
{
	(void)state;
	/* Never looked for here. */
	scratch_write(folder, "available", "tcp_only_here\n");
	assert_matches("tcp_connect", "tcp_connect");
	assert_matches("tcp_reset.cold", "tcp_reset.cold");
	assert_matches("ext4:ext4_sync_fs", "ext4:ext4_sync_fs");
	assert_matches("mine:tcp_reset", "mine:tcp_reset");
	assert_int_equal(match("tcp_only_here"), -ENOENT);
	assert_int_equal(match("tcp_prot"), -ENOENT); /* data */
	assert_int_equal(match("tcp_conn"), -ENOENT); /* a part */
	assert_int_equal(match("tcp_program"), -ENOENT);
	assert_int_equal(match("ext4:tcp_connect"), -ENOENT);
}

static void what_ftrace_can_attach_to_goes_first(void **state)
{
	(void)state;
	scratch_write(folder, "available",
		      "tcp_connect\ntcp_new [mine]\ntcp_connect\n"
		      "__ftrace_invalid_address___16\nudp_x\n");
	assert_matches("tcp_*", "tcp_connect mine:tcp_new");
	assert_true(found.traceable);
	assert_matches("*", "tcp_connect mine:tcp_new udp_x");
	scratch_write(folder, "available", ""); /* a kernel that was built without */
	assert_matches("tcp_c*", "tcp_connect");
	assert_false(found.traceable);
}

static void what_kprobes_forbid(void **state)
{
	(void)state;
	scratch_write(folder, "blacklist",
		      "0xffffffff81000010-0xffffffff81000020\ttcp_connect\n"
		      "0xffffffffc0000030-0xffffffffc0000040\ttcp_reset [mine]\n"
		      "garbage\n");
	assert_matches("tcp_*", "tcp_ack.isra.0 mine:tcp_in_module tcp_weak");
}

static void errors_name_the_nearest(void **state)
{
	(void)state;
	assert_int_equal(match("tcp_conect"), -ENOENT);
	assert_string_equal(error.text,
			    "the kernel has no function tcp_conect; did you mean tcp_connect?");
	assert_int_equal(match("udp_sendmgs*"), -ENOENT);
	assert_string_equal(error.text, "the kernel has no function that matches udp_sendmgs*; did "
					"you mean udp_sendmsg?");
	assert_int_equal(match("qqqqqqqqqqqqqq"), -ENOENT);
	assert_string_equal(error.text, "the kernel has no function qqqqqqqqqqqqqq");
}

static void what_is_no_pattern(void **state)
{
	char longer[400];

	(void)state;
	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = 0;
	assert_int_equal(match(""), -EINVAL);
	assert_int_equal(match("ext4:"), -EINVAL);
	assert_int_equal(match(longer), -EINVAL);
	assert_int_equal(match("[*"), -ENOENT);
	scratch_write(folder, "kallsyms", "no\nlines\n\n\n of kallsyms [\nx y z [ ]\nffff T \n");
	assert_int_equal(match("*"), -ENOENT);
	assert_int_equal(match("kallsyms"), -ENOENT);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void this_kernel(void **state)
{
	int before = open_fds();
	double start;

	(void)state;
	functions_free(&found);
	assert_int_equal(functions_match("vfs_read", &found, &error), 0);
	assert_int_equal(found.count, 1);
	assert_string_equal(found.list[0].name, "vfs_read");
	functions_free(&found);
	start = now_s();
	assert_int_equal(functions_match("vfs_*", &found, &error), 0);
	print_message("# vfs_*: %zu functions in %.0f ms\n", found.count, 1e3 * (now_s() - start));
	assert_true(found.count > 10);
	functions_free(&found);
	start = now_s();
	assert_int_equal(functions_match("vfs_raed", &found, &error), -ENOENT);
	print_message("# vfs_raed: %s (%.0f ms)\n", error.text, 1e3 * (now_s() - start));
	assert_non_null(strstr(error.text, "vfs_read?"));
	functions_free(&found);
	start = now_s();
	assert_int_equal(functions_match("vfs_raed*", &found, &error), -ENOENT);
	print_message("# vfs_raed*: %s (%.0f ms)\n", error.text, 1e3 * (now_s() - start));
	functions_free(&found);
	assert_int_equal(open_fds(), before);
	kernel_btf_release();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(wildcards_of_kallsyms, setup, teardown),
		cmocka_unit_test_setup_teardown(wildcards_of_a_module, setup, teardown),
		cmocka_unit_test_setup_teardown(one_name, setup, teardown),
		cmocka_unit_test_setup_teardown(what_ftrace_can_attach_to_goes_first, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_kprobes_forbid, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_name_the_nearest, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_pattern, setup, teardown),
		cmocka_unit_test(this_kernel),
	};

	return cmocka_run_group_tests_name("functions", tests, NULL, NULL);
}
