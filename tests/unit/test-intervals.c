/* SPDX-License-Identifier: MIT */
#include "daemon/trace/intervals.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"

static void check_shape(const struct intervals *set)
{
	uint64_t total = 0;

	for (size_t i = 0; i < set->n; i++) {
		ck_assert_uint_lt(set->at[i].begin, set->at[i].end);
		if (i > 0)
			ck_assert_uint_lt(set->at[i - 1].end, set->at[i].begin);
		total += set->at[i].end - set->at[i].begin;
	}
	ck_assert_uint_eq(total, set->total);
	ck_assert_uint_le(set->n, INTERVALS_MAX);
}

static uint64_t add(struct intervals *set, uint64_t begin, uint64_t end)
{
	uint64_t added;

	ck_assert_int_eq(intervals_add(set, begin, end, &added), 0);
	check_shape(set);
	return added;
}

static uint64_t cut(struct intervals *set, uint64_t begin, uint64_t end)
{
	uint64_t removed;

	ck_assert_int_eq(intervals_remove(set, begin, end, &removed), 0);
	check_shape(set);
	return removed;
}

START_TEST(test_neighbours_become_one)
{
	struct intervals set = { .n = 0 };

	ck_assert_uint_eq(add(&set, 10, 20), 10);
	ck_assert_uint_eq(add(&set, 30, 40), 10);
	ck_assert_uint_eq(set.n, 2);
	ck_assert_uint_eq(add(&set, 20, 30), 10);
	ck_assert_uint_eq(set.n, 1);
	ck_assert_uint_eq(add(&set, 0, 50), 20);
	ck_assert_uint_eq(add(&set, 7, 7), 0);
	ck_assert_uint_eq(add(&set, 9, 7), 0);
	ck_assert_uint_eq(cut(&set, 20, 30), 10);
	ck_assert_uint_eq(set.n, 2);
	ck_assert_uint_eq(cut(&set, 0, 60), 40);
	ck_assert_uint_eq(set.n, 0);
	intervals_deinit(&set);
}
END_TEST

START_TEST(test_the_largest_numbers)
{
	struct intervals set = { .n = 0 };

	ck_assert_uint_eq(interval_end(UINT64_MAX - 5, 4), UINT64_MAX - 1);
	ck_assert_uint_eq(interval_end(UINT64_MAX - 5, 10), UINT64_MAX);
	ck_assert_uint_eq(add(&set, UINT64_MAX - 10, UINT64_MAX), 10);
	ck_assert_uint_eq(add(&set, 0, 1), 1);
	ck_assert_uint_eq(add(&set, 0, UINT64_MAX), UINT64_MAX - 11);
	ck_assert_uint_eq(set.total, UINT64_MAX);
	ck_assert_uint_eq(intervals_covered(&set, 5, UINT64_MAX), UINT64_MAX - 5);
	ck_assert_uint_eq(cut(&set, 1, UINT64_MAX), UINT64_MAX - 1);
	intervals_deinit(&set);
}
END_TEST

/* ---- against a model --------------------------------------------------------------------- */

#define CELLS 300

static uint64_t model_set(bool *cells, uint64_t begin, uint64_t end, bool value)
{
	uint64_t changed = 0;

	for (; begin < end; begin++) {
		changed += cells[begin] != value;
		cells[begin] = value;
	}
	return changed;
}

static void check_model(const struct intervals *set, const bool *cells)
{
	uint64_t begin = (uint64_t)rand() % CELLS, end = (uint64_t)rand() % (CELLS + 1), n = 0;
	bool gaps[CELLS] = { false };

	for (uint64_t i = begin; i < end; i++)
		n += cells[i];
	ck_assert_uint_eq(intervals_covered(set, begin, end), n);

	for (uint64_t at = begin; at < end;) {
		struct interval gap = intervals_gap(set, &at, end);

		if (gap.begin == gap.end)
			break;
		ck_assert_uint_le(begin, gap.begin);
		ck_assert_uint_le(gap.end, end);
		model_set(gaps, gap.begin, gap.end, true);
	}
	for (uint64_t i = begin; i < end; i++)
		ck_assert_int_eq(gaps[i], !cells[i]);
}

