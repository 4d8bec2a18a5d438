// SPDX-License-Identifier: Apache-2.0
/* The probes a program's author has put into it: FILE:PROVIDER:NAME, or FILE:NAME of any provider;
 * wildcards in both. The file as in target_user_function.c. */
#include "functions.h"
#include "target.h"
#include "usdt.h"
#include "usdt_code.h"

#include <errno.h>
#include <stdio.h>

static int add_sites(struct target *target, const struct usdt_sites *sites, struct error *error)
{
	for (size_t i = 0; i < sites->count; i++) {
		const struct usdt_site *site = &sites->list[i];
		struct target_place *place;
		char name[256];

		snprintf(name, sizeof(name), "%s:%s", site->provider, site->name);
		place = target_add_place(target, name, target->file);
		if (!place)
			return error_set(error, -ENOMEM, "no memory");
		place->offset = site->offset;
		place->semaphore = site->semaphore;
	}
	return 0;
}

static int make_code(struct target *target, const struct usdt_sites *sites, struct error *error)
{
	struct bpf_insn *code;
	int count = usdt_code_make(&code, sites->list, (int)sites->count);

	if (count < 0)
		return error_set(error, count, "%s",
				 count == -E2BIG ? "its sites differ too much; name fewer"
						 : "no memory");
	target->slots = code;
	target->slots_count = count;
	return 0;
}

static int open(struct target *target, const struct target_setting *setting, struct error *error)
{
	struct usdt_sites sites = {0};
	struct error why;
	const char *text;
	int err = target_open_binary(target, setting, &text, error);

	if (err)
		return err;
	target->types.user = target->types.is_raw = true;
	target->is_wildcard = functions_is_wildcard(text);
	snprintf(target->types.name, sizeof(target->types.name), "%s", text);
	err = usdt_find(target->binary, text, &sites, &why);
	if (!err)
		err = add_sites(target, &sites, &why);
	if (!err)
		err = make_code(target, &sites, &why);
	usdt_sites_free(&sites);
	typed_source_of_call(&target->types);
	return err ? error_set(error, err, "probe %s: %s", target->name, why.text) : 0;
}

const struct target_kind target_usdt = {"usdt", open};
