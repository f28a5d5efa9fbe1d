/* SPDX-License-Identifier: MIT */
#include "daemon/trace/plan.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tests/lib/run-suite.h"

#define K 1024ull

static struct trace_plan *plan;
static struct trace_plan_range *ranges;
static size_t n_ranges;

static void setup(void)
{
	ck_assert_int_eq(trace_plan_new(&plan), 0);
	ranges = NULL;
}

static void teardown(void)
{
	free(ranges);
	plan = trace_plan_free(plan);
}

static void begin(void)
{
	ck_assert_int_eq(trace_plan_begin(plan), 0);
}

static void need(const char *cookie, uint64_t off, uint64_t len)
{
	ck_assert_int_eq(trace_plan_need(plan, bytes_str("v"), bytes_str(cookie), off, len), 0);
}

static void make(uint64_t gap, uint64_t limit, size_t traces)
{
	const struct trace_plan_wishes wishes = { gap, limit, traces };

	free(ranges);
	ck_assert_int_eq(trace_plan_make(plan, &wishes, &ranges, &n_ranges), 0);
}

static void expect(size_t i, const char *cookie, uint64_t off, uint64_t len)
{
	ck_assert_uint_lt(i, n_ranges);
	ck_assert(bytes_equal(ranges[i].cookie, bytes_str(cookie)));
	ck_assert_uint_eq(ranges[i].off, off);
	ck_assert_uint_eq(ranges[i].len, len);
}

START_TEST(test_order_of_first_need)
{
	begin();
	need("b", 512 * K, 4 * K);
	need("a", 0, 8 * K);
	need("b", 0, 4 * K);
	need("a", 4 * K, 8 * K); /* half of it again */
	need("b", 512 * K, 4 * K);
	make(0, 0, 1);
	ck_assert_uint_eq(n_ranges, 3);
	expect(0, "b", 512 * K, 4 * K);
	expect(1, "a", 0, 12 * K);
	expect(2, "b", 0, 4 * K);
	ck_assert_uint_eq(ranges[2].rank, 2);
}
END_TEST

START_TEST(test_gap)
{
	begin();
	need("a", 0, 4 * K);
	need("a", 64 * K, 4 * K);
	need("a", 20 * K, 4 * K);
	make(16 * K, 0, 1);
	ck_assert_uint_eq(n_ranges, 3);
	make(16 * K + 1, 0, 1);
	ck_assert_uint_eq(n_ranges, 2);
	expect(0, "a", 0, 24 * K);
	make(64 * K, 0, 1);
	ck_assert_uint_eq(n_ranges, 1);
	expect(0, "a", 0, 68 * K);
}
END_TEST

/* What is needed much later does not come first because it is near what is needed first. */
START_TEST(test_merging_keeps_the_order)
{
	begin();
	need("a", 0, 1024 * K);
	for (uint64_t i = 0; i < TRACE_PLAN_NEAR; i++)
		need("b", i * 8 * K, 4 * K);
	need("a", 1024 * K, 1024 * K);
	make(4 * K, 0, 1);
	expect(0, "a", 0, 1024 * K);
	expect(n_ranges - 1, "a", 1024 * K, 1024 * K);

	need("c", 0, 1024 * K);
	need("c", 1024 * K, 1024 * K);
	make(4 * K, 0, 1);
	expect(n_ranges - 1, "c", 0, 2048 * K);
}
END_TEST

START_TEST(test_several_traces)
{
	begin();
	need("a", 0, 8 * K);
	need("b", 0, 4 * K);
	begin();
	need("b", 0, 4 * K);
	need("c", 0, 4 * K);
	need("a", 4 * K, 8 * K);
	begin();
	need("b", 0, 4 * K);
	need("d", 0, 4 * K);
	make(0, 0, 2);
	ck_assert_uint_eq(n_ranges, 2);
	expect(0, "a", 4 * K, 4 * K); /* ranks 0 and 2 */
	expect(1, "b", 0, 4 * K);     /* ranks 1, 0, 0 */
	ck_assert_uint_eq(ranges[1].traces, 3);
	ck_assert_uint_eq(ranges[1].rank, 0);
	make(0, 0, 3);
	ck_assert_uint_eq(n_ranges, 1);
	make(0, 0, 1);
	ck_assert_uint_eq(n_ranges, 4);
	expect(0, "a", 0, 12 * K);
	ck_assert_uint_eq(ranges[0].traces, 1);
}
END_TEST

