// SPDX-License-Identifier: Apache-2.0
#include "binary.h"

#include "binary_functions.h"
#include "test.h"

#include <elf.h>
#include <errno.h>
#include <sys/wait.h>

static struct error error;

static void as_a_process_sees_it(void **state)
{
	struct binary *binary, *other;

	(void)state;
	/* A link of the kernel's that leaves the root: not followed. */
	assert_int_equal(binary_open(&other, "/proc/self/exe", getpid(), &error), -EXDEV);
	assert_int_equal(binary_open(&binary, "/bin/sh", getpid(), &error), 0);
	assert_int_equal(binary_open(&other, "/bin/../../../bin/sh", getpid(), &error), 0);
	assert_int_equal(binary->status.st_ino, other->status.st_ino);
	binary_close(binary);
	binary_close(other);
	assert_int_equal(binary_open(&other, "/bin/none", getpid(), &error), -ENOENT);
	assert_non_null(strstr(error.text, "as process"));
}

/* In a container, links lead where they lead there. */
static void in_a_container(void **state)
{
	char folder[64], copy[3 * PATH_MAX], byte;
	struct binary *inside;
	int ready[2], end[2];
	uint64_t offset;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		SKIP("only root has containers");
	scratch_make(folder);
	mkdir(scratch_path(folder, "lib"), 0755);
	snprintf(copy, sizeof(copy), "cp %s %s", target_path("library.so"),
		 scratch_path(folder, "lib/it.so"));
	assert_int_equal(system(copy), 0);
	assert_int_equal(symlink("/lib/it.so", scratch_path(folder, "way")), 0);
	assert_int_equal(symlink("/../../../bin/sh", scratch_path(folder, "out")), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC) | pipe2(end, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		close(end[1]);
		if (!chroot(folder))
			write(ready[1], "", 1);
		_exit(read(end[0], &byte, 1) != 0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(binary_open(&inside, "/way", pid, &error), 0);
	assert_int_equal(binary_offset(inside, "library_greet", &offset, &error), 0);
	binary_close(inside);
	assert_int_equal(binary_open(&inside, "/out", pid, &error), -ENOENT);
	close(end[1]);
	close(end[0]);
	close(ready[0]);
	waitpid(pid, NULL, 0);
	assert_int_equal(binary_open(&inside, "/way", pid, &error), -ENOENT); /* it has ended */
	scratch_remove(folder);
}

static void only_elf_files(void **state)
{
	int before = open_fds();
	struct binary *other;
	char folder[64];

	(void)state;
	scratch_make(folder);
	scratch_write(folder, "text", "#!/bin/sh\n");
	scratch_write(folder, "empty", "");
	scratch_write(folder, "magic", "\177ELF");
	assert_int_equal(mkfifo(scratch_path(folder, "pipe"), 0644), 0);
	assert_int_equal(binary_open(&other, scratch_path(folder, "text"), 0, &error), -ENOEXEC);
	assert_int_equal(binary_open(&other, scratch_path(folder, "empty"), 0, &error), -ENOEXEC);
	assert_int_equal(binary_open(&other, scratch_path(folder, "magic"), 0, &error), -ENOEXEC);
	assert_int_equal(binary_open(&other, scratch_path(folder, "pipe"), 0, &error), -ENOEXEC);
	assert_int_equal(binary_open(&other, folder, 0, &error), -ENOEXEC);
	assert_int_equal(binary_open(&other, "/dev/null", 0, &error), -ENOEXEC);
	assert_int_equal(binary_open(&other, scratch_path(folder, "none"), 0, &error), -ENOENT);
	scratch_remove(folder);
	assert_int_equal(open_fds(), before);
}

/* Everything that is asked of a file, of one that is broken. Nothing may crash or hang. */
static void ask_all(const char *path)
{
	struct binary_functions functions;
	struct binary *broken;
	uint64_t place;

	if (binary_open(&broken, path, 0, &error))
		return;
	binary_offset(broken, "target_add", &place, &error);
	binary_offset(broken, "0x1234", &place, &error);
	binary_address_of(broken, 0x1234, &place);
	if (!binary_match(broken, "*", &functions, &error))
		for (size_t i = 0; i < functions.count; i++)
			assert_true(strlen(functions.list[i].name) > 0);
	binary_functions_free(&functions);
	binary_close(broken);
}

static void broken_files(void **state)
{
	static unsigned char good[1 << 20], bad[1 << 20];
	unsigned int random = 1;
	char folder[64];
	ssize_t size;
	int fd;

	(void)state;
	scratch_make(folder);
	fd = open(target_path("program"), O_RDONLY | O_CLOEXEC);
	size = read(fd, good, sizeof(good));
	close(fd);
	assert_true(size > 1000 && size < (ssize_t)sizeof(good));
	for (int round = 0; round < 400; round++) {
		ssize_t bytes = size;

		memcpy(bad, good, size);
		for (int i = 0; i < 1 + round % 20; i++) {
			static const unsigned char likely[] = {0, 1, 0x7f, 0x80, 0xff};
			Elf64_Ehdr head;
			size_t at;

			random = random * 1103515245 + 12345;
			memcpy(&head, good, sizeof(head));
			/* The headers, the tables of sections and segments, or anywhere. */
			at = (random >> 8) % 3 == 0   ? (random >> 12) % sizeof(head)
			     : (random >> 8) % 3 == 1 ? head.e_shoff + (random >> 12) % 2500
						      : (random >> 10) % size;
			if (at < (size_t)size)
				bad[at] = random & 0x40 ? likely[(random >> 16) % 5] : random >> 16;
		}
		if (round % 10 == 9)
			bytes = (random >> 8) % size;
		fd = open(scratch_path(folder, "bad"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			  0644);
		assert_int_equal(write(fd, bad, bytes), bytes);
		close(fd);
		ask_all(scratch_path(folder, "bad"));
	}
	scratch_remove(folder);
}

static int look_at_name(void *data, const struct binary_symbol *symbol)
{
	size_t *plain = data;

	*plain = symbol->plain;
	assert_false(symbol->old);
	return 0;
}

/* Of a file whose symbols all go on to the end of the table, only the start is looked at. */
static void names_without_end(void **state)
{
	static struct {
		Elf64_Ehdr head;
		Elf64_Phdr code;
		Elf64_Shdr sections[3];
		Elf64_Sym symbols[2];
		char names[20000];
	} file = {
		.head = {.e_ident = "\177ELF\2\1\1",
			 .e_type = ET_DYN,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_phoff = offsetof(typeof(file), code),
			 .e_shoff = offsetof(typeof(file), sections),
			 .e_ehsize = sizeof(Elf64_Ehdr),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 1,
			 .e_shentsize = sizeof(Elf64_Shdr),
			 .e_shnum = 3,
			 .e_shstrndx = 2},
		.code = {.p_type = PT_LOAD, .p_flags = PF_X, .p_filesz = sizeof(file)},
		.sections[1] = {.sh_type = SHT_SYMTAB,
				.sh_link = 2,
				.sh_offset = offsetof(typeof(file), symbols),
				.sh_size = sizeof(file.symbols),
				.sh_entsize = sizeof(Elf64_Sym)},
		.sections[2] = {.sh_type = SHT_STRTAB,
				.sh_offset = offsetof(typeof(file), names),
				.sh_size = sizeof(file.names)},
		.symbols[1] = {.st_name = 1, .st_info = STT_FUNC, .st_shndx = 1, .st_value = 64},
	};
	struct binary *other;
	char folder[64];
	size_t plain = 0;
	int fd;

	(void)state;
	memset(file.names + 1, 'a', sizeof(file.names) - 2);
	scratch_make(folder);
	fd = open(scratch_path(folder, "long"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, &file, sizeof(file)), sizeof(file));
	close(fd);
	assert_int_equal(binary_open(&other, scratch_path(folder, "long"), 0, &error), 0);
	assert_int_equal(binary_each_symbol(other, look_at_name, &plain), 0);
	assert_int_equal(plain, 4096);
	binary_close(other);
	scratch_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_a_process_sees_it), cmocka_unit_test(in_a_container),
		cmocka_unit_test(only_elf_files),	cmocka_unit_test(broken_files),
		cmocka_unit_test(names_without_end),
	};

	return cmocka_run_group_tests_name("binary", tests, NULL, NULL);
}
