// SPDX-License-Identifier: Apache-2.0
#include "symbols.h"

#include "processes.h"
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static struct processes *processes;
static struct symbols *symbols;
static struct symbol symbol;

/* A child that runs tests/targets/program and says where its functions are. */
static struct child {
	pid_t pid;
	int input;
	unsigned long add, local, greet, vdso;
} child;

static void start(const char *path)
{
	char text[256] = "";
	int input[2], output[2];

	assert_int_equal(pipe2(input, O_CLOEXEC) | pipe2(output, O_CLOEXEC), 0);
	child.pid = fork();
	if (!child.pid) {
		dup2(input[0], 0);
		dup2(output[1], 1);
		execl(path, path, "wait", NULL);
		_exit(127);
	}
	close(input[0]);
	close(output[1]);
	child.input = input[1];
	assert_true(read(output[0], text, sizeof(text) - 1) > 0);
	close(output[0]);
	assert_int_equal(sscanf(text, "%lx %lx %lx %lx", &child.add, &child.local, &child.greet,
				&child.vdso),
			 4);
}

static void finish(void)
{
	if (!child.pid)
		return;
	close(child.input);
	waitpid(child.pid, NULL, 0);
	child.pid = 0;
}

static int setup(void **state)
{
	(void)state;
	return processes_open(&processes) || symbols_open(&symbols, processes);
}

static int teardown(void **state)
{
	(void)state;
	finish();
	symbols_close(symbols);
	processes_close(processes);
	symbols = NULL;
	processes = NULL;
	return 0;
}

static void assert_named(pid_t pid, uint64_t address, const char *name, uint64_t offset)
{
	assert_int_equal(symbols_resolve(symbols, pid, address, &symbol), 0);
	assert_string_equal(symbol.name, name);
	assert_int_equal(symbol.offset, offset);
}

static void names_of_a_process(void **state)
{
	static const char *const programs[] = {"program", "program_fixed"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(programs); i++) {
		uint64_t found[4] = {0};

		start(target_path(programs[i]));
		assert_named(child.pid, child.local, "target_local", 0);
		assert_named(child.pid, child.local + 3, "target_local", 3);
		assert_non_null(strstr(symbol.file, programs[i]));
		/* As public as its alias, and first. */
		assert_int_equal(symbols_resolve(symbols, child.pid, child.add, &symbol), 0);
		assert_non_null(strstr("target_add target_alias", symbol.name));
		if (!i) {
			assert_named(child.pid, child.greet, "library_greet", 0);
			assert_non_null(strstr(symbol.file, "library.so"));
		} else { /* its address is that of a jump in the program, which has no name */
			assert_int_equal(symbols_resolve(symbols, child.pid, child.greet, &symbol),
					 0);
			assert_string_equal(symbol.name, "");
			assert_non_null(strstr(symbol.file, programs[i]));
		}

		assert_int_equal(symbols_find(symbols, child.pid, "target_add", found, 4), 1);
		assert_int_equal(found[0], child.add);
		assert_int_equal(symbols_find(symbols, child.pid, "target_alias", found, 4), 1);
		assert_int_equal(found[0], child.add);
		assert_int_equal(symbols_find(symbols, child.pid, "target_local", found, 4), 1);
		assert_int_equal(found[0], child.local);
		/* Both versions. */
		assert_int_equal(symbols_find(symbols, child.pid, "library_greet", found, 4), 2);
		assert_true(i || found[0] == child.greet);
		assert_named(child.pid, found[0], "library_greet", 0);
		assert_int_equal(symbols_find(symbols, child.pid, "library_greet", found, 0), 2);
		assert_int_equal(symbols_find(symbols, child.pid, "no_such", found, 4), -ENOENT);
		finish();
	}
}

static void a_file_without_symbols(void **state)
{
	(void)state;
	start(target_path("program_stripped"));
	assert_int_equal(symbols_resolve(symbols, child.pid, child.local, &symbol), 0);
	assert_string_equal(symbol.name, "");
	assert_non_null(strstr(symbol.file, "program_stripped"));
	assert_true(symbol.offset > 0x1000 && symbol.offset < 0x10000); /* in the file */
	assert_named(child.pid, child.greet, "library_greet", 0);
}

static void places_without_a_file(void **state)
{
	(void)state;
	start(target_path("program"));
	assert_int_equal(symbols_resolve(symbols, child.pid, child.vdso + 0x800, &symbol), 0);
	assert_string_equal(symbol.file, "[vdso]");
	assert_string_equal(symbol.name, "");
	assert_int_equal(symbol.offset, 0x800);
	assert_int_equal(symbols_resolve(symbols, child.pid, 0x10, &symbol), -ENOENT);
	assert_int_equal(symbols_resolve(symbols, child.pid, UINT64_MAX, &symbol), -ENOENT);
}

static void a_process_that_has_ended(void **state)
{
	unsigned long local;
	pid_t pid;

	(void)state;
	start(target_path("program"));
	pid = child.pid;
	local = child.local;
	assert_named(pid, local, "target_local", 0);
	finish();
	assert_named(pid, local + 1, "target_local", 1); /* is still known */
	processes_forget(processes, pid);
	assert_int_equal(symbols_resolve(symbols, pid, local, &symbol), -ESRCH);
	assert_int_equal(symbols_find(symbols, pid, "main", NULL, 0), -ESRCH);
}

