// SPDX-License-Identifier: Apache-2.0
#include "script_options.h"

#include <errno.h>
#include <string.h>

bool script_allows(const struct script_options *options, const char *what)
{
	const char *word = options->allow;

	while (word && *word) {
		size_t length = strcspn(word, ",");

		if (length == strlen(what) && !strncmp(word, what, length))
			return true;
		word += length + (word[length] == ',');
	}
	return false;
}

int script_open_file(const struct script_options *options, const char *name, char *found,
		     size_t size)
{
	struct search_path beside = {.dirs = {(char *)options->folder}, .count = 1};
	int fd = -ENOENT;

	if (options->folder)
		fd = search_path_open(&beside, name, found, size);
	if (fd < 0)
		fd = search_path_open(&options->path, name, found, size);
	return fd;
}
