/* SPDX-License-Identifier: MIT */
/* What is known, and said, of requests that wait: the whole daemon on the emulated kernel. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/util/log.h"
#include "tests/lib/rig.h"
#include "tests/lib/run-suite.h"

/* The clock of this process can jump: what a loop sees that was held up. */
static uint64_t skew;

int clock_gettime(clockid_t id, struct timespec *ts);
int clock_gettime(clockid_t id, struct timespec *ts)
{
	int r = (int)syscall(SYS_clock_gettime, id, ts);

	if (id == CLOCK_MONOTONIC)
		ts->tv_sec += (time_t)(skew / SEC);
	return r;
}

/* ---- what was logged ---------------------------------------------------------------------- */

static int log_fd, saved_fd;
static char logged[64 * 1024];

static void setup(void)
{
	rig_setup();
	rig.config.slow_request = 5 * SEC;
	log_set_level(LOG_NOTICE);
	log_fd = memfd_create("log", MFD_CLOEXEC);
	saved_fd = dup(STDERR_FILENO);
	dup2(log_fd, STDERR_FILENO);
}

static void teardown(void)
{
	dup2(saved_fd, STDERR_FILENO);
	close(saved_fd);
	close(log_fd);
}

static const char *log_text(void)
{
	ssize_t n = pread(log_fd, logged, sizeof(logged) - 1, 0);

	ck_assert_int_ge(n, 0);
	logged[n] = '\0';
	return logged;
}

static unsigned int lines_with(const char *what)
{
	unsigned int n = 0;

	for (const char *at = log_text(); (at = strstr(at, what)); at++)
		n++;
	return n;
}

#define expect_line(what) ck_assert_msg(lines_with(what) == 1, "\"%s\" in:\n%s", what, log_text())

static struct engine_waiting oldest(void)
{
	struct engine_waiting w;

	ck_assert(engine_oldest(rig.engine, &w));
	return w;
}

static bool nobody_waits(void)
{
	struct engine_waiting w;

	return !engine_oldest(rig.engine, &w);
}

/* Time that a request has waited for when it has passed since it was sent. */
static uint64_t age(const struct engine_waiting *w)
{
	return loop_now(rig.loop) - w->since;
}

/* ---- the oldest --------------------------------------------------------------------------- */

START_TEST(opens_and_reads_are_in_one_order)
{
	struct fake_origin *a, *b;
	struct emu_mount *first, *second;
	struct emu_reader *reader;
	struct engine_waiting w;

	rig_begin();
	ck_assert(nobody_waits());
	a = rig_serve("a", 8 * MIB);
	b = rig_serve("b", 8 * MIB);
	first = rig_mount(a);
	a->stall_always = true;
	b->look_stalls = true;
	reader = emu_read(first, 4 * MIB, 4 * KIB);
	rig_run(SEC);
	second = rig_open(b);
	rig_run(SEC);
	w = oldest();
	ck_assert_int_eq(w.kind, ENGINE_REQUEST_READ);
	ck_assert(bytes_equal(w.cookie, bytes_str("a")));
	ck_assert_str_eq(w.source, "fake");
	ck_assert_uint_eq(w.off, 4 * MIB);
	ck_assert_int_eq(w.wait, ENGINE_WAIT_ORIGIN);
	ck_assert_uint_eq(age(&w), 2 * SEC);
	ck_assert_uint_eq(w.due - w.since, RIG_READ_DEADLINE);
	ck_assert_uint_eq(w.progress_at, 0);

	fake_unstall(rig.fake, a);
	ck_assert_int_eq(rig_finish(reader), 0);
	w = oldest();
	ck_assert_int_eq(w.kind, ENGINE_REQUEST_OPEN);
	ck_assert(bytes_equal(w.cookie, bytes_str("b")));
	ck_assert_int_eq(w.wait, ENGINE_WAIT_ORIGIN);
	ck_assert_uint_eq(w.due - w.since, RIG_OPEN_DEADLINE);

	rig_wait(emu_mount_state(second) == EMU_MOUNT_FAILED);
	ck_assert(nobody_waits());
	rig_end();
}
END_TEST

