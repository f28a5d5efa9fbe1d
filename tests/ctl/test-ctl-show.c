/* SPDX-License-Identifier: MIT */
#include "tests/ctl/ctl.h"

#include <check.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"

static size_t find(enum trace_kind kind)
{
	for (size_t i = 0; i < sample_len; i++)
		if (sample[i].kind == kind)
			return i;
	ck_abort_msg("the sample has none");
}

/* ---- for people -------------------------------------------------------------------------- */

START_TEST(test_lines)
{
	static const char *const expected[] = {
		("       0.000  start     "
		 "2026-09-21T14:13:20.000Z cachefilld 0.1.0 on Linux 6.12.117"),
		"       0.000  source    source 3 web https://images.example.com/{cookie}",
		"       1.000  open      #1 id 10                          erofs,app/app.erofs",
		"      20.000  look      1 MiB took 18 ms                  erofs,app/app.erofs",
		"      20.000  object    object 100 of source 3 1 MiB      erofs,app/app.erofs",
		"      21.000  copen     #1 1 MiB after 20 ms              erofs,app/app.erofs",
		"      30.000  read      #2 0+4096                         erofs,app/app.erofs",
		"      50.000  fetch     0+131072 demand took 18 ms        erofs,app/app.erofs",
		"      51.000  store     0+131072 took 1 ms                erofs,app/app.erofs",
		"      51.000  complete  #2 after 21 ms                    erofs,app/app.erofs",
	};
	char line[256];
	struct ctl_result *r;

	trace_write_sample("a");
	r = RUN("trace", "show", "a");
	ctl_assert_ok(r);
	ck_assert_uint_eq(ctl_lines(r->out), sample_len + 1);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		ck_assert_str_eq(ctl_line(r->out, i, line, sizeof(line)), expected[i]);
	ck_assert_str_eq(ctl_line(r->out, 16, line, sizeof(line)),
			 "     109.000  fetch     4096+8192 demand EIO got 4096 took 9 ms"
			 "  erofs,db/db.erofs");
	ck_assert_str_eq(ctl_line(r->out, 19, line, sizeof(line)),
			 "     120.000  complete  #2 EINVAL after 15 ms             "
			 "erofs,db/db.erofs");
	ck_assert_str_eq(ctl_line(r->out, 23, line, sizeof(line)),
			 "     135.000  copen     #3 ENOENT after 5 ms              "
			 "erofs,gone/gone.erofs");
	ck_assert_str_eq(ctl_line(r->out, 24, line, sizeof(line)),
			 "     135.000  release   id 12                             "
			 "erofs,gone/gone.erofs");
	ck_assert_str_eq(ctl_line(r->out, 28, line, sizeof(line)),
			 "     200.000  end       28 records");
}
END_TEST

/* However long names are, and whatever is in them: 100 columns, and the end of the name. */
START_TEST(test_lines_are_short)
{
	struct trace_record records[2];
	char cookie[250], line[1024];
	struct ctl_result *r;

	memset(cookie, 'x', sizeof(cookie));
	memcpy(cookie + sizeof(cookie) - 8, "\n\033[2Jend", 8);
	records[0] = sample[find(TRACE_OPEN)];
	records[0].cookie = bytes_of(cookie, sizeof(cookie));
	records[1] = sample[find(TRACE_COMMAND)];
	records[1].text = bytes_of(cookie + 200, 50);
	trace_write("a", records, 2, false);
	r = RUN("trace", "show", "a");
	ctl_assert_ok(r);
	ck_assert_uint_eq(ctl_lines(r->out), 2);
	ck_assert_ptr_null(strchr(r->out, '\033'));
	ctl_line(r->out, 0, line, sizeof(line));
	ck_assert_uint_eq(strlen(line), 100);
	ck_assert_ptr_nonnull(strstr(line, "  ...xx"));
	ck_assert_str_eq(line + 100 - 15, "x\\x0a\\x1b[2Jend");
}
END_TEST

