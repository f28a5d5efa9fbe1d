/* SPDX-License-Identifier: MIT */
/*
 * Makes the hash tree and the descriptor of data that come from front to back: SHA-256, blocks of 4
 * KiB, no salt, as fsverity(1) makes them by default. Pure: where blocks of the tree go is the
 * caller's business.
 */
#pragma once

#include "proto/fsverity.h"

struct fsverity_maker;

/*
 * size: of the data, at most OBJECT_SIZE_MAX. put() is given each block of the tree once, in any
 * order, by its number; 0, or a negative errno, which ends it. -ENOMEM.
 */
int fsverity_maker_new(struct fsverity_maker **ret, uint64_t size,
		       int (*put)(void *arg, uint64_t number, const void *block), void *arg);
/* Takes NULL, returns NULL. */
struct fsverity_maker *fsverity_maker_free(struct fsverity_maker *maker);
static inline void fsverity_maker_freep(struct fsverity_maker **maker)
{
	fsverity_maker_free(*maker);
}

/* Blocks of the tree. */
uint64_t fsverity_maker_blocks(const struct fsverity_maker *maker);

/* The next bytes: whole blocks, but for the last one. 0, or what put() says. */
int fsverity_maker_add(struct fsverity_maker *maker, const void *bytes, size_t len);

/* All `size` bytes have come. 0, or what put() says. */
int fsverity_maker_finish(struct fsverity_maker *maker,
			  uint8_t ret_descriptor[static FSVERITY_DESCRIPTOR],
			  uint8_t ret_digest[static FSVERITY_HASH]);
