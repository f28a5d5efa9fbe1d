/* SPDX-License-Identifier: MIT */
#include "tests/ctl/ctl.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"

/* Byte after byte, also over the edges of the fields. */
static bool contains(const char *path, struct bytes text)
{
	size_t len;
	uint8_t *data = file_read(path, &len);
	bool found = memmem(data, len, text.data, text.len);

	free(data);
	return found;
}

/* Each text of the record, and each word of it that is long enough to mean something. */
static void assert_gone(void *arg, const char *name, enum trace_type type, const void *value)
{
	const struct bytes *text = value;
	char *copy, *rest, *word;

	if ((type != TRACE_TEXT && type != TRACE_KEY) || text->len == 0)
		return;
	ck_assert_msg(!contains("b", *text), "%s: %.*s", name, (int)text->len, text->data);
	copy = rest = strndup((const char *)text->data, text->len);
	while ((word = strsep(&rest, "/ ,:.\"{}")))
		/* The words of the schema are in every trace. */
		ck_assert_msg(strlen(word) < 3 || !contains("b", bytes_str(word)) ||
				      contains("empty", bytes_str(word)),
			      "%s: %s", name, word);
	free(copy);
}

START_TEST(test_no_text_survives)
{
	trace_write("empty", NULL, 0, false);
	trace_write_sample("a");
	RUN_OK("trace", "anonymise", "-o", "b", "a");
	for (size_t i = 0; i < sample_len; i++) {
		struct trace_record record = sample[i];

		record.name = trace_kind_name(record.kind);
		trace_each_field(&record, assert_gone, NULL);
	}
	/* The test would see what is there. */
	ck_assert(contains("a", bytes_str("app.erofs")));
}
END_TEST

START_TEST(test_no_time_survives)
{
	struct trace_record *records;
	size_t n;

	trace_write_sample("a");
	RUN_OK("trace", "anonymise", "-o", "b", "a");
	records = trace_read("b", &n);
	ck_assert_uint_eq(records[0].time, 0);
	ck_assert_uint_eq(records[0].realtime, 0);
}
END_TEST

/* All that is no name stays, and the same text gets the same name. */
START_TEST(test_structure_stays)
{
	struct trace_record *records;
	size_t n;

	trace_write_sample("a");
	RUN_OK("trace", "anonymise", "-o", "b", "a");
	RUN_OK("trace", "verify", "b");
	records = trace_read("b", &n);
	ck_assert_uint_eq(n, sample_len + 1);
	for (size_t i = 0; i < sample_len; i++) {
		const struct trace_record *a = &sample[i], *b = &records[i];

		ck_assert_int_eq(a->kind, b->kind);
		ck_assert_uint_eq(a->time - SAMPLE_TIME, b->time);
		ck_assert(a->msg == b->msg && a->id == b->id && a->object == b->object);
		ck_assert(a->source == b->source && a->size == b->size && a->off == b->off);
		ck_assert(a->len == b->len && a->got == b->got && a->took == b->took);
		ck_assert(a->error == b->error && a->result == b->result);
		ck_assert_uint_eq(a->cookie.len == 0, b->cookie.len == 0);
		for (size_t j = 0; j < i; j++) {
			ck_assert_int_eq(bytes_equal(a->cookie, sample[j].cookie),
					 bytes_equal(b->cookie, records[j].cookie));
			ck_assert_int_eq(bytes_equal(a->volume, sample[j].volume),
					 bytes_equal(b->volume, records[j].volume));
		}
	}
	ck_assert(bytes_equal(records[2].volume, bytes_str("v1")));
	ck_assert(bytes_equal(records[2].cookie, bytes_str("o1")));
	ck_assert(bytes_equal(records[10].cookie, bytes_str("o2")));
	ck_assert(bytes_equal(records[1].text, bytes_str("s1")));
	ck_assert(bytes_equal(records[1].locator, bytes_str("l1")));
	ck_assert(bytes_equal(records[4].locator, bytes_str("l2")));
	ck_assert(bytes_equal(records[4].validator, bytes_str("e1")));
	ck_assert(bytes_equal(records[25].text, bytes_str("c1")));
}
END_TEST

/* Two volumes hold an object of the same name. */
START_TEST(test_domains_stay_apart)
{
	struct trace_record records[2] = { sample[4], sample[4] }, *nameless;
	size_t n;

	records[1].volume = bytes_str("erofs,other");
	records[1].object = 200;
	trace_write("a", records, 2, true);
	RUN_OK("trace", "anonymise", "-o", "b", "a");
	nameless = trace_read("b", &n);
	ck_assert(!bytes_equal(nameless[0].volume, nameless[1].volume));
	ck_assert(bytes_equal(nameless[0].cookie, nameless[1].cookie));
}
END_TEST

START_TEST(test_pipe)
{
	trace_write_random("a", 5, 200, false);
	RUN_OK("trace", "anonymise", "-o", "b", "a");
	ck_assert_int_eq(rename("a", "stdin"), 0);
	RUN_OK("trace", "anonymise", "-o", "-", "-");
	ck_assert(files_equal("stdout", "b"));
}
END_TEST

START_TEST(test_cut_off)
{
	struct ctl_result *r;
	size_t len, n;
	uint8_t *data;

	trace_write_sample("a");
	data = file_read("a", &len);
	file_write("b", data, len - 1);
	free(data);
	r = RUN("trace", "anonymise", "-o", "c", "b");
	ck_assert_int_eq(r->status, 0);
	ck_assert_ptr_nonnull(strstr(r->err, "b: cut off at offset "));
	trace_read("c", &n);
	ck_assert_uint_eq(n, sample_len);
}
END_TEST

/* Ended in the middle, it leaves nothing behind. */
START_TEST(test_killed)
{
	const char *const words[] = { "trace", "anonymise", "-o", "out", "input", NULL };

	ck_assert_int_eq(ctl_run_killed(words, "out", SIGTERM), 128 + SIGTERM);
	ck_assert(!file_exists("out"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl-anonymise");
	TCase *tcase = tcase_create("anonymise");

	tcase_add_checked_fixture(tcase, ctl_enter, ctl_leave);
	tcase_add_test(tcase, test_no_text_survives);
	tcase_add_test(tcase, test_no_time_survives);
	tcase_add_test(tcase, test_structure_stays);
	tcase_add_test(tcase, test_domains_stay_apart);
	tcase_add_test(tcase, test_pipe);
	tcase_add_test(tcase, test_cut_off);
	tcase_add_test(tcase, test_killed);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
