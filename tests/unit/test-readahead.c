/* SPDX-License-Identifier: MIT */
#include "daemon/engine/readahead.h"

#include <check.h>
#include <stdlib.h>

#include "tests/lib/run-suite.h"

#define KIB ((uint64_t)1024)
#define MIB ((uint64_t)1024 * KIB)
#define MAX (8 * MIB)

/* A reader that goes through [0, len) and only misses what was not fetched for it. */
static unsigned int read_through(struct readahead *ra, uint64_t base, uint64_t len, uint64_t step)
{
	unsigned int misses = 0;
	uint64_t here = base;

	for (uint64_t at = base; at < base + len; at += step) {
		struct readahead_plan plan;

		if (at + step <= here)
			continue;
		plan = readahead_miss(ra, at > here ? at : here, at + step, 0);
		ck_assert_uint_le(plan.start, at);
		ck_assert_uint_ge(plan.end, at + step);
		here = plan.end;
		misses++;
	}
	return misses;
}

START_TEST(test_round_trips_grow_with_the_logarithm)
{
	struct readahead ra;
	unsigned int misses;

	readahead_init(&ra, 1024 * MIB);
	misses = read_through(&ra, 0, 128 * MIB, 128 * KIB);
	ck_assert_uint_le(misses, 12);
}
END_TEST

START_TEST(test_the_window_is_bounded)
{
	struct readahead ra;
	uint64_t at = 0;

	readahead_init(&ra, MAX);
	for (int i = 0; i < 50; i++) {
		struct readahead_plan plan = readahead_miss(&ra, at, at + 128 * KIB, 0);

		ck_assert_uint_le(plan.end, at + 128 * KIB + MAX);
		at = plan.end;
	}
}
END_TEST

START_TEST(test_no_more_is_fetched_ahead_than_was_read)
{
	struct readahead ra;
	uint64_t at = 0;

	readahead_init(&ra, 1024 * MIB);
	for (int i = 0; i < 10; i++) {
		struct readahead_plan plan = readahead_miss(&ra, at, at + 128 * KIB, 0);

		ck_assert_uint_le(plan.end - (at + 128 * KIB), at + 256 * KIB);
		at = plan.end;
	}
}
END_TEST

START_TEST(test_random_reads_end_at_what_was_asked)
{
	struct readahead ra;
	uint64_t asked = 0, fetched = 0;

	srand(3);
	readahead_init(&ra, MAX);
	for (int i = 0; i < 1000; i++) {
		uint64_t at = (uint64_t)rand() % 100000 * MIB;
		struct readahead_plan plan = readahead_miss(&ra, at, at + 4 * KIB, 0);

		if (i >= 500) {
			asked += 4 * KIB;
			fetched += plan.end - plan.start;
		}
	}
	ck_assert_uint_le(fetched, asked + asked / 10);
}
END_TEST

START_TEST(test_the_unit_recovers_when_neighbours_are_wanted)
{
	struct readahead ra;
	struct readahead_plan plan = { 0 };

	readahead_init(&ra, MAX);
	for (uint64_t i = 1; i <= 64; i++)
		readahead_miss(&ra, i * 1000 * MIB, i * 1000 * MIB + 4 * KIB, 0);
	ck_assert_uint_eq(ra.unit, READAHEAD_UNIT_MIN);
	/* Backwards, each just in front of the last one. */
	for (uint64_t i = 0; i < 10; i++)
		plan = readahead_miss(&ra, (1000 - i) * 64 * KIB, (1000 - i) * 64 * KIB + 4 * KIB,
				      0);
	ck_assert_uint_eq(ra.unit, READAHEAD_UNIT_MAX);
	ck_assert_uint_eq(plan.end - plan.start, READAHEAD_UNIT_MAX);
}
END_TEST

START_TEST(test_eight_interleaved_readers_keep_their_windows)
{
	struct readahead ra;
	uint64_t at[READAHEAD_STREAMS];
	unsigned int rounds = 0;

	readahead_init(&ra, MAX);
	for (uint64_t i = 0; i < READAHEAD_STREAMS; i++)
		at[i] = i * 1000 * MIB;
	for (; rounds < 6; rounds++)
		for (uint64_t i = 0; i < READAHEAD_STREAMS; i++)
			at[i] = readahead_miss(&ra, at[i], at[i] + 128 * KIB, 0).end;
	for (uint64_t i = 0; i < READAHEAD_STREAMS; i++)
		ck_assert_uint_ge(at[i] - i * 1000 * MIB, 4 * MIB);
}
END_TEST

