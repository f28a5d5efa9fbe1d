/* SPDX-License-Identifier: MIT */
#include "tests/contract/oci.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/replay/pattern.h"
#include "tests/lib/shell.h"

#define READS_MAX 64

struct host host;

void push_image(const char *tag, struct layer *layers, size_t n, char digest[REGISTRY_DIGEST_MAX])
{
	static char text[8192];
	char config[REGISTRY_DIGEST_MAX];
	int at;

	registry_put_blob(REPOSITORY, "{}", 2, config);
	at = snprintf(text, sizeof(text),
		      "{\"schemaVersion\":2,\"mediaType\":\"" REGISTRY_MANIFEST "\",\"config\":{"
		      "\"mediaType\":\"application/vnd.oci.empty.v1+json\",\"digest\":\"%s\","
		      "\"size\":2},\"layers\":[",
		      config);
	for (size_t i = 0; i < n; i++) {
		struct layer *l = &layers[i];
		char *bytes = malloc(l->size + 1);

		pattern_fill(bytes, l->size, pattern_key(l->name), 0);
		registry_put_blob(REPOSITORY, bytes, l->size, l->digest);
		free(bytes);
		at += snprintf(text + at, sizeof(text) - (size_t)at,
			       "%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu,"
			       "\"annotations\":{\"org.opencontainers.image.title\":\"%s\"}}",
			       i ? "," : "", l->type ? l->type : "application/octet-stream",
			       l->digest, l->size, l->name);
	}
	snprintf(text + at, sizeof(text) - (size_t)at, "]}");
	registry_put_manifest(REPOSITORY, tag, REGISTRY_MANIFEST, text, digest);
}

const char *locator(unsigned int port, const char *rest)
{
	static char text[512];

	snprintf(text, sizeof(text), "oci://127.0.0.1:%u/" REPOSITORY "%s", port, rest);
	return text;
}

void host_for(unsigned int port, const char *key, const char *value)
{
	/* What this machine has for containerd is not for tests. */
	struct fetcher_param params[] = {
		{ "hosts-dir", "" }, { "plain-http", "yes" }, { key, value }, { NULL, NULL }
	};
	char template[64];

	snprintf(template, sizeof(template), "oci://127.0.0.1:%u/{cookie}", port);
	host_start(&host, LOOP_POLL, template, params);
}

struct host_look expect_look(const char *where, int err, const char *word)
{
	struct host_look look;
	int r = host_look(&host, &look, where, 4096);

	ck_assert_msg(r == err, "%s: %d instead of %d: %s", where, r, err, look.look.error);
	if (err < 0)
		ck_assert_msg(strstr(look.look.error, word), "%s", look.look.error);
	host_look_free(&look);
	return look;
}

void expect_reads(struct fetch_object *object, const char *name, size_t size, int n_reads)
{
	static struct host_read reads[READS_MAX];
	size_t len = size < 4096 ? size : 4096;

	ck_assert_int_le(n_reads, READS_MAX);
	for (int i = 0; i < n_reads; i++)
		reads[i] = (struct host_read){ 0 };
	for (int i = 0; i < n_reads; i++)
		host_read_start(&host, &reads[i], object,
				n_reads > 1 ? (size - len) / (size_t)(n_reads - 1) * (size_t)i : 0,
				len);
	host_wait_all(&host);
	for (int i = 0; i < n_reads; i++) {
		ck_assert_msg(reads[i].err == 0, "%s", reads[i].read.error);
		ck_assert_uint_eq(
			pattern_check(reads[i].read.buf, len, pattern_key(name), reads[i].read.off),
			len);
		host_read_free(&reads[i]);
	}
}

void expect_bytes(const char *where, const char *name, size_t size, int n_reads)
{
	struct fetch_object *object;
	struct host_look look;

	ck_assert_msg(host_look(&host, &look, where, 4096) == 0, "%s", look.look.error);
	ck_assert_uint_eq(look.look.identity.size, size);
	ck_assert_uint_eq(look.look.head_filled, size < 4096 ? size : 4096);
	ck_assert_uint_eq(
		pattern_check(look.look.head, look.look.head_filled, pattern_key(name), 0),
		look.look.head_filled);
	object = host_attach(&host, where, &look.look.identity);
	expect_reads(object, name, size, n_reads);
	host.fetcher->ops->detach(object);
	host_look_free(&look);
}

const char *put_file(const char *name, const char *text)
{
	static char path[TEMPORARY_MAX + 64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", registry_dir(), name);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	return path;
}

const char *make_certificates(void)
{
	static char http[3 * TEMPORARY_MAX];

	sh("cd %s && exec > /dev/null 2>&1 && "
	   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key "
	   "-out ca.pem -subj /CN=ca && "
	   "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout srv.key "
	   "-out srv.csr -subj /CN=localhost && "
	   "printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' > ext && "
	   "openssl x509 -req -in srv.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ext "
	   "-out srv.pem",
	   registry_dir());
	snprintf(http, sizeof(http), "tls: {certificate: %s/srv.pem, key: %s/srv.key}",
		 registry_dir(), registry_dir());
	return http;
}