START_TEST(test_any_sequence_is_what_a_bitmap_says)
{
	bool cells[CELLS] = { false };
	struct intervals set = { .n = 0 };

	srand(_i + 1);
	for (int i = 0; i < 3000; i++) {
		uint64_t begin = (uint64_t)rand() % CELLS;
		uint64_t end = begin + (uint64_t)rand() % 12;
		bool value = rand() % 5 < 3;

		if (end > CELLS)
			end = CELLS;
		ck_assert_uint_eq(value ? add(&set, begin, end) : cut(&set, begin, end),
				  model_set(cells, begin, end, value));
		check_model(&set, cells);
	}
	ck_assert_uint_eq(set.joined, 0);
	intervals_deinit(&set);
}
END_TEST

/* ---- bounds ------------------------------------------------------------------------------ */

START_TEST(test_the_nearest_are_joined_when_there_are_too_many)
{
	struct intervals_budget budget = { .max = 64 };
	struct intervals set = { .budget = &budget };
	uint64_t exact = 0;

	/* Every second pair is near: these go first. */
	for (uint64_t i = 0; i < 100; i++) {
		uint64_t at = i / 2 * 1000 + i % 2 * 12;

		exact += 10;
		ck_assert_uint_eq(add(&set, at, at + 10), 10);
	}
	ck_assert_uint_lt(set.n, 64);
	ck_assert_uint_eq(budget.used, set.n);
	ck_assert_uint_gt(set.joined, 0);
	ck_assert_uint_eq(set.total, exact + set.joined);
	ck_assert_uint_le(set.joined, 50 * 2);
	intervals_deinit(&set);
	ck_assert_uint_eq(budget.used, 0);
}
END_TEST

START_TEST(test_each_set_may_have_a_few)
{
	struct intervals_budget budget = { .max = 10 };
	struct intervals sets[8] = { { .n = 0 } };

	for (size_t s = 0; s < 8; s++) {
		sets[s].budget = &budget;
		for (uint64_t i = 0; i < INTERVALS_FEW - 1; i++)
			add(&sets[s], i * 100, i * 100 + 1);
		ck_assert_uint_eq(sets[s].n, INTERVALS_FEW - 1);
		ck_assert_uint_eq(sets[s].joined, 0);
	}
	for (uint64_t i = 0; i < 1000; i++)
		add(&sets[0], (uint64_t)rand() << 20, ((uint64_t)rand() << 20) + 1);
	ck_assert_uint_le(sets[0].n, INTERVALS_FEW);
	for (size_t s = 0; s < 8; s++)
		intervals_deinit(&sets[s]);
}
END_TEST

START_TEST(test_one_set_is_bounded_without_a_budget)
{
	struct intervals set = { .n = 0 };

	for (uint64_t i = 0; i < 3 * INTERVALS_MAX; i++)
		ck_assert_int_eq(intervals_add(&set, i << 40, (i << 40) + 4096, NULL), 0);
	check_shape(&set);
	ck_assert_uint_eq(set.total, 3ull * INTERVALS_MAX * 4096 + set.joined);
	intervals_deinit(&set);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("intervals");
	TCase *t = tcase_create("intervals");

	tcase_set_timeout(t, 0);
	tcase_add_test(t, test_neighbours_become_one);
	tcase_add_test(t, test_the_largest_numbers);
	tcase_add_loop_test(t, test_any_sequence_is_what_a_bitmap_says, 0, 10);
	tcase_add_test(t, test_the_nearest_are_joined_when_there_are_too_many);
	tcase_add_test(t, test_each_set_may_have_a_few);
	tcase_add_test(t, test_one_set_is_bounded_without_a_budget);
	suite_add_tcase(s, t);
	return run_suite(s);
}
