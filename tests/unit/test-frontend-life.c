/* SPDX-License-Identifier: MIT */
/*
 * The daemon against the emulated kernel: CLOSE, the end of the daemon in all its ways, what the
 * next one makes of the cache, and great numbers.
 */
#include <check.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "tests/lib/rig.h"
#include "tests/lib/run-suite.h"

#define OBJECTS 10000
#define DEMANDS 1000

static void setup(void)
{
	rig_setup();
	rig_begin();
}

/* Another kernel or configuration than setup() made. */
static void begin_again(void)
{
	rig_end();
	rig_setup();
}

/* ---- CLOSE ------------------------------------------------------------------------------ */

START_TEST(close_with_reads_outstanding_ends_them_and_their_fetches)
{
	struct fake_origin *origin = rig_serve("blob", 64 * MIB);
	struct emu_mount *mount = rig_mount(origin);
	struct emu_reader *readers[20];

	origin->delay = 3600 * SEC;
	for (unsigned int i = 0; i < 20; i++)
		readers[i] = emu_read(mount, (i + 1) * MIB, 64 * KIB);
	rig_run(SEC);
	ck_assert_uint_gt(fake_running(rig.fake), 0);
	rig_umount(mount);
	for (unsigned int i = 0; i < 20; i++)
		ck_assert_int_eq(emu_reader_error(readers[i]), -EIO);
	rig_run(SEC);
	ck_assert_uint_eq(fake_running(rig.fake), 0);
	ck_assert_uint_eq(origin->attached, 0);
}
END_TEST

START_TEST(close_in_the_middle_of_a_write_that_is_refused)
{
	struct fake_origin *origin = rig_serve("blob", 8 * MIB);
	struct emu_mount *mount = rig_mount(origin);
	struct emu_reader *reader = emu_read(mount, 4 * MIB, 64 * KIB);

	emu_fail_writes(rig.emu, 1000, 0, -ENOBUFS);
	rig_run(20 * MS);
	ck_assert(rig_waiting(reader));
	rig_umount(mount);
	emu_fail_writes(rig.emu, 0, 0, 0);
	mount = rig_mount(origin);
	ck_assert_int_eq(rig_read(mount, 4 * MIB, 64 * KIB), 0);
	rig_umount(mount);
}
END_TEST

START_TEST(object_can_be_mounted_again_while_its_old_fetch_ends)
{
	struct fake_origin *origin = rig_serve("blob", 8 * MIB);
	struct emu_mount *mount = rig_mount(origin), *again;

	origin->step = 64 * KIB;
	origin->step_time = 10 * MS;
	for (int i = 0; i < 20; i++) {
		emu_read(mount, (uint64_t)(i % 7 + 1) * MIB, 1 * MIB);
		rig_run((uint64_t)i * 3 * MS);
		emu_close(mount);
		again = rig_open(origin);
		rig_wait(emu_mount_state(again) == EMU_MOUNT_OPEN);
		mount = again;
	}
	ck_assert_int_eq(rig_read(mount, 0, 8 * MIB), 0);
	ck_assert_uint_eq(emu_counters(rig.emu).bytes_rewritten, 0);
	rig_umount(mount);
}
END_TEST

START_TEST(unread_messages_of_all_kinds_in_one_turn)
{
	struct fake_origin *origin = rig_serve("blob", 8 * MIB);
	struct emu_mount *mount = rig_mount(origin);

	for (int i = 0; i < 10; i++) {
		emu_read(mount, MIB, 4096);
		emu_read(mount, MIB, 8192);
		emu_close(mount);
		mount = rig_open(origin);
		rig_wait(emu_mount_state(mount) == EMU_MOUNT_OPEN);
	}
	rig_umount(mount);
}
END_TEST

/* ---- the end of a daemon ---------------------------------------------------------------- */

