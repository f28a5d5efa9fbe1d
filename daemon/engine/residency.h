/* SPDX-License-Identifier: MIT */
/*
 * Which 4 KiB blocks of an object are in its cache file, and which are being fetched. Pure, but
 * for residency_learn(), which asks the kernel by SEEK_DATA / SEEK_HOLE: the file itself is the
 * only truth about presence (cachefiles_ondemand_prepare_read() decides hits the same way).
 *
 * Kept in segments of 16 MiB that are learnt when they are first touched: 1 KiB of memory per
 * partly filled segment, nothing for one that is unknown or complete. Positions are block numbers,
 * ranges half open [from, to).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define RESIDENCY_SEGMENT ((uint64_t)4096) /* blocks: 16 MiB */

struct residency_segment;

struct residency {
	uint64_t blocks;
	uint64_t partial;		     /* segments that are not known to be complete */
	struct residency_segment **segments; /* owned */
};

/* size in bytes, the last block may be partial. -ENOMEM only. */
int residency_init(struct residency *r, uint64_t size);
void residency_clear(struct residency *r);

/*
 * Makes the segments of [from, to) known; a segment that is known already costs nothing. fd is
 * the object's descriptor. -ENOBUFS: the kernel is not ready; other errors of lseek(2); -ENOMEM.
 */
int residency_learn(struct residency *r, int fd, uint64_t from, uint64_t to);

/* Blocks that are resident, of the segments that have been learnt. */
uint64_t residency_count(const struct residency *r);

/* Every block is known to be resident. */
static inline bool residency_is_complete(const struct residency *r)
{
	return r->partial == 0;
}

/* The segment of this block has been learnt. */
bool residency_known(const struct residency *r, uint64_t block);

/* First block of [from, to) that is not resident (and, for _free, not claimed either); `to` when
 * there is none. All of [from, to) must be known. */
uint64_t residency_next_hole(const struct residency *r, uint64_t from, uint64_t to);
uint64_t residency_next_free(const struct residency *r, uint64_t from, uint64_t to);

/* First block of [from, to) that is resident or claimed; `to` when there is none. */
uint64_t residency_next_busy(const struct residency *r, uint64_t from, uint64_t to);

/* A flight claims the blocks that it will store: nobody else fetches them meanwhile. */
void residency_claim(struct residency *r, uint64_t from, uint64_t to);
void residency_unclaim(struct residency *r, uint64_t from, uint64_t to);

/* The blocks are in the file: only sink.c says so. Ends their claim. */
void residency_mark(struct residency *r, uint64_t from, uint64_t to);

/* Asks the kernel again about blocks that are thought resident; those that are not become holes.
 * Errors as residency_learn(). */
int residency_recheck(struct residency *r, int fd, uint64_t from, uint64_t to);
