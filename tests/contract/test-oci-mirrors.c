/* SPDX-License-Identifier: MIT */
/*
 * Mirrors of a registry, by hosts.toml: who is asked, who next, with what; and what is refused at
 * the start.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/replay/pattern.h"
#include "tests/contract/mirrors.h"
#include "tests/lib/run-suite.h"

#define ALADDIN "QWxhZGRpbjpvcGVuIHNlc2FtZQ==" /* Aladdin:open sesame */
#define ALI	"QWxpOm9wZW4gc2VzYW1l"	       /* Ali:open sesame */

/* ---- who is asked ----------------------------------------------------------------------- */

START_TEST(mirror_comes_first)
{
	unsigned int mirror = registry_open("mirror", NULL, NULL, NULL);
	char ns[64];

	hosts(registry_port(), "[host.\"http://127.0.0.1:%u\"]\n", mirror);
	host_for_mirrors();
	expect_bytes(at(":v1?title=one"), "one", SIZE, 20);
	snprintf(ns, sizeof(ns), "?ns=127.0.0.1:%u ", registry_port());
	registry_expect_logged("mirror", "GET /v2/" REPOSITORY "/manifests/v1", ns, 1);
	registry_expect_logged("mirror", "GET /v2/" REPOSITORY "/blobs/", ns, 21);
	registry_expect_logged("open", "\"GET ", "", 0);
	host_stop(&host);
}
END_TEST

START_TEST(mirrors_are_asked_in_their_order)
{
	unsigned int first, second;
	pid_t nothing = start_store("first", &first, 0);

	/* The name says nothing about the order. */
	second = registry_open("second", NULL, NULL, NULL);
	hosts(registry_port(), "[host.\"http://127.0.0.1:%u/z\"]\n[host.\"http://127.0.0.1:%u\"]\n",
	      first, second);
	host_for_mirrors();
	expect_bytes(at(":v1?title=one"), "one", SIZE, 5);
	/* It does not have them, and is asked for each. */
	registry_expect_logged("first", "404 GET /z/v2/" REPOSITORY, "", 7);
	registry_expect_logged("second", "GET /v2/" REPOSITORY, "", 7);
	registry_expect_logged("open", "\"GET ", "", 0);
	host_stop(&host);
	nginx_stop(nothing);
}
END_TEST

START_TEST(mirror_that_is_down)
{
	unsigned int dead = server_free_port();

	hosts(registry_port(), "[host.\"http://127.0.0.1:%u\"]\n", dead);
	host_for_mirrors();
	expect_bytes(at(":v1?title=one"), "one", SIZE, 20);
	registry_expect_logged("open", "\"GET ", "", 22);
	host_stop(&host);
}
END_TEST

/* It is left alone for a while. */
START_TEST(mirror_that_fails)
{
	unsigned int port;
	pid_t mirror = start_store("mirror", &port, 503);

	hosts(registry_port(), "[host.\"http://127.0.0.1:%u\"]\n", port);
	host_for_mirrors();
	expect_bytes(at(":v1?title=one"), "one", SIZE, 20);
	registry_expect_logged("mirror", "503 GET", "", 1);
	registry_expect_logged("open", "\"GET ", "", 22);
	/* Until there is nobody else. */
	registry_remove_blob(REPOSITORY, layers[1].digest);
	expect_look(at(":v1?title=small"), -ENOENT, "404");
	registry_expect_logged("mirror", "503 GET", "", 2);
	host_stop(&host);
	nginx_stop(mirror);
}
END_TEST

START_TEST(nobody_is_there)
{
	unsigned int mirror = server_free_port(), port = server_free_port();
	char word[64];

	while (port == mirror)
		port = server_free_port();
	hosts(port, "[host.\"http://127.0.0.1:%u\"]\n", mirror);
	host_with(port, "plain-http", "yes", NULL);
	snprintf(word, sizeof(word), "127.0.0.1:%u/v2/" REPOSITORY "/manifests/v1", port);
	expect_look(locator(port, ":v1"), -ECONNREFUSED, word);
	host_stop(&host);
}
END_TEST

