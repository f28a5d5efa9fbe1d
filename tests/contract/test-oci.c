/* SPDX-License-Identifier: MIT */
/*
 * The oci fetcher against docker-registry(1): what references mean, what is checked, where blobs
 * are redirected to. Who may read is in test-oci-auth.c.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/replay/pattern.h"
#include "fetchers/http-request.h"
#include "tests/contract/oci.h"
#include "tests/lib/nginx.h"
#include "tests/lib/origin.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/server.h"

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void start(void)
{
	registry_start();
}

static void stop(void)
{
	registry_stop();
}

/* Of the open door. */
static const char *at(const char *rest)
{
	return locator(registry_port(), rest);
}

static void host_open(void)
{
	host_for(registry_port(), NULL, NULL);
}

/* ---- references ------------------------------------------------------------------------- */

START_TEST(image_of_one_layer)
{
	struct layer layer = { "one", SIZE };

	push_image("v1", &layer, 1, NULL);
	push_image("latest", &layer, 1, NULL);
	host_open();
	expect_bytes(at(":v1"), "one", SIZE, 50);
	expect_bytes(at(":v1?layer=0"), "one", SIZE, 2);
	expect_bytes(at(""), "one", SIZE, 2);
	host_stop(&host);
}
END_TEST

START_TEST(image_of_several_layers)
{
	struct layer layers[] = { { "a", 5000 },
				  { "b", 9, "application/vnd.example.layer.v1.erofs" },
				  { "c", 0 } };
	char digest[REGISTRY_DIGEST_MAX], rest[160];

	push_image("v1", layers, 3, digest);
	push_image("none", layers + 2, 0, NULL);
	host_open();
	expect_bytes(at(":v1"), "b", 9, 1);
	expect_bytes(at(":v1?layer=0"), "a", 5000, 3);
	expect_bytes(at(":v1?title=a"), "a", 5000, 3);
	expect_bytes(at(":v1?layer=2"), "c", 0, 0);
	expect_look(at(":v1?layer=3"), -ENOENT, "no layer 3");
	expect_look(at(":none"), -ENOENT, "no layers");
	layers[1].type = NULL;
	push_image("v2", layers, 3, NULL);
	expect_look(at(":v2"), -EIO, "3 layers");
	/* By digests: of the manifest, of a blob. */
	snprintf(rest, sizeof(rest), "@%s?title=b", digest);
	expect_bytes(at(rest), "b", 9, 1);
	snprintf(rest, sizeof(rest), "@%s", layers[0].digest);
	expect_bytes(at(rest), "a", 5000, 3);
	snprintf(rest, sizeof(rest), "@%s?blob", layers[0].digest);
	expect_bytes(at(rest), "a", 5000, 3);
	snprintf(rest, sizeof(rest), "@%s?blob", layers[2].digest);
	expect_bytes(at(rest), "c", 0, 0);
	host_stop(&host);
}
END_TEST

START_TEST(what_is_not_there)
{
	static const char *const nothing[] = {
		":v2",
		"x:v1",
		"@sha256:00000000000000000000000000000000000000000000000000000000000000ff",
		"@sha256:00000000000000000000000000000000000000000000000000000000000000ff?blob",
	};
	struct layer layer = { "one", SIZE };

	push_image("v1", &layer, 1, NULL);
	host_open();
	for (int i = 0; i < N(nothing); i++)
		expect_look(at(nothing[i]), -ENOENT, "127.0.0.1");
	expect_look(at(":a%20b"), -EACCES, "not a tag");
	expect_look("oci://127.0.0.1:1/" REPOSITORY, -EACCES, "template");
	host_stop(&host);
}
END_TEST

