/* SPDX-License-Identifier: MIT */
#include "daemon/engine/bufpool.h"

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"

#define MIB ((size_t)1 << 20)

static size_t rounded(size_t len)
{
	size_t n = 4096;

	while (n < len)
		n *= 2;
	return n;
}

START_TEST(test_blocks_are_aligned_and_counted)
{
	struct bufpool *pool;
	void *a, *b;

	ck_assert_int_eq(bufpool_new(&pool, 1), 0);
	ck_assert_uint_eq(bufpool_budget(pool), MIB);
	a = bufpool_get(pool, 1);
	b = bufpool_get(pool, 4097);
	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(b);
	ck_assert_uint_eq((uintptr_t)a % 4096, 0);
	ck_assert_uint_eq((uintptr_t)b % 4096, 0);
	ck_assert_uint_eq(bufpool_used(pool), 4096 + 8192);
	bufpool_put(pool, a);
	bufpool_put(pool, b);
	ck_assert_uint_eq(bufpool_used(pool), 0);
	bufpool_free(pool);
}
END_TEST

START_TEST(test_the_budget_is_a_bound_and_halves_grow_together_again)
{
	struct bufpool *pool;
	void *blocks[512];

	ck_assert_int_eq(bufpool_new(&pool, 2 * MIB), 0);
	for (int i = 0; i < 512; i++) {
		blocks[i] = bufpool_get(pool, 4096);
		ck_assert_ptr_nonnull(blocks[i]);
	}
	ck_assert_ptr_null(bufpool_get(pool, 1));
	for (int i = 0; i < 512; i += 2)
		bufpool_put(pool, blocks[i]);
	ck_assert_msg(!bufpool_get(pool, 8192), "no two neighbours are free");
	for (int i = 1; i < 512; i += 2)
		bufpool_put(pool, blocks[i]);
	blocks[0] = bufpool_get(pool, MIB);
	blocks[1] = bufpool_get(pool, MIB);
	ck_assert_ptr_nonnull(blocks[0]);
	ck_assert_ptr_nonnull(blocks[1]);
	bufpool_put(pool, blocks[0]);
	bufpool_put(pool, blocks[1]);
	bufpool_free(pool);
}
END_TEST

struct taken {
	uint8_t *at;
	size_t len;
	uint8_t mark;
};

static void check_and_put(struct bufpool *pool, struct taken *t)
{
	for (size_t i = 0; i < t->len; i += 512)
		ck_assert_uint_eq(t->at[i], t->mark);
	bufpool_put(pool, t->at);
	t->at = NULL;
}

/* Against a plain model: what is handed out never overlaps, and the sum is what is used. */
START_TEST(test_random_use_never_overlaps)
{
	struct taken taken[64] = { 0 };
	struct bufpool *pool;
	uint64_t used = 0;

	srand(1);
	ck_assert_int_eq(bufpool_new(&pool, 4 * MIB), 0);
	for (int round = 0; round < 20000; round++) {
		struct taken *t = &taken[rand() % 64];

		if (t->at) {
			used -= rounded(t->len);
			check_and_put(pool, t);
		} else {
			t->len = (size_t)1 + (size_t)rand() % ((size_t)1 << (rand() % 21));
			t->mark = (uint8_t)rand();
			t->at = bufpool_get(pool, t->len);
			if (t->at) {
				memset(t->at, t->mark, t->len);
				used += rounded(t->len);
			}
		}
		ck_assert_uint_eq(bufpool_used(pool), used);
		if (round % 1000 == 0)
			bufpool_trim(pool);
	}
	for (int i = 0; i < 64; i++)
		if (taken[i].at)
			check_and_put(pool, &taken[i]);
	ck_assert_uint_eq(bufpool_used(pool), 0);
	bufpool_free(pool);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bufpool");
	TCase *t = tcase_create("bufpool");

	suite_add_tcase(s, t);
	tcase_add_test(t, test_blocks_are_aligned_and_counted);
	tcase_add_test(t, test_the_budget_is_a_bound_and_halves_grow_together_again);
	tcase_add_test(t, test_random_use_never_overlaps);
	return run_suite(s);
}
