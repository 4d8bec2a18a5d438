// SPDX-License-Identifier: Apache-2.0
/* moonprobe new: starts a script, its test, and what an editor needs. */
#include "command_line.h"
#include "stubs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME_BYTES 64

/* What is made of a template, in the order of writing. */
struct product {
	const char *template, *format; /* of the file's name */
	bool shared;		       /* by all scripts of the folder: one that is there stays */
};

static const struct product products[] = {
	{"templates/script.lua", "%s.lua", false},
	{"templates/test.lua", "%s_test.lua", false},
	{"templates/luarc.json", ".luarc.json", true},
	{"templates/luacheckrc", ".luacheckrc", true},
};

#define COUNT (sizeof(products) / sizeof(*products))

static void file_of(const struct product *product, const char *name, char *file, size_t size)
{
	const char *end = strstr(product->format, "%s");

	snprintf(file, size, "%s%s", end ? name : "", end ? end + 2 : product->format);
}

/* "NAME.lua" is meant as NAME. 0 or -errno with the reason. */
static int read_name(const char *word, char *name, struct error *error)
{
	size_t length = strlen(word);

	if (length > 4 && !strcmp(word + length - 4, ".lua"))
		length -= 4;
	if (!length || length >= NAME_BYTES || !isalpha((unsigned char)*word))
		return error_set(error, -EINVAL,
				 "new '%s': a name starts with a letter and has at most %d", word,
				 NAME_BYTES - 1);
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)word[i]) && word[i] != '_' && word[i] != '-')
			return error_set(error, -EINVAL,
					 "new '%s': a name has letters, digits, _ and -; the "
					 "files go into this folder",
					 word);
	snprintf(name, NAME_BYTES, "%.*s", (int)length, word);
	return 0;
}

/* The template's text with NAME replaced. The licence in its first line is ours, not that of
 * the user's script. */
static void fill(FILE *out, const char *text, const char *end, const char *name)
{
	if (end - text > 8 && !memcmp(text, "-- SPDX-", 8)) {
		const char *line = memchr(text, '\n', end - text);

		text = line ? line + 1 : end;
	}
	while (text < end) {
		const char *word = memmem(text, end - text, "NAME", 4);

		fwrite(text, 1, (word ? word : end) - text, out);
		if (word)
			fputs(name, out);
		text = word ? word + 4 : end;
	}
}

static int write_product(const struct search_path *path, const struct product *product,
			 const char *name, struct error *error)
{
	struct asset_bytes text;
	char file[NAME_BYTES + 16];
	FILE *out;
	int err = asset_load(path, product->template, &text), fd;

	if (err)
		return error_set(error, err, "%s: %s", product->template, strerror(-err));
	file_of(product, name, file, sizeof(file));
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST && product->shared) {
		printf("kept %s, which was there\n", file);
		goto done;
	}
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out) {
		err = error_set(error, -errno, "%s: %s", file, strerror(errno));
		if (fd >= 0)
			close(fd);
		goto done;
	}
	fill(out, (const char *)text.bytes, (const char *)text.bytes + text.size, name);
	if (fclose(out))
		err = error_set(error, -errno, "%s: %s", file, strerror(errno));
	else
		printf("wrote %s\n", file);
done:
	asset_unload(&text);
	return err;
}

/* Looks before anything is written. */
static int check_free(const char *name, struct error *error)
{
	for (size_t i = 0; i < COUNT; i++) {
		char file[NAME_BYTES + 16];

		file_of(&products[i], name, file, sizeof(file));
		if (!products[i].shared && !faccessat(AT_FDCWD, file, F_OK, AT_SYMLINK_NOFOLLOW))
			return error_set(error, -EEXIST,
					 "new: %s is there already; nothing was written", file);
	}
	return 0;
}

static int start_script(const struct search_path *path, const char *name)
{
	struct error error;
	int err = check_free(name, &error), stubs = 0;

	if (err) {
		error_print("%s", error.text);
		return STATUS_USAGE;
	}
	for (size_t i = 0; i < COUNT && !err; i++)
		err = write_product(path, &products[i], name, &error);
	if (!err)
		err = stubs = stubs_write(path, STUBS_FOLDER, &error);
	if (err < 0) {
		error_print("%s", error.text);
		return STATUS_FAILED;
	}
	printf("wrote " STUBS_FOLDER "/, %d files for editors\n"
	       "\nNext:\n"
	       "  moonprobe check %s.lua            finds mistakes; needs no root\n"
	       "  moonprobe test %s_test.lua        runs its test; needs no root\n"
	       "  sudo moonprobe run -w %s.lua      runs it; saved changes take effect at once\n"
	       "  moonprobe list                    what else can be probed\n",
	       stubs, name, name, name);
	return STATUS_OK;
}

static int new_main(struct command_line *line)
{
	char name[NAME_BYTES];

	if (line->argc != 1)
		return options_mistake(line, line->argc ? "one name at a time" : "no name given");
	if (read_name(*line->argv, name, &line->error)) {
		error_print("%s", line->error.text);
		return STATUS_USAGE;
	}
	return start_script(&line->script.path, name);
}

const struct subcommand new_subcommand = {
	.name = "new",
	.summary = "start a script, its test and its editor settings",
	.operands = "NAME",
	.options = {&option_folder, &option_help},
	.about = "Starts a script in this folder. Writes\n"
		 "\n"
		 "  NAME.lua           a small script that works: options, columns, a probe\n"
		 "  NAME_test.lua      its test\n"
		 "  .luarc.json        settings of lua-language-server\n"
		 "  .luacheckrc        settings of luacheck\n"
		 "  " STUBS_FOLDER "/        what they know the API by: as by moonprobe types\n"
		 "\n"
		 "A script or test that is there is never overwritten; settings that are there "
		 "stay.",
	.more = "  moonprobe new slow_opens",
	.main = new_main,
};
