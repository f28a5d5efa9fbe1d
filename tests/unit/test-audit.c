/* SPDX-License-Identifier: MIT */
/*
 * Objects with a digest of the whole: looked at once when all of them is cached, on record from
 * then on, and dropped where they are wrong.
 */
#include <check.h>
#include <string.h>

#include "daemon/util/checked.h"
#include "tests/lib/log-errors.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/audit-fixture.h"

/* ---- what is right ------------------------------------------------------------------------ */

START_TEST(what_is_complete_is_looked_at_once)
{
	struct emu_mount *mount;
	struct audit_stats stats;

	audit_begin(_i == 0 ? SIZE : _i == 1 ? 4096 : 1);
	mount = rig_mount(blob);
	ck_assert_int_eq(verified(), VERIFIED_PENDING);
	read_all(mount);
	stats = settle();
	ck_assert_uint_eq(stats.right, 1);
	ck_assert_uint_eq(stats.hashed_bytes, blob->bytes.size);
	ck_assert_int_eq(verified(), VERIFIED_WHOLE);
	rig_umount(mount);
	mount = rig_mount(blob);
	ck_assert_int_eq(verified(), VERIFIED_WHOLE);
	rig_umount(mount);
	ck_assert_uint_eq(settle().hashed_bytes, blob->bytes.size);

	rig_stop();
	rig_start();
	mount = rig_mount(blob);
	ck_assert_int_eq(verified(), VERIFIED_WHOLE);
	rig_umount(mount);
	ck_assert_uint_eq(settle().hashed_bytes, 0);
}
END_TEST

START_TEST(what_is_not_complete_is_not_hashed)
{
	struct emu_mount *mount;

	audit_begin(4 * MIB);
	mount = rig_mount(blob);
	ck_assert_int_eq(rig_read(mount, 0, 2 * MIB), 0);
	rig_umount(mount);
	ck_assert_uint_eq(settle().hashed_bytes, 0);

	/* The rest of it, after a restart that knows of no part of it. */
	rig_stop();
	rig_start();
	mount = rig_mount(blob);
	ck_assert_int_eq(rig_read(mount, 2 * MIB, 2 * MIB), 0);
	rig_umount(mount);
	ck_assert_uint_eq(settle().right, 1);
	mount = rig_mount(blob);
	ck_assert_int_eq(verified(), VERIFIED_WHOLE);
	rig_umount(mount);
}
END_TEST

START_TEST(what_has_no_digest_is_not_looked_at)
{
	static const char *const validators[] = { "", "etag:\"sha256\"", "digest:sha512:00",
						  "tarmap:00" };
	struct emu_mount *mount;

	audit_begin(SIZE);
	blob->validator = validators[_i];
	mount = rig_mount(blob);
	read_all(mount);
	ck_assert_int_eq(verified(), VERIFIED_NO);
	rig_umount(mount);
	ck_assert_uint_eq(settle().hashed_bytes, 0);
}
END_TEST

/* It stands in the queue once. */
START_TEST(opened_again_and_again)
{
	struct emu_mount *mount;

	audit_begin(SIZE);
	mount = rig_mount(blob);
	read_all(mount);
	for (int i = 0; i < 3; i++) {
		rig_umount(mount);
		mount = rig_mount(blob);
		rig_run(SEC / 2);
	}
	ck_assert_uint_eq(settle().right, 1);
	ck_assert_int_eq(verified(), VERIFIED_WHOLE);
	rig_umount(mount);
}
END_TEST

/* ---- what is wrong ------------------------------------------------------------------------ */

