/* SPDX-License-Identifier: MIT */
/*
 * Writes a tree as an EROFS image of metadata alone: blocks of 4096 bytes, files as chunks that lie
 * in one further device. The same tree makes the same bytes.
 */
#pragma once

#include <stdint.h>

#include "daemon/tarindex/tree.h"

enum { IMAGE_BLOCK = 4096, IMAGE_TAG_MAX = 64 };

struct image_params {
	const char *tag;      /* of the device, cut to IMAGE_TAG_MAX bytes; not empty */
	uint64_t device_size; /* bytes; what of it an inode means is in tree_inode.at */
	const uint8_t *uuid;  /* 16 bytes */
};

/*
 * Where bytes go, front to back. Returns 0 or a negative errno, which ends the work.
 */
struct image_sink {
	int (*write)(struct image_sink *sink, const void *bytes, size_t len);
};

/* tree: after tree_finish(). -EFBIG: larger than an image can be; -ENOMEM; or the sink's. */
int image_write(struct tree *tree, const struct image_params *params, struct image_sink *sink);