/* Bytes that a walk with such gaps has fetched ahead of each miss, at most; 0: nothing. */
static uint64_t walk(uint64_t gap, uint64_t reach)
{
	struct readahead ra;
	uint64_t at = 0, most = 0;

	readahead_init(&ra, MAX);
	for (int i = 0; i < 50; i++) {
		struct readahead_plan plan = readahead_miss(&ra, at, at + 4 * KIB, reach);

		if (plan.start == at) /* not rounded out to a unit */
			most = plan.end - at > most ? plan.end - at : most;
		at = plan.end + gap;
	}
	return most;
}

START_TEST(test_gaps_within_reach_are_gone_over)
{
	ck_assert_uint_gt(walk(500 * KIB, 600 * KIB), 500 * KIB);
	ck_assert_uint_le(walk(500 * KIB, 600 * KIB), 604 * KIB);
	ck_assert_uint_le(walk(700 * KIB, 600 * KIB), 64 * KIB);
	/* However far away it is. */
	ck_assert_uint_le(walk(600 * KIB, 1000 * MIB), READAHEAD_REACH_MAX + 4 * KIB);
}
END_TEST

START_TEST(test_who_skips_little_gets_the_windows_of_a_stream)
{
	ck_assert_uint_gt(walk(250 * KIB, 600 * KIB), 4 * MIB);
}
END_TEST

START_TEST(test_long_plans_are_whole_parts)
{
	struct readahead ra;
	struct readahead_plan plan = { 0 };

	readahead_init(&ra, MAX);
	for (int i = 0; i < 10; i++)
		plan = readahead_miss(&ra, plan.end, plan.end + 4 * KIB, 0);
	ck_assert_uint_eq(plan.end - plan.start, MAX);
}
END_TEST

/* What is fetched for the last of three misses close to each other, none of which goes on with
 * another. */
static struct readahead_plan go_about(uint64_t step, uint64_t reach)
{
	struct readahead ra;

	readahead_init(&ra, MAX);
	readahead_miss(&ra, 100 * MIB, 100 * MIB + 4 * KIB, reach);
	readahead_miss(&ra, 100 * MIB - step, 100 * MIB - step + 4 * KIB, reach);
	readahead_miss(&ra, 100 * MIB - 2 * step, 100 * MIB - 2 * step + 4 * KIB, reach);
	return readahead_miss(&ra, 100 * MIB - 3 * step, 100 * MIB - 3 * step + 4 * KIB, reach);
}

START_TEST(test_both_sides_go_with_who_keeps_coming_back)
{
	struct readahead_plan plan = go_about(700 * KIB, MIB);

	ck_assert_uint_eq(plan.behind, plan.start - MIB / 4);
	ck_assert_uint_ge(plan.end, 100 * MIB - 2100 * KIB + MIB / 4);
	/* Out of reach, or where the origin is close. */
	plan = go_about(1300 * KIB, MIB);
	ck_assert_uint_le(plan.end - plan.behind, 64 * KIB);
	plan = go_about(700 * KIB, 0);
	ck_assert_uint_le(plan.end - plan.behind, 64 * KIB);
}
END_TEST

START_TEST(test_random_reads_far_away_come_back_by_chance_alone)
{
	struct readahead ra;
	uint64_t fetched = 0;

	srand(5);
	readahead_init(&ra, MAX);
	for (int i = 0; i < 1000; i++) {
		uint64_t at = (uint64_t)rand() % (128 * MIB / (4 * KIB)) * 4 * KIB;
		struct readahead_plan plan = readahead_miss(&ra, at, at + 4 * KIB, MIB);

		fetched += plan.end - plan.behind;
	}
	ck_assert_uint_le(fetched, 1000 * 40 * KIB);
}
END_TEST

START_TEST(test_a_stream_keeps_its_place_from_one_close_behind)
{
	struct readahead ra;
	uint64_t front = 512 * KIB, behind = 0;

	readahead_init(&ra, MAX);
	for (int i = 0; i < 4; i++) {
		front = readahead_miss(&ra, front, front + 4 * KIB, MIB).end;
		behind = readahead_miss(&ra, behind, behind + 4 * KIB, MIB).end;
	}
	/* Each has doubled its window each time. */
	ck_assert_uint_ge(front - 512 * KIB, 256 * KIB);
	ck_assert_uint_ge(behind, 256 * KIB);
}
END_TEST

