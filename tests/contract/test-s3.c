/* SPDX-License-Identifier: MIT */
/*
 * The s3 fetcher against a server that judges signatures by AWS's own code: keys of any bytes,
 * buckets as hosts, redirects, what errors say, and whom secrets are told. Skipped where python3 or
 * botocore is missing.
 */
#include <fcntl.h>
#include <unistd.h>

#include "tests/contract/s3-rig.h"
#include "tests/lib/run-suite.h"

/* ---- signatures ------------------------------------------------------------------------- */

START_TEST(right_signature)
{
	host_with(NULL, NULL);
	check_object("s3://data/blob", "blob");
	ck_assert_uint_eq(oracle_answered(206, "-"), 2);
}
END_TEST

START_TEST(wrong_secret)
{
	write_keys("default", ORACLE_ID, "wrong-wrong-wrong", NULL);
	host_with(NULL, NULL);
	ck_assert_int_eq(look_at("s3://data/blob"), -EACCES);
	ck_assert_ptr_nonnull(strstr(look_error, "SignatureDoesNotMatch: check the secret key"));
	ck_assert_ptr_null(strstr(look_error, "wrong"));
	/* There is nothing better to try. */
	ck_assert_uint_eq(oracle_answered(403, "SignatureDoesNotMatch"), 1);
}
END_TEST

START_TEST(session_token)
{
	oracle_keys(ORACLE_ID " " ORACLE_SECRET " " TOKEN);
	host_with(NULL, NULL);
	ck_assert_int_eq(look_at("s3://data/blob"), -EACCES);
	ck_assert_ptr_nonnull(strstr(look_error, "InvalidToken"));
	host_stop(&host);
	write_keys("default", ORACLE_ID, ORACLE_SECRET, TOKEN);
	host_with(NULL, NULL);
	check_object("s3://data/blob", "blob");
}
END_TEST

START_TEST(wrong_region)
{
	const struct fetcher_param params[] = { { "endpoint", endpoint },
						{ "region", "us-west-2" },
						{ "credentials-file", file },
						{ NULL, NULL } };

	host_start(&host, LOOP_POLL, "s3://{volume}/{cookie}", params);
	ck_assert_int_eq(look_at("s3://data/blob"), -EACCES);
	ck_assert_ptr_nonnull(strstr(look_error, "AuthorizationHeaderMalformed: check the region"));
}
END_TEST

/* What the source itself sends is signed, too. */
START_TEST(fields_of_the_source)
{
	host_with("header", "x-amz-request-payer: requester");
	check_object("s3://data/blob", "blob");
}
END_TEST

static const struct {
	const char *locator, *name;
} odd_keys[] = {
	{ "s3://data/a b", "a b" },
	{ "s3://data/a%20b", "a b" },
	{ "s3://data/a+b", "a+b" },
	{ "s3://data/a%2Bb", "a+b" },
	{ "s3://data/100%25", "100%" },
	{ "s3://data/%2541", "%41" },
	{ "s3://data/%C3%A9t%c3%a9", "\303\251t\303\251" },
	{ "s3://data/\303\251", "\303\251" },
	{ "s3://data/%ff%01", "\377\001" },
	{ "s3://data/k=v&x=y", "k=v&x=y" },
	{ "s3://data/dir%2Ffile", "dir/file" },
	{ "s3://data/a//b///c", "a//b///c" },
	{ "s3://data/a:b@c,d;e!*'()$~", "a:b@c,d;e!*'()$~" },
	{ "s3://data/what%3F%23", "what?#" },
	{ "s3://data/.hidden/..a/b..", ".hidden/..a/b.." },
	{ "s3://data/[a]{b}|\\^`\"<>", "[a]{b}|\\^`\"<>" },
};

START_TEST(odd_key)
{
	const char *name = odd_keys[_i / 2].name;

	origin_put(origin, name, SIZE);
	host_with("path-style", _i % 2 ? "yes" : "no");
	check_object(odd_keys[_i / 2].locator, name);
}
END_TEST

