// SPDX-License-Identifier: Apache-2.0
/* workload: makes a known number of real kernel events, for live tests.
 *
 *   workload tcp 10 1000      10 connections over loopback, 1000 bytes each way
 *   workload tcp 10 , open 5 /dev/null   one after the other, in one process
 *
 * A subcommand does its thing exactly as often as asked and nothing else of that kind, and
 * prints nothing unless it fails. Link it statically: a dynamic loader would open, read and
 * map files of its own before main(). Exit status: 0, 1 when something went wrong, 2 for
 * a wrong command line. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	int error = errno;
	va_list arguments;

	va_start(arguments, format);
	fputs("workload: ", stderr);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, ": %s\n", strerror(error));
	exit(1);
}

static long number(const char *text)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 0);
	if (errno || end == text || *end || value < 0) {
		fprintf(stderr, "workload: not a number: %s\n", text);
		exit(2);
	}
	return value;
}

static long number_or(char **arguments, int index, long standard)
{
	for (int i = 0; i <= index; i++)
		if (!arguments[i])
			return standard;
	return number(arguments[index]);
}

static void *bytes_of(size_t count)
{
	void *bytes = calloc(1, count ? count : 1);

	if (!bytes)
		die("%zu bytes", count);
	return bytes;
}

static void wait_for(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) < 0)
		die("waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "workload: child ended with status 0x%x\n", status);
		exit(1);
	}
}

/* Processes. */

/* By its own path: the kernel names a program started as /proc/self/exe "exe". */
static void run_exec(char **arguments)
{
	char own_path[4096] = "";

	if (readlink("/proc/self/exe", own_path, sizeof(own_path) - 1) < 0)
		die("/proc/self/exe");
	for (long i = number(arguments[0]); i > 0; i--) {
		pid_t child = fork();

		if (child < 0)
			die("fork");
		if (!child) {
			execl(own_path, "workload", "exit", "0", NULL);
			_exit(127);
		}
		wait_for(child);
	}
}

static void run_exec_fail(char **arguments)
{
	for (long i = number(arguments[0]); i > 0; i--) {
		execl("/nonexistent/moonprobe", "moonprobe", "--argument", NULL);
		if (errno != ENOENT)
			die("execve");
	}
}

static void run_fork(char **arguments)
{
	for (long i = number(arguments[0]); i > 0; i--) {
		pid_t child = fork();

		if (child < 0)
			die("fork");
		if (!child)
			_exit(0);
		wait_for(child);
	}
}

static void run_exit(char **arguments)
{
	_exit(number(arguments[0]));
}

static void run_kill_self(char **arguments)
{
	if (kill(getpid(), number(arguments[0])))
		die("kill");
}

static void *do_nothing(void *unused)
{
	return unused;
}

static void run_threads(char **arguments)
{
	for (long i = number(arguments[0]); i > 0; i--) {
		pthread_t thread;

		errno = pthread_create(&thread, NULL, do_nothing, NULL);
		if (errno)
			die("pthread_create");
		pthread_join(thread, NULL);
	}
}

/* Each signal is answered before the next, or they would be merged into one. */
static int answer_pipe = -1;

static void answer(int signal_number)
{
	if (write(answer_pipe, "", 1) != 1)
		_exit(1);
	(void)signal_number;
}

static void run_signal(char **arguments)
{
	long count = number(arguments[0]);
	int answers[2], hold[2];
	pid_t child;
	char byte;

	if (pipe(answers) || pipe(hold))
		die("pipe");
	answer_pipe = answers[1];
	child = fork();
	if (child < 0)
		die("fork");
	if (!child) {
		struct sigaction action = {.sa_handler = answer, .sa_flags = SA_RESTART};

		sigaction(SIGUSR1, &action, NULL);
		close(hold[1]);
		answer(0); /* ready */
		_exit(read(hold[0], &byte, 1) ? 1 : 0);
	}
	for (long i = 0; i <= count; i++) {
		if (read(answers[0], &byte, 1) != 1)
			die("the child's answer");
		if (i < count && kill(child, SIGUSR1))
			die("kill");
	}
	close(hold[1]);
	wait_for(child);
}

/* Scheduling and system calls. */

