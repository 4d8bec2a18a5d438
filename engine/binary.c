// SPDX-License-Identifier: Apache-2.0
#include "binary.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More than the largest browser has. A file that says more is not believed. */
#define SEGMENTS_MOST 256
#define TABLE_BYTES (512u << 20)
#define NAME_MOST 4096	      /* of a symbol's; what goes on is cut off */
#define VERSION_HIDDEN 0x8000 /* of .gnu.version; VERSYM_HIDDEN in the linker's sources */

static int open_path(const char *path, int pid)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	char root[32];
	int fd, root_fd;

	if (!pid) {
		fd = open(path, O_PATH | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	snprintf(root, sizeof(root), "/proc/%d/root", pid);
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -errno;
	fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	fd = fd < 0 ? -errno : fd;
	close(root_fd);
	return fd;
}

static int read_segments(struct binary *binary)
{
	size_t count = 0;

	if (elf_getphdrnum(binary->elf, &count) || count > SEGMENTS_MOST)
		return -ENOEXEC;
	binary->segments = calloc(count + 1, sizeof(*binary->segments));
	if (!binary->segments)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(binary->elf, (int)i, &header) || header.p_type != PT_LOAD)
			continue;
		/* Neither sum may wrap around. */
		if (header.p_filesz > INT64_MAX || header.p_offset > INT64_MAX ||
		    header.p_vaddr + header.p_filesz < header.p_vaddr)
			continue;
		binary->segments[binary->segment_count++] = (struct binary_segment){
			header.p_vaddr, header.p_offset, header.p_filesz, header.p_flags & PF_X};
	}
	return 0;
}

int binary_open_at(struct binary **out, int fd, const char *path, struct error *error)
{
	struct binary *binary = calloc(1, sizeof(*binary));
	GElf_Ehdr header;
	char link[32];
	int err = 0;

	if (!binary)
		return error_set(error, -ENOMEM, "%s: out of memory", path);
	binary->fd = -1;
	binary->path = strdup(path);
	if (!binary->path || fstat(fd, &binary->status)) {
		err = error_set(error, -errno, "%s: %s", path, strerror(errno));
		goto fail;
	}
	/* Looked at before it is opened: to open a device may do something. */
	if (!S_ISREG(binary->status.st_mode)) {
		err = error_set(error, -ENOEXEC, "%s is not a regular file", path);
		goto fail;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	binary->fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (binary->fd < 0) {
		err = error_set(error, -errno, "%s: %s", path, strerror(errno));
		goto fail;
	}
	elf_version(EV_CURRENT);
	binary->elf = elf_begin(binary->fd, ELF_C_READ, NULL);
	if (!binary->elf || elf_kind(binary->elf) != ELF_K_ELF ||
	    !gelf_getehdr(binary->elf, &header) ||
	    (header.e_type != ET_EXEC && header.e_type != ET_DYN)) {
		err = error_set(error, -ENOEXEC, "%s is not an ELF program or library", path);
		goto fail;
	}
	binary->machine = header.e_machine;
	binary->word = gelf_getclass(binary->elf) == ELFCLASS64 ? 8 : 4;
	err = read_segments(binary);
	if (err) {
		error_set(error, err, "%s: its program headers cannot be read", path);
		goto fail;
	}
	*out = binary;
	return 0;
fail:
	binary_close(binary);
	return err;
}

int binary_open(struct binary **binary, const char *path, int pid, struct error *error)
{
	int fd = open_path(path, pid), err;

	if (fd < 0 && pid)
		return error_set(error, fd, "%s, as process %d sees it: %s", path, pid,
				 strerror(-fd));
	if (fd < 0)
		return error_set(error, fd, "%s: %s", path, strerror(-fd));
	err = binary_open_at(binary, fd, path, error);
	close(fd);
	return err;
}

void binary_close(struct binary *binary)
{
	if (!binary)
		return;
	elf_end(binary->elf);
	if (binary->fd >= 0)
		close(binary->fd);
	free(binary->segments);
	free(binary->path);
	free(binary);
}

static const struct binary_segment *segment_at(const struct binary *binary, uint64_t at,
					       bool by_offset, bool executable)
{
	for (size_t i = 0; i < binary->segment_count; i++) {
		const struct binary_segment *segment = &binary->segments[i];
		uint64_t start = by_offset ? segment->offset : segment->address;

		if ((segment->executable || !executable) && at >= start &&
		    at - start < segment->bytes)
			return segment;
	}
	return NULL;
}

const struct binary_segment *binary_code_at(const struct binary *binary, uint64_t address)
{
	return segment_at(binary, address, false, true);
}

int binary_offset_of(const struct binary *binary, uint64_t address, uint64_t *offset)
{
	const struct binary_segment *segment = segment_at(binary, address, false, false);

	if (!segment)
		return -ENOENT;
	*offset = address - segment->address + segment->offset;
	return 0;
}

int binary_address_of(const struct binary *binary, uint64_t offset, uint64_t *address)
{
	const struct binary_segment *segment = segment_at(binary, offset, true, true);

	if (!segment)
		segment = segment_at(binary, offset, true, false);
	if (!segment)
		return -ENOENT;
	*address = offset - segment->offset + segment->address;
	return 0;
}

/* The bytes of a section; NULL when they are not there, not plain, or too many. */
static Elf_Data *section_data(Elf_Scn *section, GElf_Shdr *header, size_t most)
{
	if (!section || !gelf_getshdr(section, header) || header->sh_type == SHT_NOBITS ||
	    header->sh_flags & SHF_COMPRESSED || header->sh_size > most)
		return NULL;
	return elf_getdata(section, NULL);
}

const void *binary_section(const struct binary *binary, const char *name, size_t most,
			   size_t *bytes, uint64_t *address)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(binary->elf, &names))
		return NULL;
	while ((section = elf_nextscn(binary->elf, section))) {
		const char *its_name;
		GElf_Shdr header;
		Elf_Data *data;

		if (!gelf_getshdr(section, &header))
			continue;
		its_name = elf_strptr(binary->elf, names, header.sh_name);
		if (!its_name || strcmp(its_name, name))
			continue;
		*address = header.sh_addr;
		data = section_data(section, &header, most);
		*bytes = data ? data->d_size : 0;
		return data ? data->d_buf : NULL;
	}
	return NULL;
}

