/* SPDX-License-Identifier: MIT */
/*
 * The hash tree of an object, which lies at its origin: descriptor, then the blocks of the tree.
 * It is fetched in pieces as hashes are asked for, the first one, which may be all of it, with the
 * look. Each block is checked against the one above it, and the descriptor against the digest,
 * before anything of it is believed.
 *
 * Pieces of all objects of a fetcher share one bounded store; a tree that was let go of stays until
 * others need the room, so that who looks first and reads then fetches nothing twice.
 */
#pragma once

#include "fetchers/common.h"
#include "proto/fsverity.h"

struct verify_trees;
struct verify_tree;

/* next is borrowed. -ENOMEM. */
int verify_trees_new(struct verify_trees **ret, struct loop *loop, struct fetcher *next);
/* Nobody has one of them any more. Takes NULL, returns NULL. */
struct verify_trees *verify_trees_free(struct verify_trees *trees);

/* The tree at a locator, for that digest: a reference. No I/O; -ENOMEM. */
int verify_tree_get(struct verify_tree **ret, struct verify_trees *trees, const char *locator,
		    const uint8_t digest[static FSVERITY_HASH]);
/* No want is under way. */
void verify_tree_put(struct verify_tree *tree);

enum { VERIFY_WANT_MAX = 256 }; /* 1 MiB of data */

/* The hashes of n data blocks from `first` on; n 0: what the descriptor says. */
struct verify_want {
	uint64_t size; /* of the data, as far as anybody knows; with n 0 it does not matter */
	uint64_t first;
	size_t n;	 /* up to VERIFY_WANT_MAX, and all within `size` */
	uint8_t *hashes; /* FSVERITY_HASH bytes for each */
	/* 0, or an error of the contract with its text; never from inside a call of the user's. */
	void (*done)(struct verify_want *want, int err);
	char error[FETCH_ERROR_MAX];
	/* private */
	struct verify_tree *tree;
	bool over;
	int err;
	TAILQ_ENTRY(verify_want) link;
};

void verify_tree_want(struct verify_tree *tree, struct verify_want *want);
/* done() still comes, soon. */
void verify_tree_cancel(struct verify_want *want);

/* After a want has succeeded. */
const struct fsverity_descriptor *verify_tree_descriptor(const struct verify_tree *tree);
