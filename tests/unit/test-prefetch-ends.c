/* SPDX-License-Identifier: MIT */
/*
 * How jobs end: with the daemon and go on, by somebody, by failures, and by what is read.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/prefetch-fixture.h"

static void setup(void)
{
	rig_setup();
}

/* ---- ends --------------------------------------------------------------------------------- */

START_TEST(a_job_goes_on_with_the_next_daemon)
{
	const struct prefetch_wishes wishes = { .name = "two words/%",
						.rate = 4 * MIB,
						.requests = 3 };
	struct fake_origin *origin;
	struct emu_mount *mount;
	struct prefetch_view view;
	uint64_t job;

	origin = jobs_begin_slow(16 * MIB, MS);
	mount = rig_mount(origin);
	job = jobs_fetch(&wishes, "blob", 0, 16 * MIB);
	rig_run(1900 * MS);
	ck_assert(jobs_is_on_disk(job));
	jobs_stop();
	rig_umount(mount);
	jobs_start();
	view = jobs_look(job);
	ck_assert_str_eq(view.name, wishes.name);
	ck_assert_uint_eq(view.rate, wishes.rate);
	ck_assert_uint_eq(view.requests, wishes.requests);
	ck_assert_uint_eq(view.bytes, 16 * MIB);
	mount = rig_mount(origin);
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	ck_assert(!jobs_is_on_disk(job));
	jobs_assert_whole(origin);
	ck_assert_uint_eq(jobs_look(job).fetched, 16 * MIB - JOBS_HEAD - 8 * MIB);
	ck_assert_uint_gt(jobs_fetch_all("blob"), job);
	rig_umount(mount);
	jobs_end();
}
END_TEST

START_TEST(what_was_damaged_on_the_disk_is_dropped)
{
	static const char *const texts[] = {
		"",
		"cachefilld-prefetch 1 0 4 0 n",
		"cachefilld-prefetch 1 0 4 0 n\n0+1 v/c",
		"cachefilld-prefetch 1 0 0 0 n\n0+1 v/c\n",
		"cachefilld-prefetch 2 0 4 0 n\n",
		"cachefilld-prefetch 1 0 4 0 n\n0+0 v/c\n",
		"cachefill-plan 1\n0+1 v/c\n",
	};
	char path[256];
	FILE *file;

	jobs_begin();
	jobs_stop();
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		snprintf(path, sizeof(path), "%s/prefetch/%zu", jobs.dir, i + 1);
		file = fopen(path, "w");
		ck_assert_ptr_nonnull(file);
		fputs(texts[i], file);
		fclose(file);
	}
	jobs_start();
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct prefetch_view view;

		ck_assert_msg(prefetch_look(jobs.prefetch, i + 1, &view) == -ENOENT, "%s",
			      texts[i]);
		ck_assert(!jobs_is_on_disk(i + 1));
	}
	jobs_end();
}
END_TEST

START_TEST(a_job_is_canceled)
{
	struct fake_origin *origin;
	struct emu_mount *mount;
	uint64_t job, present;

	origin = jobs_begin_slow(32 * MIB, 100 * MS);
	mount = rig_mount(origin);
	job = jobs_fetch_all("blob");
	rig_run(250 * MS);
	ck_assert_int_eq(prefetch_cancel(jobs.prefetch, job), 0);
	ck_assert_int_eq(jobs_state(job), PREFETCH_CANCELED);
	ck_assert_int_eq(prefetch_cancel(jobs.prefetch, job), -EALREADY);
	ck_assert_int_eq(prefetch_cancel(jobs.prefetch, job + 1), -ENOENT);
	ck_assert(!jobs_is_on_disk(job));
	rig_run(10 * MS);
	ck_assert_uint_eq(fake_running(rig.fake), 0);
	present = rig_present(origin);
	ck_assert_uint_lt(present, 32 * MIB);
	rig_run(SEC);
	ck_assert_uint_eq(rig_present(origin), present);
	ck_assert_int_eq(rig_read(mount, 0, 32 * MIB), 0);
	rig_umount(mount);
	jobs_end();
}
END_TEST

