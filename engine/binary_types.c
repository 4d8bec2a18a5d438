// SPDX-License-Identifier: Apache-2.0
#include "binary_types.h"

#include "binary.h"
#include "binary_functions.h"
#include "dwarf_btf.h"

#include <bpf/btf.h>
#include <dwarf.h>
#include <errno.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BTF_BYTES (64u << 20)
#define DWARF_BYTES (1ull << 30) /* unpacked; it is read into memory */
#define SEARCH_NS 5000000000
#define DEPTH_MOST 16 /* of namespaces */
#define CHAIN_MOST 64
#define NAME_MOST 4096

static bool is_alias(const struct btf_type *type)
{
	return btf_is_mod(type) || btf_is_typedef(type) || btf_is_type_tag(type);
}

/* How many numbers of types a type holds, and the i-th of them with its name. */
static unsigned int part_count(const struct btf_type *type)
{
	if (btf_is_composite(type) || btf_is_func_proto(type) || btf_is_datasec(type))
		return btf_vlen(type);
	return btf_is_array(type) ? 2 : 0;
}

static uint32_t part(const struct btf_type *type, unsigned int i, uint32_t *name)
{
	*name = 0;
	if (btf_is_composite(type)) {
		*name = btf_members(type)[i].name_off;
		return btf_members(type)[i].type;
	}
	if (btf_is_func_proto(type)) {
		*name = btf_params(type)[i].name_off;
		return btf_params(type)[i].type;
	}
	if (btf_is_datasec(type))
		return btf_var_secinfos(type)[i].type;
	return i ? btf_array(type)->index_type : btf_array(type)->type;
}

static bool refers(const struct btf_type *type)
{
	return is_alias(type) || btf_is_ptr(type) || btf_is_func(type) || btf_is_var(type) ||
	       btf_is_decl_tag(type) || btf_is_func_proto(type);
}

/* One that is longer is nobody's, and each of many would be read to its end again and again. */
static bool has_name(const struct btf *btf, uint32_t offset)
{
	const char *name = btf__name_by_offset(btf, offset);

	return name && strnlen(name, NAME_MOST) < NAME_MOST;
}

static bool values_have_names(const struct btf *btf, const struct btf_type *type)
{
	for (unsigned int i = 0; i < btf_vlen(type); i++)
		if (btf_is_enum(type) && !has_name(btf, btf_enum(type)[i].name_off))
			return false;
		else if (btf_is_enum64(type) && !has_name(btf, btf_enum64(type)[i].name_off))
			return false;
	return true;
}

static bool is_whole(const struct btf *btf, const struct btf_type *type)
{
	uint32_t count = btf__type_cnt(btf), name;

	if (!has_name(btf, type->name_off) || (refers(type) && type->type >= count))
		return false;
	for (unsigned int i = 0; i < part_count(type); i++)
		if (part(type, i, &name) >= count || !has_name(btf, name))
			return false;
	if (btf_is_any_enum(type) && !values_have_names(btf, type))
		return false;
	/* A function's type is a prototype, and nothing else may be. */
	return !btf_is_func(type) || btf_is_func_proto(btf__type_by_id(btf, type->type));
}

/* What typedefs and arrays end at; NULL when they do not. */
static const struct btf_type *end_of(const struct btf *btf, uint32_t id)
{
	for (int i = 0; i < CHAIN_MOST; i++) {
		const struct btf_type *type = btf__type_by_id(btf, id);

		if (btf_is_array(type))
			id = btf_array(type)->type;
		else if (is_alias(type))
			id = type->type;
		else
			return type;
	}
	return NULL;
}

/* Whether the search for a name ends that goes into members without one. `budget` also ends what
 * branches too much. */
static bool nameless_end(const struct btf *btf, const struct btf_type *type, int depth, int *budget)
{
	if (!btf_is_composite(type))
		return true;
	if (depth == DEPTH_MOST || --*budget < 0)
		return false;
	for (int i = 0; i < btf_vlen(type); i++) {
		const struct btf_member *member = &btf_members(type)[i];

		if (*btf__name_by_offset(btf, member->name_off))
			continue;
		if (!nameless_end(btf, end_of(btf, member->type), depth + 1, budget))
			return false;
	}
	return true;
}

int binary_types_check(const struct btf *btf)
{
	uint32_t count = btf__type_cnt(btf);

	for (uint32_t id = 1; id < count; id++)
		if (!is_whole(btf, btf__type_by_id(btf, id)))
			return -EINVAL;
	for (uint32_t id = 1; id < count; id++)
		if (!end_of(btf, id))
			return -EINVAL;
	for (uint32_t id = 1; id < count; id++) {
		int budget = 1000;

		if (!nameless_end(btf, btf__type_by_id(btf, id), 0, &budget))
			return -EINVAL;
	}
	return 0;
}

