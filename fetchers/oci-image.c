/* SPDX-License-Identifier: MIT */
#include "fetchers/oci-image.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define TITLE "org.opencontainers.image.title"

/* Of a layer that was made of an archive, whose configuration has the digest of what was made. */
#define SOURCE_DIFF_ID "io.cachefilld.source.diff-id"

/* Those that tell layers' diff_ids. What artifacts have in their place can be anything. */
static const char *const config_types[] = {
	"application/vnd.oci.image.config.v1+json",
	"application/vnd.docker.container.image.v1+json",
};

static int take_config(struct oci_image *image, const json_t *descriptor, char *why)
{
	const char *type = oci_text_of(descriptor, "mediaType");

	for (size_t i = 0; i < sizeof(config_types) / sizeof(config_types[0]); i++)
		image->has_config |= strcmp(type, config_types[i]) == 0;
	if (!image->has_config)
		return 0;
	if (oci_descriptor_read(descriptor, image->config_digest, &image->config_size, why) < 0)
		return -EPROTO;
	if (image->config_size > OCI_CONFIG_MAX)
		return oci_manifest_verdict(
			-EPROTO, why, "its configuration has %llu bytes, more than %u MiB",
			(unsigned long long)image->config_size, OCI_CONFIG_MAX >> 20);
	return 0;
}

static int take_layers(struct oci_image *image, const json_t *layers, char *why)
{
	const json_t *layer;
	size_t i, n = json_array_size(layers);

	if (n == 0 || n > OCI_LAYERS_MAX)
		return oci_manifest_verdict(-EPROTO, why, "the image has %zu layers%s", n,
					    n ? ", more than 128" : "");
	image->layers = calloc(n, sizeof(*image->layers));
	if (!image->layers)
		return oci_manifest_verdict(-ENOMEM, why, "no memory");
	image->n_layers = n;
	json_array_foreach(layers, i, layer)
	{
		struct oci_layer *l = &image->layers[i];

		if (oci_descriptor_read(layer, l->digest, &l->size, why) < 0)
			return -EPROTO;
		l->media_type = oci_text_of(layer, "mediaType");
		l->title = oci_text_of(json_object_get(layer, "annotations"), TITLE);
		l->diff_id = oci_text_of(json_object_get(layer, "annotations"), SOURCE_DIFF_ID);
		if (!oci_digest_valid(l->diff_id))
			l->diff_id = "";
	}
	return 0;
}

int oci_image_read(struct oci_image *ret, const char *manifest, size_t len, char why[OCI_WHY_MAX])
{
	struct oci_image image = { 0 };
	int r;

	image.manifest = json_loadb(manifest, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(image.manifest))
		r = oci_manifest_verdict(-EPROTO, why, "the manifest is not JSON");
	else
		r = take_config(&image, json_object_get(image.manifest, "config"), why);
	if (r == 0)
		r = take_layers(&image, json_object_get(image.manifest, "layers"), why);
	if (r < 0)
		oci_image_end(&image);
	else
		*ret = image;
	return r;
}

void oci_image_end(struct oci_image *image)
{
	free(image->layers);
	json_decref(image->manifest);
	json_decref(image->config);
	*image = (struct oci_image){ 0 };
}

int oci_image_configure(struct oci_image *image, const char *config, size_t len,
			char why[OCI_WHY_MAX])
{
	const json_t *ids, *id;
	size_t i;

	json_decref(image->config);
	image->config = json_loadb(config, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(image->config))
		return oci_manifest_verdict(-EPROTO, why, "its configuration is not JSON");
	ids = json_object_get(json_object_get(image->config, "rootfs"), "diff_ids");
	if (json_array_size(ids) != image->n_layers)
		return oci_manifest_verdict(
			-EPROTO, why,
			"its manifest has %zu layers, but its configuration %zu diff_ids",
			image->n_layers, json_array_size(ids));
	json_array_foreach(ids, i, id)
	{
		const char *text = json_string_value(id) ?: "";

		if (!oci_digest_valid(text))
			return oci_manifest_verdict(
				-EPROTO, why, "diff_id %zu of its configuration is no digest", i);
		if (!image->layers[i].diff_id[0])
			image->layers[i].diff_id = text;
	}
	return 0;
}
