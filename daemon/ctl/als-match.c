/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/als-match.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/als-info.h"
#include "daemon/ctl/layout.h"
#include "fetchers/oci-reference.h"

#define LAYERS_MAX 500 /* what overlayfs takes */

enum { RANK_NONE, RANK_CONTENTS, RANK_ARCHIVE, RANK_CONVERTED };

struct als_layer *als_layers_free(struct als_layer *layers, size_t n)
{
	for (size_t i = 0; layers && i < n; i++) {
		free(layers[i].digest);
		free(layers[i].media_type);
		free(layers[i].diff_id);
		free(layers[i].image);
	}
	free(layers);
	return NULL;
}

/* ---- manifest and configuration ----------------------------------------------------------- */

static int read_layer(struct als_layer *ret, json_t *descriptor, json_t *diff_id,
		      const char **ret_why)
{
	const char *digest = json_string_value(json_object_get(descriptor, "digest"));
	const char *type = json_string_value(json_object_get(descriptor, "mediaType"));
	const char *diff = json_string_value(diff_id);
	json_int_t size = json_integer_value(json_object_get(descriptor, "size"));
	int compression;

	*ret_why = "its manifest or its configuration is damaged";
	if (!digest || !oci_digest_valid(digest) || !type || !diff || !oci_digest_valid(diff) ||
	    size < 0)
		return -EINVAL;
	*ret_why = "its layers are no archives, so that podman cannot pull it; name the image that "
		   "they were made of";
	if (als_compression(type, &compression) < 0)
		return -EINVAL;
	ret->digest = strdup(digest);
	ret->media_type = strdup(type);
	ret->diff_id = strdup(diff);
	ret->size = (uint64_t)size;
	return ret->digest && ret->media_type && ret->diff_id ? 0 : -ENOMEM;
}

static int read_layers(struct als_layer **ret, size_t *ret_n, json_t *manifest, json_t *config,
		       const char **ret_why)
{
	json_t *descriptors = json_object_get(manifest, "layers");
	json_t *diff_ids = json_object_get(json_object_get(config, "rootfs"), "diff_ids");
	size_t n = json_array_size(descriptors);
	struct als_layer *layers;
	int r = 0;

	if (n == 0 || n > LAYERS_MAX || json_array_size(diff_ids) != n) {
		*ret_why = "its configuration does not tell what its layers are made of";
		return -EINVAL;
	}
	layers = calloc(n, sizeof(*layers));
	if (!layers)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = read_layer(&layers[i], json_array_get(descriptors, i),
			       json_array_get(diff_ids, i), ret_why);
	if (r < 0) {
		als_layers_free(layers, n);
		return r;
	}
	*ret = layers;
	*ret_n = n;
	return 0;
}

int als_layers_read(struct als_layer **ret, size_t *ret_n, const char *manifest, const char *config,
		    const char **ret_why)
{
	json_t *m = json_loads(manifest, 0, NULL);
	json_t *c = json_loads(config, 0, NULL);
	int r = read_layers(ret, ret_n, m, c, ret_why);

	json_decref(m);
	json_decref(c);
	return r;
}

/* ---- the store ---------------------------------------------------------------------------- */

/* The annotation of the layer with this digest, or "". */
static const char *archive_of(json_t *manifest, const char *digest)
{
	size_t i;
	json_t *descriptor;

	json_array_foreach(json_object_get(manifest, "layers"), i, descriptor)
	{
		const char *other = json_string_value(json_object_get(descriptor, "digest"));
		const char *value = json_string_value(json_object_get(
			json_object_get(descriptor, "annotations"), LAYOUT_SOURCE_DIFF_ID));

		if (other && value && strcmp(other, digest) == 0)
			return value;
	}
	return "";
}

static int rank_of(const struct als_layer *layer, const struct images_layer *candidate,
		   json_t *manifest)
{
	if (strcmp(archive_of(manifest, candidate->origin_digest), layer->diff_id) == 0)
		return RANK_CONVERTED;
	if (strcmp(candidate->origin_digest, layer->digest) == 0)
		return RANK_ARCHIVE;
	/* The same archive, compressed otherwise. */
	if (strcmp(candidate->diff_id, layer->diff_id) == 0)
		return RANK_CONTENTS;
	return RANK_NONE;
}

static int take(struct als_layer *layer, const struct images_image *image, json_t *manifest)
{
	for (size_t i = 0; i < image->n_layers; i++) {
		int rank = rank_of(layer, &image->layers[i], manifest);
		char *name;

		if (rank <= layer->rank)
			continue;
		name = strdup(image->name);
		if (!name)
			return -ENOMEM;
		free(layer->image);
		layer->image = name;
		layer->index = i;
		layer->rank = rank;
	}
	return 0;
}

int als_match(struct als_layer *layers, size_t n, const struct images_image *image)
{
	json_t *manifest = json_loads(image->manifest, 0, NULL);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = take(&layers[i], image, manifest);
	json_decref(manifest);
	return r;
}
