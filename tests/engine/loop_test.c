// SPDX-License-Identifier: Apache-2.0
#include "loop.h"

#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#define MS 1000000ull

/* A pipe that counts how often it was ready, and then does something. */
struct waiter {
	struct loop_source source;
	int writer, calls;
	struct loop *loop;
	struct waiter *other;
	void (*then)(struct waiter *waiter);
};

static struct loop *loop;

static void on_ready(struct loop_source *source)
{
	struct waiter *waiter = container_of(source, struct waiter, source);
	char bytes[64];
	ssize_t got = read(source->fd, bytes, sizeof(bytes));

	(void)got;
	waiter->calls++;
	if (waiter->then)
		waiter->then(waiter);
}

static struct waiter *waiter_new(void (*then)(struct waiter *waiter))
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));
	int pipes[2];

	assert_non_null(waiter);
	assert_int_equal(pipe(pipes), 0);
	waiter->source.fd = pipes[0];
	waiter->source.ready = on_ready;
	waiter->writer = pipes[1];
	waiter->loop = loop;
	waiter->then = then;
	assert_int_equal(loop_add(loop, &waiter->source), 0);
	return waiter;
}

static void waiter_write(struct waiter *waiter)
{
	assert_int_equal(write(waiter->writer, "x", 1), 1);
}

static void waiter_free(struct waiter *waiter)
{
	loop_remove(waiter->loop, &waiter->source);
	close(waiter->source.fd);
	close(waiter->writer);
	free(waiter);
}

static void stop(struct waiter *waiter)
{
	loop_stop(waiter->loop);
}

/* Ends a loop that would wait for ever, or for nothing any more. */
struct alarm {
	struct loop_source source;
	struct loop *loop;
	int calls;
};

static void on_alarm(struct loop_source *source)
{
	struct alarm *alarm = container_of(source, struct alarm, source);

	timer_read(source);
	alarm->calls++;
	loop_stop(alarm->loop);
}

static void alarm_open(struct alarm *alarm)
{
	*alarm = (struct alarm){.loop = loop, .source.ready = on_alarm};
	assert_int_equal(timer_open(loop, &alarm->source), 0);
}

static void alarm_close(struct alarm *alarm)
{
	loop_remove(loop, &alarm->source);
	close(alarm->source.fd);
}

/* Runs the loop for at most that long; true when it was stopped before. */
static bool run_for(uint64_t ns)
{
	struct alarm alarm;

	alarm_open(&alarm);
	timer_set(&alarm.source, ns);
	assert_int_equal(loop_run(loop), 0);
	alarm_close(&alarm);
	return !alarm.calls;
}

static int setup(void **state)
{
	(void)state;
	return loop_open(&loop);
}

static int teardown(void **state)
{
	(void)state;
	loop_close(loop);
	return 0;
}

static void a_readable_source_is_called(void **state)
{
	struct waiter *quiet = waiter_new(NULL), *loud = waiter_new(stop);

	(void)state;
	waiter_write(loud);
	assert_true(run_for(5000 * MS));
	assert_int_equal(loud->calls, 1);
	assert_int_equal(quiet->calls, 0);
	waiter_free(quiet);
	waiter_free(loud);
}

static void a_hung_up_source_is_called(void **state)
{
	struct waiter *waiter = waiter_new(stop);

	(void)state;
	close(waiter->writer);
	waiter->writer = dup(waiter->source.fd);
	assert_true(run_for(5000 * MS));
	assert_int_equal(waiter->calls, 1);
	waiter_free(waiter);
}

static void stop_after_five(struct waiter *waiter)
{
	if (waiter->calls == 5)
		loop_stop(waiter->loop);
	else
		waiter_write(waiter);
}

static void it_is_called_as_often_as_it_is_ready(void **state)
{
	struct waiter *waiter = waiter_new(stop_after_five);

	(void)state;
	waiter_write(waiter);
	assert_true(run_for(5000 * MS));
	assert_int_equal(waiter->calls, 5);
	waiter_free(waiter);
}

static int freed;

static void free_itself(struct waiter *waiter)
{
	waiter_free(waiter);
	freed++;
}

static void a_source_may_go_while_it_is_called(void **state)
{
	struct waiter *last = waiter_new(NULL);

	(void)state;
	freed = 0;
	for (int i = 0; i < 5; i++)
		waiter_write(waiter_new(free_itself));
	assert_false(run_for(50 * MS));
	assert_int_equal(freed, 5);
	waiter_free(last);
}

static struct waiter *survivor;

static void free_other(struct waiter *waiter)
{
	waiter_free(waiter->other);
	survivor = waiter;
}

static void a_source_that_is_ready_too_may_go(void **state)
{
	struct waiter *one = waiter_new(free_other), *two = waiter_new(free_other);

	(void)state;
	/* Both are in one batch. Whichever comes first frees the other, which must not be
	 * called any more: the address sanitizer would see it. */
	survivor = NULL;
	one->other = two;
	two->other = one;
	waiter_write(one);
	waiter_write(two);
	assert_false(run_for(50 * MS));
	assert_non_null(survivor);
	assert_int_equal(survivor->calls, 1);
	waiter_free(survivor);
}

static void remove_other(struct waiter *waiter)
{
	loop_remove(waiter->loop, &waiter->other->source);
}

