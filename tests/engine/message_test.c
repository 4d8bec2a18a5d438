// SPDX-License-Identifier: Apache-2.0
#include "message.h"

#include "test.h"

#include <errno.h>
#include <math.h>
#include <sys/socket.h>

static struct message sent, got;
static int sockets[2];

static int setup(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets);
}

static int teardown(void **state)
{
	(void)state;
	close(sockets[0]);
	close(sockets[1]);
	return 0;
}

static void pass_on(void)
{
	assert_int_equal(message_send(sockets[0], &sent), 0);
	assert_int_equal(message_receive(sockets[1], &got), 1);
}

/* Receives raw bytes as a packet. */
static int receive_raw(const void *bytes, size_t length)
{
	assert_int_equal(send(sockets[0], bytes, length, 0), length);
	return message_receive(sockets[1], &got);
}

/* Sends bytes and `count` descriptors without the checks of message_send(). */
static void send_with_fds(const void *bytes, size_t length, int count)
{
	char control[CMSG_SPACE(sizeof(int) * 250)] __attribute__((aligned(16))) = {0};
	struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(sizeof(int) * count),
	};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&header);

	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
	for (int i = 0; i < count; i++)
		((int *)CMSG_DATA(rights))[i] = sockets[0];
	assert_int_equal(sendmsg(sockets[0], &header, 0), length);
}

/* Reads all values of what was received, out of a block of exactly its size, so that the
 * address sanitizer sees a read beyond it. True when nothing in it is malformed; the number
 * of values in `values`. */
static bool parse_all(int *values)
{
	size_t size = offsetof(struct message, bytes) + got.length;
	struct message *tight = malloc(size);
	bool fine;

	assert_non_null(tight);
	memcpy(tight, &got, size);
	*values = 0;
	while (!message_at_end(tight) && !tight->broken) {
		const char *end = (const char *)tight + size, *bytes;
		size_t before = tight->next, length;
		double number;

		if (message_next_kind(tight) == 'n') {
			*values += message_next_number(tight, &number);
		} else if (message_next_string(tight, &bytes, &length)) {
			assert_true(bytes >= (const char *)tight->bytes);
			assert_true(bytes + length < end);
			assert_int_equal(bytes[length], 0);
			++*values;
		}
		assert_true(tight->next <= tight->length);
		assert_true(tight->broken || tight->next > before);
	}
	fine = message_at_end(tight);
	free(tight);
	return fine;
}

/* One of everything; `ends` says where each value ends. */
static int build_sample(size_t ends[8])
{
	int count = 0;

	message_start(&sent, "sample");
	ends[count++] = sent.length;
	message_number(&sent, 0.5);
	ends[count++] = sent.length;
	message_string(&sent, "zero\0inside", 11);
	ends[count++] = sent.length;
	message_text(&sent, "");
	ends[count++] = sent.length;
	message_number(&sent, -1);
	ends[count++] = sent.length;
	message_text(&sent, "the end");
	ends[count++] = sent.length;
	assert_false(sent.broken);
	return count;
}

static void strings_survive(void **state)
{
	const char *text, *bytes;
	size_t length;

	(void)state;
	message_start(&sent, "name");
	message_string(&sent, "a\0b\377", 4);
	message_text(&sent, "");
	message_text(&sent, "text");
	pass_on();
	assert_int_equal(message_next_kind(&got), 's');
	assert_true(message_next_text(&got, &text));
	assert_string_equal(text, "name");
	assert_true(message_next_string(&got, &bytes, &length));
	assert_int_equal(length, 4);
	assert_memory_equal(bytes, "a\0b\377", 5);
	assert_true(message_next_text(&got, &text));
	assert_string_equal(text, "");
	assert_false(message_at_end(&got));
	assert_true(message_next_text(&got, &text));
	assert_string_equal(text, "text");
	assert_int_equal(message_next_kind(&got), 0);
	assert_true(message_at_end(&got));
}

