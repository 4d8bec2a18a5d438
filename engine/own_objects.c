// SPDX-License-Identifier: Apache-2.0
#include "own_objects.h"

#include "order.h"
#include "version.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_MAPS 120 /* of all objects: descriptors of the worker's */

bool own_objects_uses(const struct version *version, const struct object *object)
{
	for (int i = 0; version && i < version->own.count; i++)
		if (version->own.all[i].object == object)
			return true;
	return false;
}

static struct object *find(const struct version *version, const struct object_set *set,
			   const struct object_wish *wish)
{
	for (size_t i = 0; i < sizeof(set->objects) / sizeof(*set->objects); i++) {
		struct object *object = set->objects[i];

		if (object && object_serves(object, wish) && !own_objects_uses(version, object))
			return object;
	}
	return NULL;
}

static struct object **room_in(struct object_set *set)
{
	for (size_t i = 0; i < sizeof(set->objects) / sizeof(*set->objects); i++)
		if (!set->objects[i])
			return &set->objects[i];
	return NULL;
}

int own_objects_find(struct version *version, struct object_set *set, struct error *error)
{
	struct own_objects *own = &version->own;
	int maps = 0, err = 0;

	for (int i = 0; i < own->count && !err; i++) {
		const struct object_wish *wish = &own->all[i].wish;
		struct object *object = find(version, set, wish);
		struct object **room = room_in(set);

		own->all[i].kept = object;
		if (!object && !room)
			return error_set(error, -E2BIG, "object %s: too many objects", wish->name);
		if (!object) {
			err = object_open(room, wish, error);
			object = *room;
		}
		if (err)
			break;
		own->all[i].object = object;
		for (int map = 0; object_map(object, map); map++)
			maps++;
		if (maps > MOST_MAPS)
			return error_set(error, -E2BIG, "more than %d maps in one script's objects",
					 MOST_MAPS);
		err = order_maps(version, i);
		if (err)
			error_set(error, err, "its worker does not listen: %s", strerror(-err));
	}
	return err;
}

int own_objects_attach(const struct version *version, struct error *error)
{
	int err = 0;

	for (int i = 0; i < version->own.count && !err; i++)
		err = object_attach(version->own.all[i].object, error);
	return err;
}

void own_objects_close(struct own_objects *own)
{
	for (int i = 0; i < OWN_OBJECTS; i++)
		object_wish_clear(&own->all[i].wish);
	for (int i = 0; i < own->file_count; i++)
		object_wish_clear(&own->files[i]);
	for (int i = 0; i < own->found_count; i++)
		close(own->found[i]);
	free(own->files);
}

/* The set. */

void object_set_detach(struct object_set *set, const struct version *but_of)
{
	for (size_t i = 0; i < sizeof(set->objects) / sizeof(*set->objects); i++)
		if (set->objects[i] && !own_objects_uses(but_of, set->objects[i]))
			object_detach(set->objects[i]);
}

void object_set_release(struct object_set *set, const struct version *const versions[], int count)
{
	for (size_t i = 0; i < sizeof(set->objects) / sizeof(*set->objects); i++) {
		bool used = false;

		for (int v = 0; v < count; v++)
			used |= own_objects_uses(versions[v], set->objects[i]);
		if (set->objects[i] && !used) {
			object_close(set->objects[i]);
			set->objects[i] = NULL;
		}
	}
}

void object_set_close(struct object_set *set)
{
	object_set_release(set, NULL, 0);
}
