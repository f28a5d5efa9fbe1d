/* SPDX-License-Identifier: MIT */
/*
 * What has changed between two versions of an image: its layers from bottom to top, those that are
 * in both, those that went and those that came.
 */
#pragma once

#include <stddef.h>

#include "daemon/images/images.h"

enum image_change { IMAGE_KEPT, IMAGE_REMOVED, IMAGE_ADDED };

struct image_step {
	enum image_change change;
	const struct images_layer *layer; /* of the old image where it was removed, else the new */
};

struct image_diff {
	struct image_step *steps; /* owned */
	size_t n;
};

/* Pure. The images are borrowed. -ENOMEM. */
int image_diff(struct image_diff *ret, const struct images_image *old,
	       const struct images_image *new);
void image_diff_end(struct image_diff *diff);