static void a_file_that_was_deleted(void **state)
{
	char folder[64], command[512];

	(void)state;
	scratch_make(folder);
	snprintf(command, sizeof(command), "cp %s %s %s", target_path("program"),
		 target_path("library.so"), folder);
	assert_int_equal(system(command), 0);
	start(scratch_path(folder, "program"));
	unlink(scratch_path(folder, "program"));
	assert_int_equal(symbols_resolve(symbols, child.pid, child.local, &symbol), 0);
	if (geteuid() == 0) /* map_files is not for everybody */
		assert_string_equal(symbol.name, "target_local");
	assert_non_null(strstr(symbol.file, "(deleted)"));
	scratch_remove(folder);
}

static void more_processes_than_are_kept(void **state)
{
	int before = open_fds();
	size_t kernel, all;

	(void)state;
	for (int i = 0; i < 70; i++) {
		start(target_path("program"));
		assert_named(child.pid, child.local, "target_local", 0);
		finish();
	}
	assert_true(open_fds() - before <= 64);
	symbols_bytes(symbols, &kernel, &all);
	assert_int_equal(kernel, 0);
	assert_true(all < 1 << 20);
	symbols_close(symbols);
	processes_close(processes);
	symbols = NULL;
	processes = NULL;
	assert_int_equal(open_fds(), before);
}

static void names_of_the_kernel(void **state)
{
	struct timespec start_at, end;
	uint64_t found[2] = {0};
	size_t kernel, all;
	int err;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &start_at);
	err = symbols_find(symbols, SYMBOLS_KERNEL, "vfs_read", found, 2);
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (err == -EPERM)
		SKIP("the kernel hides its addresses");
	assert_int_equal(err, 1);
	assert_named(SYMBOLS_KERNEL, found[0], "vfs_read", 0);
	assert_named(SYMBOLS_KERNEL, found[0] + 5, "vfs_read", 5);
	assert_string_equal(symbol.file, "");
	assert_int_equal(symbols_resolve(symbols, SYMBOLS_KERNEL, 0x1000, &symbol), -ENOENT);
	assert_int_equal(symbols_find(symbols, SYMBOLS_KERNEL, "no_such", found, 2), -ENOENT);
	symbols_bytes(symbols, &kernel, &all);
	print_message("# %zu bytes, read in %.0f ms\n", kernel,
		      (end.tv_sec - start_at.tv_sec) * 1e3 +
			      (end.tv_nsec - start_at.tv_nsec) / 1e6);
	assert_true(kernel > 100000 && kernel < 16 << 20);
	symbols_forget_kernel(symbols);
	symbols_bytes(symbols, &kernel, &all);
	assert_int_equal(kernel, 0);
}

/* What is told of processes that nobody has seen: theirs are pids that cannot be. */
static void processes_that_are_told_of(void **state)
{
	const pid_t parent = (1 << 22) + 1, other = parent + 1;
	const char *path = target_path("program_fixed");
	uint64_t found[4] = {0}, at;
	struct process_mapping code = {.path = path};
	struct stat status;

	(void)state;
	assert_int_equal(stat(path, &status), 0);
	start(path);
	at = child.local;
	/* Its code as it is mapped, told of another. */
	assert_int_equal(symbols_find(symbols, child.pid, "target_local", found, 4), 1);
	finish();
	code.start = at & ~0xfffull;
	code.end = code.start + 0x1000;
	code.offset = code.start - 0x400000;
	code.inode = status.st_ino;
	assert_int_equal(symbols_resolve(symbols, parent, at, &symbol), -ESRCH);
	processes_executed(processes, parent);
	assert_int_equal(symbols_resolve(symbols, parent, at, &symbol), -ENOENT);
	processes_mapped(processes, parent, &code);
	assert_named(parent, at, "target_local", 0);
	assert_string_equal(symbol.file, path);

	processes_forked(processes, other, parent);
	assert_named(other, at + 2, "target_local", 2);
	processes_executed(processes, other);
	assert_int_equal(symbols_resolve(symbols, other, at, &symbol), -ENOENT);
	assert_named(parent, at, "target_local", 0);

	/* Something else takes its place; of a file that is not that one nothing is told. */
	code.inode++;
	processes_mapped(processes, parent, &code);
	assert_int_equal(symbols_resolve(symbols, parent, at, &symbol), 0);
	assert_string_equal(symbol.name, "");

	/* The same number, another process. */
	processes_forked(processes, parent, other);
	assert_int_equal(symbols_resolve(symbols, parent, at, &symbol), -ENOENT);

	/* Far more than are kept, each of them the child of the last. */
	code.inode--;
	processes_mapped(processes, other, &code);
	for (pid_t pid = other + 1; pid < other + 5000; pid++)
		processes_forked(processes, pid, pid - 1);
	assert_named(other + 4999, at, "target_local", 0);
	assert_int_equal(symbols_resolve(symbols, other, at, &symbol), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_of_a_process, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_without_symbols, setup, teardown),
		cmocka_unit_test_setup_teardown(places_without_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(a_process_that_has_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_that_was_deleted, setup, teardown),
		cmocka_unit_test_setup_teardown(more_processes_than_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(names_of_the_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(processes_that_are_told_of, setup, teardown),
	};

	return cmocka_run_group_tests_name("symbols", tests, NULL, NULL);
}
