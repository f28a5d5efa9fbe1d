/* SPDX-License-Identifier: MIT */
/*
 * The http fetcher and servers that keep the rules: conditions, connections, parameters.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "daemon/replay/pattern.h"
#include "tests/contract/http-rig.h"
#include "tests/lib/run-suite.h"

/* ---- identity --------------------------------------------------------------------------- */

static const struct {
	const char *look, *read, *validator, *field;
} pins[] = {
	{ "blob", "f=noif/blob", "etag:\"", "If-Match: \"" },
	{ "f=weak/blob", "f=noif/f=weak/blob", "mtime:", "If-Unmodified-Since: " },
	{ "f=noetag/blob", "f=noif/f=noetag/blob", "mtime:", "If-Unmodified-Since: " },
};

/* The server is asked to refuse another version, and is not believed when it does not. */
START_TEST(version_is_pinned)
{
	struct fetch_identity identity = identity_of(pins[_i].look);
	char request[4096];

	ck_assert_int_eq(
		strncmp(identity.validator, pins[_i].validator, strlen(pins[_i].validator)), 0);
	ck_assert_int_eq(read_pinned(pins[_i].look, &identity, NULL), 0);
	ck_assert_ptr_nonnull(
		strstr(origin_last_request(origin, request, sizeof(request)), pins[_i].field));
	origin_put(origin, "blob", SIZE);
	ck_assert_int_eq(read_pinned(pins[_i].look, &identity, NULL), -ESTALE);
	ck_assert_int_eq(read_pinned(pins[_i].read, &identity, NULL), -ESTALE);
}
END_TEST

START_TEST(nothing_to_pin)
{
	struct fetch_identity identity = identity_of("f=noetag/f=nomtime/blob");
	char request[4096];

	ck_assert_str_eq(identity.validator, "");
	ck_assert_int_eq(read_pinned("f=noetag/f=nomtime/blob", &identity, NULL), 0);
	ck_assert_ptr_null(strstr(origin_last_request(origin, request, sizeof(request)), "If-"));
	/* The size is all that is left. */
	origin_put(origin, "blob", SIZE + 1);
	ck_assert_int_eq(read_pinned("f=noetag/f=nomtime/blob", &identity, NULL), -ESTALE);
}
END_TEST

START_TEST(look_is_one_request)
{
	struct origin_range range[4];
	struct origin_stats stats;
	struct host_look look;

	origin_ranges(origin, range, 4);
	origin_stats(origin);
	ck_assert_int_eq(host_look(&host, &look, locator_of("blob"), 4096), 0);
	host_look_free(&look);
	stats = origin_stats(origin);
	ck_assert_uint_eq(stats.requests, 1);
	ck_assert_uint_eq(stats.body_bytes, 4096);
	ck_assert_uint_eq(origin_ranges(origin, range, 4), 1);
	ck_assert_uint_eq(range[0].first, 0);
	ck_assert_uint_eq(range[0].last, 4095);
}
END_TEST

/* ---- connections ------------------------------------------------------------------------ */

START_TEST(connections_are_kept)
{
	struct fetch_identity identity = identity_of("blob");
	struct fetch_object *object = host_attach(&host, locator_of("blob"), &identity);
	struct origin_stats stats;

	for (int i = 0; i < 500; i++) {
		struct host_read read = { 0 };

		ck_assert_int_eq(host_read(&host, &read, object, (uint64_t)i * 500, 4096), 0);
		host_read_free(&read);
	}
	stats = origin_stats(origin);
	ck_assert_uint_eq(stats.requests, 501);
	ck_assert_uint_eq(stats.connections, 1);
	host.fetcher->ops->detach(object);
}
END_TEST

/* Answers that bring no object keep their connection, too. */
START_TEST(errors_keep_connections)
{
	struct host_look look;

	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(host_look(&host, &look, locator_of("missing"), 0), -ENOENT);
	ck_assert_uint_eq(origin_stats(origin).connections, 1);
}
END_TEST

