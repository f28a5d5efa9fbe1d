/* SPDX-License-Identifier: MIT */
#include "fetchers/oci-manifest.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>

#define OCI_MANIFEST	"application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX	"application/vnd.oci.image.index.v1+json"
#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_INDEX	"application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_SCHEMA_1 "application/vnd.docker.distribution.manifest.v1+"
#define TITLE		"org.opencontainers.image.title"

const char oci_manifest_accept[] =
	OCI_MANIFEST ", " OCI_INDEX ", " DOCKER_MANIFEST ", " DOCKER_INDEX;

/* ---- platforms -------------------------------------------------------------------------- */

static bool take_word(char *ret, size_t n, const char **at)
{
	size_t len = strcspn(*at, "/");

	if (len == 0 || len >= n || strspn(*at, "abcdefghijklmnopqrstuvwxyz0123456789._-") < len)
		return false;
	memcpy(ret, *at, len);
	ret[len] = '\0';
	*at += len;
	return true;
}

bool oci_platform_parse(struct oci_platform *ret, const char *text)
{
	struct oci_platform p = { 0 };

	if (!take_word(p.os, sizeof(p.os), &text) || *text++ != '/' ||
	    !take_word(p.architecture, sizeof(p.architecture), &text))
		return false;
	if (*text == '/') {
		text++;
		if (!take_word(p.variant, sizeof(p.variant), &text))
			return false;
	}
	if (*text)
		return false;
	*ret = p;
	return true;
}

/* The names of Go, which image indexes use, for those of uname(2). */
void oci_platform_host(struct oci_platform *ret)
{
	static const char *const names[][3] = {
		{ "x86_64", "amd64", "" },
		{ "aarch64", "arm64", "" },
		{ "armv7l", "arm", "v7" },
		{ "armv6l", "arm", "v6" },
		{ "i686", "386", "" },
		{ "i386", "386", "" },
		{ "loongarch64", "loong64", "" },
	};
	struct utsname u = { 0 };

	uname(&u);
	*ret = (struct oci_platform){ .os = "linux" };
	snprintf(ret->architecture, sizeof(ret->architecture), "%.31s", u.machine);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i][0], u.machine) == 0) {
			strcpy(ret->architecture, names[i][1]);
			strcpy(ret->variant, names[i][2]);
		}
}

static bool same(const json_t *object, const char *key, const char *want)
{
	const char *have = json_string_value(json_object_get(object, key));

	return have && strcmp(have, want) == 0;
}

static bool matches(const json_t *entry, const struct oci_platform *p)
{
	const json_t *platform = json_object_get(entry, "platform");

	return same(platform, "os", p->os) && same(platform, "architecture", p->architecture) &&
	       (!p->variant[0] || same(platform, "variant", p->variant));
}

/* ---- choosing --------------------------------------------------------------------------- */

int oci_manifest_verdict(int err, char why[OCI_WHY_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, OCI_WHY_MAX, fmt, ap);
	va_end(ap);
	return err;
}

const char *oci_text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

int oci_descriptor_read(const json_t *descriptor, char ret_digest[OCI_DIGEST_MAX],
			uint64_t *ret_size, char why[OCI_WHY_MAX])
{
	const char *digest = json_string_value(json_object_get(descriptor, "digest"));
	const json_t *size = json_object_get(descriptor, "size");

	if (!digest || !oci_digest_valid(digest))
		return oci_manifest_verdict(-EPROTO, why,
					    "a descriptor without a digest that we know");
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return oci_manifest_verdict(-EPROTO, why, "a descriptor without a size");
	strcpy(ret_digest, digest);
	*ret_size = (uint64_t)json_integer_value(size);
	return 0;
}

static int take_descriptor(struct oci_choice *ret, const json_t *descriptor, bool is_manifest,
			   char *why)
{
	int r = oci_descriptor_read(descriptor, ret->digest, &ret->size, why);

	if (r == 0)
		ret->is_manifest = is_manifest;
	return r;
}

/* "application/vnd.erofs.layer.v1", or containerd's rule: it ends in ".erofs", before a "+". */
static bool is_erofs(const json_t *layer)
{
	static const char name[] = "application/vnd.erofs.layer.v1", ending[] = ".erofs";
	const char *type = json_string_value(json_object_get(layer, "mediaType"));
	size_t len = type ? strcspn(type, "+;") : 0, n = strlen(ending);

	if (len == strlen(name) && strncmp(type, name, len) == 0)
		return true;
	return len >= n && strncmp(type + len - n, ending, n) == 0;
}

static const json_t *only_layer(const json_t *layers)
{
	const json_t *found = NULL, *layer;
	size_t i;

	if (json_array_size(layers) == 1)
		return json_array_get(layers, 0);
	json_array_foreach(layers, i, layer)
	{
		if (!is_erofs(layer))
			continue;
		if (found)
			return NULL;
		found = layer;
	}
	return found;
}

static const json_t *titled_layer(const json_t *layers, const char *title)
{
	const json_t *layer;
	size_t i;

	json_array_foreach(layers, i, layer)
	{
		if (same(json_object_get(layer, "annotations"), TITLE, title))
			return layer;
	}
	return NULL;
}

