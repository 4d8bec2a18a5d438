// SPDX-License-Identifier: Apache-2.0
#include "targets.h"

#include "probe.h"
#include "schema.h"

#include <errno.h>
#include <string.h>

static int open_target(struct target **target, const struct search_path *path, const char *name,
		       const struct target_setting *setting, struct error *error)
{
	struct asset_bytes object;
	struct schema *schema;
	int err = probe_load_object(path, name, &object, error);

	if (err)
		return err;
	err = schema_open(&schema, name, object.bytes, object.size, error);
	if (!err) {
		err = schema->target ? target_open(target, schema->target, name, setting, error)
				     : error_set(error, -EINVAL,
						 "probe %s: nothing can follow its name", name);
		schema_close(schema);
	}
	asset_unload(&object);
	return err;
}

const struct target *targets_find(struct targets *targets, const struct search_path *path,
				  const char *name, const struct target_setting *setting,
				  struct error *error)
{
	for (int i = 0; i < targets->count; i++)
		if (!strcmp(targets->list[i]->name, name))
			return targets->list[i];
	if (targets->count == TARGETS) {
		error_set(error, -E2BIG, "more than %d generic probes in one script", TARGETS);
		return NULL;
	}
	if (open_target(&targets->list[targets->count], path, name, setting, error))
		return NULL;
	return targets->list[targets->count++];
}

void targets_close(struct targets *targets)
{
	for (int i = 0; i < targets->count; i++)
		target_close(targets->list[i]);
	targets->count = 0;
}
