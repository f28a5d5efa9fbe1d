/* SPDX-License-Identifier: MIT */
/*
 * What readers notice of a job: one fetch at most.
 */
#include <check.h>
#include <errno.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/prefetch-fixture.h"

static void setup(void)
{
	rig_setup();
}

/* ---- readers go first --------------------------------------------------------------------- */

/* Nobody was served later than without the job but by the one fetch that was at the origin. */
START_TEST(a_reader_waits_for_one_fetch_at_most)
{
	struct fake_origin *origin;
	struct emu_reader *reader;
	struct emu_mount *mount;
	uint64_t job;

	rig.source.max_requests = 1;
	origin = jobs_begin_slow(32 * MIB, 100 * MS);
	mount = rig_mount(origin);
	job = jobs_fetch_all("blob");
	rig_run(250 * MS); /* in the middle of the third */
	ck_assert_uint_eq(fake_running(rig.fake), 1);
	reader = emu_read(mount, 20 * MIB, 64 * KIB);
	ck_assert_int_eq(rig_finish(reader), 0);
	ck_assert_uint_eq(emu_reader_waited(reader), 150 * MS);
	ck_assert_int_eq(jobs_state(job), PREFETCH_RUNNING);
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	jobs_assert_whole(origin);
	rig_umount(mount);
	jobs_end();
}
END_TEST

START_TEST(a_reader_finds_a_request_free)
{
	struct fake_origin *origin;
	struct emu_reader *reader;
	struct emu_mount *mount;

	origin = jobs_begin_slow(64 * MIB, 100 * MS);
	mount = rig_mount(origin);
	jobs_fetch_all("blob");
	jobs_fetch_all("blob");
	rig_run(150 * MS);
	ck_assert_uint_eq(fake_running(rig.fake), rig.source.max_requests / 2);
	reader = emu_read(mount, 40 * MIB, 64 * KIB);
	ck_assert_int_eq(rig_finish(reader), 0);
	ck_assert_uint_eq(emu_reader_waited(reader), 100 * MS);
	rig_umount(mount);
	jobs_end();
}
END_TEST

START_TEST(nothing_begins_while_a_reader_waits)
{
	struct fake_origin *origin, *slow;
	struct emu_reader *reader;
	struct emu_mount *mount, *other;
	unsigned int reads;
	uint64_t job;

	origin = jobs_begin_slow(32 * MIB, 10 * MS);
	slow = rig_serve("slow", MIB);
	slow->delay = 5 * SEC;
	mount = rig_mount(origin);
	other = rig_mount(slow);
	reader = emu_read(other, 512 * KIB, 4 * KIB);
	rig_run(MS);
	job = jobs_fetch_all("blob");
	rig_run(4 * SEC);
	ck_assert_uint_eq(origin->reads, 0);
	ck_assert_int_eq(jobs_state(job), PREFETCH_PAUSED);
	ck_assert_int_eq(rig_finish(reader), 0);
	rig_run(15 * MS);
	reads = origin->reads;
	ck_assert_uint_ge(reads, 4);
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	jobs_assert_whole(origin);
	rig_umount(mount);
	rig_umount(other);
	jobs_end();
}
END_TEST

/* Its fetch stays at the origin for ever. */
START_TEST(a_reader_who_was_answered_is_waited_for_no_more)
{
	struct fake_origin *origin, *stalled;
	struct emu_reader *reader;
	struct emu_mount *mount, *other;
	uint64_t job;

	origin = jobs_begin_slow(4 * MIB, 10 * MS);
	stalled = rig_serve("stalled", MIB);
	stalled->stall_always = true;
	mount = rig_mount(origin);
	other = rig_mount(stalled);
	reader = emu_read_pages(other, 512 * KIB, 4 * KIB);
	rig_run(MS);
	job = jobs_fetch_all("blob");
	rig_run(RIG_READ_DEADLINE - SEC);
	ck_assert_uint_eq(origin->reads, 0);
	ck_assert_int_eq(rig_finish(reader), -EIO);
	rig_run(SEC);
	ck_assert_int_eq(jobs_state(job), PREFETCH_DONE);
	rig_umount(mount);
	rig_umount(other);
	jobs_end();
}
END_TEST

/* It wants a part of what is queued: that is fetched for it alone, and the rest comes later. */
START_TEST(what_has_not_begun_gives_way)
{
	struct fake_origin *origin, *slow;
	struct emu_reader *waiting, *reader;
	struct emu_mount *mount, *other;
	uint64_t job;

	origin = jobs_begin_slow(4 * MIB, 10 * MS);
	slow = rig_serve("slow", MIB);
	slow->delay = 5 * SEC;
	mount = rig_mount(origin);
	other = rig_mount(slow);
	waiting = emu_read(other, 512 * KIB, 4 * KIB);
	rig_run(MS);
	job = jobs_fetch_all("blob");
	rig_run(SEC);
	reader = emu_read(mount, MIB, 4 * KIB);
	ck_assert_int_eq(rig_finish(reader), 0);
	ck_assert_uint_eq(emu_reader_waited(reader), 10 * MS);
	ck_assert_uint_eq(origin->bytes_asked, 64 * KIB);
	ck_assert_int_eq(rig_finish(waiting), 0);
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	jobs_assert_whole(origin);
	rig_umount(mount);
	rig_umount(other);
	jobs_end();
}
END_TEST

START_TEST(half_of_the_smallest_buffers_is_kept_free)
{
	struct fake_origin *origin;
	struct emu_mount *mount;
	uint64_t job;

	rig.config.buffers = MIB;
	origin = jobs_begin_slow(16 * MIB, MS);
	mount = rig_mount(origin);
	job = jobs_fetch_all("blob");
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	ck_assert_uint_eq(fake_bytes_max(rig.fake), 512 * KIB);
	jobs_assert_whole(origin);
	rig_umount(mount);
	jobs_end();
}
END_TEST

START_TEST(another_source_is_not_waited_for)
{
	struct fake_origin *origin, *slow;
	struct emu_reader *reader;
	struct emu_mount *mount, *other;
	uint64_t job;

	rig.n_others = 1;
	rig.others[0] = rig.source;
	rig.others[0].rule.volume = "erofs,other";
	origin = jobs_begin_slow(4 * MIB, MS);
	slow = rig_serve("slow", MIB);
	slow->delay = 5 * SEC;
	mount = rig_mount(origin);
	other = emu_open(rig.emu, "erofs,other", "slow", &slow->bytes);
	reader = emu_read(other, 512 * KIB, 4 * KIB);
	rig_run(SEC);
	ck_assert(rig_waiting(reader));
	job = jobs_fetch_all("blob");
	rig_run(SEC);
	ck_assert(rig_waiting(reader));
	ck_assert_int_eq(jobs_state(job), PREFETCH_DONE);
	ck_assert_int_eq(rig_finish(reader), 0);
	rig_umount(mount);
	rig_umount(other);
	jobs_end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("prefetch and readers");
	TCase *first = tcase_create("readers go first");

	tcase_add_checked_fixture(first, setup, NULL);
	tcase_add_test(first, a_reader_waits_for_one_fetch_at_most);
	tcase_add_test(first, a_reader_finds_a_request_free);
	tcase_add_test(first, nothing_begins_while_a_reader_waits);
	tcase_add_test(first, a_reader_who_was_answered_is_waited_for_no_more);
	tcase_add_test(first, what_has_not_begun_gives_way);
	tcase_add_test(first, half_of_the_smallest_buffers_is_kept_free);
	tcase_add_test(first, another_source_is_not_waited_for);
	suite_add_tcase(suite, first);
	return run_suite(suite);
}
