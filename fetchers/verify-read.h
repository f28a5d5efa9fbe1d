/* SPDX-License-Identifier: MIT */
/*
 * One read of a verified object: the bytes come while the hashes are fetched, and each block of
 * 4 KiB is checked as soon as both are there.
 */
#pragma once

#include "fetchers/verify-tree.h"

/* What a read needs to know of its object; it outlives the read. */
struct verify_source {
	struct loop *loop;
	const char *locator;	   /* of the bytes, for errors */
	uint64_t size;		   /* bytes */
	struct fetch_object *next; /* the bytes */
	struct verify_tree *tree;
	struct sha256 *sha;
};

/* The first `have` bytes of read->buf are there, unchecked. -ENOMEM: it was not started. */
int verify_read_start(const struct verify_source *source, struct fetch_read *read, size_t have);

/* As cancel_read() of the contract. */
void verify_read_cancel(struct fetch_read *read);