START_TEST(image_for_platforms)
{
	struct layer layers[] = { { "arm", 5000 }, { "amd", 6000 } };
	char digests[2][REGISTRY_DIGEST_MAX], text[2048];
	size_t sizes[2];

	for (int i = 0; i < 2; i++) {
		FILE *f;

		push_image(i ? "amd" : "arm", &layers[i], 1, digests[i]);
		f = fopen(registry_file(digests[i]), "re");
		ck_assert_ptr_nonnull(f);
		fseek(f, 0, SEEK_END);
		sizes[i] = (size_t)ftell(f);
		fclose(f);
	}
	snprintf(text, sizeof(text),
		 "{\"schemaVersion\":2,\"mediaType\":\"" REGISTRY_INDEX "\",\"manifests\":["
		 "{\"mediaType\":\"" REGISTRY_MANIFEST "\",\"digest\":\"%s\",\"size\":%zu,"
		 "\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"}},"
		 "{\"mediaType\":\"" REGISTRY_MANIFEST "\",\"digest\":\"%s\",\"size\":%zu,"
		 "\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}",
		 digests[0], sizes[0], digests[1], sizes[1]);
	registry_put_manifest(REPOSITORY, "all", REGISTRY_INDEX, text, NULL);
	host_for(registry_port(), "platform", "linux/amd64");
	expect_bytes(at(":all"), "amd", 6000, 2);
	host_stop(&host);
	host_for(registry_port(), "platform", "linux/arm/v7");
	expect_bytes(at(":all"), "arm", 5000, 2);
	host_stop(&host);
	host_for(registry_port(), "platform", "linux/riscv64");
	expect_look(at(":all"), -ENOENT, "linux/riscv64");
	host_stop(&host);
}
END_TEST

START_TEST(tag_that_moves)
{
	struct layer old = { "old", SIZE }, new = { "new", SIZE };
	struct fetch_object *object;
	struct host_look look;

	push_image("v1", &old, 1, NULL);
	host_open();
	look = expect_look(at(":v1"), 0, "");
	object = host_attach(&host, at(":v1"), &look.look.identity);
	expect_reads(object, "old", SIZE, 2);
	push_image("v1", &new, 1, NULL);
	expect_reads(object, "old", SIZE, 2);
	expect_bytes(at(":v1"), "new", SIZE, 2);
	/* What nobody has any more. */
	registry_remove_blob(REPOSITORY, old.digest);
	for (int i = 0; i < 2; i++) {
		struct host_read read = { 0 };

		ck_assert_int_eq(host_read(&host, &read, object, 0, 4096), -ENOENT);
		host_read_free(&read);
	}
	host.fetcher->ops->detach(object);
	host_stop(&host);
}
END_TEST

/* ---- what is checked -------------------------------------------------------------------- */

/* Changes a byte of what is stored under a digest. */
static void corrupt(const char *digest, long where)
{
	FILE *f = fopen(registry_file(digest), "r+e");
	int c;

	ck_assert_ptr_nonnull(f);
	fseek(f, where, SEEK_SET);
	c = fgetc(f);
	fseek(f, where, SEEK_SET);
	fputc(c ^ 1, f);
	fclose(f);
}

/* Where that is stored. */
static long find(const char *digest, const char *word)
{
	static char text[8192];
	FILE *f = fopen(registry_file(digest), "re");

	ck_assert_ptr_nonnull(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, word));
	return strstr(text, word) - text;
}

/* Still a manifest, but another one. */
START_TEST(manifest_with_another_digest)
{
	struct layer layer = { "one", SIZE };
	char digest[REGISTRY_DIGEST_MAX], rest[160];

	push_image("v1", &layer, 1, digest);
	host_open();
	expect_look(at(":v1"), 0, "");
	corrupt(digest, find(digest, "\"one\"") + 1);
	snprintf(rest, sizeof(rest), "@%s", digest);
	expect_look(at(rest), -EPROTO, "digest");
	expect_look(at(":v1"), -EPROTO, "digest");
	host_stop(&host);
}
END_TEST

START_TEST(blob_with_another_digest)
{
	struct layer layer = { "one", 3000 };

	push_image("v1", &layer, 1, NULL);
	corrupt(layer.digest, 1500);
	host_open();
	expect_look(at(":v1"), -EPROTO, "digest");
	host_stop(&host);
}
END_TEST

/* ---- redirects -------------------------------------------------------------------------- */

