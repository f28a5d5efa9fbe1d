/* SPDX-License-Identifier: MIT */
/*
 * Records that are claimed for a cache, on a disk that takes nothing for a while or until the end.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/state-fixture.h"

static void expect_later(struct state *state)
{
	ck_assert_int_eq(get(state, "stays"), 1);
	ck_assert_int_eq(get(state, "changes"), 2);
	ck_assert_int_eq(get(state, "goes"), -ENOENT);
	ck_assert_int_eq(get(state, "comes"), 1);
}

static struct state *change_on_a_bad_disk(int error)
{
	struct state *state = claim_state();

	put(state, "stays", 1);
	put(state, "changes", 1);
	put(state, "goes", 1);
	disk_error = error;
	put(state, "comes", 1);
	put(state, "changes", 2);
	forget(state, "goes");
	expect_later(state);
	return state;
}

START_TEST(test_disk_that_takes_nothing_for_a_while)
{
	static const int errors[] = { ENOSPC, EROFS, EIO, EDQUOT };

	for (size_t i = 0; i < 4; i++) {
		struct state *state = change_on_a_bad_disk(errors[i]);

		disk_error = 0;
		put(state, "after", 1);
		expect_later(state);
		state_close(state);
		state = claim_state();
		expect_later(state);
		ck_assert_int_eq(get(state, "after"), 1);
		state_close(state);
		ck_assert_int_eq(unlink(file), 0);
	}
}
END_TEST

START_TEST(test_disk_that_takes_nothing_until_the_end)
{
	struct state *state = change_on_a_bad_disk(ENOSPC);

	state_close(state);
	disk_error = 0;
	state = claim_state();
	ck_assert_int_eq(get(state, "stays"), -ENOENT);
	ck_assert_int_eq(get(state, "changes"), -ENOENT);
	ck_assert_int_eq(get(state, "goes"), -ENOENT);
	state_close(state);
}
END_TEST

/* What only was not written costs itself, and nothing else. */
START_TEST(test_new_records_that_were_lost)
{
	struct state *state = claim_state();

	put(state, "a", 1);
	disk_error = ENOSPC;
	put(state, "b", 1);
	ck_assert_int_eq(get(state, "b"), 1);
	state_close(state);
	disk_error = 0;
	expect_at_start(1, -ENOENT);
}
END_TEST

/* Neither the record nor the mark can be changed: nobody may put other bytes there. */
START_TEST(test_record_that_cannot_be_taken_back)
{
	struct state *state = claim_state();
	int closed = open("/proc/self", O_PATH | O_CLOEXEC);

	put(state, "a", 1);
	disk_error = EIO;
	ck_assert_int_eq(dup3(closed, cache_fd, O_CLOEXEC), cache_fd); /* takes no attributes */
	close(closed);
	ck_assert_int_eq(state_forget(state, bytes_str("erofs,v"), bytes_str("a")), -EIO);
	ck_assert_int_eq(get(state, "a"), 1);
	state_close(state);
}
END_TEST

/* What does no harm is no reason to give the cache up. */
START_TEST(test_record_of_nothing_that_cannot_be_taken_back)
{
	struct state *state = claim_state();

	put(state, "a", 1);
	put(state, "b", 1);
	disk_error = ENOSPC;
	ck_assert_int_eq(state_prune(state, bytes_str("erofs,v"), bytes_str("a")), -EIO);
	ck_assert_int_eq(get(state, "a"), 1);
	state_close(state);
	disk_error = 0;
	expect_at_start(1, 1);
	state = claim_state();
	ck_assert_int_eq(state_prune(state, bytes_str("erofs,v"), bytes_str("a")), 0);
	state_close(state);
	expect_at_start(-ENOENT, 1);
}
END_TEST

/* At the start, with a database that has to be changed before it can be used. */
START_TEST(test_full_disk_at_the_start)
{
	struct state *state;

	claim_one_record();
	ck_assert_int_eq(removexattr(cache, CLAIM_MARK), 0);
	state = open_state();
	disk_error = ENOSPC;
	ck_assert_int_eq(state_claim(state, cache_fd), 0);
	ck_assert_int_eq(get(state, "a"), -ENOENT);
	put(state, "b", 1);
	ck_assert_int_eq(get(state, "b"), 1);
	state_close(state);
	disk_error = 0;
	expect_at_start(-ENOENT, -ENOENT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("state-bad-disk");
	TCase *tc = tcase_create("bad-disk");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, claims_setup, claims_teardown);
	tcase_add_test(tc, test_disk_that_takes_nothing_for_a_while);
	tcase_add_test(tc, test_disk_that_takes_nothing_until_the_end);
	tcase_add_test(tc, test_new_records_that_were_lost);
	tcase_add_test(tc, test_record_that_cannot_be_taken_back);
	tcase_add_test(tc, test_record_of_nothing_that_cannot_be_taken_back);
	tcase_add_test(tc, test_full_disk_at_the_start);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
