// SPDX-License-Identifier: Apache-2.0
#include "object_request.h"

#include "message.h"
#include "object_trial.h"
#include "order.h"
#include "version.h"

#include <errno.h>
#include <linux/bpf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_FILE_BYTES (64 << 20)
#define MOST_ENTRY_BYTES (16 << 20)

static int read_file(int fd, struct object_wish *file)
{
	struct stat status;
	size_t at = 0;

	if (fstat(fd, &status) || !S_ISREG(status.st_mode))
		return -EINVAL;
	if (status.st_size > MOST_FILE_BYTES)
		return -EFBIG;
	file->bytes = malloc(status.st_size + 1);
	if (!file->bytes)
		return -ENOMEM;
	while (at < (size_t)status.st_size) {
		ssize_t got = pread(fd, file->bytes + at, status.st_size - at, at);

		if (got <= 0)
			return -EIO; /* it changes: it is read again then */
		at += got;
	}
	file->size = at;
	return 0;
}

static struct object_wish *add_file(struct own_objects *own)
{
	struct object_wish *files;

	if (own->file_count == OWN_OBJECTS)
		return NULL;
	files = reallocarray(own->files, own->file_count + 1, sizeof(*files));
	if (!files)
		return NULL;
	own->files = files;
	memset(&files[own->file_count], 0, sizeof(*files));
	return &files[own->file_count++];
}

static const char *why_not(int err)
{
	switch (err) {
	case -ENOENT:
		return "not beside the script or on the search path (-I)";
	case -EMFILE:
		return "more than 16 objects in one script";
	case -EBADMSG:
		return "is damaged: libbpf fails over it; build it again";
	case -EINVAL:
		return "a path from the script's folder to a regular file is needed";
	default:
		return strerror(-err);
	}
}

/* object NAME -> object PATH + fd, or object WHY */
bool object_request_object(struct version *version, struct message *message)
{
	struct object_wish *file;
	char found[4096] = "";
	const char *name;
	int fd, err;

	if (version->ready || !script_allows(version->options, "object") ||
	    !message_next_text(message, &name) || strlen(name) >= sizeof(file->name))
		return false;
	file = add_file(&version->own);
	fd = file ? script_open_file(version->options, name, found, sizeof(found)) : -EMFILE;
	err = fd < 0 ? fd : read_file(fd, file);
	if (!err)
		err = object_trial_open(file->bytes, file->size);
	if (!err)
		snprintf(file->name, sizeof(file->name), "%s", name);
	if (fd >= 0) {
		version->events->used_file(version, found);
		close(fd);
	}
	order_object(version, err ? NULL : file, err ? why_not(err) : found);
	return true;
}

/* A message has no room for more than some thousands. */
static struct object_option *add_option(struct object_wish *wish)
{
	struct object_option *options =
		reallocarray(wish->options, wish->option_count + 1, sizeof(*options));

	if (!options)
		return NULL;
	wish->options = options;
	memset(&options[wish->option_count], 0, sizeof(*options));
	return &options[wish->option_count++];
}

static unsigned char *copy_of(const char *bytes, size_t size)
{
	unsigned char *copy = malloc(size + 1);

	if (copy)
		memcpy(copy, bytes, size);
	return copy;
}

static bool parse_option(struct message *message, struct object_wish *wish)
{
	struct object_option *option = add_option(wish);
	const char *what, *bytes;

	if (!option || !message_next_text(message, &what))
		return false;
	if (!strcmp(what, "detached")) {
		option->kind = OBJECT_DETACHED;
		return true;
	}
	if (!message_copy_text(message, option->name, sizeof(option->name)))
		return false;
	if (!strcmp(what, "attach")) {
		option->kind = OBJECT_ATTACH;
		return true;
	}
	if (!strcmp(what, "entries")) {
		option->kind = OBJECT_ENTRIES;
		return message_next_number(message, &option->number) && option->number >= 1 &&
		       option->number <= UINT32_MAX && option->number == floor(option->number);
	}
	option->kind = OBJECT_RODATA;
	if (strcmp(what, "rodata") || !message_next_string(message, &bytes, &option->size))
		return false;
	option->bytes = copy_of(bytes, option->size);
	return option->bytes;
}

/* load NAME (attach PROGRAM | detached | rodata NAME BYTES | entries MAP N)*: of a file it got */
bool object_request_load(struct version *version, struct message *message)
{
	struct own_objects *own = &version->own;
	struct object_wish *wish;
	const char *name;

	if (version->ready || own->count == OWN_OBJECTS || !message_next_text(message, &name))
		return false;
	wish = &own->all[own->count].wish;
	for (int i = 0; i < own->file_count && !wish->bytes; i++)
		if (own->files[i].bytes && !strcmp(own->files[i].name, name)) {
			snprintf(wish->name, sizeof(wish->name), "%s", name);
			wish->bytes = own->files[i].bytes;
			wish->size = own->files[i].size;
			own->files[i].bytes = NULL;
		}
	if (!wish->bytes)
		return false;
	own->count++;
	while (!message_at_end(message))
		if (!parse_option(message, wish))
			return false;
	return true;
}

static struct object_entry *add_entry(struct object_wish *wish)
{
	struct object_entry *entries =
		reallocarray(wish->entries, wish->entry_count + 1, sizeof(*entries));

	if (!entries)
		return NULL;
	wish->entries = entries;
	memset(&entries[wish->entry_count], 0, sizeof(*entries));
	return &entries[wish->entry_count++];
}

static bool parse_entry(struct own_objects *own, struct message *message)
{
	struct object_entry *entry = add_entry(&own->all[own->count - 1].wish);
	const char *key, *value;
	double flags;

	if (!entry || !message_copy_text(message, entry->map, sizeof(entry->map)) ||
	    !message_next_string(message, &key, &entry->key_bytes) ||
	    !message_next_string(message, &value, &entry->value_bytes) ||
	    !message_next_number(message, &flags) || !(flags >= 0 && flags <= BPF_EXIST))
		return false;
	own->entry_bytes += entry->key_bytes + entry->value_bytes + sizeof(*entry);
	entry->flags = (__u64)flags;
	entry->bytes = malloc(entry->key_bytes + entry->value_bytes + 1);
	if (!entry->bytes || own->entry_bytes > MOST_ENTRY_BYTES)
		return false;
	memcpy(entry->bytes, key, entry->key_bytes);
	memcpy(entry->bytes + entry->key_bytes, value, entry->value_bytes);
	return true;
}

/* entry (MAP KEY VALUE FLAGS)*: the object loaded last has them from the start */
bool object_request_entry(struct version *version, struct message *message)
{
	if (version->ready || !version->own.count)
		return false;
	while (!message_at_end(message))
		if (!parse_entry(&version->own, message))
			return false;
	return true;
}
