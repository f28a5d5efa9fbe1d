/* SPDX-License-Identifier: MIT */
/*
 * Indexes of tar layers that are pushed to a registry, and taken from there.
 */
#include <check.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ctl/image-rig.h"
#include "tests/lib/origin.h"
#include "tests/lib/registry.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/tar-make.h"

#define N(array)    ((int)(sizeof(array) / sizeof((array)[0])))
#define REPOSITORY  "team/app"
#define TAR_TYPE    "application/vnd.oci.image.layer.v1.tar"
#define CONFIG_TYPE "application/vnd.oci.image.config.v1+json"
#define ARTIFACT    "application/vnd.cachefilld.tarindex.v1"
#define ANNOTATION  "io.cachefilld.tarindex.layer"

static const char *const types[] = { "application/vnd.cachefilld.tarindex.metadata.v1",
				     "application/vnd.cachefilld.tarindex.map.v1",
				     "application/vnd.cachefilld.tarindex.gzindex.v1" };

static char ref[128], manifest[4096];
static char image[REGISTRY_DIGEST_MAX], config[REGISTRY_DIGEST_MAX];
static struct layer {
	char digest[REGISTRY_DIGEST_MAX];
	size_t size;
} layers[2];

__attribute__((format(printf, 1, 2))) static void shell(const char *format, ...)
{
	char command[2048];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void configure(unsigned int port)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "open-deadline = 5s\nread-deadline = 5s\nsource registry {\n"
		 "\turl = oci://127.0.0.1:%u/{cookie}\n\trule = no\n\tplain-http = yes\n}\n",
		 port);
	image_configure(text);
	snprintf(ref, sizeof(ref), "127.0.0.1:%u/" REPOSITORY ":v1", port);
}

/* More than the first block of it, and no less when it is compressed. */
static void put_layer(struct layer *layer, const char *name, bool gzip)
{
	static char noise[100000];
	struct tar_make tar = { 0 };
	uint32_t x = 1;
	uint8_t *bytes;

	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
	tar_make_add(&tar, (struct tar_make_entry){ name, .data = noise, .size = sizeof(noise) });
	tar_make_end(&tar);
	file_write("layer", tar.bytes, tar.len);
	tar_make_free(&tar);
	if (gzip)
		shell("gzip -nf layer && mv layer.gz layer");
	bytes = file_read("layer", &layer->size);
	registry_put_blob(REPOSITORY, bytes, layer->size, layer->digest);
	free(bytes);
}

/* A plain layer and one that is compressed. */
static void put_image(void)
{
	static const char text[] = "{\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":"
				   "[\"%s\",\"%s\"]}}";
	char made[512];

	put_layer(&layers[0], "a", false);
	put_layer(&layers[1], "b", true);
	snprintf(made, sizeof(made), text, layers[0].digest, layers[1].digest);
	registry_put_blob(REPOSITORY, made, strlen(made), config);
	snprintf(manifest, sizeof(manifest),
		 "{\"schemaVersion\":2,\"mediaType\":\"" REGISTRY_MANIFEST "\",\"config\":{"
		 "\"mediaType\":\"" CONFIG_TYPE "\",\"digest\":\"%s\",\"size\":%zu},\"layers\":["
		 "{\"mediaType\":\"" TAR_TYPE "\",\"digest\":\"%s\",\"size\":%zu},"
		 "{\"mediaType\":\"" TAR_TYPE "+gzip\",\"digest\":\"%s\",\"size\":%zu}]}",
		 config, strlen(made), layers[0].digest, layers[0].size, layers[1].digest,
		 layers[1].size);
	registry_put_manifest(REPOSITORY, "v1", REGISTRY_MANIFEST, manifest, image);
}

