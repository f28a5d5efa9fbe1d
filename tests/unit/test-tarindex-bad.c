/* SPDX-License-Identifier: MIT */
/*
 * Archives that nothing is made of, and why.
 */
#include <check.h>
#include <string.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/tarindex-fixture.h"

static void refused(const char *why)
{
	ck_assert_int_lt(index_in_steps(1000), 0);
	ck_assert_msg(strstr(index_error, why) != NULL, "'%s' is not in '%s'", why, index_error);
	ck_assert_uint_eq(image.len, 0);
	for (const char *c = index_error; *c; c++)
		ck_assert(*c >= ' ' && *c < 0x7f);
}

static const struct {
	struct tar_make_entry entry;
	const char *why;
} bad_entries[] = {
	{ { "a/../b", .size = 1 }, "\"..\"" },
	{ { "..", .type = '5' }, "\"..\"" },
	{ { "l", .type = '1', .link = "../../etc/passwd" }, "\"..\"" },
	{ { "l", .type = '1', .link = "missing" }, "missing: there is no such file" },
	{ { "l", .type = '1', .link = "l" }, "there is no such file" },
	{ { "l", .type = '1', .link = "d" }, "that is a directory" },
	{ { "l", .type = '1', .link = "/" }, "there is no such file" },
	{ { "l", .type = '2', .link = "" }, "a symbolic link to nothing" },
	{ { "f/below", .size = 1 }, "not a directory" },
	{ { "/", .type = '2', .link = "x" }, "without a name" },
	{ { "d/.wh.", .size = 0 }, "a whiteout of nothing" },
	{ { "d/.wh...", .size = 0 }, "a whiteout of nothing" },
	{ { "d/.wh.x/y", .size = 0 }, "below a whiteout" },
	{ { "s", .type = 'S' }, "sparse" },
	{ { "m", .type = 'M' }, "type \"M\"" },
	{ { "\x1b[2J", .type = '!' }, "type \"!\"" },
};

START_TEST(bad_entry)
{
	ADD("f", .size = 1);
	ADD("d", .type = '5');
	ADD(bad_entries[_i].entry.name, .link = bad_entries[_i].entry.link,
	    .type = bad_entries[_i].entry.type, .size = bad_entries[_i].entry.size);
	tar_make_end(&tar);
	refused(bad_entries[_i].why);
}
END_TEST

static const struct {
	const char *record;
	const char *why;
} bad_records[] = {
	{ "size=-1", "a size" },
	{ "size=9223372036854775808", "a size" },
	{ "size=99999999999999999999999", "a size" },
	{ "size=9223372036854775000", "out of range" },
	{ "uid=4294967296", "a user id" },
	{ "gid=x", "a group id" },
	{ "mtime=1.x", "a time" },
	{ "GNU.sparse.major=1", "sparse" },
	{ "LIBARCHIVE.xattr.user.x=***", "base64" },
	{ "=x", "damaged" },
};

START_TEST(bad_record)
{
	tar_make_pax(&tar, &bad_records[_i].record, NULL, 1);
	ADD("f", .size = 1);
	refused(bad_records[_i].why);
}
END_TEST

START_TEST(bad_extended_headers)
{
	static const char *const texts[] = {
		"5 a=b",    "999 a=b\n", "6a=bc\n", "-6 a=b\n", "18446744073709551617 a=b\n",
		"6 abcd\n", "x"
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		tar_make_free(&tar);
		ADD("x", .type = 'x', .data = texts[i], .size = strlen(texts[i]));
		ADD("f", .size = 1);
		refused("damaged");
	}
	tar_make_free(&tar);
	ADD("x", .type = 'x', .size = (1 << 20) + 1);
	refused("too long");
	tar_make_free(&tar);
	for (int i = 0; i < 6; i++)
		ADD("x", .type = 'g', .size = 1 << 20);
	refused("too long");
}
END_TEST

START_TEST(names_that_are_too_long)
{
	static char part[300], path[5000];

	memset(part, 'n', 256);
	ADD("L", .type = 'L', .data = part, .size = 257);
	ADD("cut", .size = 1);
	refused("longer than 255");
	tar_make_free(&tar);
	for (size_t i = 0; i < 4096; i++)
		path[i] = i % 2 ? '/' : 'd';
	ADD("L", .type = 'L', .data = path, .size = 4097);
	ADD("cut", .size = 1);
	refused("longer than 4095");
	tar_make_free(&tar);
	path[4095] = '\0';
	ADD("L", .type = 'L', .data = path, .size = 4097);
	ADD("cut", .type = '5');
	index_whole();
	ck_assert_uint_eq(result.n_inodes, 2049);
}
END_TEST

START_TEST(truncated_anywhere)
{
	size_t whole;

	tar_make_pax(&tar, (const char *const[]){ "path=name" }, NULL, 1);
	ADD("f", .size = 1000);
	whole = tar.len;
	for (size_t len = 0; len < whole; len += 100) {
		tar.len = len;
		refused(len == 0 ? "empty" : "ends in the middle");
	}
}
END_TEST

START_TEST(not_an_archive)
{
	tar_make_raw(&tar, NULL, 2000);
	refused("no header of tar");
	tar_make_free(&tar);
	ADD("f", .size = 1);
	tar.bytes[0] = 'g';
	refused("no header of tar");
	/* One block of zeros is not the end, and nothing else either. */
	tar_make_free(&tar);
	ADD("f", .size = 1);
	tar_make_end(&tar);
	tar.len -= 512;
	ADD("g", .size = 1);
	refused("no header of tar");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tarindex-bad");
	TCase *bad = tcase_create("bad");

	tcase_add_checked_fixture(bad, setup, teardown);
	tcase_add_loop_test(bad, bad_entry, 0, (int)(sizeof(bad_entries) / sizeof(bad_entries[0])));
	tcase_add_loop_test(bad, bad_record, 0,
			    (int)(sizeof(bad_records) / sizeof(bad_records[0])));
	tcase_add_test(bad, bad_extended_headers);
	tcase_add_test(bad, names_that_are_too_long);
	tcase_add_test(bad, truncated_anywhere);
	tcase_add_test(bad, not_an_archive);
	suite_add_tcase(s, bad);
	return run_suite(s);
}
