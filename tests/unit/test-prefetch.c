/* SPDX-License-Identifier: MIT */
/*
 * What jobs fetch, and within which limits: on the emulated kernel, whose oracle compares each
 * byte, in virtual time.
 */
#include <check.h>
#include <errno.h>

#include "daemon/util/checked.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/prefetch-fixture.h"

static void setup(void)
{
	rig_setup();
}

/* ---- what is fetched ---------------------------------------------------------------------- */

START_TEST(all_of_an_object_is_fetched)
{
	struct fake_origin *origin;
	struct emu_mount *mount;
	struct prefetch_view view;
	uint64_t job;

	origin = jobs_begin_slow(40 * MIB + 1, MS);
	mount = rig_mount(origin);
	job = jobs_fetch_all("blob");
	rig_wait(prefetch_has_ended(jobs_state(job)));
	jobs_assert_whole(origin);
	view = jobs_look(job);
	ck_assert_int_eq(view.state, PREFETCH_DONE);
	ck_assert(view.known);
	ck_assert_uint_eq(view.bytes, origin->bytes.size);
	ck_assert_uint_eq(view.done, origin->bytes.size);
	ck_assert_uint_eq(view.fetched, round_up_u64(origin->bytes.size - JOBS_HEAD, CACHE_BLOCK));
	origin->fail_always = true;
	origin->read_error = -EIO;
	ck_assert_int_eq(rig_read(mount, 0, origin->bytes.size), 0);
	rig_umount(mount);
	jobs_end();
}
END_TEST

START_TEST(ranges_are_fetched_in_their_order)
{
	const struct prefetch_wishes wishes = { .name = "", .requests = 1, .more = true };
	struct fake_origin *origin;
	struct emu_mount *mount;
	uint64_t job;

	origin = jobs_begin_slow(64 * MIB, SEC);
	mount = rig_mount(origin);
	job = jobs_fetch(&wishes, "blob", 40 * MIB + 1, 1);
	jobs_add(job, "blob", 8 * MIB, 64 * KIB);
	jobs_add(job, "blob", 63 * MIB, 100 * MIB);
	prefetch_added(jobs.prefetch, job, false);
	rig_run(1500 * MS);
	ck_assert_uint_eq(rig_present(origin), JOBS_HEAD + 4 * KIB);
	rig_run(SEC);
	ck_assert_uint_eq(rig_present(origin), JOBS_HEAD + 68 * KIB);
	rig_run(SEC);
	ck_assert_uint_eq(rig_present(origin), JOBS_HEAD + 68 * KIB + MIB);
	ck_assert_int_eq(jobs_state(job), PREFETCH_DONE);
	ck_assert_uint_eq(jobs_look(job).bytes, 1 + 64 * KIB + MIB);
	rig_umount(mount);
	jobs_end();
}
END_TEST

START_TEST(what_is_not_open_is_waited_for)
{
	struct fake_origin *one, *two;
	struct emu_mount *first, *second;
	uint64_t job;

	one = jobs_begin_slow(4 * MIB, MS);
	two = rig_serve("two", 4 * MIB);
	job = jobs_fetch_all("blob");
	jobs_add(job, "two", 0, 4 * MIB);
	rig_run(SEC);
	ck_assert_int_eq(jobs_state(job), PREFETCH_UNOPENED);
	second = rig_mount(two); /* the later range does not wait for the first */
	rig_wait(rig_present(two) == 4 * MIB);
	rig_run(SEC);
	ck_assert_int_eq(jobs_state(job), PREFETCH_UNOPENED);
	ck_assert(!jobs_look(job).known); /* how large the first is */
	first = rig_mount(one);
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	jobs_assert_whole(one);
	jobs_assert_whole(two);
	rig_umount(first);
	rig_umount(second);
	jobs_end();
}
END_TEST

START_TEST(what_is_opened_meanwhile_is_come_back_to)
{
	struct fake_origin *one, *two;
	struct emu_mount *first, *second;
	uint64_t job;

	one = jobs_begin_slow(4 * MIB, MS);
	two = rig_serve("two", 16 * MIB);
	two->delay = 100 * MS;
	second = rig_mount(two);
	job = jobs_fetch_all("blob");
	jobs_add(job, "two", 0, 16 * MIB);
	rig_run(150 * MS);
	first = rig_mount(one);
	rig_run(100 * MS);
	ck_assert_uint_eq(one->reads, 0);
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	jobs_assert_whole(one);
	jobs_assert_whole(two);
	rig_umount(first);
	rig_umount(second);
	jobs_end();
}
END_TEST

/* It is another's to fetch, who fails. */
START_TEST(what_others_do_not_bring_is_fetched_in_the_end)
{
	struct fake_origin *origin;
	struct emu_reader *reader;
	struct emu_mount *mount;
	uint64_t job;

	origin = jobs_begin_slow(4 * MIB, 100 * MS);
	origin->read_error = -EIO;
	origin->fail_at = 2 * MIB;
	mount = rig_mount(origin);
	reader = emu_read(mount, 2 * MIB, 4 * KIB);
	rig_run(MS);
	job = jobs_fetch_all("blob");
	ck_assert_int_eq(rig_finish(reader), -EIO);
	origin->read_error = 0;
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	ck_assert_uint_eq(rig_present(origin), 4 * MIB);
	rig_umount(mount);
	jobs_end();
}
END_TEST