START_TEST(test_a_stream_is_not_taken_by_one_miss_ahead_of_it)
{
	struct readahead ra;
	uint64_t at = 0, before = 0, chance;

	readahead_init(&ra, MAX);
	for (int i = 0; i < 4; i++) {
		before = at;
		at = readahead_miss(&ra, at, at + 128 * KIB, MIB).end;
	}
	chance = at + 500 * KIB;
	readahead_miss(&ra, chance, chance + 4 * KIB, MIB);
	ck_assert_uint_ge(readahead_miss(&ra, at, at + 128 * KIB, MIB).end - at, at - before);
}
END_TEST

START_TEST(test_holes_are_joined_far_away_by_who_comes_back)
{
	struct readahead ra;

	readahead_init(&ra, MAX);
	ck_assert_uint_eq(readahead_miss(&ra, 0, 4 * KIB, 0).join, 0);
	ck_assert_uint_eq(readahead_miss(&ra, 500 * KIB, 504 * KIB, MIB).join, 256 * KIB);
	/* No more than comes in the time of half an answer. */
	ck_assert_uint_eq(readahead_miss(&ra, 700 * KIB, 704 * KIB, 300 * KIB).join, 150 * KIB);
	ck_assert_uint_eq(readahead_miss(&ra, 400 * KIB, 404 * KIB, 0).join, 0);
	for (uint64_t i = 1; i < 100; i++)
		ck_assert_uint_le(
			readahead_miss(&ra, i * 30 * MIB, i * 30 * MIB + 4 * KIB, MIB).join,
			i == 1 ? 256 * KIB : 0);
}
END_TEST

START_TEST(test_every_plan_covers_its_miss_and_is_aligned)
{
	struct readahead ra;

	srand(11);
	readahead_init(&ra, MAX);
	for (int i = 0; i < 100000; i++) {
		uint64_t start = (uint64_t)rand() % (1 << 16) * 4 * KIB;
		uint64_t end = start + (uint64_t)(1 + rand() % 64) * 4 * KIB;
		struct readahead_plan plan =
			readahead_miss(&ra, start, end, (uint64_t)rand() % MIB);

		ck_assert_uint_le(plan.behind, plan.start);
		ck_assert_uint_ge(plan.behind + READAHEAD_REACH_MAX, plan.start);
		ck_assert_uint_le(plan.start, start);
		ck_assert_uint_ge(plan.end, end);
		ck_assert_uint_eq(plan.behind % (4 * KIB), 0);
		ck_assert_uint_eq(plan.start % (4 * KIB), 0);
		ck_assert_uint_eq(plan.end % (4 * KIB), 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("readahead");
	TCase *t = tcase_create("readahead");

	suite_add_tcase(s, t);
	tcase_add_test(t, test_round_trips_grow_with_the_logarithm);
	tcase_add_test(t, test_the_window_is_bounded);
	tcase_add_test(t, test_no_more_is_fetched_ahead_than_was_read);
	tcase_add_test(t, test_random_reads_end_at_what_was_asked);
	tcase_add_test(t, test_the_unit_recovers_when_neighbours_are_wanted);
	tcase_add_test(t, test_eight_interleaved_readers_keep_their_windows);
	tcase_add_test(t, test_gaps_within_reach_are_gone_over);
	tcase_add_test(t, test_who_skips_little_gets_the_windows_of_a_stream);
	tcase_add_test(t, test_long_plans_are_whole_parts);
	tcase_add_test(t, test_both_sides_go_with_who_keeps_coming_back);
	tcase_add_test(t, test_random_reads_far_away_come_back_by_chance_alone);
	tcase_add_test(t, test_a_stream_keeps_its_place_from_one_close_behind);
	tcase_add_test(t, test_a_stream_is_not_taken_by_one_miss_ahead_of_it);
	tcase_add_test(t, test_holes_are_joined_far_away_by_who_comes_back);
	tcase_add_test(t, test_every_plan_covers_its_miss_and_is_aligned);
	return run_suite(s);
}
