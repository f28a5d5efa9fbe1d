/* SPDX-License-Identifier: MIT */
/*
 * Which layers of the image store have the files of an image that podman is to run.
 *
 * The manifest names layers by digests of archives, and the configuration by digests of what is in
 * them (diff_ids). A layer of the store has the same files when it was made of the same archive; or
 * of one with the same contents, whose diff_id a publisher who converts layers writes into an
 * annotation of the new one. Where both are there, the converted layer wins: reading it takes no
 * way through the archive.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/images/images.h"

struct als_layer {
	char *digest, *media_type, *diff_id; /* owned */
	uint64_t size;

	char *image;  /* owned: who has it, in the store; NULL: nobody */
	size_t index; /* among the layers of that */
	int rank;     /* private */
};

/*
 * The layers of a manifest with its configuration, both as text. 0; -EINVAL with half a sentence:
 * it is not an image that podman would take; -ENOMEM.
 */
int als_layers_read(struct als_layer **ret, size_t *ret_n, const char *manifest, const char *config,
		    const char **ret_why);
struct als_layer *als_layers_free(struct als_layer *layers, size_t n);

/* One image of the store: takes note of what it has. 0 or -ENOMEM. */
int als_match(struct als_layer *layers, size_t n, const struct images_image *image);
