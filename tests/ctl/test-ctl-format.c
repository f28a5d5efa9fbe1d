/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/ctl.h"

#include <check.h>
#include <errno.h>

#include "tests/lib/run-suite.h"

START_TEST(test_bytes_are_short)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1 KiB" },
		{ 1536, "1.5 KiB" },
		{ 131072, "128 KiB" },
		{ 131072 + 512, "128 KiB" },
		{ (1 << 20) - 1, "1 MiB" },
		{ 3ull << 30, "3 GiB" },
		{ UINT64_MAX, "16 EiB" },
	};
	char buf[32];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_str_eq(ctl_bytes(cases[i].bytes, buf, sizeof(buf)), cases[i].text);
}
END_TEST

START_TEST(test_times_are_short)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "0 ns" },
		{ 999, "999 ns" },
		{ 1000, "1 us" },
		{ 12345678, "12.3 ms" },
		{ 999999, "1 ms" },
		{ 2500000000, "2.5 s" },
		{ 90ull * 1000000000, "1.5 min" },
		{ UINT64_MAX, "5124096 h" },
	};
	char buf[32];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_str_eq(ctl_time(cases[i].ns, buf, sizeof(buf)), cases[i].text);
}
END_TEST

START_TEST(test_good_sizes)
{
	uint64_t v;

	ck_assert_int_eq(ctl_parse_bytes("0", &v), 0);
	ck_assert_uint_eq(v, 0);
	ck_assert_int_eq(ctl_parse_bytes("64K", &v), 0);
	ck_assert_uint_eq(v, 65536);
	ck_assert_int_eq(ctl_parse_bytes("1.5MiB", &v), 0);
	ck_assert_uint_eq(v, 3 << 19);
	ck_assert_int_eq(ctl_parse_bytes("18446744073709551615", &v), 0);
	ck_assert_uint_eq(v, UINT64_MAX);
}
END_TEST

START_TEST(test_good_times)
{
	uint64_t v;

	ck_assert_int_eq(ctl_parse_time("0s", &v), 0);
	ck_assert_uint_eq(v, 0);
	ck_assert_int_eq(ctl_parse_time("1.5s", &v), 0);
	ck_assert_uint_eq(v, 1500000000);
	ck_assert_int_eq(ctl_parse_time("10ms", &v), 0);
	ck_assert_uint_eq(v, 10000000);
	ck_assert_int_eq(ctl_parse_time("0.000000001s", &v), 0);
	ck_assert_uint_eq(v, 1);
	ck_assert_int_eq(ctl_parse_time("2min", &v), 0);
	ck_assert_uint_eq(v, 120000000000);
	ck_assert_int_eq(ctl_parse_time("7us", &v), 0);
	ck_assert_uint_eq(v, 7000);
}
END_TEST

/* Refused, and the value is left alone. */
START_TEST(test_bad_numbers)
{
	static const char *const sizes[] = { "",
					     "K",
					     "-1",
					     "1 K",
					     "1k",
					     "1.K",
					     ".5K",
					     "1..5K",
					     "18446744073709551616",
					     "18014398509481984K",
					     "0x10" };
	static const char *const times[] = { "",
					     "0",
					     "5",
					     "s",
					     "-1s",
					     "1 s",
					     "1S",
					     "1e3s",
					     "1.0000000001s",
					     "5124096h",
					     "18446744073709551615s" };
	uint64_t v = 42;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		ck_assert_msg(ctl_parse_bytes(sizes[i], &v) == -EINVAL, "%s", sizes[i]);
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		ck_assert_msg(ctl_parse_time(times[i], &v) == -EINVAL, "%s", times[i]);
	ck_assert_uint_eq(v, 42);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl-format");
	TCase *tcase = tcase_create("format");

	tcase_add_test(tcase, test_bytes_are_short);
	tcase_add_test(tcase, test_times_are_short);
	tcase_add_test(tcase, test_good_sizes);
	tcase_add_test(tcase, test_good_times);
	tcase_add_test(tcase, test_bad_numbers);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
