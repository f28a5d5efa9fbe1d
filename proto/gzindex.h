/* SPDX-License-Identifier: MIT */
/*
 * The index of a gzip file, cachefill-tarmap(5): places in the compressed bytes (the *inner*
 *object) where reading can begin, and a sum of every block of what comes out, so that no byte is
 *believed that was not there when the index was made.
 *
 *	header	GZINDEX_HEADER bytes
 *	points	GZINDEX_POINT bytes each, in order; the first is the beginning of both
 *	sums	XXH3 of each GZINDEX_BLOCK of output, 8 bytes each
 *	windows	the 32 KiB of output in front of each point that needs them, deflated
 *
 * Numbers are little endian. Header, points and sums are parsed in place; each window has a hash of
 * its own in its point.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/util/bytes.h"

enum {
	GZINDEX_HEADER = 320,
	GZINDEX_POINT = 40,
	GZINDEX_WINDOW = 32768,
	GZINDEX_VALIDATOR_MAX = 256, /* with its NUL */
	GZINDEX_VERSION = 1,
};

#define GZINDEX_BLOCK	 ((uint64_t)65536)
#define GZINDEX_FILE_MAX ((uint64_t)4 << 30)

struct gzindex_point {
	uint64_t in, out;     /* bytes of the compressed and of the uncompressed stream before it */
	uint64_t window_at;   /* where in the index the window lies */
	uint64_t window_hash; /* XXH3 of the window, inflated */
	uint32_t window_len;  /* bytes there; 0: here begins a member, with its header */
	uint8_t bits;	      /* of byte in - 1 that come first, the upper ones; 0..7 */
};

struct gzindex {
	uint64_t inner_size, size;
	const char *validator; /* of the inner object; borrowed */
	uint64_t n_points, n_sums;
	const uint8_t *points, *sums; /* borrowed */
};

enum gzindex_verdict {
	GZINDEX_OK,
	GZINDEX_NO_INDEX,
	GZINDEX_NEW_VERSION,
	GZINDEX_DAMAGED,
};

/* Bytes of header, points and sums, from the first GZINDEX_HEADER bytes; 0: they are no header. */
uint64_t gzindex_table_size(struct bytes header);

/* table: that many first bytes of the file. */
enum gzindex_verdict gzindex_parse(struct gzindex *ret, struct bytes table);

struct gzindex_point gzindex_point(const struct gzindex *index, uint64_t i);
uint64_t gzindex_sum(const struct gzindex *index, uint64_t block);

/* The last point at or before a place in the uncompressed stream. */
uint64_t gzindex_find(const struct gzindex *index, uint64_t out);

void gzindex_encode_point(uint8_t to[static GZINDEX_POINT], const struct gzindex_point *point);
void gzindex_encode_sum(uint8_t to[static 8], uint64_t sum);
void gzindex_encode_header(uint8_t to[static GZINDEX_HEADER], const struct gzindex *index);
