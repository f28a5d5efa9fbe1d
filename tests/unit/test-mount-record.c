/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/mount-record.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"
#include "tests/lib/run-suite.h"

/* Text of a record is not const. */
#define T(text) ((char[]){ text })

static char *layers[] = { T("sha256:aa"), T("meta:bb"), T("x:cc") };

static const struct mount_record sample = {
	.dir = T("/mnt/with \"quotes\" and \\ and \xc3\xa4"),
	.image = T("oci://localhost:5000/t/app:v1"),
	.state_dir = T("/var/lib/cachefilld"),
	.domain = T("cachefilld"),
	.upper = T("/srv/upper,with:odd=bytes"),
	.writable = MOUNT_IN_DIR,
	.transient = true,
	.complete = true,
	.mount_ns = 4026531841,
	.layers = layers,
	.n_layers = 3,
};

START_TEST(test_round_trip)
{
	_cleanup_(mount_record_freep) struct mount_record *r = NULL;
	_cleanup_free_ char *text = NULL, *again = NULL;
	char error[128];

	ck_assert_int_eq(mount_record_format(&sample, &text), 0);
	ck_assert_int_eq(mount_record_parse(&r, text, strlen(text), error, sizeof(error)), 0);
	ck_assert_str_eq(r->dir, sample.dir);
	ck_assert_str_eq(r->image, sample.image);
	ck_assert_str_eq(r->state_dir, sample.state_dir);
	ck_assert_str_eq(r->domain, sample.domain);
	ck_assert_str_eq(r->upper, sample.upper);
	ck_assert_int_eq(r->writable, MOUNT_IN_DIR);
	ck_assert(r->transient && r->complete);
	ck_assert_uint_eq(r->mount_ns, sample.mount_ns);
	ck_assert_uint_eq(r->n_layers, 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_str_eq(r->layers[i], layers[i]);
	ck_assert_int_eq(mount_record_format(r, &again), 0);
	ck_assert_str_eq(again, text);
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
}
END_TEST

START_TEST(test_most_layers)
{
	_cleanup_(mount_record_freep) struct mount_record *r = NULL;
	char *many[MOUNT_LAYERS_MAX + 1], cookie[MOUNT_COOKIE_MAX], error[128];
	struct mount_record record = sample;
	_cleanup_free_ char *text = NULL;

	memset(cookie, 'c', sizeof(cookie) - 1);
	cookie[sizeof(cookie) - 1] = '\0';
	for (size_t i = 0; i <= MOUNT_LAYERS_MAX; i++)
		many[i] = cookie;
	record.layers = many;
	record.n_layers = MOUNT_LAYERS_MAX;
	ck_assert_int_eq(mount_record_format(&record, &text), 0);
	ck_assert_int_eq(mount_record_parse(&r, text, strlen(text), error, sizeof(error)), 0);
	ck_assert_uint_eq(r->n_layers, MOUNT_LAYERS_MAX);
	record.n_layers++;
	ck_assert_int_eq(mount_record_format(&record, &text), -EINVAL);
	record.n_layers = 0;
	ck_assert_int_eq(mount_record_format(&record, &text), -EINVAL);
}
END_TEST

/* What would not be read back is not written. */
START_TEST(test_bad_records_are_not_written)
{
	char *text = NULL, *bad_layer[] = { T("a/b") };
	struct mount_record record;

#define REFUSED(member, value)                                                  \
	do {                                                                    \
		record = sample;                                                \
		record.member = (value);                                        \
		ck_assert_int_eq(mount_record_format(&record, &text), -EINVAL); \
	} while (0)
	REFUSED(dir, T("relative"));
	REFUSED(dir, T("/a/../b"));
	REFUSED(dir, T("/not utf-8 \xff"));
	REFUSED(image, T(""));
	REFUSED(state_dir, T(""));
	REFUSED(domain, T("a,b"));
	REFUSED(upper, T(""));
	REFUSED(upper, T("x"));
	REFUSED(writable, MOUNT_IN_MEMORY);
	REFUSED(layers, bad_layer);
	ck_assert_ptr_null(text);
}
END_TEST

/* Damage of every kind: cut off at each place, and each field of another type or out of bounds. */
START_TEST(test_damage_is_found)
{
	static const char *const changes[][2] = {
		{ "\"version\": 1", "\"version\": 2" },
		{ "\"version\": 1", "\"version\": \"1\"" },
		{ "\"version\": 1", "\"version\": 1, \"version\": 1" },
		{ "\"version\": 1", "\"version\": 1, \"more\": 1" },
		{ "\"writable\": \"directory\"", "\"writable\": \"yes\"" },
		{ "\"writable\": \"directory\"", "\"writable\": \"no\"" },
		{ "\"state-dir\": \"/", "\"state-dir\": \"" },
		{ "\"complete\": true", "\"complete\": 1" },
		{ "\"mount-ns\": 4026531841", "\"mount-ns\": -1" },
		{ "\"sha256:aa\"", "17" },
		{ "\"sha256:aa\"", "\"..\"" },
		{ "\"sha256:aa\"", "\"a\\u0000b\"" },
		{ "\"sha256:aa\"", "[]" },
	};
	struct mount_record *r = NULL;
	char error[128], damaged[4096];
	_cleanup_free_ char *text = NULL;
	size_t n;

	ck_assert_int_eq(mount_record_format(&sample, &text), 0);
	n = strlen(text);
	for (size_t i = 0; i + 1 < n; i++) { /* the newline alone may be missing */
		*error = '\0';
		ck_assert_int_eq(mount_record_parse(&r, text, i, error, sizeof(error)), -EINVAL);
		ck_assert_str_ne(error, "");
	}
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const char *at = strstr(text, changes[i][0]);

		ck_assert_ptr_nonnull(at);
		snprintf(damaged, sizeof(damaged), "%.*s%s%s", (int)(at - text), text,
			 changes[i][1], at + strlen(changes[i][0]));
		ck_assert_msg(mount_record_parse(&r, damaged, strlen(damaged), error,
						 sizeof(error)) == -EINVAL,
			      "%s", changes[i][1]);
	}
	ck_assert_ptr_null(r);
}
END_TEST

