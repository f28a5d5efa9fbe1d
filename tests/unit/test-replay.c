/* SPDX-License-Identifier: MIT */
/*
 * What a trace may hold, and what of it is replayed.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "daemon/replay/feed.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/replay-rig.h"

START_TEST(reads_are_answered_with_the_right_bytes)
{
	put_open(1, 1, "a", 10 * MIB + 5);
	for (uint32_t i = 0; i < 10; i++)
		put_read(2 + i, 1, i * MIB, 4 * KIB);
	put_read(20, 1, 10 * MIB, 4 * KIB); /* the tail */
	put_close(30, 1);
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.opens, 1);
	ck_assert_uint_eq(report.here.reads, 11);
	ck_assert_uint_eq(report.here.reads_failed, 0);
	ck_assert_uint_eq(report.here.asked, 44 * KIB);
	ck_assert_uint_eq(report.checked_bytes, 40 * KIB + 5);
	ck_assert_uint_ge(report.here.stored, 44 * KIB);
}
END_TEST

START_TEST(time_goes_by_as_recorded)
{
	put_open(1, 1, "a", MIB);
	wait_ms(5000);
	put_read(2, 1, 0, 4 * KIB);
	wait_ms(2000);
	put_read(3, 1, 512 * KIB, 4 * KIB);
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.time, 7002 * MS);
	wish.speed = 10;
	replay_with(LOOP_VIRTUAL);
	ck_good();
	ck_assert_uint_eq(report.here.time, 7002 * MS / 10);
	wish.speed = 0;
	replay_with(LOOP_VIRTUAL);
	ck_good();
	ck_assert_uint_eq(report.here.time, 0);
}
END_TEST

START_TEST(a_reopened_object_has_its_bytes)
{
	put_open(1, 1, "a", MIB);
	put_read(2, 1, 0, 256 * KIB);
	put_close(3, 1);
	put_open(4, 2, "a", MIB);
	put_read(5, 2, 0, 128 * KIB);
	put_close(6, 2);
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.opens, 2);
	ck_assert_uint_eq(report.present, 1);
	/* The first open brought 128 KiB, the rest was fetched once. */
	ck_assert_uint_le(report.here.stored, MIB);
}
END_TEST

START_TEST(an_open_that_failed_in_the_trace_fails)
{
	put_refused(1, 1, "a", -ENOENT);
	put_refused(2, 2, "b", -EIO);
	put_open(3, 3, "b", MIB);
	put_read(4, 3, 0, 4 * KIB);
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.opens, 3);
	ck_assert_uint_eq(report.here.opens_failed, 2);
	ck_assert_uint_eq(report.recorded.opens_failed, 2);
	ck_assert_uint_eq(report.here.reads_failed, 0);
}
END_TEST

START_TEST(readers_wait_as_they_did)
{
	rule("latency 20ms");
	put_open(1, 1, "a", 64 * MIB);
	ask_read(2, 1, 0, 4 * KIB);
	ask_read(3, 1, 32 * MIB, 4 * KIB); /* both at the same time */
	wait_ms(1);
	answer_read(2, 1);
	answer_read(3, 1);
	put_read(4, 1, 16 * MIB, 4 * KIB); /* after both */
	wish.speed = 0;
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.reads, 3);
	/* The open brought the first block; two round trips for the other two, not in parallel. */
	ck_assert_uint_eq(report.here.time, 60 * MS);
}
END_TEST

START_TEST(close_while_reading_withdraws_the_read)
{
	rule("stall * 33554432 forever");
	put_open(1, 1, "a", 64 * MIB);
	ask_read(2, 1, 32 * MIB, 4 * KIB);
	wait_ms(1);
	PUT(.kind = TRACE_CLOSE, .msg = 3, .id = 1);
	wait_ms(1);
	PUT(.kind = TRACE_COMPLETE, .msg = 2, .id = 1, .result = -EINVAL);
	PUT(.kind = TRACE_RELEASE, .id = 1);
	put_open(4, 2, "a", 64 * MIB);
	put_read(5, 2, 0, 4 * KIB);
	replay();
	ck_good();
	ck_assert_uint_eq(report.withdrawn, 1);
	ck_assert_uint_eq(report.here.reads_failed, 0);
	ck_assert_uint_eq(report.here.time, 4 * MS);
}
END_TEST

START_TEST(what_was_open_before_the_recording_is_opened)
{
	put_object(7, "a", MIB, "v1");
	PUT(.kind = TRACE_HANDLE, .id = 9, .object = 7);
	put_read(1, 9, 512 * KIB, 4 * KIB);
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.opens, 1);
	ck_assert_uint_eq(report.recorded.opens, 0);
	ck_assert_uint_eq(report.here.reads, 1);
}
END_TEST