START_TEST(an_object_that_is_closed_midway_goes_on_later)
{
	struct fake_origin *origin;
	struct emu_mount *mount;
	uint64_t job, present;

	origin = jobs_begin_slow(16 * MIB, 100 * MS);
	mount = rig_mount(origin);
	job = jobs_fetch_all("blob");
	rig_run(150 * MS);
	rig_umount(mount);
	present = rig_present(origin);
	ck_assert_uint_eq(present, JOBS_HEAD + 4 * MIB);
	rig_run(SEC);
	ck_assert_int_eq(jobs_state(job), PREFETCH_UNOPENED);
	mount = rig_mount(origin);
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	ck_assert_uint_eq(rig_present(origin), 16 * MIB);
	rig_umount(mount);
	jobs_end();
}
END_TEST

START_TEST(a_compressed_image_is_left_to_whoever_mounts_it)
{
	struct fake_origin *origin;
	struct emu_mount *mount;
	uint64_t job;

	origin = jobs_begin_slow(8 * MIB, 100 * MS);
	origin->compressed = true;
	mount = rig_mount(origin);
	job = jobs_fetch_all("blob");
	rig_run(SEC);
	ck_assert_uint_eq(rig_present(origin), 0);
	ck_assert_int_eq(rig_read(mount, 0, 4 * KIB), 0);
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	ck_assert_uint_eq(jobs_look(job).fetched, 0);
	rig_umount(mount);
	jobs_end();
}
END_TEST

/* ---- limits ------------------------------------------------------------------------------- */

START_TEST(the_rate_is_kept_exactly)
{
	const struct prefetch_wishes wishes = { .name = "", .rate = MIB, .requests = 4 };
	struct fake_origin *origin;
	struct emu_mount *mount;
	uint64_t job;

	origin = jobs_begin_slow(8 * MIB, 0);
	mount = rig_mount(origin);
	job = jobs_fetch(&wishes, "blob", JOBS_HEAD, 7 * MIB);
	/* The first piece of a quarter of a second comes at once, each other one when it is due. */
	for (uint64_t i = 1; i < 28; i++) {
		rig_run(i == 1 ? 249 * MS : 250 * MS);
		ck_assert_uint_eq(origin->bytes_asked, i * 256 * KIB);
	}
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	ck_assert_uint_eq(jobs_look(job).took, 6750 * MS);
	rig_umount(mount);
	jobs_end();
}
END_TEST

START_TEST(requests_are_limited)
{
	const struct prefetch_wishes wishes = { .name = "", .requests = 2 };
	struct fake_origin *origin;
	struct emu_mount *mount;
	uint64_t job;

	origin = jobs_begin_slow(16 * MIB, 10 * MS);
	mount = rig_mount(origin);
	job = jobs_fetch(&wishes, "blob", 0, 16 * MIB);
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	ck_assert_uint_eq(fake_running_max(rig.fake), 2);
	rig_umount(mount);
	jobs_end();
}
END_TEST

/* ---- limits of all together --------------------------------------------------------------- */

#define TOGETHER 3

static const char *const cookies[TOGETHER] = { "blob", "two", "three" };
static struct fake_origin *origins[TOGETHER];
static struct emu_mount *mounts[TOGETHER];
static uint64_t numbers[TOGETHER];

/* Jobs that would do as much as they may, each. */
static void begin_together(uint64_t rate, unsigned int requests, uint64_t delay)
{
	jobs.rate = rate;
	jobs.requests = requests;
	rig.source.max_requests = 32;
	origins[0] = jobs_begin_slow(8 * MIB, delay);
	for (unsigned int i = 1; i < TOGETHER; i++) {
		origins[i] = rig_serve(cookies[i], 8 * MIB);
		origins[i]->delay = delay;
	}
	for (unsigned int i = 0; i < TOGETHER; i++)
		mounts[i] = rig_mount(origins[i]);
	for (unsigned int i = 0; i < TOGETHER; i++)
		numbers[i] = jobs_fetch_all(cookies[i]);
}

static uint64_t asked_together(void)
{
	return origins[0]->bytes_asked + origins[1]->bytes_asked + origins[2]->bytes_asked;
}

/* Who is first begins a second time before the others are there. */
static void assert_shares(uint64_t piece)
{
	for (unsigned int i = 0; i < TOGETHER; i++) {
		ck_assert_uint_le(origins[i]->bytes_asked, asked_together() / TOGETHER + 2 * piece);
		ck_assert_uint_ge(origins[i]->bytes_asked + 2 * piece, asked_together() / TOGETHER);
	}
}

