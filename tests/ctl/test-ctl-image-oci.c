/* SPDX-License-Identifier: MIT */
/*
 * Images of registries: docker-registry(1), and a plain web server for what no registry would say.
 */
#include <check.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/ctl/image-rig.h"
#include "tests/lib/origin.h"
#include "tests/lib/registry.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/token-server.h"

#define N(array)    ((int)(sizeof(array) / sizeof((array)[0])))
#define REPOSITORY  "team/app"
#define EROFS_TYPE  "application/vnd.erofs.layer.v1"
#define DEVICE_TYPE "application/vnd.cachefilld.device.v1"
#define OCI_TAR	    "application/vnd.oci.image.layer.v1.tar"
#define DOCKER_TAR  "application/vnd.docker.image.rootfs.diff.tar"
#define CONFIG_TYPE "application/vnd.oci.image.config.v1+json"

/* A source for a port, so that it is asked without TLS. */
static void configure(unsigned int port, const char *more)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "open-deadline = 5s\nread-deadline = 5s\n"
		 "source registry {\n\turl = oci://127.0.0.1:%u/{cookie}\n\trule = no\n"
		 "\tplain-http = yes\n%s}\n",
		 port, more);
	image_configure(text);
}

static void start(void)
{
	ctl_enter();
	unsetenv("REGISTRY_AUTH_FILE");
	unsetenv("DOCKER_CONFIG");
	setenv("HOME", "/nonexistent", 1);
	registry_start();
	configure(registry_port(), "");
}

static void stop(void)
{
	token_server_stop();
	registry_stop();
	ctl_leave();
}

/* "127.0.0.1:PORT/team/appREST", of which there are a few at a time. */
static const char *ref(unsigned int port, const char *rest)
{
	static char texts[4][512];
	static unsigned int next;
	char *text = texts[next++ % 4];

	snprintf(text, sizeof(texts[0]), "127.0.0.1:%u/" REPOSITORY "%s", port, rest);
	return text;
}

static const char *at(const char *rest)
{
	return ref(registry_port(), rest);
}

struct blob {
	const char *type;
	struct erofs_file file;
	const char *text; /* in its place */
	char digest[REGISTRY_DIGEST_MAX];
	size_t size; /* 0: as it is */
};

static void put_blob(struct blob *blob)
{
	size_t len = blob->text ? strlen(blob->text) : 0;
	uint8_t *bytes =
		blob->text ? (uint8_t *)strdup(blob->text) : erofs_bytes(&blob->file, &len);

	registry_put_blob(REPOSITORY, bytes, len, blob->digest);
	blob->size = blob->size ? blob->size : len;
	free(bytes);
}

/* Manifest of blobs with a configuration that fits; static. */
static const char *make_manifest(struct blob *blobs, int n)
{
	static char text[16384];
	char config[8192], digest[REGISTRY_DIGEST_MAX];
	int at_config, end;

	at_config = snprintf(config, sizeof(config),
			     "{\"os\":\"linux\",\"config\":{\"Cmd\":[\"sh\"]},\"rootfs\":{"
			     "\"type\":\"layers\",\"diff_ids\":[");
	for (int i = 0; i < n; i++) {
		put_blob(&blobs[i]);
		at_config += snprintf(config + at_config, sizeof(config) - (size_t)at_config,
				      "%s\"%s\"", i ? "," : "", blobs[i].digest);
	}
	strcpy(config + at_config, "]}}");
	registry_put_blob(REPOSITORY, config, strlen(config), digest);
	end = snprintf(text, sizeof(text),
		       "{\"schemaVersion\":2,\"mediaType\":\"" REGISTRY_MANIFEST "\",\"config\":{"
		       "\"mediaType\":\"" CONFIG_TYPE "\",\"digest\":\"%s\",\"size\":%zu},"
		       "\"layers\":[",
		       digest, strlen(config));
	for (int i = 0; i < n; i++)
		end += snprintf(text + end, sizeof(text) - (size_t)end,
				"%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu}",
				i ? "," : "", blobs[i].type, blobs[i].digest, blobs[i].size);
	strcpy(text + end, "]}");
	return text;
}

static void push(const char *tag, struct blob *blobs, int n, char digest[REGISTRY_DIGEST_MAX])
{
	registry_put_manifest(REPOSITORY, tag, REGISTRY_MANIFEST, make_manifest(blobs, n), digest);
}

