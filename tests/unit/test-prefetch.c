/* SPDX-License-Identifier: MIT */
/*
 * What jobs fetch, and that readers do not notice: on the emulated kernel, whose oracle compares
 * each byte, in virtual time.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/util/checked.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/prefetch-fixture.h"

/* The look at the origin brings so much, which needs no fetch any more. */
#define HEAD (128 * KIB)

static void setup(void)
{
	rig_setup();
}

static void begin_slow(struct fake_origin **ret, uint64_t size, uint64_t delay)
{
	jobs_begin();
	*ret = rig_serve("blob", size);
	(*ret)->delay = delay;
}

/* What of it is in the cache is all of it, and nothing was asked for twice. */
static void assert_whole(const struct fake_origin *origin)
{
	ck_assert_uint_eq(rig_present(origin), round_up_u64(origin->bytes.size, CACHE_BLOCK));
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
	ck_assert_uint_eq(origin->bytes_asked, origin->bytes.size - HEAD);
}

/* ---- what is fetched ---------------------------------------------------------------------- */

START_TEST(all_of_an_object_is_fetched)
{
	struct fake_origin *origin;
	struct emu_mount *mount;
	struct prefetch_view view;
	uint64_t job;

	begin_slow(&origin, 40 * MIB + 1, MS);
	mount = rig_mount(origin);
	job = jobs_fetch_all("blob");
	rig_wait(prefetch_has_ended(jobs_state(job)));
	assert_whole(origin);
	view = jobs_look(job);
	ck_assert_int_eq(view.state, PREFETCH_DONE);
	ck_assert(view.known);
	ck_assert_uint_eq(view.bytes, origin->bytes.size);
	ck_assert_uint_eq(view.done, origin->bytes.size);
	ck_assert_uint_eq(view.fetched, round_up_u64(origin->bytes.size - HEAD, CACHE_BLOCK));
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

	begin_slow(&origin, 64 * MIB, SEC);
	mount = rig_mount(origin);
	job = jobs_fetch(&wishes, "blob", 40 * MIB + 1, 1);
	jobs_add(job, "blob", 8 * MIB, 64 * KIB);
	jobs_add(job, "blob", 63 * MIB, 100 * MIB);
	prefetch_added(jobs.prefetch, job, false);
	rig_run(1500 * MS);
	ck_assert_uint_eq(rig_present(origin), HEAD + 4 * KIB);
	rig_run(SEC);
	ck_assert_uint_eq(rig_present(origin), HEAD + 68 * KIB);
	rig_run(SEC);
	ck_assert_uint_eq(rig_present(origin), HEAD + 68 * KIB + MIB);
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

	begin_slow(&one, 4 * MIB, MS);
	two = rig_serve("two", 4 * MIB);
	job = jobs_fetch_all("blob");
	jobs_add(job, "two", 0, 4 * MIB);
	rig_run(SEC);
	ck_assert_int_eq(jobs_state(job), PREFETCH_UNOPENED);
	second = rig_mount(two); /* the later range does not wait for the first */
	rig_wait(rig_present(two) == 4 * MIB);
	rig_run(SEC);
	ck_assert_int_eq(jobs_state(job), PREFETCH_UNOPENED);
	first = rig_mount(one);
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	assert_whole(one);
	assert_whole(two);
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

	begin_slow(&one, 4 * MIB, MS);
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
	assert_whole(one);
	assert_whole(two);
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

	begin_slow(&origin, 4 * MIB, 100 * MS);
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

	begin_slow(&origin, 16 * MIB, 100 * MS);
	mount = rig_mount(origin);
	job = jobs_fetch_all("blob");
	rig_run(150 * MS);
	rig_umount(mount);
	present = rig_present(origin);
	ck_assert_uint_eq(present, HEAD + 4 * MIB);
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

	begin_slow(&origin, 8 * MIB, 100 * MS);
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

/* ---- readers go first --------------------------------------------------------------------- */

/* Nobody was served later than without the job but by the one fetch that was at the origin. */
START_TEST(a_reader_waits_for_one_fetch_at_most)
{
	struct fake_origin *origin;
	struct emu_reader *reader;
	struct emu_mount *mount;
	uint64_t job;

	rig.source.max_requests = 1;
	begin_slow(&origin, 32 * MIB, 100 * MS);
	mount = rig_mount(origin);
	job = jobs_fetch_all("blob");
	rig_run(250 * MS); /* in the middle of the third */
	ck_assert_uint_eq(fake_running(rig.fake), 1);
	reader = emu_read(mount, 20 * MIB, 64 * KIB);
	ck_assert_int_eq(rig_finish(reader), 0);
	ck_assert_uint_eq(emu_reader_waited(reader), 150 * MS);
	ck_assert_int_eq(jobs_state(job), PREFETCH_RUNNING);
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	assert_whole(origin);
	rig_umount(mount);
	jobs_end();
}
END_TEST

START_TEST(a_reader_finds_a_request_free)
{
	struct fake_origin *origin;
	struct emu_reader *reader;
	struct emu_mount *mount;

	begin_slow(&origin, 64 * MIB, 100 * MS);
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

	begin_slow(&origin, 32 * MIB, 10 * MS);
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
	assert_whole(origin);
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

	begin_slow(&origin, 4 * MIB, 10 * MS);
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

	begin_slow(&origin, 4 * MIB, 10 * MS);
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
	assert_whole(origin);
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
	begin_slow(&origin, 16 * MIB, MS);
	mount = rig_mount(origin);
	job = jobs_fetch_all("blob");
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	ck_assert_uint_eq(fake_bytes_max(rig.fake), 512 * KIB);
	assert_whole(origin);
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
	begin_slow(&origin, 4 * MIB, MS);
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

/* ---- limits ------------------------------------------------------------------------------- */

START_TEST(the_rate_is_kept_exactly)
{
	const struct prefetch_wishes wishes = { .name = "", .rate = MIB, .requests = 4 };
	struct fake_origin *origin;
	struct emu_mount *mount;
	uint64_t job;

	begin_slow(&origin, 8 * MIB, 0);
	mount = rig_mount(origin);
	job = jobs_fetch(&wishes, "blob", HEAD, 7 * MIB);
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

	begin_slow(&origin, 16 * MIB, 10 * MS);
	mount = rig_mount(origin);
	job = jobs_fetch(&wishes, "blob", 0, 16 * MIB);
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	ck_assert_uint_eq(fake_running_max(rig.fake), 2);
	rig_umount(mount);
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
	begin_slow(&origin, 64 * MIB, MS);
	mount = rig_mount(origin);
	emu_fill_disk(rig.emu, 990 * MIB);
	rig_run(31 * SEC);
	job = jobs_fetch_all("blob");
	rig_run(SEC);
	ck_assert_uint_eq(origin->reads, 0);
	ck_assert_int_eq(jobs_state(job), PREFETCH_LOW_DISK);
	emu_fill_disk(rig.emu, 0);
	rig_wait(jobs_state(job) == PREFETCH_DONE);
	assert_whole(origin);
	rig_umount(mount);
	jobs_end();
}
END_TEST

/* ---- ends --------------------------------------------------------------------------------- */

static bool is_on_disk(uint64_t job)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/prefetch/%llu", jobs.dir, (unsigned long long)job);
	return access(path, F_OK) == 0;
}

START_TEST(a_job_goes_on_with_the_next_daemon)
{
	const struct prefetch_wishes wishes = { .name = "two words/%",
						.rate = 4 * MIB,
						.requests = 3 };
	struct fake_origin *origin;
	struct emu_mount *mount;
	struct prefetch_view view;
	uint64_t job;

	begin_slow(&origin, 16 * MIB, MS);
	mount = rig_mount(origin);
	job = jobs_fetch(&wishes, "blob", 0, 16 * MIB);
	rig_run(1900 * MS);
	ck_assert(is_on_disk(job));
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
	ck_assert(!is_on_disk(job));
	assert_whole(origin);
	ck_assert_uint_eq(jobs_look(job).fetched, 16 * MIB - HEAD - 8 * MIB);
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
		ck_assert(!is_on_disk(i + 1));
	}
	jobs_end();
}
END_TEST

