/* SPDX-License-Identifier: MIT */
/*
 * What is made of one object of an image: a table of media types, and of what the first bytes say.
 */
#pragma once

#include "daemon/ctl/context.h"

/* What its registry has of the indexes of an image: image-tar-fetch.h. */
struct image_referrers {
	const char *manifest_digest; /* of the image; borrowed */
	bool asked, useless;
	struct fetch_list artifact; /* owned: its files; empty: there is none */
};

/* An object that is part of an image, after a look at it. All borrowed. */
struct image_item {
	const char *ref;     /* that led to it, for people */
	const char *locator; /* of this object */
	struct fetch_identity identity;
	const char *media_type; /* as its manifest says; or "" */
	const char *digest;	/* of its bytes, as the manifest says; or "" */
	const char *diff_id;	/* or "" */
	const uint8_t *head;	/* its first bytes, EROFS_HEAD of them where there are so many */
	size_t head_len;
	bool device;			   /* it belongs to the layer before it */
	struct image_referrers *referrers; /* of the image that it is part of; or NULL */
};

/*
 * A kind of layer. make() fills the layer with text of its own; devices that stand in the image
 * behind it are added later. 0, or a negative errno with a sentence in error, and *ret is not
 * touched.
 */
struct image_handler {
	const char *media_type; /* its beginning is enough where it ends with '*' */
	int (*make)(struct context *context, const struct image_item *item,
		    struct images_layer *ret, char *error);
};

/*
 * By the superblock, then by the media type, then, for an object without one, by the first bytes.
 */
int image_layer_make(struct context *context, const struct image_item *item,
		     struct images_layer *ret, char *error);

/* An object of its own, of the item's bytes. -ENOMEM. */
int image_object_make(struct images_object *ret, const struct image_item *item);

/* Adds the item to the devices of a layer. */
int image_layer_add_device(struct images_layer *layer, const struct image_item *item, char *error);

/* Does the layer have the devices that its superblock wants? */
int image_layer_check_devices(const struct images_layer *layer, const struct image_item *item,
			      char *error);

void image_layer_end(struct images_layer *layer);

/* A device of an EROFS layer in a manifest: it follows its layer. */
#define IMAGE_TYPE_EROFS  "application/vnd.erofs.layer.v1"
#define IMAGE_TYPE_DEVICE "application/vnd.cachefilld.device.v1"
