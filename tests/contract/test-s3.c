/* SPDX-License-Identifier: MIT */
/*
 * The s3 fetcher against a server that judges signatures by AWS's own code: keys of any bytes,
 * where credentials come from, buckets as hosts, redirects, what errors say, and whom secrets are
 * told. Skipped where python3 or botocore is missing.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/replay/pattern.h"
#include "tests/contract/s3-oracle.h"
#include "tests/lib/host.h"
#include "tests/lib/origin.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

#define SIZE   ((uint64_t)100000)
#define TOKEN  "IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////wEaCXVzLWVhc3QtMSJHMEUCIQ=="
#define SECOND "AKIDSECOND"

static struct origin *origin, *other;
static struct host host;
static char endpoint[64], file[TEMPORARY_MAX + 64];

static const struct fetcher_class *class_of_s3(void)
{
	return fetcher_class_find("s3:");
}

static void clear_environment(void)
{
	static const char *const names[] = {
		"AWS_ACCESS_KEY_ID",
		"AWS_SECRET_ACCESS_KEY",
		"AWS_SESSION_TOKEN",
		"AWS_PROFILE",
		"AWS_REGION",
		"AWS_DEFAULT_REGION",
		"AWS_CONFIG_FILE",
		"AWS_SHARED_CREDENTIALS_FILE",
		"HOME",
		"CREDENTIALS_DIRECTORY",
		"http_proxy",
		"all_proxy",
		"ALL_PROXY",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
}

static const char *write_keys(const char *profile, const char *id, const char *secret,
			      const char *token)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "[other]\naws_access_key_id = x\n\n[%s]\naws_access_key_id = %s\n"
		 "aws_secret_access_key=%s\n%s%s\n",
		 profile, id, secret, token ? "aws_session_token = " : "", token ? token : "");
	return oracle_write("credentials", text);
}

static void start(void)
{
	clear_environment();
	ck_assert_int_eq(origin_start(&origin, NULL), 0);
	ck_assert_int_eq(origin_start(&other, NULL), 0);
	oracle_start(origin_port(origin));
	origin_put(origin, "blob", SIZE);
	origin_put(other, "data/blob", SIZE);
	snprintf(endpoint, sizeof(endpoint), "http://localhost:%u", oracle_port());
	snprintf(file, sizeof(file), "%s", write_keys("default", ORACLE_ID, ORACLE_SECRET, NULL));
	host = (struct host){ 0 };
}

static void stop(void)
{
	if (host.fetcher)
		host_stop(&host);
	oracle_stop();
	origin_stop(origin);
	origin_stop(other);
}

/* The host, with one parameter (or NULL) beside endpoint, region and file of credentials. */
static void host_with(const char *key, const char *value)
{
	const struct fetcher_param params[] = { { "endpoint", endpoint },
						{ "region", ORACLE_REGION },
						{ "credentials-file", file },
						{ key, value },
						{ NULL, NULL } };

	host_start(&host, LOOP_POLL, "s3://{volume}/{cookie}", params);
}

/* The same with credentials from elsewhere. */
static void host_from_environment(const char *key, const char *value)
{
	const struct fetcher_param params[] = { { "endpoint", endpoint },
						{ "region", ORACLE_REGION },
						{ key, value },
						{ NULL, NULL } };

	host_start(&host, LOOP_POLL, "s3://{volume}/{cookie}", params);
}

/* The error of a look; its text in error. */
static char error[FETCH_ERROR_MAX];

static int look_at(const char *locator)
{
	struct host_look look;
	int err = host_look(&host, &look, locator, 4096);

	snprintf(error, sizeof(error), "%s", err < 0 ? look.look.error : "");
	host_look_free(&look);
	return err;
}

/* Looks, reads, and compares with the object `name` of the origin. */
static void check_object(const char *locator, const char *name)
{
	struct host_read read = { 0 };
	struct fetch_object *object;
	struct host_look look;

	ck_assert_msg(host_look(&host, &look, locator, 4096) == 0, "%s", look.look.error);
	ck_assert_uint_eq(look.look.identity.size, SIZE);
	object = host_attach(&host, locator, &look.look.identity);
	ck_assert_msg(host_read(&host, &read, object, 4096, 65536) == 0, "%s", read.read.error);
	ck_assert_uint_eq(pattern_check(read.read.buf, 65536, origin_key(origin, name), 4096),
			  65536);
	host_read_free(&read);
	host.fetcher->ops->detach(object);
	host_look_free(&look);
}

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
	ck_assert_ptr_nonnull(strstr(error, "SignatureDoesNotMatch: check the secret key"));
	ck_assert_ptr_null(strstr(error, "wrong"));
	/* There is nothing better to try. */
	ck_assert_uint_eq(oracle_answered(403, "SignatureDoesNotMatch"), 1);
}
END_TEST

