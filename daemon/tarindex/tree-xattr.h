/* SPDX-License-Identifier: MIT */
/*
 * Extended attributes as they lie in an inode of an image.
 */
#pragma once

#include "daemon/tarindex/tree.h"

/* The largest that an inode can have. */
#define TREE_XATTRS_MAX ((size_t)200 << 10)

/*
 * Encodes the attributes of an entry into inode, in the tree's memory. Those whose names an image
 * cannot have, and overlayfs's own, are left out and counted. -EINVAL with error, -ENOMEM.
 */
int tree_xattrs(struct tree *tree, struct tree_inode *inode, const struct tar_entry *entry,
		char *error);

/* trusted.overlay.opaque=y, once more in front of what is there. */
int tree_xattr_opaque(struct tree *tree, struct tree_inode *inode);
