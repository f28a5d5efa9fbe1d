/* SPDX-License-Identifier: MIT */
/*
 * Records of the daemon: what they keep of which keys, what is synced, and who is killed in the
 * middle.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/state-fixture.h"

START_TEST(test_records_survive_a_restart)
{
	struct state_object o = object_of(INT64_MAX, "https://h/\xff%20", ""), back;
	struct state *state = open_state();
	struct stat st;

	o.whole = true;
	ck_assert_int_eq(get(state, "c"), -ENOENT);
	ck_assert_int_eq(state_put(state, bytes_str("v"), bytes_str("c"), &o), 0);
	state_close(state);

	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);

	state = open_state();
	ck_assert_int_eq(state_get(state, bytes_str("v"), bytes_str("c"), &back), 0);
	ck_assert_uint_eq(back.size, INT64_MAX);
	ck_assert_str_eq(back.locator, o.locator);
	ck_assert_str_eq(back.validator, "");
	ck_assert(back.whole);
	state_close(state);
}
END_TEST

START_TEST(test_keys_are_bytes)
{
	static const struct bytes keys[] = {
		{ (const uint8_t *)"a", 1 },	{ (const uint8_t *)"a\0", 2 },
		{ (const uint8_t *)"a\0b", 3 }, { (const uint8_t *)"\0", 1 },
		{ (const uint8_t *)"", 0 },	{ (const uint8_t *)"\xff\xfe'\";--", 7 },
		{ (const uint8_t *)"A", 1 },
	};
	const size_t n = sizeof(keys) / sizeof(keys[0]);
	struct state *state = open_state();
	struct state_object o;

	for (size_t i = 0; i < n * n; i++) {
		o = object_of(i, "l", "v");
		ck_assert_int_eq(state_put(state, keys[i / n], keys[i % n], &o), 0);
	}
	for (size_t i = 0; i < n * n; i++) {
		ck_assert_int_eq(state_get(state, keys[i / n], keys[i % n], &o), 0);
		ck_assert_uint_eq(o.size, i);
	}
	ck_assert_int_eq(state_forget(state, keys[1], keys[2]), 0);
	ck_assert_int_eq(state_get(state, keys[1], keys[2], &o), -ENOENT);
	ck_assert_int_eq(state_get(state, keys[2], keys[1], &o), 0);
	ck_assert_int_eq(state_forget(state, keys[1], keys[2]), 0);
	state_close(state);
}
END_TEST

static enum state_check check_of(struct state *state)
{
	struct state_object o;

	ck_assert_int_eq(state_get(state, bytes_str("erofs,v"), bytes_str("c"), &o), 0);
	return o.check;
}

static struct state *reopen(struct state *state)
{
	state_close(state);
	return open_state();
}

START_TEST(test_checks_go_with_their_record)
{
	struct state_object o = object_of(1, "l", "v"), other = object_of(1, "l", "w");
	struct bytes v = bytes_str("erofs,v"), c = bytes_str("c");
	struct state *state = open_state();

	state_set_check(state, v, c, STATE_RIGHT); /* there is no record */
	ck_assert_int_eq(state_put(state, v, c, &o), 0);
	ck_assert_int_eq(check_of(state), STATE_UNCHECKED);
	for (enum state_check check = STATE_RIGHT; check <= STATE_WRONG; check++) {
		state_set_check(state, v, c, check);
		state = reopen(state);
		ck_assert_int_eq(check_of(state), check);
		/* The same once more is no new one. */
		ck_assert_int_eq(state_put(state, v, c, &o), 0);
		ck_assert_int_eq(check_of(state), check);
		ck_assert_int_eq(state_put(state, v, c, &other), 0);
		ck_assert_int_eq(check_of(state), STATE_UNCHECKED);
		ck_assert_int_eq(state_put(state, v, c, &o), 0);
		ck_assert_int_eq(check_of(state), STATE_UNCHECKED);
	}
	state_close(state);
}
END_TEST

