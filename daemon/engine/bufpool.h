/* SPDX-License-Identifier: MIT */
/*
 * Page-aligned buffers under one budget. A buddy allocator over one anonymous mapping: blocks of
 * 4 KiB to 1 MiB, no fragmentation beyond a factor of two, and only pages in use are resident.
 * When the budget is spent, allocation fails and the caller queues: memory is bounded by the
 * budget, never by the number of requests.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BUFPOOL_BLOCK_MAX ((size_t)1 << 20)

struct bufpool;

/* budget in bytes, rounded up to a multiple of BUFPOOL_BLOCK_MAX, at least one. */
int bufpool_new(struct bufpool **ret, uint64_t budget);

/* Every buffer must have been returned: asserted. Takes NULL, returns NULL. */
struct bufpool *bufpool_free(struct bufpool *pool);

/* 1 <= len <= BUFPOOL_BLOCK_MAX; the block is the next power of two. NULL: the budget is spent. */
void *bufpool_get(struct bufpool *pool, size_t len);
void bufpool_put(struct bufpool *pool, void *buf);

/* Bytes that are handed out, and that could be at most. */
uint64_t bufpool_used(const struct bufpool *pool);
uint64_t bufpool_budget(const struct bufpool *pool);

/* Gives the pages of unused blocks back to the system: for idle times, it costs page faults. */
void bufpool_trim(struct bufpool *pool);