static void start(void)
{
	static const char *const places[] = { "REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "HOME" };

	ctl_enter();
	for (int i = 0; i < N(places); i++)
		unsetenv(places[i]);
	registry_start();
	configure(registry_port());
	put_image();
}

static void stop(void)
{
	registry_stop();
	ctl_leave();
}

/* What the image is in this store, and that it is what it was in the first one. */
static void save(void)
{
	shell("mv state first");
}

static void expect_same(void)
{
	shell("diff -r first/index state/index");
}

static const char *index_tag(void)
{
	static char tag[REGISTRY_DIGEST_MAX];

	strcpy(tag, image);
	tag[6] = '-';
	return tag;
}

/* The index that is under its tag. */
static json_t *read_index(void)
{
	char path[512];
	json_t *json;
	uint8_t *link;
	size_t len;

	snprintf(path, sizeof(path),
		 "%s/data/docker/registry/v2/repositories/" REPOSITORY
		 "/_manifests/tags/%s/current/link",
		 registry_dir(), index_tag());
	link = file_read(path, &len);
	ck_assert_uint_eq(len, 71);
	snprintf(path, sizeof(path), "%.71s", (const char *)link);
	json = json_load_file(registry_file(path), 0, NULL);
	ck_assert_ptr_nonnull(json);
	free(link);
	return json;
}

static const char *text_at(const json_t *json, const char *list, size_t i, const char *key)
{
	json_t *item = json_array_get(json_object_get(json, list), i);

	return json_string_value(json_object_get(item, key)) ?: "";
}

/* Their metadata images are files, which have a version of their own on each host. */
static void expect_same_layers(const json_t *json)
{
	struct ctl_result *r = IMAGE("inspect", "--json", "app");
	json_t *again = json_loads(r->out, 0, NULL);

	for (size_t i = 0; i < 2; i++) {
		const json_t *a = json_array_get(json_object_get(json, "layers"), i);
		const json_t *b = json_array_get(json_object_get(again, "layers"), i);

		ck_assert(json_equal(json_object_get(a, "cookie"), json_object_get(b, "cookie")));
		ck_assert(json_equal(json_object_get(a, "devices"), json_object_get(b, "devices")));
	}
	json_decref(again);
}

/* ---- there and back ----------------------------------------------------------------------- */

START_TEST(index_there_and_back)
{
	char digest[REGISTRY_DIGEST_MAX + 1], by_digest[256];
	struct ctl_result *r;
	json_t *json;

	image_expect(IMAGE("add", "app", ref), 0, "", "2 layers");
	for (int i = 0; i < 2; i++)
		registry_expect_logged("open", "GET", layers[i].digest, 2);
	r = IMAGE("push-index", "app");
	image_expect(r, 0, "", "sha256:");
	ctl_line(r->out, 0, digest, sizeof(digest));
	json = read_index();
	ck_assert_str_eq(text_at(json, "manifests", 0, "digest"), digest);
	ck_assert_str_eq(text_at(json, "manifests", 0, "artifactType"), ARTIFACT);
	json_decref(json);
	json = json_load_file(registry_file(digest), 0, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(json, "artifactType")), ARTIFACT);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "layers")), 5);
	ck_assert_str_eq(
		json_string_value(json_object_get(json_object_get(json, "subject"), "digest")),
		image);
	json_decref(json);
	r = IMAGE("inspect", "--json", "app");
	json = json_loads(r->out, 0, NULL);
	save();
	image_expect(IMAGE("add", "app", ref), 0, "", "2 layers");
	expect_same();
	/* The first block, to see what it is. */
	for (int i = 0; i < 2; i++)
		registry_expect_logged("open", "GET", layers[i].digest, 3);
	expect_same_layers(json);
	json_decref(json);
	/* Who does not want it reads them. */
	shell("rm -r state");
	image_expect(IMAGE("add", "--no-referrers", "app", ref), 0, "", "2 layers");
	expect_same();
	for (int i = 0; i < 2; i++)
		registry_expect_logged("open", "GET", layers[i].digest, 5);
	shell("rm -r state");
	snprintf(by_digest, sizeof(by_digest), "%s@%s", ref, image);
	image_expect(IMAGE("add", "app", by_digest), 0, "", "2 layers");
	expect_same();
	for (int i = 0; i < 2; i++)
		registry_expect_logged("open", "GET", layers[i].digest, 7);
	registry_expect_logged("open", "GET", "/referrers/", 2);
}
END_TEST

