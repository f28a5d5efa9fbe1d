/* SPDX-License-Identifier: MIT */
/*
 * What is known of a registry before it is asked: fewer requests if it is right, one more at most
 * and no other end if it is wrong. docker-registry(1) with tokens, and with passwords.
 */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/contract/oci.h"
#include "tests/lib/origin.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/shell.h"
#include "tests/lib/token-server.h"

#define ALADDIN "QWxhZGRpbjpvcGVuIHNlc2FtZQ==" /* Aladdin:open sesame */
#define ALI	"QWxpOm9wZW4gc2VzYW1l"	       /* Ali:open sesame */

static struct layer layer;

/* ---- a host with one note ----------------------------------------------------------------- */

static char noted_name[256], noted[FETCH_NOTE_MAX];
static unsigned int n_noted;

static bool recall(struct fetch_notes *notes, const char *name, char ret[FETCH_NOTE_MAX])
{
	if (!*noted || strcmp(name, noted_name) != 0)
		return false;
	strcpy(ret, noted);
	return true;
}

static void remember(struct fetch_notes *notes, const char *name, const char *text)
{
	ck_assert_uint_lt(strlen(name), sizeof(noted_name));
	ck_assert_uint_lt(strlen(text), FETCH_NOTE_MAX);
	strcpy(noted_name, name);
	strcpy(noted, text);
	n_noted++;
}

static struct fetch_notes notes;
static struct fetch_host services = { .notes = &notes };

/* A process of its own, which only this note has survived to. */
static void begin(unsigned int port, const char *auth_file)
{
	host_for(port, auth_file ? "auth-file" : NULL, auth_file);
	loop_set_host(host.loop, &services);
}

__attribute__((format(printf, 2, 3))) static void note(unsigned int port, const char *fmt, ...)
{
	va_list ap;

	snprintf(noted_name, sizeof(noted_name), "http://127.0.0.1:%u", port);
	va_start(ap, fmt);
	vsnprintf(noted, sizeof(noted), fmt, ap);
	va_end(ap);
}

