/* SPDX-License-Identifier: MIT */
/*
 * Layers that are tar archives, compressed with gzip or not: they are read once, and what is made
 * of them goes to the directory "index" in the state directory.
 */
#pragma once

#include "daemon/ctl/image-layer.h"

/* Handlers. */
int image_tar_make(struct context *context, const struct image_item *item, struct images_layer *ret,
		   char *error);
int image_targz_make(struct context *context, const struct image_item *item,
		     struct images_layer *ret, char *error);

/*
 * Removes what no image of the store uses. While another command adds an image it does nothing:
 * that one's files have no image yet. Errors are not worth one: it is tried again the next time.
 */
#ifdef HAVE_TARMAP
void image_tar_collect(struct context *context);
#else
static inline void image_tar_collect(struct context *context)
{
}
#endif