static void end_together(void)
{
	for (unsigned int i = 0; i < TOGETHER; i++) {
		rig_wait(prefetch_has_ended(jobs_state(numbers[i])));
		ck_assert_int_eq(jobs_state(numbers[i]), PREFETCH_DONE);
		jobs_assert_whole(origins[i]);
		rig_umount(mounts[i]);
	}
	jobs_end();
}

START_TEST(all_jobs_share_one_rate)
{
	begin_together(MIB, 0, 0);
	for (uint64_t i = 1; i <= 30; i++) {
		rig_run(i == 1 ? 249 * MS : 250 * MS);
		ck_assert_uint_eq(asked_together(), i * 256 * KIB);
		assert_shares(256 * KIB);
	}
	end_together();
}
END_TEST

START_TEST(all_jobs_share_their_requests)
{
	begin_together(0, 2, 10 * MS);
	for (unsigned int i = 0; i < 9; i++) {
		rig_run(10 * MS);
		assert_shares(MIB);
	}
	for (unsigned int i = 0; i < TOGETHER; i++)
		rig_wait(prefetch_has_ended(jobs_state(numbers[i])));
	ck_assert_uint_eq(fake_running_max(rig.fake), 2);
	end_together();
}
END_TEST

START_TEST(who_waits_for_the_turn_may_end)
{
	begin_together(0, 1, 10 * MS);
	rig_run(5 * MS); /* the first one fetches, two wait */
	prefetch_cancel(jobs.prefetch, numbers[1]);
	rig_run(20 * MS);
	prefetch_cancel(jobs.prefetch, numbers[0]);
	rig_wait(prefetch_has_ended(jobs_state(numbers[2])));
	ck_assert_int_eq(jobs_state(numbers[2]), PREFETCH_DONE);
	jobs_assert_whole(origins[2]);
	for (unsigned int i = 0; i < TOGETHER; i++)
		rig_umount(mounts[i]);
	jobs_end();
}
END_TEST

/* It is not in the way of the others. */
START_TEST(who_fails_at_its_turn_is_passed_over)
{
	begin_together(0, 1, 10 * MS);
	origins[1]->read_error = -EIO;
	origins[1]->fail_always = true;
	rig_wait(prefetch_has_ended(jobs_state(numbers[0])));
	rig_wait(prefetch_has_ended(jobs_state(numbers[2])));
	ck_assert_int_eq(jobs_state(numbers[1]), PREFETCH_RETRYING);
	origins[1]->fail_always = false;
	origins[1]->read_error = 0;
	rig_wait(prefetch_has_ended(jobs_state(numbers[1])));
	ck_assert_int_eq(jobs_state(numbers[1]), PREFETCH_DONE);
	for (unsigned int i = 0; i < TOGETHER; i++)
		rig_umount(mounts[i]);
	jobs_end();
}
END_TEST

START_TEST(little_of_the_disk_is_left_alone)
{
	struct fake_origin *origin;
	struct emu_mount *mount;
	uint64_t job;

	rig.kernel.disk = 1024 * MIB;
	rig.culls = true;
	origin = jobs_begin_slow(64 * MIB, MS);
	mount = rig_mount(origin);
	emu_fill_disk(rig.emu, 990 * MIB);
	rig_run(31 * SEC);
	job = jobs_fetch_all("blob");
	rig_run(SEC);
	ck_assert_uint_eq(origin->reads, 0);
	ck_assert_int_eq(jobs_state(job), PREFETCH_LOW_DISK);
	emu_fill_disk(rig.emu, 0);
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	jobs_assert_whole(origin);
	rig_umount(mount);
	jobs_end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("prefetch");
	TCase *fetched = tcase_create("what is fetched");
	TCase *limits = tcase_create("limits");

	tcase_add_checked_fixture(fetched, setup, NULL);
	tcase_add_test(fetched, all_of_an_object_is_fetched);
	tcase_add_test(fetched, ranges_are_fetched_in_their_order);
	tcase_add_test(fetched, what_is_not_open_is_waited_for);
	tcase_add_test(fetched, what_is_opened_meanwhile_is_come_back_to);
	tcase_add_test(fetched, what_others_do_not_bring_is_fetched_in_the_end);
	tcase_add_test(fetched, an_object_that_is_closed_midway_goes_on_later);
	tcase_add_test(fetched, a_compressed_image_is_left_to_whoever_mounts_it);
	suite_add_tcase(suite, fetched);
	tcase_add_checked_fixture(limits, setup, NULL);
	tcase_add_test(limits, the_rate_is_kept_exactly);
	tcase_add_test(limits, requests_are_limited);
	tcase_add_test(limits, all_jobs_share_one_rate);
	tcase_add_test(limits, all_jobs_share_their_requests);
	tcase_add_test(limits, who_waits_for_the_turn_may_end);
	tcase_add_test(limits, who_fails_at_its_turn_is_passed_over);
	tcase_add_test(limits, little_of_the_disk_is_left_alone);
	suite_add_tcase(suite, limits);
	return run_suite(suite);
}