START_TEST(session_token)
{
	oracle_keys(ORACLE_ID " " ORACLE_SECRET " " TOKEN);
	host_with(NULL, NULL);
	ck_assert_int_eq(look_at("s3://data/blob"), -EACCES);
	ck_assert_ptr_nonnull(strstr(error, "InvalidToken"));
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
	ck_assert_ptr_nonnull(strstr(error, "AuthorizationHeaderMalformed: check the region"));
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
	ck_assert_ptr_nonnull(strstr(error, "too long"));
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
	ck_assert_ptr_nonnull(strstr(error, "redirected out of its endpoint"));
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
	ck_assert_ptr_nonnull(strstr(error, "PermanentRedirect: check region and endpoint"));
}
END_TEST

/* ---- without signature ------------------------------------------------------------------ */

START_TEST(anonymous_bucket)
{
	char request[4096];

	host_from_environment("anonymous", "yes");
	check_object("s3://public/blob", "blob");
	ck_assert_int_eq(look_at("s3://data/blob"), -EACCES);
	ck_assert_ptr_nonnull(strstr(error, "AccessDenied"));
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

/* ---- credentials ------------------------------------------------------------------------ */

START_TEST(credentials_of_the_environment)
{
	setenv("AWS_ACCESS_KEY_ID", ORACLE_ID, 1);
	setenv("AWS_SECRET_ACCESS_KEY", ORACLE_SECRET, 1);
	setenv("AWS_SESSION_TOKEN", TOKEN, 1);
	oracle_keys(ORACLE_ID " " ORACLE_SECRET " " TOKEN);
	host_from_environment(NULL, NULL);
	check_object("s3://data/blob", "blob");
}
END_TEST

START_TEST(credentials_of_the_service_manager)
{
	char path[TEMPORARY_MAX + 64];

	snprintf(path, sizeof(path), "%s/aws-credentials", oracle_dir());
	ck_assert_int_eq(rename(file, path), 0);
	setenv("CREDENTIALS_DIRECTORY", oracle_dir(), 1);
	host_from_environment(NULL, NULL);
	check_object("s3://data/blob", "blob");
}
END_TEST

START_TEST(credentials_of_the_shared_file)
{
	setenv("AWS_SHARED_CREDENTIALS_FILE", file, 1);
	host_from_environment(NULL, NULL);
	check_object("s3://data/blob", "blob");
}
END_TEST

START_TEST(credentials_at_home)
{
	char path[TEMPORARY_MAX + 64];

	snprintf(path, sizeof(path), "%s/.aws", oracle_dir());
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/.aws/credentials", oracle_dir());
	ck_assert_int_eq(rename(file, path), 0);
	setenv("HOME", oracle_dir(), 1);
	host_from_environment(NULL, NULL);
	check_object("s3://data/blob", "blob");
}
END_TEST

/* A section that is asked for is not what the environment has. */
START_TEST(credentials_of_a_profile)
{
	write_keys("work", ORACLE_ID, ORACLE_SECRET, NULL);
	setenv("AWS_SHARED_CREDENTIALS_FILE", file, 1);
	setenv("AWS_ACCESS_KEY_ID", "wrong", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "wrong", 1);
	host_from_environment("profile", "work");
	check_object("s3://data/blob", "blob");
	host_stop(&host);
	unsetenv("AWS_ACCESS_KEY_ID");
	setenv("AWS_PROFILE", "work", 1);
	host_from_environment(NULL, NULL);
	check_object("s3://data/blob", "blob");
}
END_TEST

START_TEST(region_of_the_profile)
{
	const struct fetcher_param params[] = { { "endpoint", endpoint }, { NULL, NULL } };

	setenv("AWS_SHARED_CREDENTIALS_FILE", file, 1);
	setenv("AWS_CONFIG_FILE", oracle_write("config", "[default]\nregion = " ORACLE_REGION "\n"),
	       1);
	host_start(&host, LOOP_POLL, "s3://{volume}/{cookie}", params);
	check_object("s3://data/blob", "blob");
	host_stop(&host);
	setenv("AWS_REGION", "us-west-2", 1);
	host_start(&host, LOOP_POLL, "s3://{volume}/{cookie}", params);
	ck_assert_int_eq(look_at("s3://data/blob"), -EACCES);
}
END_TEST

START_TEST(no_credentials)
{
	static const struct fetcher_param none[1];
	struct fetcher_param missing[] = { { "credentials-file", "/no/such/file" },
					   { NULL, NULL } };
	struct fetcher_param profile[] = { { "credentials-file", file },
					   { "profile", "nobody" },
					   { NULL, NULL } };
	char text[FETCH_ERROR_MAX] = "";

	ck_assert_int_lt(class_of_s3()->create(NULL, NULL, "s3://b/{cookie}", none, text), 0);
	ck_assert_ptr_nonnull(strstr(text, "no credentials: $AWS_ACCESS_KEY_ID (unset)"));
	setenv("HOME", "/no/such/home", 1);
	ck_assert_int_lt(class_of_s3()->create(NULL, NULL, "s3://b/{cookie}", none, text), 0);
	ck_assert_ptr_nonnull(strstr(text, "/no/such/home/.aws/credentials"));
	ck_assert_int_eq(class_of_s3()->create(NULL, NULL, "s3://b/{cookie}", missing, text),
			 -ENOENT);
	ck_assert_ptr_nonnull(strstr(text, "credentials-file: "));
	ck_assert_ptr_nonnull(strstr(text, "/no/such/file"));
	ck_assert_int_eq(class_of_s3()->create(NULL, NULL, "s3://b/{cookie}", profile, text),
			 -ENOENT);
	ck_assert_ptr_nonnull(strstr(text, "no profile 'nobody'"));
	ck_assert_ptr_null(strstr(text, ORACLE_SECRET));
}
END_TEST

/* The file changes before the keys that are in use end: nobody notices. */
START_TEST(changed_file_is_read)
{
	host_with(NULL, NULL);
	check_object("s3://data/blob", "blob");
	oracle_keys(SECOND " other-secret");
	write_keys("default", SECOND, "other-secret", NULL);
	check_object("s3://data/blob", "blob");
	ck_assert_uint_eq(oracle_answered(403, "InvalidAccessKeyId"), 0);
}
END_TEST

/* A file that is as old and as long as before is not read again until a request is refused. */
START_TEST(refused_request_is_sent_again)
{
	struct timespec times[2];
	struct stat st;
	FILE *f;

	host_with(NULL, NULL);
	check_object("s3://data/blob", "blob");
	ck_assert_int_eq(stat(file, &st), 0);
	f = fopen(file, "r+e");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "[default]\naws_access_key_id=" SECOND "\naws_secret_access_key=s\n[end]\n");
	while (ftell(f) < st.st_size)
		fputc('#', f);
	fclose(f);
	times[0] = times[1] = st.st_mtim;
	ck_assert_int_eq(utimensat(AT_FDCWD, file, times, 0), 0);
	oracle_keys(SECOND " s");
	ck_assert_int_eq(look_at("s3://data/blob"), 0);
	ck_assert_uint_eq(oracle_answered(403, "InvalidAccessKeyId"), 1);
	ck_assert_uint_eq(oracle_answered(206, "-"), 3);
}
END_TEST

