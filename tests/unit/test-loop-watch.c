/* SPDX-License-Identifier: MIT */
/* The loop's watches. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/loop-backends.h"

#define MANY 1500 /* more than completions fit into the ring */

struct guard {
	struct loop_watch watch;
	uint32_t events; /* of the last call */
	int n_ready;
	bool reads;		 /* one byte per call */
	struct loop_watch *kill; /* removed and freed by the call */
	int modify_to;		 /* by the call; -1: not */
};

static void guard_ready(struct loop_watch *watch, uint32_t events)
{
	struct guard *guard = container_of(watch, struct guard, watch);
	struct loop_watch *kill;
	char c;

	guard->n_ready++;
	guard->events = events;
	if (guard->reads)
		ck_assert_int_eq(read(watch->fd, &c, 1), 1);
	if (guard->modify_to >= 0)
		ck_assert_int_eq(loop_watch_modify(watch, (uint32_t)guard->modify_to), 0);
	kill = guard->kill;
	guard->kill = NULL;
	if (kill) {
		loop_watch_remove(kill);
		free(container_of(kill, struct guard, watch)); /* maybe guard itself */
	}
}

static struct guard guard_of(void)
{
	return (struct guard){ .watch.ready = guard_ready, .modify_to = -1 };
}

static void guard_add(struct guard *guard, int fd, uint32_t events)
{
	ck_assert_int_eq(loop_watch_add(loop, &guard->watch, fd, events), 0);
}

static void pair(int fds[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
			 0);
}

