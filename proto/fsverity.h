/* SPDX-License-Identifier: MIT */
/*
 * fs-verity, as the kernel has it (Documentation/filesystems/fsverity.rst): a hash tree over the
 * blocks of a file, and a descriptor whose SHA-256 is the digest of the file. Read here are trees
 * of SHA-256 and of blocks of 4 KiB, with or without a salt, without a signature.
 *
 * A tree is blocks of FSVERITY_HASHES hashes, all of the highest level first, down to level 0,
 * which has the hashes of the data. Blocks are padded with zeros before they are hashed. Data of
 * one block have no tree: their hash is the root hash; those of none have zeros for it.
 *
 * Pure: no call does I/O, or keeps what it is given.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/util/bytes.h"
#include "daemon/util/sha256.h"

#define FSVERITY_BLOCK ((uint64_t)4096)

enum {
	FSVERITY_HASH = SHA256_SIZE,
	FSVERITY_HASHES = 128,	   /* in a block of the tree */
	FSVERITY_LEVELS_MAX = 8,   /* enough for any file */
	FSVERITY_DESCRIPTOR = 256, /* bytes */
	FSVERITY_SALT_MAX = 32,
	FSVERITY_DIGEST_TEXT = 7 + 64 + 1, /* "sha256:", and a NUL */
};

/* ---- digests ------------------------------------------------------------------------------ */

/* "sha256:" and 64 digits of lower case, as `fsverity digest` prints it; -EINVAL. */
int fsverity_digest_parse(struct bytes text, uint8_t ret[static FSVERITY_HASH]);
void fsverity_digest_print(const uint8_t digest[static FSVERITY_HASH],
			   char ret[static FSVERITY_DIGEST_TEXT]);

/* ---- descriptors -------------------------------------------------------------------------- */

struct fsverity_descriptor {
	uint64_t size; /* of the data, bytes */
	uint8_t root[FSVERITY_HASH];
	uint8_t salt[FSVERITY_SALT_MAX];
	size_t salt_len;
};

enum fsverity_verdict {
	FSVERITY_OK,
	FSVERITY_NONE,	    /* it is no descriptor */
	FSVERITY_OTHER,	    /* of another hash, of other blocks, or with a signature */
	FSVERITY_NOT_PINNED /* a descriptor, but not the one of that digest */
};

/* *ret is touched when it is FSVERITY_OK alone. */
enum fsverity_verdict fsverity_parse(struct fsverity_descriptor *ret, struct bytes descriptor,
				     struct sha256 *sha,
				     const uint8_t digest[static FSVERITY_HASH]);

/* The other way. */
void fsverity_descriptor_write(const struct fsverity_descriptor *descriptor,
			       uint8_t ret[static FSVERITY_DESCRIPTOR]);

/* Half a sentence for people, static. */
const char *fsverity_verdict_text(enum fsverity_verdict verdict);

/* ---- where things are --------------------------------------------------------------------- */

struct fsverity_shape {
	uint64_t size;			     /* of the data, bytes */
	unsigned int n_levels;		     /* 0: there is no tree */
	uint64_t start[FSVERITY_LEVELS_MAX]; /* first block of each level in the tree */
	uint64_t n_blocks;		     /* of the whole tree */
};

/* size: at most OBJECT_SIZE_MAX. */
void fsverity_shape(struct fsverity_shape *ret, uint64_t size);

/* Block of the tree, and byte in it, where the hash of a data block is. There is a tree. */
uint64_t fsverity_leaf(const struct fsverity_shape *shape, uint64_t data_block, size_t *ret_at);

/* The same of a block of the tree. False: it is the highest one, its hash is the root hash. */
bool fsverity_parent(const struct fsverity_shape *shape, uint64_t tree_block, uint64_t *ret_block,
		     size_t *ret_at);

/* ---- hashes ------------------------------------------------------------------------------- */

/* Of up to FSVERITY_BLOCK bytes, those that are missing taken for zeros. */
void fsverity_hash(const struct fsverity_descriptor *descriptor, struct sha256 *sha,
		   const void *block, size_t len, uint8_t ret[static FSVERITY_HASH]);