static const char *const bad_locators[] = {
	"s3://data/../x",  "s3://data/a/%2e%2E/b",
	"s3://data/.",	   "s3://data/a/..%2Fb",
	"s3://data/",	   "s3://data",
	"s3:///x",	   "s3://da ta/x",
	"s3://data:80/x",  "s3://u@data/x",
	"s3://../x",	   "s3://data/x?versionId=1",
	"s3://data/x#y",   "s3://data/%zz",
	"s3://data/%00",   "http://data/x",
	"s3://data%2Fx/y", "s3://data./x",
};

START_TEST(bad_locator)
{
	struct fetch_identity identity = { .size = 1 };
	struct fetch_object *object = NULL;

	host_with(NULL, NULL);
	ck_assert_int_eq(look_at(bad_locators[_i]), -EACCES);
	ck_assert_int_eq(
		host.fetcher->ops->attach(host.fetcher, &object, bad_locators[_i], &identity),
		-EINVAL);
	ck_assert(!oracle_saw("localhost"));
}
END_TEST

START_TEST(long_keys)
{
	char name[1100], locator[1200];

	memset(name, 'k', sizeof(name));
	snprintf(locator, sizeof(locator), "s3://data/%.1025s", name);
	host_with(NULL, NULL);
	ck_assert_int_eq(look_at(locator), -EACCES);
	ck_assert_ptr_nonnull(strstr(look_error, "too long"));
}
END_TEST

/* A source with a bucket of its own reads no other. */
START_TEST(bucket_is_kept)
{
	const struct fetcher_param params[] = { { "endpoint", endpoint },
						{ "region", ORACLE_REGION },
						{ "credentials-file", file },
						{ NULL, NULL } };

	host_start(&host, LOOP_POLL, "s3://data/{cookie}", params);
	check_object("s3://data/blob", "blob");
	ck_assert_int_eq(look_at("s3://data2/blob"), -EACCES);
	ck_assert_int_eq(look_at("s3://public/blob"), -EACCES);
	ck_assert(!oracle_saw("public"));
}
END_TEST

/* ---- addresses -------------------------------------------------------------------------- */

START_TEST(bucket_in_the_host)
{
	char wanted[64];

	host_with("path-style", "no");
	check_object("s3://data/blob", "blob");
	snprintf(wanted, sizeof(wanted), " data.localhost:%u /blob", oracle_port());
	ck_assert(oracle_saw(wanted));
	/* No host name, or not covered by a certificate for one label. */
	check_object("s3://da.ta/blob", "blob");
	ck_assert(oracle_saw(" /da.ta/blob"));
	check_object("s3://Data_1/blob", "blob");
	ck_assert(oracle_saw(" /Data_1/blob"));
}
END_TEST

START_TEST(bucket_in_the_path)
{
	char wanted[64];

	host_with(NULL, NULL);
	check_object("s3://data/blob", "blob");
	snprintf(wanted, sizeof(wanted), " localhost:%u /data/blob", oracle_port());
	ck_assert(oracle_saw(wanted));
}
END_TEST

START_TEST(redirects_within_the_endpoint)
{
	char locator[128];

	host_with(NULL, NULL);
	snprintf(locator, sizeof(locator), "s3://data/to=eu.localhost:%u/x", oracle_port());
	origin_put(origin, "data/x", SIZE);
	/* The oracle knows the bucket of that host as eu, and judges the signature for it. */
	check_object(locator, "data/x");
	ck_assert_uint_eq(oracle_answered(307, "TemporaryRedirect"), 2);
	ck_assert_uint_eq(oracle_answered(206, "-"), 2);
}
END_TEST

/* Another port, another host: neither is asked. */
START_TEST(redirects_out_of_the_endpoint)
{
	char locator[128];

	host_with(NULL, NULL);
	snprintf(locator, sizeof(locator), "s3://data/to=localhost:%u/blob", origin_port(other));
	ck_assert_int_eq(look_at(locator), -EACCES);
	ck_assert_ptr_nonnull(strstr(look_error, "redirected out of its endpoint"));
	snprintf(locator, sizeof(locator), "s3://data/to=127.0.0.1:%u/blob", oracle_port());
	ck_assert_int_eq(look_at(locator), -EACCES);
	snprintf(locator, sizeof(locator), "s3://data/to=evillocalhost:%u/blob", oracle_port());
	ck_assert_int_eq(look_at(locator), -EACCES);
	snprintf(locator, sizeof(locator), "s3://data/to=a:b@localhost:%u/blob", oracle_port());
	ck_assert_int_eq(look_at(locator), -EACCES);
	ck_assert_uint_eq(origin_stats(other).requests, 0);
	ck_assert_uint_eq(oracle_answered(206, "-"), 0);
}
END_TEST

