/* SPDX-License-Identifier: Apache-2.0 */
/* Own objects: the BPF objects of the user's that a script declares, and maps that are there.
 *
 *   worker --object_request.h--> wish --own_objects_find()--> object of the set
 *          <--order_maps()-- maps <--------------------------------'
 *
 * The set is the script's, so objects outlive versions: one that asks for the same bytes with the
 * same options gets the same object. */
#ifndef MOONPROBE_OWN_OBJECTS_H
#define MOONPROBE_OWN_OBJECTS_H

#include "error.h"
#include "object.h"

#include <stdbool.h>

#define OWN_OBJECTS 16

struct version;

/* All of a script. */
struct object_set {
	struct object *objects[OWN_OBJECTS * 3]; /* of three versions; NULL: room for one */
};

/* What one version wants, and has. */
struct own_objects {
	struct {
		struct object_wish wish;
		struct object *object; /* NULL: not yet */
		bool kept;	       /* another version had it already */
	} all[OWN_OBJECTS];
	int count;
	struct object_wish *files; /* read, not asked for yet: names and bytes */
	int file_count;
	int found[OWN_OBJECTS * 4]; /* maps that were there, by the order they were asked for */
	int found_count;
	size_t entry_bytes;
};

/* Finds or loads what it wants; nothing is attached. Then tells the worker. */
int own_objects_find(struct version *version, struct object_set *set, struct error *error);

int own_objects_attach(const struct version *version, struct error *error);
bool own_objects_uses(const struct version *version, const struct object *object);
void own_objects_close(struct own_objects *own);

void object_set_detach(struct object_set *set, const struct version *but_of); /* NULL: all */
/* Closes those that none of the versions uses; some may be NULL. */
void object_set_release(struct object_set *set, const struct version *const versions[], int count);
void object_set_close(struct object_set *set);

#endif