static json_t *json_of(const struct ctl_result *result)
{
	json_t *value = json_loads(result->out, 0, NULL);

	ck_assert_msg(result->status == 0, "%s", result->err);
	ck_assert_msg(value != NULL, "%s", result->out);
	return value;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

/* ---- images ------------------------------------------------------------------------------- */

START_TEST(image_of_layers)
{
	struct blob blobs[] = { { EROFS_TYPE, { .seed = 1, .devices = 1 } },
				{ DEVICE_TYPE, { 0 }, "the data of a device" },
				{ "application/vnd.example.erofs", { .seed = 2, .incompat = 1 } } };
	char digest[REGISTRY_DIGEST_MAX], want[256];
	json_t *image, *layers, *devices;

	push("v1", blobs, 3, digest);
	image_expect(IMAGE("add", "app", at(":v1")), 0, "", "app: 2 layers, 16 KiB, compressed");
	image = json_of(IMAGE("inspect", "--json", "app"));
	ck_assert_str_eq(text_of(image, "manifest_digest"), digest);
	ck_assert_str_eq(text_of(json_object_get(image, "config"), "os"), "linux");
	ck_assert_uint_eq(
		json_array_size(json_object_get(json_object_get(image, "manifest"), "layers")), 3);
	layers = json_object_get(image, "layers");
	ck_assert_uint_eq(json_array_size(layers), 2);
	for (int i = 0; i < 2; i++) {
		const json_t *layer = json_array_get(layers, (size_t)i);
		const struct blob *blob = &blobs[i ? 2 : 0];

		ck_assert_str_eq(text_of(layer, "cookie"), blob->digest);
		ck_assert_str_eq(text_of(layer, "digest"), blob->digest);
		ck_assert_str_eq(text_of(layer, "diff_id"), blob->digest);
		ck_assert_str_eq(text_of(layer, "media_type"), blob->type);
		snprintf(want, sizeof(want), "digest:%s", blob->digest);
		ck_assert_str_eq(text_of(layer, "validator"), want);
		ck_assert_int_eq(json_is_true(json_object_get(layer, "whole")), i == 1);
	}
	devices = json_object_get(json_array_get(layers, 0), "devices");
	ck_assert_uint_eq(json_array_size(devices), 1);
	ck_assert_str_eq(text_of(json_array_get(devices, 0), "cookie"), blobs[1].digest);
	json_decref(image);
	/* Nothing is asked for what is known. */
	registry_expect_logged("open", "GET", "/blobs/", 4);
	registry_expect_logged("open", "GET", "/manifests/", 1);
}
END_TEST

/* One object of an image, a layer of another, a file: each is what it is. */
START_TEST(images_of_several_references)
{
	struct blob blobs[] = { { EROFS_TYPE, { .seed = 1 } }, { EROFS_TYPE, { .seed = 2 } } };
	struct erofs_file file = { .seed = 3 };
	json_t *image, *layers;

	push("v1", blobs, 2, NULL);
	erofs_write("file", &file);
	image_expect(IMAGE("add", "a", at(":v1?layer=1"), "./file", at(":v1")), 0, "",
		     "4 layers, 24 KiB");
	image = json_of(IMAGE("inspect", "--json", "a"));
	layers = json_object_get(image, "layers");
	ck_assert_str_eq(text_of(json_array_get(layers, 0), "cookie"), blobs[1].digest);
	ck_assert_str_eq(text_of(json_array_get(layers, 2), "cookie"), blobs[0].digest);
	ck_assert_str_eq(text_of(json_array_get(layers, 3), "cookie"), blobs[1].digest);
	/* It is no image of one manifest. */
	ck_assert_str_eq(text_of(image, "manifest_digest"), "");
	json_decref(image);
	image_expect(IMAGE("add", "b", "./file", at(":v1")), 0, "", "3 layers");
	image_expect(IMAGE("add", "c", "./file",
			   "device="
			   "127.0.0.1:1/x"),
		     1, "127.0.0.1", "");
	ck_assert_uint_eq(image_count(), 2);
}
END_TEST

START_TEST(tag_that_moves)
{
	struct blob old[] = { { EROFS_TYPE, { .seed = 1 } }, { EROFS_TYPE, { .seed = 2 } } };
	struct blob new[] = { { EROFS_TYPE, { .seed = 1 } },
			      { EROFS_TYPE, { .seed = 3, .blocks = 5 } },
			      { EROFS_TYPE, { .seed = 4 } } };
	char digests[2][REGISTRY_DIGEST_MAX];
	struct ctl_result *r;
	json_t *result;

	push("v1", old, 2, digests[0]);
	image_expect(IMAGE("add", "app", at(":v1")), 0, "", "2 layers");
	image_expect(IMAGE("refresh", "app"), 0, "", "nothing has changed");
	push("v1", new, 3, digests[1]);
	r = IMAGE("refresh", "--dry-run", "app");
	image_expect(r, 0, "", "app: 16 KiB -> 36 KiB");
	image_expect(r, 0, "", digests[0]);
	image_expect(r, 0, "", digests[1]);
	image_expect(r, 0, "", new[1].digest);
	image_expect(r, 0, "", old[1].digest);
	result = json_of(IMAGE("refresh", "--json", "--yes", "app"));
	ck_assert_str_eq(text_of(result, "old_manifest_digest"), digests[0]);
	ck_assert_str_eq(text_of(result, "new_manifest_digest"), digests[1]);
	ck_assert_uint_eq(json_array_size(json_object_get(result, "layers")), 4);
	json_decref(result);
	image_expect(IMAGE("inspect", "app"), 0, "", digests[1]);
	image_expect(IMAGE("refresh", "app"), 0, "", "nothing has changed");
	/* Added anew, it is what it is by now. */
	image_expect(IMAGE("add", "app", at(":v1")), 0, "", "already");
	push("v1", old, 2, NULL);
	image_expect(IMAGE("add", "app", at(":v1")), 1, "refresh", "");
}
END_TEST

/* ---- what no image can be made of ------------------------------------------------------- */

static const struct {
	const char *type, *text, *word;
} layers_refused[] = {
	{ OCI_TAR "+zstd", "x", "zstd" },
	{ DOCKER_TAR ".zstd", "x", "zstd" },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "x", "foreign" },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar", "x", "foreign" },
	{ OCI_TAR "+gzip+encrypted", "x", "encrypted" },
	{ "application/vnd.example+json", "{}", "vnd.example+json" },
	{ "text/\\u001b[2Jhtml", "x", "x1b" },
	{ EROFS_TYPE, "x", "said to be an EROFS image" },
	{ "application/octet-stream", "x", "no EROFS image" },
	{ DEVICE_TYPE, "x", "first layer is a device" },
};