static unsigned int store_port;

/* nginx over the registry's own files. */
static pid_t start_store(void)
{
	pid_t pid;

	do {
		store_port = server_free_port();
		pid = nginx_start(
			registry_dir(), "nginx",
			"log_format t 'auth=[$http_authorization] $status $request';\n"
			"access_log %1$s/store.log t; root %1$s/data;\n"
			"server { listen 127.0.0.1:%2$u; if (-f %1$s/closed) { return 403; } }\n",
			registry_dir(), store_port);
	} while (!server_listens(pid, store_port));
	return pid;
}

START_TEST(blobs_elsewhere)
{
	struct layer layer = { "one", SIZE };
	struct fetch_object *object;
	struct host_look look;
	struct host_read read = { 0 };
	char redirect[128], path[TEMPORARY_MAX + 64];
	unsigned int port;
	pid_t store;

	push_image("v1", &layer, 1, NULL);
	store = start_store();
	snprintf(redirect, sizeof(redirect),
		 "{storage: [{name: redirect, options: {baseurl: \"http://127.0.0.1:%u/\"}}]}",
		 store_port);
	port = registry_open("door", NULL, NULL, redirect);
	/* What the source says to the registry is for nobody else. */
	host_for(port, "header", "Authorization: Basic c2VjcmV0");
	look = expect_look(locator(port, ":v1"), 0, "");
	object = host_attach(&host, locator(port, ":v1"), &look.look.identity);
	expect_reads(object, "one", SIZE, 1);
	registry_expect_logged("door", "/blobs/", " 307 ", 2);
	/* The place is known now. */
	expect_reads(object, "one", SIZE, 20);
	registry_expect_logged("door", "/blobs/", " 307 ", 2);
	registry_expect_logged("store", "auth=[-] 206", "GET", 22);
	registry_expect_logged("store", "", "", 22);
	/* It refuses: the registry is asked once more, which knows no better. */
	snprintf(path, sizeof(path), "%s", put_file("closed", ""));
	ck_assert_int_eq(host_read(&host, &read, object, 0, 4096), -EACCES);
	host_read_free(&read);
	registry_expect_logged("door", "/blobs/", " 307 ", 3);
	registry_expect_logged("store", "auth=[-] 403", "GET", 2);
	unlink(path);
	expect_reads(object, "one", SIZE, 1);
	host.fetcher->ops->detach(object);
	host_stop(&host);
	nginx_stop(store);
}
END_TEST

/* ---- places ----------------------------------------------------------------------------- */

static int place_err;

static void place_read_done(struct fetch_read *read, int err)
{
	place_err = err;
}

/* Reads the object's first bytes, which were found at a place that answers so by now. */
static int read_from_place(const char *origin_text, const char *fault, char **ret_moved)
{
	static const struct fetcher_param none[1];
	char error[FETCH_ERROR_MAX], buf[4096], moved[128], text[128];
	struct http_target target = { .keeps_moves = true, .identity.size = SIZE };
	struct fetch_read read = { .len = sizeof(buf), .buf = buf, .done = place_read_done };
	struct http_client client;
	struct http_config *config;
	struct loop *loop;

	snprintf(text, sizeof(text), "%s/f=redir:307/blob", origin_text);
	snprintf(moved, sizeof(moved), "%s/f=%s/blob", origin_text, fault);
	target.locator = strdup(text);
	target.moved = strdup(moved);
	ck_assert_int_eq(loop_new(&loop, LOOP_POLL), 0);
	ck_assert_int_eq(http_config_new(&config, origin_text, none, error), 0);
	ck_assert_int_eq(http_client_init(&client, loop, config), 0);
	place_err = 1;
	ck_assert_ptr_nonnull(http_request_read(&client, &target, &read));
	while (place_err == 1)
		ck_assert_int_eq(loop_turn(loop), 0);
	*ret_moved = target.moved ? strdup(target.moved) : NULL;
	http_target_end(&target);
	http_client_end(&client);
	loop_free(loop);
	return place_err;
}

