/* SPDX-License-Identifier: MIT */
/*
 * Clocks that jump. Somebody sets the clock of the wall: nothing that the daemon waits for, or
 * remembers for a while, goes by that one. And the machine stood still: all that was due meanwhile
 * is answered, once, and what comes later is served.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "fetchers/retry.h"
#include "tests/lib/rig.h"
#include "tests/lib/run-suite.h"

#define YEAR ((time_t)365 * 24 * 3600)
#define LONG ((time_t)1800) /* libcheck measures by that clock, and no more than 2147 s */

/* ---- clocks, as all of this program sees them ------------------------------------------------ */

static time_t wall_ahead, machine_ahead; /* s */

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
time_t __real_time(time_t *ret);
time_t __wrap_time(time_t *ret);

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int r = __real_clock_gettime(id, ts);

	if (r == 0)
		ts->tv_sec += id == CLOCK_MONOTONIC ? machine_ahead : wall_ahead;
	return r;
}

time_t __wrap_time(time_t *ret)
{
	time_t now = __real_time(NULL) + wall_ahead;

	if (ret)
		*ret = now;
	return now;
}

static void teardown(void)
{
	rig_end();
	wall_ahead = machine_ahead = 0;
}

/* ---- the wall's ------------------------------------------------------------------------------ */

static const time_t jumps[] = { 0, YEAR, -YEAR };

#define JUMPS ((int)(sizeof(jumps) / sizeof(jumps[0])))

static struct fetcher *add_retry(struct fetcher *next)
{
	const struct retry_config config = {
		.retries = 5,
		.backoff = 200 * MS,
		.backoff_max = 5 * SEC,
		.seed = 1,
	};
	struct fetcher *fetcher = NULL;

	ck_assert_int_eq(retry_new(&fetcher, rig.loop, next, &config), 0);
	return fetcher;
}

static void begin_by_the_wall(void)
{
	rig_setup();
	rig.source.negative_ttl = 10 * SEC;
	rig.source.positive_ttl = 60 * SEC;
	rig.front = add_retry;
	rig_begin();
}

static int open_error(const struct fake_origin *origin)
{
	struct emu_mount *mount = rig_open(origin);

	rig_wait(emu_mount_state(mount) != EMU_MOUNT_OPENING);
	return emu_mount_error(mount);
}

START_TEST(deadlines_do_not_go_by_the_wall)
{
	struct fake_origin *origin;
	struct emu_reader *reader;
	struct emu_mount *mount;

	begin_by_the_wall();
	origin = rig_serve("blob", 4 * MIB);
	mount = rig_mount(origin);
	origin->stall_always = true;
	reader = emu_read_pages(mount, MIB, 4096);
	rig_run(RIG_READ_DEADLINE / 2);
	wall_ahead = jumps[_i];
	rig_run(RIG_READ_DEADLINE / 2 - SEC);
	ck_assert(rig_waiting(reader));
	ck_assert_int_eq(rig_finish(reader), -EIO);
	ck_assert_uint_eq(emu_reader_waited(reader), RIG_READ_DEADLINE);
}
END_TEST

/* How long an origin that is out of order is tried. */
static uint64_t time_of_tries(time_t jump)
{
	struct fake_origin *origin;
	struct emu_reader *reader;
	struct emu_mount *mount;
	uint64_t waited;

	begin_by_the_wall();
	origin = rig_serve("blob", 4 * MIB);
	mount = rig_mount(origin);
	origin->read_error = -ECONNREFUSED;
	origin->fail_always = true;
	reader = emu_read_pages(mount, MIB, 4096);
	rig_run(10 * MS);
	wall_ahead = jump;
	ck_assert_int_eq(rig_finish(reader), -EIO);
	ck_assert_uint_eq(origin->reads, 6);
	waited = emu_reader_waited(reader);
	rig_umount(mount);
	teardown();
	return waited;
}

START_TEST(tries_do_not_go_by_the_wall)
{
	uint64_t waited = time_of_tries(0);

	for (int i = 0; i < JUMPS; i++)
		ck_assert_uint_eq(time_of_tries(jumps[i]), waited);
	begin_by_the_wall();
}
END_TEST

START_TEST(names_do_not_go_by_the_wall)
{
	struct fake_origin *absent, *present;

	begin_by_the_wall();
	absent = rig_serve("absent", MIB);
	present = rig_serve("present", MIB);
	absent->look_error = -ENOENT;
	ck_assert_int_eq(open_error(absent), -ENOENT);
	rig_umount(rig_mount(present));
	rig_run(9 * SEC);
	wall_ahead = jumps[_i];
	ck_assert_int_eq(open_error(absent), -ENOENT);
	rig_umount(rig_mount(present));
	ck_assert_uint_eq(absent->looks, 1);
	ck_assert_uint_eq(engine_stats(rig.engine).remembered, 2);
	rig_run(2 * SEC);
	absent->look_error = 0;
	rig_umount(rig_mount(absent));
	ck_assert_uint_eq(absent->looks, 2);
}
END_TEST

/* ---- the machine's --------------------------------------------------------------------------- */

/* The oracle's deadlines are over with the jump, whoever answers when. */
static void begin_by_the_machine(void)
{
	rig_setup();
	rig.backend = LOOP_POLL;
	rig.kernel.open_deadline = rig.kernel.read_deadline = 0;
	rig.front = add_retry;
	rig_begin();
}

static void turn_while(bool (*cond)(const void *arg), const void *arg)
{
	while (cond(arg))
		ck_assert_int_eq(loop_turn(rig.loop), 0);
}

static bool is_waiting(const void *arg)
{
	return rig_waiting(arg);
}

static bool is_opening(const void *arg)
{
	return emu_mount_state(arg) == EMU_MOUNT_OPENING;
}

static bool is_not_asked(const void *arg)
{
	const struct fake_origin *origin = arg;

	return origin->looks == 0 || (origin->stall_always && origin->reads == 0);
}

START_TEST(all_that_was_due_is_answered_once)
{
	struct fake_origin *origin, *other;
	struct emu_reader *reader, *late;
	struct emu_mount *mount, *opening;

	begin_by_the_machine();
	origin = rig_serve("blob", 4 * MIB);
	other = rig_serve("other", MIB);
	mount = rig_mount(origin);
	origin->stall_always = other->look_stalls = true;
	reader = emu_read_pages(mount, MIB, 4096);
	opening = rig_open(other);
	turn_while(is_not_asked, origin);
	turn_while(is_not_asked, other);
	machine_ahead = LONG;
	turn_while(is_waiting, reader);
	ck_assert_int_eq(emu_reader_error(reader), -EIO);
	turn_while(is_opening, opening);
	ck_assert_int_eq(emu_mount_error(opening), -ETIMEDOUT);
	fake_unstall(rig.fake, origin);
	fake_unstall(rig.fake, other);
	late = emu_read(mount, MIB, 128 * KIB);
	turn_while(is_waiting, late);
	ck_assert_int_eq(emu_reader_error(late), 0);
	rig_umount(rig_mount(other));
	ck_assert_uint_eq(emu_counters(rig.emu).unanswered, 0);
	rig_umount(mount);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("clocks");
	TCase *t = tcase_create("clocks");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_loop_test(t, deadlines_do_not_go_by_the_wall, 0, JUMPS);
	tcase_add_test(t, tries_do_not_go_by_the_wall);
	tcase_add_loop_test(t, names_do_not_go_by_the_wall, 0, JUMPS);
	tcase_add_test(t, all_that_was_due_is_answered_once);
	suite_add_tcase(s, t);
	return run_suite(s);
}