START_TEST(test_too_long)
{
	_cleanup_free_ char *text = malloc(MOUNT_RECORD_TEXT_MAX + 1);
	struct mount_record *r = NULL;
	char error[128];

	memset(text, ' ', MOUNT_RECORD_TEXT_MAX + 1);
	ck_assert_int_eq(
		mount_record_parse(&r, text, MOUNT_RECORD_TEXT_MAX + 1, error, sizeof(error)),
		-EINVAL);
	ck_assert_str_eq(error, "it is too long");
}
END_TEST

START_TEST(test_cookies)
{
	char longest[MOUNT_COOKIE_MAX + 1];

	ck_assert(mount_cookie_good("sha256:0123"));
	ck_assert(mount_cookie_good("plain.erofs~2"));
	ck_assert(!mount_cookie_good(""));
	ck_assert(!mount_cookie_good("."));
	ck_assert(!mount_cookie_good(".."));
	ck_assert(!mount_cookie_good("a b"));
	ck_assert(!mount_cookie_good("a/b"));
	ck_assert(!mount_cookie_good("a,b"));
	ck_assert(!mount_cookie_good("a\\b"));
	ck_assert(!mount_cookie_good("a\nb"));
	ck_assert(!mount_cookie_good("a\xc3\xa4"));
	memset(longest, 'a', sizeof(longest));
	longest[MOUNT_COOKIE_MAX] = '\0';
	ck_assert(!mount_cookie_good(longest));
	longest[MOUNT_COOKIE_MAX - 1] = '\0';
	ck_assert(mount_cookie_good(longest));
}
END_TEST

START_TEST(test_paths)
{
	ck_assert(mount_path_good("/"));
	ck_assert(mount_path_good("/mnt"));
	ck_assert(mount_path_good("/mnt/..a/.b/c."));
	ck_assert(!mount_path_good(""));
	ck_assert(!mount_path_good("mnt"));
	ck_assert(!mount_path_good("//"));
	ck_assert(!mount_path_good("/mnt/"));
	ck_assert(!mount_path_good("/mnt//a"));
	ck_assert(!mount_path_good("/mnt/./a"));
	ck_assert(!mount_path_good("/mnt/.."));
}
END_TEST

START_TEST(test_stacked)
{
	struct mount_record record = { .writable = MOUNT_READ_ONLY,
				       .layers = layers,
				       .n_layers = 1 };

	ck_assert(!mount_record_stacked(&record));
	record.writable = MOUNT_IN_MEMORY;
	ck_assert(mount_record_stacked(&record));
	record.writable = MOUNT_READ_ONLY;
	record.n_layers = 2;
	ck_assert(mount_record_stacked(&record));
	ck_assert(mount_record_uses(&record, "meta:bb"));
	ck_assert(!mount_record_uses(&record, "x:cc"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mount-record");
	TCase *tc = tcase_create("record");

	tcase_add_test(tc, test_round_trip);
	tcase_add_test(tc, test_most_layers);
	tcase_add_test(tc, test_bad_records_are_not_written);
	tcase_add_test(tc, test_damage_is_found);
	tcase_add_test(tc, test_too_long);
	tcase_add_test(tc, test_cookies);
	tcase_add_test(tc, test_paths);
	tcase_add_test(tc, test_stacked);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
