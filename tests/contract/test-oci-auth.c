/* SPDX-License-Identifier: MIT */
/*
 * Who may read: docker-registry(1) with passwords over TLS, and with tokens.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/replay/pattern.h"
#include "tests/contract/oci.h"
#include "tests/lib/origin.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/shell.h"
#include "tests/lib/token-server.h"

#define MANY 32

static struct layer layer;

static void start(void)
{
	static const char *const places[] = { "REGISTRY_AUTH_FILE", "DOCKER_CONFIG",
					      "XDG_RUNTIME_DIR", "CREDENTIALS_DIRECTORY", "HOME" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		unsetenv(places[i]);
	registry_start();
	layer = (struct layer){ "one", SIZE };
	push_image("v1", &layer, 1, NULL);
}

static void stop(void)
{
	token_server_stop();
	registry_stop();
}

/* An auth.json for a port, with one entry of that member. */
static const char *auth_for(unsigned int port, const char *member)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"auths\":{\"127.0.0.1:%u\":{%s}}}", port, member);
	return put_file("auth.json", text);
}

#define ALADDIN "\"auth\":\"QWxhZGRpbjpvcGVuIHNlc2FtZQ==\"" /* Aladdin:open sesame */
#define ALI	"\"auth\":\"QWxpOm9wZW4gc2VzYW1l\""	    /* Ali:open sesame */

/* ---- passwords -------------------------------------------------------------------------- */

static unsigned int open_with_passwords(void)
{
	char auth[TEMPORARY_MAX + 64];

	sh("htpasswd -Bbn Aladdin 'open sesame' > %s/htpasswd", registry_dir());
	snprintf(auth, sizeof(auth), "{htpasswd: {realm: t, path: %s/htpasswd}}", registry_dir());
	return registry_open("door", make_certificates(), auth, NULL);
}

/* With TLS, which is the default. */
static void host_secure(unsigned int port, const char *auth_file)
{
	char ca[TEMPORARY_MAX + 16], template[64];
	struct fetcher_param params[] = { { "ca-file", ca },
					  { auth_file ? "auth-file" : NULL, auth_file },
					  { NULL, NULL } };

	snprintf(ca, sizeof(ca), "%s/ca.pem", registry_dir());
	snprintf(template, sizeof(template), "oci://127.0.0.1:%u/{cookie}", port);
	host_start(&host, LOOP_POLL, template, params);
}

START_TEST(password_over_tls)
{
	unsigned int port = open_with_passwords();
	char path[TEMPORARY_MAX + 64];

	snprintf(path, sizeof(path), "%s", auth_for(port, ALADDIN));
	host_secure(port, path);
	expect_bytes(locator(port, ":v1"), "one", SIZE, 50);
	host_stop(&host);
	/* It was asked for once, and is sent from then on. */
	registry_expect_logged("door", "\" 401 ", "GET", 1);
	registry_expect_logged("door", "\" 206 ", "GET", 51);
	/* From a usual place. */
	setenv("REGISTRY_AUTH_FILE", path, 1);
	host_secure(port, NULL);
	expect_bytes(locator(port, ":v1"), "one", SIZE, 2);
	host_stop(&host);
}
END_TEST

START_TEST(password_that_is_wrong)
{
	unsigned int port = open_with_passwords();
	struct host_look look;
	char path[TEMPORARY_MAX + 64];

	snprintf(path, sizeof(path), "%s", auth_for(port, ALI));
	host_secure(port, path);
	look = expect_look(locator(port, ":v1"), -EACCES, "401");
	ck_assert_ptr_null(strstr(look.look.error, "sesame"));
	ck_assert_ptr_null(strstr(look.look.error, "QWxpOm9wZW4"));
	/* Sent once, refused, not sent again. */
	registry_expect_logged("door", "\" 401 ", "GET", 2);
	/* Somebody logs in: no restart. */
	auth_for(port, ALADDIN);
	expect_bytes(locator(port, ":v1"), "one", SIZE, 2);
	host_stop(&host);
}
END_TEST

START_TEST(password_that_nobody_has)
{
	unsigned int port = open_with_passwords();
	char text[256], path[TEMPORARY_MAX + 64];

	host_secure(port, NULL);
	expect_look(locator(port, ":v1"), -EACCES, "there is none");
	host_stop(&host);
	snprintf(text, sizeof(text), "{\"credHelpers\":{\"127.0.0.1:%u\":\"vault\"}}", port);
	snprintf(path, sizeof(path), "%s", put_file("auth.json", text));
	host_secure(port, NULL);
	setenv("REGISTRY_AUTH_FILE", path, 1);
	expect_look(locator(port, ":v1"), -EACCES, "docker-credential-vault");
	host_stop(&host);
}
END_TEST