START_TEST(layer_that_is_refused)
{
	struct blob blobs[] = { { layers_refused[_i].type, { 0 }, layers_refused[_i].text },
				{ EROFS_TYPE, { .seed = 1 } } };
	struct ctl_result *r;

	push("v1", blobs, 2, NULL);
	r = IMAGE("add", "app", at(":v1"));
	image_expect(r, 1, layers_refused[_i].word, "");
	image_expect(r, 1, at(":v1"), "");
	ck_assert_uint_eq(ctl_lines(r->err), 1);
	ck_assert_ptr_null(strchr(r->err, 0x1b));
	ck_assert_uint_eq(image_count(), 0);
}
END_TEST

/* Of a type that says something else, as tools push files whose type nobody told them. */
START_TEST(image_of_another_type)
{
	static const char *const types[] = { OCI_TAR, "application/octet-stream",
					     "application/vnd.example" };
	struct blob blobs[N(types)];

	for (int i = 0; i < N(types); i++)
		blobs[i] = (struct blob){ types[i], { .seed = (uint8_t)i } };
	push("v1", blobs, N(types), NULL);
	image_expect(IMAGE("add", "app", at(":v1")), 0, "", "3 layers");
}
END_TEST

/* An archive for who reads archives. */
START_TEST(image_that_is_something_else_too)
{
	static const struct {
		const char *type, *begin;
		bool good;
	} cases[] = {
		{ OCI_TAR, "name", false },
		{ OCI_TAR "+gzip", "\x1f\x8b\x08", false },
		{ OCI_TAR "+zstd", "\x28\xb5\x2f\xfd", false },
		{ "application/octet-stream", "\x1f\x8b\x08", false },
		{ "application/octet-stream", "boot code", true },
		{ EROFS_TYPE, "\x1f\x8b\x08", true },
		{ "application/vnd.example", "x", false },
	};

	for (int i = 0; i < N(cases); i++) {
		struct blob blob = { cases[i].type, { .begin = cases[i].begin } };
		struct ctl_result *r;

		push("v1", &blob, 1, NULL);
		r = IMAGE("add", "--replace", "app", at(":v1"));
		ck_assert_msg(r->status == (cases[i].good ? 0 : 1), "%d: %s", i, r->err);
	}
}
END_TEST

