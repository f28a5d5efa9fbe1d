/* SPDX-License-Identifier: MIT */
/*
 * The daemon against the emulated kernel, in what a script cannot say: mounts over and over, all
 * kinds of messages in one turn, great numbers. The rest is in tests/scenario.
 */
#include <check.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "tests/lib/rig.h"
#include "tests/lib/run-suite.h"

#define OBJECTS 10000
#define LARGE	(OBJECTS / 10)
#define DEMANDS 5000

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

/* ---- mounts over and over ----------------------------------------------------------------- */

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
static void mount_many(unsigned int from, unsigned int to, uint64_t large)
{
	char cookie[32];

	for (unsigned int i = from; i < to; i++) {
		snprintf(cookie, sizeof(cookie), "blob%u", i);
		origins[i] = rig_serve(cookie, i % 10 ? 4096 : large);
		mounts[i] = rig_open(origins[i]);
	}
	for (unsigned int i = from; i < to; i++) {
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
	mount_many(0, 600, 1 * MIB);
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

START_TEST(ten_thousand_objects_and_five_thousand_waiting_readers)
{
	size_t before, used;

	if (!enough_descriptors(OBJECTS + 100))
		return;
	begin_again();
	rig.kernel.in_memory = true;
	rig_begin();
	mount_many(0, OBJECTS, 2 * MIB);
	before = mallinfo2().uordblks;
	for (unsigned int i = 0; i < DEMANDS; i++) {
		origins[i % LARGE * 10]->delay = 5 * MS;
		readers[i] = emu_read(mounts[i % LARGE * 10], MIB + i / LARGE * 128 * KIB,
				      64 * KIB);
	}
	while (rig_waiting(readers[DEMANDS - 1])) {
		rig_run(MS);
		used = mallinfo2().uordblks;
		ck_assert_uint_le(used - before > used ? 0 : used - before, 32 * MIB);
	}
	for (unsigned int i = 0; i < DEMANDS; i++)
		ck_assert_int_eq(rig_finish(readers[i]), 0);
	for (unsigned int i = 0; i < LARGE; i++)
		ck_assert_uint_eq(origins[i * 10]->blocks_asked_twice, 0);
	ck_assert_uint_le(fake_bytes_max(rig.fake), rig.config.buffers);
	umount_many(OBJECTS);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_set_timeout(tcase, 300);
	tcase_add_checked_fixture(tcase, setup, rig_end);
	tcase_add_test(tcase, object_can_be_mounted_again_while_its_old_fetch_ends);
	tcase_add_test(tcase, unread_messages_of_all_kinds_in_one_turn);
	tcase_add_test(tcase, mounts_that_are_never_read_take_no_buffers_from_those_that_are);
	tcase_add_test(tcase, mounts_that_wait_for_their_origin_take_no_buffers_either);
	tcase_add_test(tcase, ten_thousand_objects_and_five_thousand_waiting_readers);
}

int main(void)
{
	Suite *suite = suite_create("frontend-life");
	TCase *tcase = tcase_create("frontend-life");

	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