/* A fetch that a reader has joined goes on without the job. */
START_TEST(a_canceled_job_leaves_readers_what_they_wait_for)
{
	struct fake_origin *origin;
	struct emu_reader *reader;
	struct emu_mount *mount;
	uint64_t job;

	origin = jobs_begin_slow(4 * MIB, 100 * MS);
	mount = rig_mount(origin);
	job = jobs_fetch_all("blob");
	rig_run(50 * MS);
	reader = emu_read(mount, 512 * KIB, 4 * KIB);
	rig_run(MS);
	ck_assert_int_eq(prefetch_cancel(jobs.prefetch, job), 0);
	ck_assert_int_eq(rig_finish(reader), 0);
	ck_assert_uint_eq(emu_reader_waited(reader), 50 * MS);
	rig_umount(mount);
	jobs_end();
}
END_TEST

START_TEST(a_failing_origin_is_tried_again)
{
	struct fake_origin *origin;
	struct emu_mount *mount;
	struct prefetch_view view;
	unsigned int reads;
	uint64_t job;

	origin = jobs_begin_slow(16 * MIB, MS);
	origin->read_error = -EIO;
	origin->fail_at = 6 * MIB + 100 * KIB;
	mount = rig_mount(origin);
	job = jobs_fetch_all("blob");
	rig_run(20 * MS);
	view = jobs_look(job);
	ck_assert_int_eq(view.state, PREFETCH_RETRYING);
	ck_assert_int_eq(view.err, -EIO);
	ck_assert_str_eq(view.error, "the script says so");
	/* Doubling: after 1, 3, 7, 15, 31 s. */
	reads = origin->reads;
	rig_run(2900 * MS);
	ck_assert_uint_le(origin->reads, reads + 8);
	origin->read_error = 0;
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	ck_assert_uint_eq(rig_present(origin), 16 * MIB);
	ck_assert_int_eq(jobs_look(job).err, 0);
	rig_umount(mount);
	jobs_end();
}
END_TEST

START_TEST(an_origin_that_fails_for_long_is_given_up)
{
	struct fake_origin *origin;
	struct emu_mount *mount;
	uint64_t job;

	origin = jobs_begin_slow(16 * MIB, MS);
	origin->read_error = -EACCES;
	origin->fail_always = true;
	mount = rig_mount(origin);
	job = jobs_fetch_all("blob");
	rig_run(300 * SEC);
	ck_assert_int_eq(jobs_state(job), PREFETCH_RETRYING);
	rig_run(600 * SEC);
	ck_assert_int_eq(jobs_state(job), PREFETCH_FAILED);
	ck_assert_int_eq(jobs_look(job).err, -EACCES);
	ck_assert(!jobs_is_on_disk(job));
	rig_umount(mount);
	jobs_end();
}
END_TEST

START_TEST(another_version_is_the_end)
{
	struct fake_origin *origin;
	struct emu_mount *mount;
	uint64_t job;

	origin = jobs_begin_slow(16 * MIB, 100 * MS);
	mount = rig_mount(origin);
	job = jobs_fetch_all("blob");
	rig_run(150 * MS);
	fake_replace(rig.fake, origin, 16 * MIB, "v2");
	rig_run(SEC);
	ck_assert_int_eq(jobs_state(job), PREFETCH_FAILED);
	ck_assert_int_eq(jobs_look(job).err, -ESTALE);
	rig_umount(mount);
	jobs_end();
}
END_TEST

