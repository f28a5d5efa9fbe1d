/* SPDX-License-Identifier: MIT */
/*
 * How much more than asked to fetch. Pure; one per object.
 *
 * Only misses are seen: a reader that finds its bytes resident never tells us. A miss that falls
 * on, or just behind, what an earlier miss made us fetch is a sequential stream, and its window
 * doubles; so at any time no more was fetched ahead of a stream than it has read, and the number
 * of round trips grows with the logarithm of the length. Who goes forward with gaps, as somebody
 * who walks through a tree, is a stream as well where a gap comes sooner than another answer would:
 * ahead of him no more is fetched than that, until what he has gone through is more than the gaps.
 * Who keeps coming back to within that distance of earlier misses, before or behind them, gets what
 * lies around them as well: it is fetched while he waits, and costs no round trip. What he leaves
 * out between two places that are here is filled where it is short. A miss far from all streams is
 * random: it is rounded out to a small unit, which shrinks while misses stay far apart and grows
 * again when they fall beside each other.
 */
#pragma once

#include <stdint.h>

#define READAHEAD_STREAMS  8
#define READAHEAD_UNIT_MIN ((uint64_t)4096)
#define READAHEAD_UNIT_MAX ((uint64_t)64 << 10)

/* Of what is given as a reach, so much is believed. */
#define READAHEAD_REACH_MAX ((uint64_t)1 << 20)

struct readahead_stream {
	uint64_t start;	 /* where its last miss began */
	uint64_t end;	 /* where the bytes fetched for it end */
	uint64_t window; /* bytes ahead of the next miss */
	uint32_t gaps;	 /* that led to it; it stays when it is a habit */
};

struct readahead {
	struct readahead_stream streams[READAHEAD_STREAMS]; /* most recent first; end 0: unused */
	uint64_t unit;					    /* a power of two */
	uint64_t max;					    /* the widest window */
	uint32_t far_misses;				    /* in a row */
	uint32_t returns; /* misses within reach of others; halved by each that is not */
};

/* Bytes [start, end) to fetch for a miss; covers it. end may pass the object's: the caller clamps.
 * [behind, start), which may be empty, is fetched when nothing else is to do. */
struct readahead_plan {
	uint64_t behind, start, end;
	uint64_t join; /* bytes: a hole that is no longer, on either side, is fetched with it */
};

void readahead_init(struct readahead *ra, uint64_t max);

/* A miss of [start, end), 4 KiB-aligned, was asked for. reach: bytes that come from its origin in
 * the time until an answer begins; 0: not known. */
struct readahead_plan readahead_miss(struct readahead *ra, uint64_t start, uint64_t end,
				     uint64_t reach);
