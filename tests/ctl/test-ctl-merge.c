/* SPDX-License-Identifier: MIT */
#include "tests/ctl/ctl.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "tests/lib/run-suite.h"

/* Other traces each time; a failure says which. */
static unsigned int seed_of_run;

static size_t count(const struct trace_record *records, size_t n, enum trace_kind kind)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += records[i].kind == kind;
	return found;
}

/* The sample, recorded later, and with another uptime of its host. */
static void write_later(const char *path, uint64_t later, uint64_t uptime)
{
	struct trace_record records[64];

	memcpy(records, sample, sample_len * sizeof(*sample));
	for (size_t i = 0; i < sample_len; i++)
		records[i].time += uptime;
	records[0].realtime += later;
	trace_write(path, records, sample_len, true);
}

static void assert_in_order(const struct trace_record *records, size_t n)
{
	for (size_t i = 1; i < n; i++)
		ck_assert_uint_ge(records[i].time, records[i - 1].time);
}

START_TEST(test_one_is_numbered_anew)
{
	struct trace_record *records;
	size_t n;

	trace_write_sample("a");
	RUN_OK("trace", "merge", "-o", "b", "a");
	RUN_OK("trace", "verify", "b");
	records = trace_read("b", &n);
	ck_assert_uint_eq(n, sample_len + 1);
	for (size_t i = 0; i < sample_len; i++) {
		ck_assert_int_eq(records[i].kind, sample[i].kind);
		ck_assert_uint_eq(records[i].time, sample[i].time);
		ck_assert_uint_eq(records[i].off, sample[i].off);
		ck_assert(bytes_equal(records[i].cookie, sample[i].cookie));
	}
	ck_assert_uint_eq(records[1].source, 1);
	ck_assert_uint_eq(records[2].msg, 1);
	ck_assert_uint_eq(records[2].id, 1);
	ck_assert_uint_eq(records[4].object, 1);
	ck_assert_uint_eq(records[4].source, 1);
	ck_assert_uint_eq(records[6].msg, 2);
	ck_assert_uint_eq(records[10].msg, 3);
	ck_assert_uint_eq(records[10].id, 2);
	ck_assert_uint_eq(records[16].object, 2);
}
END_TEST

/* The same numbers mean different things in two recordings. */
START_TEST(test_numbers_do_not_collide)
{
	struct trace_record *records;
	struct ctl_result *r;
	size_t n;

	trace_write_sample("a");
	write_later("b", 35 * MS, 77777 * MS);
	RUN_OK("trace", "merge", "-o", "c", "a", "b");
	RUN_OK("trace", "verify", "c");
	records = trace_read("c", &n);
	ck_assert_uint_eq(n, 2 * sample_len - 1 + 1); /* one start, one end */
	ck_assert_uint_eq(count(records, n, TRACE_START), 1);
	ck_assert_uint_eq(records[0].realtime, SAMPLE_REALTIME);
	ck_assert_uint_eq(records[0].time, SAMPLE_TIME);
	ck_assert_int_eq(records[n - 1].kind, TRACE_END);
	ck_assert_uint_eq(count(records, n, TRACE_SOURCE), 2);
	assert_in_order(records, n);
	/* Each answer is as late after its message as before: 8 of each. */
	r = RUN("trace", "show", "--kind", "complete", "c");
	ck_assert_uint_eq(ctl_lines(r->out), 8);
	for (const char *at = r->out; (at = strstr(at, "after 21 ms")); at++)
		n++;
	ck_assert_uint_eq(n, 2 * sample_len + 2);
}
END_TEST

/* The one that began first gives the clock, also when it is named last. */
START_TEST(test_time_of_day)
{
	struct trace_record *records;
	size_t n;

	trace_write_sample("a");
	write_later("b", 1000 * MS, 3 * MS);
	RUN_OK("trace", "merge", "-o", "c", "b", "a");
	RUN_OK("trace", "verify", "c");
	records = trace_read("c", &n);
	assert_in_order(records, n);
	ck_assert_uint_eq(records[0].time, SAMPLE_TIME);
	ck_assert_uint_eq(records[0].realtime, SAMPLE_REALTIME);
	ck_assert_uint_eq(records[n - 1].time, SAMPLE_TIME + 1200 * MS);
}
END_TEST

START_TEST(test_together)
{
	struct trace_record *records;
	size_t n;

	trace_write_sample("a");
	write_later("b", 1000 * MS, 3 * MS);
	RUN_OK("trace", "merge", "--together", "-o", "c", "a", "b");
	RUN_OK("trace", "verify", "c");
	records = trace_read("c", &n);
	assert_in_order(records, n);
	ck_assert_uint_eq(records[n - 1].time, SAMPLE_TIME + 200 * MS);
}
END_TEST

