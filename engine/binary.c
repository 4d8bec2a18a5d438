// SPDX-License-Identifier: Apache-2.0
#include "binary.h"

#include "nearest.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <gelf.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* More than the largest browser has. A file that says more is not believed. */
#define SEGMENTS_MOST 256
#define TABLE_BYTES (512u << 20)
#define NAME_BYTES 4096 /* fnmatch() of several * takes very long on very long names */
#define NEAREST_NS 60000000
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
	int rank = (int)strspn(symbol->name, "_");

	rank += symbol->binding == STB_GLOBAL ? 0 : symbol->binding == STB_WEAK ? 100 : 200;
	return rank + (symbol->old ? 1000 : 0);
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
		    !segment_at(binary, raw.st_value, false, true))
			continue;
		symbol.name = names.text + raw.st_name;
		symbol.plain = strcspn(symbol.name, "@");
		symbol.address = raw.st_value;
		symbol.sized = raw.st_size;
		symbol.bytes = raw.st_size ? raw.st_size
					   : rest_of_section(binary, raw.st_shndx, raw.st_value);
		symbol.binding = GELF_ST_BIND(raw.st_info);
		symbol.indirect = type == STT_GNU_IFUNC;
		symbol.old = symbol.name[symbol.plain] && symbol.name[symbol.plain + 1] != '@';
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

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static bool is_named(const struct binary_symbol *symbol, const char *name)
{
	return !strncmp(symbol->name, name, symbol->plain) && !name[symbol->plain];
}

struct search {
	const char *name;
	struct binary_symbol best; /* address 0 and no name: none */
	int rank;
	int equals; /* others at another address that are as good */
	struct nearest nearest;
	unsigned int offered;
	uint64_t until_ns; /* for the nearest */
};

static int seek(void *data, const struct binary_symbol *symbol)
{
	struct search *search = data;

	if (!is_named(symbol, search->name))
		return 0;
	if (search->best.name && symbol->rank == search->rank &&
	    symbol->address != search->best.address)
		search->equals++;
	if (!search->best.name || symbol->rank < search->rank) {
		search->best = *symbol;
		search->rank = symbol->rank;
		search->equals = 0;
	}
	return 0;
}

static int offer(void *data, const struct binary_symbol *symbol)
{
	struct search *search = data;
	char name[NEAREST_NAME];

	if (symbol->plain >= sizeof(name))
		return 0;
	memcpy(name, symbol->name, symbol->plain);
	name[symbol->plain] = 0;
	if (!strchr(name, '.'))
		nearest_offer(&search->nearest, name);
	return ++search->offered % 256 == 0 && now_ns() > search->until_ns;
}

static int not_found(const struct binary *binary, const char *what, const char *name,
		     struct error *error)
{
	struct search search = {0};
	const char *nearest;
	char plain[NEAREST_NAME];
	size_t length = 0;

	for (const char *at = name; *at && length < sizeof(plain) - 1; at++)
		if (!strchr("*?[]", *at))
			plain[length++] = *at;
	plain[length] = 0;
	nearest_start(&search.nearest, plain);
	search.until_ns = now_ns() + NEAREST_NS;
	binary_each_symbol(binary, offer, &search);
	nearest = nearest_name(&search.nearest);
	if (!search.offered)
		return error_set(error, -ENOENT, "%s has no symbols (stripped?): no %s %s",
				 binary->path, what, name);
	return error_set(error, -ENOENT, "%s has no %s %s%s%s%s", binary->path, what, name,
			 *nearest ? "; did you mean " : "", nearest, *nearest ? "?" : "");
}

static int read_number(const char *text, uint64_t *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*number = strtoull(text, &end, 0);
	return *end || errno ? -EINVAL : 0;
}

static int offset_of_name(const struct binary *binary, const char *name, uint64_t into,
			  uint64_t *offset, struct error *error)
{
	struct search search = {.name = name};

	binary_each_symbol(binary, seek, &search);
	if (!search.best.name)
		return not_found(binary, "function", name, error);
	if (search.equals)
		return error_set(error, -ENOTUNIQ,
				 "%s has %d functions %s; say which by its address (nm)",
				 binary->path, search.equals + 1, name);
	if (search.best.indirect)
		return error_set(error, -EOPNOTSUPP,
				 "%s: %s is only called to choose the function for this processor "
				 "(IFUNC); name one of its kinds",
				 binary->path, name);
	if (into && into >= search.best.bytes)
		return error_set(error, -ERANGE, "%s: %s has only %llu bytes", binary->path, name,
				 (unsigned long long)search.best.bytes);
	if (binary_offset_of(binary, search.best.address + into, offset))
		return error_set(error, -ERANGE, "%s: %s+0x%llx is not in the file", binary->path,
				 name, (unsigned long long)into);
	return 0;
}

