// SPDX-License-Identifier: Apache-2.0
#include "argument_types.h"

#include <fnmatch.h>
#include <stddef.h>
#include <string.h>

/* The first line that fits. An event is matched as file names are; of a system call it is what is
 * behind sys_enter_. */
static const struct {
	const char *event, *field, *type;
} calls[] = {
	/* Files. */
	{"open", "flags", "flags_open"},
	{"openat", "flags", "flags_open"},
	{"open_by_handle_at", "flags", "flags_open"},
	{"open", "mode", "mode_octal"},
	{"openat", "mode", "mode_octal"},
	{"creat", "mode", "mode_octal"},
	{"mkdir*", "mode", "mode_octal"},
	{"mknod*", "mode", "mode_octal"},
	{"chmod", "mode", "mode_octal"},
	{"fchmod*", "mode", "mode_octal"},
	{"umask", "mask", "mode_octal"},
	{"mq_open", "oflag", "flags_open"},
	{"mq_open", "mode", "mode_octal"},
	{"pipe2", "flags", "flags_descriptor"},
	{"dup3", "flags", "flags_descriptor"},
	{"inotify_init1", "flags", "flags_descriptor"},
	{"eventfd2", "flags", "flags_descriptor"},
	{"timerfd_create", "flags", "flags_descriptor"},
	{"epoll_create1", "flags", "flags_descriptor"},
	{"signalfd4", "flags", "flags_descriptor"},
	{"access", "mode", "flags_access"},
	{"faccessat*", "mode", "flags_access"},
	{"faccessat2", "flags", "flags_at"},
	{"fchmodat2", "flags", "flags_at"},
	{"fchownat", "flag", "flags_at"},
	{"unlinkat", "flag", "flags_at"},
	{"newfstatat", "flag", "flags_at"},
	{"linkat", "flags", "flags_at"},
	{"execveat", "flags", "flags_at"},
	{"statx", "flags", "flags_at"},
	{"utimensat", "flags", "flags_at"},
	{"name_to_handle_at", "flag", "flags_at"},
	{"lseek", "whence", "name_whence"},
	{"fcntl", "cmd", "name_fcntl"},
	{"mount", "flags", "flags_mount"},
	{"umount", "flags", "flags_umount"},
	/* Memory. */
	{"mmap", "prot", "flags_prot"},
	{"mmap", "flags", "flags_mmap"},
	{"mprotect", "prot", "flags_prot"},
	{"pkey_mprotect", "prot", "flags_prot"},
	{"*madvise", "behavior", "name_advice"},
	/* Processes and signals. */
	{"clone", "clone_flags", "flags_clone"},
	{"unshare", "unshare_flags", "flags_clone"},
	{"setns", "flags", "flags_clone"},
	{"kill", "sig", "signal_number"},
	{"tkill", "sig", "signal_number"},
	{"tgkill", "sig", "signal_number"},
	{"rt_sigaction", "sig", "signal_number"},
	{"rt_*sigqueueinfo", "sig", "signal_number"},
	{"pidfd_send_signal", "sig", "signal_number"},
	{"futex", "op", "flags_futex"},
	/* Sockets. */
	{"socket*", "family", "name_family"},
	{"socket*", "type", "flags_socket"},
	{"accept4", "flags", "flags_descriptor"},
	{"send*", "flags", "flags_message"},
	{"recv*", "flags", "flags_message"},
	{"epoll_ctl", "op", "name_epoll"},
};

/* Other tracepoints. */
static const struct {
	const char *category, *field, *type;
} others[] = {
	{"signal", "sig", "signal_number"},
	{"signal", "errno", "error_number"},
};

const char *argument_type(const char *category, const char *event, const char *field,
			  const char *type)
{
	static const char enter[] = "sys_enter_";
	bool is_call = !strcmp(category, "syscalls");

	if (is_call && !strcmp(field, "__syscall_nr"))
		return "syscall_number";
	if (is_call && !strncmp(event, "sys_exit_", 9) && !strcmp(field, "ret"))
		return "syscall_result";
	if (is_call && !strncmp(event, enter, sizeof(enter) - 1)) {
		event += sizeof(enter) - 1;
		for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
			if (!strcmp(calls[i].field, field) && !fnmatch(calls[i].event, event, 0))
				return calls[i].type;
	}
	for (size_t i = 0; !is_call && i < sizeof(others) / sizeof(*others); i++)
		if (!strcmp(others[i].category, category) && !strcmp(others[i].field, field))
			return others[i].type;
	/* The kernel's own dev_t; what programs hand over is packed in another way. */
	return !is_call && !strcmp(type, "dev_t") ? "device_number" : NULL;
}

bool argument_is_bits(const char *type)
{
	return !strncmp(type, "flags_", 6) || !strcmp(type, "mode_octal");
}