START_TEST(moved_to_nowhere)
{
	host_with(NULL, NULL);
	ck_assert_int_eq(look_at("s3://data/moved/x"), -EACCES);
	ck_assert_ptr_nonnull(strstr(look_error, "PermanentRedirect: check region and endpoint"));
}
END_TEST

/* ---- without signature ------------------------------------------------------------------ */

START_TEST(anonymous_bucket)
{
	char request[4096];

	host_from_environment("anonymous", "yes");
	check_object("s3://public/blob", "blob");
	ck_assert_int_eq(look_at("s3://data/blob"), -EACCES);
	ck_assert_ptr_nonnull(strstr(look_error, "AccessDenied"));
	host_stop(&host);
	/* Straight to where one can look at it. */
	snprintf(endpoint, sizeof(endpoint), "http://localhost:%u", origin_port(other));
	host_from_environment("anonymous", "yes");
	ck_assert_int_eq(look_at("s3://data/blob"), 0);
	origin_last_request(other, request, sizeof(request));
	ck_assert_ptr_null(strstr(request, "Authorization"));
	ck_assert_ptr_null(strcasestr(request, "x-amz"));
}
END_TEST

/* ---- errors ----------------------------------------------------------------------------- */

static const struct {
	const char *locator;
	int err;
	const char *text;
} errors[] = {
	{ "s3://data/nothing", -ENOENT, "NoSuchKey (status 404)" },
	{ "s3://denied/blob", -EACCES, "AccessDenied (status 403)" },
	{ "s3://skewed/blob", -EACCES, "RequestTimeTooSkewed: check the clock (status 403)" },
	{ "s3://data/f=status:503/blob", -EAGAIN, "SlowDown (status 503)" },
	{ "s3://data/f=status:500/blob", -EAGAIN, "InternalError (status 500)" },
};

START_TEST(error_says_why)
{
	host_with(NULL, NULL);
	ck_assert_int_eq(look_at(errors[_i].locator), errors[_i].err);
	ck_assert_msg(strstr(look_error, errors[_i].text) != NULL, "%s", look_error);
	ck_assert_ptr_nonnull(strstr(look_error, "localhost"));
}
END_TEST

START_TEST(replaced_object_is_stale)
{
	struct host_look look;
	struct host_read read = { 0 };
	struct fetch_object *object;

	host_with(NULL, NULL);
	ck_assert_int_eq(host_look(&host, &look, "s3://data/blob", 0), 0);
	ck_assert_int_eq(strncmp(look.look.identity.validator, "etag:", 5), 0);
	object = host_attach(&host, "s3://data/blob", &look.look.identity);
	origin_put(origin, "blob", SIZE);
	ck_assert_int_eq(host_read(&host, &read, object, 0, 4096), -ESTALE);
	ck_assert_uint_eq(oracle_answered(412, "PreconditionFailed"), 1);
	host_read_free(&read);
	host.fetcher->ops->detach(object);
}
END_TEST

/* Neither what is logged nor what is answered has a secret in it. */
START_TEST(secrets_are_not_told)
{
	static const char *const locators[] = { "s3://data/blob", "s3://denied/blob",
						"s3://data/../x", "s3://data/moved/x" };
	char path[TEMPORARY_MAX + 64], text[4096] = "";
	int saved = dup(STDERR_FILENO), fd;

	snprintf(path, sizeof(path), "%s/stderr", oracle_dir());
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	dup2(fd, STDERR_FILENO);
	write_keys("default", ORACLE_ID, ORACLE_SECRET, TOKEN);
	host_with(NULL, NULL);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_lt(look_at(locators[i]), 0);
		ck_assert_ptr_null(strstr(look_error, ORACLE_SECRET));
		ck_assert_ptr_null(strstr(look_error, ORACLE_ID));
		ck_assert_ptr_null(strstr(look_error, TOKEN));
	}
	/* Something to complain about in the log. */
	write_keys("default", ORACLE_ID, "tor n", TOKEN);
	look_at("s3://data/blob");
	dup2(saved, STDERR_FILENO);
	ck_assert_int_gt(pread(fd, text, sizeof(text) - 1, 0), 0);
	ck_assert_ptr_nonnull(strstr(text, "cannot be read again"));
	ck_assert_ptr_null(strstr(text, ORACLE_SECRET));
	ck_assert_ptr_null(strstr(text, TOKEN));
	ck_assert_ptr_null(strstr(text, "tor n"));
	close(fd);
	close(saved);
}
END_TEST

