/* SPDX-License-Identifier: MIT */
#include "tests/contract/kinds.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fetchers/alternatives.h"
#include "fetchers/retry.h"
#include "tests/contract/kinds-internal.h"
#include "tests/contract/s3-oracle.h"
#include "tests/lib/origin.h"
#include "tests/lib/registry.h"
#include "tests/lib/server.h"
#include "tests/lib/temporary.h"
#include "daemon/replay/pattern.h"

/* ---- file ------------------------------------------------------------------------------- */

static char dir[TEMPORARY_MAX], dir_template[TEMPORARY_MAX + 16];

/* The number of times that each name was put. */
static struct {
	char name[32];
	unsigned int n;
} versions[64];

static unsigned int *version_of(const char *name)
{
	unsigned int i;

	for (i = 0; versions[i].name[0] && strcmp(versions[i].name, name) != 0; i++)
		ck_assert_uint_lt(i, 63);
	snprintf(versions[i].name, sizeof(versions[i].name), "%s", name);
	return &versions[i].n;
}

const char *file_dir(void)
{
	return dir;
}

void file_start(void)
{
	memset(versions, 0, sizeof(versions));
	temporary_dir(dir, TEMPORARY_ANY);
	snprintf(dir_template, sizeof(dir_template), "file:%s/{cookie}", dir);
}

void file_stop(void)
{
	temporary_remove(dir);
}

void file_next_version(const char *name)
{
	++*version_of(name);
}

uint64_t file_key(const char *name)
{
	return pattern_key(name) + *version_of(name);
}

/* The clock of files stands still for milliseconds: versions of the same one would look the same. */
static void set_own_time(int fd)
{
	struct timespec now;

	ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &now), 0);
	ck_assert_int_eq(futimens(fd, (struct timespec[]){ now, now }), 0);
}

/* By rename, as files are meant to be replaced. */
void file_write(const char *name, const void *bytes, size_t size)
{
	char path[TEMPORARY_MAX + 64], fresh[TEMPORARY_MAX + 80];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
	set_own_time(fd);
	close(fd);
	ck_assert_int_eq(rename(fresh, path), 0);
}

static void file_put(const char *name, uint64_t size)
{
	char *bytes = malloc(size + 1);

	file_next_version(name);
	pattern_fill(bytes, size, file_key(name), 0);
	file_write(name, bytes, size);
	free(bytes);
}

