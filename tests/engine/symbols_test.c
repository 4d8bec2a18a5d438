// SPDX-License-Identifier: Apache-2.0
#include "symbols.h"

#include "symbol_table.h"
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

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
	return symbols_open(&symbols);
}

static int teardown(void **state)
{
	(void)state;
	finish();
	symbols_close(symbols);
	symbols = NULL;
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
	symbols_forget(symbols, pid);
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
	symbols = NULL;
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
	symbols_forget(symbols, SYMBOLS_KERNEL);
	symbols_bytes(symbols, &kernel, &all);
	assert_int_equal(kernel, 0);
}

static void add(struct symbol_table *table, uint64_t address, uint64_t bytes, int rank,
		const char *name)
{
	assert_int_equal(
		symbol_table_add(table, address, bytes, rank < 200, rank, name, strlen(name), ""),
		0);
}

static const char *name_at(const struct symbol_table *table, uint64_t address)
{
	const struct symbol_entry *entry = symbol_table_at(table, address);
	const char *module;

	return entry ? symbol_table_name(table, entry, &module) : "";
}

static void a_table(void **state)
{
	struct symbol_table table = {0};

	(void)state;
	assert_null(symbol_table_at(&table, 0));
	add(&table, 300, 1000, 250, "open_ended");
	add(&table, 500, 0, 0, "empty");
	add(&table, 600, 10, 0, "after");
	add(&table, 100, 50, 200, "local");
	add(&table, 100, 50, 0, "global");
	add(&table, 100, 50, 200, "local"); /* as .dynsym has it again */
	add(&table, 110, 10, 0, "inner");
	add(&table, UINT64_MAX, 10, 0, "last");
	assert_int_equal(symbol_table_finish(&table), 0);
	assert_int_equal(table.count, 7);
	assert_string_equal(name_at(&table, 99), "");
	assert_string_equal(name_at(&table, 100), "global");
	assert_string_equal(name_at(&table, 109), "global");
	assert_string_equal(name_at(&table, 110), "inner");
	assert_string_equal(name_at(&table, 125), "global"); /* behind the inner one */
	assert_string_equal(name_at(&table, 150), "");
	assert_string_equal(name_at(&table, 300), "open_ended");
	assert_string_equal(name_at(&table, 499), "open_ended");
	assert_string_equal(name_at(&table, 500), "");
	assert_string_equal(name_at(&table, 550), ""); /* not of one that ends at the next */
	assert_string_equal(name_at(&table, 600), "after");
	assert_string_equal(name_at(&table, UINT64_MAX), "last");
	assert_non_null(symbol_table_find(&table, NULL, "local"));
	assert_null(symbol_table_find(&table, symbol_table_find(&table, NULL, "local"), "local"));
	symbol_table_clear(&table);
}

/* What is told of processes that nobody has seen: theirs are pids that cannot be. */
static void processes_that_are_told_of(void **state)
{
	const pid_t parent = (1 << 22) + 1, other = parent + 1;
	const char *path = target_path("program_fixed");
	uint64_t found[4] = {0}, at;
	struct symbols_mapping code = {.path = path};
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
	symbols_executed(symbols, parent);
	assert_int_equal(symbols_resolve(symbols, parent, at, &symbol), -ENOENT);
	symbols_mapped(symbols, parent, &code);
	assert_named(parent, at, "target_local", 0);
	assert_string_equal(symbol.file, path);

	symbols_forked(symbols, other, parent);
	assert_named(other, at + 2, "target_local", 2);
	symbols_executed(symbols, other);
	assert_int_equal(symbols_resolve(symbols, other, at, &symbol), -ENOENT);
	assert_named(parent, at, "target_local", 0);

	/* Something else takes its place; of a file that is not that one nothing is told. */
	code.inode++;
	symbols_mapped(symbols, parent, &code);
	assert_int_equal(symbols_resolve(symbols, parent, at, &symbol), 0);
	assert_string_equal(symbol.name, "");

	/* The same number, another process. */
	symbols_forked(symbols, parent, other);
	assert_int_equal(symbols_resolve(symbols, parent, at, &symbol), -ENOENT);

	/* Far more than are kept, each of them the child of the last. */
	code.inode--;
	symbols_mapped(symbols, other, &code);
	for (pid_t pid = other + 1; pid < other + 5000; pid++)
		symbols_forked(symbols, pid, pid - 1);
	assert_named(other + 4999, at, "target_local", 0);
	assert_int_equal(symbols_resolve(symbols, other, at, &symbol), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table),
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