START_TEST(manifest_that_lies)
{
	struct blob blobs[] = { { EROFS_TYPE, { .seed = 1 }, NULL, "", 8191 } };
	struct blob gone[] = { { EROFS_TYPE, { .seed = 2 } } };
	char digest[REGISTRY_DIGEST_MAX];
	FILE *f;

	push("size", blobs, 1, NULL);
	image_expect(IMAGE("add", "app", at(":size")), 1, "8191", "");
	push("gone", gone, 1, digest);
	registry_remove_blob(REPOSITORY, gone[0].digest);
	image_expect(IMAGE("add", "app", at(":gone")), 1, "127.0.0.1", "");
	image_expect(IMAGE("add", "app", at(":none")), 1, "look at the name", "");
	image_expect(IMAGE("add", "app", at(":none")), 1, "team/app", "");
	/* As it is by default. */
	image_configure("");
	image_expect(IMAGE("add", "app", at(":size")), 1, "plain-http = yes", "");
	configure(registry_port(), "");
	f = fopen(registry_file(digest), "ae");
	ck_assert_ptr_nonnull(f);
	fputs(" ", f);
	fclose(f);
	image_expect(IMAGE("add", "app", at(":gone")), 1, "digest", "");
	ck_assert_uint_eq(image_count(), 0);
}
END_TEST

/* ---- registries that are no good -------------------------------------------------------- */

static struct origin *web;

/* A web server whose files are under a directory of the test. */
static void serve(const char *name, const char *text, size_t len)
{
	struct origin_options options = { .root = "web" };
	char path[256];

	ck_assert_int_eq(system("mkdir -p web/v2/" REPOSITORY "/manifests"), 0);
	snprintf(path, sizeof(path), "web/v2/" REPOSITORY "/manifests/%s", name);
	file_write(path, text, len);
	if (!web)
		ck_assert_int_eq(origin_start(&web, &options), 0);
	configure(origin_port(web), "");
}

START_TEST(manifest_of_nonsense)
{
	static const struct {
		const char *text, *word;
	} cases[] = {
		{ "<html>", "not JSON" },
		{ "{\"schemaVersion\":1}", "schema 1" },
		{ "{\"layers\":[]}", "0 layers" },
		{ "{\"layers\":[{\"digest\":\"sha256:0\",\"size\":1}]}", "digest" },
	};
	size_t len = (4 << 20) + 1;
	char *huge = malloc(len);

	for (int i = 0; i < N(cases); i++) {
		serve("v1", cases[i].text, strlen(cases[i].text));
		image_expect(IMAGE("add", "app", ref(origin_port(web), ":v1")), 1, cases[i].word,
			     "");
	}
	memset(huge, ' ', len);
	serve("v1", huge, len);
	image_expect(IMAGE("add", "app", ref(origin_port(web), ":v1")), 1, "too long", "");
	memset(huge, '[', len);
	serve("v1", huge, len - 1);
	image_expect(IMAGE("add", "app", ref(origin_port(web), ":v1")), 1, "not JSON", "");
	free(huge);
	ck_assert_uint_eq(image_count(), 0);
	web = origin_stop(web);
}
END_TEST

START_TEST(redirects_without_end)
{
	static const struct erofs_file plain = { 0 };
	struct ctl_result *r;
	char url[128];

	erofs_write("x", &plain);
	serve("v1", "", 0);
	snprintf(url, sizeof(url), "%s/f=loop/x", origin_url(web));
	r = IMAGE("add", "app", url);
	image_expect(r, 1, "redirect", "");
	ck_assert_uint_le(origin_stats(web).requests, 10);
	ck_assert_uint_eq(image_count(), 0);
	web = origin_stop(web);
}
END_TEST

START_TEST(registry_that_is_down)
{
	unsigned int port = registry_open("door", NULL, NULL, NULL);
	struct blob blobs[] = { { EROFS_TYPE, { .seed = 1 } } };

	push("v1", blobs, 1, NULL);
	configure(port, "");
	image_expect(IMAGE("add", "app", ref(port, ":v1")), 0, "", "");
	registry_shut();
	image_expect(IMAGE("add", "new", ref(port, ":v1")), 1, "is it up", "");
	image_expect(IMAGE("refresh", "--yes", "app"), 1, "stays as it was", "");
	image_expect(IMAGE("inspect", "app"), 0, "", blobs[0].digest);
	ck_assert_uint_eq(image_count(), 1);
}
END_TEST