START_TEST(orderly_end_answers_all_who_wait)
{
	struct fake_origin *origin = rig_serve("blob", 64 * MIB), *mute = rig_serve("mute", 1);
	struct emu_mount *mount = rig_mount(origin), *opening;
	struct emu_reader *readers[40];

	origin->delay = 3600 * SEC;
	mute->look_stalls = true;
	opening = rig_open(mute);
	for (unsigned int i = 0; i < 40; i++)
		readers[i] = emu_read_pages(mount, (i + 1) * MIB, 4096);
	rig_run(SEC);
	rig_stop(); /* that nothing is unanswered before the device is closed, the oracle sees */
	for (unsigned int i = 0; i < 40; i++)
		ck_assert_int_eq(emu_reader_error(readers[i]), -EIO);
	ck_assert_int_eq(emu_mount_state(opening), EMU_MOUNT_FAILED);
}
END_TEST

START_TEST(orderly_end_in_the_middle_of_writes)
{
	struct emu_mount *mount = rig_mount(rig_serve("blob", 64 * MIB));
	struct emu_reader *reader = emu_read(mount, 4 * MIB, 1 * MIB);

	emu_fail_writes(rig.emu, 1000, 0, -ENOBUFS);
	rig_run(20 * MS);
	ck_assert(rig_waiting(reader));
	rig_stop();
	ck_assert_int_eq(emu_reader_error(reader), -EIO);
}
END_TEST

START_TEST(dead_cache_does_not_hold_up_the_end)
{
	struct fake_origin *origin = rig_serve("blob", 64 * MIB);
	struct emu_mount *mount = rig_mount(origin);
	struct emu_reader *reader = emu_read(mount, 4 * MIB, 1 * MIB);

	origin->delay = 10 * SEC;
	rig_run(SEC);
	emu_kill_device(rig.emu);
	ck_assert_int_eq(emu_reader_error(reader), -EIO);
	rig_stop();
}
END_TEST

START_TEST(next_daemon_serves_what_is_cached_with_the_origin_down)
{
	struct fake_origin *origin = rig_serve("blob", 8 * MIB);
	struct emu_mount *mount = rig_mount(origin);

	ck_assert_int_eq(rig_read(mount, 4 * MIB, 64 * KIB), 0);
	rig_umount(mount);
	rig_stop();

	origin->look_error = -EHOSTUNREACH;
	origin->read_error = -EHOSTUNREACH;
	origin->fail_at = 0;
	rig_start();
	mount = rig_mount(origin);
	ck_assert_int_eq(rig_read(mount, 4 * MIB, 64 * KIB), 0);
	rig_umount(mount);
}
END_TEST

START_TEST(readers_outlive_a_killed_daemon_where_the_device_is_held)
{
	struct fake_origin *origin;
	struct emu_mount *mount, *opening;
	struct emu_reader *readers[10];

	begin_again();
	rig.kernel.holder = true;
	rig.kernel.read_deadline = 0;
	rig_begin();
	origin = rig_serve("blob", 64 * MIB);
	mount = rig_mount(origin);
	origin->delay = 10 * SEC;
	origin->look_stalls = true;
	for (unsigned int i = 0; i < 10; i++)
		readers[i] = emu_read(mount, (i + 1) * MIB, 64 * KIB);
	opening = rig_open(rig_serve("other", 64 * MIB));
	rig_run(0);
	rig_kill();

	rig_start();
	emu_restore(rig.emu);
	for (unsigned int i = 0; i < 10; i++)
		ck_assert_int_eq(rig_finish(readers[i]), 0);
	rig_wait(emu_mount_state(opening) == EMU_MOUNT_OPEN);
	rig_umount(mount);
	rig_umount(opening);
}
END_TEST

START_TEST(requests_sent_twice_are_fetched_once)
{
	struct fake_origin *origin = rig_serve("blob", 64 * MIB);
	struct emu_mount *mount = rig_mount(origin);
	struct emu_reader *reader;

	origin->delay = SEC;
	reader = emu_read(mount, 4 * MIB, 64 * KIB);
	rig_run(MS);
	emu_restore(rig.emu);
	ck_assert_int_eq(rig_finish(reader), 0);
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
	rig_run(SEC);
	ck_assert_uint_eq(emu_counters(rig.emu).late_answers, 1);
	rig_umount(mount);
}
END_TEST

/* ---- another version at the origin ------------------------------------------------------ */

/* Half of version 1 is in the cache, and its daemon has ended. */
static struct fake_origin *cache_version_one(void)
{
	struct fake_origin *origin = rig_serve("blob", 8 * MIB);
	struct emu_mount *mount = rig_mount(origin);