/* ---- tokens ----------------------------------------------------------------------------- */

static unsigned int open_with_tokens(const struct token_server_options *options)
{
	return registry_open("door", NULL, token_server_start(options), NULL);
}

START_TEST(token_for_everybody)
{
	static const struct token_server_options options = { .access_token = true };
	unsigned int port = open_with_tokens(&options);
	static struct host_look looks[MANY];
	char last[4096];

	host_for(port, NULL, NULL);
	/* All are refused, and wait for the same token. */
	for (int i = 0; i < MANY; i++)
		host_look_start(&host, &looks[i], locator(port, ":v1"), 4096);
	host_wait_all(&host);
	for (int i = 0; i < MANY; i++) {
		ck_assert_msg(looks[i].err == 0, "%s", looks[i].look.error);
		host_look_free(&looks[i]);
	}
	expect_bytes(locator(port, ":v1"), "one", SIZE, 50);
	ck_assert_uint_eq(token_server_asked(), 1);
	token_server_last(last, sizeof(last));
	ck_assert_ptr_nonnull(strstr(last, "GET /token?service=reg&"));
	ck_assert_ptr_nonnull(strstr(last, "scope=repository%3Ateam%2Fimage%3Apull"));
	ck_assert_ptr_null(strstr(last, "Authorization"));
	host_stop(&host);
}
END_TEST

START_TEST(token_for_a_password)
{
	static const struct token_server_options options = { .user = "Aladdin",
							     .password = "open sesame" };
	unsigned int port = open_with_tokens(&options);
	struct host_look look;
	char path[TEMPORARY_MAX + 64];

	snprintf(path, sizeof(path), "%s", auth_for(port, ALADDIN));
	host_for(port, "auth-file", path);
	expect_bytes(locator(port, ":v1"), "one", SIZE, 20);
	ck_assert_uint_eq(token_server_asked(), 1);
	host_stop(&host);
	/* A wrong one. */
	auth_for(port, ALI);
	host_for(port, "auth-file", path);
	look = expect_look(locator(port, ":v1"), -EACCES, "token server refuses");
	ck_assert_ptr_null(strstr(look.look.error, "sesame"));
	ck_assert_uint_eq(token_server_asked(), 2);
	host_stop(&host);
}
END_TEST

START_TEST(token_for_a_token)
{
	static const struct token_server_options options = {
		.user = "nobody", .password = "", .identity_token = "s3cret", .access_token = true
	};
	unsigned int port = open_with_tokens(&options);
	char last[4096], path[TEMPORARY_MAX + 64];

	snprintf(path, sizeof(path), "%s", auth_for(port, "\"identitytoken\":\"s3cret\""));
	host_for(port, "auth-file", path);
	expect_bytes(locator(port, ":v1"), "one", SIZE, 2);
	token_server_last(last, sizeof(last));
	ck_assert_ptr_nonnull(strstr(last, "POST /token HTTP"));
	ck_assert_ptr_nonnull(strstr(last, "grant_type=refresh_token&client_id=cachefilld&"));
	host_stop(&host);
	auth_for(port, "\"identitytoken\":\"other\"");
	host_for(port, "auth-file", path);
	expect_look(locator(port, ":v1"), -EACCES, "token server refuses");
	host_stop(&host);
}
END_TEST

/* One of that the registry takes no more 3 s later, whatever was told: the leeway is 60 s. */
START_TEST(token_that_is_refused)
{
	static const struct token_server_options options = { .life = -57, .expires_in = 600 };
	unsigned int port = open_with_tokens(&options);
	struct fetch_object *object;
	struct host_look look;

	host_for(port, NULL, NULL);
	look = expect_look(locator(port, ":v1"), 0, "");
	object = host_attach(&host, locator(port, ":v1"), &look.look.identity);
	while (token_server_asked() < 2) {
		expect_reads(object, "one", SIZE, 8);
		host_idle(&host, 100);
	}
	expect_reads(object, "one", SIZE, 8);
	ck_assert_uint_eq(token_server_asked(), 2);
	host.fetcher->ops->detach(object);
	host_stop(&host);
}
END_TEST

/* Renewed before it ends: nothing is refused, and nothing waits while the server does not answer.
 */
START_TEST(token_that_gets_old)
{
	struct token_server_options options = { .expires_in = 8 };
	unsigned int port = open_with_tokens(&options);
	struct fetch_object *object;
	struct host_look look;

	host_for(port, NULL, NULL);
	look = expect_look(locator(port, ":v1"), 0, "");
	object = host_attach(&host, locator(port, ":v1"), &look.look.identity);
	options.hang = true;
	token_server_change(&options);
	while (token_server_asked() < 2) {
		expect_reads(object, "one", SIZE, 2);
		host_idle(&host, 50);
	}
	options.hang = false;
	token_server_change(&options);
	expect_reads(object, "one", SIZE, 2);
	registry_expect_logged("door", "\" 401 ", "GET", 1);
	host.fetcher->ops->detach(object);
	host_stop(&host);
}
END_TEST