/* 0 when the section has it, -ENODATA when DWARF may. */
static int find_in_btf(const struct binary *binary, const char *name, struct binary_types *types,
		       struct error *error)
{
	uint64_t address;
	size_t bytes;
	const void *data = binary_section(binary, ".BTF", BTF_BYTES, &bytes, &address);

	if (!data || !bytes)
		return -ENODATA;
	types->btf = btf__new(data, bytes);
	if (!types->btf || binary_types_check(types->btf)) {
		binary_types_free(types);
		return error_set(error, -EINVAL, "%s: its .BTF section is broken", binary->path);
	}
	btf__set_pointer_size(types->btf, binary->word);
	types->function = btf__find_by_name_kind(types->btf, name, BTF_KIND_FUNC);
	if (types->function > 0)
		return 0;
	binary_types_free(types);
	return -ENODATA;
}

/* Before libdw unpacks it all: how much is it? */
static int check_sizes(const struct binary *binary, Elf *elf, bool *any, struct error *error)
{
	unsigned long long bytes = 0;
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return 0;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		GElf_Chdr packed;
		const char *name;

		if (!gelf_getshdr(section, &header))
			continue;
		name = elf_strptr(elf, names, header.sh_name);
		if (!name || header.sh_type == SHT_NOBITS)
			continue;
		if (!strncmp(name, ".zdebug", 7))
			return error_set(
				error, -EOPNOTSUPP,
				"%s: its debug information is packed in the old way "
				"(.zdebug); objcopy --decompress-debug-sections unpacks it",
				binary->path);
		if (strncmp(name, ".debug", 6))
			continue;
		*any = *any || !strcmp(name, ".debug_info");
		if (header.sh_flags & SHF_COMPRESSED && gelf_getchdr(section, &packed))
			header.sh_size = packed.ch_size;
		if (header.sh_size > DWARF_BYTES || (bytes += header.sh_size) > DWARF_BYTES)
			return error_set(error, -EFBIG,
					 "%s: more than %llu MiB of debug information",
					 binary->path, DWARF_BYTES >> 20);
	}
	return 0;
}

/* Unpacks it, as libdw would, and ends the strings: libdw 0.188 gives out one that has no end. The
 * memory is ours (elf_begin() with ELF_C_READ, never mapped). */
static int end_strings(const struct binary *binary, Elf *elf, struct error *error)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return 0;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		const char *name = NULL;
		Elf_Data *data;

		if (gelf_getshdr(section, &header))
			name = elf_strptr(elf, names, header.sh_name);
		if (!name || header.sh_type == SHT_NOBITS || strncmp(name, ".debug", 6))
			continue;
		if (header.sh_flags & SHF_COMPRESSED && elf_compress(section, 0, 0) < 0)
			return error_set(error, -EINVAL, "%s: %s cannot be unpacked", binary->path,
					 name);
		data = elf_rawdata(section, NULL);
		if (data && data->d_buf && data->d_size && strstr(name, "str"))
			((char *)data->d_buf)[data->d_size - 1] = 0;
	}
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

struct search {
	const char *name;
	bool has_address;
	uint64_t address, until_ns;
	unsigned int looked;
	bool inlined, late;
	Dwarf_Die found;
};

static bool is_named(Dwarf_Die *die, const char *name)
{
	static const unsigned int kinds[] = {DW_AT_linkage_name, DW_AT_MIPS_linkage_name,
					     DW_AT_name};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		Dwarf_Attribute attribute;
		const char *its_name = NULL;

		if (dwarf_attr_integrate(die, kinds[i], &attribute))
			its_name = dwarf_formstring(&attribute);
		if (its_name && !strcmp(its_name, name))
			return true;
	}
	return false;
}

/* Whether it is the function, with code of its own. */
static bool is_it(struct search *search, Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	Dwarf_Addr start;
	Dwarf_Word how;

	if (dwarf_entrypc(die, &start)) {
		if (dwarf_attr(die, DW_AT_inline, &attribute) &&
		    !dwarf_formudata(&attribute, &how) &&
		    (how == DW_INL_inlined || how == DW_INL_declared_inlined) &&
		    is_named(die, search->name))
			search->inlined = true;
		return false;
	}
	return search->has_address ? start == search->address : is_named(die, search->name);
}

