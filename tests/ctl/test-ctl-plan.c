/* SPDX-License-Identifier: MIT */
#include "tests/ctl/ctl.h"

#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"

#define B(text)                                           \
	{                                                 \
		(const uint8_t *)(text), sizeof(text) - 1 \
	}

/* Two objects, read at these offsets in turn, 4 KiB each. */
static void write_reads(const char *path, const uint64_t *offsets, size_t n)
{
	struct trace_record records[32] = {
		{ TRACE_OBJECT, .object = 1, .size = 1 << 20, .volume = B("a/b c"),
		  .cookie = B("50%\xff#") },
		{ TRACE_OBJECT, .object = 2, .size = 1 << 20, .volume = B("v"), .cookie = B("c") },
		{ TRACE_HANDLE, .id = 1, .object = 1 },
		{ TRACE_HANDLE, .id = 2, .object = 2 },
	};

	for (size_t i = 0; i < n; i++)
		records[4 + i] = (struct trace_record){ TRACE_READ,	    .time = i * MS,
							.msg = (uint32_t)i, .id = 1 + i % 2,
							.off = offsets[i],  .len = 4096 };
	trace_write(path, records, 4 + n, true);
}

START_TEST(test_text)
{
	static const uint64_t offsets[] = { 8192, 0, 12288, 524288, 0, 4096, 1044480 };

	write_reads("a", offsets, 7);
	ck_assert_str_eq(RUN("trace", "plan", "--gap", "0", "a")->out,
			 "cachefill-plan 1\n"
			 "8192+8192 a%2Fb%20c/50%25%FF#\n"
			 "0+8192 v/c\n"
			 "524288+4096 v/c\n"
			 "0+4096 a%2Fb%20c/50%25%FF#\n"
			 "1044480+4096 a%2Fb%20c/50%25%FF#\n"
			 "# total: 28672 bytes, 5 ranges, 2 objects, from 1 traces\n");
}
END_TEST

START_TEST(test_several)
{
	static const uint64_t one[] = { 0, 0, 8192 }, two[] = { 524288, 65536, 0 };
	struct ctl_result *r;

	write_reads("a", one, 3);
	write_reads("b", two, 3);
	r = RUN("trace", "plan", "--share", "1", "a", "b");
	ctl_assert_ok(r);
	ck_assert_str_eq(r->out, "cachefill-plan 1\n"
				 "0+4096 a%2Fb%20c/50%25%FF#\n"
				 "# total: 4096 bytes, 1 ranges, 1 objects, from 2 traces\n");
	ck_assert_uint_eq(ctl_lines(RUN("trace", "plan", "--gap", "0", "a", "b")->out), 7);
	ck_assert_uint_eq(ctl_lines(RUN("trace", "plan", "a", "b")->out), 5);
	ck_assert_uint_eq(ctl_lines(RUN("trace", "plan", "--object", "v/*", "a", "b")->out), 3);
	ck_assert_uint_eq(ctl_lines(RUN("trace", "plan", "--limit", "8K", "a", "b")->out), 3);
}
END_TEST

START_TEST(test_json)
{
	static const uint64_t offsets[] = { 8192, 0 };
	const json_t *range;
	json_t *root;

	write_reads("a", offsets, 2);
	root = json_loads(RUN("trace", "plan", "--json", "a")->out, 0, NULL);
	ck_assert_ptr_nonnull(root);
	ck_assert_int_eq(json_integer_value(json_object_get(root, "version")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(root, "bytes")), 8192);
	ck_assert_int_eq(json_integer_value(json_object_get(root, "objects")), 2);
	range = json_array_get(json_object_get(root, "ranges"), 1);
	ck_assert_str_eq(json_string_value(json_object_get(range, "cookie")), "c");
	ck_assert_int_eq(json_integer_value(json_object_get(range, "rank")), 1);
	json_decref(root);
}
END_TEST

START_TEST(test_files)
{
	trace_write_sample("a");
	RUN_OK("trace", "plan", "-o", "p", "a");
	ck_assert(file_exists("p"));
	ck_assert_int_eq(RUN("trace", "plan", "-o", "a", "a")->status, 1);
	RUN_OK("trace", "verify", "a");
	ck_assert_int_eq(RUN("trace", "plan", "-o", "p", "a")->status, 1);
	RUN_OK("trace", "plan", "--force", "-o", "p", "--limit", "4K", "a");
	ck_assert_int_eq(RUN("trace", "plan", "-o", "gone/p", "a")->status, 1);
	ck_assert_int_eq(RUN("trace", "plan", "a", "gone")->status, 1);
	ck_assert_str_eq(RUN("trace", "plan", "a", "gone")->out, "");
}
END_TEST

START_TEST(test_wrong_use)
{
	ck_assert_int_eq(RUN("trace", "plan")->status, 2);
	ck_assert_int_eq(RUN("trace", "plan", "--share", "2", "a")->status, 2);
	ck_assert_int_eq(RUN("trace", "plan", "--share", "nan", "a")->status, 2);
	ck_assert_int_eq(RUN("trace", "plan", "--gap", "much", "a")->status, 2);
	ck_assert_int_eq(RUN("trace", "plan", "--limit", "0", "a")->status, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl-plan");
	TCase *t = tcase_create("plan");

	tcase_set_timeout(t, 0);
	tcase_add_checked_fixture(t, ctl_enter, ctl_leave);
	tcase_add_test(t, test_text);
	tcase_add_test(t, test_several);
	tcase_add_test(t, test_json);
	tcase_add_test(t, test_files);
	tcase_add_test(t, test_wrong_use);
	suite_add_tcase(s, t);
	return run_suite(s);
}