START_TEST(what_is_wrong_is_said_and_goes)
{
	struct emu_mount *mount = make_wrong();
	unsigned int looks = blob->looks;

	ck_assert_uint_eq(heard("erofs,v/blob: all 1048581 bytes are cached, and they are wrong"),
			  1);
	ck_assert_uint_eq(heard(right + strlen("digest:")), 1); /* what was found */
	ck_assert_uint_eq(heard(&WRONG[strlen("digest:")]), 1);
	ck_assert_uint_eq(heard("from fake:blob"), 1);
	/* Who has it open keeps it: another version would mix. */
	ck_assert_uint_gt(rig_present(blob), 0);
	read_all(mount);
	rig_umount(mount);
	(void)settle();
	ck_assert_uint_eq(rig_present(blob), 0);

	/* Mended at the origin: it is fetched anew, and looked at anew. */
	blob->validator = right;
	mount = rig_mount(blob);
	ck_assert_uint_eq(blob->looks, looks + 1);
	read_all(mount);
	ck_assert_uint_eq(settle().right, 1);
	ck_assert_int_eq(verified(), VERIFIED_WHOLE);
	rig_umount(mount);
}
END_TEST

/* Where nothing can be culled, or there was no time to. */
START_TEST(what_is_wrong_is_dropped_when_it_is_opened)
{
	struct emu_mount *mount;

	rig.culls = false;
	mount = make_wrong();
	rig_umount(mount);
	ck_assert_uint_eq(settle().wrong, 1);
	ck_assert_uint_gt(rig_present(blob), 0);
	if (_i) {
		rig_stop();
		rig_start();
	}
	blob->validator = right;
	mount = rig_mount(blob);
	ck_assert_uint_lt(rig_present(blob), blob->bytes.size);
	ck_assert_int_eq(verified(), VERIFIED_PENDING);
	read_all(mount);
	(void)settle();
	ck_assert_int_eq(verified(), VERIFIED_WHOLE);
	rig_umount(mount);
}
END_TEST

/* A mount that reads nothing but what is cached is not heard of by the next daemon. */
START_TEST(what_is_wrong_is_known_to_the_next_daemon)
{
	struct emu_mount *mount;

	rig.kernel.holder = true;
	mount = make_wrong();
	rig_kill();
	rig_start();
	read_all(mount);
	rig_umount(mount);
	ck_assert_uint_eq(rig_present(blob), round_up_u64(SIZE, 4096));
	ck_assert(!engine_is_recorded(rig.engine, bytes_str(RIG_VOLUME), bytes_str("blob")));
	blob->validator = right;
	mount = rig_mount(blob);
	ck_assert_uint_lt(rig_present(blob), SIZE);
	ck_assert_int_eq(verified(), VERIFIED_PENDING);
	rig_umount(mount);
}
END_TEST

/* ---- the end ------------------------------------------------------------------------------ */

/* While it waits, is looked at, or is on its way out. */
START_TEST(stopped_meanwhile)
{
	struct emu_mount *mount = _i % 2 ? make_wrong() : NULL;

	if (!mount) {
		audit_begin(SIZE);
		mount = rig_mount(blob);
		read_all(mount);
	}
	rig_umount(mount);
	ck_assert_uint_eq(audit_stats(rig.audit).waiting, 1);
	for (int i = 0; i < _i / 2; i++)
		ck_assert_int_eq(loop_turn(rig.loop), 0);
	audit_stop(rig.audit);
	ck_assert_uint_eq(audit_stats(rig.audit).waiting, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit");
	TCase *tc = tcase_create("audit");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, audit_setup, rig_end);
	tcase_add_loop_test(tc, what_is_complete_is_looked_at_once, 0, 3);
	tcase_add_test(tc, what_is_not_complete_is_not_hashed);
	tcase_add_loop_test(tc, what_has_no_digest_is_not_looked_at, 0, 4);
	tcase_add_test(tc, opened_again_and_again);
	tcase_add_test(tc, what_is_wrong_is_said_and_goes);
	tcase_add_loop_test(tc, what_is_wrong_is_dropped_when_it_is_opened, 0, 2);
	tcase_add_test(tc, what_is_wrong_is_known_to_the_next_daemon);
	tcase_add_loop_test(tc, stopped_meanwhile, 0, 2 * 16);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
