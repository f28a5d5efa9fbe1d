/* SPDX-License-Identifier: MIT */
/* The loop's timers, on real and on virtual time. */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/loop-backends.h"

#define MANY 500

struct alarm {
	struct loop_timer timer;
	struct loop_timer *sets, *cancels; /* by fire(); sets for the past */
	uint64_t due;
	int n_fired, place;
};

static int n_fired;

static void alarm_fire(struct loop_timer *timer)
{
	struct alarm *alarm = container_of(timer, struct alarm, timer);

	ck_assert(!loop_timer_armed(timer));
	ck_assert_uint_ge(loop_now(loop), alarm->due);
	alarm->n_fired++;
	alarm->place = n_fired++;
	if (alarm->sets)
		ck_assert_int_eq(loop_timer_set(loop, alarm->sets, 0), 0);
	if (alarm->cancels)
		loop_timer_cancel(alarm->cancels);
}

static void alarm_set(struct alarm *alarm, uint64_t due)
{
	alarm->timer.fire = alarm_fire;
	alarm->due = due;
	ck_assert_int_eq(loop_timer_set(loop, &alarm->timer, due), 0);
	ck_assert(loop_timer_armed(&alarm->timer));
}

static uint64_t soon(unsigned int usec)
{
	return loop_now(loop) + usec * (uint64_t)1000;
}

START_TEST(test_timer_fires_once_never_early)
{
	struct alarm alarm = { 0 };

	ck_assert(!loop_timer_armed(&alarm.timer));
	loop_timer_cancel(&alarm.timer);
	alarm_set(&alarm, soon(3000));
	turn();
	ck_assert_int_eq(alarm.n_fired, 1);
	ck_assert(!loop_timer_armed(&alarm.timer));
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
}
END_TEST

START_TEST(test_timer_of_the_past_fires_at_once)
{
	struct alarm alarm[3] = { 0 };

	n_fired = 0;
	alarm_set(&alarm[0], loop_now(loop));
	alarm_set(&alarm[1], 0);
	alarm_set(&alarm[2], loop_now(loop) - 1);
	turn();
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(alarm[i].n_fired, 1);
}
END_TEST

/* By time, then by arming; in any order of setting, moving and canceling. */
START_TEST(test_timer_order)
{
	struct alarm *alarm = calloc(MANY, sizeof(*alarm));
	uint64_t base = soon(1000);
	unsigned int seed = 1;
	int n_left = 0;

	n_fired = 0;
	for (int i = 0; i < MANY; i++)
		alarm_set(&alarm[i], base + (uint64_t)rand_r(&seed) % 100 * 1000);
	for (int i = 0; i < MANY; i += 3)
		loop_timer_cancel(&alarm[i].timer);
	for (int i = 1; i < MANY; i += 3)
		alarm_set(&alarm[i], base + (uint64_t)rand_r(&seed) % 100 * 1000);
	for (int i = 0; i < MANY; i++)
		n_left += loop_timer_armed(&alarm[i].timer);
	ck_assert_int_eq(n_left, MANY - (MANY + 2) / 3);
	while (n_fired < n_left)
		turn();
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(alarm[i].n_fired, i % 3 != 0);
		for (int j = 0; j < MANY && i % 3; j++) {
			bool later =
				alarm[j].due > alarm[i].due ||
				(alarm[j].due == alarm[i].due && j % 3 == 2 && i % 3 == 2 && j > i);

			if (j % 3 && later)
				ck_assert_int_gt(alarm[j].place, alarm[i].place);
		}
	}
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
	free(alarm);
}
END_TEST

START_TEST(test_timer_moves)
{
	struct alarm a = { 0 }, b = { 0 };

	n_fired = 0;
	alarm_set(&a, soon(1000));
	alarm_set(&b, soon(2000));
	alarm_set(&a, soon(3000));
	while (n_fired < 2)
		turn();
	ck_assert_int_eq(b.place, 0);
	ck_assert_int_eq(a.place, 1);
	ck_assert_int_eq(a.n_fired, 1);
}
END_TEST

START_TEST(test_timer_canceled_by_another_that_is_due)
{
	struct alarm a = { 0 }, b = { 0 }, c = { 0 };

	alarm_set(&a, loop_now(loop));
	alarm_set(&b, loop_now(loop));
	alarm_set(&c, loop_now(loop));
	a.cancels = &b.timer;
	turn();
	ck_assert_int_eq(a.n_fired, 1);
	ck_assert_int_eq(b.n_fired, 0);
	ck_assert_int_eq(c.n_fired, 1);
}
END_TEST

/* Neither an endless turn, nor anybody who waits behind it. */
START_TEST(test_timer_set_by_fire_waits_for_next_turn)
{
	struct alarm a = { 0 }, b = { 0 };

	a.sets = &a.timer;
	alarm_set(&a, loop_now(loop));
	alarm_set(&b, loop_now(loop));
	turn();
	ck_assert_int_eq(a.n_fired, 1);
	ck_assert_int_eq(b.n_fired, 1);
	turn();
	ck_assert_int_eq(a.n_fired, 2);
	loop_timer_cancel(&a.timer);
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
}
END_TEST