/* Records of a version that knew no checks. */
START_TEST(test_records_without_checks)
{
	struct state *state = open_state();

	put(state, "c", 7);
	state_close(state);
	run_sql("ALTER TABLE object DROP COLUMN checked; PRAGMA user_version = 2");
	state = open_state();
	ck_assert_int_eq(get(state, "c"), 7);
	ck_assert_int_eq(check_of(state), STATE_UNCHECKED);
	state_set_check(state, bytes_str("erofs,v"), bytes_str("c"), STATE_RIGHT);
	state = reopen(state);
	ck_assert_int_eq(check_of(state), STATE_RIGHT);
	state_close(state);
}
END_TEST

START_TEST(test_peeking_changes_nothing)
{
	struct bytes v = bytes_str("erofs,v"), c = bytes_str("c");
	struct state_records *records;
	struct state_object o;
	struct state *state;

	ck_assert_int_eq(state_records_open(&records, dir), -ENOENT);
	ck_assert_int_ne(access(file, F_OK), 0);
	state = open_state();
	put(state, "c", 7);
	ck_assert_int_eq(state_records_open(&records, dir), 0);
	ck_assert_int_eq(state_records_get(records, v, c, &o), 0);
	ck_assert_uint_eq(o.size, 7);
	ck_assert_int_eq(o.check, STATE_UNCHECKED);
	/* What is written meanwhile is seen. */
	state_set_check(state, v, c, STATE_RIGHT);
	ck_assert_int_eq(state_records_get(records, v, c, &o), 0);
	ck_assert_int_eq(o.check, STATE_RIGHT);
	ck_assert_int_eq(state_records_get(records, v, bytes_str("d"), &o), -ENOENT);
	ck_assert_ptr_null(state_records_close(records));
	ck_assert_ptr_null(state_records_close(NULL));
	ck_assert_int_eq(state_peek(dir, v, c, &o), 0);
	ck_assert_int_eq(o.check, STATE_RIGHT);
	state_close(state);
}
END_TEST

/* The next after these keys is that one. */
static void expect_next(struct state *state, const struct bytes after[2], const struct bytes is[2])
{
	uint8_t buf[STATE_KEYS_MAX];
	struct bytes volume = after[0], cookie = after[1];

	ck_assert_int_eq(state_next(state, &volume, &cookie, buf), is ? 0 : -ENOENT);
	ck_assert(!is || (bytes_equal(volume, is[0]) && bytes_equal(cookie, is[1])));
}

START_TEST(test_one_after_the_other)
{
	static const struct bytes keys[][2] = {
		{ { NULL, 0 }, { NULL, 0 } },
		{ { (const uint8_t *)"a", 1 }, { (const uint8_t *)"y", 1 } },
		{ { (const uint8_t *)"a\0", 2 }, { (const uint8_t *)"\0", 1 } },
		{ { (const uint8_t *)"b", 1 }, { (const uint8_t *)"\xff", 1 } },
		{ { (const uint8_t *)"b", 1 }, { (const uint8_t *)"\xff\0", 2 } },
	};
	struct state_object o = object_of(1, "l", "v");
	struct state *state = open_state();

	expect_next(state, keys[0], NULL);
	for (size_t i = 4; i > 0; i--)
		ck_assert_int_eq(state_put(state, keys[i][0], keys[i][1], &o), 0);
	for (size_t i = 0; i < 4; i++)
		expect_next(state, keys[i], keys[i + 1]);
	expect_next(state, keys[4], NULL);
	state_forget(state, keys[2][0], keys[2][1]);
	expect_next(state, keys[2], keys[3]); /* also after one that is gone */
	state_close(state);
}
END_TEST

