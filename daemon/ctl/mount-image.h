/* SPDX-License-Identifier: MIT */
/*
 * Which image is meant: one that the store has under a name, or what a reference leads to. Results
 * are 0 or a negative errno.
 */
#pragma once

#include <stdbool.h>

#include "daemon/ctl/context.h"

/* It cannot be the name of an image, since it says where something is. */
bool mount_image_is_ref(const char *text);

/* The image of that name. -ENOENT and all other trouble is told. */
int mount_image_find(const struct context *context, const char *name, struct images_image **ret);

/*
 * What a reference leads to. One that is mounted is in the store already, under its locator; else
 * the origin is asked, and a transient image is made, which is not in the store yet:
 * mount_image_claim(). list: as of image_resolve(). Trouble is told.
 */
int mount_image_resolve(struct context *context, const char *ref, struct fetch_list *list,
			struct images_image **ret);

/*
 * For mount_request.claimed: what is mounted is what the store has. A transient image is put there
 * now, since its mount is on record. Errors have a sentence, of MOUNT_ERROR_MAX.
 */
int mount_image_claim(struct images *images, const struct images_image *image, char *error);