START_TEST(an_object_that_changed_has_other_bytes)
{
	put_open(1, 1, "a", MIB);
	put_read(2, 1, 0, 64 * KIB);
	put_close(3, 1);
	ask_open(4, 2, "a");
	put_object(2, "a", 2 * MIB, "v2");
	PUT(.kind = TRACE_COPEN, .msg = 4, .size = 2 * MIB);
	put_read(5, 2, 0, 64 * KIB);
	put_read(6, 2, 2 * MIB - 4 * KIB, 4 * KIB);
	replay();
	ck_good();
	ck_assert_uint_eq(report.checked_bytes, 132 * KIB);
}
END_TEST

START_TEST(a_compressed_image_is_fetched_whole)
{
	ask_open(1, 1, "a");
	PUT(.kind = TRACE_OBJECT, .object = 1, .size = 4 * MIB, .flags = TRACE_OBJECT_COMPRESSED,
	    .volume = bytes_str("erofs,v"), .cookie = bytes_str("a"));
	PUT(.kind = TRACE_COPEN, .msg = 1, .size = 4 * MIB);
	put_read(2, 1, 0, 4 * KIB);
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.stored, 4 * MIB);
}
END_TEST

START_TEST(requests_that_make_no_sense_are_left_out)
{
	put_read(1, 5, 0, 4 * KIB); /* nobody has opened it */
	put_open(2, 1, "a", MIB);
	ask_open(3, 1, "b"); /* an id that is open */
	PUT(.kind = TRACE_COPEN, .msg = 3, .size = MIB);
	ask_read(4, 1, 0, 4 * KIB);
	ask_read(4, 1, 8 * KIB, 4 * KIB); /* a message that is not answered */
	answer_read(4, 1);
	put_read(5, 1, 0, 0);
	put_read(6, 1, UINT64_MAX, 4 * KIB);
	put_read(7, 1, 2 * MIB, 4 * KIB); /* behind the end */
	answer_read(99, 1);
	put_close(8, 77);
	replay();
	ck_good();
	ck_assert_uint_eq(report.strays, 1);
	ck_assert_uint_eq(report.here.opens, 2);
	ck_assert_uint_eq(report.here.reads, 5);
	ck_assert_uint_eq(report.here.reads_failed, 3);
}
END_TEST

START_TEST(a_trace_without_an_end_is_replayed)
{
	put_open(1, 1, "a", MIB);
	put_read(2, 1, 0, 4 * KIB);
	ask_read(3, 1, 512 * KIB, 4 * KIB);
	cut_trace();
	replay_with(LOOP_VIRTUAL);
	ck_good();
	ck_assert(!report.complete);
	ck_assert_uint_eq(report.here.reads, 2);
}
END_TEST

START_TEST(an_object_that_no_file_system_takes_is_refused_with_its_place)
{
	put_open(1, 1, "a", (uint64_t)INT64_MAX - 4095);
	replay();
	ck_assert(!report_is_good(&report));
	ck_assert_ptr_nonnull(strstr(report.why, "offset "));
	ck_assert_ptr_nonnull(strstr(report.why, "larger than"));
}
END_TEST

START_TEST(keys_that_fit_no_message_are_refused_with_their_place)
{
	char cookie[1200];

	memset(cookie, 'k', sizeof(cookie));
	cookie[sizeof(cookie) - 1] = '\0';
	put_open(1, 1, cookie, MIB);
	replay();
	ck_assert(!report_is_good(&report));
	ck_assert_ptr_nonnull(strstr(report.why, "fit into no message"));
}
END_TEST

START_TEST(too_many_at_the_same_time_are_refused_with_their_place)
{
	put_open(1, 1, "a", MIB);
	for (uint32_t i = 0; i < FEED_OUTSTANDING_MAX + 2; i++)
		ask_read(10 + i, 1, 0, 4 * KIB);
	wish.speed = 0;
	replay();
	ck_assert(!report_is_good(&report));
	ck_assert_ptr_nonnull(strstr(report.why, "same time"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("replay");
	TCase *t = tcase_create("traces");

	tcase_add_checked_fixture(t, replay_setup, replay_teardown);
	tcase_add_test(t, reads_are_answered_with_the_right_bytes);
	tcase_add_test(t, time_goes_by_as_recorded);
	tcase_add_test(t, a_reopened_object_has_its_bytes);
	tcase_add_test(t, an_open_that_failed_in_the_trace_fails);
	tcase_add_test(t, readers_wait_as_they_did);
	tcase_add_test(t, close_while_reading_withdraws_the_read);
	tcase_add_test(t, what_was_open_before_the_recording_is_opened);
	tcase_add_test(t, an_object_that_changed_has_other_bytes);
	tcase_add_test(t, a_compressed_image_is_fetched_whole);
	tcase_add_test(t, requests_that_make_no_sense_are_left_out);
	tcase_add_test(t, a_trace_without_an_end_is_replayed);
	tcase_add_test(t, an_object_that_no_file_system_takes_is_refused_with_its_place);
	tcase_add_test(t, keys_that_fit_no_message_are_refused_with_their_place);
	tcase_add_test(t, too_many_at_the_same_time_are_refused_with_their_place);
	suite_add_tcase(s, t);
	return run_suite(s);
}