static void run_sleep(char **arguments)
{
	long ms = number(arguments[1]);
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	for (long i = number(arguments[0]); i > 0; i--)
		if (nanosleep(&time, NULL))
			die("nanosleep");
}

static void run_spin(char **arguments)
{
	uint64_t end = number(arguments[0]) * 1000000ull;
	struct timespec now;

	do {
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	} while (now.tv_sec * 1000000000ull + now.tv_nsec < end);
}

static void run_syscall(char **arguments)
{
	for (long i = number(arguments[0]); i > 0; i--)
		syscall(SYS_getppid);
}

/* In portions of a millisecond; what a busy machine holds up is made up for. */
static void run_pace(char **arguments)
{
	long count = number(arguments[0]), rate = number(arguments[1]), done = 0;
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (done < count) {
		double due;

		clock_gettime(CLOCK_MONOTONIC, &now);
		due = rate * (now.tv_sec - start.tv_sec + (now.tv_nsec - start.tv_nsec) / 1e9);
		for (; done < count && done < due; done++)
			syscall(SYS_getppid);
		usleep(1000);
	}
}

static void pass_byte(int from, int to)
{
	char byte;

	if (read(from, &byte, 1) != 1 || write(to, &byte, 1) != 1)
		die("pipe");
}

/* On one CPU, so that every hand-over is a switch: at least 2 N. */
static void run_switch(char **arguments)
{
	long count = number(arguments[0]);
	int there[2], back[2];
	cpu_set_t one;
	pid_t child;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one) || pipe(there) || pipe(back))
		die("set up");
	child = fork();
	if (child < 0)
		die("fork");
	if (!child) {
		for (long i = 0; i < count; i++)
			pass_byte(there[0], back[1]);
		_exit(0);
	}
	for (long i = 0; i < count; i++) {
		if (write(there[1], "", 1) != 1)
			die("pipe");
		if (read(back[0], &(char){0}, 1) != 1)
			die("pipe");
	}
	wait_for(child);
}

/* Memory. */

static void run_fault(char **arguments)
{
	long count = number(arguments[0]), page = sysconf(_SC_PAGESIZE);
	volatile char *memory;

	if (!count)
		return;
	memory = mmap(NULL, count * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (memory == MAP_FAILED)
		die("mmap");
	/* EINVAL: the kernel has no huge pages to be kept from. */
	if (madvise((void *)memory, count * page, MADV_NOHUGEPAGE) && errno != EINVAL)
		die("madvise");
	for (long i = 0; i < count; i++)
		memory[i * page] = 1;
}

static void run_eat_memory(char **arguments)
{
	for (long i = number(arguments[0]); i > 0; i--) {
		char *memory = malloc(1 << 20);

		if (!memory)
			die("malloc");
		memset(memory, 1, 1 << 20);
	}
}

/* Files. */

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		die("%s", path);
	return fd;
}

static void run_open(char **arguments)
{
	for (long i = number(arguments[0]); i > 0; i--)
		close(open_or_die(arguments[1], O_RDONLY));
}

static void run_open_missing(char **arguments)
{
	for (long i = number(arguments[0]); i > 0; i--)
		if (open("/nonexistent/moonprobe", O_RDONLY) >= 0 || errno != ENOENT)
			die("open");
}

static void run_write(char **arguments)
{
	long count = number(arguments[0]), size = number(arguments[1]);
	int fd = open_or_die(arguments[2], O_WRONLY | O_CREAT | O_TRUNC);
	char *bytes = bytes_of(size);

	for (long i = 0; i < count; i++)
		if (write(fd, bytes, size) != size)
			die("write");
	close(fd);
}

/* Always from the start of the file, so any file of BYTES will do. */
static void run_read(char **arguments)
{
	long count = number(arguments[0]), size = number(arguments[1]);
	int fd = open_or_die(arguments[2], O_RDONLY);
	char *bytes = bytes_of(size);

	for (long i = 0; i < count; i++) {
		if (read(fd, bytes, size) < 0)
			die("read");
		if (lseek(fd, 0, SEEK_SET) < 0)
			die("lseek");
	}
	close(fd);
}

/* One request to the device each, as long as BYTES is within its limits and PATH is a
 * device or has its blocks side by side. */