static void numbers_survive(void **state)
{
	static const double numbers[] = {0,	 -0.0,	  1,	    -1,	       0.1,
					 5e-324, 1.7e308, INFINITY, -INFINITY, 9007199254740993.0};
	const char *text;
	double number;

	(void)state;
	message_start(&sent, "numbers");
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		message_number(&sent, numbers[i]);
	message_number(&sent, NAN);
	pass_on();
	assert_true(message_next_text(&got, &text));
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		assert_int_equal(message_next_kind(&got), 'n');
		assert_true(message_next_number(&got, &number));
		assert_memory_equal(&number, &numbers[i], sizeof(number));
	}
	assert_true(message_next_number(&got, &number));
	assert_true(isnan(number));
	assert_true(message_at_end(&got));
}

static void a_wrong_kind_breaks_the_message(void **state)
{
	const char *text;
	double number;

	(void)state;
	message_start(&sent, "name");
	message_number(&sent, 1);
	pass_on();
	assert_false(message_next_number(&got, &number));
	assert_true(got.broken);
	assert_int_equal(message_next_kind(&got), 0);
	assert_false(message_next_text(&got, &text));
	assert_false(message_at_end(&got));

	pass_on();
	assert_true(message_next_text(&got, &text));
	assert_false(message_next_text(&got, &text));
	assert_false(message_next_number(&got, &number));

	pass_on();
	assert_true(message_next_text(&got, &text));
	assert_true(message_next_number(&got, &number));
	assert_false(message_next_number(&got, &number)); /* there is no more */
	assert_true(got.broken);
}

static void text_has_no_zero_inside(void **state)
{
	const char *text;

	(void)state;
	message_start(&sent, "name");
	message_string(&sent, "a\0b", 3);
	pass_on();
	assert_true(message_next_text(&got, &text));
	assert_false(message_next_text(&got, &text));
	assert_true(got.broken);
}

static void text_is_copied_when_it_fits(void **state)
{
	char text[5];

	(void)state;
	message_start(&sent, "name");
	message_text(&sent, "longer");
	message_number(&sent, 1);
	pass_on();
	assert_true(message_copy_text(&got, text, sizeof(text)));
	assert_string_equal(text, "name");
	assert_false(message_copy_text(&got, text, sizeof(text)));
	assert_false(message_copy_text(&got, text, sizeof(text))); /* no text */
}

static void the_largest_message_fits(void **state)
{
	static char large[MESSAGE_BYTES];
	const char *bytes;
	size_t length;

	(void)state;
	memset(large, 'x', sizeof(large));
	message_start(&sent, "m"); /* 7 bytes; the frame of a string has 6 */
	message_string(&sent, large, MESSAGE_BYTES - 7 - 6);
	assert_int_equal(sent.length, MESSAGE_BYTES);
	assert_false(sent.broken);
	pass_on();
	assert_true(message_next_string(&got, &bytes, &length));
	assert_true(message_next_string(&got, &bytes, &length));
	assert_int_equal(length, MESSAGE_BYTES - 7 - 6);
	assert_true(message_at_end(&got));
}

