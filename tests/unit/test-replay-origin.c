/* SPDX-License-Identifier: MIT */
/*
 * Origins that are files of the test, not the synthetic one.
 */
#include <check.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"
#include "tests/lib/verity-make.h"
#include "tests/unit/replay-liar.h"
#include "tests/unit/replay-rig.h"

static char dir[TEMPORARY_MAX];

static int make_directory(char *error)
{
	return origin_template_new(&wish.origin, wish.loop, wish.catalog, dir, error);
}

static int make_recorded(char *error)
{
	return origin_recorded_new(&wish.origin, wish.loop, wish.catalog, error);
}

static void write_file(const char *name, const uint8_t *bytes, size_t len)
{
	char file[TEMPORARY_MAX + 16];
	FILE *out;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	out = fopen(file, "we");
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(bytes, 1, len, out), len);
	ck_assert_int_eq(fclose(out), 0);
}

/* A file "a" of half a MiB with other bytes than the synthetic ones, their hash tree beside it, and a
 * trace of it, which has the decorator in front of its locator if it is to be verified. */
static void begin_verified(bool verified)
{
	char locator[TEMPORARY_MAX + FSVERITY_DIGEST_TEXT + 32];
	static uint8_t bytes[512 * KIB];
	struct verity_made made;

	temporary_dir(dir, TEMPORARY_ANY);
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	write_file("a", bytes, sizeof(bytes));
	verity_make(&made, bytes, sizeof(bytes), "");
	write_file("a.verity", made.bytes, made.len);
	snprintf(locator, sizeof(locator), "%s%s%sfile:%s/a", verified ? "fs-verity:" : "",
		 verified ? made.digest : "", verified ? ";" : "", dir);
	verity_made_end(&made);
	ask_open(1, 1, "a");
	PUT(.kind = TRACE_OBJECT, .object = 1, .source = 5, .size = 512 * KIB,
	    .volume = bytes_str("erofs,v"), .cookie = bytes_str("a"),
	    .locator = bytes_str(locator));
	PUT(.kind = TRACE_COPEN, .msg = 1, .size = 512 * KIB);
	for (uint32_t i = 0; i < 8; i++)
		put_read(2 + i, 1, i * 64 * KIB, 64 * KIB);
}

static void begin_files(void)
{
	begin_verified(false);
}

START_TEST(the_files_of_a_directory_are_read_and_compared)
{
	begin_files();
	make_origin = make_directory;
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.reads, 8);
	ck_assert_uint_eq(report.checked_bytes, 512 * KIB);
}
END_TEST

START_TEST(recorded_locators_are_read_and_compared)
{
	begin_files();
	make_origin = make_recorded;
	replay();
	ck_good();
	ck_assert_uint_eq(report.checked_bytes, 512 * KIB);
}
END_TEST

START_TEST(recorded_locators_may_have_a_decorator_in_front)
{
	begin_verified(true);
	make_origin = make_recorded;
	replay();
	ck_good();
	ck_assert_uint_eq(report.checked_bytes, 512 * KIB);
}
END_TEST

START_TEST(what_is_verified_in_the_trace_is_verified_in_the_replay)
{
	static const uint8_t nothing[512 * KIB];

	begin_verified(true);
	write_file("a", nothing, sizeof(nothing));
	make_origin = make_recorded;
	replay();
	ck_assert_uint_eq(report.here.opens_failed, 1);
	ck_finding("erofs,v/a: OPEN: failed, as it did not in the trace");
}
END_TEST

START_TEST(a_wrong_byte_is_found_by_reading_again)
{
	begin_files();
	liar_error = 0;
	liar_at = 300 * KIB;
	decorator = make_liar;
	make_origin = make_directory;
	replay();
	ck_assert_uint_eq(report.wrong_reads, 1);
	ck_assert_uint_eq(report.wrong_bytes, 1);
	ck_finding("erofs,v/a: READ of 65536 bytes at 262144: 1 are not the origin's, the first at "
		   "307200");
}
END_TEST

START_TEST(a_file_that_is_not_there_fails_the_open)
{
	char file[TEMPORARY_MAX + 16];

	begin_files();
	snprintf(file, sizeof(file), "%s/a", dir);
	ck_assert_int_eq(unlink(file), 0);
	make_origin = make_directory;
	replay();
	ck_assert_uint_eq(report.here.opens_failed, 1);
	ck_assert_uint_eq(report.undelivered, 8);
	ck_assert_uint_eq(report.wrong_answers, 1);
	ck_finding("erofs,v/a: OPEN: failed, as it did not in the trace: No such file");
}
END_TEST

static void teardown(void)
{
	replay_teardown();
	temporary_remove(dir);
}

int main(void)
{
	Suite *s;
	TCase *t;

	if (under_valgrind())
		return skip_all("valgrind 3.19 has no openat2(2)");
	s = suite_create("replay-origin");
	t = tcase_create("origins");
	tcase_add_checked_fixture(t, replay_setup, teardown);
	tcase_add_test(t, the_files_of_a_directory_are_read_and_compared);
	tcase_add_test(t, recorded_locators_are_read_and_compared);
	tcase_add_test(t, recorded_locators_may_have_a_decorator_in_front);
	tcase_add_test(t, what_is_verified_in_the_trace_is_verified_in_the_replay);
	tcase_add_test(t, a_wrong_byte_is_found_by_reading_again);
	tcase_add_test(t, a_file_that_is_not_there_fails_the_open);
	suite_add_tcase(s, t);
	return run_suite(s);
}