static void run_direct_write(char **arguments)
{
	long count = number(arguments[0]), size = number(arguments[1]);
	int fd = open_or_die(arguments[2], O_WRONLY | O_CREAT | O_DIRECT);
	void *bytes;

	errno = posix_memalign(&bytes, 4096, size);
	if (errno)
		die("posix_memalign");
	memset(bytes, 0, size);
	for (long i = 0; i < count; i++)
		if (pwrite(fd, bytes, size, i * size) != size)
			die("pwrite");
	close(fd);
}

/* Sockets, all on loopback. */

struct endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
	};
	socklen_t length;
};

static struct endpoint loopback(int family)
{
	struct endpoint end = {.any.sa_family = family};

	if (family == AF_INET6) {
		end.ipv6.sin6_addr = in6addr_loopback;
		end.length = sizeof(end.ipv6);
	} else {
		end.ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		end.length = sizeof(end.ipv4);
	}
	return end;
}

/* A socket with a free port of its own; `end` tells which. */
static int socket_bound(int family, int type, struct endpoint *end)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	*end = loopback(family);
	if (fd < 0 || bind(fd, &end->any, end->length) || getsockname(fd, &end->any, &end->length))
		die("socket on loopback");
	return fd;
}

static int socket_connected(int type, const struct endpoint *to)
{
	int fd = socket(to->any.sa_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, &to->any, to->length))
		die("connect");
	return fd;
}

static void send_all(int fd, const char *bytes, size_t count)
{
	while (count) {
		ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);

		if (sent <= 0)
			die("send");
		bytes += sent;
		count -= sent;
	}
}

static void receive_all(int fd, char *bytes, size_t count)
{
	while (count) {
		ssize_t got = recv(fd, bytes, count, 0);

		if (got <= 0)
			die("recv");
		bytes += got;
		count -= got;
	}
}

static void expect_end(int fd)
{
	if (recv(fd, &(char){0}, 1, 0))
		die("the end of the connection");
}

struct tcp_server {
	int fd;
	long count;
	size_t bytes;
};

/* Answers with as much as it got. The client always closes first. */
static void *serve_tcp(void *argument)
{
	const struct tcp_server *server = argument;
	char *bytes = bytes_of(server->bytes);

	for (long i = 0; i < server->count; i++) {
		int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			die("accept");
		receive_all(fd, bytes, server->bytes);
		send_all(fd, bytes, server->bytes);
		expect_end(fd);
		close(fd);
	}
	free(bytes);
	return NULL;
}

static void tcp(int family, char **arguments)
{
	struct tcp_server server = {.count = number(arguments[0])};
	struct endpoint end;
	pthread_t thread;
	char *bytes;

	server.bytes = number_or(arguments, 1, 0);
	server.fd = socket_bound(family, SOCK_STREAM, &end);
	if (listen(server.fd, SOMAXCONN))
		die("listen");
	errno = pthread_create(&thread, NULL, serve_tcp, &server);
	if (errno)
		die("pthread_create");
	bytes = bytes_of(server.bytes);
	for (long i = 0; i < server.count; i++) {
		int fd = socket_connected(SOCK_STREAM, &end);

		send_all(fd, bytes, server.bytes);
		receive_all(fd, bytes, server.bytes);
		close(fd);
	}
	pthread_join(thread, NULL);
	close(server.fd);
}

static void run_tcp(char **arguments)
{
	tcp(AF_INET, arguments);
}

static void run_tcp6(char **arguments)
{
	tcp(AF_INET6, arguments);
}

static void run_tcp_refused(char **arguments)
{
	struct endpoint end;
	int bound = socket_bound(AF_INET, SOCK_STREAM, &end); /* never listens */

	for (long i = number(arguments[0]); i > 0; i--) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0 || !connect(fd, &end.any, end.length) || errno != ECONNREFUSED)
			die("connect");
		close(fd);
	}
	close(bound);
}

/* The client resets each connection; the server only sees it go. */
static void run_tcp_reset(char **arguments)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	struct endpoint end;
	int listener = socket_bound(AF_INET, SOCK_STREAM, &end);

	if (listen(listener, 16))
		die("listen");
	for (long i = number(arguments[0]); i > 0; i--) {
		int client = socket_connected(SOCK_STREAM, &end);
		int server = accept(listener, NULL, NULL);

		if (server < 0)
			die("accept");
		send_all(client, "x", 1);
		receive_all(server, &(char){0}, 1);
		setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(client);
		if (recv(server, &(char){0}, 1, 0) >= 0 || errno != ECONNRESET)
			die("recv");
		close(server);
	}
	close(listener);
}