/* True when found, or too late. */
static bool search_below(struct search *search, Dwarf_Die *parent, int depth)
{
	Dwarf_Die child;

	for (int end = dwarf_child(parent, &child); !end; end = dwarf_siblingof(&child, &child)) {
		if (++search->looked % 1024 == 0 && now_ns() > search->until_ns)
			return search->late = true;
		switch (dwarf_tag(&child)) {
		case DW_TAG_subprogram:
			if (!is_it(search, &child))
				break;
			search->found = child;
			return true;
		case DW_TAG_namespace:
		case DW_TAG_module:
		case DW_TAG_structure_type:
		case DW_TAG_class_type:
			if (depth < DEPTH_MOST && search_below(search, &child, depth + 1))
				return true;
			break;
		}
	}
	return false;
}

/* 0 and the function in search->found. */
static int search_all(struct search *search, Dwarf *dwarf)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Die die;
	uint8_t kind;

	search->until_ns = now_ns() + SEARCH_NS;
	while (!dwarf_get_units(dwarf, unit, &unit, NULL, &kind, &die, NULL)) {
		if (kind != DW_UT_compile)
			continue;
		/* -1: the unit does not say where its code is. */
		if (search->has_address && !dwarf_haspc(&die, search->address))
			continue;
		if (search_below(search, &die, 0))
			return search->late ? -ETIMEDOUT : 0;
	}
	return -ENOENT;
}

static int find_in_dwarf(const struct binary *binary, Elf *elf, struct search *search,
			 struct binary_types *types, struct error *error)
{
	Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	int err;

	if (!dwarf)
		return error_set(error, -EINVAL, "%s: its debug information cannot be read: %s",
				 binary->path, dwarf_errmsg(-1));
	err = search_all(search, dwarf);
	if (!err) {
		types->btf = dwarf_btf_make(&search->found, search->name, binary->word);
		types->function = 1;
		if (!types->btf || binary_types_check(types->btf))
			err = error_set(error, -EINVAL, "%s: its debug information of %s is broken",
					binary->path, search->name);
	} else if (err == -ETIMEDOUT) {
		error_set(error, err, "%s: its debug information is too large to find %s in",
			  binary->path, search->name);
	} else if (search->inlined && !search->has_address) {
		error_set(error, err, "%s has only inlined copies of %s: there is nothing to probe",
			  binary->path, search->name);
	} else if (search->has_address) {
		error_set(error, err,
			  "%s: its debug information does not have %s (assembler, or "
			  "compiled without -g)",
			  binary->path, search->name);
	}
	dwarf_end(dwarf);
	return err;
}

int binary_types_find(const struct binary *binary, const char *name, struct binary_types *types,
		      struct error *error)
{
	struct search search = {.name = name};
	struct error no_symbol = {""};
	bool any = false;
	uint64_t offset;
	int found, err;
	Elf *elf;

	memset(types, 0, sizeof(*types));
	found = binary_offset(binary, name, &offset, &no_symbol);
	if (found && found != -ENOENT)
		return error_set(error, found, "%s", no_symbol.text);
	/* What the compiler has made of a function for its own use: DWARF has the parameters as
	 * they were declared, but some are gone and the others in other registers. */
	if (strstr(name, ".isra.") || strstr(name, ".constprop.") || strstr(name, ".part.") ||
	    strstr(name, ".cold"))
		return error_set(error, -EOPNOTSUPP,
				 "%s: the compiler has changed the parameters of %s: they are not "
				 "known by name",
				 binary->path, name);
	search.has_address = !found && !binary_address_of(binary, offset, &search.address);
	if (search.has_address) {
		err = find_in_btf(binary, name, types, error);
		if (err != -ENODATA)
			return err;
	}
	/* Read anew, so that what libdw keeps of it goes with it. */
	elf = elf_begin(binary->fd, ELF_C_READ, NULL);
	if (!elf)
		return error_set(error, -EINVAL, "%s: %s", binary->path, elf_errmsg(-1));
	err = check_sizes(binary, elf, &any, error);
	if (!err && !any && !search.has_address)
		err = -ENOENT;
	else if (!err && !any)
		err = error_set(error, -ENODATA,
				"%s has no debug information (DWARF or .BTF): types of arguments "
				"are not known",
				binary->path);
	if (!err)
		err = end_strings(binary, elf, error);
	if (!err)
		err = find_in_dwarf(binary, elf, &search, types, error);
	elf_end(elf);
	if (err)
		binary_types_free(types);
	/* No symbol, and not even an inlined copy: the symbols' error names the nearest. */
	if (err == -ENOENT && !search.has_address && !search.inlined)
		error_set(error, err, "%s", no_symbol.text);
	return err;
}

void binary_types_free(struct binary_types *types)
{
	btf__free(types->btf);
	memset(types, 0, sizeof(*types));
}