/* It resolves nothing, and is not believed where nothing can be checked. */
START_TEST(mirror_that_may_only_pull)
{
	unsigned int port;
	pid_t mirror = start_store("mirror", &port, 0);

	copy_all("mirror");
	hosts(registry_port(), "[host.\"http://127.0.0.1:%u\"]\ncapabilities = [\"pull\"]\n", port);
	host_for_mirrors();
	expect_bytes(at(":v1?title=one"), "one", SIZE, 20);
	registry_expect_logged("mirror", "GET", "", 0);
	expect_bytes(at(":v1?title=small"), "small", SMALL, 1);
	registry_expect_logged("mirror", "GET", "/manifests/", 0);
	registry_expect_logged("mirror", "206 GET", layers[1].digest, 1);
	host_stop(&host);
	host_with(registry_port(), "plain-http", "yes", "trust-mirrors", "yes", NULL);
	expect_bytes(at(":v1?title=one"), "one", SIZE, 20);
	registry_expect_logged("mirror", "206 GET", layers[0].digest, 21);
	registry_expect_logged("mirror", "GET", "/manifests/", 0);
	host_stop(&host);
	nginx_stop(mirror);
}
END_TEST

/* The registry of the name is never spoken to. */
START_TEST(server_that_is_another)
{
	unsigned int nobody = server_free_port();

	hosts(nobody, "server = \"http://127.0.0.1:%u\"\n", registry_port());
	host_with(nobody, NULL);
	expect_bytes(locator(nobody, ":v1?title=one"), "one", SIZE, 5);
	host_stop(&host);
}
END_TEST

/* ---- wrong bytes ------------------------------------------------------------------------ */

START_TEST(mirror_with_wrong_bytes)
{
	unsigned int port;
	pid_t mirror = start_store("mirror", &port, 0);

	copy_all("mirror");
	corrupt("mirror", "blobs", layers[1].digest, 1500);
	hosts(registry_port(), "[host.\"http://127.0.0.1:%u\"]\n", port);
	host_for_mirrors();
	expect_bytes(at(":v1?title=small"), "small", SMALL, 0);
	registry_expect_logged("mirror", "206 GET", layers[1].digest, 1);
	registry_expect_logged("open", "\"GET ", layers[1].digest, 1);
	host_stop(&host);
	nginx_stop(mirror);
}
END_TEST

START_TEST(mirror_with_a_wrong_manifest)
{
	unsigned int port;
	pid_t mirror = start_store("mirror", &port, 0);
	char rest[160];

	copy_all("mirror");
	corrupt("mirror", "manifests", digest, 20);
	hosts(registry_port(), "[host.\"http://127.0.0.1:%u\"]\n", port);
	host_for_mirrors();
	snprintf(rest, sizeof(rest), "@%s?title=one", digest);
	expect_bytes(at(rest), "one", SIZE, 3);
	registry_expect_logged("mirror", "200 GET", "/manifests/", 1);
	registry_expect_logged("open", "\"GET ", "/manifests/", 1);
	host_stop(&host);
	nginx_stop(mirror);
}
END_TEST

/* What it has sent counts: the next one goes on from there. */
START_TEST(mirror_that_breaks_off)
{
	struct origin_options options = { 0 };
	struct fetch_object *object;
	struct host_read read = { 0 };
	struct origin *origin;
	struct host_look look;
	char root[TEMPORARY_MAX + 16], word[64];

	copy_all("mirror");
	snprintf(root, sizeof(root), "%s/mirror", registry_dir());
	options.root = root;
	ck_assert_int_eq(origin_start(&origin, &options), 0);
	hosts(registry_port(), "[host.\"%s/f=trunc:100000\"]\ncapabilities = [\"pull\"]\n",
	      origin_url(origin));
	host_with(registry_port(), "plain-http", "yes", "trust-mirrors", "yes", NULL);
	ck_assert_int_eq(host_look(&host, &look, at(":v1?title=one"), 0), 0);
	object = host_attach(&host, at(":v1?title=one"), &look.look.identity);
	ck_assert_msg(host_read(&host, &read, object, 0, 500000) == 0, "%s", read.read.error);
	ck_assert_uint_eq(pattern_check(read.read.buf, 500000, pattern_key("one"), 0), 500000);
	ck_assert_uint_ge(read.progress, 100000);
	ck_assert_uint_eq(origin_stats(origin).requests, 1);
	snprintf(word, sizeof(word), "\" 206 %u", 400000);
	registry_expect_logged("open", word, layers[0].digest, 1);
	host_read_free(&read);
	host_look_free(&look);
	host.fetcher->ops->detach(object);
	host_stop(&host);
	origin_stop(origin);
}
END_TEST