START_TEST(a_job_is_canceled)
{
	struct fake_origin *origin;
	struct emu_mount *mount;
	uint64_t job, present;

	begin_slow(&origin, 32 * MIB, 100 * MS);
	mount = rig_mount(origin);
	job = jobs_fetch_all("blob");
	rig_run(250 * MS);
	ck_assert_int_eq(prefetch_cancel(jobs.prefetch, job), 0);
	ck_assert_int_eq(jobs_state(job), PREFETCH_CANCELED);
	ck_assert_int_eq(prefetch_cancel(jobs.prefetch, job), -EALREADY);
	ck_assert_int_eq(prefetch_cancel(jobs.prefetch, job + 1), -ENOENT);
	ck_assert(!is_on_disk(job));
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

	begin_slow(&origin, 4 * MIB, 100 * MS);
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

	begin_slow(&origin, 16 * MIB, MS);
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

	begin_slow(&origin, 16 * MIB, MS);
	origin->read_error = -EACCES;
	origin->fail_always = true;
	mount = rig_mount(origin);
	job = jobs_fetch_all("blob");
	rig_run(300 * SEC);
	ck_assert_int_eq(jobs_state(job), PREFETCH_RETRYING);
	rig_run(600 * SEC);
	ck_assert_int_eq(jobs_state(job), PREFETCH_FAILED);
	ck_assert_int_eq(jobs_look(job).err, -EACCES);
	ck_assert(!is_on_disk(job));
	rig_umount(mount);
	jobs_end();
}
END_TEST