START_TEST(test_sequential)
{
	struct trace_record *records;
	size_t n;

	trace_write_sample("a");
	write_later("b", 0, 0);
	write_later("c", 0, 9 * MS);
	RUN_OK("trace", "merge", "--sequential", "-o", "d", "a", "b", "c");
	RUN_OK("trace", "verify", "d");
	records = trace_read("d", &n);
	assert_in_order(records, n);
	ck_assert_uint_eq(records[n - 1].time, SAMPLE_TIME + 600 * MS);
	ck_assert_int_eq(records[sample_len].kind, TRACE_SOURCE);
	ck_assert_uint_eq(records[sample_len].source, 2);
}
END_TEST

START_TEST(test_any)
{
	unsigned int seed = (unsigned int)_i * 10;
	struct ctl_result *r;
	size_t n = 0, total;

	trace_write_random("a", seed + 1, 300, false);
	trace_write_random("b", seed + 2, 300, false);
	trace_write_random("c", seed + 3, 300, false);
	for (size_t i = 0; i < 3; i++) {
		trace_read((const char *const[]){ "a", "b", "c" }[i], &total);
		n += total;
	}
	r = RUN("trace", "merge", "--together", "-o", "d", "a", "b", "c");
	ctl_assert_ok(r);
	r = RUN("trace", "verify", "d");
	ck_assert_msg(r->status == 0, "%s", r->out);
	trace_read("d", &total);
	ck_assert_uint_eq(total, n - 4);
}
END_TEST

/* Two hosts describe the same object; what each did for it stays known. */
START_TEST(test_objects_of_both)
{
	struct trace_record *records;
	struct ctl_result *r;
	size_t n;

	trace_write_sample("a");
	write_later("b", 15 * MS, 0);
	RUN_OK("trace", "merge", "-o", "c", "a", "b");
	RUN_OK("trace", "verify", "c");
	r = RUN("trace", "show", "--kind", "fetch,store", "--object", "*", "c");
	ck_assert_uint_eq(ctl_lines(r->out), 2 * 3);
	records = trace_read("c", &n);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_le(records[i].object, 2);
}
END_TEST

/* A part of a trace has handles where they are needed, which may be behind a description that
 * another host gives. */
START_TEST(test_handle_behind_another_description)
{
	trace_write_sample("a");
	RUN_OK("trace", "cut", "--from", "35ms", "-o", "b", "a");
	write_later("c", 50 * MS, 0);
	RUN_OK("trace", "merge", "-o", "d", "b", "c");
	RUN_OK("trace", "verify", "d");
}
END_TEST

/* A daemon lets an id go for which a READ waits, and that is given again before the answer. */
START_TEST(test_answer_behind_a_release)
{
	const struct trace_record records[] = {
		sample[0],
		sample[1],
		sample[4],
		{ TRACE_HANDLE, .time = SAMPLE_TIME, .id = 10, .object = 100 },
		{ TRACE_READ, .time = SAMPLE_TIME, .msg = 1, .id = 10, .len = 1 },
		{ TRACE_READ, .time = SAMPLE_TIME, .msg = 2, .id = 10, .len = 1 },
		{ TRACE_RELEASE, .time = SAMPLE_TIME, .id = 10 },
		{ TRACE_COMPLETE, .time = SAMPLE_TIME, .msg = 1, .id = 10, .result = -EINVAL },
		{ TRACE_HANDLE, .time = SAMPLE_TIME, .id = 10, .object = 100 },
		{ TRACE_COMPLETE, .time = SAMPLE_TIME, .msg = 2, .id = 10, .result = -EINVAL },
	};
	struct trace_record *merged;
	size_t n;

	trace_write("a", records, sizeof(records) / sizeof(records[0]), true);
	RUN_OK("trace", "verify", "a");
	RUN_OK("trace", "merge", "-o", "b", "a");
	RUN_OK("trace", "verify", "b");
	merged = trace_read("b", &n);
	ck_assert_uint_eq(merged[7].id, 1);
	ck_assert_uint_eq(merged[8].id, 2);
	ck_assert_uint_eq(merged[9].id, 1);
}
END_TEST