/* What a store says of a place that it does not know any more. */
static const char *const faults_of_places[] = { "status:403", "status:404", "status:400",
						"status:500", "close",	    "rst" };

START_TEST(place_that_has_expired)
{
	struct origin *origin;
	char want[128], *moved;

	ck_assert_int_eq(origin_start(&origin, NULL), 0);
	origin_put(origin, "blob", SIZE);
	snprintf(want, sizeof(want), "%s/blob", origin_url(origin));
	ck_assert_msg(read_from_place(origin_url(origin), faults_of_places[_i], &moved) == 0, "%s",
		      faults_of_places[_i]);
	ck_assert_str_eq(moved, want);
	ck_assert_uint_eq(origin_stats(origin).requests, 3);
	free(moved);
	origin_stop(origin);
}
END_TEST

START_TEST(place_that_lies)
{
	struct origin *origin;
	char *moved;

	ck_assert_int_eq(origin_start(&origin, NULL), 0);
	origin_put(origin, "blob", SIZE);
	ck_assert_int_eq(read_from_place(origin_url(origin), "shift", &moved), -EPROTO);
	free(moved);
	origin_stop(origin);
}
END_TEST

/* ---- parameters ------------------------------------------------------------------------- */

static const struct {
	const char *template, *key, *value, *word;
} wrong[] = {
	{ "oci://h/{cookie}", "plain-http", "maybe", "plain-http" },
	{ "oci://h/{cookie}", "platform", "linux", "platform" },
	{ "oci://h/{cookie}", "auth-file", "/nowhere/auth.json", "auth-file" },
	{ "oci://h/{cookie}", "auth-file", "/dev/null", "auth-file" },
	{ "oci://h/{cookie}", "redirects", "many", "redirects" },
	{ "oci://user:secret@h/{cookie}", "plain-http", "no", "oci://HOST/" },
	{ "oci://h", "plain-http", "no", "oci://HOST/" },
};

START_TEST(wrong_parameter)
{
	const struct fetcher_param params[] = { { wrong[_i].key, wrong[_i].value },
						{ NULL, NULL } };
	char error[FETCH_ERROR_MAX] = "";

	ck_assert_int_lt(fetcher_class_find("oci://h/")
				 ->create(NULL, NULL, wrong[_i].template, params, error),
			 0);
	ck_assert_msg(strstr(error, wrong[_i].word), "%s", error);
	ck_assert_ptr_null(strstr(error, "secret"));
}
END_TEST

START_TEST(without_tls_only_when_told)
{
	static const struct fetcher_param none[1];
	struct layer layer = { "one", 10 };
	char template[64];

	push_image("v1", &layer, 1, NULL);
	snprintf(template, sizeof(template), "oci://127.0.0.1:%u/{cookie}", registry_port());
	host_start(&host, LOOP_POLL, template, none);
	expect_look(at(":v1"), -EIO, "127.0.0.1");
	host_stop(&host);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("oci");
	TCase *tc = tcase_create("registry");
	TCase *other = tcase_create("no registry");

	tcase_set_timeout(tc, 120);
	tcase_add_unchecked_fixture(tc, registry_begin, registry_end);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, image_of_one_layer);
	tcase_add_test(tc, image_of_several_layers);
	tcase_add_test(tc, what_is_not_there);
	tcase_add_test(tc, image_for_platforms);
	tcase_add_test(tc, tag_that_moves);
	tcase_add_test(tc, manifest_with_another_digest);
	tcase_add_test(tc, blob_with_another_digest);
	if (!nginx_missing())
		tcase_add_test(tc, blobs_elsewhere);
	tcase_add_test(tc, without_tls_only_when_told);
	tcase_add_loop_test(other, place_that_has_expired, 0, N(faults_of_places));
	tcase_add_test(other, place_that_lies);
	tcase_add_loop_test(other, wrong_parameter, 0, N(wrong));
	if (registry_installed())
		suite_add_tcase(s, tc);
	else
		printf("# no docker-registry here\n");
	suite_add_tcase(s, other);
	return run_suite(s);
}
