/* SPDX-License-Identifier: MIT */
#include "daemon/util/bytes.h"
#include "daemon/util/checked.h"

#include <check.h>
#include <stdlib.h>

#include "tests/lib/run-suite.h"

START_TEST(test_equal)
{
	ck_assert(bytes_equal(bytes_of("a\0b", 3), bytes_of("a\0b", 3)));
	ck_assert(!bytes_equal(bytes_of("a\0b", 3), bytes_of("a\0c", 3)));
	ck_assert(!bytes_equal(bytes_str("a"), bytes_str("ab")));
	ck_assert(bytes_equal(bytes_of(NULL, 0), bytes_str("")));
}
END_TEST

START_TEST(test_print)
{
	char buf[64];

	ck_assert_str_eq(bytes_print(bytes_str("erofs,a~"), buf, sizeof(buf)), "erofs,a~");
	ck_assert_str_eq(bytes_print(bytes_of("\0\n\xff \\\x7f", 6), buf, sizeof(buf)),
			 "\\x00\\x0a\\xff\\x20\\x5c\\x7f");
	ck_assert_str_eq(bytes_print(bytes_of(NULL, 0), buf, sizeof(buf)), "");
}
END_TEST

/* Whatever the room: terminated inside it, and whole or visibly cut. */
START_TEST(test_print_fits)
{
	static const char *const inputs[] = {
		"", "abc", "abcdefghij", "ab\1cd\2ef", "\1\2\3", "a\1"
	};

	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
		struct bytes b = bytes_str(inputs[i]);
		char whole[64];

		bytes_print(b, whole, sizeof(whole));
		for (size_t n = 4; n < 40; n++) {
			char *buf = malloc(n);

			ck_assert_ptr_nonnull(buf);
			memset(buf, 'X', n);
			bytes_print(b, buf, n);
			ck_assert_uint_lt(strnlen(buf, n), n);
			if (strlen(whole) < n) {
				ck_assert_str_eq(buf, whole);
			} else {
				size_t kept = strlen(buf) - 3;

				ck_assert_str_eq(buf + kept, "...");
				ck_assert_int_eq(strncmp(buf, whole, kept), 0);
			}
			free(buf);
		}
	}
}
END_TEST

START_TEST(test_rounding)
{
	ck_assert_uint_eq(round_down_u64(4095, CACHE_BLOCK), 0);
	ck_assert_uint_eq(round_down_u64(4096, CACHE_BLOCK), 4096);
	ck_assert_uint_eq(round_up_u64(0, CACHE_BLOCK), 0);
	ck_assert_uint_eq(round_up_u64(1, CACHE_BLOCK), 4096);
	ck_assert_uint_eq(round_up_u64(4096, CACHE_BLOCK), 4096);
	ck_assert_uint_eq(round_up_u64(OBJECT_SIZE_MAX, CACHE_BLOCK), OBJECT_SIZE_MAX);
	ck_assert_uint_eq(round_down_u64(UINT64_MAX, CACHE_BLOCK), UINT64_MAX - 4095);
}
END_TEST

START_TEST(test_sum)
{
	uint64_t sum;

	ck_assert(add_u64(UINT64_MAX - 1, 1, &sum));
	ck_assert_uint_eq(sum, UINT64_MAX);
	ck_assert(!add_u64(UINT64_MAX, 1, &sum));
	ck_assert_uint_eq(min_u64(1, UINT64_MAX), 1);
	ck_assert_uint_eq(max_u64(1, UINT64_MAX), UINT64_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bytes");
	TCase *tc = tcase_create("bytes");

	tcase_add_test(tc, test_equal);
	tcase_add_test(tc, test_print);
	tcase_add_test(tc, test_print_fits);
	tcase_add_test(tc, test_rounding);
	tcase_add_test(tc, test_sum);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
