/* SPDX-License-Identifier: MIT */
/* The loop: turns, deferred calls, signals. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "tests/unit/loop-backends.h"

/* ---- deferred --------------------------------------------------------------------------- */

struct note {
	struct loop_deferred deferred;
	struct loop_deferred *defers, *cancels;
	char letter;
};

static char story[100];

static void tell(char letter)
{
	size_t n = strlen(story);

	ck_assert_uint_lt(n + 1, sizeof(story));
	story[n] = letter;
	story[n + 1] = '\0';
}

static void note_run(struct loop_deferred *deferred)
{
	struct note *note = container_of(deferred, struct note, deferred);

	tell(note->letter);
	if (note->defers)
		loop_defer(loop, note->defers);
	if (note->cancels)
		loop_defer_cancel(loop, note->cancels);
}

static struct note note_of(char letter)
{
	story[0] = '\0';
	return (struct note){ .deferred.run = note_run, .letter = letter };
}

START_TEST(test_deferred_once_and_in_order)
{
	struct note a = note_of('a'), b = note_of('b'), c = note_of('c');

	loop_defer(loop, &b.deferred);
	loop_defer(loop, &a.deferred);
	loop_defer(loop, &b.deferred);
	loop_defer(loop, &c.deferred);
	loop_defer_cancel(loop, &a.deferred);
	loop_defer_cancel(loop, &a.deferred);
	ck_assert_str_eq(story, "");
	turn();
	ck_assert_str_eq(story, "bc");
	loop_defer(loop, &a.deferred);
	turn();
	ck_assert_str_eq(story, "bca");
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
}
END_TEST

START_TEST(test_deferred_by_deferred_runs_soon_and_no_turn_is_endless)
{
	struct note a = note_of('a'), b = note_of('b'), c = note_of('c');

	a.defers = &a.deferred;
	b.cancels = &c.deferred;
	loop_defer(loop, &a.deferred);
	loop_defer(loop, &b.deferred);
	loop_defer(loop, &c.deferred);
	turn();
	ck_assert_msg(strncmp(story, "aba", 3) == 0, "%s", story);
	ck_assert_uint_lt(strlen(story), 16);
	loop_defer_cancel(loop, &a.deferred);
}
END_TEST

/* ---- turn ------------------------------------------------------------------------------- */

static struct note *deferred_by_others;

static void order_done(struct loop_op *op, int res)
{
	tell('o');
	loop_defer(loop, &deferred_by_others->deferred);
}

static void order_ready(struct loop_watch *watch, uint32_t events)
{
	tell('w');
	loop_watch_remove(watch);
}

static void order_fire(struct loop_timer *timer)
{
	tell('t');
	loop_stop(loop);
}

START_TEST(test_turn_order_and_stop)
{
	struct note first = note_of('1'), last = note_of('2');
	struct loop_op op = { .done = order_done };
	struct loop_watch watch = { .ready = order_ready };
	struct loop_timer timer = { .fire = order_fire };
	int fds[2];
	char byte;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	deferred_by_others = &last;
	loop_defer(loop, &first.deferred);
	loop_timer_set(loop, &timer, loop_now(loop));
	loop_watch_add(loop, &watch, fds[1], POLLOUT);
	loop_pread(loop, &op, fds[0], &byte, 1, 0);
	loop_op_cancel(loop, &op);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_str_eq(story, "owt12");
	/* A stop is used up by one run, also one that came before. */
	loop_stop(loop);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(loop_run(loop), -EDEADLK);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(test_free_takes_null)
{
	ck_assert_ptr_null(loop_free(NULL));
}
END_TEST

/* ---- signals ---------------------------------------------------------------------------- */

static int caught_usr1, caught_usr2, remove_on;

static void on_caught(struct loop_signal *sig, int signo)
{
	caught_usr1 += signo == SIGUSR1;
	caught_usr2 += signo == SIGUSR2;
	if (signo == remove_on)
		loop_signal_remove(sig);
}

START_TEST(test_signals)
{
	static const int signos[] = { SIGUSR1, SIGUSR2 };
	struct loop_signal sig = { .caught = on_caught };
	sigset_t before, now;

	caught_usr1 = caught_usr2 = 0;
	remove_on = SIGUSR2;
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	ck_assert_int_eq(loop_signal_add(loop, &sig, signos, 2), 0);
	raise(SIGUSR1);
	ck_assert_int_eq(caught_usr1, 0);
	turn();
	ck_assert_int_eq(caught_usr1, 1);
	raise(SIGUSR2);
	raise(SIGUSR1);
	while (caught_usr2 == 0)
		turn();
	ck_assert_int_eq(caught_usr1, 2);
	ck_assert_int_eq(caught_usr2, 1);
	loop_signal_remove(&sig);
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	ck_assert_int_eq(sigismember(&now, SIGUSR1), 1);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}
END_TEST

START_TEST(test_signal_that_does_not_exist)
{
	static const int signos[] = { 1000 };
	struct loop_signal sig = { .caught = on_caught };

	ck_assert_int_eq(loop_signal_add(loop, &sig, signos, 1), -EINVAL);
	loop_signal_remove(&sig);
}
END_TEST

static void add_tests(TCase *tcase, enum loop_backend which)
{
	tcase_add_test(tcase, test_deferred_once_and_in_order);
	tcase_add_test(tcase, test_deferred_by_deferred_runs_soon_and_no_turn_is_endless);
	tcase_add_test(tcase, test_turn_order_and_stop);
	tcase_add_test(tcase, test_free_takes_null);
	tcase_add_test(tcase, test_signals);
	tcase_add_test(tcase, test_signal_that_does_not_exist);
}

int main(void)
{
	return run_on_backends("loop", add_tests);
}
