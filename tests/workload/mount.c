// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In a mount namespace of its own, in which nothing is shared: nobody else sees any of it, and it
 * is gone with this process. That it is made costs the one mount of "/". */
static void hide(void)
{
	if (unshare(CLONE_NEWNS))
		die("unshare");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("mount /");
}

static void run(char **arguments)
{
	const char *target = arguments[1];

	hide();
	for (long i = number(arguments[0]); i > 0; i--)
		if (mount("moonprobe", target, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k") ||
		    umount2(target, MNT_DETACH))
			die("mount");
}

static void run_missing(char **arguments)
{
	hide();
	for (long i = number(arguments[0]); i > 0; i--)
		if (!mount("moonprobe", "/nonexistent/moonprobe", "tmpfs", MS_RDONLY, NULL))
			die("mount");
}

/* The same in single steps. */
static void run_steps(char **arguments)
{
	const char *target = arguments[1];

	hide();
	for (long i = number(arguments[0]); i > 0; i--) {
		int made, opened = syscall(SYS_fsopen, "tmpfs", 1); /* FSOPEN_CLOEXEC */

		if (opened < 0)
			die("fsopen");
		if (syscall(SYS_fsconfig, opened, 1, "size", "64k", 0) || /* FSCONFIG_SET_STRING */
		    syscall(SYS_fsconfig, opened, 6, NULL, NULL, 0))	  /* FSCONFIG_CMD_CREATE */
			die("fsconfig");
		made = syscall(SYS_fsmount, opened, 1, 2); /* FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID */
		if (made < 0)
			die("fsmount");
		if (syscall(SYS_move_mount, made, "", AT_FDCWD, target, 4)) /* .._F_EMPTY_PATH */
			die("move_mount");
		close(made); /* or it is busy */
		close(opened);
		if (umount2(target, 0))
			die("umount2");
	}
}

WORKLOADS({"mount", 2, "N PATH", "N times mount of a tmpfs, and umount2", run},
	  {"mount-missing", 1, "N", "N mounts at a path that is not there", run_missing},
	  {"mount-steps", 2, "N PATH", "the same in single steps: fsopen to move_mount",
	   run_steps});