START_TEST(test_fields_out_of_bounds)
{
	struct state *state = open_state();
	struct state_object o = object_of((uint64_t)INT64_MAX + 1, "l", "v");
	struct bytes k = bytes_str("k");

	ck_assert_int_eq(state_put(state, k, k, &o), -EINVAL);
	o = object_of(1, "l", "v");
	memset(o.locator, 'x', sizeof(o.locator));
	ck_assert_int_eq(state_put(state, k, k, &o), -EINVAL);
	o.locator[sizeof(o.locator) - 1] = '\0';
	ck_assert_int_eq(state_put(state, k, k, &o), 0);
	memset(o.validator, 'x', sizeof(o.validator));
	ck_assert_int_eq(state_put(state, k, k, &o), -EINVAL);
	o.validator[sizeof(o.validator) - 1] = '\0';
	ck_assert_int_eq(state_put(state, k, k, &o), 0);
	ck_assert_int_eq(state_get(state, k, k, &o), 0);
	ck_assert_uint_eq(strlen(o.locator), sizeof(o.locator) - 1);
	ck_assert_uint_eq(strlen(o.validator), sizeof(o.validator) - 1);
	state_close(state);
}
END_TEST

/* What was replaced must be gone from the disk first; a new record, or the same again, may wait. */
START_TEST(test_only_what_goes_is_synced)
{
	struct state *state = open_state();
	unsigned int before;

	put(state, "first", 1);
	before = syncs;
	put(state, "second", 1);
	put(state, "second", 1);
	ck_assert_uint_eq(syncs, before);
	put(state, "second", 2);
	ck_assert_uint_gt(syncs, before);
	ck_assert_int_eq(get(state, "second"), 2);

	before = syncs;
	forget(state, "second");
	ck_assert_uint_gt(syncs, before);

	before = syncs;
	put(state, "third", 1);
	ck_assert_uint_eq(syncs, before);
	state_close(state);
}
END_TEST

START_TEST(test_state_directory_is_made)
{
	char path[TEMPORARY_MAX + 64], db[TEMPORARY_MAX + 96];
	struct state *state;

	snprintf(path, sizeof(path), "%s/new", dir);
	snprintf(db, sizeof(db), "%s/state.db", path);
	ck_assert_int_eq(state_open(&state, path), 0);
	ck_assert_int_eq(access(db, F_OK), 0);
	state_close(state);
}
END_TEST

START_TEST(test_ten_thousand_records)
{
	struct state *state;
	char cookie[32];

	fill(10000);
	state = open_state();
	for (unsigned int i = 0; i < 10000; i++) {
		snprintf(cookie, sizeof(cookie), "cookie-%u", i);
		ck_assert_int_eq(get(state, cookie), i);
	}
	state_close(state);
}
END_TEST

/* Writes records for ever and says by one byte that each is in; every third is replaced. */
static void write_until_killed(int out)
{
	struct state *state = open_state();
	char cookie[32];

	for (unsigned int i = 0;; i++) {
		snprintf(cookie, sizeof(cookie), "cookie-%u", i);
		put(state, cookie, i % 3 ? i : i + 1000000);
		if (i % 3 == 0)
			put(state, cookie, i);
		if (write(out, "", 1) != 1)
			_exit(1);
	}
}

START_TEST(test_kill_in_the_middle)
{
	for (int round = 0; round < 5; round++) {
		unsigned int n = 100 + 37 * (unsigned int)round;
		unsigned int acknowledged = kill_after(n, write_until_killed);
		struct state *state;
		char cookie[32];

		state = open_state();
		ck_assert(!exists(".bad-1"));
		for (unsigned int i = 0; i < acknowledged; i++) {
			snprintf(cookie, sizeof(cookie), "cookie-%u", i);
			ck_assert_int_eq(get(state, cookie), i);
		}
		state_close(state);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("state-records");
	TCase *tc = tcase_create("records");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, state_setup, database_teardown);
	tcase_add_test(tc, test_records_survive_a_restart);
	tcase_add_test(tc, test_keys_are_bytes);
	tcase_add_test(tc, test_checks_go_with_their_record);
	tcase_add_test(tc, test_records_without_checks);
	tcase_add_test(tc, test_peeking_changes_nothing);
	tcase_add_test(tc, test_one_after_the_other);
	tcase_add_test(tc, test_fields_out_of_bounds);
	tcase_add_test(tc, test_only_what_goes_is_synced);
	tcase_add_test(tc, test_state_directory_is_made);
	tcase_add_test(tc, test_ten_thousand_records);
	tcase_add_test(tc, test_kill_in_the_middle);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