	ck_assert_int_eq(rig_read(mount, 0, 4 * MIB), 0);
	rig_umount(mount);
	rig_stop();
	return origin;
}

START_TEST(changed_object_of_equal_size_never_mixes_with_old_bytes)
{
	struct fake_origin *origin = cache_version_one();
	struct emu_mount *mount;

	rig.source.revalidate = true;
	origin = fake_replace(rig.fake, origin, 8 * MIB, "v2");
	rig_start();
	mount = rig_mount(origin);
	ck_assert_int_eq(rig_read(mount, 0, 8 * MIB), 0);
	rig_umount(mount);
}
END_TEST

START_TEST(changed_object_is_still_the_old_one_without_revalidation)
{
	struct fake_origin *origin = cache_version_one();
	struct emu_mount *mount;

	origin->validator = "v2";
	rig_start();
	mount = rig_mount(origin);
	ck_assert_int_eq(rig_read(mount, 0, 1 * MIB), 0);
	ck_assert_int_eq(rig_read(mount, 7 * MIB, 4096), -EIO); /* what is not cached is gone */
	rig_umount(mount);
}
END_TEST

START_TEST(known_object_is_served_when_revalidation_gets_no_answer)
{
	struct fake_origin *origin = cache_version_one();
	struct emu_mount *mount;

	rig.source.revalidate = true;
	origin->look_stalls = true;
	rig_start();
	mount = rig_mount(origin);
	ck_assert_int_eq(rig_read(mount, 0, 1 * MIB), 0);
	rig_umount(mount);
}
END_TEST

START_TEST(cached_bytes_without_a_record_are_dropped)
{
	struct fake_origin *origin = cache_version_one();
	struct emu_mount *mount;

	state_close(rig.state);
	ck_assert_int_eq(state_open(&rig.state, NULL), 0);
	origin = fake_replace(rig.fake, origin, 8 * MIB,
			      "v1"); /* other bytes, and nothing to tell them by */
	rig_start();
	mount = rig_mount(origin);
	ck_assert_int_eq(rig_read(mount, 0, 8 * MIB), 0);
	rig_umount(mount);
}
END_TEST

START_TEST(object_with_another_size_is_fetched_anew)
{
	struct fake_origin *origin = cache_version_one();
	struct emu_mount *mount;

	rig.source.revalidate = true;
	origin = fake_replace(rig.fake, origin, 5 * MIB + 1, "v2");
	rig_start();
	mount = rig_mount(origin);
	ck_assert_uint_eq(emu_mount_size(mount), 5 * MIB + 1);
	ck_assert_int_eq(rig_read(mount, 0, 5 * MIB + 1), 0);
	rig_umount(mount);
}
END_TEST

/* ---- great numbers ---------------------------------------------------------------------- */

static bool enough_descriptors(rlim_t n)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur > n;
}

static struct emu_mount *mounts[OBJECTS];
static struct fake_origin *origins[OBJECTS];
static struct emu_reader *readers[DEMANDS];

/* Every tenth object is large, the others are one block. */
static void mount_many(unsigned int n, uint64_t large)
{
	char cookie[32];

	for (unsigned int i = 0; i < n; i++) {
		snprintf(cookie, sizeof(cookie), "blob%u", i);
		origins[i] = rig_serve(cookie, i % 10 ? 4096 : large);
		mounts[i] = rig_open(origins[i]);
	}
	for (unsigned int i = 0; i < n; i++) {
		rig_wait(emu_mount_state(mounts[i]) != EMU_MOUNT_OPENING);
		ck_assert_int_eq(emu_mount_state(mounts[i]), EMU_MOUNT_OPEN);
	}
}

static void umount_many(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		emu_close(mounts[i]);
	for (unsigned int i = 0; i < n; i++)
		rig_wait(emu_mount_fd(mounts[i]) < 0);
}

START_TEST(mounts_that_are_never_read_take_no_buffers_from_those_that_are)
{
	begin_again();
	rig.config.buffers = 2 * MIB;
	rig_begin();
	mount_many(600, 1 * MIB);
	ck_assert_int_eq(rig_read(mounts[590], 512 * KIB, 128 * KIB), 0);
	umount_many(600);
}
END_TEST