/* Reads the first bytes of a blob that is known, as those of an image are: nobody looks before. */
static void read_known(unsigned int port, const char *repository)
{
	struct fetch_identity identity = { .size = SIZE };
	struct fetch_object *object;
	struct host_read read = { 0 };
	char text[256];

	snprintf(identity.validator, sizeof(identity.validator), "digest:%s", layer.digest);
	snprintf(text, sizeof(text), "oci://127.0.0.1:%u/%s@%s?blob", port, repository,
		 layer.digest);
	object = host_attach(&host, text, &identity);
	ck_assert_msg(host_read(&host, &read, object, 0, 4096) == 0, "%s", read.read.error);
	host_read_free(&read);
	host.fetcher->ops->detach(object);
}

#define OTHER "team/other"

/* The same blob in another repository of the registry. */
static void copy_to_other(void)
{
	char *bytes = malloc(SIZE), digest[REGISTRY_DIGEST_MAX];

	pattern_fill(bytes, SIZE, pattern_key(layer.name), 0);
	registry_put_blob(OTHER, bytes, SIZE, digest);
	ck_assert_str_eq(digest, layer.digest);
	free(bytes);
}

/* What a cold image waits for: a refusal, a token, the bytes. */
START_TEST(token_before_the_first_bytes)
{
	static const struct token_server_options options = { 0 };
	unsigned int port = open_with_tokens(&options);
	char last[4096];

	host_for(port, NULL, NULL);
	read_known(port, REPOSITORY);
	registry_expect_logged("door", "\" 401 ", "GET", 1);
	registry_expect_logged("door", "\" 206 ", "GET", 1);
	ck_assert_uint_eq(token_server_asked(), 1);
	read_known(port, REPOSITORY);
	registry_expect_logged("door", "\" 401 ", "GET", 1);
	ck_assert_uint_eq(token_server_asked(), 1);
	/* Of another repository it is known by then what it will want. */
	copy_to_other();
	read_known(port, OTHER);
	registry_expect_logged("door", "\" 206 ", OTHER, 1);
	registry_expect_logged("door", "\" 401 ", "GET", 1);
	ck_assert_uint_eq(token_server_asked(), 2);
	token_server_last(last, sizeof(last));
	ck_assert_ptr_nonnull(strstr(last, "scope=repository%3Ateam%2Fother%3Apull"));
	host_stop(&host);
}
END_TEST

/* Where that helps nothing it is as if nobody had guessed. */
START_TEST(token_that_was_guessed_in_vain)
{
	struct token_server_options options = { 0 };
	unsigned int port = open_with_tokens(&options);
	struct host_look look;
	char text[256];

	host_for(port, NULL, NULL);
	read_known(port, REPOSITORY);
	copy_to_other();
	options.status = 403;
	token_server_change(&options);
	snprintf(text, sizeof(text), "oci://127.0.0.1:%u/" OTHER "@%s?blob", port, layer.digest);
	look = expect_look(text, -EACCES, "token server refuses");
	ck_assert_ptr_nonnull(strstr(look.look.error, "403"));
	/* The guess, and what the registry has asked for. */
	ck_assert_uint_eq(token_server_asked(), 3);
	registry_expect_logged("door", "\" 401 ", OTHER, 1);
	options.status = 0;
	options.repository = REPOSITORY; /* a token that is for something else */
	token_server_change(&options);
	expect_look(text, -EACCES, "401");
	options.repository = NULL;
	token_server_change(&options);
	read_known(port, OTHER);
	host_stop(&host);
}
END_TEST

START_TEST(token_that_is_for_something_else)
{
	static const struct token_server_options options = { .repository = "team/other" };
	unsigned int port = open_with_tokens(&options);

	host_for(port, NULL, NULL);
	expect_look(locator(port, ":v1"), -EACCES, "401");
	/* Asked once more, and no more. */
	ck_assert_uint_eq(token_server_asked(), 2);
	host_stop(&host);
}
END_TEST

START_TEST(token_server_that_fails)
{
	struct token_server_options options = { .status = 503 };
	unsigned int port = open_with_tokens(&options);

	host_for(port, NULL, NULL);
	expect_look(locator(port, ":v1"), -EAGAIN, "503");
	options.status = 404;
	token_server_change(&options);
	expect_look(locator(port, ":v1"), -EIO, "404");
	options.status = 0;
	token_server_change(&options);
	expect_bytes(locator(port, ":v1"), "one", SIZE, 2);
	host_stop(&host);
}
END_TEST

