/* SPDX-License-Identifier: MIT */
#include "daemon/trace/histogram.h"

#include <check.h>
#include <stdlib.h>

#include "tests/lib/run-suite.h"

static void check_bucket(uint64_t value)
{
	uint32_t number = histogram_bucket(value);

	ck_assert_uint_le(histogram_low(number), value);
	ck_assert_uint_ge(histogram_high(number), value);
	ck_assert_uint_le(histogram_high(number) - histogram_low(number), value / HISTOGRAM_STEPS);
	ck_assert_uint_eq(histogram_bucket(histogram_low(number)), number);
	ck_assert_uint_eq(histogram_bucket(histogram_high(number)), number);
	if (histogram_high(number) < UINT64_MAX)
		ck_assert_uint_eq(histogram_bucket(histogram_high(number) + 1), number + 1);
}

START_TEST(test_each_value_has_one_bucket)
{
	for (uint64_t v = 0; v < 10000; v++)
		check_bucket(v);
	for (unsigned int bit = 0; bit < 64; bit++) {
		check_bucket((uint64_t)1 << bit);
		check_bucket(((uint64_t)1 << bit) - 1);
		check_bucket(UINT64_MAX >> bit);
	}
}
END_TEST

START_TEST(test_known_quantiles)
{
	struct histogram h = { .n = 0 };

	ck_assert_uint_eq(histogram_quantile(&h, 5000), 0);
	for (uint64_t v = 1; v <= 50; v++)
		ck_assert_int_eq(histogram_add(&h, v), 0);
	ck_assert_uint_eq(histogram_quantile(&h, 5000), 25);
	ck_assert_uint_eq(histogram_quantile(&h, 9000), 45);
	ck_assert_uint_eq(histogram_quantile(&h, 10000), 50);
	ck_assert_uint_eq(h.sum, 25 * 51);
	ck_assert_uint_eq(h.min, 1);
	ck_assert_uint_eq(h.max, 50);
	histogram_deinit(&h);
}
END_TEST

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

START_TEST(test_quantiles_are_at_most_a_step_too_large)
{
	static const unsigned int parts[] = { 1, 100, 2500, 5000, 9000, 9900, 9990, 9999, 10000 };
	static uint64_t values[5000];
	struct histogram h = { .n = 0 };
	const size_t n = 1 + (size_t)_i * 777;

	srand(_i + 1);
	for (size_t i = 0; i < n; i++) {
		values[i] = ((uint64_t)rand() << 33 ^ (uint64_t)rand()) >> rand() % 60;
		ck_assert_int_eq(histogram_add(&h, values[i]), 0);
	}
	qsort(values, n, sizeof(*values), compare);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		uint64_t exact = values[(n * parts[i] + 9999) / 10000 - 1];
		uint64_t q = histogram_quantile(&h, parts[i]);

		ck_assert_uint_ge(q, exact);
		ck_assert_uint_le(q - exact, exact / HISTOGRAM_STEPS);
	}
	histogram_deinit(&h);
}
END_TEST

START_TEST(test_memory_does_not_grow_with_the_values)
{
	struct histogram h = { .n = 0 };

	for (uint64_t i = 0; i < 200000; i++)
		ck_assert_int_eq(histogram_add(&h, i * i * i * i * 11400714819323198485u), 0);
	ck_assert_uint_le(h.n, histogram_bucket(UINT64_MAX) + 1);
	ck_assert_int_eq(histogram_add(&h, UINT64_MAX), 0);
	ck_assert_uint_eq(h.sum, UINT64_MAX);
	ck_assert_uint_eq(histogram_quantile(&h, 10000), UINT64_MAX);
	histogram_deinit(&h);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("histogram");
	TCase *t = tcase_create("histogram");

	tcase_set_timeout(t, 0);
	tcase_add_test(t, test_each_value_has_one_bucket);
	tcase_add_test(t, test_known_quantiles);
	tcase_add_loop_test(t, test_quantiles_are_at_most_a_step_too_large, 0, 7);
	tcase_add_test(t, test_memory_does_not_grow_with_the_values);
	suite_add_tcase(s, t);
	return run_suite(s);
}
