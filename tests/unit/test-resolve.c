/* SPDX-License-Identifier: MIT */
#include "daemon/engine/resolve.h"

#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"

/* Resolves text keys by one template; returns the verdict. */
static enum resolve_verdict by_template(const char *template, const char *volume,
					const char *cookie, char *locator)
{
	struct resolve_rule rule = { .locator = template };
	size_t which, at;
	const char *why;

	ck_assert_int_eq(resolve_check_template(template, &at, &why), 0);
	return resolve_key(&rule, 1, bytes_str(volume), bytes_str(cookie), &which, locator);
}

START_TEST(test_placeholders)
{
	static const struct {
		const char *template, *volume, *cookie, *want;
	} rows[] = {
		{ "https://h/{cookie}", "erofs,a", "img", "https://h/img" },
		{ "https://h/{volume}/{cookie}", "erofs,a", "img", "https://h/erofs%2Ca/img" },
		{ "https://h/{domain}/{cookie}", "erofs,a", "img", "https://h/a/img" },
		{ "https://h/{domain}", "nfs,a", "img", "https://h/nfs%2Ca" },
		{ "https://h/fixed.erofs", "erofs,a", "img", "https://h/fixed.erofs" },
		{ "https://h/{{{cookie}}}", "erofs,a", "img", "https://h/{img}" },
		{ "https://h?n={cookie}&v={domain}", "erofs,a", "img", "https://h?n=img&v=a" },
		{ "file:{cookie}", "erofs,a", "img", "file:img" },
		{ "file:///srv/{cookie}.erofs", "erofs,a", "a b/c", "file:///srv/a%20b%2Fc.erofs" },
		{ "https://h/{cookie}", "erofs,a", "A-z_0.9~", "https://h/A-z_0.9~" },
		{ "https://h/{cookie}", "erofs,a",
		  "?#%&;=+@:", "https://h/%3F%23%25%26%3B%3D%2B%40%3A" },
		{ "https://h/{cookie}", "erofs,a", "\xc3\xa9\x7f\x01", "https://h/%C3%A9%7F%01" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char locator[LOCATOR_MAX];

		ck_assert_int_eq(
			by_template(rows[i].template, rows[i].volume, rows[i].cookie, locator),
			RESOLVE_OK);
		ck_assert_str_eq(locator, rows[i].want);
	}
}
END_TEST

START_TEST(test_first_matching_rule_wins)
{
	const struct resolve_rule rules[] = {
		{ .volume = "erofs,a*", .cookie = "*.img", .locator = "https://one/{cookie}" },
		{ .volume = "erofs,*", .locator = "https://two/{cookie}" },
		{ .cookie = "odd\\\\x20name", .locator = "https://three/x" },
	};
	static const struct {
		const char *volume, *cookie;
		enum resolve_verdict verdict;
		size_t rule;
	} rows[] = {
		{ "erofs,abc", "x.img", RESOLVE_OK, 0 }, { "erofs,abc", "x.bin", RESOLVE_OK, 1 },
		{ "erofs,b", "x.img", RESOLVE_OK, 1 },	 { "erofs,b", "sub/dir", RESOLVE_OK, 1 },
		{ "other", "odd name", RESOLVE_OK, 2 },	 { "other", "odd", RESOLVE_NO_RULE, 99 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char locator[LOCATOR_MAX] = "untouched";
		size_t rule = 99;

		ck_assert_int_eq(resolve_key(rules, 3, bytes_str(rows[i].volume),
					     bytes_str(rows[i].cookie), &rule, locator),
				 rows[i].verdict);
		ck_assert_uint_eq(rule, rows[i].rule);
		if (rows[i].verdict != RESOLVE_OK)
			ck_assert_str_eq(locator, "untouched");
	}
}
END_TEST

START_TEST(test_dot_segments_are_refused)
{
	static const struct {
		const char *template, *cookie;
		enum resolve_verdict verdict;
	} rows[] = {
		{ "https://h/{cookie}", ".", RESOLVE_BAD_KEY },
		{ "https://h/{cookie}", "..", RESOLVE_BAD_KEY },
		{ "https://h/{cookie}", "...", RESOLVE_OK },
		{ "https://h/{cookie}/x", "..", RESOLVE_BAD_KEY },
		{ "https://h/{cookie}?x=1", "..", RESOLVE_BAD_KEY },
		{ "https://h/.{cookie}", ".", RESOLVE_BAD_KEY },
		{ "https://h/.{cookie}", "..", RESOLVE_OK },
		{ "https://h/.{cookie}", "a", RESOLVE_OK },
		{ "https://h/{cookie}.", ".", RESOLVE_BAD_KEY },
		{ "https://h/%2e{cookie}", ".", RESOLVE_BAD_KEY },
		{ "https://h/{cookie}%2E/", ".", RESOLVE_BAD_KEY },
		{ "https://h/{cookie}{cookie}", ".", RESOLVE_BAD_KEY },
		{ "file:{cookie}", "..", RESOLVE_BAD_KEY },
		{ "https://h/{cookie}", "%2e%2e", RESOLVE_OK },
		{ "https://h/{cookie}", "../..", RESOLVE_OK }, /* one segment: %2F */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char locator[LOCATOR_MAX];

		ck_assert_msg(by_template(rows[i].template, "erofs,v", rows[i].cookie, locator) ==
				      rows[i].verdict,
			      "row %zu", i);
	}
}
END_TEST

START_TEST(test_keys_that_cannot_be)
{
	struct resolve_rule rule = { .locator = "https://h/{domain}/{cookie}" };
	char locator[LOCATOR_MAX] = "untouched", big[RESOLVE_KEY_MAX + 1];
	size_t which = 99;
	struct bytes none = bytes_of("", 0), v = bytes_str("erofs,v"), c = bytes_str("c");

	memset(big, 'x', sizeof(big));
	ck_assert_int_eq(resolve_key(&rule, 1, v, none, &which, locator), RESOLVE_BAD_KEY);
	ck_assert_int_eq(resolve_key(&rule, 1, none, c, &which, locator), RESOLVE_BAD_KEY);
	ck_assert_int_eq(resolve_key(&rule, 1, bytes_str("erofs,"), c, &which, locator),
			 RESOLVE_BAD_KEY);
	ck_assert_int_eq(resolve_key(&rule, 1, v, bytes_of(big, sizeof(big)), &which, locator),
			 RESOLVE_TOO_LONG);
	ck_assert_int_eq(resolve_key(&rule, 0, v, c, &which, locator), RESOLVE_NO_RULE);
	ck_assert_str_eq(locator, "untouched");
	ck_assert_uint_eq(which, 99);

	/* The longest key that is taken, and one that is too long once it is encoded. */
	rule.locator = "https://h/{cookie}";
	ck_assert_int_eq(resolve_key(&rule, 1, v, bytes_of(big, RESOLVE_KEY_MAX), &which, locator),
			 RESOLVE_OK);
	ck_assert_uint_eq(strlen(locator), strlen("https://h/") + RESOLVE_KEY_MAX);
	rule.locator = "https://h/{cookie}/{cookie}";
	memset(big, '/', sizeof(big));
	ck_assert_int_eq(resolve_key(&rule, 1, v, bytes_of(big, RESOLVE_KEY_MAX), &which, locator),
			 RESOLVE_TOO_LONG);
}
END_TEST

START_TEST(test_length_limit_is_exact)
{
	char template[LOCATOR_MAX + 1] = "https://h/{cookie}";
	size_t n = strlen(template), at;
	char locator[LOCATOR_MAX];
	const char *why;

	/* With a key as long as its placeholder, template and locator are equally long. */
	memset(template + n, 'x', LOCATOR_MAX - 1 - n);
	template[LOCATOR_MAX - 1] = '\0';
	ck_assert_int_eq(by_template(template, "erofs,v", "8letters", locator), RESOLVE_OK);
	ck_assert_uint_eq(strlen(locator), LOCATOR_MAX - 1);
	ck_assert_int_eq(by_template(template, "erofs,v", "9 letter", locator), RESOLVE_TOO_LONG);

	strcpy(template + LOCATOR_MAX - 1, "x");
	ck_assert_int_eq(resolve_check_template(template, &at, &why), -EINVAL);
}
END_TEST

START_TEST(test_bad_templates)
{
	static const struct {
		const char *template;
		size_t at;
	} rows[] = {
		{ "", 0 },
		{ "/srv/{cookie}", 0 },
		{ "{cookie}", 0 },
		{ "1https://h/x", 0 },
		{ "https://{cookie}/x", 8 },
		{ "https://h{cookie}", 9 },
		{ "https://{domain}.example.com/{cookie}", 8 },
		{ "https://h/{cooky}", 10 },
		{ "https://h/{cookie", 10 },
		{ "https://h/cookie}", 16 },
		{ "https://h/a b", 11 },
		{ "https://h/a\nb", 11 },
		{ "https://h/#{cookie}", 10 },
		{ "https://h\\{cookie}", 9 },
		{ "https://h/%4", 10 },
		{ "https://h/%zz", 10 },
		{ "https://h/%00", 10 },
		{ "https://h/a/../{cookie}", 12 },
		{ "https://h/./{cookie}", 10 },
		{ "https://h/{cookie}/%2E%2e", 19 },
		{ "file:..", 5 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t at = 12345;
		const char *why = NULL;

		ck_assert_msg(resolve_check_template(rows[i].template, &at, &why) == -EINVAL,
			      "accepted: %s", rows[i].template);
		ck_assert_msg(at == rows[i].at, "%s: at %zu", rows[i].template, at);
		ck_assert_ptr_nonnull(why);
	}
}
END_TEST

static size_t count(const char *s, char c)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == c;
	return n;
}

static uint8_t unhex(char c)
{
	return (uint8_t)(isdigit((unsigned char)c) ? c - '0' : c - 'A' + 10);
}

/* The percent-decoding of RFC 3986, 2.1, written a second time. */
static size_t decode(const char *s, size_t n, uint8_t *out)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] != '%') {
			out[len++] = (uint8_t)s[i];
			continue;
		}
		out[len++] = (uint8_t)(unhex(s[i + 1]) << 4 | unhex(s[i + 2]));
		i += 2;
	}
	return len;
}