START_TEST(test_limit)
{
	begin();
	need("a", 0, 8 * K);
	need("b", 0, 8 * K);
	make(0, 12 * K, 1);
	ck_assert_uint_eq(n_ranges, 2);
	expect(1, "b", 0, 4 * K);
	make(0, 8 * K, 1);
	ck_assert_uint_eq(n_ranges, 1);
}
END_TEST

START_TEST(test_nothing)
{
	begin();
	need("a", 4096, 0);
	make(0, 0, 1);
	ck_assert_uint_eq(n_ranges, 0);
}
END_TEST

/* ---- against a model --------------------------------------------------------------------- */

#define CELLS  64
#define TRACES 5

static uint64_t median(uint64_t *ranks, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j > 0 && ranks[j] < ranks[j - 1]; j--) {
			uint64_t swap = ranks[j];

			ranks[j] = ranks[j - 1];
			ranks[j - 1] = swap;
		}
	return ranks[(n - 1) / 2];
}

/* Each byte that enough traces needed is in one range, not later than its median says; no other
 * byte is. */
START_TEST(test_any_traces)
{
	uint64_t first[TRACES][CELLS];
	size_t wanted = 1 + (size_t)_i % TRACES;
	bool planned[CELLS] = { false };

	srand(_i + 1);
	for (size_t t = 0; t < TRACES; t++) {
		begin();
		for (size_t c = 0; c < CELLS; c++)
			first[t][c] = UINT64_MAX;
		for (uint64_t r = 0; r < 12; r++) {
			uint64_t off = (uint64_t)rand() % CELLS, len = (uint64_t)rand() % 9;

			len = off + len > CELLS ? CELLS - off : len;
			need("a", off, len);
			for (uint64_t c = off; c < off + len; c++)
				if (first[t][c] == UINT64_MAX)
					first[t][c] = r;
		}
	}
	make(0, 0, wanted);
	for (size_t i = 0; i < n_ranges; i++)
		for (uint64_t c = ranges[i].off; c < ranges[i].off + ranges[i].len; c++) {
			uint64_t ranks[TRACES];
			size_t n = 0;

			for (size_t t = 0; t < TRACES; t++)
				if (first[t][c] != UINT64_MAX)
					ranks[n++] = first[t][c];
			ck_assert_uint_ge(n, wanted);
			ck_assert_uint_ge(n, ranges[i].traces);
			ck_assert(!planned[c]);
			planned[c] = true;
			ck_assert_uint_le(ranges[i].rank, median(ranks, n));
		}
	for (size_t c = 0; c < CELLS; c++) {
		size_t n = 0;

		for (size_t t = 0; t < TRACES; t++)
			n += first[t][c] != UINT64_MAX;
		ck_assert_int_eq(planned[c], n >= wanted);
	}
}
END_TEST

START_TEST(test_hostile)
{
	for (size_t t = 0; t < 3; t++) {
		begin();
		for (uint64_t i = 0; i < 20000; i++)
			need("a", (uint64_t)rand() << 33 ^ (uint64_t)rand() << (rand() % 30),
			     UINT64_MAX >> rand() % 64);
	}
	make(UINT64_MAX, 0, 1);
	ck_assert_uint_ge(n_ranges, 1);
	make(1, UINT64_MAX, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plan");
	TCase *t = tcase_create("plan");

	tcase_set_timeout(t, 0);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_order_of_first_need);
	tcase_add_test(t, test_gap);
	tcase_add_test(t, test_merging_keeps_the_order);
	tcase_add_test(t, test_several_traces);
	tcase_add_test(t, test_limit);
	tcase_add_test(t, test_nothing);
	tcase_add_loop_test(t, test_any_traces, 0, 50);
	tcase_add_test(t, test_hostile);
	suite_add_tcase(s, t);
	return run_suite(s);
}
