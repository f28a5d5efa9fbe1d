/* SPDX-License-Identifier: MIT */
#include "tests/ctl/ctl.h"

#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"

static json_t *document;

static void setup(void)
{
	ctl_enter();
	document = NULL;
}

static void teardown(void)
{
	json_decref(document);
	ctl_leave();
}

static void load(const struct ctl_result *r)
{
	json_error_t error;

	ctl_assert_ok(r);
	json_decref(document);
	document = json_loads(r->out, 0, &error);
	ck_assert_msg(document != NULL, "%s: %s", error.text, r->out);
	ck_assert_uint_eq(ctl_lines(r->out), 1);
}

/* "all.reads.count", "objects.0.size": what is there. */
static json_t *at(const char *path)
{
	json_t *value = document;
	char copy[128];

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *part = strtok(copy, "."); part; part = strtok(NULL, "."))
		value = json_is_array(value) ? json_array_get(value, strtoul(part, NULL, 10))
					     : json_object_get(value, part);
	return value;
}

static void expect(const char *path, json_int_t value)
{
	ck_assert_msg(json_is_integer(at(path)) && json_integer_value(at(path)) == value,
		      "%s is %lld, not %lld", path, json_integer_value(at(path)), value);
}

static void expect_text(const char *path, const char *value)
{
	ck_assert_msg(json_is_string(at(path)), "%s is no text", path);
	ck_assert_str_eq(json_string_value(at(path)), value);
}

/* ---- the sample -------------------------------------------------------------------------- */

START_TEST(test_in_all)
{
	trace_write_sample("a");
	load(RUN("trace", "stats", "--json", "a"));
	expect("records", 29);
	expect("objects_count", 3);
	expect("duration_ns", 200 * MS);
	expect("outstanding_max", 2);
	ck_assert(json_is_true(at("complete")));
	expect("all.opens.count", 3);
	expect("all.opens.waited", 2);
	expect("all.opens.failed", 1);
	expect("all.opens.time_ns.max", 20 * MS);
	expect("all.reads.count", 4);
	expect("all.reads.hit", 1);
	expect("all.reads.waited", 1);
	expect("all.reads.failed", 2);
	expect("all.reads.time_ns.max", 21 * MS);
	expect("all.asked_bytes", 20480);
	expect("all.unique_bytes", 20480);
	expect("all.looks", 3);
	expect("all.fetches", 2);
	expect("all.fetched_bytes", 135168);
	expect("all.stores", 1);
	expect("all.stored_bytes", 131072);
	ck_assert(json_real_value(at("all.amplification")) == 6.6);
	ck_assert(json_real_value(at("all.hit_share")) == 0.25);
	expect("all.wait_ns.sum", 87 * MS);
	expect("all.wait_ns.origin", 59 * MS);
	expect("all.wait_ns.queued", 1 * MS);
	expect("all.wait_ns.storing", 1 * MS);
	expect("all.wait_ns.rest", 26 * MS);
}
END_TEST

START_TEST(test_each_object)
{
	trace_write_sample("a");
	load(RUN("trace", "stats", "--json", "a"));
	ck_assert_uint_eq(json_array_size(at("objects")), 3);
	expect_text("objects.0.cookie", "app.erofs");
	expect("objects.0.size", 1048576);
	expect("objects.0.reads.count", 2);
	expect("objects.0.asked_bytes", 8192);
	expect("objects.0.fetched_bytes", 131072);
	expect_text("objects.1.volume", "erofs,db");
	expect("objects.1.reads.failed", 2);
	expect_text("objects.2.cookie", "gone.erofs");
	ck_assert_ptr_null(at("objects.2.size"));
	load(RUN("trace", "stats", "--json", "--top", "1", "a"));
	ck_assert_uint_eq(json_array_size(at("objects")), 1);
	expect("objects_count", 3);
}
END_TEST