START_TEST(another_version_is_the_end)
{
	struct fake_origin *origin;
	struct emu_mount *mount;
	uint64_t job;

	begin_slow(&origin, 16 * MIB, 100 * MS);
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

	begin_slow(&origin, 512 * MIB, MS);
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
	ck_assert(!is_on_disk(job));
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

	begin_slow(&origin, 512 * MIB, MS);
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
	Suite *suite = suite_create("prefetch");
	TCase *fetched = tcase_create("what is fetched"), *first = tcase_create("readers go first");
	TCase *limits = tcase_create("limits"), *ends = tcase_create("ends");
	TCase *judged = tcase_create("judgement");

	tcase_add_checked_fixture(fetched, setup, NULL);
	tcase_add_test(fetched, all_of_an_object_is_fetched);
	tcase_add_test(fetched, ranges_are_fetched_in_their_order);
	tcase_add_test(fetched, what_is_not_open_is_waited_for);
	tcase_add_test(fetched, what_is_opened_meanwhile_is_come_back_to);
	tcase_add_test(fetched, what_others_do_not_bring_is_fetched_in_the_end);
	tcase_add_test(fetched, an_object_that_is_closed_midway_goes_on_later);
	tcase_add_test(fetched, a_compressed_image_is_left_to_whoever_mounts_it);
	suite_add_tcase(suite, fetched);
	tcase_add_checked_fixture(first, setup, NULL);
	tcase_add_test(first, a_reader_waits_for_one_fetch_at_most);
	tcase_add_test(first, a_reader_finds_a_request_free);
	tcase_add_test(first, nothing_begins_while_a_reader_waits);
	tcase_add_test(first, a_reader_who_was_answered_is_waited_for_no_more);
	tcase_add_test(first, what_has_not_begun_gives_way);
	tcase_add_test(first, half_of_the_smallest_buffers_is_kept_free);
	tcase_add_test(first, another_source_is_not_waited_for);
	suite_add_tcase(suite, first);
	tcase_add_checked_fixture(limits, setup, NULL);
	tcase_add_test(limits, the_rate_is_kept_exactly);
	tcase_add_test(limits, requests_are_limited);
	tcase_add_test(limits, little_of_the_disk_is_left_alone);
	suite_add_tcase(suite, limits);
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
