/* SPDX-License-Identifier: MIT */
/*
 * The list of a job, and the text of a plan.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/prefetch/ranges.h"
#include "proto/plan.h"
#include "tests/lib/run-suite.h"

static struct ranges ranges;

static void setup(void)
{
	ranges = (struct ranges){ 0 };
}

static void teardown(void)
{
	ranges_clear(&ranges);
}

static int add(const char *cookie, uint64_t off, uint64_t len)
{
	return ranges_add(&ranges, bytes_str("v"), bytes_str(cookie), off, len);
}

START_TEST(sizes_cut_ranges)
{
	ck_assert_int_eq(add("a", 10, PLAN_TO_THE_END), 0);
	ck_assert_int_eq(add("b", 0, 100), 0);
	ck_assert_int_eq(add("a", 50, 100), 0);
	ck_assert_uint_eq(ranges.n_objects, 2);
	ck_assert(!ranges_known(&ranges));
	ranges_set_size(&ranges, 0, 60);
	ck_assert(ranges_known(&ranges));
	ck_assert_uint_eq(ranges.bytes, 50 + 100 + 10);
	ck_assert_uint_eq(ranges.list[2].before, 150);
	ck_assert_int_eq(add("a", 60, 1), 0); /* what comes later is cut as well */
	ck_assert_uint_eq(ranges.bytes, 160);
	ranges_set_size(&ranges, 1, 30);
	ck_assert_uint_eq(ranges.bytes, 90);
}
END_TEST

START_TEST(lists_are_bounded)
{
	char cookie[16];

	for (unsigned int i = 0; i < RANGES_OBJECTS_MAX; i++) {
		snprintf(cookie, sizeof(cookie), "c%u", i);
		ck_assert_int_eq(add(cookie, 0, 1), 0);
	}
	ck_assert_int_eq(add("one more", 0, 1), -E2BIG);
	for (size_t i = ranges.n; i < RANGES_MAX; i++)
		ck_assert_int_eq(add("c0", i, 1), 0);
	ck_assert_int_eq(add("c0", 0, 1), -E2BIG);
	ck_assert_int_eq(ranges_add(&ranges, bytes_str("v"), bytes_str(""), 0, 1), -EINVAL);
}
END_TEST

static bool meets(uint32_t object, uint64_t from, uint64_t to)
{
	return ranges_meet(&ranges, object, from, to);
}

START_TEST(what_touches_meets)
{
	ck_assert_int_eq(add("a", 100, 10), 0);
	ck_assert_int_eq(add("b", 0, 1000), 0);
	ck_assert_int_eq(add("a", 300, 10), 0);
	ck_assert_int_eq(add("a", 105, 45), 0); /* 100 to 150 together */
	ck_assert(!meets(0, 0, 99));
	ck_assert(meets(0, 0, 100));
	ck_assert(meets(0, 120, 121));
	ck_assert(meets(0, 150, 160));
	ck_assert(!meets(0, 151, 299));
	ck_assert(meets(0, 0, 1000));
	ck_assert(!meets(0, 311, 400));
	ck_assert(meets(1, 1000, 1001));
	ck_assert(!meets(1, 1001, 1002));
	ck_assert_int_eq(add("a", 160, 10), 0);
	ck_assert(meets(0, 151, 299));
}
END_TEST

/* ---- text --------------------------------------------------------------------------------- */

static enum plan_line parse(const char *line, struct plan_range *range)
{
	const char *why = "";

	return plan_parse_line(line, strlen(line), range, &why);
}

START_TEST(a_line_is_read_as_it_was_written)
{
	static const char volume[] = "erofs,a b\n", cookie[] = "x/y%\xff~";
	_Alignas(8) struct plan_range range;
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	ck_assert_ptr_nonnull(out);
	plan_write_range(out, 4096, UINT64_MAX, bytes_str(volume), bytes_str(cookie));
	fclose(out);
	ck_assert_str_eq(text, "4096+18446744073709551615 erofs,a%20b%0A/x%2Fy%25%FF~\n");
	text[n - 1] = '\0';
	ck_assert_int_eq(parse(text, &range), PLAN_RANGE);
	ck_assert_uint_eq(range.off, 4096);
	ck_assert_uint_eq(range.len, PLAN_TO_THE_END);
	ck_assert(bytes_equal(range.volume, bytes_str(volume)));
	ck_assert(bytes_equal(range.cookie, bytes_str(cookie)));
	free(text);
}
END_TEST

START_TEST(other_lines_are_refused)
{
	static const char *const bad[] = {
		"1 v/c",
		"1+ v/c",
		"+1 v/c",
		"1+1v/c",
		"1+1 v",
		"1+1 v/",
		"1+0 v/c",
		"1+1 v/c ",
		"1+1 v/c/d",
		"1+1 v/%2",
		"1+1 v/%2g",
		"1+1 v/\x01",
		"1+1  v/c",
		"-1+1 v/c",
		"1+1 v/%2f",
		"18446744073709551616+1 v/c",
		"2+18446744073709551614 v/c",
	};
	struct plan_range range;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(parse(bad[i], &range) == PLAN_BAD, "%s", bad[i]);
	ck_assert_int_eq(parse("", &range), PLAN_NOTHING);
	ck_assert_int_eq(parse("# total", &range), PLAN_NOTHING);
	ck_assert_int_eq(parse("1+1 /c", &range), PLAN_RANGE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("prefetch ranges");
	TCase *list = tcase_create("list"), *text = tcase_create("text");

	tcase_add_checked_fixture(list, setup, teardown);
	tcase_add_test(list, sizes_cut_ranges);
	tcase_add_test(list, lists_are_bounded);
	tcase_add_test(list, what_touches_meets);
	suite_add_tcase(suite, list);
	tcase_add_test(text, a_line_is_read_as_it_was_written);
	tcase_add_test(text, other_lines_are_refused);
	suite_add_tcase(suite, text);
	return run_suite(suite);
}
