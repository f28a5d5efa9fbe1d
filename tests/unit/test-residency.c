/* SPDX-License-Identifier: MIT */
#include "daemon/engine/residency.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/run-suite.h"

#define BLOCKS (2 * RESIDENCY_SEGMENT + 100)

static int make_file(uint64_t blocks)
{
	int fd = memfd_create("cache", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)(blocks * 4096)), 0);
	return fd;
}

static void fill(int fd, uint64_t from, uint64_t to)
{
	static const char block[4096] = { 1 };

	for (; from < to; from++)
		ck_assert_int_eq(pwrite(fd, block, 4096, (off_t)(from * 4096)), 4096);
}

START_TEST(test_learns_what_the_file_holds)
{
	struct residency r;
	int fd = make_file(BLOCKS);

	fill(fd, 3, 5);
	fill(fd, RESIDENCY_SEGMENT - 1, RESIDENCY_SEGMENT + 1);
	fill(fd, BLOCKS - 1, BLOCKS);
	ck_assert_int_eq(residency_init(&r, BLOCKS * 4096 - 4095), 0);
	ck_assert_uint_eq(r.blocks, BLOCKS);
	ck_assert(!residency_known(&r, 0));
	ck_assert_int_eq(residency_learn(&r, fd, 0, 1), 0);
	ck_assert(residency_known(&r, RESIDENCY_SEGMENT - 1));
	ck_assert(!residency_known(&r, RESIDENCY_SEGMENT));
	ck_assert_uint_eq(residency_count(&r), 3);
	ck_assert_int_eq(residency_learn(&r, fd, 0, BLOCKS), 0);
	ck_assert_uint_eq(residency_count(&r), 5);

	ck_assert_uint_eq(residency_next_hole(&r, 3, 10), 5);
	ck_assert_uint_eq(residency_next_busy(&r, 0, BLOCKS), 3);
	ck_assert_uint_eq(residency_next_busy(&r, 5, BLOCKS), RESIDENCY_SEGMENT - 1);
	ck_assert_uint_eq(residency_next_hole(&r, RESIDENCY_SEGMENT - 1, BLOCKS),
			  RESIDENCY_SEGMENT + 1);
	ck_assert_uint_eq(residency_next_hole(&r, BLOCKS - 1, BLOCKS), BLOCKS);
	residency_clear(&r);
	close(fd);
}
END_TEST

START_TEST(test_an_error_leaves_the_segment_unknown)
{
	struct residency r;

	ck_assert_int_eq(residency_init(&r, 4096), 0);
	ck_assert_int_eq(residency_learn(&r, -1, 0, 1), -EBADF);
	ck_assert(!residency_known(&r, 0));
	residency_clear(&r);
}
END_TEST

START_TEST(test_an_empty_object_has_no_blocks)
{
	struct residency r;

	ck_assert_int_eq(residency_init(&r, 0), 0);
	ck_assert_uint_eq(r.blocks, 0);
	ck_assert_int_eq(residency_learn(&r, -1, 0, 0), 0);
	ck_assert_uint_eq(residency_next_hole(&r, 0, 0), 0);
	residency_clear(&r);
}
END_TEST

/* Every operation against one byte per block. */
struct model {
	struct residency r;
	bool resident[BLOCKS], claimed[BLOCKS];
};

static uint64_t model_find(const struct model *m, uint64_t from, uint64_t to, int which)
{
	for (; from < to; from++) {
		bool busy = m->resident[from] || m->claimed[from];

		if (which == 0 ? !m->resident[from] : which == 1 ? !busy : busy)
			return from;
	}
	return to;
}

static void model_change(struct model *m, uint64_t from, uint64_t to)
{
	int what = rand() % 3;

	if (what == 0)
		residency_claim(&m->r, from, to);
	else if (what == 1)
		residency_unclaim(&m->r, from, to);
	else
		residency_mark(&m->r, from, to);
	for (uint64_t b = from; b < to; b++) {
		m->claimed[b] = what == 0;
		m->resident[b] |= what == 2;
	}
}

