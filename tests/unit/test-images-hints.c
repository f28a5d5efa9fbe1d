/* SPDX-License-Identifier: MIT */
/*
 * Hints in the store of images: texts by name, of which none is needed.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/images/follow.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/images-fixture.h"

static void expect_hint(struct images *images, const char *name, const char *text)
{
	char found[IMAGES_HINT_MAX] = "untouched";

	ck_assert_int_eq(images_recall(images, name, found), text ? 0 : -ENOENT);
	ck_assert_str_eq(found, text ? text : "untouched");
}

/* All that is written makes it longer, while somebody has the store open. */
static off_t log_size(void)
{
	char path[TEMPORARY_MAX + 32];
	struct stat st;

	snprintf(path, sizeof(path), "%s-wal", file);
	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_size;
}

START_TEST(test_hints_beside_images)
{
	struct images *images = open_images(IMAGES_WRITE), *reader = open_images(IMAGES_READ);
	off_t size;

	/* There is not even a table. */
	expect_hint(reader, "https://one", NULL);
	ck_assert_int_eq(images_remember(images, "https://one", ""), 0);
	ck_assert_int_eq(images_remember(images, "https://one", "Basic"), 0);
	ck_assert_int_eq(images_remember(images, "https://two", "Bearer \"'"), 0);
	ck_assert_int_eq(put(images, "a", "c", 5), 0);
	expect_hint(reader, "https://one", "Basic");
	expect_hint(reader, "https://two", "Bearer \"'");
	expect_hint(reader, "https://on", NULL);
	ck_assert_int_eq(images_remember(images, "https://one", "Bearer"), 0);
	ck_assert_int_eq(images_remember(images, "https://two", ""), 0);
	expect_hint(reader, "https://one", "Bearer");
	expect_hint(reader, "https://two", NULL);
	/* What is known is not written again. */
	size = log_size();
	ck_assert_int_eq(images_remember(images, "https://one", "Bearer"), 0);
	ck_assert_int_eq(log_size(), size);
	ck_assert_int_eq(images_remember(images, "https://one", "Basic"), 0);
	ck_assert_int_gt(log_size(), size);
	ck_assert_int_eq(images_remember(images, "https://one", "Bearer"), 0);
	ck_assert_int_eq(images_remember(reader, "https://one", "Basic"), -EIO);
	ck_assert_int_eq(find(reader, "c"), 5);
	images_close(reader);
	images_close(images);
	images = open_images(IMAGES_WRITE);
	expect_hint(images, "https://one", "Bearer");
	images_close(images);
}
END_TEST

START_TEST(test_hints_out_of_bounds)
{
	struct images *images = open_images(IMAGES_WRITE);
	char text[IMAGES_HINT_MAX + 1], name[IMAGES_HINT_NAME_MAX + 1];

	memset(text, 't', sizeof(text));
	memset(name, 'n', sizeof(name));
	text[IMAGES_HINT_MAX] = name[IMAGES_HINT_NAME_MAX] = '\0';
	ck_assert_int_eq(images_remember(images, "n", text), -EINVAL);
	ck_assert_int_eq(images_remember(images, name, "t"), -EINVAL);
	ck_assert_int_eq(images_remember(images, "", "t"), -EINVAL);
	text[IMAGES_HINT_MAX - 1] = name[IMAGES_HINT_NAME_MAX - 1] = '\0';
	ck_assert_int_eq(images_remember(images, name, text), 0);
	expect_hint(images, name, text);
	/* The oldest goes, and one that is written anew is not old. */
	for (int i = 0; i < IMAGES_HINTS_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i % (IMAGES_HINTS_MAX - 1));
		ck_assert_int_eq(
			images_remember(images, name, i == IMAGES_HINTS_MAX - 1 ? "b" : "a"), 0);
	}
	memset(name, 'n', IMAGES_HINT_NAME_MAX - 1);
	expect_hint(images, name, text);
	ck_assert_int_eq(images_remember(images, "one more", "a"), 0);
	expect_hint(images, name, NULL);
	expect_hint(images, "0", "b");
	ck_assert_int_eq(images_remember(images, "two more", "a"), 0);
	expect_hint(images, "0", "b");
	expect_hint(images, "1", NULL);
	images_close(images);
}
END_TEST

START_TEST(test_hints_of_the_file_of_the_moment)
{
	struct images_follow *follow;
	char found[IMAGES_HINT_MAX];
	struct images *images;

	ck_assert_int_eq(images_follow_new(&follow, dir), 0);
	ck_assert_int_eq(images_follow_recall(follow, "n", found), -ENOENT);
	images = open_images(IMAGES_WRITE);
	ck_assert_int_eq(images_follow_recall(follow, "n", found), -ENOENT);
	ck_assert_int_eq(images_remember(images, "n", "t"), 0);
	images_close(images);
	ck_assert_int_eq(images_follow_recall(follow, "n", found), 0);
	ck_assert_str_eq(found, "t");
	/* Somebody else's table. */
	run_sql("DROP TABLE hint; CREATE TABLE hint(x)");
	ck_assert_int_eq(images_follow_recall(follow, "n", found), -ENOENT);
	images = open_images(IMAGES_WRITE);
	ck_assert_int_eq(images_remember(images, "n", "t"), -EIO);
	ck_assert_int_eq(put(images, "a", "c", 5), 0);
	images_close(images);
	images_follow_free(follow);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("images-hints");
	TCase *tc = tcase_create("hints");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, images_setup, database_teardown);
	tcase_add_test(tc, test_hints_beside_images);
	tcase_add_test(tc, test_hints_out_of_bounds);
	tcase_add_test(tc, test_hints_of_the_file_of_the_moment);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