/* A listener whose queue one connection fills: the SYNs of the others are dropped, and
 * sent again after 1 s. They are closed before the next time, at 3 s. */
static void run_tcp_retransmit(char **arguments)
{
	long count = number(arguments[0]);
	int *fds = bytes_of(count * sizeof(*fds));
	struct endpoint end;
	int listener = socket_bound(AF_INET, SOCK_STREAM, &end);
	int filler;

	if (listen(listener, 0))
		die("listen");
	filler = socket_connected(SOCK_STREAM, &end);
	for (long i = 0; i < count; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fds[i] < 0 || !connect(fds[i], &end.any, end.length) || errno != EINPROGRESS)
			die("connect");
	}
	usleep(1600000);
	for (long i = 0; i < count; i++)
		close(fds[i]);
	close(filler);
	close(listener);
	free(fds);
}

static void run_udp(char **arguments)
{
	long count = number(arguments[0]), size = number_or(arguments, 1, 64);
	struct endpoint end, from;
	int server = socket_bound(AF_INET, SOCK_DGRAM, &end);
	int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char *bytes = bytes_of(size);

	for (long i = 0; i < count; i++) {
		from.length = sizeof(from.ipv6);
		if (sendto(client, bytes, size, 0, &end.any, end.length) != size)
			die("sendto");
		if (recvfrom(server, bytes, size, 0, &from.any, &from.length) != size)
			die("recvfrom");
	}
	close(client);
	close(server);
}

static void udp_connected(int family, char **arguments)
{
	long count = number(arguments[0]), size = number_or(arguments, 1, 64);
	struct endpoint end, client_end;
	int server = socket_bound(family, SOCK_DGRAM, &end);
	int client = socket_bound(family, SOCK_DGRAM, &client_end);
	char *bytes = bytes_of(size);

	if (connect(client, &end.any, end.length) ||
	    connect(server, &client_end.any, client_end.length))
		die("connect");
	for (long i = 0; i < count; i++) {
		if (send(client, bytes, size, 0) != size)
			die("send");
		if (recv(server, bytes, size, 0) != size)
			die("recv");
	}
	close(client);
	close(server);
}

static void run_udp_connected(char **arguments)
{
	udp_connected(AF_INET, arguments);
}

static void run_udp6_connected(char **arguments)
{
	udp_connected(AF_INET6, arguments);
}