/* What is half written, or away, does no harm to what is known. */
START_TEST(bad_file_leaves_what_was)
{
	host_with(NULL, NULL);
	oracle_write("credentials", "[default]\naws_access_key_id =");
	check_object("s3://data/blob", "blob");
	ck_assert_int_eq(unlink(file), 0);
	check_object("s3://data/blob", "blob");
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
	ck_assert_msg(strstr(error, errors[_i].text) != NULL, "%s", error);
	ck_assert_ptr_nonnull(strstr(error, "localhost"));
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
		ck_assert_ptr_null(strstr(error, ORACLE_SECRET));
		ck_assert_ptr_null(strstr(error, ORACLE_ID));
		ck_assert_ptr_null(strstr(error, TOKEN));
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
	tc = tcase_create("s3");
	tcase_set_timeout(tc, 120);
	tcase_add_unchecked_fixture(tc, oracle_begin, oracle_end);
	tcase_add_checked_fixture(tc, start, stop);
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
	tcase_add_test(tc, credentials_of_the_environment);
	tcase_add_test(tc, credentials_of_the_service_manager);
	tcase_add_test(tc, credentials_of_the_shared_file);
	tcase_add_test(tc, credentials_at_home);
	tcase_add_test(tc, credentials_of_a_profile);
	tcase_add_test(tc, region_of_the_profile);
	tcase_add_test(tc, no_credentials);
	tcase_add_test(tc, changed_file_is_read);
	tcase_add_test(tc, refused_request_is_sent_again);
	tcase_add_test(tc, bad_file_leaves_what_was);
	tcase_add_loop_test(tc, error_says_why, 0, N(errors));
	tcase_add_test(tc, replaced_object_is_stale);
	tcase_add_test(tc, secrets_are_not_told);
	tcase_add_loop_test(tc, parameter, 0, N(params_tried));
	suite_add_tcase(s, tc);
	return run_suite(s);
}
