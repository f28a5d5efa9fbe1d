/* SPDX-License-Identifier: MIT */
/*
 * What verify-tree.c (trees, and who waits for what of them) and verify-piece.c (their blocks in
 * memory) share.
 */
#pragma once

#include "fetchers/verify-tree.h"

#define VERIFY_PIECE ((size_t)128 << 10) /* of a tree: the hashes of 16 MiB */

struct piece;

TAILQ_HEAD(wants, verify_want);

struct verify_tree {
	struct verify_trees *owner;
	char *locator; /* owned */
	uint8_t digest[FSVERITY_HASH];
	unsigned int refs, n_pieces;
	unsigned int loads; /* the look and reads under way: somebody wants them */
	struct fetch_look look;
	uint8_t *head; /* owned, during the look */
	bool looking, look_canceled, again;
	/* Once it was looked at: */
	bool known;
	bool stale;   /* it is not what it was: looked at again when nothing is under way */
	bool renewed; /* that was done, and nothing was read since */
	bool awaited; /* by a want that needs more of it */
	struct fetch_identity identity;
	struct fsverity_descriptor descriptor;
	struct fsverity_shape shape;
	struct fetch_object *object; /* owned, attached; NULL before the first read */
	struct wants wants;
	struct loop_deferred deferred;
	TAILQ_ENTRY(verify_tree) link;
};

struct verify_trees {
	struct loop *loop;
	struct fetcher *next; /* borrowed */
	struct sha256 *sha;   /* owned */
	TAILQ_HEAD(, verify_tree) trees;
	TAILQ_HEAD(pieces, piece) pieces; /* the last that were used first */
	unsigned int n_pieces;
};

/* Of its file, once it was looked at. */
static inline uint64_t verify_tree_size(const struct verify_tree *tree)
{
	return FSVERITY_DESCRIPTOR + tree->shape.n_blocks * FSVERITY_BLOCK;
}

/* Something has come: whoever waits goes on, or ends. */
void verify_tree_run(struct verify_tree *tree);

/* Nobody has it, and nothing is under way. */
void verify_tree_free(struct verify_tree *tree);

/* ---- verify-piece.c ------------------------------------------------------------------------ */

/*
 * A block that is right: 1. 0: it, or one above it, is on its way. What is missing is asked for at
 * once, from all levels. Negative errno, with a sentence in error.
 */
int verify_block_find(struct verify_tree *tree, uint64_t block, const uint8_t **ret, char *error);

/* The pieces that have come with the look as a whole. */
void verify_pieces_take(struct verify_tree *tree);

/* Its pieces, or those that could not be read. */
void verify_pieces_drop(struct verify_tree *tree, bool failed_only);

/* Those that nobody has asked for lately make room, with trees of which nothing is left. No piece
 * is in use between two wants. */
void verify_pieces_trim(struct verify_trees *trees);

/* Nobody waits any more for those that are being read. */
void verify_pieces_cancel(struct verify_tree *tree);