static void what_does_not_fit_is_not_sent(void **state)
{
	static char large[MESSAGE_BYTES + 1];

	(void)state;
	memset(large, 'x', sizeof(large));
	message_start(&sent, "m");
	message_string(&sent, large, MESSAGE_BYTES - 7 - 5);
	assert_true(sent.broken);
	assert_int_equal(message_send(sockets[0], &sent), -EMSGSIZE);
	message_start(&sent, "m");
	message_string(&sent, large, SIZE_MAX);
	assert_int_equal(message_send(sockets[0], &sent), -EMSGSIZE);
	message_start(&sent, "m");
	message_string(&sent, large, MESSAGE_BYTES + 1);
	assert_int_equal(message_send(sockets[0], &sent), -EMSGSIZE);
	message_start(&sent, "m");
	message_string(&sent, large, MESSAGE_BYTES - 7 - 6 - 8);
	message_number(&sent, 1);
	assert_int_equal(message_send(sockets[0], &sent), -EMSGSIZE);
	large[sizeof(large) - 1] = 0;
	message_start(&sent, large);
	assert_int_equal(message_send(sockets[0], &sent), -EMSGSIZE);
	assert_int_equal(recv(sockets[1], large, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void a_longer_packet_is_refused(void **state)
{
	static char large[MESSAGE_BYTES + 1];

	(void)state;
	assert_int_equal(receive_raw(large, MESSAGE_BYTES + 1), -EBADMSG);
	assert_true(message_at_end(&got)); /* nothing to be read in it */
	assert_int_equal(receive_raw(large, MESSAGE_BYTES), 1);
}

static void every_truncation_is_refused(void **state)
{
	size_t ends[8];
	int count = build_sample(ends), values;

	(void)state;
	for (size_t length = 1; length <= sent.length; length++) {
		int whole = -1;

		for (int i = 0; i < count; i++)
			if (ends[i] == length)
				whole = i + 1;
		assert_int_equal(receive_raw(sent.bytes, length), 1);
		/* Between two values it is a shorter message, anywhere else none. */
		assert_int_equal(parse_all(&values), whole > 0);
		if (whole > 0)
			assert_int_equal(values, whole);
	}
}

static void every_corrupted_byte_stays_in_bounds(void **state)
{
	unsigned char bytes[256];
	size_t ends[8], length;
	int refused = 0, values;

	(void)state;
	build_sample(ends);
	length = sent.length;
	assert_true(length <= sizeof(bytes));
	for (size_t at = 0; at < length; at++) {
		for (int change = 1; change < 256; change++) {
			memcpy(bytes, sent.bytes, length);
			bytes[at] ^= change;
			assert_int_equal(receive_raw(bytes, length), 1);
			refused += !parse_all(&values);
		}
	}
	/* Each of the 6 kinds, of 16 bytes of lengths and of 4 final zeros, at the least. */
	assert_true(refused >= 6 * 254 + 16 * 200 + 4 * 255);
}

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint32_t random_number(uint32_t below)
{
	seed ^= seed << 13; /* xorshift64 (Marsaglia 2003) */
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 32) % below;
}

/* Bytes that often look like values, with lengths that are about right. */
static size_t random_packet(unsigned char *bytes, size_t room)
{
	size_t length = 0, end = 1 + random_number(room);

	while (length < end) {
		uint32_t size = random_number(24);

		switch (random_number(4)) {
		case 0:
			if (length + 5 + size + 1 > room)
				return length ? length : 1;
			bytes[length] = 's';
			size += random_number(8) ? 0 : random_number(3) - 1;
			memcpy(bytes + length + 1, &size, 4);
			size %= 24;
			for (uint32_t i = 0; i < size; i++)
				bytes[length + 5 + i] = random_number(256);
			bytes[length + 5 + size] = random_number(8) ? 0 : 1;
			length += 5 + size + 1;
			break;
		case 1:
			if (length + 9 > room)
				return length ? length : 1;
			bytes[length] = 'n';
			for (int i = 1; i < 9; i++)
				bytes[length + i] = random_number(256);
			length += 9;
			break;
		case 2:
			if (random_number(4))
				break;
			bytes[length++] = random_number(256);
			break;
		default:
			if (random_number(8) == 0)
				return length ? length : 1;
		}
	}
	return end;
}

static void random_packets_stay_in_bounds(void **state)
{
	unsigned char bytes[512];
	int values, fine = 0;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		size_t length;

		bytes[0] = random_number(256);
		length = random_packet(bytes, sizeof(bytes) - 64);
		assert_int_equal(receive_raw(bytes, length), 1);
		assert_int_equal(got.length, length);
		fine += parse_all(&values);
	}
	/* Both ways are taken often, else the packets are no test. */
	assert_in_range(fine, 10000, 90000);
}

static void descriptors_are_passed(void **state)
{
	int before = open_fds(), pipes[2], fd;
	char byte = 0;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	message_start(&sent, "fds");
	message_fd(&sent, pipes[0]);
	message_fd(&sent, pipes[1]);
	pass_on();
	assert_int_equal(got.fd_count, 2);
	assert_int_equal(write(pipes[1], "x", 1), 1); /* the sender keeps its own */
	close(pipes[0]);
	close(pipes[1]);
	fd = message_take_fd(&got, 0);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(message_take_fd(&got, 0), -1); /* taken already */
	assert_int_equal(message_take_fd(&got, 2), -1);
	assert_int_equal(message_take_fd(&got, -1), -1);
	message_close_fds(&got); /* the second one, which nobody took */
	assert_int_equal(open_fds(), before + 1);
	assert_int_equal(read(fd, &byte, 1), 0); /* so the pipe has no writer left */
	message_close_fds(&got);
	close(fd);
	assert_int_equal(open_fds(), before);
}

static void as_many_descriptors_as_allowed(void **state)
{
	int before = open_fds();

	(void)state;
	message_start(&sent, "fds");
	for (int i = 0; i < MESSAGE_FDS; i++)
		message_fd(&sent, sockets[0]);
	assert_false(sent.broken);
	pass_on();
	assert_int_equal(got.fd_count, MESSAGE_FDS);
	assert_int_equal(open_fds(), before + MESSAGE_FDS);
	message_close_fds(&got);
	assert_int_equal(open_fds(), before);
	message_fd(&sent, sockets[0]);
	assert_true(sent.broken);
	assert_int_equal(message_send(sockets[0], &sent), -EMSGSIZE);
}

static void too_many_descriptors_are_refused_and_closed(void **state)
{
	int before = open_fds();

	(void)state;
	for (int count = MESSAGE_FDS + 1; count <= 250; count += 185 / 5) {
		send_with_fds("s", 1, count);
		assert_int_equal(message_receive(sockets[1], &got), -EBADMSG);
		assert_int_equal(got.fd_count, 0);
		assert_int_equal(open_fds(), before);
	}
}

static void descriptors_of_a_refused_packet_are_closed(void **state)
{
	static char large[MESSAGE_BYTES + 1];
	int before = open_fds();

	(void)state;
	send_with_fds(large, sizeof(large), 3);
	assert_int_equal(message_receive(sockets[1], &got), -EBADMSG);
	assert_int_equal(open_fds(), before);
}

static void descriptors_of_an_empty_packet_are_closed(void **state)
{
	int before = open_fds();

	(void)state;
	send_with_fds("", 0, 3);
	assert_int_equal(message_receive(sockets[1], &got), 0); /* reads as the peer's end */
	assert_int_equal(got.fd_count, 0);
	assert_int_equal(open_fds(), before);
}

static void nothing_there_is_eagain(void **state)
{
	(void)state;
	fcntl(sockets[1], F_SETFL, O_NONBLOCK);
	assert_int_equal(message_receive(sockets[1], &got), -EAGAIN);
	assert_int_equal(message_receive(-1, &got), -EBADF);
}

static void a_peer_that_does_not_read_is_eagain(void **state)
{
	int sends = 0, err;

	(void)state;
	fcntl(sockets[0], F_SETFL, O_NONBLOCK);
	message_start(&sent, "again");
	do
		err = message_send(sockets[0], &sent);
	while (!err && ++sends < 100000);
	assert_int_equal(err, -EAGAIN);
	assert_true(sends > 0);
}

static void a_closed_peer(void **state)
{
	(void)state;
	message_start(&sent, "last");
	assert_int_equal(message_send(sockets[0], &sent), 0);
	close(sockets[0]);
	assert_int_equal(message_receive(sockets[1], &got), 1); /* what it sent is still there */
	assert_int_equal(message_receive(sockets[1], &got), 0);
	assert_int_equal(message_send(sockets[1], &sent), -EPIPE); /* and no SIGPIPE */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(strings_survive, setup, teardown),
		cmocka_unit_test_setup_teardown(numbers_survive, setup, teardown),
		cmocka_unit_test_setup_teardown(a_wrong_kind_breaks_the_message, setup, teardown),
		cmocka_unit_test_setup_teardown(text_has_no_zero_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(text_is_copied_when_it_fits, setup, teardown),
		cmocka_unit_test_setup_teardown(the_largest_message_fits, setup, teardown),
		cmocka_unit_test_setup_teardown(what_does_not_fit_is_not_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(a_longer_packet_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(every_truncation_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(every_corrupted_byte_stays_in_bounds, setup,
						teardown),
		cmocka_unit_test_setup_teardown(random_packets_stay_in_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(descriptors_are_passed, setup, teardown),
		cmocka_unit_test_setup_teardown(as_many_descriptors_as_allowed, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_descriptors_are_refused_and_closed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(descriptors_of_a_refused_packet_are_closed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(descriptors_of_an_empty_packet_are_closed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(nothing_there_is_eagain, setup, teardown),
		cmocka_unit_test_setup_teardown(a_peer_that_does_not_read_is_eagain, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_closed_peer, setup, teardown),
	};

	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