/* Podman's layers are mounted, for which more is needed than there is here. */
START_TEST(listed_once_for_podman)
{
	struct ctl_result *r = RUN("als", "add", "--config", "conf", "--state-dir", "state",
				   "--run-dir", "run", ref);

	ck_assert_int_eq(r->status, 1);
	ck_assert_msg(strstr(r->err, "cannot be mounted") != NULL, "%s", r->err);
	shell("test $(ls state/index | wc -l) = 5");
	registry_expect_logged("open", "GET", "/manifests/v1", 1);
	registry_expect_logged("open", "GET", config, 1);
	for (int i = 0; i < 2; i++)
		registry_expect_logged("open", "GET", layers[i].digest, 2);
}
END_TEST

/* What others have there stays there, and what we have is there once. */
START_TEST(index_of_others)
{
	char other[512], index[1024], digest[REGISTRY_DIGEST_MAX];
	json_t *json;

	snprintf(other, sizeof(other),
		 "{\"schemaVersion\":2,\"mediaType\":\"" REGISTRY_MANIFEST
		 "\",\"config\":{\"mediaType\":\"application/vnd.example\",\"digest\":\"%s\","
		 "\"size\":1},\"layers\":[]}",
		 config);
	registry_put_manifest(REPOSITORY, "other", REGISTRY_MANIFEST, other, digest);
	snprintf(index, sizeof(index),
		 "{\"schemaVersion\":2,\"mediaType\":\"" REGISTRY_INDEX
		 "\",\"manifests\":[{\"mediaType\":\"" REGISTRY_MANIFEST
		 "\",\"digest\":\"%s\",\"size\":%zu,\"annotations\":{\"a\":\"b\"}}]}",
		 digest, strlen(other));
	registry_put_manifest(REPOSITORY, index_tag(), REGISTRY_INDEX, index, NULL);
	image_expect(IMAGE("add", "app", ref), 0, "", "2 layers");
	for (int i = 0; i < 2; i++) {
		image_expect(IMAGE("push-index", "app"), 0, "", "sha256:");
		json = read_index();
		ck_assert_uint_eq(json_array_size(json_object_get(json, "manifests")), 2);
		ck_assert_str_eq(text_at(json, "manifests", 0, "digest"), digest);
		ck_assert_str_eq(text_at(json, "manifests", 1, "artifactType"), ARTIFACT);
		json_decref(json);
	}
}
END_TEST

START_TEST(nothing_to_push)
{
	struct erofs_file file = { 0 };

	image_expect(IMAGE("push-index", "app"), 1, "app", "");
	erofs_write("file", &file);
	image_expect(IMAGE("add", "app", "./file"), 0, "", "");
	image_expect(IMAGE("push-index", "app"), 1, "no image of one manifest", "");
	image_expect(IMAGE("add", "--replace", "app", ref), 0, "", "");
	/* A tag that is somebody's image stays what it is. */
	registry_put_manifest(REPOSITORY, index_tag(), REGISTRY_MANIFEST, manifest, NULL);
	image_expect(IMAGE("push-index", "app"), 1, "no index", "");
	ck_assert_int_eq(IMAGE("push-index")->status, 2);
}
END_TEST

START_TEST(pushed_where_nobody_listens)
{
	configure(registry_open("door", NULL, NULL, NULL));
	image_expect(IMAGE("add", "app", ref), 0, "", "");
	registry_shut();
	image_expect(IMAGE("push-index", "app"), 1, "127.0.0.1", "");
}
END_TEST

/* ---- what is no good ---------------------------------------------------------------------- */

/* files/LAYER.KIND, of the store that is there. */
static void take_files(void)
{
	struct ctl_result *r = IMAGE("inspect", "--json", "app");
	json_t *json = json_loads(r->out, 0, NULL);

	shell("mkdir files");
	for (size_t i = 0; i < 2; i++) {
		json_t *layer = json_array_get(json_object_get(json, "layers"), i);
		const char *meta = json_string_value(json_object_get(layer, "cookie"));
		const char *tar = text_at(layer, "devices", 0, "cookie");

		shell("cp state/index/%s.erofs files/%zu.erofs", meta + 5, i);
		shell("cp state/index/%s.map files/%zu.map", tar + 4, i);
	}
	shell("cp state/index/*.gzindex files/1.gzindex");
	json_decref(json);
}

