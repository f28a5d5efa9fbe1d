/* SPDX-License-Identifier: MIT */
/* Indexes of layers that somebody else has made, and pushed to where the image is. */
#include "daemon/ctl/image-tar-fetch.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/image.h"
#include "daemon/engine/erofs.h"
#include "daemon/tarindex/layer-received.h"
#include "daemon/util/cleanup.h"

#define ARTIFACTS_MAX 4 /* that are looked at */
#define SMALL_MAX     ((uint64_t)1 << 20)

const char *const image_tar_types[] = {
	[LAYER_IMAGE] = "application/vnd.cachefilld.tarindex.metadata.v1",
	[LAYER_MAP] = "application/vnd.cachefilld.tarindex.map.v1",
	[LAYER_GZINDEX] = "application/vnd.cachefilld.tarindex.gzindex.v1",
};

enum { N_FILES = LAYER_GZINDEX + 1 };

int image_tar_repository(const char *blob, char **ret)
{
	const char *at = strncmp(blob, "oci://", 6) == 0 ? strchr(blob, '@') : NULL;

	if (!at)
		return -EINVAL;
	*ret = strndup(blob, (size_t)(at - blob));
	return *ret ? 0 : -ENOMEM;
}

static int no_memory(char *error)
{
	snprintf(error, CONTEXT_ERROR_MAX, "out of memory");
	return -ENOMEM;
}

static int wrong(char *error, const char *why)
{
	snprintf(error, CONTEXT_ERROR_MAX, "%s", why);
	return -EPROTO;
}

static const char *text_at(const json_t *object, const char *outer, const char *key)
{
	return json_string_value(json_object_get(json_object_get(object, outer), key)) ?: "";
}

/* ---- which artifact ----------------------------------------------------------------------- */

static int check_artifact(const struct fetch_list *artifact, const char *manifest_digest,
			  char *error)
{
	json_t *json = json_loads(artifact->manifest, 0, NULL);
	const char *type = json_string_value(json_object_get(json, "artifactType")) ?: "";
	int r = 0;

	if (strcmp(type, IMAGE_TAR_ARTIFACT) != 0)
		r = wrong(error, "it is of another type than the registry says");
	else if (strcmp(text_at(json, "subject", "digest"), manifest_digest) != 0)
		r = wrong(error, "it belongs to another image");
	json_decref(json);
	return r;
}

/* The newest that is one. */
static int choose_artifact(struct context *c, const struct fetch_list *referrers,
			   struct image_referrers *ret, char *error)
{
	int r = 0;

	for (size_t i = 0; i < referrers->n_parts && i < ARTIFACTS_MAX; i++) {
		r = context_list(c, &ret->artifact, referrers->parts[i].locator, error);
		if (r == 0)
			r = check_artifact(&ret->artifact, ret->manifest_digest, error);
		if (r == 0 || r == -EINTR || r == -ENOMEM)
			break;
		fetch_list_end(&ret->artifact);
	}
	return r;
}

static int ask(struct context *c, const struct image_item *item, char *error)
{
	_cleanup_free_ char *repository = NULL, *locator = NULL;
	struct fetch_list referrers = { 0 };
	int r = image_tar_repository(item->locator, &repository);

	item->referrers->asked = true;
	if (r < 0)
		return r == -EINVAL ? 0 : no_memory(error);
	if (asprintf(&locator, "%s@%s?referrers=" IMAGE_TAR_ARTIFACT, repository,
		     item->referrers->manifest_digest) < 0) {
		locator = NULL;
		return no_memory(error);
	}
	r = context_list(c, &referrers, locator, error);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = choose_artifact(c, &referrers, item->referrers, error);
	fetch_list_end(&referrers);
	return r;
}

/* ---- its files ---------------------------------------------------------------------------- */

/* Those of the layer, by what they are; their number. Of the same kind the first counts. */
static size_t find_files(const struct image_item *item, const struct fetch_part *ret[N_FILES])
{
	const struct fetch_list *artifact = &item->referrers->artifact;
	json_t *json = json_loads(artifact->manifest, 0, NULL);
	const json_t *layers = json_object_get(json, "layers");
	size_t n = 0;

	for (size_t i = 0; i < artifact->n_parts; i++) {
		const char *of =
			text_at(json_array_get(layers, i), "annotations", IMAGE_TAR_ANNOTATION);

		for (int k = 0; k < N_FILES && strcmp(of, item->digest) == 0; k++)
			if (!ret[k] &&
			    strcmp(artifact->parts[i].media_type, image_tar_types[k]) == 0) {
				ret[k] = &artifact->parts[i];
				n++;
			}
	}
	json_decref(json);
	return n;
}

