/* SPDX-License-Identifier: MIT */
#include "tests/ctl/ctl.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"

static void assert_bad(const struct ctl_result *r, const char *message)
{
	ck_assert_msg(r->status == 1 && strstr(r->out, message) && !strstr(r->out, ": ok"),
		      "status %d: %s%s", r->status, r->out, r->err);
	ck_assert_uint_eq(ctl_lines(r->out), 1);
}

/* The sample without one record, or with one more behind the n-th. */
static void write_without(const char *path, size_t n)
{
	struct trace_record records[64];

	memcpy(records, sample, n * sizeof(*sample));
	memcpy(records + n, sample + n + 1, (sample_len - n - 1) * sizeof(*sample));
	trace_write(path, records, sample_len - 1, true);
}

static void write_with(const char *path, size_t n, struct trace_record more)
{
	struct trace_record records[64];

	more.time = sample[n].time;
	memcpy(records, sample, (n + 1) * sizeof(*sample));
	records[n + 1] = more;
	memcpy(records + n + 2, sample + n + 1, (sample_len - n - 1) * sizeof(*sample));
	trace_write(path, records, sample_len + 1, true);
}

static size_t find(enum trace_kind kind)
{
	for (size_t i = 0; i < sample_len; i++)
		if (sample[i].kind == kind)
			return i;
	ck_abort_msg("the sample has none");
}

START_TEST(test_good)
{
	trace_write_sample("a");
	trace_write_random("b", 1, 300, false);
	RUN_OK("trace", "verify", "a", "b");
	ck_assert_uint_eq(ctl_lines(RUN("trace", "verify", "a", "b")->out), 2);
	ck_assert_str_eq(RUN("trace", "verify", "a")->out,
			 "a: ok: 29 records, 7 requests, 3 objects, 200 ms\n");
	ck_assert_int_eq(rename("a", "stdin"), 0);
	RUN_OK("trace", "verify", "-");
}
END_TEST

START_TEST(test_one_bad_file_of_two)
{
	struct ctl_result *r;

	trace_write("a", sample, sample_len, false);
	trace_write_sample("b");
	r = RUN("trace", "verify", "a", "gone", "b");
	ck_assert_int_eq(r->status, 1);
	ck_assert_uint_eq(ctl_lines(r->out), 2);
	ck_assert_ptr_nonnull(strstr(r->out, "b: ok"));
	ck_assert_ptr_nonnull(strstr(r->err, "gone: No such file"));
}
END_TEST

/* Wherever the file ends, that is seen; and it is forgiven once the header is there. */
START_TEST(test_cut_off_anywhere)
{
	size_t len, headless = 0;
	uint8_t *data;

	trace_write_sample("a");
	data = file_read("a", &len);
	for (size_t n = len - 1; n > 7; n -= n > 60 ? 53 : 7) {
		struct ctl_result *r;
		bool readable;

		file_write("cut", data, n);
		r = RUN("trace", "verify", "cut");
		ck_assert_int_eq(r->status, 1);
		ck_assert_uint_eq(ctl_lines(r->out), 1);
		readable = strstr(r->out, "cut off at offset ");
		r = RUN("trace", "verify", "--lenient", "cut");
		ck_assert_int_eq(r->status, readable ? 0 : 1);
		headless += !readable;
	}
	ck_assert_uint_gt(headless, 0);
	free(data);
}
END_TEST

START_TEST(test_cut_off_is_measured)
{
	char expected[64];
	size_t len, whole;
	uint8_t *data;

	trace_write("b", sample, sample_len, false);
	free(file_read("b", &whole));
	trace_write_sample("a");
	data = file_read("a", &len);
	file_write("cut", data, whole + 2);
	free(data);
	snprintf(expected, sizeof(expected), "cut: cut off at offset %zu, 2 bytes behind it",
		 whole);
	assert_bad(RUN("trace", "verify", "cut"), expected);
	snprintf(expected, sizeof(expected), "b: cut off at offset %zu, there is no end record",
		 whole);
	assert_bad(RUN("trace", "verify", "b"), expected);
}
END_TEST

/* A byte that has changed is noticed, whichever it is, and never forgiven. */
START_TEST(test_damage_anywhere)
{
	size_t len, damaged = 0;
	uint8_t *data;

	trace_write_sample("a");
	data = file_read("a", &len);
	for (size_t i = 0; i < len; i += 29) {
		struct ctl_result *r;

		data[i] ^= 0x10;
		file_write("b", data, len);
		data[i] ^= 0x10;
		r = RUN("trace", "verify", "b");
		ck_assert_int_eq(r->status, 1);
		damaged += strstr(r->out, "damaged at offset ") != NULL;
	}
	ck_assert_uint_gt(damaged, 5);
	data[len - 20] ^= 1;
	file_write("b", data, len);
	assert_bad(RUN("trace", "verify", "--lenient", "b"), "b: damaged at offset ");
	free(data);
}
END_TEST