static void alarm_free(struct loop_timer *timer)
{
	free(container_of(timer, struct alarm, timer));
	n_fired++;
}

START_TEST(test_timer_freed_by_fire)
{
	n_fired = 0;
	for (int i = 0; i < 40; i++) {
		struct alarm *alarm = calloc(1, sizeof(*alarm));

		alarm_set(alarm, loop_now(loop));
		alarm->timer.fire = alarm_free;
	}
	turn();
	ck_assert_int_eq(n_fired, 40);
}
END_TEST

START_TEST(test_timer_at_the_end_of_time)
{
	struct alarm never = { 0 }, soon_after = { 0 };

	alarm_set(&never, UINT64_MAX);
	alarm_set(&soon_after, soon(100));
	turn();
	ck_assert_int_eq(soon_after.n_fired, 1);
	ck_assert(loop_timer_armed(&never.timer));
	loop_timer_cancel(&never.timer);
}
END_TEST

static void drain(struct loop_watch *watch, uint32_t events)
{
	uint64_t n;

	ck_assert_int_eq(read(watch->fd, &n, sizeof(n)), sizeof(n));
}

START_TEST(test_now_is_the_monotonic_clock)
{
	struct alarm alarm = { 0 };
	struct timespec before, after;

	clock_gettime(CLOCK_MONOTONIC, &before);
	alarm_set(&alarm, soon(1000));
	turn();
	clock_gettime(CLOCK_MONOTONIC, &after);
	ck_assert_uint_ge(loop_now(loop),
			  (uint64_t)before.tv_sec * NSEC_PER_SEC + (uint64_t)before.tv_nsec);
	ck_assert_uint_le(loop_now(loop),
			  (uint64_t)after.tv_sec * NSEC_PER_SEC + (uint64_t)after.tv_nsec);
}
END_TEST

/* A day takes no time, and nothing happens between two timers. */
START_TEST(test_virtual_time_jumps)
{
	const uint64_t hour = 3600 * NSEC_PER_SEC;
	struct alarm alarm[24] = { 0 };

	ck_assert_uint_eq(loop_now(loop), NSEC_PER_SEC);
	for (unsigned int i = 0; i < 24; i++)
		alarm_set(&alarm[i], NSEC_PER_SEC + (i + 1) * hour);
	for (unsigned int i = 0; i < 24; i++) {
		turn();
		ck_assert_int_eq(alarm[i].n_fired, 1);
		ck_assert_uint_eq(loop_now(loop), NSEC_PER_SEC + (i + 1) * hour);
	}
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
}
END_TEST

static void nothing(struct loop_deferred *deferred)
{
}

START_TEST(test_virtual_time_stands_while_something_is_ready)
{
	struct loop_watch watch = { .ready = drain };
	struct loop_deferred deferred = { .run = nothing };
	struct alarm alarm = { 0 };
	int fd = eventfd(1, EFD_CLOEXEC);

	alarm_set(&alarm, soon(1000000));
	ck_assert_int_eq(loop_watch_add(loop, &watch, fd, POLLIN), 0);
	turn();
	ck_assert_uint_eq(loop_now(loop), NSEC_PER_SEC);
	loop_defer(loop, &deferred);
	turn();
	ck_assert_uint_eq(loop_now(loop), NSEC_PER_SEC);
	ck_assert_int_eq(alarm.n_fired, 0);
	turn();
	ck_assert_uint_eq(loop_now(loop), 2 * NSEC_PER_SEC);
	ck_assert_int_eq(alarm.n_fired, 1);
	loop_watch_remove(&watch);
	close(fd);
}
END_TEST

static void add_tests(TCase *tcase, enum loop_backend which)
{
	tcase_add_test(tcase, test_timer_fires_once_never_early);
	tcase_add_test(tcase, test_timer_of_the_past_fires_at_once);
	tcase_add_test(tcase, test_timer_order);
	tcase_add_test(tcase, test_timer_moves);
	tcase_add_test(tcase, test_timer_canceled_by_another_that_is_due);
	tcase_add_test(tcase, test_timer_set_by_fire_waits_for_next_turn);
	tcase_add_test(tcase, test_timer_freed_by_fire);
	tcase_add_test(tcase, test_timer_at_the_end_of_time);
	if (which == LOOP_VIRTUAL) {
		tcase_add_test(tcase, test_virtual_time_jumps);
		tcase_add_test(tcase, test_virtual_time_stands_while_something_is_ready);
	} else {
		tcase_add_test(tcase, test_now_is_the_monotonic_clock);
	}
}

int main(void)
{
	return run_on_backends("loop timers", add_tests);
}