START_TEST(token_server_without_tls)
{
	static const struct token_server_options options = { 0 };
	const char *http = make_certificates();
	unsigned int port = registry_open("door", http, token_server_start(&options), NULL);

	host_secure(port, NULL);
	expect_look(locator(port, ":v1"), -EACCES, "without TLS");
	ck_assert_uint_eq(token_server_asked(), 0);
	host_stop(&host);
}
END_TEST

START_TEST(token_server_that_is_not_there)
{
	struct token_server_options options = { 0 };
	unsigned int port = open_with_tokens(&options);

	token_server_stop();
	host_for(port, NULL, NULL);
	expect_look(locator(port, ":v1"), -ECONNREFUSED, "token");
	host_stop(&host);
}
END_TEST

/* To another host: a token is not posted there, a password not shown. */
START_TEST(token_server_that_points_elsewhere)
{
	struct token_server_options options = { 0 };
	char elsewhere[64], path[TEMPORARY_MAX + 64], last[4096];
	struct origin *origin;
	unsigned int port;

	ck_assert_int_eq(origin_start(&origin, NULL), 0);
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", origin_url(origin));
	options.location = elsewhere;
	port = open_with_tokens(&options);
	snprintf(path, sizeof(path), "%s", auth_for(port, "\"identitytoken\":\"s3cret\""));
	host_for(port, "auth-file", path);
	expect_look(locator(port, ":v1"), -EACCES, "redirected");
	ck_assert_uint_eq(origin_stats(origin).requests, 0);
	host_stop(&host);
	auth_for(port, ALADDIN);
	host_for(port, "auth-file", path);
	expect_look(locator(port, ":v1"), -EIO, "404");
	ck_assert_ptr_nonnull(strstr(token_server_last(last, sizeof(last)), "Authorization: "));
	ck_assert_ptr_nonnull(strstr(origin_last_request(origin, last, sizeof(last)), "elsewhere"));
	ck_assert_ptr_null(strstr(last, "Authorization"));
	host_stop(&host);
	origin_stop(origin);
}
END_TEST

START_TEST(waiting_may_be_canceled)
{
	static const struct token_server_options options = { 0 };
	unsigned int port = open_with_tokens(&options);

	for (int turns = 0; turns < 24; turns++) {
		struct host_look look;
		int err;

		host_for(port, NULL, NULL);
		host_look_start(&host, &look, locator(port, ":v1"), 4096);
		for (int i = 0; i < turns && look.n_done == 0; i++)
			host_turn(&host);
		if (look.n_done == 0)
			host_look_cancel(&look);
		err = host_look_wait(&look);
		ck_assert(err == 0 || err == -ECANCELED);
		host_look_free(&look);
		/* A token may be on its way when everything ends. */
		host_stop(&host);
	}
}
END_TEST

int main(void)
{
	Suite *s;
	TCase *tc, *tokens;

	if (!have("openssl"))
		return skip_all("no openssl here");
	if (!registry_installed())
		return skip_all("no docker-registry here");
	s = suite_create("oci-auth");
	tc = tcase_create("passwords");
	tokens = tcase_create("tokens");
	tcase_set_timeout(tc, 120);
	tcase_set_timeout(tokens, 120);
	tcase_add_unchecked_fixture(tc, registry_begin, registry_end);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_unchecked_fixture(tokens, registry_begin, registry_end);
	tcase_add_checked_fixture(tokens, start, stop);
	tcase_add_test(tc, password_over_tls);
	tcase_add_test(tc, password_that_is_wrong);
	tcase_add_test(tc, password_that_nobody_has);
	if (have("htpasswd"))
		suite_add_tcase(s, tc);
	else
		printf("# no htpasswd here\n");
	tcase_add_test(tokens, token_for_everybody);
	tcase_add_test(tokens, token_for_a_password);
	tcase_add_test(tokens, token_for_a_token);
	tcase_add_test(tokens, token_that_is_refused);
	tcase_add_test(tokens, token_that_gets_old);
	tcase_add_test(tokens, token_before_the_first_bytes);
	tcase_add_test(tokens, token_that_was_guessed_in_vain);
	tcase_add_test(tokens, token_that_is_for_something_else);
	tcase_add_test(tokens, token_server_that_fails);
	tcase_add_test(tokens, token_server_without_tls);
	tcase_add_test(tokens, token_server_that_is_not_there);
	tcase_add_test(tokens, token_server_that_points_elsewhere);
	tcase_add_test(tokens, waiting_may_be_canceled);
	suite_add_tcase(s, tokens);
	return run_suite(s);
}
