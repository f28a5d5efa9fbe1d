/* SPDX-License-Identifier: MIT */
/*
 * The store of images as a file: readers and writers beside each other, who is killed in the
 * middle, what the daemon sees of it, and damage.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/images/follow.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/images-fixture.h"

/* ---- beside each other ----------------------------------------------------------------------- */

START_TEST(test_a_reader_sees_what_a_writer_does)
{
	struct images *writer = open_images(IMAGES_WRITE);
	struct images *reader = open_images(IMAGES_READ);

	ck_assert_int_eq(find(reader, "c"), -ENOENT);
	ck_assert_int_eq(put(writer, "a", "c", 5), 0);
	ck_assert_int_eq(find(reader, "c"), 5);

	ck_assert_int_eq(put(writer, "a", "c", 6), -EEXIST);
	images_close(writer); /* not the last: the log stays, or is taken over */
	ck_assert_int_eq(find(reader, "c"), 5);
	writer = open_images(IMAGES_WRITE);
	ck_assert_int_eq(images_remove(writer, "a"), 0);
	images_close(writer);
	ck_assert_int_eq(find(reader, "c"), -ENOENT);
	images_close(reader);
}
END_TEST

START_TEST(test_a_reader_writes_nothing)
{
	struct images *images = open_images(IMAGES_WRITE);

	ck_assert_int_eq(put(images, "a", "c", 5), 0);
	images_close(images);
	images = open_images(IMAGES_READ);
	ck_assert_int_eq(put(images, "b", "d", 5), -EIO);
	ck_assert_int_eq(images_remove(images, "a"), -EIO);
	ck_assert_int_eq(find(images, "c"), 5);
	images_close(images);
}
END_TEST

START_TEST(test_a_reader_creates_nothing)
{
	struct images *images;

	ck_assert_int_eq(images_open(&images, dir, IMAGES_READ, reason), -ENOENT);
	ck_assert_ptr_nonnull(strstr(reason, file));
	ck_assert(!exists(""));

	/* A writer that was killed before it had filled the file. */
	write_file(file, "", 0);
	ck_assert_int_eq(images_open(&images, dir, IMAGES_READ, reason), -ENOENT);
	images_close(open_images(IMAGES_WRITE));
	images_close(open_images(IMAGES_READ));
	ck_assert(!exists(".bad-1"));
}
END_TEST

START_TEST(test_where_the_disk_refuses)
{
	struct images *images;
	char path[TEMPORARY_MAX + 64];

	ck_assert_int_eq(images_open(&images, "/proc/self", IMAGES_WRITE, reason), -ENOENT);
	ck_assert_ptr_nonnull(strstr(reason, "/proc/self/images.db"));
	snprintf(path, sizeof(path), "%s/missing/missing", dir);
	ck_assert_int_lt(images_open(&images, path, IMAGES_WRITE, reason), 0);
	ck_assert_int_eq(symlink("/dev/null", file), 0);
	images_close(open_images(IMAGES_WRITE));
	ck_assert(exists(".bad-1"));
	ck_assert_int_eq(unlink(file), 0);

	/* A reader sets nothing aside. */
	ck_assert_int_eq(mkdir(file, 0700), 0);
	ck_assert_int_lt(images_open(&images, dir, IMAGES_READ, reason), 0);
	ck_assert_ptr_nonnull(strstr(reason, file));
	images_close(open_images(IMAGES_WRITE));
	ck_assert(exists(".bad-2"));
}
END_TEST

/* Puts images for ever, and says by a byte that each is in. */
static void write_until_killed(int out)
{
	struct images *images = open_images(IMAGES_WRITE);
	char name[32];

	for (unsigned int i = 0;; i++) {
		snprintf(name, sizeof(name), "%u", i);
		ck_assert_int_eq(put(images, name, name, i), 0);
		if (write(out, "", 1) != 1)
			_exit(1);
	}
}

START_TEST(test_kill_in_the_middle)
{
	unsigned int acknowledged = kill_after(50, write_until_killed);
	struct images *images;
	char name[32];

	/* The reader is first, and finds the log of the killed one. */
	images = open_images(IMAGES_READ);
	for (unsigned int i = 0; i < acknowledged; i++) {
		snprintf(name, sizeof(name), "%u", i);
		ck_assert_int_eq(find(images, name), i);
	}
	images_close(images);
}
END_TEST

/* ---- as the daemon sees it ------------------------------------------------------------------- */