START_TEST(reads_of_mirrors_may_be_canceled)
{
	struct origin_options options = { 0 };
	struct fetch_object *object;
	struct origin *origin;
	struct host_look look;
	char root[TEMPORARY_MAX + 16];

	copy_all("mirror");
	snprintf(root, sizeof(root), "%s/mirror", registry_dir());
	options.root = root;
	ck_assert_int_eq(origin_start(&origin, &options), 0);
	hosts(registry_port(), "[host.\"%s/f=midrst:100000\"]\n[host.\"%s\"]\n", origin_url(origin),
	      origin_url(origin));
	for (int turns = 0; turns < 24; turns++) {
		struct host_read read = { 0 };
		int err;

		host_for_mirrors();
		host_look_start(&host, &look, at(":v1?title=one"), 0);
		for (int i = 0; i < turns && look.n_done == 0; i++)
			host_turn(&host);
		if (look.n_done == 0)
			host_look_cancel(&look);
		err = host_look_wait(&look);
		ck_assert(err == 0 || err == -ECANCELED);
		host_look_free(&look);
		ck_assert_int_eq(host_look(&host, &look, at(":v1?title=one"), 0), 0);
		object = host_attach(&host, at(":v1?title=one"), &look.look.identity);
		host_read_start(&host, &read, object, 0, 500000);
		for (int i = 0; i < turns && read.n_done == 0; i++)
			host_turn(&host);
		if (read.n_done == 0)
			host_read_cancel(&read, object);
		err = host_read_wait(&read);
		ck_assert(err == 0 || err == -ECANCELED || err == -ECONNRESET);
		host_read_free(&read);
		host_look_free(&look);
		host.fetcher->ops->detach(object);
		host_stop(&host);
	}
	origin_stop(origin);
}
END_TEST

/* ---- secrets, fields, certificates ------------------------------------------------------ */

/* A mirror that asks for a password gets its own one, or none. */
START_TEST(credentials_are_of_one_host)
{
	unsigned int door, port;
	char auth[TEMPORARY_MAX + 64], text[512], path[TEMPORARY_MAX + 64];
	pid_t mirror = start_store("mirror", &port, 401);

	sh("htpasswd -Bbn Aladdin 'open sesame' > %s/htpasswd", registry_dir());
	snprintf(auth, sizeof(auth), "{htpasswd: {realm: t, path: %s/htpasswd}}", registry_dir());
	door = registry_open("door", NULL, auth, NULL);
	hosts(door,
	      "[host.\"http://127.0.0.1:%u\"]\n[host.\"http://127.0.0.1:%u\".header]\n"
	      "Y-Mirror = \"for it\"\n",
	      port, port);
	snprintf(text, sizeof(text), "{\"auths\":{\"127.0.0.1:%u\":{\"auth\":\"" ALADDIN "\"}}}",
		 door);
	snprintf(path, sizeof(path), "%s", put_file("auth.json", text));
	host_with(door, "plain-http", "yes", "auth-file", path, "header",
		  "X-Secret: for the registry", NULL);
	expect_bytes(locator(door, ":v1?title=one"), "one", SIZE, 3);
	/* What it wants is known from then on. */
	registry_expect_logged("mirror", "auth=[-] x=[-] y=[for it] 401 ", "", 1);
	registry_expect_logged("mirror", "", "", 1);
	snprintf(text, sizeof(text),
		 "{\"auths\":{\"127.0.0.1:%u\":{\"auth\":\"" ALADDIN "\"},"
		 "\"127.0.0.1:%u\":{\"auth\":\"" ALI "\"}}}",
		 door, port);
	put_file("auth.json", text);
	expect_bytes(locator(door, ":v1?title=one"), "one", SIZE, 0);
	registry_expect_logged("mirror", "auth=[Basic " ALI "]", " 401 ", 2);
	registry_expect_logged("mirror", ALADDIN, "", 0);
	host_stop(&host);
	nginx_stop(mirror);
}
END_TEST

/* What making the fetcher says. */
static const char *create_error(unsigned int port, const char *key, const char *value, int err)
{
	static char error[FETCH_ERROR_MAX];
	const struct fetcher_param params[] = { { "hosts-dir", hosts_dir() },
						{ key, value },
						{ NULL, NULL } };
	char template[64];
	int r;

	snprintf(template, sizeof(template), "oci://127.0.0.1:%u/{cookie}", port);
	r = fetcher_class_find("oci://h/")->create(NULL, NULL, template, params, error);
	ck_assert_msg(r == err, "%d: %s", r, error);
	return error;
}

