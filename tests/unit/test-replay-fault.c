/* SPDX-License-Identifier: MIT */
/*
 * What a script does to an origin.
 */
#include <check.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/replay-rig.h"

START_TEST(latency_delays_each_request)
{
	rule("latency 50ms");
	put_one_read();
	wish.speed = 0;
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.time, 100 * MS); /* a look and a read */
}
END_TEST

START_TEST(bandwidth_bounds_what_comes)
{
	rule("bandwidth 1M");
	put_open(1, 1, "a", 64 * MIB);
	ask_read(2, 1, 32 * MIB, 1 * MIB);
	ask_read(3, 1, 48 * MIB, 1 * MIB);
	answer_read(2, 1);
	answer_read(3, 1);
	wish.speed = 0;
	wish.readahead_max = 4 * KIB;
	replay();
	ck_good();
	/* 128 KiB with the look, then 2 MiB. */
	ck_assert_uint_eq(report.here.time, 2125 * MS);
}
END_TEST

START_TEST(an_error_fails_the_read_and_is_not_wrong)
{
	rule("error */a 33554432 EIO 1");
	put_one_read();
	put_read(3, 1, 32 * MIB, 4 * KIB);
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.reads_failed, 1);
	ck_assert_uint_eq(report.recorded.reads_failed, 0);
}
END_TEST

START_TEST(an_error_of_another_object_harms_nobody)
{
	rule("error */b 33554432 EIO");
	put_one_read();
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.reads_failed, 0);
}
END_TEST

START_TEST(an_error_of_a_look_fails_the_open)
{
	rule("error */a look ENOENT");
	put_one_read();
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.opens_failed, 1);
	ck_assert_uint_eq(report.undelivered, 1);
	ck_assert_uint_eq(report.here.reads_failed, 1);
}
END_TEST

START_TEST(a_stall_for_ever_is_answered_at_the_deadline)
{
	rule("stall * 33554432 forever");
	read_deadline = 7 * NSEC_PER_SEC;
	put_one_read();
	wish.speed = 0;
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.reads_failed, 1);
	ck_assert_uint_eq(report.here.time, 7 * NSEC_PER_SEC);
}
END_TEST

START_TEST(a_stall_ends)
{
	rule("stall * 33554432 3s");
	put_one_read();
	wish.speed = 0;
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.reads_failed, 0);
	ck_assert_uint_eq(report.here.time, 3 * NSEC_PER_SEC);
}
END_TEST

START_TEST(a_rule_holds_in_its_time_only)
{
	rule("error * 33554432 EIO from 10s to 20s");
	put_one_read();
	wait_ms(15000);
	put_read(3, 1, 48 * MIB, 4 * KIB); /* another place */
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.reads_failed, 0);
	script_deinit(&script);
	rule("error * 50331648 EIO from 10s to 20s");
	replay_with(LOOP_VIRTUAL);
	ck_good();
	ck_assert_uint_eq(report.here.reads_failed, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("replay-fault");
	TCase *t = tcase_create("faults");

	tcase_add_checked_fixture(t, replay_setup, replay_teardown);
	tcase_add_test(t, latency_delays_each_request);
	tcase_add_test(t, bandwidth_bounds_what_comes);
	tcase_add_test(t, an_error_fails_the_read_and_is_not_wrong);
	tcase_add_test(t, an_error_of_another_object_harms_nobody);
	tcase_add_test(t, an_error_of_a_look_fails_the_open);
	tcase_add_test(t, a_stall_for_ever_is_answered_at_the_deadline);
	tcase_add_test(t, a_stall_ends);
	tcase_add_test(t, a_rule_holds_in_its_time_only);
	suite_add_tcase(s, t);
	return run_suite(s);
}