int binary_offset(const struct binary *binary, const char *place, uint64_t *offset,
		  struct error *error)
{
	const char *plus = strchr(place, '+');
	uint64_t into = 0;
	char name[1024];
	int err;

	if (*place >= '0' && *place <= '9') {
		const struct binary_segment *segment;

		if (read_number(place, &into))
			return error_set(error, -EINVAL, "'%s' is no address", place);
		segment = segment_at(binary, into, false, true);
		if (!segment)
			return error_set(error, -ERANGE, "%s has no code at %s", binary->path,
					 place);
		*offset = into - segment->address + segment->offset;
		return 0;
	}
	if (plus && read_number(plus + 1, &into))
		return error_set(error, -EINVAL, "'%s': after + there must be a number", place);
	if (!*place || plus == place ||
	    (plus ? (size_t)(plus - place) : strlen(place)) >= sizeof(name))
		return error_set(error, -EINVAL, "'%s' is no name of a function", place);
	snprintf(name, sizeof(name), "%.*s", (int)(plus ? plus - place : (long)strlen(place)),
		 place);
	err = offset_of_name(binary, name, into, offset, error);
	return err;
}

/* What matches, before each is there once. Names are offsets: the text moves as it grows. */
struct match {
	size_t name;
	uint64_t address, bytes;
	int rank;
};

struct matches {
	const char *pattern;
	bool pieces;
	struct match *list;
	size_t count, room;
	char *text;
	size_t text_bytes, text_room;
	char *name; /* scratch, 0-terminated */
	size_t name_room;
};

static int grow(void **memory, size_t *room, size_t wanted, size_t each)
{
	size_t larger = *room ? *room : 64;
	void *moved;

	if (wanted <= *room)
		return 0;
	while (larger < wanted)
		larger *= 2;
	moved = realloc(*memory, larger * each);
	if (!moved)
		return -ENOMEM;
	*memory = moved;
	*room = larger;
	return 0;
}

static int take(void *data, const struct binary_symbol *symbol)
{
	struct matches *matches = data;
	size_t bytes = symbol->plain + 1;

	if (symbol->indirect || bytes > NAME_BYTES)
		return 0;
	if (grow((void **)&matches->name, &matches->name_room, bytes, 1))
		return -ENOMEM;
	memcpy(matches->name, symbol->name, symbol->plain);
	matches->name[symbol->plain] = 0;
	if (fnmatch(matches->pattern, matches->name, 0))
		return 0;
	if (!matches->pieces && (strstr(matches->name, ".cold") || strstr(matches->name, ".part.")))
		return 0;
	if (grow((void **)&matches->list, &matches->room, matches->count + 1,
		 sizeof(*matches->list)) ||
	    grow((void **)&matches->text, &matches->text_room, matches->text_bytes + bytes, 1))
		return -ENOMEM;
	memcpy(matches->text + matches->text_bytes, matches->name, bytes);
	matches->list[matches->count++] =
		(struct match){matches->text_bytes, symbol->address, symbol->bytes, symbol->rank};
	matches->text_bytes += bytes;
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct match *left = a, *right = b;

	if (left->address != right->address)
		return left->address < right->address ? -1 : 1;
	if (left->rank != right->rank)
		return left->rank - right->rank;
	return left->name < right->name ? -1 : left->name > right->name;
}

int binary_match(const struct binary *binary, const char *pattern,
		 struct binary_functions *functions, struct error *error)
{
	struct matches matches = {.pattern = pattern, .pieces = strchr(pattern, '.')};
	int err;

	memset(functions, 0, sizeof(*functions));
	err = binary_each_symbol(binary, take, &matches);
	if (!err && !matches.count)
		err = not_found(binary, "function that matches", pattern, error);
	else if (err)
		error_set(error, err, "%s: out of memory", binary->path);
	functions->text = matches.text;
	if (!err) {
		functions->list = calloc(matches.count, sizeof(*functions->list));
		if (!functions->list)
			err = error_set(error, -ENOMEM, "%s: out of memory", binary->path);
	}
	if (!err)
		qsort(matches.list, matches.count, sizeof(*matches.list), by_address);
	for (size_t i = 0; !err && i < matches.count; i++) {
		const struct match *match = &matches.list[i];
		struct binary_function *function = &functions->list[functions->count];

		if (i && match[-1].address == match->address)
			continue;
		if (binary_offset_of(binary, match->address, &function->offset))
			continue;
		function->name = functions->text + match->name;
		function->address = match->address;
		function->bytes = match->bytes;
		functions->count++;
	}
	free(matches.list);
	free(matches.name);
	if (err)
		binary_functions_free(functions);
	return err;
}

void binary_functions_free(struct binary_functions *functions)
{
	free(functions->list);
	free(functions->text);
	memset(functions, 0, sizeof(*functions));
}
