/* SPDX-License-Identifier: MIT */
/*
 * What a script does to an origin.
 */
#include <check.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/replay-rig.h"

/* What becomes of an OPEN and a READ. */
static const struct {
	const char *what, *rule;
	uint64_t read_deadline;
	uint64_t opens_failed, reads_failed, time;
} faults[] = {
	{ "latency delays the look and the read", "latency 50ms", .time = 100 * MS },
	{ "an error of another object harms nobody", "error */b 33554432 EIO" },
	{ "an error of a look fails the OPEN, and there is nothing to READ",
	  "error */a look ENOENT", .opens_failed = 1, .reads_failed = 1 },
	{ "a stall for ever is answered at the deadline", "stall * 33554432 forever",
	  .read_deadline = 7 * NSEC_PER_SEC, .reads_failed = 1, .time = 7 * NSEC_PER_SEC },
	{ "a stall ends", "stall * 33554432 3s", .time = 3 * NSEC_PER_SEC },
};

START_TEST(a_fault_of_one_kind)
{
	rule(faults[_i].rule);
	read_deadline = faults[_i].read_deadline;
	put_one_read();
	wish.speed = 0;
	replay();
	ck_good();
	ck_assert_msg(report.here.opens_failed == faults[_i].opens_failed &&
			      report.undelivered == faults[_i].opens_failed &&
			      report.here.reads_failed == faults[_i].reads_failed &&
			      report.here.time == faults[_i].time,
		      "%s: %s", faults[_i].what, json);
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
	/* 12 KiB with the look, then 2 MiB. */
	ck_assert_uint_eq(report.here.time, 2 * NSEC_PER_SEC + 12 * KIB * NSEC_PER_SEC / MIB);
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
	tcase_add_loop_test(t, a_fault_of_one_kind, 0, sizeof(faults) / sizeof(faults[0]));
	tcase_add_test(t, bandwidth_bounds_what_comes);
	tcase_add_test(t, an_error_fails_the_read_and_is_not_wrong);
	tcase_add_test(t, a_rule_holds_in_its_time_only);
	suite_add_tcase(s, t);
	return run_suite(s);
}