START_TEST(jobs_are_bounded)
{
	const struct prefetch_wishes wishes = { .name = "n", .requests = 1 };
	uint64_t job = 0;

	jobs_begin();
	for (unsigned int i = 0; i < PREFETCH_JOBS_MAX; i++)
		job = jobs_fetch_all("blob");
	ck_assert_int_eq(prefetch_begin(jobs.prefetch, &wishes, &job), -EUSERS);
	for (uint64_t i = 1; i <= PREFETCH_JOBS_MAX; i++)
		ck_assert_int_eq(prefetch_cancel(jobs.prefetch, i), 0);
	/* Of those that have ended, the last ones are remembered. */
	ck_assert_int_eq(prefetch_cancel(jobs.prefetch, PREFETCH_JOBS_MAX - PREFETCH_ENDED_MAX),
			 -ENOENT);
	ck_assert_int_eq(prefetch_cancel(jobs.prefetch, PREFETCH_JOBS_MAX), -EALREADY);
	jobs_end();
}
END_TEST

/* ---- judgement ---------------------------------------------------------------------------- */

/* Reads `n` single blocks, 1 MiB apart from each other, from an offset on. */
static void read_blocks(struct emu_mount *mount, uint64_t from, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		ck_assert_int_eq(rig_read(mount, from + i * MIB, 4 * KIB), 0);
}

static uint64_t judged_job(bool plan)
{
	const struct prefetch_wishes wishes = {
		.name = "blob", .rate = 64 * KIB, .requests = 1, .plan = plan
	};

	return jobs_fetch(&wishes, "blob", 256 * MIB, 256 * MIB);
}

START_TEST(a_plan_that_nobody_reads_is_given_up)
{
	struct fake_origin *origin;
	struct emu_mount *mount;
	struct prefetch_view view;
	uint64_t job, other;

	origin = jobs_begin_slow(512 * MIB, MS);
	mount = rig_mount(origin);
	job = judged_job(true);
	other = judged_job(false);
	rig_run(SEC);
	read_blocks(mount, MIB, 191);
	ck_assert(!prefetch_has_ended(jobs_state(job)));
	read_blocks(mount, 200 * MIB, 1);
	rig_run(MS);
	view = jobs_look(job);
	ck_assert_int_eq(view.state, PREFETCH_USELESS);
	ck_assert_uint_eq(view.reads, 192);
	ck_assert_uint_eq(view.met, 0);
	ck_assert(!jobs_is_on_disk(job));
	ck_assert(!prefetch_has_ended(jobs_state(other))); /* somebody wants it all the same */
	rig_umount(mount);
	jobs_end();
}
END_TEST

START_TEST(a_plan_that_is_read_goes_on)
{
	struct fake_origin *origin;
	struct emu_mount *mount;
	uint64_t job;

	origin = jobs_begin_slow(512 * MIB, MS);
	mount = rig_mount(origin);
	job = judged_job(true);
	rig_run(SEC);
	/* One of eight is of the plan, which has not come that far. */
	for (unsigned int i = 0; i < 32; i++) {
		read_blocks(mount, (1 + 7 * i) * MIB, 7);
		read_blocks(mount, (300 + i) * MIB, 1);
	}
	ck_assert(!prefetch_has_ended(jobs_state(job)));
	ck_assert_uint_eq(jobs_look(job).met, 32);
	rig_umount(mount);
	jobs_end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ends of prefetch");
	TCase *ends = tcase_create("ends");
	TCase *judged = tcase_create("judgement");

	tcase_add_checked_fixture(ends, setup, NULL);
	tcase_add_test(ends, a_job_goes_on_with_the_next_daemon);
	tcase_add_test(ends, what_was_damaged_on_the_disk_is_dropped);
	tcase_add_test(ends, a_job_is_canceled);
	tcase_add_test(ends, a_canceled_job_leaves_readers_what_they_wait_for);
	tcase_add_test(ends, a_failing_origin_is_tried_again);
	tcase_add_test(ends, an_origin_that_fails_for_long_is_given_up);
	tcase_add_test(ends, another_version_is_the_end);
	tcase_add_test(ends, jobs_are_bounded);
	suite_add_tcase(suite, ends);
	tcase_add_checked_fixture(judged, setup, NULL);
	tcase_add_test(judged, a_plan_that_nobody_reads_is_given_up);
	tcase_add_test(judged, a_plan_that_is_read_goes_on);
	suite_add_tcase(suite, judged);
	return run_suite(suite);
}
