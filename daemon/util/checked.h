/* SPDX-License-Identifier: MIT */
/*
 * Rounding and sums that cannot wrap. CACHE_BLOCK is the unit of everything that is written into
 * the cache: offset, length and buffer of each write are multiples of it (a smaller write makes
 * the kernel serve zeros for the rest of the block).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CACHE_BLOCK ((uint64_t)4096)

/* The largest object that can be opened: sizes travel as a signed number in `copen`. */
#define OBJECT_SIZE_MAX ((uint64_t)INT64_MAX & ~(CACHE_BLOCK - 1))

static inline uint64_t round_down_u64(uint64_t v, uint64_t unit)
{
	return v - v % unit;
}

/* v <= UINT64_MAX - unit; callers bound v by OBJECT_SIZE_MAX first. */
static inline uint64_t round_up_u64(uint64_t v, uint64_t unit)
{
	return round_down_u64(v + unit - 1, unit);
}

static inline bool add_u64(uint64_t a, uint64_t b, uint64_t *ret)
{
	return !__builtin_add_overflow(a, b, ret);
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}