/* What is larger than the layer spares nothing. */
static int check_sizes(const struct image_item *item, const struct fetch_part *const parts[N_FILES],
		       char *error)
{
	uint64_t most = item->identity.size > SMALL_MAX ? item->identity.size : SMALL_MAX;

	for (int k = 0; k < N_FILES; k++) {
		uint64_t size = parts[k] ? parts[k]->identity.size : 0;

		if (size > most)
			return wrong(error, "it is larger than the layer");
		most -= size;
	}
	return 0;
}

struct receive {
	struct layer_received *to;
	uint8_t head[EROFS_HEAD]; /* of the file that comes */
	size_t head_len;
};

static int take(void *arg, const void *bytes, size_t len)
{
	struct receive *r = arg;
	size_t n = len < EROFS_HEAD - r->head_len ? len : EROFS_HEAD - r->head_len;

	memcpy(r->head + r->head_len, bytes, n);
	r->head_len += n;
	return layer_received_write(r->to, bytes, len);
}

/* What the kernel is told to mount. */
static int check_image(const struct receive *receive, uint64_t size, char *error)
{
	struct erofs_super super;

	if (!erofs_read_super(&super, receive->head, receive->head_len) ||
	    super.kind != EROFS_PLAIN || super.block_size != 4096 || super.devices != 1 ||
	    super.size > size)
		return wrong(error, "its metadata is no EROFS image as we make them");
	return 0;
}

static int fetch_file(struct context *c, struct receive *receive, enum layer_file which,
		      const struct fetch_part *part, char *error)
{
	int r = layer_received_begin(receive->to, which);

	receive->head_len = 0;
	error[0] = '\0';
	if (r == 0)
		r = context_stream(c, part->locator, &part->identity, take, receive, error);
	if (r == 0)
		r = layer_received_end(receive->to, part->digest);
	if (r < 0 && *error == '\0')
		snprintf(error, CONTEXT_ERROR_MAX, "%s", layer_received_error(receive->to));
	return r == 0 && which == LAYER_IMAGE ? check_image(receive, part->identity.size, error)
					      : r;
}

static int fetch_files(struct context *c, const struct image_item *item,
		       const struct fetch_part *const parts[N_FILES], const char *dir,
		       struct layer_files *ret, char *error)
{
	_cleanup_(layer_received_freep) struct layer_received *received = NULL;
	struct receive receive;
	int r = layer_received_new(&received, dir, error);

	receive.to = received;
	for (int k = 0; r == 0 && k < N_FILES; k++)
		if (parts[k])
			r = fetch_file(c, &receive, (enum layer_file)k, parts[k], error);
	if (r < 0)
		return r;
	r = layer_received_finish(received, item->identity.size, item->identity.validator, ret);
	if (r < 0)
		snprintf(error, CONTEXT_ERROR_MAX, "%s", layer_received_error(received));
	return r;
}

static int fetch(struct context *c, const struct image_item *item, bool gzip, const char *dir,
		 struct layer_files *ret, char *error)
{
	const struct fetch_part *parts[N_FILES] = { NULL };
	int r = item->referrers->asked ? 0 : ask(c, item, error);

	if (r < 0 || item->referrers->artifact.n_parts == 0 || find_files(item, parts) == 0)
		return r;
	if (!parts[LAYER_IMAGE] || !parts[LAYER_MAP] || !parts[LAYER_GZINDEX] == gzip)
		return wrong(error, "it has not all of its files");
	r = check_sizes(item, parts, error);
	if (r == 0)
		r = fetch_files(c, item, parts, dir, ret, error);
	return r < 0 ? r : 1;
}

int image_tar_fetch(struct context *c, const struct image_item *item, bool gzip, const char *dir,
		    struct layer_files *ret, char *error)
{
	struct image_referrers *referrers = item->referrers;
	char place[200];
	int r;

	if (c->no_referrers || !referrers || referrers->useless || !*item->digest)
		return 0;
	r = fetch(c, item, gzip, dir, ret, error);
	if (r >= 0 || r == -EINTR || r == -ENOMEM)
		return r;
	referrers->useless = true;
	ctl_error("warning: %s: the index of %.19s... from its registry is of no use, the layer is "
		  "read in its place: %s",
		  image_ref_print(item->ref, place, sizeof(place)), item->digest, error);
	return 0;
}
