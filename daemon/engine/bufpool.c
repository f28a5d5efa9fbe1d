/* SPDX-License-Identifier: MIT */
#include "daemon/engine/bufpool.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MIN_SHIFT 12 /* 4 KiB, the unit of direct I/O and of the kernel's cache */
#define MAX_ORDER 8  /* 4 KiB << 8 = BUFPOOL_BLOCK_MAX */
#define NODES	  (2u << MAX_ORDER)

static_assert(((size_t)1 << (MIN_SHIFT + MAX_ORDER)) == BUFPOOL_BLOCK_MAX, "one chunk, one tree");

/*
 * A binary tree per chunk of 1 MiB, node 1 the whole chunk, nodes 2i and 2i+1 its halves.
 * largest[i] is 1 + the largest order that is free below node i; 0 when nothing is. A node that is
 * handed out as a whole has 0 as well, and `taken` tells it from one that is merely full.
 */
struct chunk {
	uint8_t largest[NODES];
	bool taken[NODES];
	bool touched; /* handed out since the last trim */
};

struct bufpool {
	uint8_t *base;
	uint64_t budget, used;
	size_t n_chunks;
	struct chunk chunks[];
};

static unsigned int order_of(size_t len)
{
	unsigned int order = 0;

	while (((size_t)1 << (MIN_SHIFT + order)) < len)
		order++;
	return order;
}

static void chunk_init(struct chunk *c)
{
	unsigned int order = MAX_ORDER;

	for (unsigned int i = 1; i < NODES; i++) {
		if (i > 1 && (i & (i - 1)) == 0)
			order--;
		c->largest[i] = (uint8_t)(order + 1);
		c->taken[i] = false;
	}
	c->touched = false;
}

int bufpool_new(struct bufpool **ret, uint64_t budget)
{
	size_t n = (size_t)((budget + BUFPOOL_BLOCK_MAX - 1) / BUFPOOL_BLOCK_MAX);
	struct bufpool *pool;

	if (n == 0)
		n = 1;
	pool = malloc(sizeof(*pool) + n * sizeof(struct chunk));
	if (!pool)
		return -ENOMEM;
	*pool = (struct bufpool){ .budget = n * BUFPOOL_BLOCK_MAX, .n_chunks = n };
	pool->base = mmap(NULL, pool->budget, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool->base == MAP_FAILED) {
		free(pool);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		chunk_init(&pool->chunks[i]);
	*ret = pool;
	return 0;
}

struct bufpool *bufpool_free(struct bufpool *pool)
{
	if (!pool)
		return NULL;
	assert(pool->used == 0);
	munmap(pool->base, pool->budget);
	free(pool);
	return NULL;
}

/* After node i changed: what its parents can offer. Two free halves are one free whole. */
static void chunk_update(struct chunk *c, unsigned int i, unsigned int order)
{
	while (i > 1) {
		uint8_t a, b;

		i /= 2;
		order++;
		a = c->largest[2 * i];
		b = c->largest[2 * i + 1];
		c->largest[i] = a == order && b == order ? (uint8_t)(order + 1) : (a > b ? a : b);
	}
}

static unsigned int chunk_take(struct chunk *c, unsigned int order)
{
	unsigned int i = 1;

	for (unsigned int at = MAX_ORDER; at > order; at--) {
		uint8_t left = c->largest[2 * i], right = c->largest[2 * i + 1];
		bool fits = left > order;

		/* The tighter half keeps large blocks whole. */
		i = fits && (right <= order || left <= right) ? 2 * i : 2 * i + 1;
	}
	c->largest[i] = 0;
	c->taken[i] = true;
	c->touched = true;
	chunk_update(c, i, order);
	return i;
}

void *bufpool_get(struct bufpool *pool, size_t len)
{
	unsigned int order = order_of(len);
	struct chunk *best = NULL;

	assert(len >= 1 && len <= BUFPOOL_BLOCK_MAX);
	for (size_t i = 0; i < pool->n_chunks; i++) {
		struct chunk *c = &pool->chunks[i];

		if (c->largest[1] > order && (!best || c->largest[1] < best->largest[1]))
			best = c;
	}
	if (!best)
		return NULL;

	unsigned int node = chunk_take(best, order);
	size_t first = node - (1u << (MAX_ORDER - order));

	pool->used += (uint64_t)1 << (MIN_SHIFT + order);
	return pool->base + (size_t)(best - pool->chunks) * BUFPOOL_BLOCK_MAX +
	       (first << (MIN_SHIFT + order));
}

void bufpool_put(struct bufpool *pool, void *buf)
{
	size_t at = (size_t)((uint8_t *)buf - pool->base);
	struct chunk *c = &pool->chunks[at / BUFPOOL_BLOCK_MAX];
	unsigned int i = (1u << MAX_ORDER) + (unsigned int)(at % BUFPOOL_BLOCK_MAX >> MIN_SHIFT);
	unsigned int order = 0;

	/* The block that starts here is the taken node on the way up from its first leaf. */
	while (!c->taken[i]) {
		assert(i > 1 && i % 2 == 0);
		i /= 2;
		order++;
	}
	c->taken[i] = false;
	c->largest[i] = (uint8_t)(order + 1);
	chunk_update(c, i, order);
	pool->used -= (uint64_t)1 << (MIN_SHIFT + order);
}

uint64_t bufpool_used(const struct bufpool *pool)
{
	return pool->used;
}

uint64_t bufpool_budget(const struct bufpool *pool)
{
	return pool->budget;
}

void bufpool_trim(struct bufpool *pool)
{
	for (size_t i = 0; i < pool->n_chunks; i++) {
		struct chunk *c = &pool->chunks[i];

		if (!c->touched || c->largest[1] != MAX_ORDER + 1)
			continue;
		madvise(pool->base + i * BUFPOOL_BLOCK_MAX, BUFPOOL_BLOCK_MAX, MADV_DONTNEED);
		c->touched = false;
	}
}