START_TEST(certificates_of_hosts)
{
	unsigned int mirror = registry_open("mirror", make_certificates(), NULL, NULL);
	unsigned int port = registry_port();
	const char *error;

	/* Nobody vouches for it. */
	hosts(port, "[host.\"https://127.0.0.1:%u\"]\n", mirror);
	host_for_mirrors();
	expect_bytes(at(":v1?title=one"), "one", SIZE, 1);
	registry_expect_logged("mirror", "\"GET ", "", 0);
	host_stop(&host);
	/* Relative to the directory. */
	hosts(port, "[host.\"https://127.0.0.1:%u\"]\nca = [\"../../ca.pem\"]\n", mirror);
	host_for_mirrors();
	expect_bytes(at(":v1?title=one"), "one", SIZE, 1);
	registry_expect_logged("mirror", "\"GET ", "", 3);
	host_stop(&host);
	/* Nobody looks, if that is wanted. */
	hosts(port, "\n[host.\"https://127.0.0.1:%u\"]\nskip_verify = true\n", mirror);
	error = create_error(port, "plain-http", "yes", -EINVAL);
	ck_assert_msg(strstr(error, "hosts.toml:2: skip_verify: needs 'allow-skip-verify = yes'"),
		      "%s", error);
	host_with(port, "plain-http", "yes", "allow-skip-verify", "yes", NULL);
	expect_bytes(at(":v1?title=one"), "one", SIZE, 1);
	registry_expect_logged("mirror", "\"GET ", "", 6);
	host_stop(&host);
}
END_TEST

START_TEST(certificates_as_docker_has_them)
{
	unsigned int port = registry_open("door", make_certificates(), NULL, NULL);

	sh("mkdir -p %1$s/hosts/127.0.0.1:%2$u && cp %1$s/ca.pem "
	   "%1$s/hosts/127.0.0.1:%2$u/ca.crt",
	   registry_dir(), port);
	host_with(port, NULL);
	expect_bytes(locator(port, ":v1?title=one"), "one", SIZE, 5);
	host_stop(&host);
}
END_TEST

/* ---- the start -------------------------------------------------------------------------- */

static const struct {
	const char *text, *word;
} wrong[] = {
	{ "[host.\"https://m\"]\ncapabilities = [\"pul\"]\n",
	  "hosts.toml:2: no such capability: 'pul'" },
	{ "server = https://m\n", "hosts.toml:1: " },
	{ "mirror = \"m\"\n", "hosts.toml:1: no such key: 'mirror'" },
	{ "\n[host.m]\nca = \"none.pem\"\n", "hosts.toml:2: ca: " },
	{ "\n[host.m]\nca = \"hosts.toml\"\n", "no PEM certificate in " },
	{ "\n\n[host.m]\nclient = \"none.pem\"\n", "hosts.toml:3: client-cert: No such file" },
	{ "[host.m.header]\n\"a b\" = \"c\"\n", "hosts.toml:1: header: " },
	{ "[host.m]\nproxy = 1\n", "hosts.toml:2: a string was expected" },
	{ "capabilities = [\"pull\"]\n", "hosts.toml: no host may both pull and resolve" },
};

START_TEST(wrong_hosts)
{
	const char *error;

	sh("mkdir -p %s/hosts", registry_dir());
	hosts(1, "%s", wrong[_i].text);
	error = create_error(1, NULL, NULL, strstr(wrong[_i].text, "none.pem") ? -ENOENT : -EINVAL);
	ck_assert_msg(strstr(error, wrong[_i].word), "%s", error);
	ck_assert_ptr_nonnull(strstr(error, registry_dir()));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("oci-mirrors");
	TCase *tc;

	if (mirrors_missing())
		return skip_all(mirrors_missing());
	tc = mirrors_case(s, "mirrors");
	tcase_add_test(tc, mirror_comes_first);
	tcase_add_test(tc, mirrors_are_asked_in_their_order);
	tcase_add_test(tc, mirror_that_is_down);
	tcase_add_test(tc, mirror_that_fails);
	tcase_add_test(tc, nobody_is_there);
	tcase_add_test(tc, mirror_that_may_only_pull);
	tcase_add_test(tc, server_that_is_another);
	tcase_add_test(tc, mirror_with_wrong_bytes);
	tcase_add_test(tc, mirror_with_a_wrong_manifest);
	tcase_add_test(tc, mirror_that_breaks_off);
	tcase_add_test(tc, reads_of_mirrors_may_be_canceled);
	tcase_add_test(tc, credentials_are_of_one_host);
	tcase_add_test(tc, certificates_of_hosts);
	tcase_add_test(tc, certificates_as_docker_has_them);
	tcase_add_loop_test(tc, wrong_hosts, 0, sizeof(wrong) / sizeof(wrong[0]));
	return run_suite(s);
}
