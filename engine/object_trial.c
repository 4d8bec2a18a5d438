// SPDX-License-Identifier: Apache-2.0
#include "object_trial.h"

#include "template.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS 20

__attribute__((format(printf, 2, 0))) static int say_nothing(enum libbpf_print_level level,
							     const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static void prepare_child(void)
{
	struct rlimit none = {0, 0};

	const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM};

	for (size_t i = 0; i < sizeof(crashes) / sizeof(*crashes); i++)
		signal(crashes[i], SIG_DFL);
	libbpf_set_print(say_nothing);
	setrlimit(RLIMIT_CORE, &none);
	alarm(SECONDS);
}

/* A child that cannot be made tells nothing: then it is tried without. */
static int outcome(pid_t child)
{
	int status;

	if (child < 0)
		return 0;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EBADMSG;
}

int object_trial_open(const void *bytes, size_t size)
{
	pid_t child = fork();

	if (child)
		return outcome(child);
	prepare_child();
	bpf_object__close(bpf_object__open_mem(bytes, size, NULL));
	_exit(0);
}

static void shrink_maps(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		if (bpf_map__type(map) != BPF_MAP_TYPE_RINGBUF &&
		    bpf_map__type(map) != BPF_MAP_TYPE_ARRAY_OF_MAPS &&
		    bpf_map__type(map) != BPF_MAP_TYPE_HASH_OF_MAPS)
			bpf_map__set_max_entries(map, 1);
	}
}

int object_trial_load(struct bpf_object *object)
{
	struct template *template;
	pid_t child = fork();

	if (child)
		return outcome(child);
	prepare_child();
	shrink_maps(object);
	if (!template_open(&template, object))
		template_close(template);
	_exit(0);
}
