/* SPDX-License-Identifier: MIT */
#include "daemon/util/locator.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"

static const struct {
	const char *locator, *printed;
} cases[] = {
	{ "https://example.com/a%2Fb", "https://example.com/a%2Fb" },
	{ "https://user:secret@example.com/a", "https://example.com/a" },
	{ "https://user:p@ss@example.com/a@b", "https://example.com/a@b" },
	{ "https://example.com/a?token=secret", "https://example.com/a" },
	{ "https://example.com?token=a@b/c", "https://example.com" },
	{ "https://example.com/a#secret", "https://example.com/a" },
	{ "file:/srv/images/a", "file:/srv/images/a" },
	{ "file:/srv/a\033[1m", "file:/srv/a?[1m" },
	{ "", "" },
};

START_TEST(test_what_people_read)
{
	char buf[64];

	ck_assert_str_eq(locator_print(cases[_i].locator, buf, sizeof(buf)), cases[_i].printed);
}
END_TEST

/* Whatever the room: terminated inside it, visibly cut, and no secret comes out of it. */
START_TEST(test_cut)
{
	static const char locator[] = "https://user:secret@example.com/a/long/path/to/an/image";
	char buf[64];

	for (size_t n = 5; n < sizeof(buf); n++) {
		memset(buf, 'x', sizeof(buf));
		locator_print(locator, buf, n);
		ck_assert_uint_lt(strlen(buf), n);
		ck_assert_ptr_null(strstr(buf, "secret"));
		ck_assert(strcmp(buf, "https://example.com/a/long/path/to/an/image") == 0 ||
			  strcmp(buf + strlen(buf) - 3, "...") == 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("locator");
	TCase *t = tcase_create("locator");

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, test_what_people_read, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, test_cut);
	return run_suite(s);
}