static int64_t follow_find(struct images_follow *follow, const char *cookie)
{
	struct images_object object;
	int r = images_follow_find(follow, bytes_str(cookie), &object);
	uint64_t size;

	if (r < 0)
		return r;
	size = object.size;
	images_object_end(&object);
	return (int64_t)size;
}

START_TEST(test_a_locked_store_is_tried_again)
{
	struct images *images = open_images(IMAGES_WRITE);
	struct images_follow *follow;
	sqlite3 *db;

	ck_assert_int_eq(put(images, "a", "c", 5), 0);
	images_close(images);
	db = open_sql("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT;");
	ck_assert_int_eq(images_follow_new(&follow, dir), 0);
	ck_assert_int_eq(follow_find(follow, "c"), -ENOENT);
	ck_assert_int_eq(follow_find(follow, "c"), -ENOENT);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	ck_assert_int_eq(follow_find(follow, "c"), 5);
	images_follow_free(follow);
}
END_TEST

/* It is the file of that name, whichever that is. */
START_TEST(test_the_file_of_the_moment_is_followed)
{
	struct images_follow *follow;

	ck_assert_int_eq(images_follow_new(&follow, dir), 0);
	ck_assert_int_eq(follow_find(follow, "c"), -ENOENT);
	for (int i = 1; i < 4; i++) {
		struct images *images = open_images(IMAGES_WRITE);

		ck_assert_int_eq(follow_find(follow, "c"), -ENOENT);
		ck_assert_int_eq(put(images, "a", "c", (uint64_t)i), 0);
		images_close(images);
		ck_assert_int_eq(follow_find(follow, "c"), i);
		ck_assert_int_eq(unlink(file), 0);
		if (i % 2)
			ck_assert_int_eq(follow_find(follow, "c"), -ENOENT);
	}
	images_follow_free(follow);
	images_follow_free(NULL);
}
END_TEST

/* ---- damage ---------------------------------------------------------------------------------- */

static void expect_refused(void)
{
	struct images *images;

	*reason = '\0';
	ck_assert_int_eq(images_open(&images, dir, IMAGES_READ, reason), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(reason, "images.db"));
}

/* A reader refuses and leaves it; a writer sets it aside and begins anew. */
static void expect_set_aside(const char *tail)
{
	struct images *images;

	expect_refused();
	ck_assert(!exists(tail));
	images = open_images(IMAGES_WRITE);
	ck_assert_int_eq(find(images, "c"), -ENOENT);
	ck_assert_int_eq(put(images, "a", "c", 5), 0);
	images_close(images);
	ck_assert_msg(exists(tail), "no %s", tail);
	images = open_images(IMAGES_READ);
	ck_assert_int_eq(find(images, "c"), 5);
	images_close(images);
}

START_TEST(test_damage_is_set_aside_by_writers)
{
	char junk[4096];

	memset(junk, 0xa5, sizeof(junk));
	write_file(file, junk, sizeof(junk));
	expect_set_aside(".bad-1");

	run_sql("ALTER TABLE place RENAME COLUMN locator TO url");
	expect_set_aside(".bad-2");

	run_sql("PRAGMA ignore_check_constraints = 1; UPDATE object SET size = -1");
	expect_set_aside(".bad-3");

	run_sql("PRAGMA user_version = 0");
	expect_set_aside(".bad-4");
}
END_TEST

START_TEST(test_a_later_version_is_left_alone)
{
	struct images *images = open_images(IMAGES_WRITE);

	ck_assert_int_eq(put(images, "a", "c", 5), 0);
	images_close(images);
	run_sql("PRAGMA user_version = 2");
	expect_refused();
	ck_assert_int_eq(images_open(&images, dir, IMAGES_WRITE, reason), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(reason, "later version"));
	ck_assert(!exists(".bad-1"));
	run_sql("PRAGMA user_version = 1");
	images = open_images(IMAGES_READ);
	ck_assert_int_eq(find(images, "c"), 5);
	images_close(images);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("images-file");
	TCase *tc = tcase_create("file");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, images_setup, database_teardown);
	tcase_add_test(tc, test_a_reader_sees_what_a_writer_does);
	tcase_add_test(tc, test_a_reader_writes_nothing);
	tcase_add_test(tc, test_a_reader_creates_nothing);
	tcase_add_test(tc, test_where_the_disk_refuses);
	tcase_add_test(tc, test_kill_in_the_middle);
	tcase_add_test(tc, test_a_locked_store_is_tried_again);
	tcase_add_test(tc, test_the_file_of_the_moment_is_followed);
	tcase_add_test(tc, test_damage_is_set_aside_by_writers);
	tcase_add_test(tc, test_a_later_version_is_left_alone);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
