/* SPDX-License-Identifier: MIT */
/*
 * What an image consists of: docker-registry(1) with real ones, and files behind a plain web server
 * for what no registry would take.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/contract/oci.h"
#include "tests/lib/origin.h"
#include "tests/lib/run-suite.h"

#define N(array)     ((int)(sizeof(array) / sizeof((array)[0])))
#define CONFIG_TYPE  "application/vnd.oci.image.config.v1+json"
#define EROFS_TYPE   "application/vnd.erofs.layer.v1"
#define ZEROES	     "0000000000000000000000000000000000000000000000000000000000000000"
#define CONFIG_BEGIN "{\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":["

static void start(void)
{
	registry_start();
}

static void stop(void)
{
	registry_stop();
}

static struct host_list expect_list(const char *where, int err, const char *word)
{
	struct host_list list;
	int r = host_list(&host, &list, where);

	ck_assert_msg(r == err, "%s: %d instead of %d: %s", where, r, err, list.list.error);
	if (err < 0)
		ck_assert_msg(strstr(list.list.error, word), "%s", list.list.error);
	return list;
}

/* Manifest of layers with a configuration. Static. */
static const char *manifest(const char *config_digest, size_t config_size, const char *layers)
{
	static char text[65536];

	snprintf(text, sizeof(text),
		 "{\"schemaVersion\":2,\"mediaType\":\"" REGISTRY_MANIFEST "\",\"config\":{"
		 "\"mediaType\":\"" CONFIG_TYPE "\",\"digest\":\"%s\",\"size\":%zu},"
		 "\"layers\":[%s]}",
		 config_digest, config_size, layers);
	return text;
}

static const char *descriptor(const char *type, const char *digest, size_t size)
{
	static char text[512];

	snprintf(text, sizeof(text), "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu}", type,
		 digest, size);
	return text;
}

static const char *at(const char *rest)
{
	return locator(registry_port(), rest);
}

/* ---- images ----------------------------------------------------------------------------- */

START_TEST(image_of_layers)
{
	static const char config[] = CONFIG_BEGIN "\"sha256:" ZEROES "\",\"sha512:" ZEROES ZEROES
						  "\"]},\"config\":{\"Cmd\":[\"sh\"]}}";
	char digests[2][REGISTRY_DIGEST_MAX], config_digest[REGISTRY_DIGEST_MAX], layers[1024];
	char whole[REGISTRY_DIGEST_MAX], want[256];
	struct host_list list;
	int n;

	registry_put_blob(REPOSITORY, "bottom", 6, digests[0]);
	registry_put_blob(REPOSITORY, "top", 3, digests[1]);
	registry_put_blob(REPOSITORY, config, strlen(config), config_digest);
	n = snprintf(layers, sizeof(layers), "%s,", descriptor(EROFS_TYPE, digests[0], 6));
	snprintf(layers + n, sizeof(layers) - (size_t)n, "%s",
		 descriptor("application/vnd.oci.image.layer.v1.tar", digests[1], 3));
	registry_put_manifest(REPOSITORY, "v1", REGISTRY_MANIFEST,
			      manifest(config_digest, strlen(config), layers), whole);
	host_for(registry_port(), NULL, NULL);
	list = expect_list(at(":v1"), 0, "");
	ck_assert_uint_eq(list.list.n_parts, 2);
	ck_assert_str_eq(list.list.manifest_digest, whole);
	ck_assert_str_eq(list.list.config, config);
	ck_assert_str_eq(list.list.manifest, manifest(config_digest, strlen(config), layers));
	for (int i = 0; i < 2; i++) {
		const struct fetch_part *part = &list.list.parts[i];

		snprintf(want, sizeof(want), "@%s?blob", digests[i]);
		ck_assert_str_eq(part->locator, at(want));
		snprintf(want, sizeof(want), "digest:%s", digests[i]);
		ck_assert_str_eq(part->identity.validator, want);
		ck_assert_uint_eq(part->identity.size, i ? 3 : 6);
		ck_assert_str_eq(part->digest, digests[i]);
		ck_assert_str_eq(part->title, "");
	}
	ck_assert_str_eq(list.list.parts[0].media_type, EROFS_TYPE);
	ck_assert_str_eq(list.list.parts[0].diff_id, "sha256:" ZEROES);
	ck_assert_str_eq(list.list.parts[1].diff_id, "sha512:" ZEROES ZEROES);
	fetch_list_end(&list.list);
	host_stop(&host);
}
END_TEST