static void file_remove(const char *name)
{
	char path[TEMPORARY_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}

static const char *file_template(void)
{
	return dir_template;
}

/* ---- http ------------------------------------------------------------------------------- */

static struct origin *origin;
static char http_text[80];

static void http_start(void)
{
	ck_assert_int_eq(origin_start(&origin, NULL), 0);
	snprintf(http_text, sizeof(http_text), "%s/{cookie}", origin_url(origin));
}

static void http_stop(void)
{
	origin = origin_stop(origin);
}

static void http_put(const char *name, uint64_t size)
{
	origin_put(origin, name, size);
}

static void http_remove(const char *name)
{
	origin_remove(origin, name);
}

static uint64_t http_key(const char *name)
{
	return origin_key(origin, name);
}

static const char *http_template(void)
{
	return http_text;
}

/* The same behind a redirect. */
static void redirect_start(void)
{
	http_start();
	snprintf(http_text, sizeof(http_text), "%s/f=redir:302/{cookie}", origin_url(origin));
}

/* ---- oci -------------------------------------------------------------------------------- */

#ifdef HAVE_OCI
#define REPOSITORY "contract/files"

/* An artifact with one layer for each object, whose name is its title. */
static struct {
	char name[32], digest[REGISTRY_DIGEST_MAX];
	uint64_t size;
} layers[64];
static unsigned int n_layers;
static char oci_text[128];

static void oci_push(void)
{
	char *text = malloc(64 << 10);
	int at = sprintf(text,
			 "{\"schemaVersion\":2,\"mediaType\":\"" REGISTRY_MANIFEST "\",\"config\":{"
			 "\"mediaType\":\"application/vnd.oci.empty.v1+json\",\"digest\":\"%s\","
			 "\"size\":%u},\"layers\":[",
			 layers[0].digest, (unsigned int)layers[0].size);

	for (unsigned int i = 0; i < n_layers; i++)
		at += sprintf(text + at,
			      "%s{\"mediaType\":\"application/octet-stream\",\"digest\":\"%s\","
			      "\"size\":%u,\"annotations\":{\"org.opencontainers.image.title\":"
			      "\"%s\"}}",
			      i ? "," : "", layers[i].digest, (unsigned int)layers[i].size,
			      layers[i].name);
	sprintf(text + at, "]}");
	registry_put_manifest(REPOSITORY, "v1", REGISTRY_MANIFEST, text, NULL);
	free(text);
}

static unsigned int layer_of(const char *name)
{
	unsigned int i;

	for (i = 0; i < n_layers && strcmp(layers[i].name, name) != 0; i++)
		;
	return i;
}

static uint64_t oci_key(const char *name)
{
	return pattern_key(name) + *version_of(name);
}

static void oci_put(const char *name, uint64_t size)
{
	unsigned int i = layer_of(name);
	char *bytes = malloc(size + 1);

	ck_assert_uint_lt(i, 64);
	++*version_of(name);
	pattern_fill(bytes, size, oci_key(name), 0);
	snprintf(layers[i].name, sizeof(layers[i].name), "%s", name);
	layers[i].size = size;
	registry_put_blob(REPOSITORY, bytes, size, layers[i].digest);
	if (i == n_layers)
		n_layers++;
	oci_push();
	free(bytes);
}

static void oci_remove(const char *name)
{
	registry_remove_blob(REPOSITORY, layers[layer_of(name)].digest);
}

static void oci_start(void)
{
	memset(versions, 0, sizeof(versions));
	n_layers = 0;
	registry_start();
	snprintf(oci_text, sizeof(oci_text), "oci://127.0.0.1:%u/" REPOSITORY ":v1?title={cookie}",
		 registry_port());
	oci_put("first", 2);
}

static const char *oci_template(void)
{
	return oci_text;
}

static const struct fetcher_param oci_params[] = { { "plain-http", "yes" }, { NULL, NULL } };

/* ---- oci, with a mirror that is down and one that is not -------------------------------- */

static char mirrors_dir[TEMPORARY_MAX + 16];
static const struct fetcher_param mirrors_params[] = { { "plain-http", "yes" },
						       { "hosts-dir", mirrors_dir },
						       { NULL, NULL } };

static void mirrors_start(void)
{
	unsigned int dead = server_free_port();
	char path[256];
	FILE *f;

	oci_start();
	snprintf(mirrors_dir, sizeof(mirrors_dir), "%s/hosts", registry_dir());
	ck_assert_int_eq(mkdir(mirrors_dir, 0700), 0);
	snprintf(path, sizeof(path), "%s/127.0.0.1:%u", mirrors_dir, registry_port());
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/127.0.0.1:%u/hosts.toml", mirrors_dir, registry_port());
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "[host.\"http://127.0.0.1:%u\"]\n[host.\"http://127.0.0.1:%u\"]\n", dead,
		registry_second_port());
	fclose(f);
}
#endif

/* ---- s3 --------------------------------------------------------------------------------- */

static char s3_endpoint[64];
static const struct fetcher_param s3_params[] = { { "endpoint", s3_endpoint },
						  { "region", ORACLE_REGION },
						  { NULL, NULL } };

static void s3_start(void)
{
	ck_assert_int_eq(origin_start(&origin, NULL), 0);
	oracle_start(origin_port(origin));
	snprintf(s3_endpoint, sizeof(s3_endpoint), "http://127.0.0.1:%u", oracle_port());
	setenv("AWS_ACCESS_KEY_ID", ORACLE_ID, 1);
	setenv("AWS_SECRET_ACCESS_KEY", ORACLE_SECRET, 1);
	unsetenv("AWS_SESSION_TOKEN");
	unsetenv("http_proxy");
}

static void s3_stop(void)
{
	oracle_stop();
	http_stop();
}

static const char *s3_template(void)
{
	return "s3://data/{cookie}";
}

/* ---- decorators that see no locators ---------------------------------------------------- */

static int retried_create(struct fetcher **ret, struct loop *loop, const char *template,
			  const struct fetcher_param *params, char *error)
{
	static const struct retry_config config = { .retries = 3,
						    .backoff = NSEC_PER_MSEC,
						    .backoff_max = 10 * NSEC_PER_MSEC };
	int r = fetcher_class_find("http:")->create(ret, loop, template, params, error);

	return r < 0 ? r : retry_new(ret, loop, *ret, &config);
}