START_TEST(registry_that_says_nothing)
{
	struct ctl_result *r;
	char url[128];

	serve("v1", "", 0);
	image_configure("open-deadline = 1s\n");
	snprintf(url, sizeof(url), "%s/f=hang/x", origin_url(web));
	r = IMAGE("add", "app", url);
	image_expect(r, 1, "no answer for 1 s", "");
	image_expect(r, 1, "127.0.0.1", "");
	web = origin_stop(web);
}
END_TEST

/* Once the server has been asked. */
START_TEST(interrupted)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	char url[128], *text;
	int status;
	size_t len;
	pid_t pid;

	serve("v1", "", 0);
	snprintf(url, sizeof(url), "%s/f=hang/x", origin_url(web));
	origin_stats(web);
	pid = image_start((const char *const[]){ "add", "app", url, NULL });
	while (origin_stats(web).requests == 0)
		usleep(1000);
	ck_assert_int_eq(kill(pid, signals[_i]), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	text = (char *)file_read("stderr", &len);
	ck_assert_msg(strstr(text, "interrupted: http://127.0.0.1") != NULL, "%s", text);
	free(text);
	ck_assert_uint_eq(image_count(), 0);
	web = origin_stop(web);
}
END_TEST

/* ---- credentials ------------------------------------------------------------------------ */

static unsigned int open_with_tokens(const struct token_server_options *options)
{
	return registry_open("door", NULL, token_server_start(options), NULL);
}

static void write_auth(unsigned int port, const char *auth)
{
	char text[256];

	snprintf(text, sizeof(text), "{\"auths\":{\"127.0.0.1:%u\":{\"auth\":\"%s\"}}}", port,
		 auth);
	file_write("auth.json", text, strlen(text));
	setenv("REGISTRY_AUTH_FILE", "auth.json", 1);
}