START_TEST(test_behaves_like_one_byte_per_block)
{
	static struct model m;
	int fd = make_file(BLOCKS);

	srand(7);
	memset(&m, 0, sizeof(m));
	ck_assert_int_eq(residency_init(&m.r, BLOCKS * 4096), 0);
	ck_assert_int_eq(residency_learn(&m.r, fd, 0, BLOCKS), 0);
	for (int round = 0; round < 4000; round++) {
		uint64_t from = (uint64_t)rand() % BLOCKS;
		uint64_t to = from + (uint64_t)rand() % (BLOCKS - from + 1);

		if (round % 4 == 0)
			model_change(&m, from, from + (to - from) % 300);
		ck_assert_uint_eq(residency_next_hole(&m.r, from, to), model_find(&m, from, to, 0));
		if (round < 3000) {
			/* A claim on what is resident means nothing: compare where there is none.
			 */
			uint64_t hole = model_find(&m, from, to, 0);

			ck_assert_uint_eq(residency_next_free(&m.r, hole, to),
					  model_find(&m, hole, to, 1));
			ck_assert_uint_eq(residency_next_busy(&m.r, from, to),
					  model_find(&m, from, to, 2));
		}
	}
	residency_mark(&m.r, 0, BLOCKS);
	ck_assert_uint_eq(residency_next_hole(&m.r, 0, BLOCKS), BLOCKS);
	residency_clear(&m.r);
	close(fd);
}
END_TEST

START_TEST(test_recheck_believes_the_kernel)
{
	struct residency r;
	int fd = make_file(RESIDENCY_SEGMENT);

	fill(fd, 0, 10);
	ck_assert_int_eq(residency_init(&r, RESIDENCY_SEGMENT * 4096), 0);
	ck_assert_int_eq(residency_learn(&r, fd, 0, RESIDENCY_SEGMENT), 0);
	residency_mark(&r, 0, RESIDENCY_SEGMENT);
	ck_assert_int_eq(residency_recheck(&r, fd, 2, 8), 0);
	ck_assert_uint_eq(residency_next_hole(&r, 0, RESIDENCY_SEGMENT), RESIDENCY_SEGMENT);
	ck_assert_int_eq(residency_recheck(&r, fd, 8, 14), 0);
	ck_assert_uint_eq(residency_next_hole(&r, 0, RESIDENCY_SEGMENT), 10);
	ck_assert_uint_eq(residency_next_busy(&r, 10, RESIDENCY_SEGMENT), 14);
	residency_clear(&r);
	close(fd);
}
END_TEST

START_TEST(test_complete_is_when_all_of_it_is_known_to_be)
{
	struct residency r;
	int fd = make_file(BLOCKS);

	fill(fd, 0, BLOCKS - 1);
	ck_assert_int_eq(residency_init(&r, BLOCKS * 4096), 0);
	ck_assert(!residency_is_complete(&r));
	ck_assert_int_eq(residency_learn(&r, fd, 0, BLOCKS), 0);
	ck_assert(!residency_is_complete(&r));
	residency_mark(&r, BLOCKS - 1, BLOCKS);
	ck_assert(residency_is_complete(&r));
	residency_mark(&r, BLOCKS - 1, BLOCKS);
	/* The kernel knows better of the last block. */
	ck_assert_int_eq(residency_recheck(&r, fd, BLOCKS - 2, BLOCKS), 0);
	ck_assert(!residency_is_complete(&r));
	residency_mark(&r, BLOCKS - 1, BLOCKS);
	ck_assert(residency_is_complete(&r));
	residency_clear(&r);
	ck_assert_int_eq(residency_init(&r, 0), 0);
	ck_assert(residency_is_complete(&r));
	residency_clear(&r);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("residency");
	TCase *t = tcase_create("residency");

	suite_add_tcase(s, t);
	tcase_add_test(t, test_learns_what_the_file_holds);
	tcase_add_test(t, test_an_error_leaves_the_segment_unknown);
	tcase_add_test(t, test_an_empty_object_has_no_blocks);
	tcase_add_test(t, test_behaves_like_one_byte_per_block);
	tcase_add_test(t, test_recheck_believes_the_kernel);
	tcase_add_test(t, test_complete_is_when_all_of_it_is_known_to_be);
	return run_suite(s);
}