/* Names of symbols, which all end inside. */
struct names {
	const char *text;
	size_t bytes;
};

static struct names names_of(const struct binary *binary, size_t section)
{
	struct names names = {NULL, 0};
	GElf_Shdr header;
	Elf_Data *data;

	data = section_data(elf_getscn(binary->elf, section), &header, TABLE_BYTES);
	if (!data || header.sh_type != SHT_STRTAB || !data->d_buf)
		return names;
	names.text = data->d_buf;
	names.bytes = data->d_size;
	while (names.bytes && names.text[names.bytes - 1])
		names.bytes--;
	return names;
}

/* A better one to show, or to mean, than the other: new before old, public before private, then
 * the one with less underscores before it (open, not __open64). */
static int rank(const struct binary_symbol *symbol)
{
	int rank = 0;

	while (rank < 64 && symbol->name[rank] == '_')
		rank++;
	rank += symbol->binding == STB_GLOBAL ? 0 : symbol->binding == STB_WEAK ? 100 : 200;
	return rank + (symbol->old ? 1000 : 0);
}

/* Of a name, before the version. Only its start is looked at: in a file made for it each of
 * millions of names goes on to the end of the table. */
static size_t plain_of(const char *name)
{
	size_t bytes = strnlen(name, NAME_MOST);
	const char *version = memchr(name, '@', bytes);

	return version ? (size_t)(version - name) : bytes;
}

/* Bytes from an address up to the end of its section. Assembler code may have no sizes. */
static uint64_t rest_of_section(const struct binary *binary, size_t section, uint64_t address)
{
	GElf_Shdr header;

	if (!gelf_getshdr(elf_getscn(binary->elf, section), &header) || address < header.sh_addr ||
	    address - header.sh_addr >= header.sh_size)
		return 0;
	return header.sh_size - (address - header.sh_addr);
}

static int each_of(const struct binary *binary, Elf_Scn *section, Elf_Data *versions,
		   int (*visit)(void *data, const struct binary_symbol *symbol), void *data)
{
	GElf_Shdr header;
	Elf_Data *table = section_data(section, &header, TABLE_BYTES);
	size_t size = gelf_fsize(binary->elf, ELF_T_SYM, 1, EV_CURRENT);
	struct names names;

	if (!table || !table->d_buf || !size)
		return 0;
	names = names_of(binary, header.sh_link);
	for (size_t i = 1; i < table->d_size / size && i < INT32_MAX; i++) {
		struct binary_symbol symbol;
		GElf_Versym version;
		GElf_Sym raw;
		int type, err;

		if (!gelf_getsym(table, (int)i, &raw) || raw.st_shndx == SHN_UNDEF)
			continue;
		type = GELF_ST_TYPE(raw.st_info);
		if (type != STT_FUNC && type != STT_GNU_IFUNC)
			continue;
		if (raw.st_name >= names.bytes || !names.text[raw.st_name] ||
		    !binary_code_at(binary, raw.st_value))
			continue;
		symbol.name = names.text + raw.st_name;
		symbol.plain = plain_of(symbol.name);
		symbol.address = raw.st_value;
		symbol.sized = raw.st_size;
		symbol.bytes = raw.st_size ? raw.st_size
					   : rest_of_section(binary, raw.st_shndx, raw.st_value);
		symbol.binding = GELF_ST_BIND(raw.st_info);
		symbol.indirect = type == STT_GNU_IFUNC;
		symbol.old =
			symbol.name[symbol.plain] == '@' && symbol.name[symbol.plain + 1] != '@';
		if (versions && gelf_getversym(versions, (int)i, &version))
			symbol.old = version & VERSION_HIDDEN;
		symbol.rank = rank(&symbol);
		err = visit(data, &symbol);
		if (err)
			return err;
	}
	return 0;
}

int binary_each_symbol(const struct binary *binary,
		       int (*visit)(void *data, const struct binary_symbol *symbol), void *data)
{
	Elf_Scn *section = NULL, *symbols = NULL, *dynamic = NULL;
	Elf_Data *versions = NULL;
	GElf_Shdr header;
	int err;

	while ((section = elf_nextscn(binary->elf, section))) {
		if (!gelf_getshdr(section, &header))
			continue;
		if (header.sh_type == SHT_SYMTAB && !symbols)
			symbols = section;
		if (header.sh_type == SHT_DYNSYM && !dynamic)
			dynamic = section;
		if (header.sh_type == SHT_GNU_versym && !versions)
			versions = section_data(section, &header, TABLE_BYTES);
	}
	err = symbols ? each_of(binary, symbols, NULL, visit, data) : 0;
	if (!err && dynamic)
		err = each_of(binary, dynamic, versions, visit, data);
	return err;
}