static void start(void)
{
	static const char *const places[] = { "REGISTRY_AUTH_FILE", "DOCKER_CONFIG",
					      "XDG_RUNTIME_DIR", "CREDENTIALS_DIRECTORY", "HOME" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		unsetenv(places[i]);
	registry_start();
	layer = (struct layer){ "one", SIZE };
	push_image("v1", &layer, 1, NULL);
	notes = (struct fetch_notes){ recall, remember };
	*noted = '\0';
	n_noted = 0;
}

static void stop(void)
{
	token_server_stop();
	registry_stop();
}

static unsigned int open_with_tokens(const struct token_server_options *options)
{
	return registry_open("door", NULL, token_server_start(options), NULL);
}

static unsigned int open_with_passwords(void)
{
	char command[512], auth[256];

	snprintf(command, sizeof(command), "htpasswd -Bbn Aladdin 'open sesame' > %s/htpasswd",
		 registry_dir());
	ck_assert_int_eq(system(command), 0);
	snprintf(auth, sizeof(auth), "{htpasswd: {realm: t, path: %s/htpasswd}}", registry_dir());
	return registry_open("door", NULL, auth, NULL);
}

static const char *login(unsigned int port, const char *pair)
{
	char text[256];

	snprintf(text, sizeof(text), "{\"auths\":{\"127.0.0.1:%u\":{\"auth\":\"%s\"}}}", port,
		 pair);
	return put_file("auth.json", text);
}

/* As an object of an image is read: nobody looks before. */
static void read_known(unsigned int port, int want)
{
	struct fetch_identity identity = { .size = SIZE };
	struct fetch_object *object;
	struct host_read read = { 0 };
	char rest[128];
	int err;

	snprintf(identity.validator, sizeof(identity.validator), "digest:%s", layer.digest);
	snprintf(rest, sizeof(rest), "@%s?blob", layer.digest);
	object = host_attach(&host, locator(port, rest), &identity);
	err = host_read(&host, &read, object, 0, 4096);
	ck_assert_msg(err == want, "%d: %s", err, read.read.error);
	host_read_free(&read);
	host.fetcher->ops->detach(object);
}

static void expect_requests(unsigned int refused, unsigned int blobs, unsigned int tokens)
{
	registry_expect_logged("door", "\" 401 ", "GET", refused);
	registry_expect_logged("door", "\" 206 ", "GET", blobs);
	ck_assert_uint_eq(token_server_asked(), tokens);
}

/* ---- right ones --------------------------------------------------------------------------- */

/* A tool lists, the daemon that begins after it reads: a token, the bytes. */
START_TEST(token_first)
{
	static const struct token_server_options options = { 0 };
	unsigned int port = open_with_tokens(&options);
	struct host_list list;
	char last[4096];

	begin(port, NULL);
	ck_assert_int_eq(host_list(&host, &list, locator(port, ":v1")), 0);
	fetch_list_end(&list.list);
	host_stop(&host);
	ck_assert_uint_eq(n_noted, 1);
	ck_assert_ptr_nonnull(strstr(noted_name, "http://127.0.0.1:"));
	ck_assert_msg(strncmp(noted, "Bearer realm=\"http://127.0.0.1:", 31) == 0, "%s", noted);
	ck_assert_ptr_nonnull(strstr(noted, "/token\",service=\"reg\""));
	ck_assert_ptr_null(strstr(noted, "scope"));
	expect_requests(1, 0, 1);

	notes.remember = NULL; /* a daemon does not */
	begin(port, NULL);
	read_known(port, 0);
	expect_requests(1, 1, 2);
	token_server_last(last, sizeof(last));
	ck_assert_ptr_nonnull(strstr(last, "GET /token?service=reg&"));
	ck_assert_ptr_nonnull(strstr(last, "scope=repository%3Ateam%2Fimage%3Apull"));
	read_known(port, 0);
	expect_requests(1, 2, 2);
	host_stop(&host);
}
END_TEST

/* It is not written again while it is right. */
START_TEST(noted_once)
{
	static const struct token_server_options options = { 0 };
	unsigned int port = open_with_tokens(&options);

	begin(port, NULL);
	expect_look(locator(port, ":v1"), 0, "");
	expect_look(locator(port, ":v1"), 0, "");
	host_stop(&host);
	begin(port, NULL);
	expect_look(locator(port, ":v1"), 0, "");
	host_stop(&host);
	ck_assert_uint_eq(n_noted, 1);
	expect_requests(1, 3, 2);
}
END_TEST

START_TEST(password_first)
{
	unsigned int port = open_with_passwords();
	char path[128];

	snprintf(path, sizeof(path), "%s", login(port, ALADDIN));
	begin(port, path);
	expect_look(locator(port, ":v1"), 0, "");
	host_stop(&host);
	ck_assert_str_eq(noted, "Basic realm=\"t\"");
	expect_requests(1, 1, 0);
	begin(port, path);
	read_known(port, 0);
	host_stop(&host);
	expect_requests(1, 2, 0);
}
END_TEST

START_TEST(nothing_to_note)
{
	begin(registry_port(), NULL);
	expect_look(locator(registry_port(), ":v1"), 0, "");
	host_stop(&host);
	ck_assert_uint_eq(n_noted, 0);
}
END_TEST

/* ---- wrong ones --------------------------------------------------------------------------- */

/* Token servers that were. */
START_TEST(token_server_of_before)
{
	static const struct token_server_options options = { 0 };
	unsigned int port = open_with_tokens(&options), mute;
	struct origin *origin;

	/* One that does not know it any more. */
	ck_assert_int_eq(origin_start(&origin, NULL), 0);
	note(port, "Bearer realm=\"%s/token\",service=\"old\"", origin_url(origin));
	begin(port, NULL);
	expect_look(locator(port, ":v1"), 0, "");
	host_stop(&host);
	ck_assert_uint_eq(origin_stats(origin).requests, 1);
	expect_requests(1, 1, 1);
	/* What is right is noted in its place. */
	ck_assert_uint_eq(n_noted, 1);
	ck_assert_ptr_nonnull(strstr(noted, "service=\"reg\""));

	/* One that is not there. */
	mute = origin_port(origin);
	origin_stop(origin);
	note(port, "Bearer realm=\"http://127.0.0.1:%u/token\"", mute);
	begin(port, NULL);
	read_known(port, 0);
	host_stop(&host);
	expect_requests(2, 2, 2);

	/* What is no web server, and what is no challenge. */
	note(port, "Bearer realm=\"file:///etc/passwd\"");
	begin(port, NULL);
	read_known(port, 0);
	host_stop(&host);
	expect_requests(3, 3, 3);
	note(port, "Bearer realm=\"http");
	begin(port, NULL);
	read_known(port, 0);
	host_stop(&host);
	expect_requests(4, 4, 4);
}
END_TEST

/* It gives tokens, and the registry does not take them. */
START_TEST(token_of_another)
{
	static const struct token_server_options options = { 0 };
	unsigned int port = open_with_tokens(&options);
	struct origin_options root = { .root = registry_dir() };
	struct origin *origin;

	put_file("token", "{\"token\":\"abc\"}");
	ck_assert_int_eq(origin_start(&origin, &root), 0);
	note(port, "Bearer realm=\"%s/token\",service=\"reg\"", origin_url(origin));
	begin(port, NULL);
	read_known(port, 0);
	host_stop(&host);
	/* One token and one refusal, instead of the refusal alone. */
	ck_assert_uint_eq(origin_stats(origin).requests, 1);
	expect_requests(1, 1, 1);
	origin_stop(origin);
}
END_TEST

/* It says nothing: the registry is asked before the reader has waited long. */
START_TEST(token_server_that_is_mute)
{
	unsigned int port = registry_port(); /* which wants none */
	struct origin *origin;

	ck_assert_int_eq(origin_start(&origin, NULL), 0);
	note(port, "Bearer realm=\"%s/f=hang/token\"", origin_url(origin));
	begin(port, NULL);
	expect_look(locator(port, ":v1"), 0, "");
	host_stop(&host);
	ck_assert_uint_eq(origin_stats(origin).requests, 1);
	/* It was wrong: there is nothing to know. */
	ck_assert_uint_eq(n_noted, 1);
	ck_assert_str_eq(noted, "");
	origin_stop(origin);
}
END_TEST

/* A password that no longer is right does not keep us from what everybody may read. */
START_TEST(password_for_nobody)
{
	unsigned int port = open_with_passwords();
	struct host_look look;
	char path[128];

	snprintf(path, sizeof(path), "%s", login(port, ALI));
	note(port, "Basic realm=\"t\"");
	begin(port, path);
	look = expect_look(locator(port, ":v1"), -EACCES, "refuses our password");
	ck_assert_ptr_null(strstr(look.look.error, "sesame"));
	host_stop(&host);
	/* With it, without it as always, and with it because the registry asks. */
	expect_requests(3, 0, 0);
	/* There is none. */
	begin(port, put_file("auth.json", "{}"));
	expect_look(locator(port, ":v1"), -EACCES, "there is none");
	host_stop(&host);
	expect_requests(4, 0, 0);
	ck_assert_uint_eq(n_noted, 0);
	/* It is one of tokens by now: its answer says so. */
	note(port, "Bearer realm=\"http://127.0.0.1:1/token\"");
	begin(port, login(port, ALADDIN));
	expect_look(locator(port, ":v1"), 0, "");
	host_stop(&host);
	ck_assert_str_eq(noted, "Basic realm=\"t\"");
	expect_requests(5, 1, 0);
}
END_TEST

START_TEST(password_where_tokens_are_wanted)
{
	static const struct token_server_options options = { .user = "Aladdin",
							     .password = "open sesame" };
	unsigned int port = open_with_tokens(&options);

	note(port, "Basic realm=\"t\"");
	begin(port, login(port, ALADDIN));
	read_known(port, 0);
	host_stop(&host);
	expect_requests(1, 1, 1);
}
END_TEST

/* A token that was guessed gets old while its server fails: it is used as long as it is good. */
START_TEST(token_that_cannot_be_renewed)
{
	struct token_server_options options = { .expires_in = 8 };
	unsigned int port = open_with_tokens(&options);

	begin(port, NULL);
	expect_look(locator(port, ":v1"), 0, "");
	host_stop(&host);
	begin(port, NULL);
	read_known(port, 0);
	ck_assert_uint_eq(token_server_asked(), 2);
	options.status = 503;
	token_server_change(&options);
	while (token_server_asked() < 3) {
		read_known(port, 0);
		host_idle(&host, 50);
	}
	read_known(port, 0);
	registry_expect_logged("door", "\" 401 ", "GET", 1);
	host_stop(&host);
}
END_TEST

int main(void)
{
	Suite *s;
	TCase *tc;

	if (!have("openssl") || !have("htpasswd"))
		return skip_all("no openssl or htpasswd here");
	if (!registry_installed())
		return skip_all("no docker-registry here");
	s = suite_create("oci-notes");
	tc = tcase_create("notes");
	tcase_set_timeout(tc, 120);
	tcase_add_unchecked_fixture(tc, registry_begin, registry_end);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, token_first);
	tcase_add_test(tc, noted_once);
	tcase_add_test(tc, password_first);
	tcase_add_test(tc, nothing_to_note);
	tcase_add_test(tc, token_server_of_before);
	tcase_add_test(tc, token_of_another);
	tcase_add_test(tc, token_server_that_is_mute);
	tcase_add_test(tc, password_for_nobody);
	tcase_add_test(tc, password_where_tokens_are_wanted);
	tcase_add_test(tc, token_that_cannot_be_renewed);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