START_TEST(mounts_that_wait_for_their_origin_take_no_buffers_either)
{
	struct emu_mount *waiting[64], *mount;
	struct fake_origin *origin;
	char cookie[32];

	begin_again();
	rig.config.buffers = 2 * MIB;
	rig.source.max_requests = 64;
	rig_begin();
	mount = rig_mount(rig_serve("blob", 8 * MIB));
	for (unsigned int i = 0; i < 64; i++) {
		snprintf(cookie, sizeof(cookie), "mute%u", i);
		origin = rig_serve(cookie, 1 * MIB);
		origin->look_delay = SEC;
		waiting[i] = rig_open(origin);
	}
	rig_run(SEC / 2);
	ck_assert_int_eq(rig_read(mount, 4 * MIB, 64 * KIB), 0);
	for (unsigned int i = 0; i < 64; i++) {
		rig_wait(emu_mount_state(waiting[i]) != EMU_MOUNT_OPENING);
		ck_assert_int_eq(emu_mount_state(waiting[i]), EMU_MOUNT_OPEN);
		rig_umount(waiting[i]);
	}
	rig_umount(mount);
}
END_TEST

START_TEST(ten_thousand_objects_and_a_thousand_waiting_readers)
{
	size_t before, used;

	if (!enough_descriptors(OBJECTS + 100))
		return;
	begin_again();
	rig.kernel.in_memory = true;
	rig_begin();
	mount_many(OBJECTS, 2 * MIB);
	before = mallinfo2().uordblks;
	for (unsigned int i = 0; i < DEMANDS; i++) {
		origins[i * 10]->delay = 5 * MS;
		readers[i] = emu_read(mounts[i * 10], 1 * MIB, 64 * KIB);
	}
	while (rig_waiting(readers[DEMANDS - 1])) {
		rig_run(MS);
		used = mallinfo2().uordblks;
		ck_assert_uint_le(used - before > used ? 0 : used - before, 32 * MIB);
	}
	for (unsigned int i = 0; i < DEMANDS; i++)
		ck_assert_int_eq(rig_finish(readers[i]), 0);
	ck_assert_uint_le(fake_bytes_max(rig.fake), rig.config.buffers);
	umount_many(OBJECTS);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_set_timeout(tcase, 300);
	tcase_add_checked_fixture(tcase, setup, rig_end);
	tcase_add_test(tcase, close_with_reads_outstanding_ends_them_and_their_fetches);
	tcase_add_test(tcase, close_in_the_middle_of_a_write_that_is_refused);
	tcase_add_test(tcase, object_can_be_mounted_again_while_its_old_fetch_ends);
	tcase_add_test(tcase, unread_messages_of_all_kinds_in_one_turn);
	tcase_add_test(tcase, orderly_end_answers_all_who_wait);
	tcase_add_test(tcase, orderly_end_in_the_middle_of_writes);
	tcase_add_test(tcase, dead_cache_does_not_hold_up_the_end);
	tcase_add_test(tcase, next_daemon_serves_what_is_cached_with_the_origin_down);
	tcase_add_test(tcase, readers_outlive_a_killed_daemon_where_the_device_is_held);
	tcase_add_test(tcase, requests_sent_twice_are_fetched_once);
	tcase_add_test(tcase, changed_object_of_equal_size_never_mixes_with_old_bytes);
	tcase_add_test(tcase, changed_object_is_still_the_old_one_without_revalidation);
	tcase_add_test(tcase, known_object_is_served_when_revalidation_gets_no_answer);
	tcase_add_test(tcase, cached_bytes_without_a_record_are_dropped);
	tcase_add_test(tcase, object_with_another_size_is_fetched_anew);
	tcase_add_test(tcase, mounts_that_are_never_read_take_no_buffers_from_those_that_are);
	tcase_add_test(tcase, mounts_that_wait_for_their_origin_take_no_buffers_either);
	tcase_add_test(tcase, ten_thousand_objects_and_a_thousand_waiting_readers);
}

int main(void)
{
	Suite *suite = suite_create("frontend-life");
	TCase *tcase = tcase_create("frontend-life");

	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