START_TEST(test_kinds)
{
	struct ctl_result *r;

	trace_write_sample("a");
	r = RUN("trace", "show", "--kind", "open,copen", "a");
	ctl_assert_ok(r);
	ck_assert_uint_eq(ctl_lines(r->out), 6);
	/* What is not shown is known nevertheless. */
	ck_assert_ptr_nonnull(strstr(RUN("trace", "show", "--kind", "complete", "a")->out,
				     "after 21 ms                    erofs,app/app.erofs"));
}
END_TEST

START_TEST(test_window)
{
	struct ctl_result *r;
	char line[256];

	trace_write_sample("a");
	r = RUN("trace", "show", "--from", "51ms", "--to", "0.1s", "a");
	ctl_assert_ok(r);
	ck_assert_uint_eq(ctl_lines(r->out), 6);
	ck_assert_ptr_nonnull(strstr(ctl_line(r->out, 0, line, sizeof(line)), " 51.000  store"));
	ck_assert_ptr_nonnull(strstr(ctl_line(r->out, 5, line, sizeof(line)), " 70.000  copen"));
	ck_assert_str_eq(RUN("trace", "show", "--to", "0s", "a")->out, "");
}
END_TEST

START_TEST(test_objects)
{
	struct ctl_result *r;

	trace_write_sample("a");
	r = RUN("trace", "show", "--object", "*/db.erofs", "a");
	ctl_assert_ok(r);
	ck_assert_uint_eq(ctl_lines(r->out), 9);
	ck_assert_ptr_null(strstr(r->out, "app"));
	ck_assert_uint_eq(ctl_lines(RUN("trace", "show", "--object", "db.erofs", "a")->out), 9);
	ck_assert_uint_eq(
		ctl_lines(RUN("trace", "show", "--object", "erofs,db/*", "--object", "gone.*", "a")
				  ->out),
		13);
	ck_assert_str_eq(RUN("trace", "show", "--object", "b.erofs", "a")->out, "");
}
END_TEST

/* ---- JSON -------------------------------------------------------------------------------- */

static json_t *json_line(const struct ctl_result *r, size_t n)
{
	static char line[65536];
	json_error_t error;
	json_t *json =
		json_loads(ctl_line(r->out, n, line, sizeof(line)), JSON_REJECT_DUPLICATES, &error);

	ck_assert_msg(json && json_is_object(json), "%s: %s", error.text, line);
	return json;
}

static int64_t number(json_t *json, const char *name)
{
	ck_assert_msg(json_is_integer(json_object_get(json, name)), "%s", name);
	return json_integer_value(json_object_get(json, name));
}

static const char *text(json_t *json, const char *name)
{
	ck_assert_msg(json_is_string(json_object_get(json, name)), "%s", name);
	return json_string_value(json_object_get(json, name));
}

START_TEST(test_json)
{
	struct ctl_result *r;
	json_t *json;

	trace_write_sample("a");
	r = RUN("trace", "show", "--json", "a");
	ctl_assert_ok(r);
	ck_assert_uint_eq(ctl_lines(r->out), sample_len + 1);
	for (size_t i = 0; i < sample_len; i++) {
		json = json_line(r, i);
		ck_assert_str_eq(text(json, "kind"), trace_kind_name(sample[i].kind));
		ck_assert_int_eq(number(json, "time"), (int64_t)sample[i].time);
		ck_assert_int_eq(number(json, "since"), (int64_t)(sample[i].time - SAMPLE_TIME));
		ck_assert_int_gt(number(json, "offset"), 0);
		json_decref(json);
	}
	json = json_line(r, find(TRACE_COMPLETE));
	ck_assert_int_eq(number(json, "after"), 21 * (int64_t)MS);
	ck_assert_str_eq(text(json, "volume"), "erofs,app");
	ck_assert_str_eq(text(json, "cookie"), "app.erofs");
	ck_assert_ptr_null(json_object_get(json, "cookie_hex"));
	ck_assert_int_eq(number(json, "msg"), 2);
	ck_assert_int_eq(number(json, "result"), 0);
	json_decref(json);
	json = json_line(r, find(TRACE_FETCH));
	ck_assert_str_eq(text(json, "class"), "demand");
	ck_assert_int_eq(number(json, "got"), 131072);
	json_decref(json);
	json = json_line(r, 23);
	ck_assert_int_eq(number(json, "error"), -2);
	ck_assert_str_eq(text(json, "error_name"), "ENOENT");
	json_decref(json);
	json = json_line(r, 0);
	ck_assert_str_eq(text(json, "program"), "cachefilld 0.1.0");
	json_decref(json);
}
END_TEST

