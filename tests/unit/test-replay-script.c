/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "daemon/replay/script.h"
#include "tests/lib/run-suite.h"

#define MS ((uint64_t)1000000)

static struct script script;
static char error[SCRIPT_ERROR_MAX];

static int parse(const char *text)
{
	return script_parse(&script, "script", text, strlen(text), error);
}

static void teardown(void)
{
	script_deinit(&script);
}

START_TEST(rules_are_read)
{
	ck_assert_int_eq(parse("# a comment\n"
			       "\n"
			       "latency 10ms\r\n"
			       "  bandwidth 10M from 1s to 2s\n"
			       "error erofs,*/blob 64K EIO 3\n"
			       "error * look ENOENT\n"
			       "stall * 0 2min\n"
			       "stall */a look forever"),
			 0);
	ck_assert_uint_eq(script.n, 6);
	ck_assert_int_eq(script.rules[0].kind, SCRIPT_LATENCY);
	ck_assert_uint_eq(script.rules[0].value, 10 * MS);
	ck_assert_uint_eq(script.rules[0].to, UINT64_MAX);
	ck_assert_int_eq(script.rules[1].kind, SCRIPT_BANDWIDTH);
	ck_assert_uint_eq(script.rules[1].value, 10 << 20);
	ck_assert_uint_eq(script.rules[1].from, 1000 * MS);
	ck_assert_uint_eq(script.rules[1].to, 2000 * MS);
	ck_assert_int_eq(script.rules[2].kind, SCRIPT_ERROR);
	ck_assert_str_eq(script.rules[2].glob, "erofs,*/blob");
	ck_assert_uint_eq(script.rules[2].off, 65536);
	ck_assert_int_eq(script.rules[2].error, -EIO);
	ck_assert_uint_eq(script.rules[2].value, 3);
	ck_assert(script.rules[3].look);
	ck_assert_uint_eq(script.rules[3].value, SCRIPT_FOREVER);
	ck_assert_uint_eq(script.rules[4].value, 120000 * MS);
	ck_assert_uint_eq(script.rules[5].value, SCRIPT_FOREVER);
}
END_TEST

static const struct {
	const char *text, *where, *why;
} faults[] = {
	{ "latency", ":1:", "latency TIME" },
	{ "\nlatency 10", ":2:", "10ms" },
	{ "latency 10ms 20ms", ":1:", "latency TIME" },
	{ "bandwidth 0", ":1:", "stall" },
	{ "bandwidth fast", ":1:", "size" },
	{ "error * 0", ":1:", "error GLOB" },
	{ "error * 0 EPERM", ":1:", "no error of an origin" },
	{ "error * 0 EIO often", ":1:", "number" },
	{ "error * x EIO", ":1:", "size" },
	{ "stall * 0", ":1:", "stall GLOB" },
	{ "stall * 0 5", ":1:", "time" },
	{ "stall * 0 1s from 2s to 1s", ":1:", "ends before" },
	{ "stall * 0 1s from 2s to 2s", ":1:", "ends before" },
	{ "latency 1ms from x to 2s", ":1:", "time" },
	{ "panic", ":1:", "begins with" },
	{ "from 1s to 2s", ":1:", "begins with" },
	{ "error a b c d e f g h i j", ":1:", "more on this line" },
	{ "latency 99999999999h", ":1:", "time" },
};

START_TEST(what_is_written_wrong_is_said_with_its_line)
{
	ck_assert_int_eq(parse(faults[_i].text), -EINVAL);
	ck_assert_msg(strstr(error, faults[_i].where), "%s", error);
	ck_assert_msg(strstr(error, faults[_i].why), "%s", error);
}
END_TEST

START_TEST(a_nul_is_refused)
{
	ck_assert_int_eq(script_parse(&script, "s", "latency 1ms\0\n", 13, error), -EINVAL);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_an_error)
{
	ck_assert_int_eq(script_load(&script, "/nonexistent", error), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error, "/nonexistent"));
}
END_TEST

START_TEST(rules_hold_for_names_and_times)
{
	ck_assert_int_eq(parse("error erofs,v/* 0 EIO 1 from 1s to 2s"), 0);
	ck_assert(!script_holds(script.rules, 999 * MS, "erofs,v/a"));
	ck_assert(script_holds(script.rules, 1000 * MS, "erofs,v/a"));
	ck_assert(!script_holds(script.rules, 1000 * MS, "erofs,w/a"));
	ck_assert(!script_holds(script.rules, 2000 * MS, "erofs,v/a"));
	script.rules[0].value = 0; /* used up */
	ck_assert(!script_holds(script.rules, 1000 * MS, "erofs,v/a"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("replay-script");
	TCase *t = tcase_create("script");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, rules_are_read);
	tcase_add_loop_test(t, what_is_written_wrong_is_said_with_its_line, 0,
			    sizeof(faults) / sizeof(faults[0]));
	tcase_add_test(t, a_nul_is_refused);
	tcase_add_test(t, a_file_that_is_not_there_is_an_error);
	tcase_add_test(t, rules_hold_for_names_and_times);
	suite_add_tcase(s, t);
	return run_suite(s);
}
