/* SPDX-License-Identifier: MIT */
/* When something has to go, and how much. */
#include "daemon/space/limits.h"

#include <check.h>

#include "tests/lib/run-suite.h"

#define MIB ((uint64_t)1 << 20)

static const struct space_limits limits = { .kernel = CF_LIMITS_DEFAULT }; /* 7%, 5%, 1% */

static struct space_disk disk(uint64_t bytes_free, uint64_t files_free)
{
	return (struct space_disk){ 1000 * MIB, bytes_free, 1000, files_free };
}

START_TEST(test_disk_begins_at_cull_and_ends_at_run)
{
	struct space_disk d = disk(50 * MIB, 1000);
	struct space_need need = space_need(&limits, &d, 0, false);

	ck_assert(!space_needs(&need));
	d.bytes_free--;
	need = space_need(&limits, &d, 0, false);
	ck_assert(space_needs(&need));
	ck_assert_uint_eq(need.bytes, 20 * MIB + 1);
	d.bytes_free = 60 * MIB;
	need = space_need(&limits, &d, 0, false);
	ck_assert(!space_needs(&need));
	need = space_need(&limits, &d, 0, true);
	ck_assert_uint_eq(need.bytes, 10 * MIB);
	d.bytes_free = 70 * MIB;
	need = space_need(&limits, &d, 0, true);
	ck_assert(!space_needs(&need));
}
END_TEST

START_TEST(test_inodes_count_as_well)
{
	struct space_disk d = disk(1000 * MIB, 49);
	struct space_need need = space_need(&limits, &d, 0, false);

	ck_assert_uint_eq(need.files, 21);
	ck_assert_uint_eq(need.bytes, 0);
	/* btrfs has none to count. */
	d.files = d.files_free = 0;
	need = space_need(&limits, &d, 0, true);
	ck_assert(!space_needs(&need));
}
END_TEST

START_TEST(test_size_has_a_mark_below_it)
{
	struct space_limits l = { .kernel = CF_LIMITS_DEFAULT, .size = 160 * MIB };
	struct space_disk d = disk(1000 * MIB, 1000);
	struct space_need need = space_need(&l, &d, 160 * MIB, false);

	ck_assert(!space_needs(&need));
	need = space_need(&l, &d, 161 * MIB, false);
	ck_assert_uint_eq(need.size, 11 * MIB);
	ck_assert_uint_eq(space_need_bytes(&need), 11 * MIB);
	need = space_need(&l, &d, 155 * MIB, true);
	ck_assert_uint_eq(need.size, 5 * MIB);
	need = space_need(&l, &d, 150 * MIB, true);
	ck_assert(!space_needs(&need));
	need = space_need(&limits, &d, UINT64_MAX, true);
	ck_assert_uint_eq(need.size, 0);
}
END_TEST

START_TEST(test_full_is_below_stop)
{
	struct space_disk d = disk(10 * MIB, 1000);

	ck_assert(space_is_full(&limits, &d));
	d.bytes_free++;
	ck_assert(!space_is_full(&limits, &d));
}
END_TEST

START_TEST(test_nothing_overflows)
{
	struct space_limits l = { { 99, 98, 97, 99, 98, 97 }, UINT64_MAX };
	struct space_disk d = { UINT64_MAX, 0, UINT64_MAX, 0 };
	struct space_need need = space_need(&l, &d, UINT64_MAX, true);

	ck_assert_uint_gt(need.bytes, UINT64_MAX / 100 * 98);
	ck_assert_uint_gt(need.files, UINT64_MAX / 100 * 98);
}
END_TEST

START_TEST(test_a_real_disk)
{
	struct space_disk d;

	ck_assert_int_eq(space_disk_read(&d, 0), 0);
	ck_assert_uint_le(d.bytes_free, d.bytes);
	ck_assert_int_lt(space_disk_read(&d, -1), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("space-limits");
	TCase *tc = tcase_create("limits");

	tcase_add_test(tc, test_disk_begins_at_cull_and_ends_at_run);
	tcase_add_test(tc, test_inodes_count_as_well);
	tcase_add_test(tc, test_size_has_a_mark_below_it);
	tcase_add_test(tc, test_full_is_below_stop);
	tcase_add_test(tc, test_nothing_overflows);
	tcase_add_test(tc, test_a_real_disk);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