static void close_both(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

/* Until nothing can be written any more. */
static void stuff(int fd)
{
	char block[4096] = { 0 };

	while (write(fd, block, sizeof(block)) > 0)
		;
	ck_assert_int_eq(errno, EAGAIN);
}

static void drain(int fd)
{
	char block[4096];

	while (read(fd, block, sizeof(block)) > 0)
		;
}

static bool fired;

static void on_fire(struct loop_timer *timer)
{
	fired = true;
}

/* Turns for so long, which also arms what waits to be armed. Returns the number of turns. */
static int turn_for(uint64_t msec)
{
	struct loop_timer timer = { .fire = on_fire };
	int n = 0;

	fired = false;
	loop_timer_set(loop, &timer, loop_now(loop) + msec * NSEC_PER_MSEC);
	for (; !fired; n++)
		turn();
	return n;
}

START_TEST(test_watch_is_level_triggered)
{
	struct guard guard = guard_of();
	int fds[2];

	pair(fds);
	guard_add(&guard, fds[0], POLLIN);
	ck_assert_int_eq(write(fds[1], "abc", 3), 3);
	guard.reads = true;
	for (int i = 1; i <= 3; i++) {
		turn();
		ck_assert_int_eq(guard.n_ready, i);
		ck_assert_uint_eq(guard.events, POLLIN);
	}
	turn_for(5);
	ck_assert_int_eq(guard.n_ready, 3);
	ck_assert_int_eq(write(fds[1], "d", 1), 1);
	turn();
	ck_assert_int_eq(guard.n_ready, 4);
	loop_watch_remove(&guard.watch);
	close_both(fds);
}
END_TEST

START_TEST(test_watch_reports_what_it_asks_for)
{
	struct guard guard = guard_of();
	int fds[2];

	pair(fds);
	ck_assert_int_eq(write(fds[1], "a", 1), 1);
	guard_add(&guard, fds[0], POLLOUT);
	turn();
	ck_assert_uint_eq(guard.events, POLLOUT);
	ck_assert_int_eq(loop_watch_modify(&guard.watch, POLLIN), 0);
	turn();
	ck_assert_uint_eq(guard.events, POLLIN);
	ck_assert_int_eq(loop_watch_modify(&guard.watch, POLLIN | POLLOUT), 0);
	turn();
	ck_assert_uint_eq(guard.events, POLLIN | POLLOUT);
	loop_watch_remove(&guard.watch);
	close_both(fds);
}
END_TEST

START_TEST(test_watch_parked)
{
	struct guard guard = guard_of();
	int fds[2];

	pair(fds);
	guard_add(&guard, fds[0], 0);
	ck_assert_int_eq(write(fds[1], "a", 1), 1);
	close(fds[1]);
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
	ck_assert_int_eq(loop_watch_modify(&guard.watch, POLLIN), 0);
	turn();
	ck_assert_int_eq(guard.n_ready, 1);
	ck_assert_int_eq(loop_watch_modify(&guard.watch, 0), 0);
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
	ck_assert_int_eq(guard.n_ready, 1);
	loop_watch_remove(&guard.watch);
	close(fds[0]);
}
END_TEST

START_TEST(test_watch_parks_itself)
{
	struct guard guard = guard_of();
	int fds[2];

	pair(fds);
	guard_add(&guard, fds[0], POLLOUT);
	guard.modify_to = 0;
	turn();
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
	ck_assert_int_eq(guard.n_ready, 1);
	loop_watch_remove(&guard.watch);
	close_both(fds);
}
END_TEST

/* What it is changed to is there already; what it waited for comes no more, or later. */
START_TEST(test_watch_modified_while_armed)
{
	struct guard guard = guard_of();
	int fds[2];

	pair(fds);
	for (int i = 1; i <= 20; i++) {
		if (i == 1)
			guard_add(&guard, fds[0], POLLIN);
		turn_for(1);
		ck_assert_int_eq(guard.n_ready, i - 1);
		ck_assert_int_eq(loop_watch_modify(&guard.watch, POLLOUT), 0);
		turn();
		ck_assert_int_eq(guard.n_ready, i);
		ck_assert_uint_eq(guard.events, POLLOUT);
		ck_assert_int_eq(loop_watch_modify(&guard.watch, POLLIN), 0);
	}
	turn_for(1);
	ck_assert_int_eq(loop_watch_modify(&guard.watch, 0), 0);
	ck_assert_int_eq(write(fds[1], "a", 1), 1);
	turn_for(1);
	ck_assert_int_eq(guard.n_ready, 20);
	ck_assert_int_eq(loop_watch_modify(&guard.watch, POLLIN), 0);
	turn();
	ck_assert_int_eq(guard.n_ready, 21);
	ck_assert_uint_eq(guard.events, POLLIN);
	loop_watch_remove(&guard.watch);
	close_both(fds);
}
END_TEST

START_TEST(test_watch_removed_before_it_is_called)
{
	struct guard guard = guard_of();
	int fds[2];

	pair(fds);
	guard_add(&guard, fds[0], POLLOUT);
	loop_watch_remove(&guard.watch);
	loop_watch_remove(&guard.watch);
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
	guard_add(&guard, fds[0], POLLIN);
	turn_for(1);
	ck_assert_int_eq(write(fds[1], "a", 1), 1);
	loop_watch_remove(&guard.watch);
	turn_for(1);
	ck_assert_int_eq(guard.n_ready, 0);
	close_both(fds);
}
END_TEST

START_TEST(test_watch_removed_and_freed_by_its_call)
{
	struct guard *guard = malloc(sizeof(*guard));
	int fds[2];

	pair(fds);
	*guard = guard_of();
	guard->kill = &guard->watch;
	guard_add(guard, fds[0], POLLOUT);
	turn();
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
	close_both(fds);
}
END_TEST

/* Both are ready in one turn; whichever is called first ends the other. */
START_TEST(test_watch_removed_and_freed_by_other_of_its_batch)
{
	struct guard *guard[2];
	int fds[2];

	pair(fds);
	for (int i = 0; i < 2; i++) {
		guard[i] = malloc(sizeof(*guard[i]));
		*guard[i] = guard_of();
		guard_add(guard[i], fds[i], POLLOUT);
	}
	guard[0]->kill = &guard[1]->watch;
	guard[1]->kill = &guard[0]->watch;
	turn();
	for (int i = 0; i < 2; i++) {
		if (guard[i]->kill)
			continue;
		loop_watch_remove(&guard[i]->watch);
		free(guard[i]);
		break;
	}
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
	close_both(fds);
}
END_TEST

START_TEST(test_watch_added_again_at_once)
{
	struct guard guard = guard_of();
	int fds[2];

	pair(fds);
	guard_add(&guard, fds[0], POLLIN);
	turn_for(1);
	for (int i = 0; i < 20; i++) {
		loop_watch_remove(&guard.watch);
		guard_add(&guard, fds[0], POLLIN);
		if (i % 2)
			turn_for(1);
	}
	ck_assert_int_eq(guard.n_ready, 0);
	ck_assert_int_eq(write(fds[1], "a", 1), 1);
	guard.reads = true;
	turn();
	turn_for(1);
	ck_assert_int_eq(guard.n_ready, 1);
	loop_watch_remove(&guard.watch);
	close_both(fds);
}
END_TEST

/* The number of a closed descriptor comes back for another file in the same turn. */
START_TEST(test_watch_on_recycled_descriptor)
{
	struct guard guard = guard_of();
	int old[2], new[2], fd;

	pair(old);
	pair(new);
	guard_add(&guard, old[0], POLLIN);
	turn_for(1);
	loop_watch_remove(&guard.watch);
	fd = old[0];
	ck_assert_int_eq(dup2(new[0], fd), fd);
	guard_add(&guard, fd, POLLIN);
	ck_assert_int_eq(write(new[1], "a", 1), 1);
	guard.reads = true;
	turn();
	ck_assert_int_eq(guard.n_ready, 1);
	turn_for(1);
	ck_assert_int_eq(guard.n_ready, 1);
	/* Nothing holds the old file any more. */
	ck_assert_int_eq(recv(old[1], &fd, 1, MSG_DONTWAIT), 0);
	loop_watch_remove(&guard.watch);
	close_both(old);
	close_both(new);
}
END_TEST

START_TEST(test_watch_hangup_and_error)
{
	struct guard guard = guard_of();
	int fds[2];

	pair(fds);
	guard_add(&guard, fds[0], POLLIN);
	turn_for(1);
	close(fds[1]);
	turn();
	ck_assert_uint_eq(guard.events, POLLIN | POLLHUP);
	loop_watch_remove(&guard.watch);
	close(fds[0]);

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	stuff(fds[1]);
	guard_add(&guard, fds[1], POLLOUT);
	turn_for(1);
	close(fds[0]);
	turn();
	ck_assert_uint_eq(guard.events & POLLERR, POLLERR);
	loop_watch_remove(&guard.watch);
	close(fds[1]);
}
END_TEST

START_TEST(test_watch_on_no_descriptor)
{
	struct guard guard = guard_of();
	int fd = eventfd(0, EFD_CLOEXEC);

	close(fd);
	guard_add(&guard, fd, POLLIN);
	turn();
	ck_assert_uint_eq(guard.events, POLLNVAL);
	loop_watch_remove(&guard.watch);
}
END_TEST

static void allow_descriptors(rlim_t n)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_uint_ge(limit.rlim_max, n);
	if (limit.rlim_cur < n)
		limit.rlim_cur = n;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

START_TEST(test_watch_many)
{
	struct guard *guard = calloc(MANY, sizeof(*guard));
	int fd = eventfd(0, EFD_CLOEXEC);
	uint64_t one = 1;
	bool all = false;

	allow_descriptors(MANY + 100);
	for (int i = 0; i < MANY; i++) {
		guard[i] = guard_of();
		guard[i].modify_to = 0;
		guard_add(&guard[i], dup(fd), POLLIN);
	}
	turn_for(1);
	ck_assert_int_eq(write(fd, &one, sizeof(one)), sizeof(one));
	while (!all) {
		all = true;
		turn();
		for (int i = 0; i < MANY; i++)
			all = all && guard[i].n_ready == 1;
	}
	for (int i = 0; i < MANY; i++)
		ck_assert_uint_eq(guard[i].events, POLLIN);
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
	for (int i = 0; i < MANY; i++) {
		loop_watch_remove(&guard[i].watch);
		close(guard[i].watch.fd);
	}
	close(fd);
	free(guard);
}
END_TEST

/* The peer has said all it will say, and does not read: that must not turn the loop in circles. */
START_TEST(test_watch_for_writing_to_half_closed_peer)
{
	struct guard guard = guard_of();
	int fds[2];

	pair(fds);
	stuff(fds[0]);
	guard_add(&guard, fds[0], POLLOUT);
	turn_for(1);
	ck_assert_int_eq(shutdown(fds[1], SHUT_WR), 0);
	ck_assert_int_lt(turn_for(50), 20);
	ck_assert_int_eq(guard.n_ready, 0);
	drain(fds[1]);
	while (guard.n_ready == 0)
		turn();
	ck_assert_uint_eq(guard.events, POLLOUT);
	/* Once more, and it is removed while nothing is armed. */
	stuff(fds[0]);
	turn_for(5);
	loop_watch_remove(&guard.watch);
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
	close_both(fds);
}
END_TEST

/* The fixture frees the loop at once: no turn is needed in between. */
START_TEST(test_watch_removed_at_the_end)
{
	struct guard guard = guard_of();
	int fds[2];

	pair(fds);
	guard_add(&guard, fds[0], POLLIN);
	turn_for(1);
	loop_watch_remove(&guard.watch);
	guard_add(&guard, fds[0], POLLIN);
	loop_watch_remove(&guard.watch);
	close_both(fds);
}
END_TEST

static void add_tests(TCase *tcase, enum loop_backend which)
{
	tcase_add_test(tcase, test_watch_is_level_triggered);
	tcase_add_test(tcase, test_watch_reports_what_it_asks_for);
	tcase_add_test(tcase, test_watch_parked);
	tcase_add_test(tcase, test_watch_parks_itself);
	tcase_add_test(tcase, test_watch_modified_while_armed);
	tcase_add_test(tcase, test_watch_removed_before_it_is_called);
	tcase_add_test(tcase, test_watch_removed_and_freed_by_its_call);
	tcase_add_test(tcase, test_watch_removed_and_freed_by_other_of_its_batch);
	tcase_add_test(tcase, test_watch_added_again_at_once);
	tcase_add_test(tcase, test_watch_on_recycled_descriptor);
	tcase_add_test(tcase, test_watch_hangup_and_error);
	tcase_add_test(tcase, test_watch_on_no_descriptor);
	tcase_add_test(tcase, test_watch_many);
	tcase_add_test(tcase, test_watch_for_writing_to_half_closed_peer);
	tcase_add_test(tcase, test_watch_removed_at_the_end);
}

int main(void)
{
	return run_on_backends("loop watches", add_tests);
}