START_TEST(test_slowest_and_errors)
{
	trace_write_sample("a");
	load(RUN("trace", "stats", "--json", "--top", "2", "a"));
	ck_assert_uint_eq(json_array_size(at("slowest")), 2);
	expect_text("slowest.0.kind", "read");
	expect_text("slowest.0.outcome", "waited");
	expect("slowest.0.begin_ns", 30 * MS);
	expect("slowest.0.wait_ns.sum", 21 * MS);
	expect("slowest.0.wait_ns.origin", 18 * MS);
	expect("slowest.0.wait_ns.rest", 1 * MS);
	expect("slowest.0.len", 4096);
	expect_text("slowest.1.kind", "open");
	expect("slowest.1.wait_ns.sum", 20 * MS);

	ck_assert_uint_eq(json_array_size(at("errors")), 3);
	for (size_t i = 0; i < 3; i++) {
		const json_t *e = json_array_get(at("errors"), i);
		const char *name = json_string_value(json_object_get(e, "error"));
		bool is_enoent = strcmp(name, "ENOENT") == 0;

		ck_assert_int_eq(json_integer_value(json_object_get(e, "opens")), is_enoent);
		ck_assert_int_eq(json_integer_value(json_object_get(e, "looks")), is_enoent);
		ck_assert_int_eq(json_integer_value(json_object_get(e, "reads")), !is_enoent);
		ck_assert_int_eq(json_integer_value(json_object_get(e, "fetches")),
				 strcmp(name, "EIO") == 0);
	}
}
END_TEST

START_TEST(test_a_part)
{
	trace_write_sample("a");
	load(RUN("trace", "stats", "--json", "--from", "90ms", "--to", "112ms", "a"));
	expect("all.opens.count", 0);
	expect("all.reads.count", 2);
	expect("all.fetches", 1);
	expect("all.looks", 0);
	expect("objects_count", 1);
	load(RUN("trace", "stats", "--json", "--object", "app*", "a"));
	expect("all.reads.count", 2);
	expect("all.opens.count", 1);
	expect("objects_count", 1);
	expect("outstanding_max", 1);
}
END_TEST

/* ---- by hand ----------------------------------------------------------------------------- */

#define AT(ms)	    .time = SAMPLE_TIME + (ms)*MS
#define READ_AT(ms) TRACE_READ, AT(ms), .msg = 1, .id = 1, .len = 65536
#define DONE_AT(ms)                                       \
	{                                                 \
		TRACE_COMPLETE, AT(ms), .msg = 1, .id = 1 \
	}

START_TEST(test_reading_ahead_and_working_set)
{
	const struct trace_record records[] = {
		{ TRACE_OBJECT, AT(0), .object = 5, .size = 160000,
		  .volume = { (const uint8_t *)"v", 1 }, .cookie = { (const uint8_t *)"c", 1 } },
		{ TRACE_HANDLE, AT(0), .id = 1, .object = 5 },
		{ TRACE_FETCH, AT(1), .object = 5, .class = 1, .off = 0, .len = 131072,
		  .got = 131072 },
		{ READ_AT(10), .off = 65536 },
		DONE_AT(11),
		{ READ_AT(50), .off = 65536 },
		DONE_AT(52),
		{ READ_AT(90), .off = 131072 }, /* beyond the end */
		DONE_AT(99),
		{ TRACE_LOST, AT(99), .count = 17 },
	};

	trace_write("a", records, sizeof(records) / sizeof(*records), false);
	load(RUN("trace", "stats", "--json", "a"));
	expect("lost_records", 17);
	ck_assert(json_is_false(at("complete")));
	expect("all.asked_bytes", 2 * 65536 + 28928);
	expect("all.unique_bytes", 65536 + 28928);
	expect("all.ahead_fetches", 1);
	expect("all.ahead_bytes", 131072);
	expect("all.ahead_used_bytes", 65536);
	ck_assert_uint_ge(json_array_size(at("timeline")), 20);
	for (size_t i = 0; i < json_array_size(at("timeline")); i++) {
		const json_t *step = json_array_get(at("timeline"), i);
		json_int_t until = json_integer_value(json_object_get(step, "until_ns"));

		ck_assert_int_eq(json_integer_value(json_object_get(step, "working_set_bytes")),
				 until <= (json_int_t)(10 * MS)	  ? 0
				 : until <= (json_int_t)(90 * MS) ? 65536
								  : 65536 + 28928);
	}
}
END_TEST