/* The locator and the identity of a part are those of a look at it. */
START_TEST(parts_can_be_read)
{
	struct layer layers[] = { { "a", SIZE }, { "b", 4000 } };
	struct host_list list;
	struct host_look look;

	push_image("v1", layers, 2, NULL);
	host_for(registry_port(), NULL, NULL);
	list = expect_list(at(":v1"), 0, "");
	for (size_t i = 0; i < 2; i++) {
		const struct fetch_part *part = &list.list.parts[i];
		struct fetch_object *object = host_attach(&host, part->locator, &part->identity);

		ck_assert_str_eq(part->title, layers[i].name);
		expect_reads(object, layers[i].name, layers[i].size, 3);
		host.fetcher->ops->detach(object);
		look = expect_look(part->locator, 0, "");
		ck_assert_str_eq(look.look.identity.validator, part->identity.validator);
		ck_assert_uint_eq(look.look.identity.size, part->identity.size);
	}
	/* What stands in place of a configuration in an artifact is not read. */
	ck_assert_str_eq(list.list.config, "");
	fetch_list_end(&list.list);
	registry_expect_logged("open", "GET", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8", 0);
	host_stop(&host);
}
END_TEST

START_TEST(one_object)
{
	struct layer layers[] = { { "a", 5000 }, { "b", 4000 } };
	char rest[128];

	push_image("v1", layers, 2, NULL);
	host_for(registry_port(), NULL, NULL);
	expect_list(at(":v1?layer=1"), -ENOTDIR, "one object");
	expect_list(at(":v1?title=a"), -ENOTDIR, "one object");
	snprintf(rest, sizeof(rest), "@%s?blob", layers[0].digest);
	expect_list(at(rest), -ENOTDIR, "one object");
	snprintf(rest, sizeof(rest), "@%s", layers[0].digest);
	expect_list(at(rest), -ENOTDIR, "");
	expect_list(at(":none"), -ENOENT, "127.0.0.1");
	expect_list("oci://127.0.0.1:1/" REPOSITORY, -EACCES, "template");
	host_stop(&host);
}
END_TEST

START_TEST(index_of_images)
{
	struct layer layers[] = { { "arm", 5000 }, { "amd", 6000 } };
	char digests[2][REGISTRY_DIGEST_MAX], text[2048];
	struct host_list list;
	struct stat st[2];

	for (int i = 0; i < 2; i++) {
		push_image(layers[i].name, &layers[i], 1, digests[i]);
		ck_assert_int_eq(stat(registry_file(digests[i]), &st[i]), 0);
	}
	snprintf(text, sizeof(text),
		 "{\"schemaVersion\":2,\"mediaType\":\"" REGISTRY_INDEX "\",\"manifests\":["
		 "{\"mediaType\":\"" REGISTRY_MANIFEST "\",\"digest\":\"%s\",\"size\":%zu,"
		 "\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\"}},"
		 "{\"mediaType\":\"" REGISTRY_MANIFEST "\",\"digest\":\"%s\",\"size\":%zu,"
		 "\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}",
		 digests[0], (size_t)st[0].st_size, digests[1], (size_t)st[1].st_size);
	registry_put_manifest(REPOSITORY, "all", REGISTRY_INDEX, text, NULL);
	host_for(registry_port(), "platform", "linux/amd64");
	list = expect_list(at(":all"), 0, "");
	/* The digest is that of the manifest, which does not change with the others. */
	ck_assert_str_eq(list.list.manifest_digest, digests[1]);
	ck_assert_str_eq(list.list.parts[0].title, "amd");
	fetch_list_end(&list.list);
	host_stop(&host);
}
END_TEST

START_TEST(list_may_be_canceled)
{
	struct layer layer = { "a", 5000 };

	push_image("v1", &layer, 1, NULL);
	for (int turns = 0; turns < 12; turns++) {
		struct host_list list;
		int err;

		host_for(registry_port(), NULL, NULL);
		host_list_start(&host, &list, at(":v1"));
		for (int i = 0; i < turns && list.n_done == 0; i++)
			host_turn(&host);
		if (list.n_done == 0)
			host_list_cancel(&list);
		err = host_list_wait(&list);
		ck_assert(err == 0 || err == -ECANCELED);
		ck_assert(turns > 0 || err == -ECANCELED);
		fetch_list_end(&list.list);
		host_stop(&host);
	}
}
END_TEST

/* ---- lies ------------------------------------------------------------------------------- */

static struct origin *web;

/* A web server of files, as a registry would answer. */
static void serve(const char *kind, const char *name, const char *text, size_t len)
{
	char command[256], path[512];
	FILE *f;

	if (!web) {
		struct origin_options options = { .root = registry_dir() };

		ck_assert_int_eq(origin_start(&web, &options), 0);
	}
	snprintf(command, sizeof(command), "mkdir -p %s/v2/" REPOSITORY "/%s", registry_dir(),
		 kind);
	ck_assert_int_eq(system(command), 0);
	snprintf(path, sizeof(path), "%s/v2/" REPOSITORY "/%s/%s", registry_dir(), kind, name);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	fclose(f);
}

static void serve_text(const char *kind, const char *name, const char *text)
{
	serve(kind, name, text, strlen(text));
}

static void stop_serving(void)
{
	host_stop(&host);
	web = origin_stop(web);
}

#define D  "sha256:" ZEROES
#define LA "{\"mediaType\":\"" EROFS_TYPE "\",\"digest\":\"" D "\",\"size\":5}"

static const struct {
	const char *text, *word;
} lies[] = {
	{ "", "not JSON" },
	{ "{", "not JSON" },
	{ "[]", "not JSON" },
	{ "{\"layers\":[]}", "0 layers" },
	{ "{\"layers\":{}}", "contradicts" },
	{ "{\"layers\":[{}]}", "digest" },
	{ "{\"layers\":[" LA ",3]}", "digest" },
	{ "{\"layers\":[{\"digest\":\"" D "\",\"size\":-1}]}", "size" },
	{ "{\"layers\":[{\"digest\":\"" D "\",\"size\":\"5\"}]}", "size" },
	{ "{\"layers\":[{\"digest\":\"sha1:00\",\"size\":5}]}", "digest" },
	{ "{\"schemaVersion\":1,\"fsLayers\":[]}", "schema 1" },
	{ "{\"layers\":[" LA "],\"config\":{\"mediaType\":\"" CONFIG_TYPE "\"}}", "digest" },
	{ "{\"layers\":[" LA "],\"config\":{\"mediaType\":\"" CONFIG_TYPE "\",\"digest\":\"" D
	  "\",\"size\":99999999}}",
	  "more than 4 MiB" },
	{ "{\"layers\":[" LA "],\"layers\":[" LA "]}", "not JSON" },
};

START_TEST(manifest_that_is_none)
{
	serve_text("manifests", "v1", lies[_i].text);
	host_for(origin_port(web), NULL, NULL);
	expect_list(locator(origin_port(web), ":v1"), -EPROTO, lies[_i].word);
	stop_serving();
}
END_TEST

START_TEST(manifest_that_is_huge)
{
	size_t len = (4 << 20) + 1;
	char *text = malloc(len);

	memset(text, ' ', len);
	serve("manifests", "v1", text, len);
	host_for(origin_port(web), NULL, NULL);
	expect_list(locator(origin_port(web), ":v1"), -EPROTO, "127.0.0.1");
	/* As deep as it can be. */
	memset(text, '[', len);
	serve("manifests", "v1", text, len - 1);
	expect_list(locator(origin_port(web), ":v1"), -EPROTO, "not JSON");
	stop_serving();
	free(text);
}
END_TEST

START_TEST(manifest_of_many_layers)
{
	static const char layer[] = "," LA;
	char *text = malloc(130 * sizeof(layer) + 64), *end = stpcpy(text, "{\"layers\":[" LA);
	struct host_list list;

	for (int i = 1; i < 128; i++)
		end = stpcpy(end, layer);
	strcpy(end, "]}");
	serve_text("manifests", "v1", text);
	host_for(origin_port(web), NULL, NULL);
	list = expect_list(locator(origin_port(web), ":v1"), 0, "");
	ck_assert_uint_eq(list.list.n_parts, 128);
	/* Nobody has told a digest. */
	ck_assert_uint_eq(strlen(list.list.manifest_digest), strlen(D));
	fetch_list_end(&list.list);
	end = stpcpy(end, layer);
	strcpy(end, "]}");
	serve_text("manifests", "v1", text);
	expect_list(locator(origin_port(web), ":v1"), -EPROTO, "129 layers");
	stop_serving();
	free(text);
}
END_TEST

/* What the manifest says of it, and what it is. */
static const struct {
	const char *says, *is, *word;
} configs[] = {
	{ CONFIG_BEGIN "\"" D "\"]}}", CONFIG_BEGIN "\"" D "\"]}}", NULL },
	{ CONFIG_BEGIN "\"" D "\"]}}", CONFIG_BEGIN "\"" D "\"]} }", "too long" },
	{ CONFIG_BEGIN "\"" D "\"]}}", CONFIG_BEGIN "\"" D "\"]}", "what the manifest says" },
	{ CONFIG_BEGIN "\"" D "\"]}}", CONFIG_BEGIN "\"" D "\"]}]", "what the manifest says" },
	{ CONFIG_BEGIN "\"" D "\"", CONFIG_BEGIN "\"" D "\"", "not JSON" },
	{ "[]", "[]", "not JSON" },
	{ "{}", "{}", "0 diff_ids" },
	{ CONFIG_BEGIN "]}}", CONFIG_BEGIN "]}}", "0 diff_ids" },
	{ CONFIG_BEGIN "1]}}", CONFIG_BEGIN "1]}}", "no digest" },
	{ CONFIG_BEGIN "\"x\"]}}", CONFIG_BEGIN "\"x\"]}}", "no digest" },
};

START_TEST(configuration)
{
	char digest[REGISTRY_DIGEST_MAX];
	struct host_list list;

	registry_digest(configs[_i].says, strlen(configs[_i].says), digest);
	serve_text("manifests", "v1", manifest(digest, strlen(configs[_i].says), LA));
	serve_text("blobs", digest, configs[_i].is);
	host_for(origin_port(web), NULL, NULL);
	list = expect_list(locator(origin_port(web), ":v1"), configs[_i].word ? -EPROTO : 0,
			   configs[_i].word);
	if (!configs[_i].word)
		ck_assert_str_eq(list.list.parts[0].diff_id, D);
	fetch_list_end(&list.list);
	stop_serving();
}
END_TEST

START_TEST(configuration_that_is_not_there)
{
	serve_text("manifests", "v1", manifest(D, 5, LA));
	host_for(origin_port(web), NULL, NULL);
	expect_list(locator(origin_port(web), ":v1"), -ENOENT, "127.0.0.1");
	stop_serving();
}
END_TEST

START_TEST(index_that_never_ends)
{
	char text[1024], digest[REGISTRY_DIGEST_MAX];

	strcpy(text, "{\"manifests\":[" LA "]}");
	for (int i = 0; i < 5; i++) {
		registry_digest(text, strlen(text), digest);
		serve_text("manifests", digest, text);
		snprintf(text, sizeof(text), "{\"manifests\":[%s]}",
			 descriptor(REGISTRY_INDEX, digest, strlen(text)));
	}
	serve_text("manifests", "v1", text);
	host_for(origin_port(web), NULL, NULL);
	expect_list(locator(origin_port(web), ":v1"), -EPROTO, "indexes inside of indexes");
	stop_serving();
}
END_TEST

/* Not every fetcher has lists, but then neither half of it. */
START_TEST(who_has_lists)
{
	static const struct {
		const char *template;
		bool lists;
	} kinds[] = {
		{ "oci://h/{cookie}", true },
		{ "http://h/{cookie}", false },
		{ "file:/tmp/{cookie}", false },
		{ "s3://b/{cookie}", false },
	};

	setenv("AWS_ACCESS_KEY_ID", "id", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "key", 1);
	for (int i = 0; i < N(kinds); i++) {
		if (!fetcher_class_find(kinds[i].template))
			continue;
		host_start(&host, LOOP_POLL, kinds[i].template, NULL);
		ck_assert_int_eq(!!host.fetcher->ops->list, kinds[i].lists);
		ck_assert_int_eq(!!host.fetcher->ops->cancel_list, kinds[i].lists);
		host_stop(&host);
	}
}
END_TEST

/* ---- parts before the end --------------------------------------------------------------- */

static struct host_look early;
static unsigned int n_found;

/* What is found may be asked for at once; the list goes on meanwhile. */
static void look_early(struct fetch_list *base)
{
	const struct host_list *list = container_of(base, struct host_list, list);

	ck_assert_uint_eq(list->n_done, 0);
	ck_assert_uint_eq(base->n_parts, 1);
	ck_assert_uint_eq(base->parts[0].identity.size, 6);
	ck_assert_str_eq(base->parts[0].media_type, EROFS_TYPE);
	ck_assert_str_eq(base->parts[0].diff_id, "");
	ck_assert_ptr_null(base->config);
	host_look_start(&host, &early, base->parts[0].locator, 6);
	n_found++;
}

static void list_early(const char *config_digest, const char *config, int want)
{
	char digest[REGISTRY_DIGEST_MAX];
	struct host_list list;
	int err;

	registry_put_blob(REPOSITORY, "bottom", 6, digest);
	registry_put_manifest(
		REPOSITORY, "v1", REGISTRY_MANIFEST,
		manifest(config_digest, strlen(config), descriptor(EROFS_TYPE, digest, 6)), NULL);
	host_for(registry_port(), NULL, NULL);
	n_found = 0;
	host_list_start(&host, &list, at(":v1"));
	list.list.found = look_early;
	err = host_list_wait(&list);
	ck_assert_msg(err == want, "%d: %s", err, list.list.error);
	ck_assert_uint_eq(n_found, 1);
	ck_assert_uint_eq(list.list.n_parts, want == 0 ? 1 : 0);
	if (want == 0)
		ck_assert_str_eq(list.list.parts[0].diff_id, "sha256:" ZEROES);
	fetch_list_end(&list.list);
	ck_assert_int_eq(host_look_wait(&early), 0);
	ck_assert_mem_eq(early.look.head, "bottom", 6);
	host_look_free(&early);
	host_stop(&host);
}

START_TEST(parts_before_the_configuration)
{
	static const char config[] = CONFIG_BEGIN "\"sha256:" ZEROES "\"]}}", bad[] = "{}";
	char digest[REGISTRY_DIGEST_MAX];

	registry_put_blob(REPOSITORY, config, strlen(config), digest);
	list_early(digest, config, 0);
	/* They are gone with a list that fails, and what was started goes on. */
	registry_put_blob(REPOSITORY, bad, strlen(bad), digest);
	list_early(digest, bad, -EPROTO);
}
END_TEST

int main(void)
{
	Suite *s;
	TCase *tc;

	if (!registry_installed())
		return skip_all("no docker-registry here");
	s = suite_create("oci-list");
	tc = tcase_create("oci-list");
	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, registry_begin, registry_end);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, image_of_layers);
	tcase_add_test(tc, parts_before_the_configuration);
	tcase_add_test(tc, parts_can_be_read);
	tcase_add_test(tc, one_object);
	tcase_add_test(tc, index_of_images);
	tcase_add_test(tc, list_may_be_canceled);
	tcase_add_loop_test(tc, manifest_that_is_none, 0, N(lies));
	tcase_add_test(tc, manifest_that_is_huge);
	tcase_add_test(tc, manifest_of_many_layers);
	tcase_add_loop_test(tc, configuration, 0, N(configs));
	tcase_add_test(tc, configuration_that_is_not_there);
	tcase_add_test(tc, index_that_never_ends);
	tcase_add_test(tc, who_has_lists);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
