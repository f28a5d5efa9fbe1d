/* SPDX-License-Identifier: MIT */
#include "tests/contract/s3-rig.h"

#include "daemon/replay/pattern.h"

struct origin *origin, *other;
struct host host;
char endpoint[64], file[TEMPORARY_MAX + 64], look_error[FETCH_ERROR_MAX];

const struct fetcher_class *class_of_s3(void)
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

const char *write_keys(const char *profile, const char *id, const char *secret,
			      const char *token)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "[other]\naws_access_key_id = x\n\n[%s]\naws_access_key_id = %s\n"
		 "aws_secret_access_key=%s\n%s%s\n",
		 profile, id, secret, token ? "aws_session_token = " : "", token ? token : "");
	return oracle_write("credentials", text);
}

void start(void)
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

void stop(void)
{
	if (host.fetcher)
		host_stop(&host);
	oracle_stop();
	origin_stop(origin);
	origin_stop(other);
}

void host_with(const char *key, const char *value)
{
	const struct fetcher_param params[] = { { "endpoint", endpoint },
						{ "region", ORACLE_REGION },
						{ "credentials-file", file },
						{ key, value },
						{ NULL, NULL } };

	host_start(&host, LOOP_POLL, "s3://{volume}/{cookie}", params);
}

void host_from_environment(const char *key, const char *value)
{
	const struct fetcher_param params[] = { { "endpoint", endpoint },
						{ "region", ORACLE_REGION },
						{ key, value },
						{ NULL, NULL } };

	host_start(&host, LOOP_POLL, "s3://{volume}/{cookie}", params);
}

int look_at(const char *locator)
{
	struct host_look look;
	int err = host_look(&host, &look, locator, 4096);

	snprintf(look_error, sizeof(look_error), "%s", err < 0 ? look.look.error : "");
	host_look_free(&look);
	return err;
}

void check_object(const char *locator, const char *name)
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

TCase *s3_tests(Suite *suite)
{
	TCase *tc = tcase_create("s3");

	tcase_set_timeout(tc, 120);
	tcase_add_unchecked_fixture(tc, oracle_begin, oracle_end);
	tcase_add_checked_fixture(tc, start, stop);
	suite_add_tcase(suite, tc);
	return tc;
}
