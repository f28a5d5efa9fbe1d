/* SPDX-License-Identifier: MIT */
/*
 * Records of the daemon that cannot be used: what is set aside, what is left to others as it is,
 * and where records are kept in memory instead.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/state-fixture.h"

/* Each spoiled file is set aside, service goes on with an empty one, and that one lasts. */
static void expect_set_aside(const char *tail)
{
	struct state *state = open_state();

	ck_assert_int_eq(get(state, "c"), -ENOENT);
	put(state, "after", 7);
	state_close(state);
	ck_assert_msg(exists(tail), "no %s", tail);

	state = open_state();
	ck_assert_int_eq(get(state, "after"), 7);
	state_close(state);
}

START_TEST(test_garbage_is_set_aside)
{
	static const size_t sizes[] = { 2, 99, 100, 512, 4096, 5000, 100000 };
	char *garbage = malloc(100000);
	char tail[32];

	srand(2);
	for (size_t i = 0; i < 100000; i++)
		garbage[i] = (char)rand();
	for (size_t i = 0; i < 7; i++) {
		write_file(file, garbage, sizes[i]);
		snprintf(tail, sizeof(tail), ".bad-%zu", i + 1);
		ck_assert(!exists(tail));
		expect_set_aside(tail);
	}
	free(garbage);
}
END_TEST

START_TEST(test_number_of_files_set_aside_is_bounded)
{
	for (int i = 0; i < 12; i++) {
		write_file(file, "this is no database", 19);
		state_close(open_state());
	}
	ck_assert(exists(".bad-9"));
	ck_assert(!exists(".bad-10"));
}
END_TEST

START_TEST(test_truncated_file_is_set_aside)
{
	struct stat st;
	char tail[32];

	for (int i = 1; i <= 3; i++) {
		fill(500);
		ck_assert_int_eq(stat(file, &st), 0);
		ck_assert_int_eq(truncate(file, st.st_size * i / 4), 0);
		snprintf(tail, sizeof(tail), ".bad-%d", i);
		expect_set_aside(tail);
	}
}
END_TEST

START_TEST(test_damage_in_the_middle_is_set_aside)
{
	char junk[4096];
	int fd;

	fill(500);
	memset(junk, 0xa5, sizeof(junk));
	fd = open(file, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, junk, sizeof(junk), 2 * 4096), sizeof(junk));
	close(fd);
	expect_set_aside(".bad-1");
}
END_TEST

START_TEST(test_other_schemas_are_set_aside)
{
	fill(1);
	run_sql("PRAGMA user_version = 0");
	expect_set_aside(".bad-1");

	run_sql("ALTER TABLE object RENAME COLUMN locator TO place");
	expect_set_aside(".bad-2");

	run_sql("PRAGMA ignore_check_constraints = 1;"
		"UPDATE object SET size = -1");
	expect_set_aside(".bad-3");
}
END_TEST

START_TEST(test_what_has_the_name_of_the_file_is_set_aside)
{
	char inside[TEMPORARY_MAX + 32];

	ck_assert_int_eq(mkdir(file, 0700), 0);
	snprintf(inside, sizeof(inside), "%s/precious", file);
	write_file(inside, "kept", 4);
	expect_set_aside(".bad-1/precious");

	/* Somebody else's choice of where our records go is not followed. */
	unlink(file);
	ck_assert_int_eq(symlink("/dev/null", file), 0);
	expect_set_aside(".bad-2");

	unlink(file);
	ck_assert_int_eq(mkfifo(file, 0600), 0);
	expect_set_aside(".bad-3");
}
END_TEST

START_TEST(test_empty_file_is_a_new_database)
{
	struct state *state;

	write_file(file, "", 0);
	state = open_state();
	put(state, "c", 3);
	state_close(state);
	ck_assert(!exists(".bad-1"));
	state = open_state();
	ck_assert_int_eq(get(state, "c"), 3);
	state_close(state);
}
END_TEST

/* While it is in use: the records of now are kept, and the next daemon begins anew. */
START_TEST(test_directory_that_vanishes)
{
	struct state *state = open_state();

	put(state, "before", 1);
	temporary_remove(dir);
	ck_assert_int_eq(access(dir, F_OK), -1);
	put(state, "after", 2);
	ck_assert_int_eq(get(state, "before"), 1);
	ck_assert_int_eq(get(state, "after"), 2);
	forget(state, "before");
	ck_assert_int_eq(get(state, "before"), -ENOENT);
	state_close(state);

	state = open_state();
	ck_assert_int_eq(get(state, "before"), -ENOENT);
	ck_assert_int_eq(get(state, "after"), -ENOENT);
	put(state, "after", 3);
	state_close(state);
	state = open_state();
	ck_assert_int_eq(get(state, "after"), 3);
	state_close(state);
}
END_TEST

static void expect_memory(const char *where)
{
	struct state *state;

	ck_assert_int_eq(state_open(&state, where), 0);
	put(state, "c", 5);
	ck_assert_int_eq(get(state, "c"), 5);
	put(state, "c", 6);
	ck_assert_int_eq(get(state, "c"), 6);
	state_close(state);

	ck_assert_int_eq(state_open(&state, where), 0);
	ck_assert_int_eq(get(state, "c"), -ENOENT);
	state_close(state);
}

START_TEST(test_kept_in_memory_where_the_disk_refuses)
{
	char path[TEMPORARY_MAX + 64];

	expect_memory(NULL);
	expect_memory("/proc/self"); /* refuses new files, also to root */

	snprintf(path, sizeof(path), "%s/file", dir);
	write_file(path, "", 0);
	expect_memory(path);

	snprintf(path, sizeof(path), "%s/missing/missing", dir);
	expect_memory(path);
}
END_TEST

/* Who goes back to the later version finds what it knew. */
START_TEST(test_later_version_is_left_as_it_is)
{
	fill(1);
	run_sql("ALTER TABLE object ADD COLUMN later TEXT; PRAGMA user_version = 1000");
	expect_memory(dir);
	ck_assert(!exists(".bad-1"));

	run_sql("UPDATE object SET later = 'still here'; PRAGMA user_version = 1000");
}
END_TEST

START_TEST(test_locked_database_is_left_as_it_is)
{
	struct state *state;
	sqlite3 *db;

	fill(1);
	db = open_sql("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
		      "BEGIN EXCLUSIVE; UPDATE object SET size = size; COMMIT");
	expect_memory(dir);
	ck_assert(!exists(".bad-1"));
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);

	state = open_state();
	ck_assert_int_eq(get(state, "cookie-0"), 0);
	state_close(state);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("state-damage");
	TCase *tc = tcase_create("damage");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, state_setup, database_teardown);
	tcase_add_test(tc, test_garbage_is_set_aside);
	tcase_add_test(tc, test_number_of_files_set_aside_is_bounded);
	tcase_add_test(tc, test_truncated_file_is_set_aside);
	tcase_add_test(tc, test_damage_in_the_middle_is_set_aside);
	tcase_add_test(tc, test_other_schemas_are_set_aside);
	tcase_add_test(tc, test_what_has_the_name_of_the_file_is_set_aside);
	tcase_add_test(tc, test_empty_file_is_a_new_database);
	tcase_add_test(tc, test_directory_that_vanishes);
	tcase_add_test(tc, test_kept_in_memory_where_the_disk_refuses);
	tcase_add_test(tc, test_later_version_is_left_as_it_is);
	tcase_add_test(tc, test_locked_database_is_left_as_it_is);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
