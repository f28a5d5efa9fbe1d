/* SPDX-License-Identifier: MIT */
/*
 * Records that are claimed for a cache: who is believed, be it moved, copied or in a cache of
 * somebody else.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/state-fixture.h"

/* As cp(1) would, while nobody has it open. */
static void copy_file(const char *from, const char *to)
{
	static char data[1 << 20];
	_cleanup_close_ int fd = open(from, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, data, sizeof(data));

	ck_assert_int_gt(n, 0);
	write_file(to, data, (size_t)n);
}

START_TEST(test_claimed_records_stay)
{
	struct state *state = claim_state();

	put(state, "a", 1);
	put(state, "b", 2);
	put(state, "a", 3);
	forget(state, "b");
	state_close(state);
	expect_at_start(3, -ENOENT);

	/* Those of a version that knew no claims, where the cache has none either. */
	ck_assert_int_eq(removexattr(cache, CLAIM_MARK), 0);
	run_sql("DROP TABLE claim; ALTER TABLE object DROP COLUMN checked;"
		"PRAGMA user_version = 1");
	expect_at_start(3, -ENOENT);
	expect_at_start(3, -ENOENT);
}
END_TEST

START_TEST(test_older_copy_is_believed_while_it_is_right)
{
	struct state *state;

	claim_one_record();
	copy_file(file, copy);

	state = claim_state();
	put(state, "b", 2);
	state_close(state);
	copy_file(copy, file);
	state = claim_state();
	ck_assert_int_eq(get(state, "a"), 1);
	ck_assert_int_eq(get(state, "b"), -ENOENT);

	put(state, "a", 2);
	forget(state, "a");
	put(state, "a", 2);
	state_close(state);
	copy_file(copy, file);
	expect_at_start(-ENOENT, -ENOENT);
}
END_TEST

/* What was cached while the database was out of reach is not what it says. */
START_TEST(test_who_missed_something_is_not_believed)
{
	struct state *state;

	claim_one_record();
	ck_assert_int_eq(state_open(&state, NULL), 0);
	ck_assert_int_eq(state_claim(state, cache_fd), 0);
	ck_assert_int_eq(get(state, "a"), -ENOENT);
	state_close(state);

	state = claim_state();
	ck_assert_int_eq(get(state, "a"), -ENOENT);
	put(state, "a", 2);
	state_close(state);
	expect_at_start(2, -ENOENT);
}
END_TEST

START_TEST(test_another_cache)
{
	struct state *state;

	claim_one_record();
	ck_assert_int_eq(removexattr(cache, CLAIM_MARK), 0);
	expect_at_start(-ENOENT, -ENOENT);

	ck_assert_int_eq(setxattr(cache, CLAIM_MARK,
				  "of somebody who writes very long claims, longer than ours", 57,
				  0),
			 0);
	state = claim_state();
	state_close(state);
}
END_TEST

/* A power cut between the commit and the mark. */
START_TEST(test_mark_of_before_is_as_good)
{
	char mark[64];
	ssize_t n;
	struct state *state = claim_state();

	put(state, "a", 1);
	put(state, "b", 1);
	n = getxattr(cache, CLAIM_MARK, mark, sizeof(mark));
	ck_assert_int_gt(n, 0);
	forget(state, "b");
	state_close(state);
	ck_assert_int_eq(setxattr(cache, CLAIM_MARK, mark, (size_t)n, 0), 0);
	expect_at_start(1, -ENOENT);
}
END_TEST

START_TEST(test_file_that_is_moved_while_it_is_in_use)
{
	struct state *state = claim_state();

	put(state, "a", 1);
	ck_assert_int_eq(rename(file, copy), 0);
	put(state, "b", 1);
	put(state, "a", 2);
	ck_assert_int_eq(get(state, "a"), 2);
	ck_assert_int_eq(get(state, "b"), 1);
	ck_assert_int_eq(rename(copy, file), 0);
	put(state, "c", 1);
	state_close(state);
	state = claim_state();
	ck_assert_int_eq(get(state, "a"), 2);
	ck_assert_int_eq(get(state, "c"), 1);

	ck_assert_int_eq(unlink(file), 0);
	put(state, "a", 3);
	ck_assert_int_eq(get(state, "a"), 3);
	state_close(state);
	expect_at_start(-ENOENT, -ENOENT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("state-claims");
	TCase *tc = tcase_create("claims");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, claims_setup, claims_teardown);
	tcase_add_test(tc, test_claimed_records_stay);
	tcase_add_test(tc, test_older_copy_is_believed_while_it_is_right);
	tcase_add_test(tc, test_who_missed_something_is_not_believed);
	tcase_add_test(tc, test_another_cache);
	tcase_add_test(tc, test_mark_of_before_is_as_good);
	tcase_add_test(tc, test_file_that_is_moved_while_it_is_in_use);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