/* Whatever the bytes of a key are, it stays one segment, and that segment decodes to the key. */
START_TEST(test_no_key_changes_the_structure)
{
	static const char before[] = "https://h/a/", after[] = "/b?q=1";
	struct resolve_rule rule = { .locator = "https://h/a/{cookie}/b?q=1" };
	static const char url_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					     "0123456789._~-%/:?=";
	static const char nasty[] = "./\\%?#&;:@{}2eE0 \n";

	srand(1);
	for (int i = 0; i < 5000; i++) {
		uint8_t key[255], back[3 * 255];
		size_t len = 1 + (size_t)rand() % sizeof(key), which, n;
		char locator[LOCATOR_MAX];

		if (i % 2)
			len = 1 + len % 4;
		for (size_t k = 0; k < len; k++)
			key[k] = (uint8_t)(i % 2 ? nasty[(size_t)rand() % sizeof(nasty)] : rand());
		if (resolve_key(&rule, 1, bytes_str("erofs,v"), bytes_of(key, len), &which,
				locator) != RESOLVE_OK) {
			ck_assert(bytes_equal(bytes_of(key, len), bytes_str(".")) ||
				  bytes_equal(bytes_of(key, len), bytes_str("..")));
			continue;
		}
		ck_assert_uint_eq(count(locator, '/'), 5);
		ck_assert_uint_eq(count(locator, '?'), 1);
		ck_assert_uint_eq(count(locator, '#'), 0);
		n = strlen(locator);
		ck_assert_uint_eq(strspn(locator, url_characters), n);
		ck_assert(strncmp(locator, before, strlen(before)) == 0);
		ck_assert_str_eq(locator + n - strlen(after), after);
		n = decode(locator + strlen(before), n - strlen(before) - strlen(after), back);
		ck_assert(bytes_equal(bytes_of(back, n), bytes_of(key, len)));
	}
}
END_TEST

START_TEST(test_every_verdict_has_a_sentence)
{
	ck_assert_str_ne(resolve_verdict_text(RESOLVE_NO_RULE),
			 resolve_verdict_text(RESOLVE_BAD_KEY));
	ck_assert_str_ne(resolve_verdict_text(RESOLVE_BAD_KEY),
			 resolve_verdict_text(RESOLVE_TOO_LONG));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("resolve");
	TCase *tc = tcase_create("resolve");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_placeholders);
	tcase_add_test(tc, test_first_matching_rule_wins);
	tcase_add_test(tc, test_dot_segments_are_refused);
	tcase_add_test(tc, test_keys_that_cannot_be);
	tcase_add_test(tc, test_length_limit_is_exact);
	tcase_add_test(tc, test_bad_templates);
	tcase_add_test(tc, test_no_key_changes_the_structure);
	tcase_add_test(tc, test_every_verdict_has_a_sentence);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