static const struct fetcher_class retried_class = {
	.name = "retry",
	.schemes = (const char *const[]){ "http", NULL },
	.create = retried_create,
};

/* Each request for an object is refused twice, in two ways, at first. */
static void retried_start(void)
{
	http_start();
	snprintf(http_text, sizeof(http_text), "%s/f=status:503:0@1/f=rst@2/{cookie}",
		 origin_url(origin));
}

/* At this server, and elsewhere at one where nobody listens. */
static int alternatives_create(struct fetcher **ret, struct loop *loop, const char *template,
			       const struct fetcher_param *params, char *error)
{
	char here[96], there[96], dead[128];
	struct alternative all[2] = { { here }, { there } };

	snprintf(here, sizeof(here), "%s/", origin_url(origin));
	snprintf(there, sizeof(there), "http://127.0.0.1:%u/", server_free_port());
	snprintf(dead, sizeof(dead), "%s{cookie}", there);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(fetcher_class_find("http:")->create(
					 &all[i].fetcher, loop, i ? dead : template, params, error),
				 0);
	return alternatives_new(ret, loop, all, 2, true);
}

static const struct fetcher_class alternatives_class = {
	.name = "alternatives",
	.schemes = (const char *const[]){ "http", NULL },
	.create = alternatives_create,
};

#define HTTP_OBJECTS http_stop, http_put, http_remove, http_key

const struct kind kinds[] = {
	{ "file", NULL, NULL, file_start, file_stop, file_put, file_remove, file_key,
	  file_template },
	{ "http", NULL, NULL, http_start, HTTP_OBJECTS, http_template },
	{ "http", NULL, NULL, redirect_start, HTTP_OBJECTS, http_template },
#ifdef HAVE_OCI
	{ "oci", registry_begin, registry_end, oci_start, registry_stop, oci_put, oci_remove,
	  oci_key, oci_template, oci_params, .keeps_versions = true, .works = registry_installed },
	{ "oci", registry_begin_two, registry_end, mirrors_start, registry_stop, oci_put,
	  oci_remove, oci_key, oci_template, mirrors_params, .keeps_versions = true,
	  .works = registry_installed },
#endif
	{ "retry", NULL, NULL, retried_start, HTTP_OBJECTS, http_template,
	  .decorator = &retried_class, .decorates = "http:" },
	{ "alternatives", NULL, NULL, http_start, HTTP_OBJECTS, http_template,
	  .decorator = &alternatives_class, .decorates = "http:" },
	{ "s3", oracle_begin, oracle_end, s3_start, s3_stop, http_put, http_remove, http_key,
	  s3_template, s3_params, .works = oracle_installed },
#ifdef HAVE_TARMAP
	{ "tarmap", NULL, NULL, file_start, file_stop, tarmap_put, indexed_remove, file_key,
	  tarmap_template, .decorator = &tarmap_test_class, .locator = tarmap_locator },
	{ "gunzip", NULL, NULL, file_start, file_stop, gunzip_put, indexed_remove, file_key,
	  gunzip_template, .decorator = &gunzip_test_class, .locator = gunzip_locator },
#endif
#ifdef HAVE_LIBFSVERITY
	{ "file", NULL, NULL, verify_start, file_stop, verify_put, verify_remove, file_key,
	  verify_template, .decorator = &verify_file_class, .locator = verify_file_locator },
	{ "http", NULL, NULL, verify_http_start, verify_http_stop, verify_put, verify_remove,
	  file_key, verify_template, .decorator = &verify_http_class,
	  .decorates = "http:", .locator = verify_http_locator },
#endif
};
const unsigned int n_kinds = sizeof(kinds) / sizeof(kinds[0]);

const struct fetcher_class *kind_class(const struct kind *kind)
{
	if (kind->decorator)
		return fetcher_class_find(kind->decorates ? kind->decorates : "file:")
			       ? kind->decorator
			       : NULL;
	for (const struct fetcher_class *const *c = fetcher_classes; *c; c++)
		if (strcmp((*c)->name, kind->class) == 0)
			return *c;
	return NULL;
}
