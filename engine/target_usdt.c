// SPDX-License-Identifier: Apache-2.0
/* The probes a program's author has put into it: FILE:PROVIDER:NAME, or FILE:NAME of any provider;
 * wildcards in both. The file as in target_user_function.c. */
#include "functions.h"
#include "target.h"
#include "usdt.h"
#include "usdt_code.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

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

/* A site's that are not understood are none. */
static int most_arguments(const struct usdt_sites *sites)
{
	int most = 0;

	for (size_t i = 0; i < sites->count; i++) {
		int count = sites->list[i].argument_count;

		most = count > most ? count : most;
	}
	return most;
}

/* One for who reads the first six only, which costs nothing more and goes with more kinds of sites,
 * and one for the others; without it they are refused (add_roots()). */
static int make_code(struct target *target, const struct usdt_sites *sites, int most,
		     struct error *error)
{
	int count = (int)sites->count;
	int made = usdt_code_make(&target->slots, sites->list, count, TYPED_ARGS);

	target->slots_count = made;
	target->types.raw_arguments = TYPED_ARGS;
	if (made >= 0 && most > TYPED_ARGS) {
		made = usdt_code_make(&target->more_slots, sites->list, count, most);
		if (made >= 0) {
			target->more_slots_count = made;
			target->types.raw_arguments = most;
		} else if (made == -E2BIG) {
			made = 0;
		}
	}
	if (made >= 0)
		return 0;
	return error_set(error, made, "%s",
			 made == -E2BIG ? "its sites differ too much; name fewer" : "no memory");
}

/* arg6 and so on. They are no members of the event, as they would take room in each of them. */
static int add_roots(struct target *target, int most, struct error *error)
{
	struct typed_source *types = &target->types;

	types->roots = calloc(USDT_ARGUMENTS, sizeof(*types->roots));
	if (!types->roots)
		return error_set(error, -ENOMEM, "no memory");
	for (int slot = TYPED_ARGS; slot < most; slot++) {
		struct typed_root *root = &types->roots[types->root_count];
		char *name;

		if (asprintf(&name, "arg%d", slot) < 0)
			return error_set(error, -ENOMEM, "no memory");
		*root = (struct typed_root){.name = name, .slot = slot};
		if (!target->more_slots)
			root->refused = "cannot be read, its sites differ too much; name fewer";
		types->root_count++;
	}
	return 0;
}

static int open(struct target *target, const struct target_setting *setting, struct error *error)
{
	struct usdt_sites sites = {0};
	struct error why;
	const char *text;
	int most, err = target_open_binary(target, setting, &text, error);

	if (err)
		return err;
	target->types.user = target->types.is_raw = true;
	target->is_wildcard = functions_is_wildcard(text);
	snprintf(target->types.name, sizeof(target->types.name), "%s", text);
	err = usdt_find(target->binary, text, &sites, &why);
	most = most_arguments(&sites);
	if (!err)
		err = add_sites(target, &sites, &why);
	if (!err)
		err = make_code(target, &sites, most, &why);
	if (!err)
		err = add_roots(target, most, &why);
	usdt_sites_free(&sites);
	return err ? error_set(error, err, "probe %s: %s", target->name, why.text) : 0;
}

const struct target_kind target_usdt = {"usdt", open};