/* An artifact for the second layer, of these files; "": not there. */
struct artifact {
	const char *files[3];
	const char *subject, *type; /* NULL: the right ones */
	long long size;		    /* that it says the first file has; 0: what it has */
};

static void put_artifact(const struct artifact *a, char digests[3][REGISTRY_DIGEST_MAX])
{
	char text[8192], index[1024], digest[REGISTRY_DIGEST_MAX];
	const char *comma = "";
	int n = snprintf(text, sizeof(text),
			 "{\"schemaVersion\":2,\"mediaType\":\"" REGISTRY_MANIFEST
			 "\",\"artifactType\":\"%s\",\"config\":{\"mediaType\":"
			 "\"application/vnd.oci.empty.v1+json\",\"digest\":\"%s\",\"size\":1},"
			 "\"subject\":{\"digest\":\"%s\"},\"layers\":[",
			 a->type ?: ARTIFACT, config, a->subject ?: image);

	for (int k = 0; k < 3; k++) {
		size_t len;
		uint8_t *bytes;

		if (!*a->files[k])
			continue;
		bytes = file_read(a->files[k], &len);
		registry_put_blob(REPOSITORY, bytes, len, digests[k]);
		free(bytes);
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      "%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%lld,"
			      "\"annotations\":{\"" ANNOTATION "\":\"%s\"}}",
			      comma, types[k], digests[k],
			      k == 0 && a->size ? a->size : (long long)len, layers[1].digest);
		comma = ",";
	}
	snprintf(text + n, sizeof(text) - (size_t)n, "]}");
	registry_put_manifest(REPOSITORY, "artifact", REGISTRY_MANIFEST, text, digest);
	snprintf(index, sizeof(index),
		 "{\"schemaVersion\":2,\"mediaType\":\"" REGISTRY_INDEX
		 "\",\"manifests\":[{\"mediaType\":\"" REGISTRY_MANIFEST
		 "\",\"digest\":\"%s\",\"size\":%zu,\"artifactType\":\"" ARTIFACT "\"}]}",
		 digest, strlen(text));
	registry_put_manifest(REPOSITORY, index_tag(), REGISTRY_INDEX, index, NULL);
}

static void expect_useless(const char *word)
{
	struct ctl_result *r;

	shell("rm -rf state");
	r = IMAGE("add", "app", ref);
	image_expect(r, 0, "is of no use", "2 layers");
	image_expect(r, 0, word, "");
	ck_assert_uint_eq(ctl_lines(r->err), 1);
	expect_same();
}

#define GOOD                                                      \
	{                                                         \
		"files/1.erofs", "files/1.map", "files/1.gzindex" \
	}
static const struct {
	struct artifact artifact;
	const char *word;
} lies[] = {
	{ { .files = { "files/1.erofs", "files/0.map", "files/1.gzindex" } }, "another layer" },
	{ { .files = { "files/1.erofs", "files/1.map", "foreign" } }, "another layer" },
	{ { .files = { "files/1.erofs", "damaged", "files/1.gzindex" } }, "damaged" },
	{ { .files = { "files/1.erofs", "cut", "files/1.gzindex" } }, "damaged" },
	{ { .files = { "files/1.erofs", "files/1.map", "files/1.map" } }, "index is none" },
	{ { .files = { "files/1.erofs", "files/1.map", "short" } }, "index is none" },
	{ { .files = { "files/1.map", "files/1.map", "files/1.gzindex" } }, "no EROFS image" },
	{ { .files = { "short", "files/1.map", "files/1.gzindex" } }, "no EROFS image" },
	{ { .files = { "huge", "files/1.map", "files/1.gzindex" } }, "larger than the layer" },
	{ { .files = { "files/1.erofs", "", "files/1.gzindex" } }, "not all" },
	{ { .files = { "files/1.erofs", "files/1.map", "" } }, "not all" },
	{ { .files = GOOD, .size = 1000000000000 }, "larger than the layer" },
	{ { .files = GOOD, .size = 4096 }, "sha256" },
	{ { .files = GOOD, .type = "application/vnd.example" }, "another type" },
	{ { .files = GOOD,
	    .subject = "sha256:0000000000000000000000000000000000000000000000000000000000000000" },
	  "another image" },
};