static void run_udp_message(char **arguments)
{
	long count = number(arguments[0]), size = number_or(arguments, 1, 64);
	struct endpoint end, from;
	int server = socket_bound(AF_INET, SOCK_DGRAM, &end);
	int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct iovec part = {.iov_base = bytes_of(size), .iov_len = size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	for (long i = 0; i < count; i++) {
		message.msg_name = &end.any;
		message.msg_namelen = end.length;
		if (sendmsg(client, &message, 0) != size)
			die("sendmsg");
		message.msg_name = &from.any;
		message.msg_namelen = sizeof(from.ipv6);
		if (recvmsg(server, &message, 0) != size)
			die("recvmsg");
	}
	close(client);
	close(server);
}

/* The i-th message is i bytes long, from 1 on. */
static void run_udp_batch(char **arguments)
{
	long count = number(arguments[0]);
	struct mmsghdr *messages = bytes_of(count * sizeof(*messages));
	struct iovec *parts = bytes_of(count * sizeof(*parts));
	struct endpoint end, from;
	int server = socket_bound(AF_INET, SOCK_DGRAM, &end);
	int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (count > 128) { /* what a socket's buffer surely holds */
		fputs("workload: at most 128 messages\n", stderr);
		exit(2);
	}
	for (long i = 0; i < count; i++) {
		parts[i].iov_base = bytes_of(count);
		parts[i].iov_len = i + 1;
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_name = &end.any;
		messages[i].msg_hdr.msg_namelen = end.length;
	}
	if (sendmmsg(client, messages, count, 0) != count)
		die("sendmmsg");
	for (long i = 0; i < count; i++) {
		messages[i].msg_hdr.msg_name = &from.any;
		messages[i].msg_hdr.msg_namelen = sizeof(from.ipv6);
	}
	if (recvmmsg(server, messages, count, MSG_WAITFORONE, NULL) != count)
		die("recvmmsg");
	close(client);
	close(server);
}

static const struct command {
	const char *name;
	int required;
	const char *arguments;
	const char *about;
	void (*run)(char **arguments);
} commands[] = {
	{"exec", 1, "N", "N forks, each executes this program", run_exec},
	{"exec-fail", 1, "N", "N execve of a missing file (ENOENT)", run_exec_fail},
	{"fork", 1, "N", "N children that exit with 0", run_fork},
	{"exit", 1, "CODE", "exit with CODE", run_exit},
	{"kill-self", 1, "SIGNAL", "send SIGNAL to itself", run_kill_self},
	{"threads", 1, "N", "N threads, one after the other", run_threads},
	{"signal", 1, "N", "N times SIGUSR1 to a child that handles it", run_signal},
	{"sleep", 2, "N MS", "N times nanosleep", run_sleep},
	{"spin", 1, "MS", "MS of CPU time", run_spin},
	{"syscall", 1, "N", "N times getppid", run_syscall},
	{"pace", 2, "N PER_SECOND", "the same, evenly in time", run_pace},
	{"switch", 1, "N", "N round trips between two processes on one CPU", run_switch},
	{"fault", 1, "N", "N page faults, beside those of the start", run_fault},
	{"eat-memory", 1, "MB", "touch MB of memory and keep it", run_eat_memory},
	{"open", 2, "N PATH", "N opens of PATH", run_open},
	{"open-missing", 1, "N", "N opens of a missing file (ENOENT)", run_open_missing},
	{"write", 3, "N BYTES PATH", "N writes", run_write},
	{"read", 3, "N BYTES PATH", "N reads from the start of PATH", run_read},
	{"direct-write", 3, "N BYTES PATH", "N O_DIRECT writes", run_direct_write},
	{"tcp", 1, "N [BYTES]", "N IPv4 connections, BYTES there and back", run_tcp},
	{"tcp6", 1, "N [BYTES]", "the same over IPv6", run_tcp6},
	{"tcp-refused", 1, "N", "N refused connections", run_tcp_refused},
	{"tcp-reset", 1, "N", "N connections the client resets after a byte", run_tcp_reset},
	{"tcp-retransmit", 1, "N", "N SYNs sent again once, given up", run_tcp_retransmit},
	{"udp", 1, "N [BYTES]", "N datagrams, sendto and recvfrom", run_udp},
	{"udp-connected", 1, "N [BYTES]", "the same between connected sockets", run_udp_connected},
	{"udp6-connected", 1, "N [BYTES]", "the same over IPv6", run_udp6_connected},
	{"udp-message", 1, "N [BYTES]", "N datagrams, sendmsg and recvmsg", run_udp_message},
	{"udp-batch", 1, "N", "one sendmmsg and recvmmsg of 1 to N bytes", run_udp_batch},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(FILE *to)
{
	fputs("usage: workload COMMAND [ARGUMENT ...] [, COMMAND ...]\n", to);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-14s %-13s %s\n", commands[i].name, commands[i].arguments,
			commands[i].about);
}

static const struct command *command_named(const char *name)
{
	for (size_t i = 0; name && i < COMMANDS; i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	help(stderr);
	exit(2);
}

/* Runs the command at the start of the list; what follows its arguments, NULL at the end. */
static char **run_first(char **words)
{
	const struct command *command = command_named(words[0]);
	int count = 0;
	char **rest;

	while (words[count + 1] && strcmp(words[count + 1], ","))
		count++;
	if (count < command->required) {
		fprintf(stderr, "usage: workload %s %s\n", command->name, command->arguments);
		exit(2);
	}
	rest = words[count + 1] ? words + count + 2 : NULL;
	words[count + 1] = NULL;
	command->run(words + 1);
	return rest;
}

int main(int argc, char **argv)
{
	char **words = argv + 1;

	if (argc > 1 && !strcmp(argv[1], "--help")) {
		help(stdout);
		return 0;
	}
	do
		words = run_first(words);
	while (words);
	return 0;
}