START_TEST(place_in_the_queue)
{
	struct fake_origin *a;
	struct emu_mount *m;
	struct engine_waiting w;

	rig.source.max_requests = 2;
	rig.config.readahead_max = 4 * KIB;
	rig_begin();
	a = rig_serve("a", 64 * MIB);
	m = rig_mount(a);
	a->stall_always = true;
	for (uint64_t i = 0; i < 2; i++)
		emu_read(m, (8 + 8 * i) * MIB, 4 * KIB);
	rig_run(SEC);
	a->stall_always = false;
	for (uint64_t i = 2; i < 5; i++)
		emu_read(m, (8 + 8 * i) * MIB, 4 * KIB);
	rig_run(29 * SEC);
	/* The two are answered, but their requests stay at the origin. */
	w = oldest();
	ck_assert_uint_eq(w.off, 24 * MIB);
	ck_assert_uint_eq(w.running, 2);
	ck_assert_uint_eq(w.ahead, 0);
	ck_assert_int_eq(w.wait, ENGINE_WAIT_QUEUED);
	fake_unstall(rig.fake, a);
	rig_wait(nobody_waits());
	rig_end();
}
END_TEST

START_TEST(no_buffers)
{
	struct emu_reader *readers[16];
	struct fake_origin *a;
	struct emu_mount *m;

	rig.config.buffers = MIB;
	rig.source.max_requests = 64;
	rig_begin();
	a = rig_serve("a", 64 * MIB);
	m = rig_mount(a);
	a->stall_always = true;
	for (uint64_t i = 0; i < 16; i++)
		readers[i] = emu_read(m, (8 + i) * MIB, 128 * KIB);
	rig_run(SEC);
	for (uint64_t i = 0; i < 16; i++)
		emu_kill_reader(readers[i]); /* its fetch goes on */
	rig_run(30 * SEC);
	a->stall_always = false;
	emu_read(m, 32 * MIB, 128 * KIB);
	rig_run(11 * SEC);
	ck_assert_int_eq(oldest().wait, ENGINE_WAIT_BUFFERS);
	expect_line("there are no buffers for it");
	fake_unstall(rig.fake, a);
	rig_wait(nobody_waits());
	rig_end();
}
END_TEST

/* ---- warnings ------------------------------------------------------------------------------ */

START_TEST(warning_comes_at_a_third_of_the_deadline)
{
	struct fake_origin *a;
	struct emu_reader *reader;

	rig_begin();
	a = rig_serve("a", 8 * MIB);
	a->stall_at = 4 * MIB + 64 * KIB;
	reader = emu_read(rig_mount(a), 4 * MIB, 128 * KIB);
	rig_run(9 * SEC);
	ck_assert_uint_eq(lines_with("waits for"), 0);
	rig_run(2 * SEC);
	expect_line("erofs,v/a: a read of 131072 bytes at 4194304 (source \"fake\") waits for 10.0 "
		    "s, and fails in 20.0 s: the origin has been asked 10.0 s ago, the last bytes "
		    "came 10.0 s ago (65536 of");
	ck_assert_int_eq(rig_finish(reader), -EIO);
	rig_end();
}
END_TEST

START_TEST(an_open_is_warned_of_as_well)
{
	struct fake_origin *a;
	struct emu_mount *m;

	rig_begin();
	a = rig_serve("a", 8 * MIB);
	a->look_stalls = true;
	m = rig_open(a);
	rig_wait(emu_mount_state(m) == EMU_MOUNT_FAILED);
	expect_line("erofs,v/a: an open (source \"fake\") waits for 3.3 s, and fails in 6.7 s: the "
		    "origin has been asked 3.3 s ago\n");
	rig_end();
}
END_TEST

START_TEST(warnings_are_few)
{
	struct fake_origin *a;
	struct emu_mount *m;

	rig_begin();
	a = rig_serve("a", 64 * MIB);
	m = rig_mount(a);
	a->stall_always = true;
	for (uint64_t i = 0; i < 200; i++)
		emu_read(m, MIB + i * 256 * KIB, 4 * KIB);
	rig_run(15 * SEC);
	ck_assert_uint_eq(lines_with("waits for"), 1);
	rig_run(6 * SEC);
	ck_assert_uint_eq(lines_with("waits for"), 1);
	expect_line("199 more requests waited for long in the last 10 s");
	fake_unstall(rig.fake, a);
	rig_wait(nobody_waits());
	rig_end();
}
END_TEST

/* ---- slow ones ------------------------------------------------------------------------------ */