static int choose_layer(struct oci_choice *ret, const json_t *layers,
			const struct oci_reference *reference, char *why)
{
	size_t n = json_array_size(layers);
	const json_t *layer;

	switch (reference->select) {
	case OCI_SELECT_MANIFEST:
		*ret = (struct oci_choice){ 0 };
		return 0;
	case OCI_SELECT_LAYER:
		layer = json_array_get(layers, reference->layer);
		if (!layer)
			return oci_manifest_verdict(-ENOENT, why, "no layer %u: the image has %zu",
						    reference->layer, n);
		break;
	case OCI_SELECT_TITLE:
		layer = titled_layer(layers, reference->title);
		if (!layer)
			return oci_manifest_verdict(-ENOENT, why, "no layer has the title '%.80s'",
						    reference->title);
		break;
	default:
		if (n == 0)
			return oci_manifest_verdict(-ENOENT, why, "the image has no layers");
		layer = only_layer(layers);
		if (!layer)
			return oci_manifest_verdict(
				-EIO, why, "the image has %zu layers: name one by ?layer=N", n);
	}
	return take_descriptor(ret, layer, false, why);
}

static int choose_manifest(struct oci_choice *ret, const json_t *manifests,
			   const struct oci_platform *p, char *why)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(manifests, i, entry)
	{
		if (matches(entry, p))
			return take_descriptor(ret, entry, true, why);
	}
	/* Without platforms there is no choice to make. */
	if (json_array_size(manifests) == 1) {
		entry = json_array_get(manifests, 0);
		if (!json_object_get(entry, "platform"))
			return take_descriptor(ret, entry, true, why);
	}
	return oci_manifest_verdict(-ENOENT, why, "the index has nothing for %s/%s%s%s", p->os,
				    p->architecture, p->variant[0] ? "/" : "", p->variant);
}

/* ---- documents -------------------------------------------------------------------------- */

enum document_kind { DOCUMENT_MANIFEST, DOCUMENT_INDEX, DOCUMENT_OTHER, DOCUMENT_UNTOLD };

/* By a media type, whose parameters do not matter. */
static enum document_kind kind_of(const char *type)
{
	static const struct {
		const char *type;
		enum document_kind kind;
	} kinds[] = {
		{ OCI_MANIFEST, DOCUMENT_MANIFEST },
		{ DOCKER_MANIFEST, DOCUMENT_MANIFEST },
		{ OCI_INDEX, DOCUMENT_INDEX },
		{ DOCKER_INDEX, DOCUMENT_INDEX },
		{ "application/json", DOCUMENT_UNTOLD },
		{ "application/octet-stream", DOCUMENT_UNTOLD },
		{ "", DOCUMENT_UNTOLD },
	};
	size_t len = type ? strcspn(type, "; \t") : 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strlen(kinds[i].type) == len &&
		    strncasecmp(kinds[i].type, type ?: "", len) == 0)
			return kinds[i].kind;
	return DOCUMENT_OTHER;
}

/* Of Docker before 1.10: signed, with layers that have no sizes. */
static bool is_ancient(const json_t *document, const char *type)
{
	return (type && strncasecmp(type, DOCKER_SCHEMA_1, strlen(DOCKER_SCHEMA_1)) == 0) ||
	       json_integer_value(json_object_get(document, "schemaVersion")) == 1;
}

/* One text must not be a manifest for one reader and an index for another (CVE-2021-41190). */
static int document_kind(const json_t *document, const char *type, enum document_kind *ret,
			 char *why)
{
	const json_t *layers = json_object_get(document, "layers");
	const json_t *manifests = json_object_get(document, "manifests");
	enum document_kind outside = kind_of(type);
	enum document_kind inside =
		kind_of(json_string_value(json_object_get(document, "mediaType")));
	enum document_kind kind = inside == DOCUMENT_UNTOLD ? outside : inside;

	if (is_ancient(document, type))
		return oci_manifest_verdict(-EPROTO, why,
					    "a manifest of schema 1, which nobody makes any more: "
					    "push the image again");
	if (inside == DOCUMENT_OTHER || outside == DOCUMENT_OTHER)
		return oci_manifest_verdict(-EPROTO, why,
					    "neither a manifest nor an index that we know");
	if (inside != outside && inside != DOCUMENT_UNTOLD && outside != DOCUMENT_UNTOLD)
		return oci_manifest_verdict(-EPROTO, why,
					    "the media type contradicts Content-Type");
	if (kind == DOCUMENT_UNTOLD)
		kind = manifests ? DOCUMENT_INDEX : DOCUMENT_MANIFEST;
	if ((layers && manifests) || !json_is_array(kind == DOCUMENT_INDEX ? manifests : layers))
		return oci_manifest_verdict(-EPROTO, why,
					    "the manifest contradicts its media type");
	*ret = kind;
	return 0;
}

int oci_manifest_choose(struct oci_choice *ret, const char *text, size_t len, const char *type,
			const struct oci_reference *reference, const struct oci_platform *platform,
			char why[OCI_WHY_MAX])
{
	json_auto_t *document = NULL;
	enum document_kind kind = DOCUMENT_OTHER;
	int r;

	document = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(document))
		return oci_manifest_verdict(-EPROTO, why, "the manifest is not JSON");
	r = document_kind(document, type, &kind, why);
	if (r < 0)
		return r;
	if (kind == DOCUMENT_INDEX)
		return choose_manifest(ret, json_object_get(document, "manifests"), platform, why);
	return choose_layer(ret, json_object_get(document, "layers"), reference, why);
}
