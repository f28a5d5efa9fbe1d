/* SPDX-License-Identifier: MIT */
#include "daemon/util/locator.h"
#include "daemon/util/cleanup.h"

#include <check.h>
#include <errno.h>
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
	{ "fs-verity:sha256:1,https%3A%2F%2Fus%3Asecret%40h;https://us:secret@h/a",
	  "fs-verity:sha256:1;https://h/a" },
	{ "https://user:secret@", "https://" },
	{ "", "" },
};

START_TEST(test_what_people_read)
{
	char buf[64];

	ck_assert_str_eq(locator_print(cases[_i].locator, buf, sizeof(buf)), cases[_i].printed);
}
END_TEST

/* Another password is the same place, another query another one. */
START_TEST(test_what_is_kept)
{
	static const char plain[] = "https://example.com/a%2Fb", user[] = "//us:secret@example.com/a";
	char one[80], other[80];

	locator_record(plain, one, sizeof(one));
	ck_assert_str_eq(one, plain);
	locator_record(user, one, sizeof(one));
	ck_assert_ptr_null(strstr(one, "secret"));
	ck_assert_int_eq(strncmp(one, "//example.com/a#", 16), 0);
	locator_record("//us:other@example.com/a", other, sizeof(other));
	ck_assert_str_eq(one, other);
	locator_record("//us@example.com/a?secret=1", one, sizeof(one));
	ck_assert_ptr_null(strstr(one, "secret"));
	locator_record("//us@example.com/a?secret=2", other, sizeof(other));
	ck_assert_str_ne(one, other);
	/* Cut, it is still known. */
	for (size_t n = 33; n < sizeof(one); n++) {
		locator_record("//example.com/a/long/path/to/an/image", one, n);
		ck_assert_uint_lt(strlen(one), n);
		locator_record("//example.com/a/long/path/to/an/imago", other, n);
		ck_assert_str_ne(one, other);
	}
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

/* ---- what is verified ---------------------------------------------------------------------- */

#define DIGEST "sha256:00"

static const struct {
	const char *locator, *tree, *inner;
} verified[] = {
	{ "fs-verity:" DIGEST ";https://h/a", "https://h/a.verity", "https://h/a" },
	{ "fs-verity:" DIGEST ";https://h/a?token=b", "https://h/a.verity?token=b",
	  "https://h/a?token=b" },
	{ "fs-verity:sha256%3A00;file:/a;b", "file:/a;b.verity", "file:/a;b" },
	{ "fs-verity:" DIGEST ";oci://h/a:v1?title=b", "oci://h/a:v1?title=b.verity",
	  "oci://h/a:v1?title=b" },
	{ "fs-verity:" DIGEST ",oci%3A%2F%2Fh%2Fa%40sha256%3A01%3Fblob;oci://h/a@sha256:02?blob",
	  "oci://h/a@sha256:01?blob", "oci://h/a@sha256:02?blob" },
};

START_TEST(test_verified_objects)
{
	_cleanup_free_ char *digest = NULL, *tree = NULL, *whole = NULL;
	const char *inner;

	ck_assert(locator_is_verified(verified[_i].locator));
	ck_assert_int_eq(locator_split_verified(verified[_i].locator, &digest, &tree, &inner), 0);
	ck_assert_str_eq(digest, DIGEST);
	ck_assert_str_eq(tree, verified[_i].tree);
	ck_assert_str_eq(inner, verified[_i].inner);
	whole = locator_join_verified(digest, strchr(verified[_i].locator, ',') ? tree : NULL,
				      inner);
	if (!strchr(verified[_i].locator, '%') || strchr(verified[_i].locator, ','))
		ck_assert_str_eq(whole, verified[_i].locator);
}
END_TEST

START_TEST(test_what_is_not_verified)
{
	static const char *const bad[] = {
		"",
		"fs-verity",
		"fs-verity:",
		"fs-verity:x",
		"fs-verity:x;",
		"fs-verity:x,;y",
		"fs-verity:%0;y",
		"fs-verity:x,%00;y",
		"https://h/x;y",
	};
	char *digest, *tree;
	const char *inner;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(locator_split_verified(bad[i], &digest, &tree, &inner), -EINVAL);
}
END_TEST

/* ---- tar layers ---------------------------------------------------------------------------- */

static const struct {
	const char *map, *blob, *locator;
} layers[] = {
	{ "/var/lib/cachefilld/tar/a.map", "oci://h/app@sha256:00?blob",
	  "tarmap:/var/lib/cachefilld/tar/a.map;oci://h/app@sha256:00?blob" },
	{ "/a b;c%d\xff\n\\?#{", "file:/x;y", "tarmap:/a%20b%3Bc%25d%FF%0A%5C%3F%23%7B;file:/x;y" },
	{ "/", "x", "tarmap:/;x" },
};

START_TEST(test_tar_layers)
{
	char *map, *whole = locator_join_indexed("tarmap", layers[_i].map, layers[_i].blob);
	const char *blob;

	ck_assert_str_eq(whole, layers[_i].locator);
	ck_assert_int_eq(locator_split_indexed(whole, &map, &blob), 0);
	ck_assert_str_eq(map, layers[_i].map);
	ck_assert_str_eq(blob, layers[_i].blob);
	free(map);
	free(whole);
}
END_TEST

static const char *const not_layers[] = {
	"",
	"tarmap",
	"tarmap:",
	"tarmap:;",
	"tarmap:;oci://h/a",
	"file:/map",
	"tarmap:/map",
	"tarmap:/map;",
	"tarmap:map;oci://h/a",
	"tarmap:%2Fmap;oci://h/a",
	"tarmap:/m%;oci://h/a",
	"tarmap:/m%4;oci://h/a",
	"tarmap:/m%4g;oci://h/a",
	"tarmap:/m%00;oci://h/a",
	"/map;x",
};

START_TEST(test_not_tar_layers)
{
	const char *blob;
	char *map;

	ck_assert_int_eq(locator_split_indexed(not_layers[_i], &map, &blob), -EINVAL);
}
END_TEST

START_TEST(test_a_tar_layer_as_people_read_it)
{
	char buf[64];

	ck_assert_str_eq(locator_print("TarMap:/m;https://user:secret@h/x?token", buf, sizeof(buf)),
			 "TarMap:/m;https://h/x");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("locator");
	TCase *t = tcase_create("locator");

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, test_what_people_read, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, test_what_is_kept);
	tcase_add_test(t, test_cut);
	tcase_add_loop_test(t, test_tar_layers, 0, sizeof(layers) / sizeof(layers[0]));
	tcase_add_loop_test(t, test_verified_objects, 0, sizeof(verified) / sizeof(verified[0]));
	tcase_add_test(t, test_what_is_not_verified);
	tcase_add_loop_test(t, test_not_tar_layers, 0, sizeof(not_layers) / sizeof(not_layers[0]));
	tcase_add_test(t, test_a_tar_layer_as_people_read_it);
	return run_suite(s);
}
