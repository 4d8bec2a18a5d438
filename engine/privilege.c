// SPDX-License-Identifier: Apache-2.0
#include "privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534

static int capabilities(struct __user_cap_data_struct data[2], int call)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(call, &header, data) ? -errno : 0;
}

bool privilege_has(int capability)
{
	struct __user_cap_data_struct data[2] = {0};

	if (capabilities(data, SYS_capget))
		return false;
	return data[capability / 32].effective & (1u << (capability % 32));
}

int privilege_check(struct error *error)
{
	bool admin = privilege_has(CAP_SYS_ADMIN);
	bool bpf = admin || privilege_has(CAP_BPF);
	bool perfmon = admin || privilege_has(CAP_PERFMON);

	if (bpf && perfmon)
		return 0;
	return error_set(error, -EPERM,
			 "no privilege to trace: %s%s%s missing; run it as root, or with these",
			 bpf ? "" : "CAP_BPF", !bpf && !perfmon ? " and " : "",
			 perfmon ? "" : "CAP_PERFMON");
}

int privilege_drop(void)
{
	struct __user_cap_data_struct none[2] = {0};

	if (geteuid() == 0) {
		if (setgroups(0, NULL) && errno != EPERM)
			return -errno;
		if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
			return -errno;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (capabilities(none, SYS_capset))
		return -errno;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	/* After the change of user, which clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return -errno;
	return 0;
}
