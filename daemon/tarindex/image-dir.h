/* SPDX-License-Identifier: MIT */
/*
 * A directory's blocks: entries in the order of their names, "." and ".." among them, as many as
 * go into a block, the names behind the entries.
 */
#pragma once

#include "daemon/tarindex/tree.h"

/* Walks over the names of a directory, with its dots. */
struct image_dir {
	const struct tree_inode *dir;
	const struct tree_entry *next;
	unsigned int dots; /* that are done */
};

struct image_name {
	const char *name;
	size_t len;
	const struct tree_inode *inode;
};

void image_dir_begin(struct image_dir *ret, const struct tree_inode *dir);

/* The names of the next block, whose bytes go to block (zeros). Returns how many; 0: no more. */
size_t image_dir_block(struct image_dir *dir, uint8_t *block);

/* The size of the whole directory in bytes; needs no nid. */
uint64_t image_dir_size(const struct tree_inode *dir);
