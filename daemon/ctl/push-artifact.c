/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/push-artifact.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/image.h"
#include "daemon/ctl/layout.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/sha256.h"

#define EMPTY_TYPE "application/vnd.oci.empty.v1+json"
#define EMPTY	   "{}"

/* One text that is stored. */
struct text {
	struct context_put put;
	const char *bytes;
};

static int no_memory(void)
{
	return ctl_error("%s", strerror(ENOMEM));
}

static int digest_of(const char *text, char ret[ARTIFACT_DIGEST_MAX])
{
	struct sha256 *sha = NULL;

	if (sha256_new(&sha) < 0)
		return no_memory();
	sha256_update(sha, text, strlen(text));
	strcpy(ret, "sha256:");
	sha256_hex(sha, ret + 7);
	sha256_free(sha);
	return CTL_OK;
}

/* ---- storing ------------------------------------------------------------------------------ */

static ssize_t read_text(struct context_put *put, void *buf, size_t n, uint64_t off)
{
	memcpy(buf, container_of(put, struct text, put)->bytes + off, n);
	return (ssize_t)n;
}

/* type NULL: a blob. */
static int send_text(struct artifact *a, const char *where, const char *type, const char *bytes,
		     bool *ret_linked)
{
	_cleanup_free_ char *locator = NULL;
	struct text text = { .bytes = bytes };
	struct context_put *put = &text.put;
	char error[CONTEXT_ERROR_MAX];
	int r;

	if (asprintf(&locator, "%s%s", a->repository, where) < 0) {
		locator = NULL;
		return no_memory();
	}
	*put = (struct context_put){
		.locator = locator, .media_type = type, .size = strlen(bytes), .read = read_text
	};
	r = context_put(a->context, &put, 1, error);
	*ret_linked = put->linked;
	if (r == 0)
		return CTL_OK;
	image_add_hint(error, r, locator);
	return ctl_error("%s", error);
}

/* ---- the manifest ------------------------------------------------------------------------- */

static int send_empty(struct artifact *a, char digest[ARTIFACT_DIGEST_MAX])
{
	char where[ARTIFACT_DIGEST_MAX + 8];
	bool linked;

	if (digest_of(EMPTY, digest) != CTL_OK)
		return CTL_FAILED;
	snprintf(where, sizeof(where), "@%s?blob", digest);
	return send_text(a, where, NULL, EMPTY, &linked);
}

static int make_manifest(struct artifact *a, const char *empty)
{
	json_t *all = json_pack("{s:i, s:s, s:s, s:{s:s, s:s, s:i}, s:O, s:{s:s, s:s, s:I}}",
				"schemaVersion", 2, "mediaType", LAYOUT_MANIFEST_TYPE,
				"artifactType", a->type, "config", "mediaType", EMPTY_TYPE,
				"digest", empty, "size", (int)strlen(EMPTY), "layers", a->layers,
				"subject", "mediaType", a->subject_type, "digest",
				a->subject_digest, "size", (json_int_t)a->subject_size);

	a->manifest = all ? json_dumps(all, JSON_COMPACT) : NULL;
	json_decref(all);
	return a->manifest ? digest_of(a->manifest, a->digest) : no_memory();
}

/* ---- the index of those registries that keep none ----------------------------------------- */

static int read_index(struct artifact *a, const char *tag, json_t **ret)
{
	_cleanup_free_ char *locator = NULL;
	char error[CONTEXT_ERROR_MAX];
	struct fetch_list list = { 0 };
	int r;

	if (asprintf(&locator, "%s%s?referrers", a->repository, tag) < 0) {
		locator = NULL;
		return no_memory();
	}
	r = context_list(a->context, &list, locator, error);
	if (r == -ENOENT)
		*ret = json_pack("{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType",
				 LAYOUT_INDEX_TYPE, "manifests");
	else if (r < 0)
		return ctl_error("%s", error);
	else
		*ret = json_loads(list.manifest, 0, NULL);
	fetch_list_end(&list);
	return *ret ? CTL_OK : no_memory();
}

/* The newest is the last. False: no memory. */
static bool add_to_index(const struct artifact *a, json_t *index)
{
	json_t *manifests = json_object_get(index, "manifests");

	for (size_t i = json_array_size(manifests); i-- > 0;) {
		const json_t *digest = json_object_get(json_array_get(manifests, i), "digest");

		if (strcmp(json_string_value(digest) ?: "", a->digest) == 0)
			json_array_remove(manifests, i);
	}
	return json_array_append_new(manifests, json_pack("{s:s, s:s, s:I, s:s}", "mediaType",
							  LAYOUT_MANIFEST_TYPE, "digest", a->digest,
							  "size", (json_int_t)strlen(a->manifest),
							  "artifactType", a->type)) == 0;
}

static int update_index(struct artifact *a)
{
	_cleanup_free_ char *text = NULL;
	char tag[ARTIFACT_DIGEST_MAX + 1];
	json_t *index = NULL;
	bool linked;
	int status;

	snprintf(tag, sizeof(tag), ":%s", a->subject_digest);
	tag[strcspn(tag + 1, ":") + 1] = '-';
	status = read_index(a, tag, &index);
	if (status == CTL_OK && add_to_index(a, index))
		text = json_dumps(index, JSON_COMPACT);
	json_decref(index);
	if (status != CTL_OK)
		return status;
	return text ? send_text(a, tag, LAYOUT_INDEX_TYPE, text, &linked) : no_memory();
}

/* ---- the whole ---------------------------------------------------------------------------- */

int artifact_push(struct artifact *a)
{
	char empty[ARTIFACT_DIGEST_MAX], where[ARTIFACT_DIGEST_MAX + 1];
	bool linked = false;
	int status = send_empty(a, empty);

	if (status == CTL_OK)
		status = make_manifest(a, empty);
	snprintf(where, sizeof(where), "@%s", a->digest);
	if (status == CTL_OK)
		status = send_text(a, where, LAYOUT_MANIFEST_TYPE, a->manifest, &linked);
	return status == CTL_OK && !linked ? update_index(a) : status;
}

void artifact_end(struct artifact *a)
{
	free(a->manifest);
	a->manifest = NULL;
}