/* ---- parameters ------------------------------------------------------------------------- */

static const struct {
	const char *key, *value, *template;
	int err;
} params_tried[] = {
	{ "anonymous", "perhaps", "s3://b/{cookie}", -EINVAL },
	{ "path-style", "1", "s3://b/{cookie}", -EINVAL },
	{ "region", "eu/west", "s3://b/{cookie}", -EINVAL },
	{ "region", "", "s3://b/{cookie}", -EINVAL },
	{ "endpoint", "ftp://h", "s3://b/{cookie}", -EINVAL },
	{ "endpoint", "https://h/path", "s3://b/{cookie}", -EINVAL },
	{ "endpoint", "https://u:secret@h", "s3://b/{cookie}", -EINVAL },
	{ "endpoint", "https://h/?x", "s3://b/{cookie}", -EINVAL },
	{ "endpoint", "", "s3://b/{cookie}", -EINVAL },
	{ "stall-timeout", "0", "s3://b/{cookie}", -EINVAL },
	{ "nonsense", "0", "s3://b/{cookie}", -EINVAL },
	{ "region", "eu-west-1", "s3://b", -EINVAL },
	{ "region", "eu-west-1", "s3://b/{cookie}?x", -EINVAL },
	{ "endpoint", "https://h:9000/", "s3://b/{cookie}", 0 },
	{ "endpoint", "http://[::1]:9000", "s3://b/{cookie}", 0 },
	{ "stall-timeout", "5s", "s3://{volume}/x/{cookie}", 0 },
};

START_TEST(parameter)
{
	const struct fetcher_param params[] = {
		{ "credentials-file", file },
		{ params_tried[_i].key, params_tried[_i].value },
		{ NULL, NULL },
	};
	char text[FETCH_ERROR_MAX] = "";

	ck_assert_msg(class_of_s3()->create(NULL, NULL, params_tried[_i].template, params, text) ==
			      params_tried[_i].err,
		      "%s = %s: %s", params_tried[_i].key, params_tried[_i].value, text);
	ck_assert_ptr_null(strstr(text, "secret"));
}
END_TEST

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
	Suite *s;
	TCase *tc;

	if (!oracle_installed())
		return skip_all("no python3 with botocore here");
	s = suite_create("s3");
	tc = s3_tests(s);
	tcase_add_test(tc, right_signature);
	tcase_add_test(tc, wrong_secret);
	tcase_add_test(tc, session_token);
	tcase_add_test(tc, wrong_region);
	tcase_add_test(tc, fields_of_the_source);
	tcase_add_loop_test(tc, odd_key, 0, 2 * N(odd_keys));
	tcase_add_loop_test(tc, bad_locator, 0, N(bad_locators));
	tcase_add_test(tc, long_keys);
	tcase_add_test(tc, bucket_is_kept);
	tcase_add_test(tc, bucket_in_the_host);
	tcase_add_test(tc, bucket_in_the_path);
	tcase_add_test(tc, redirects_within_the_endpoint);
	tcase_add_test(tc, redirects_out_of_the_endpoint);
	tcase_add_test(tc, moved_to_nowhere);
	tcase_add_test(tc, anonymous_bucket);
	tcase_add_loop_test(tc, error_says_why, 0, N(errors));
	tcase_add_test(tc, replaced_object_is_stale);
	tcase_add_test(tc, secrets_are_not_told);
	tcase_add_loop_test(tc, parameter, 0, N(params_tried));
	return run_suite(s);
}
