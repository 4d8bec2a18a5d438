// SPDX-License-Identifier: Apache-2.0
#include "child.h"

#include "file_limit.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
	struct loop *loop;
	const struct child_events *events;
	void *owner;
	pid_t pid; /* 0: reaped */
	struct loop_source socket, end;
	bool killed;
	bool delivering, closed; /* closed while its message was being handled */
	struct message message;
};

/* Between fork and exec: only the socket, stdout and stderr go along. */
static void become_worker(int socket)
{
	char *const argv[] = {"moonprobe", WORKER_NAME, NULL};
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	file_limit_give_back();
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (null < 0 || dup2(null, 0) < 0)
		_exit(1);
	if (socket == WORKER_SOCKET)
		fcntl(socket, F_SETFD, 0);
	else if (dup2(socket, WORKER_SOCKET) < 0)
		_exit(1);
	syscall(SYS_close_range, WORKER_SOCKET + 1, ~0u, 0);
	execv("/proc/self/exe", argv);
	_exit(1);
}

static void child_free(struct child *child)
{
	if (child->socket.fd >= 0)
		close(child->socket.fd);
	if (child->end.fd >= 0)
		close(child->end.fd);
	free(child);
}

enum delivery { MORE, EMPTY, CLOSED, GONE };

/* Hands one message over. GONE: the message made its owner close the child. */
static enum delivery deliver(struct child *child)
{
	int got;

	if (child->killed)
		return CLOSED; /* what it still has to say is not wanted */
	got = message_receive(child->socket.fd, &child->message);
	if (got == -EBADMSG)
		child_kill(child); /* it does not keep to the protocol */
	if (got <= 0)
		return got == -EAGAIN ? EMPTY : CLOSED;
	child->delivering = true;
	child->events->message(child, &child->message);
	child->delivering = false;
	message_close_fds(&child->message);
	if (!child->closed)
		return MORE;
	child_free(child);
	return GONE;
}

static void socket_ready(struct loop_source *source)
{
	struct child *child = container_of(source, struct child, socket);

	if (deliver(child) == CLOSED)
		loop_remove(child->loop, source); /* closed: its end comes through the pidfd */
}

static void end_ready(struct loop_source *source)
{
	struct child *child = container_of(source, struct child, end);
	enum delivery delivery;
	int status = 0;

	do
		delivery = deliver(child);
	while (delivery == MORE);
	if (delivery == GONE)
		return;
	loop_remove(child->loop, &child->socket);
	loop_remove(child->loop, &child->end);
	waitpid(child->pid, &status, 0);
	child->pid = 0;
	child->events->ended(child, status);
}

int child_start(struct child **out, struct loop *loop, const struct child_events *events,
		void *owner, struct error *error)
{
	struct child *child = calloc(1, sizeof(*child));
	int sockets[2], err;

	if (!child)
		return error_set(error, -ENOMEM, "worker: no memory");
	child->loop = loop;
	child->events = events;
	child->owner = owner;
	child->socket.fd = child->end.fd = -1;
	child->socket.ready = socket_ready;
	child->end.ready = end_ready;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets)) {
		err = -errno;
		goto fail;
	}
	child->socket.fd = sockets[0];
	fcntl(sockets[0], F_SETFL, O_NONBLOCK);
	child->pid = fork();
	if (child->pid == 0)
		become_worker(sockets[1]);
	close(sockets[1]);
	if (child->pid < 0) {
		err = -errno;
		child->pid = 0;
		goto fail;
	}
	child->end.fd = syscall(SYS_pidfd_open, child->pid, 0);
	if (child->end.fd < 0) {
		err = -errno;
		goto fail;
	}
	fcntl(child->end.fd, F_SETFD, FD_CLOEXEC);
	err = loop_add(loop, &child->socket);
	if (!err)
		err = loop_add(loop, &child->end);
	if (err)
		goto fail;
	*out = child;
	return 0;
fail:
	child_close(child);
	return error_set(error, err, "worker: cannot be started: %s", strerror(-err));
}

void *child_owner(const struct child *child)
{
	return child->owner;
}

pid_t child_pid(const struct child *child)
{
	return child->pid;
}

int child_send(struct child *child, struct message *message)
{
	return message_send(child->socket.fd, message);
}

void child_kill(struct child *child)
{
	child->killed = true;
	if (child->pid)
		kill(child->pid, SIGKILL);
}

void child_close(struct child *child)
{
	if (!child)
		return;
	if (child->pid) {
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
	}
	loop_remove(child->loop, &child->socket);
	loop_remove(child->loop, &child->end);
	if (child->delivering)
		child->closed = true; /* deliver() frees it */
	else
		child_free(child);
}
