/* SPDX-License-Identifier: MIT */
/*
 * A set of numbers (bytes of an object, moments of a wait) as sorted, disjoint, half-open
 * intervals. Memory is bounded: where a set would have too many intervals, those that are nearest
 * to each other are joined, and what that adds wrongly is counted. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct interval {
	uint64_t begin, end; /* begin < end; never touching the next one */
};

/* Shared by many sets: however many there are, they share this many intervals, but each may have
 * INTERVALS_FEW. */
struct intervals_budget {
	size_t used, max;
};

#define INTERVALS_FEW 16
#define INTERVALS_MAX 32768 /* of one set: what a processor keeps near */

/* Zero is an empty set without a budget. */
struct intervals {
	struct interval *at; /* owned, sorted */
	size_t n, allocated;
	uint64_t total;	 /* numbers in the set */
	uint64_t joined; /* of these, so many at most were never added: gaps that were closed */
	struct intervals_budget *budget; /* or NULL */
};

void intervals_deinit(struct intervals *set);

/* Nothing happens when begin >= end. *ret (or NULL): how many were not in the set before. 0 or
 * -ENOMEM. */
int intervals_add(struct intervals *set, uint64_t begin, uint64_t end, uint64_t *ret);
/* *ret (or NULL): how many were in the set. */
int intervals_remove(struct intervals *set, uint64_t begin, uint64_t end, uint64_t *ret);

/* How many of [begin, end) are in the set. */
uint64_t intervals_covered(const struct intervals *set, uint64_t begin, uint64_t end);

/*
 * The first gap of the set inside [*begin, end), and moves *begin behind it: call again for the
 * next one. begin == end: there is none left.
 */
struct interval intervals_gap(const struct intervals *set, uint64_t *begin, uint64_t end);

/* off + len, where that does not wrap: the end of a range that a stranger wrote down. */
static inline uint64_t interval_end(uint64_t off, uint64_t len)
{
	uint64_t end;

	return __builtin_add_overflow(off, len, &end) ? UINT64_MAX : end;
}