START_TEST(connections_are_bounded)
{
	static const struct fetcher_param params[] = { { "max-connections", "4" }, { NULL, NULL } };
	static struct host_read reads[500];
	struct fetch_identity identity;
	struct fetch_object *object;
	struct origin_stats stats;

	http_restart(params);
	identity = identity_of("blob");
	object = host_attach(&host, locator_of("f=delay:2/blob"), &identity);
	for (int i = 0; i < 500; i++)
		host_read_start(&host, &reads[i], object, (uint64_t)i * 500, 4096);
	host_wait_all(&host);
	for (int i = 0; i < 500; i++) {
		ck_assert_int_eq(reads[i].err, 0);
		ck_assert_uint_eq(pattern_check(reads[i].read.buf, 4096, origin_key(origin, "blob"),
						reads[i].read.off),
				  4096);
		host_read_free(&reads[i]);
	}
	stats = origin_stats(origin);
	ck_assert_uint_le(stats.connections, 4);
	ck_assert_uint_le(stats.concurrent, 4);
	ck_assert_uint_ge(stats.concurrent, 2);
	host.fetcher->ops->detach(object);
}
END_TEST

/* ---- parameters ------------------------------------------------------------------------- */

static const struct {
	const char *key, *value;
	int err;
} params_wrong[] = {
	{ "max-connections", "0", -EINVAL },
	{ "max-connections", "x", -EINVAL },
	{ "max-connections", "", -EINVAL },
	{ "redirects", "-1", -EINVAL },
	{ "http-version", "3", -EINVAL },
	{ "stall-timeout", "0", -EINVAL },
	{ "stall-timeout", "500ms", -EINVAL },
	{ "connect-timeout", "5 weeks", -EINVAL },
	{ "min-rate", "0", -EINVAL },
	{ "min-rate", "fast", -EINVAL },
	{ "connect-timeout", "99999999999999999999s", -EINVAL },
	{ "header", "no colon", -EINVAL },
	{ "header", "X-Empty:", -EINVAL },
	{ "header", ": value", -EINVAL },
	{ "header", "X-Two: a\r\nX-Lines: b", -EINVAL },
	{ "header", "Range: bytes=0-1", -EINVAL },
	{ "header", "if-match: x", -EINVAL },
	{ "header-file", "/no/such/file", -ENOENT },
	{ "ca-file", "/no/such/file", -ENOENT },
	{ "client-cert", "/no/such/file", -ENOENT },
	{ "client-key", "/dev/null", -EINVAL },
	{ "cookie-jar", "x", -EINVAL },
};

START_TEST(wrong_parameter)
{
	struct fetcher_param params[] = { { params_wrong[_i].key, params_wrong[_i].value },
					  { NULL, NULL } };
	const struct fetcher_class *class = fetcher_class_find("http:");
	char error[FETCH_ERROR_MAX] = "";

	ck_assert_int_eq(class->create(NULL, NULL, "http://h/{cookie}", params, error),
			 params_wrong[_i].err);
	ck_assert_ptr_nonnull(strstr(error, params_wrong[_i].key));
}
END_TEST

START_TEST(good_parameters)
{
	static const struct fetcher_param params[] = {
		{ "max-connections", "64" },
		{ "redirects", "0" },
		{ "http-version", "1.1" },
		{ "stall-timeout", "2min" },
		{ "min-rate", "100000" },
		{ "connect-timeout", "500ms" },
		{ "header", "A: b" },
		{ "header", "C: d:e" },
		{ "user-agent", "me" },
		{ "proxy", "" },
		{ NULL, NULL },
	};
	const struct fetcher_class *class = fetcher_class_find("https:");
	char error[FETCH_ERROR_MAX] = "";

	ck_assert_int_eq(class->create(NULL, NULL, "https://h/{cookie}", params, error), 0);
	ck_assert_int_eq(class->create(NULL, NULL, "https://{domain}.h/{cookie}", params, error),
			 0);
	ck_assert_int_eq(class->create(NULL, NULL, "https:///x", params, error), -EINVAL);
	/* Every key that it says it has is understood. */
	for (const struct fetcher_key *k = class->keys; k->key; k++) {
		struct fetcher_param one[] = { { k->key, "/no/such/\n" }, { NULL, NULL } };

		error[0] = '\0';
		class->create(NULL, NULL, "https://h/{cookie}", one, error);
		ck_assert_ptr_null(strstr(error, "no such key"));
	}
}
END_TEST

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
	Suite *s = suite_create("http");
	TCase *tc = tcase_create("http");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, http_start, http_stop);
	tcase_add_loop_test(tc, version_is_pinned, 0, N(pins));
	tcase_add_test(tc, nothing_to_pin);
	tcase_add_test(tc, look_is_one_request);
	tcase_add_test(tc, connections_are_kept);
	tcase_add_test(tc, errors_keep_connections);
	tcase_add_test(tc, connections_are_bounded);
	tcase_add_loop_test(tc, wrong_parameter, 0, N(params_wrong));
	tcase_add_test(tc, good_parameters);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
