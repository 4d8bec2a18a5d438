// SPDX-License-Identifier: Apache-2.0
/* moonprobe: chooses the subcommand, or becomes a worker. */
#include "command_line.h"
#include "nearest.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct subcommand *const subcommands[] = {
	&run_subcommand,     &serve_subcommand,	 &list_subcommand,   &check_subcommand,
	&explain_subcommand, &record_subcommand, &replay_subcommand, &show_subcommand,
	&test_subcommand,    &new_subcommand,	 &types_subcommand,  &doctor_subcommand,
};

#define COUNT (sizeof(subcommands) / sizeof(*subcommands))

static void usage(FILE *out)
{
	fprintf(out, "usage: moonprobe COMMAND [options]\n\n");
	for (size_t i = 0; i < COUNT; i++)
		fprintf(out, "  %-8s %s\n", subcommands[i]->name, subcommands[i]->summary);
	fprintf(out, "\nmoonprobe COMMAND --help tells more. First steps:\n"
		     "  moonprobe list\n"
		     "  sudo moonprobe run execsnoop\n");
}

/* Descriptors 0 to 2 are somebody's; a closed one would become one of ours. */
static void open_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* What was printed has to arrive; only a reader that is done (`| head`) may leave. */
static int finish_output(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	if (errno == EPIPE)
		return status;
	error_print("stdout: %s", strerror(errno));
	return status ? status : STATUS_FAILED;
}

int main(int argc, char **argv)
{
	struct nearest near;

	open_standard_files();

	if (argc < 2) {
		usage(stderr);
		return STATUS_USAGE;
	}
	if (!strcmp(argv[1], WORKER_NAME))
		return worker_main();
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
		usage(stdout);
		return STATUS_OK;
	}
	if (!strcmp(argv[1], "-V") || !strcmp(argv[1], "--version")) {
		printf("moonprobe " VERSION "\n");
		return STATUS_OK;
	}
	nearest_start(&near, argv[1]);
	for (size_t i = 0; i < COUNT; i++) {
		if (!strcmp(argv[1], subcommands[i]->name))
			return finish_output(subcommand_run(subcommands[i], argc - 1, argv + 1));
		nearest_offer(&near, subcommands[i]->name);
	}
	error_print("no command named '%s'%s%s%s; moonprobe --help lists all", argv[1],
		    *nearest_name(&near) ? "; did you mean '" : "", nearest_name(&near),
		    *nearest_name(&near) ? "'" : "");
	return STATUS_USAGE;
}