START_TEST(index_that_lies)
{
	char digests[3][REGISTRY_DIGEST_MAX];
	struct artifact good = { .files = GOOD };

	image_expect(IMAGE("add", "app", ref), 0, "", "");
	take_files();
	save();
	/* The same archive, compressed otherwise. */
	shell("gzip -cd < layer | gzip -n1 > layer.gz");
	image_expect(IMAGE("add", "other", "./layer.gz"), 0, "", "");
	shell("cp state/index/*.gzindex foreign");
	shell("cp files/1.map damaged && printf X | dd of=damaged bs=1 seek=330 conv=notrunc "
	      "2> /dev/null; head -c -1 files/1.map > cut; printf x > short; "
	      "truncate -s 2000000 huge");
	for (int i = 0; i < N(lies); i++) {
		put_artifact(&lies[i].artifact, digests);
		expect_useless(lies[i].word);
	}
	/* The registry has other bytes than it has taken, or none any more. */
	put_artifact(&good, digests);
	shell("rm -rf state");
	image_expect(IMAGE("add", "app", ref), 0, "", "2 layers");
	expect_same();
	shell("printf X | dd of=%s bs=1 seek=2000 conv=notrunc 2> /dev/null",
	      registry_file(digests[0]));
	expect_useless("sha256");
	put_artifact(&good, digests);
	registry_remove_blob(REPOSITORY, digests[1]);
	expect_useless("127.0.0.1");
}
END_TEST

/* ---- a registry that knows of referrers --------------------------------------------------- */

START_TEST(registry_that_keeps_an_index)
{
	struct origin_options options = { .root = "web" };
	char digest[REGISTRY_DIGEST_MAX + 1];
	struct origin *web;
	struct ctl_result *r;
	json_t *json;

	image_expect(IMAGE("add", "app", ref), 0, "", "2 layers");
	r = IMAGE("push-index", "app");
	ctl_line(r->out, 0, digest, sizeof(digest));
	shell("mkdir -p web/v2/" REPOSITORY "/manifests web/v2/" REPOSITORY
	      "/referrers web/v2/" REPOSITORY "/blobs");
	shell("cd web/v2/" REPOSITORY
	      " && for f in %s/data/docker/registry/v2/blobs/sha256/*/*; do "
	      "cp $f/data blobs/sha256:$(basename $f); cp $f/data manifests/sha256:$(basename $f); "
	      "done; cp manifests/%s manifests/v1",
	      registry_dir(), image);
	json = read_index();
	snprintf(manifest, sizeof(manifest), "web/v2/" REPOSITORY "/referrers/%s", image);
	ck_assert_int_eq(json_dump_file(json, manifest, 0), 0);
	json_decref(json);
	ck_assert_int_eq(origin_start(&web, &options), 0);
	save();
	configure(origin_port(web));
	image_expect(IMAGE("add", "app", ref), 0, "", "2 layers");
	expect_same();
	/* The image, its configuration, two first blocks; the list, the artifact, its files. */
	ck_assert_uint_eq(origin_stats(web).requests, 4 + 1 + 1 + 5);
	web = origin_stop(web);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl-referrers");
	TCase *tc = tcase_create("referrers");

	if (!registry_installed())
		return skip_all("no docker-registry here");
	tcase_set_timeout(tc, 90);
	tcase_add_unchecked_fixture(tc, registry_begin, registry_end);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, index_there_and_back);
	tcase_add_test(tc, listed_once_for_podman);
	tcase_add_test(tc, index_of_others);
	tcase_add_test(tc, nothing_to_push);
	tcase_add_test(tc, pushed_where_nobody_listens);
	tcase_add_test(tc, index_that_lies);
	tcase_add_test(tc, registry_that_keeps_an_index);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
