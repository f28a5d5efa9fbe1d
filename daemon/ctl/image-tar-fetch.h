/* SPDX-License-Identifier: MIT */
/*
 * Indexes of layers in a registry: a manifest whose subject is that of the image, and whose layers
 * are the files of layer.h, each with an annotation that says of which layer it is. See
 * cachefill-tarmap(5); push-index.c makes them.
 */
#pragma once

#include "daemon/ctl/image-layer.h"
#include "daemon/tarindex/layer.h"

#define IMAGE_TAR_ARTIFACT   "application/vnd.cachefilld.tarindex.v1"
#define IMAGE_TAR_ANNOTATION "io.cachefilld.tarindex.layer"

extern const char *const image_tar_types[]; /* media types, by enum layer_file */

/* "oci://HOST/REPOSITORY" of a blob's locator; owned by the caller. -EINVAL: it is in none. */
int image_tar_repository(const char *blob, char **ret);

/*
 * 1: the files are there, as if they were made here. 0: there are none, or, with a warning, they
 * are no good: the layer has to be read. -EINTR, -ENOMEM, with a sentence in error.
 */
int image_tar_fetch(struct context *context, const struct image_item *item, bool gzip,
		    const char *dir, struct layer_files *ret, char *error);