START_TEST(test_what_does_not_fit)
{
	write_with("twice", find(TRACE_COMPLETE),
		   (struct trace_record){ TRACE_COMPLETE, .msg = 2, .id = 10 });
	assert_bad(RUN("trace", "verify", "twice"), "complete: it answers no request");
	write_with("copen", find(TRACE_COPEN), (struct trace_record){ TRACE_COPEN, .msg = 77 });
	assert_bad(RUN("trace", "verify", "copen"), "copen: it answers no request");
	write_with("read", find(TRACE_COPEN),
		   (struct trace_record){ TRACE_READ, .msg = 9, .id = 99, .len = 1 });
	assert_bad(RUN("trace", "verify", "read"), "read: its id is not open");
	write_with("close", find(TRACE_COPEN), (struct trace_record){ TRACE_CLOSE, .id = 99 });
	assert_bad(RUN("trace", "verify", "close"), "close: its id is not open");
	write_with("release", find(TRACE_COPEN), (struct trace_record){ TRACE_RELEASE, .id = 99 });
	assert_bad(RUN("trace", "verify", "release"), "release: its id is not in use");
	write_with("handle", find(TRACE_SOURCE),
		   (struct trace_record){ TRACE_HANDLE, .id = 1, .object = 99 });
	assert_bad(RUN("trace", "verify", "handle"), "handle: its object is not known");
	write_with("open", find(TRACE_OPEN),
		   (struct trace_record){ TRACE_OPEN, .msg = 50, .id = 10 });
	assert_bad(RUN("trace", "verify", "--lenient", "open"), "open: its id or its message");
}
END_TEST

/* Ids of messages are those of all that the kernel waits for; a CLOSE has one, too. */
START_TEST(test_close_beside_a_request)
{
	struct trace_record records[] = {
		sample[0],
		sample[1],
		sample[4],
		{ TRACE_HANDLE, .id = 10, .object = 100 },
		{ TRACE_HANDLE, .id = 11, .object = 100 },
		{ TRACE_READ, .msg = 1, .id = 10, .len = 4096 },
		{ TRACE_CLOSE, .msg = 2, .id = 11 },
		{ TRACE_RELEASE, .id = 11 },
		{ TRACE_COMPLETE, .msg = 1, .id = 10 },
	};
	const size_t n = sizeof(records) / sizeof(records[0]);

	for (size_t i = 0; i < n; i++)
		records[i].time = SAMPLE_TIME;
	trace_write("a", records, n, true);
	RUN_OK("trace", "verify", "a");
	records[6].msg = 1;
	trace_write("b", records, n, true);
	assert_bad(RUN("trace", "verify", "b"), "close: its id is not open, or its message is in "
						"use");
}
END_TEST

START_TEST(test_missing_answer)
{
	char expected[80];
	size_t len;

	write_without("a", find(TRACE_COMPLETE));
	/* Its message is used again, which is impossible before the answer. */
	assert_bad(RUN("trace", "verify", "a"), "1 requests without an answer");
	/* Of two, the first is told where it is. */
	trace_write("14", sample, 14, false);
	free(file_read("14", &len));
	trace_write("c", sample, 16, true);
	snprintf(expected, sizeof(expected),
		 "c: 2 requests without an answer, the first at offset %zu", len);
	assert_bad(RUN("trace", "verify", "c"), expected);
	trace_write_random("b", 3, 300, true);
	assert_bad(RUN("trace", "verify", "b"), "requests without an answer, the first at offset ");
	RUN_OK("trace", "verify", "--lenient", "b");
}
END_TEST

START_TEST(test_lost_records)
{
	write_with("a", 10, (struct trace_record){ TRACE_LOST, .count = 7 });
	assert_bad(RUN("trace", "verify", "a"), "7 records were lost");
	RUN_OK("trace", "verify", "--lenient", "a");
	ck_assert_ptr_nonnull(
		strstr(RUN("trace", "verify", "--lenient", "a")->out, "7 records were"));
}
END_TEST

START_TEST(test_wrong_ends)
{
	write_with("early", 10, (struct trace_record){ TRACE_END, .count = 11 });
	assert_bad(RUN("trace", "verify", "early"), "records behind its end record");
	write_with("count", sample_len - 1, (struct trace_record){ TRACE_END, .count = 3 });
	assert_bad(RUN("trace", "verify", "count"), "end: it counts other records");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl-verify");
	TCase *tcase = tcase_create("verify");

	tcase_add_checked_fixture(tcase, ctl_enter, ctl_leave);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_good);
	tcase_add_test(tcase, test_one_bad_file_of_two);
	tcase_add_test(tcase, test_cut_off_anywhere);
	tcase_add_test(tcase, test_cut_off_is_measured);
	tcase_add_test(tcase, test_damage_anywhere);
	tcase_add_test(tcase, test_what_does_not_fit);
	tcase_add_test(tcase, test_close_beside_a_request);
	tcase_add_test(tcase, test_missing_answer);
	tcase_add_test(tcase, test_lost_records);
	tcase_add_test(tcase, test_wrong_ends);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
