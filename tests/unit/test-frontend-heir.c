/* SPDX-License-Identifier: MIT */
/*
 * A daemon that goes on with the device of another, in what a script cannot say: descriptors that
 * outlive their daemon. The rest is in tests/scenario, from 706 on.
 */
#include <check.h>
#include <errno.h>

#include "tests/lib/rig.h"
#include "tests/lib/run-suite.h"

#define OTHERS 5000

static struct fake_origin *blob, *other;
static struct emu_mount *mount;
static struct emu_reader *reader, *readers[OTHERS];

/* Somebody waits for a READ, and the daemon that has it is gone. */
static void setup(void)
{
	rig_setup();
	rig.kernel.holder = true;
	rig.kernel.open_deadline = rig.kernel.read_deadline = 0;
	rig.config.readahead_max = 0;
	rig_begin();
	blob = rig_serve("blob", 8 * MIB);
	other = rig_serve("other", 8 * MIB);
	mount = rig_mount(blob);
	blob->stall_always = true;
	reader = emu_read(mount, 4 * MIB, 64 * KIB);
	rig_run(10 * MS);
	emu_kill_daemon_slowly(rig.emu);
	rig_stop();
	blob->stall_always = false;
	rig_start();
}

START_TEST(read_of_a_descriptor_that_lingers_is_asked_for_again)
{
	rig_run(5 * SEC);
	ck_assert(rig_waiting(reader));
	ck_assert_uint_le(emu_counters(rig.emu).reads, 20);
	emu_let_go(rig.emu);
	ck_assert_int_eq(rig_finish(reader), 0);
	ck_assert_int_eq(rig_read(mount, 0, 1 * MIB), 0);
	rig_umount(mount);
}
END_TEST

START_TEST(open_that_is_under_way_is_not_failed_by_it)
{
	struct emu_mount *opening;

	other->look_delay = 300 * MS;
	opening = rig_open(other);
	rig_run(200 * MS);
	emu_let_go(rig.emu);
	rig_wait(emu_mount_state(opening) != EMU_MOUNT_OPENING);
	ck_assert_int_eq(emu_mount_state(opening), EMU_MOUNT_OPEN);
	ck_assert_int_eq(rig_finish(reader), 0);
	rig_umount(opening);
	rig_umount(mount);
}
END_TEST

START_TEST(others_are_answered_once)
{
	struct emu_mount *second = rig_mount(other);
	uint64_t before;

	/* Those of one block wait for one fetch. */
	other->delay = 500 * MS;
	for (unsigned int i = 0; i < OTHERS; i++)
		readers[i] = emu_read(second, (1 + i % 20) * 256 * KIB, 4096);
	rig_run(200 * MS);
	before = emu_counters(rig.emu).reads;
	emu_let_go(rig.emu);
	for (unsigned int i = 0; i < OTHERS; i++) {
		ck_assert_int_eq(rig_finish(readers[i]), 0);
		ck_assert_uint_eq(emu_reader_requests(readers[i]), 1);
	}
	ck_assert_uint_ge(emu_counters(rig.emu).reads, before + OTHERS); /* all came again */
	ck_assert_int_eq(rig_finish(reader), 0);
	ck_assert_uint_eq(emu_counters(rig.emu).late_answers, 0);
	before = emu_counters(rig.emu).reads;
	ck_assert_int_eq(rig_read(second, 7 * MIB, 4096), 0);
	ck_assert_uint_eq(emu_counters(rig.emu).reads, before + 1);
	rig_umount(second);
	rig_umount(mount);
}
END_TEST

START_TEST(stop_while_it_is_awaited)
{
	rig_run(15 * MS);
	rig_stop();
	ck_assert(emu_expect_violation(rig.emu, "the device was closed before descriptor"));
	emu_let_go(rig.emu);
	rig_start();
	ck_assert_int_eq(rig_finish(reader), 0);
	rig_umount(mount);
}
END_TEST

/* Nobody can ask it: the READ waits for ever, and that is all. */
START_TEST(kernel_without_restore)
{
	struct emu_reader *second;

	emu_let_go(rig.emu);
	ck_assert_int_eq(rig_finish(reader), 0);
	rig_umount(mount);
	rig_end();
	rig_setup();
	rig.kernel.holder = rig.kernel.no_restore = true;
	rig.kernel.open_deadline = rig.kernel.read_deadline = 0;
	rig_begin();
	mount = rig_mount(rig_serve("blob", 8 * MIB));
	emu_kill_daemon(rig.emu);
	rig_stop();
	rig_start();
	second = emu_read(mount, 0, 64 * KIB); /* new misses come, and have it opened */
	ck_assert_int_eq(rig_finish(second), 0);
	rig_umount(mount);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("frontend-heir");
	TCase *t = tcase_create("heir");

	tcase_add_checked_fixture(t, setup, rig_end);
	tcase_add_test(t, read_of_a_descriptor_that_lingers_is_asked_for_again);
	tcase_add_test(t, open_that_is_under_way_is_not_failed_by_it);
	tcase_add_test(t, others_are_answered_once);
	tcase_add_test(t, stop_while_it_is_awaited);
	tcase_add_test(t, kernel_without_restore);
	suite_add_tcase(s, t);
	return run_suite(s);
}