/* The joined picture of a long trace is the sum of its parts. */
START_TEST(test_timeline_of_a_long_trace)
{
	json_int_t requests = 0;

	trace_write_random("a", 3, 3000, true);
	load(RUN("trace", "stats", "--json", "a"));
	for (size_t i = 0; i < json_array_size(at("timeline")); i++)
		requests += json_integer_value(
			json_object_get(json_array_get(at("timeline"), i), "requests"));
	ck_assert_int_eq(requests, json_integer_value(at("all.opens.count")) +
					   json_integer_value(at("all.reads.count")));
	ck_assert_uint_ge(json_array_size(at("timeline")), 20);
	ck_assert_uint_le(json_array_size(at("timeline")), 40);
}
END_TEST

/* ---- for people -------------------------------------------------------------------------- */

static void assert_columns(const char *text)
{
	char line[256];

	for (size_t i = 0; i < ctl_lines(text); i++)
		ck_assert_msg(strlen(ctl_line(text, i, line, sizeof(line))) <= 100, "%s", line);
}

START_TEST(test_text)
{
	struct ctl_result *r;

	trace_write_sample("a");
	r = RUN("trace", "stats", "a");
	ctl_assert_ok(r);
	assert_columns(r->out);
	ck_assert_ptr_nonnull(strstr(r->out, "a: 200 ms, 29 records, 3 objects"));
	ck_assert_ptr_nonnull(strstr(r->out, "25 % of READs were hits"));
	ck_assert_ptr_nonnull(strstr(r->out, "amplification 6.60"));
	ck_assert_ptr_nonnull(strstr(r->out, "erofs,app/app.erofs"));
	ck_assert_ptr_nonnull(strstr(r->out, "ENOENT"));
	trace_write_random("b", 1, 500, true);
	r = RUN("trace", "stats", "b");
	ctl_assert_ok(r);
	assert_columns(r->out);
}
END_TEST

START_TEST(test_empty)
{
	struct ctl_result *r;

	trace_write("a", NULL, 0, true);
	r = RUN("trace", "stats", "a");
	ctl_assert_ok(r);
	ck_assert_ptr_nonnull(strstr(r->out, "nothing tells which READs were hits"));
	load(RUN("trace", "stats", "--json", "a"));
	ck_assert(json_is_null(at("all.hit_share")));
	ck_assert(json_is_null(at("all.amplification")));
}
END_TEST

START_TEST(test_wrong_use)
{
	ck_assert_int_eq(RUN("trace", "stats")->status, 2);
	ck_assert_int_eq(RUN("trace", "stats", "a", "b")->status, 2);
	ck_assert_int_eq(RUN("trace", "stats", "--top", "-1", "a")->status, 2);
	ck_assert_int_eq(RUN("trace", "stats", "--top", "1x", "a")->status, 2);
	ck_assert_int_eq(RUN("trace", "stats", "--from", "soon", "a")->status, 2);
	ck_assert_int_eq(RUN("trace", "stats", "gone")->status, 1);
	file_write("text", "not a trace", 11);
	ck_assert_int_eq(RUN("trace", "stats", "text")->status, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl-stats");
	TCase *t = tcase_create("stats");

	tcase_set_timeout(t, 0);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_in_all);
	tcase_add_test(t, test_each_object);
	tcase_add_test(t, test_slowest_and_errors);
	tcase_add_test(t, test_a_part);
	tcase_add_test(t, test_reading_ahead_and_working_set);
	tcase_add_test(t, test_timeline_of_a_long_trace);
	tcase_add_test(t, test_text);
	tcase_add_test(t, test_empty);
	tcase_add_test(t, test_wrong_use);
	suite_add_tcase(s, t);
	return run_suite(s);
}
