/* SPDX-License-Identifier: MIT */
/*
 * What reports say: the same of the same, and each thing that is wrong.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"
#include "tests/unit/replay-liar.h"
#include "tests/unit/replay-rig.h"

/* ---- reports ----------------------------------------------------------------------------- */

START_TEST(equal_replays_have_equal_reports)
{
	char *first;

	rule("latency 3ms\nbandwidth 10M\nerror */b 65536 EIO 1\nstall */a 1048576 40ms");
	put_open(1, 1, "a", 8 * MIB);
	put_open(2, 2, "b", 8 * MIB);
	for (uint32_t i = 0; i < 50; i++) {
		ask_read(10 + i, 1 + i % 2, i * 128 * KIB, 64 * KIB);
		if (i > 3)
			answer_read(7 + i, 1 + (i - 3) % 2);
		wait_ms(1);
	}
	replay();
	first = json;
	json = NULL;
	script_deinit(&script);
	rule("latency 3ms\nbandwidth 10M\nerror */b 65536 EIO 1\nstall */a 1048576 40ms");
	replay_with(LOOP_VIRTUAL);
	ck_assert_str_eq(first, json);
	free(first);
}
END_TEST

START_TEST(real_time_gives_the_same_answers)
{
	put_open(1, 1, "a", 4 * MIB);
	for (uint32_t i = 0; i < 50; i++)
		put_read(2 + i, 1, i * 64 * KIB, 64 * KIB);
	end_trace();
	wish.speed = 0;
	wish.virtual_time = false;
	replay_with(LOOP_POLL);
	ck_good();
	ck_assert_uint_eq(report.here.reads, 50);
	ck_assert_uint_eq(report.checked_bytes, 50 * 64 * KIB);
}
END_TEST

START_TEST(a_replay_can_be_recorded_and_replayed)
{
	char out[TEMPORARY_MAX + 16];
	uint64_t asked;

	snprintf(out, sizeof(out), "%s/out", wish.cache_dir);
	put_open(1, 1, "a", 4 * MIB);
	for (uint32_t i = 0; i < 20; i++)
		put_read(2 + i, 1, i * 64 * KIB, 64 * KIB);
	put_close(90, 1);
	wish.record = out;
	replay();
	ck_good();
	asked = report.here.asked;
	wish.record = NULL;
	ck_assert_int_eq(rename(out, wish.trace), 0);
	replay_with(LOOP_VIRTUAL);
	ck_good();
	ck_assert_uint_eq(report.here.asked, asked);
	ck_assert_uint_gt(report.recorded.stored, 0);
	ck_assert_uint_eq(report.recorded.stored, report.here.stored);
}
END_TEST

/* ---- what is wrong is said --------------------------------------------------------------- */

START_TEST(a_wrong_byte_is_found_with_its_place)
{
	liar_error = 0;
	decorator = make_liar;
	put_one_read();
	replay();
	ck_assert(!report_is_good(&report));
	ck_assert_uint_eq(report.wrong_reads, 1);
	ck_assert_uint_eq(report.wrong_bytes, 1);
	ck_assert_uint_eq(report.wrong_stored, 1);
	ck_assert_uint_eq(report.wrong_answers, 0);
	ck_finding("erofs,v/a: READ of 4096 bytes at 33554432: 1 are not the origin's, the first "
		   "at 33554532");
}
END_TEST

START_TEST(bytes_are_not_looked_at_where_that_is_not_wanted)
{
	liar_error = 0;
	decorator = make_liar;
	wish.check = false;
	put_one_read();
	replay();
	ck_good();
	ck_assert(!report.checked);
}
END_TEST

START_TEST(a_read_that_fails_as_it_did_not_is_wrong)
{
	liar_error = -EIO;
	decorator = make_liar;
	put_one_read();
	replay();
	ck_assert(!report_is_good(&report));
	ck_assert_uint_eq(report.here.reads_failed, 1);
	ck_assert_uint_eq(report.wrong_answers, 1);
	ck_finding("READ of 4096 bytes at 33554432: failed, as it did not in the trace");
}
END_TEST

START_TEST(a_read_that_failed_in_the_trace_may_fail)
{
	liar_error = -EIO;
	decorator = make_liar;
	put_open(1, 1, "a", 64 * MIB);
	ask_read(2, 1, 32 * MIB, 4 * KIB);
	wait_ms(1);
	PUT(.kind = TRACE_FETCH, .object = 1, .off = 32 * MIB, .len = 64 * KIB, .took = MS,
	    .error = -EIO);
	answer_read(2, 1);
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.reads_failed, 1);
	ck_assert_uint_eq(report.recorded.reads_failed, 1);
}
END_TEST

START_TEST(another_size_is_a_wrong_answer)
{
	decorator = make_smaller;
	put_open(1, 1, "a", 64 * MIB);
	replay();
	ck_assert_uint_eq(report.wrong_answers, 1);
	ck_finding("erofs,v/a: OPEN: 67104768 bytes, in the trace it has 67108864");
}
END_TEST

static void setup(void)
{
	replay_setup();
	liar_at = 32 * MIB + 100;
}

int main(void)
{
	Suite *s = suite_create("replay-report");
	TCase *t = tcase_create("reports");

	tcase_add_checked_fixture(t, replay_setup, replay_teardown);
	tcase_add_test(t, equal_replays_have_equal_reports);
	tcase_add_test(t, real_time_gives_the_same_answers);
	tcase_add_test(t, a_replay_can_be_recorded_and_replayed);
	suite_add_tcase(s, t);

	t = tcase_create("wrongs");
	tcase_add_checked_fixture(t, setup, replay_teardown);
	tcase_add_test(t, a_wrong_byte_is_found_with_its_place);
	tcase_add_test(t, bytes_are_not_looked_at_where_that_is_not_wanted);
	tcase_add_test(t, a_read_that_fails_as_it_did_not_is_wrong);
	tcase_add_test(t, a_read_that_failed_in_the_trace_may_fail);
	tcase_add_test(t, another_size_is_a_wrong_answer);
	suite_add_tcase(s, t);
	return run_suite(s);
}