/* Bytes that are no text, and numbers that are no signed ones, are there nevertheless. */
START_TEST(test_json_of_anything)
{
	struct trace_record records[2] = { sample[find(TRACE_OBJECT)], sample[find(TRACE_READ)] };
	struct ctl_result *r;
	json_t *json;

	records[0].cookie = bytes_of("a\0\xff\\\" b", 7);
	records[0].validator = bytes_of("caf\xc3\xa9 \1", 7);
	records[0].locator = bytes_of("\xff", 1);
	records[1].off = UINT64_MAX;
	trace_write("a", records, 2, false);
	r = RUN("trace", "show", "--json", "a");
	ctl_assert_ok(r);
	json = json_line(r, 0);
	ck_assert_str_eq(text(json, "cookie"), "a\\x00\\xff\\x5c\"\\x20b");
	ck_assert_str_eq(text(json, "cookie_hex"), "6100ff5c222062");
	ck_assert_str_eq(text(json, "validator"), "caf\xc3\xa9 \1");
	ck_assert_str_eq(text(json, "locator"), "\\xff");
	ck_assert_str_eq(text(json, "locator_hex"), "ff");
	json_decref(json);
	json = json_line(r, 1);
	ck_assert_str_eq(text(json, "off"), "18446744073709551615");
	ck_assert_ptr_null(json_object_get(json, "cookie"));
	json_decref(json);
}
END_TEST

/* ---- ends -------------------------------------------------------------------------------- */

START_TEST(test_cut_off)
{
	struct ctl_result *r;
	size_t len;
	uint8_t *data;

	trace_write_sample("a");
	data = file_read("a", &len);
	file_write("b", data, len - 1);
	r = RUN("trace", "show", "b");
	ck_assert_int_eq(r->status, 0);
	ck_assert_uint_eq(ctl_lines(r->out), sample_len);
	ck_assert_ptr_nonnull(strstr(r->err, "b: cut off at offset "));
	data[len - 3] ^= 1;
	file_write("b", data, len);
	r = RUN("trace", "show", "b");
	ck_assert_int_eq(r->status, 1);
	ck_assert_uint_eq(ctl_lines(r->out), sample_len);
	ck_assert_ptr_nonnull(strstr(r->err, "b: offset "));
	free(data);
}
END_TEST

START_TEST(test_reader_goes_away)
{
	struct ctl_result *r;

	trace_write_random("a", 1, 3000, false);
	r = ctl_run_unread((const char *const[]){ "trace", "show", "a", NULL });
	ck_assert_int_eq(r->status, 128 + SIGPIPE);
	ck_assert_str_eq(r->err, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl-show");
	TCase *tcase = tcase_create("show");

	tcase_add_checked_fixture(tcase, ctl_enter, ctl_leave);
	tcase_add_test(tcase, test_lines);
	tcase_add_test(tcase, test_lines_are_short);
	tcase_add_test(tcase, test_kinds);
	tcase_add_test(tcase, test_window);
	tcase_add_test(tcase, test_objects);
	tcase_add_test(tcase, test_json);
	tcase_add_test(tcase, test_json_of_anything);
	tcase_add_test(tcase, test_cut_off);
	tcase_add_test(tcase, test_reader_goes_away);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