/* What has no answer takes no number from a message that waits for one. */
START_TEST(test_answer_behind_a_message_of_its_number)
{
	const struct trace_record records[] = {
		sample[0],
		sample[1],
		sample[4],
		{ TRACE_HANDLE, .time = SAMPLE_TIME, .id = 10, .object = 100 },
		{ TRACE_HANDLE, .time = SAMPLE_TIME, .id = 11, .object = 100 },
		{ TRACE_READ, .time = SAMPLE_TIME, .msg = 1, .id = 10, .len = 1 },
		{ TRACE_CLOSE, .time = SAMPLE_TIME, .msg = 1, .id = 11 },
		{ TRACE_BAD, .time = SAMPLE_TIME, .msg = 1, .id = 11, .opcode = UINT32_MAX },
		{ TRACE_COMPLETE, .time = SAMPLE_TIME, .msg = 1, .id = 10 },
	};

	trace_write("a", records, sizeof(records) / sizeof(records[0]), true);
	ck_assert_int_eq(RUN("trace", "verify", "a")->status, 1);
	RUN_OK("trace", "merge", "-o", "b", "a");
	RUN_OK("trace", "verify", "b");
}
END_TEST

/* Parts begin in the middle, and what they are cut out of need not make sense. */
START_TEST(test_any_parts)
{
	static const char *const wholes[] = { "a", "b" }, *const parts[] = { "c", "d" };
	static const char *const how[] = { "--together", "--sequential" };
	const unsigned int seed = seed_of_run + (unsigned int)_i * 2;
	struct ctl_result *r;

	for (unsigned int i = 0; i < 2; i++) {
		trace_write_senseless(wholes[i], seed + i, 500);
		r = RUN("trace", "cut", "--from", i ? "20ms" : "0s", "-o", parts[i], wholes[i]);
		ck_assert_msg(r->status == 0, "seed %u: %s", seed, r->err);
	}
	for (unsigned int i = 0; i < 2; i++) {
		r = RUN("trace", "merge", "--force", how[i], "-o", "e", "c", "d");
		ck_assert_msg(r->status == 0, "seed %u: %s", seed, r->err);
		r = RUN("trace", "verify", "e");
		ck_assert_msg(r->status == 0, "seed %u, %s: %s", seed, how[i], r->out);
	}
}
END_TEST

START_TEST(test_without_time_of_day)
{
	struct ctl_result *r;

	trace_write_sample("a");
	RUN_OK("trace", "anonymise", "-o", "b", "a");
	r = RUN("trace", "merge", "-o", "c", "a", "b");
	ck_assert_int_eq(r->status, 1);
	ck_assert_ptr_nonnull(strstr(r->err, "b: it does not tell its time of day"));
	ck_assert(!file_exists("c"));
	RUN_OK("trace", "merge", "--together", "-o", "c", "a", "b");
	RUN_OK("trace", "verify", "c");
}
END_TEST

/* What one lacks, all lack. */
START_TEST(test_cut_off)
{
	struct ctl_result *r;

	trace_write_sample("a");
	trace_write("b", sample, sample_len, false);
	RUN_OK("trace", "merge", "-o", "c", "a", "b");
	r = RUN("trace", "verify", "c");
	ck_assert_int_eq(r->status, 1);
	ck_assert_ptr_nonnull(strstr(r->out, "there is no end record"));
}
END_TEST

START_TEST(test_damage)
{
	struct ctl_result *r;
	size_t len;
	uint8_t *data;

	trace_write_sample("a");
	data = file_read("a", &len);
	data[len - 30] ^= 1;
	file_write("b", data, len);
	free(data);
	r = RUN("trace", "merge", "-o", "c", "a", "b");
	ck_assert_int_eq(r->status, 1);
	ck_assert_ptr_nonnull(strstr(r->err, "b: offset "));
	ck_assert(!file_exists("c"));
	trace_write("d", sample, 0, false);
	ck_assert_int_eq(RUN("trace", "merge", "-o", "c", "a", "d")->status, 1);
	ck_assert(!file_exists("c"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl-merge");
	TCase *tcase = tcase_create("merge");

	(void)!getrandom(&seed_of_run, sizeof(seed_of_run), 0);
	tcase_add_checked_fixture(tcase, ctl_enter, ctl_leave);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_one_is_numbered_anew);
	tcase_add_test(tcase, test_numbers_do_not_collide);
	tcase_add_test(tcase, test_time_of_day);
	tcase_add_test(tcase, test_together);
	tcase_add_test(tcase, test_sequential);
	tcase_add_loop_test(tcase, test_any, 0, 4);
	tcase_add_test(tcase, test_objects_of_both);
	tcase_add_test(tcase, test_handle_behind_another_description);
	tcase_add_test(tcase, test_answer_behind_a_release);
	tcase_add_test(tcase, test_answer_behind_a_message_of_its_number);
	tcase_add_loop_test(tcase, test_any_parts, 0, 4);
	tcase_add_test(tcase, test_without_time_of_day);
	tcase_add_test(tcase, test_cut_off);
	tcase_add_test(tcase, test_damage);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
