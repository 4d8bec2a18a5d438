// SPDX-License-Identifier: Apache-2.0
#include "file_request.h"

#include "error.h"
#include "golden.h"
#include "message.h"
#include "order.h"
#include "version.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A descriptor below zero: there is no such file, or it is not to be had. */
static void answer(struct version *version, const char *kind, int fd, const char *found)
{
	if (fd >= 0)
		version->events->used_file(version, found);
	order_file(version, kind, fd, found);
	if (fd >= 0)
		close(fd);
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && !strcmp(text + length - tail, end);
}

/* asset NAME -> asset PATH + fd, or asset "" when only the embedded one exists */
bool file_request_asset(struct version *version, struct message *message)
{
	char found[4096];
	const char *name;
	int fd;

	if (!message_next_text(message, &name))
		return false;
	if (!ends_with(name, ".lua") && !ends_with(name, ".bpf.o") && !ends_with(name, ".h"))
		return false;
	fd = search_path_open(&version->options->path, name, found, sizeof(found));
	answer(version, "asset", fd, found);
	return true;
}

static void answer_user_file(struct version *version, const char *kind, const char *name)
{
	char found[4096];
	int fd = script_open_file(version->options, name, found, sizeof(found));

	answer(version, kind, fd, found);
}

/* module NAME.lua -> the user's module */
bool file_request_module(struct version *version, struct message *message)
{
	const char *name;

	if (!message_next_text(message, &name) || !ends_with(name, ".lua"))
		return false;
	answer_user_file(version, "module", name);
	return true;
}

/* recording NAME.rec -> what a test replays, beside it or on the search path */
bool file_request_recording(struct version *version, struct message *message)
{
	const char *name;

	if (!version->options->test || !message_next_text(message, &name) ||
	    !ends_with(name, ".rec"))
		return false;
	answer_user_file(version, "recording", name);
	return true;
}

/* golden -> golden PATH + fd, or golden "": the texts a test expects; golden + fd writes them first
 */
bool file_request_golden(struct version *version, struct message *message)
{
	const struct script_options *options = version->options;
	int text = message_take_fd(message, 0), fd = -EACCES;
	char found[4096];

	if (options->test && options->file && text < 0) {
		fd = golden_open(options->file, found, sizeof(found));
	} else if (options->update && options->file) {
		fd = golden_write(options->file, text, found, sizeof(found));
		if (fd < 0)
			error_print("%s: %s", found, strerror(-fd));
	}
	if (text >= 0)
		close(text);
	answer(version, "golden", fd, found);
	return options->test;
}