static void a_removed_source_is_not_called(void **state)
{
	struct waiter *one = waiter_new(remove_other), *two = waiter_new(remove_other);

	(void)state;
	one->other = two;
	two->other = one;
	waiter_write(one);
	waiter_write(two);
	assert_false(run_for(50 * MS));
	assert_int_equal(one->calls + two->calls, 1);
	waiter_free(one);
	waiter_free(two);
}

static void stopping_leaves_the_rest_of_the_batch(void **state)
{
	struct waiter *one = waiter_new(stop), *two = waiter_new(stop);

	(void)state;
	waiter_write(one);
	waiter_write(two);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(one->calls + two->calls, 1);
	assert_int_equal(loop_run(loop), 0); /* stays stopped */
	assert_int_equal(one->calls + two->calls, 1);
	waiter_free(one);
	waiter_free(two);
}

static void more_sources_than_one_batch_holds(void **state)
{
	struct waiter *waiters[100];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(waiters); i++) {
		waiters[i] = waiter_new(NULL);
		waiter_write(waiters[i]);
	}
	assert_false(run_for(100 * MS));
	for (size_t i = 0; i < COUNT_OF(waiters); i++) {
		assert_int_equal(waiters[i]->calls, 1);
		waiter_free(waiters[i]);
	}
}

static void removing_what_is_not_in_use(void **state)
{
	struct loop_source unused = {.fd = -1};
	struct waiter *waiter = waiter_new(NULL);

	(void)state;
	loop_remove(loop, &unused);
	loop_remove(loop, &waiter->source);
	loop_remove(loop, &waiter->source); /* again */
	waiter_write(waiter);
	assert_false(run_for(20 * MS));
	assert_int_equal(waiter->calls, 0);
	waiter_free(waiter);
}

static void a_bad_descriptor_is_told(void **state)
{
	struct loop_source closed = {.fd = dup(0), .ready = on_ready};

	(void)state;
	close(closed.fd);
	assert_int_equal(loop_add(loop, &closed), -EBADF);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 * MS + time.tv_nsec;
}

static void a_timer_fires_once_and_not_early(void **state)
{
	struct alarm alarm;
	uint64_t start = now();

	(void)state;
	alarm_open(&alarm);
	timer_set(&alarm.source, 20 * MS);
	assert_int_equal(loop_run(loop), 0);
	assert_in_range(now() - start, 20 * MS, 5000 * MS);
	assert_int_equal(alarm.calls, 1);
	timer_read(&alarm.source); /* nothing there: does not wait */
	alarm_close(&alarm);
}

static void an_idle_or_disarmed_timer_does_not_fire(void **state)
{
	struct alarm idle, disarmed;

	(void)state;
	alarm_open(&idle);
	alarm_open(&disarmed);
	timer_set(&disarmed.source, 5 * MS);
	timer_set(&disarmed.source, 0);
	assert_false(run_for(40 * MS));
	assert_int_equal(idle.calls, 0);
	assert_int_equal(disarmed.calls, 0);
	alarm_close(&idle);
	alarm_close(&disarmed);
}

static void setting_a_timer_again_moves_it(void **state)
{
	struct alarm alarm;
	uint64_t start = now();

	(void)state;
	alarm_open(&alarm);
	timer_set(&alarm.source, 5 * MS);
	timer_set(&alarm.source, 1500 * MS);
	timer_set(&alarm.source, 40 * MS);
	assert_int_equal(loop_run(loop), 0);
	assert_in_range(now() - start, 40 * MS, 1400 * MS);
	alarm_close(&alarm);
}

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

static void a_signal_does_not_end_the_loop(void **state)
{
	struct sigaction action = {.sa_handler = on_signal}, old;
	struct itimerval when = {.it_value.tv_usec = 5000, .it_interval.tv_usec = 5000};
	struct itimerval never = {0};

	(void)state;
	sigaction(SIGALRM, &action, &old);
	setitimer(ITIMER_REAL, &when, NULL);
	assert_false(run_for(60 * MS));
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	assert_true(signals > 0);
}

static void nothing_stays_open(void **state)
{
	int before = open_fds();

	(void)state;
	assert_int_equal(loop_open(&loop), 0);
	assert_int_equal(open_fds(), before + 1);
	loop_close(loop);
	loop_close(NULL);
	assert_int_equal(open_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_readable_source_is_called, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hung_up_source_is_called, setup, teardown),
		cmocka_unit_test_setup_teardown(it_is_called_as_often_as_it_is_ready, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_source_may_go_while_it_is_called, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_source_that_is_ready_too_may_go, setup, teardown),
		cmocka_unit_test_setup_teardown(a_removed_source_is_not_called, setup, teardown),
		cmocka_unit_test_setup_teardown(stopping_leaves_the_rest_of_the_batch, setup,
						teardown),
		cmocka_unit_test_setup_teardown(more_sources_than_one_batch_holds, setup, teardown),
		cmocka_unit_test_setup_teardown(removing_what_is_not_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bad_descriptor_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_timer_fires_once_and_not_early, setup, teardown),
		cmocka_unit_test_setup_teardown(an_idle_or_disarmed_timer_does_not_fire, setup,
						teardown),
		cmocka_unit_test_setup_teardown(setting_a_timer_again_moves_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_signal_does_not_end_the_loop, setup, teardown),
		cmocka_unit_test(nothing_stays_open),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
