/* SPDX-License-Identifier: MIT */
/*
 * What an image consists of, by its manifest and its configuration. Pure, fuzzed. Both texts were
 * checked against their digests before.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fetchers/oci-manifest.h"

#define OCI_LAYERS_MAX 128
#define OCI_CONFIG_MAX (4u << 20)

/* Its text is valid until oci_image_end(). */
struct oci_layer {
	char digest[OCI_DIGEST_MAX];
	uint64_t size;
	const char *media_type, *title; /* or "" */
	const char *diff_id;		/* or ""; of an archive that it was made of */
};

struct oci_image {
	struct oci_layer *layers; /* owned: the lowest first */
	size_t n_layers;
	bool has_config; /* one that says something of layers, and how to run them */
	char config_digest[OCI_DIGEST_MAX];
	uint64_t config_size;
	struct json_t *manifest, *config; /* private */
};

/*
 * Of a manifest that oci_manifest_choose() has taken. 0, -ENOMEM, or -EPROTO with half a sentence:
 * no layers or too many, descriptors without what they must have.
 */
int oci_image_read(struct oci_image *ret, const char *manifest, size_t len, char why[OCI_WHY_MAX]);
void oci_image_end(struct oci_image *image);

/*
 * Takes the layers' diff_ids from the configuration, where their descriptors do not say which they
 * had when they were archives. 0, or -EPROTO with half a sentence: no JSON,
 * or the configuration of an image with other layers.
 */
int oci_image_configure(struct oci_image *image, const char *config, size_t len,
			char why[OCI_WHY_MAX]);