START_TEST(wrong_credentials)
{
	static const struct token_server_options options = { .user = "Aladdin",
							     .password = "open sesame" };
	struct blob blobs[] = { { EROFS_TYPE, { .seed = 1 } } };
	unsigned int port = open_with_tokens(&options);
	struct ctl_result *r;

	push("v1", blobs, 1, NULL);
	configure(port, "");
	r = IMAGE("add", "app", ref(port, ":v1"));
	image_expect(r, 1, "127.0.0.1", "");
	write_auth(port, "QWxpOm9wZW4gc2VzYW1l"); /* Ali:open sesame */
	r = IMAGE("add", "app", ref(port, ":v1"));
	image_expect(r, 1, "token server refuses", "");
	image_expect(r, 1, "podman login", "");
	ck_assert_ptr_null(strstr(r->err, "sesame"));
	ck_assert_ptr_null(strstr(r->err, "QWxpOm9wZW4"));
	ck_assert_uint_eq(image_count(), 0);
	write_auth(port, "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
	image_expect(IMAGE("add", "app", ref(port, ":v1")), 0, "", "1 layer");
	/* Nothing of it is in the store. */
	ck_assert_int_eq(system("! grep -q sesame state/images.db*"), 0);
}
END_TEST

/* What a tool has learnt of a registry is known to the next: a token is asked for first. */
START_TEST(requests_behind_a_token_server)
{
	static const struct token_server_options options = { .user = "Aladdin",
							     .password = "open sesame" };
	struct blob blobs[] = { { EROFS_TYPE, { .seed = 1 } } };
	unsigned int port = open_with_tokens(&options);

	push("v1", blobs, 1, NULL);
	configure(port, "");
	write_auth(port, "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
	image_expect(IMAGE("add", "app", ref(port, ":v1")), 0, "", "1 layer");
	registry_expect_logged("door", "\" 401 ", "GET", 1);
	/* Manifest and configuration, the first blocks. */
	registry_expect_logged("door", "\" 200 ", "GET", 2);
	registry_expect_logged("door", "\" 206 ", "GET", 1);
	ck_assert_uint_eq(token_server_asked(), 1);
	image_expect(IMAGE("refresh", "--dry-run", "app"), 0, "", "nothing has changed");
	image_expect(IMAGE("add", "second", ref(port, ":v1")), 0, "", "1 layer");
	registry_expect_logged("door", "\" 401 ", "GET", 1);
	registry_expect_logged("door", "\" 200 ", "GET", 6);
	registry_expect_logged("door", "\" 206 ", "GET", 3);
	ck_assert_uint_eq(token_server_asked(), 3);
	/* It is all that was learnt. */
	ck_assert_int_eq(system("! grep -qE 'sesame|QWxh|eyJ' state/images.db*"), 0);
}
END_TEST

/* The token server sends us to one that is larger than any. */
START_TEST(token_of_a_mebibyte)
{
	struct token_server_options options = { 0 };
	struct blob blobs[] = { { EROFS_TYPE, { .seed = 1 } } };
	static char token[1 << 20];
	char url[128];
	unsigned int port;

	push("v1", blobs, 1, NULL);
	memset(token, 'a', sizeof(token));
	memcpy(token, "{\"token\":\"", 10);
	memcpy(token + sizeof(token) - 2, "\"}", 2);
	serve("token", token, sizeof(token));
	snprintf(url, sizeof(url), "%s/v2/" REPOSITORY "/manifests/token", origin_url(web));
	options.location = url;
	port = open_with_tokens(&options);
	configure(port, "");
	image_expect(IMAGE("add", "app", ref(port, ":v1")), 1, "token", "");
	ck_assert_uint_eq(image_count(), 0);
	web = origin_stop(web);
}
END_TEST

START_TEST(query_that_is_secret)
{
	static const struct erofs_file plain = { 0 };
	struct origin_options options = { .root = "." };
	char url[128];
	struct ctl_result *r;

	erofs_write("x", &plain);
	ck_assert_int_eq(origin_start(&web, &options), 0);
	snprintf(url, sizeof(url), "%s/x?token=s3cret", origin_url(web));
	image_expect(IMAGE("add", "app", url), 0, "", "1 layer");
	r = IMAGE("inspect", "app");
	image_expect(r, 0, "", "/x");
	ck_assert_ptr_null(strstr(r->out, "s3cret"));
	r = IMAGE("inspect", "--json", "app");
	ck_assert_ptr_null(strstr(r->out, "s3cret"));
	r = IMAGE("ls");
	ck_assert_ptr_null(strstr(r->out, "s3cret"));
	/* It is sent all the same. */
	image_expect(IMAGE("refresh", "app"), 0, "", "nothing has changed");
	ck_assert_ptr_nonnull(strstr(origin_last_request(web, url, sizeof(url)), "s3cret"));
	web = origin_stop(web);
}
END_TEST

START_TEST(server_without_versions)
{
	char url[128];

	ck_assert_int_eq(origin_start(&web, NULL), 0);
	origin_put_as(web, "x", 8192, ORIGIN_NO_VALIDATOR | ORIGIN_COMPRESSED);
	snprintf(url, sizeof(url), "%s/x", origin_url(web));
	image_expect(IMAGE("add", "app", url), 0, "tells no version", "1 layer");
	web = origin_stop(web);
}
END_TEST

int main(void)
{
	Suite *s;
	TCase *tc;

	if (!registry_installed())
		return skip_all("no docker-registry here");
	s = suite_create("ctl-image-oci");
	tc = tcase_create("image-oci");
	tcase_set_timeout(tc, 90);
	tcase_add_unchecked_fixture(tc, registry_begin, registry_end);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, image_of_layers);
	tcase_add_test(tc, images_of_several_references);
	tcase_add_test(tc, tag_that_moves);
	tcase_add_loop_test(tc, layer_that_is_refused, 0, N(layers_refused));
	tcase_add_test(tc, image_of_another_type);
	tcase_add_test(tc, image_that_is_something_else_too);
	tcase_add_test(tc, manifest_that_lies);
	tcase_add_test(tc, manifest_of_nonsense);
	tcase_add_test(tc, redirects_without_end);
	tcase_add_test(tc, registry_that_is_down);
	tcase_add_test(tc, registry_that_says_nothing);
	tcase_add_loop_test(tc, interrupted, 0, 3);
	tcase_add_test(tc, wrong_credentials);
	tcase_add_test(tc, requests_behind_a_token_server);
	tcase_add_test(tc, token_of_a_mebibyte);
	tcase_add_test(tc, query_that_is_secret);
	tcase_add_test(tc, server_without_versions);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