START_TEST(slow_read_is_told_of_with_its_parts)
{
	struct fake_origin *a, *b;
	struct emu_mount *m;
	struct emu_reader *reader;

	rig.source.max_requests = 1;
	rig_begin();
	a = rig_serve("a", 8 * MIB);
	b = rig_serve("b", 8 * MIB);
	m = rig_mount(b);
	rig_mount(a);
	a->delay = 4 * SEC;
	b->delay = 3 * SEC;
	emu_read(emu_open(rig.emu, RIG_VOLUME, "a", &a->bytes), 4 * MIB, 4 * KIB);
	rig_run(SEC);
	reader = emu_read(m, 4 * MIB, 4 * KIB);
	ck_assert_int_eq(rig_finish(reader), 0);
	expect_line(
		"erofs,v/b: a read of 4096 bytes at 4194304 (source \"fake\") took 6.0 s: 3.0 s "
		"in the queue, 3.0 s at the origin, 0.0 s to be written, 0.0 s for other "
		"reasons");
	rig_end();
}
END_TEST

START_TEST(time_to_write_is_told)
{
	struct fake_origin *a;
	struct emu_mount *m;

	rig.config.slow_request = 100 * MS;
	rig_begin();
	a = rig_serve("a", 8 * MIB);
	m = rig_mount(a);
	rig_run(SEC);
	a->delay = SEC;
	emu_fail_writes(rig.emu, 9, 0, ENOBUFS); /* each is tried again, 511 ms in all */
	ck_assert_int_eq(rig_read(m, 4 * MIB, 4 * KIB), 0);
	expect_line("took 1.5 s: 0.0 s in the queue, 1.0 s at the origin, 0.5 s to be written");
	rig_end();
}
END_TEST

START_TEST(slow_open_is_told_of)
{
	struct fake_origin *a;

	rig_begin();
	a = rig_serve("a", 8 * MIB);
	a->look_delay = 7 * SEC;
	rig_mount(a);
	expect_line("erofs,v/a: an open (source \"fake\") took 7.0 s: 0.0 s in the queue, 7.0 s at "
		    "the origin");
	rig_end();
}
END_TEST

START_TEST(what_is_quick_enough_is_not_told)
{
	struct fake_origin *a;
	struct emu_mount *m;

	rig.config.slow_request = _i ? 0 : 5 * SEC;
	rig_begin();
	a = rig_serve("a", 8 * MIB);
	a->delay = _i ? 9 * SEC : 4 * SEC;
	m = rig_mount(a);
	ck_assert_int_eq(rig_read(m, 4 * MIB, 4 * KIB), 0);
	ck_assert_uint_eq(lines_with("took"), 0);
	rig_end();
}
END_TEST

/* ---- the loop ------------------------------------------------------------------------------- */

START_TEST(held_up_loop_is_told_of_once)
{
	struct fake_origin *a;
	struct emu_mount *m;
	struct emu_reader *reader;

	rig.backend = LOOP_POLL;
	rig.source.read_deadline = 3600 * SEC;
	rig.kernel.read_deadline = 0;
	rig_begin();
	a = rig_serve("a", 8 * MIB);
	m = rig_mount(a);
	a->stall_always = true;
	reader = emu_read(m, 4 * MIB, 4 * KIB);
	rig_wait(!nobody_waits());
	skew += 100 * SEC;
	rig_wait(lines_with("the daemon did nothing for") == 1);
	skew += 100 * SEC;
	rig_wait(lines_with("the daemon did nothing for") == 2);
	fake_unstall(rig.fake, a);
	ck_assert_int_eq(rig_finish(reader), 0);
	rig_end();
	ck_assert_uint_eq(lines_with("the daemon did nothing for"), 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("waiting");
	TCase *tc = tcase_create("waiting");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, opens_and_reads_are_in_one_order);
	tcase_add_test(tc, place_in_the_queue);
	tcase_add_test(tc, no_buffers);
	tcase_add_test(tc, warning_comes_at_a_third_of_the_deadline);
	tcase_add_test(tc, an_open_is_warned_of_as_well);
	tcase_add_test(tc, warnings_are_few);
	tcase_add_test(tc, slow_read_is_told_of_with_its_parts);
	tcase_add_test(tc, time_to_write_is_told);
	tcase_add_test(tc, slow_open_is_told_of);
	tcase_add_loop_test(tc, what_is_quick_enough_is_not_told, 0, 2);
	tcase_add_test(tc, held_up_loop_is_told_of_once);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
