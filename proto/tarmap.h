/* SPDX-License-Identifier: MIT */
/*
 * The map of a tar layer, cachefill-tarmap(5): which bytes of the layer's blob (the *inner*
 * object) lie where in the virtual device of its metadata image.
 *
 *	header	TARMAP_HEADER bytes
 *	table	extents of TARMAP_EXTENT bytes, in the order of the device, none over another
 *
 * Numbers are little endian. What no extent covers is zeros. Parsing allocates nothing, borrows
 * the file's bytes and believes none of them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/util/bytes.h"

enum {
	TARMAP_HEADER = 320,
	TARMAP_EXTENT = 24,
	TARMAP_VALIDATOR_MAX = 256, /* with its NUL */
	TARMAP_VERSION = 1,
};

#define TARMAP_BLOCK	((uint64_t)4096)
#define TARMAP_FILE_MAX ((uint64_t)512 << 20) /* 22 million extents */

struct tarmap_extent {
	uint64_t at;   /* in the device; a multiple of TARMAP_BLOCK */
	uint64_t from; /* in the inner object */
	uint64_t len;  /* >= 1 */
};

struct tarmap {
	uint64_t inner_size, size; /* of the inner object, of the device */
	const char *validator;	   /* of the inner object; borrowed */
	uint64_t n;		   /* extents */
	const uint8_t *table;	   /* borrowed */
};

enum tarmap_verdict {
	TARMAP_OK,
	TARMAP_NO_MAP,	    /* not a file of this kind */
	TARMAP_NEW_VERSION, /* one that this program does not know */
	TARMAP_DAMAGED,	    /* cut off, changed, or contradicts itself */
};

/* The whole file. */
enum tarmap_verdict tarmap_parse(struct tarmap *ret, struct bytes file);

struct tarmap_extent tarmap_extent(const struct tarmap *map, uint64_t i);

/* The first extent that ends behind `at`; map->n: there is none. */
uint64_t tarmap_find(const struct tarmap *map, uint64_t at);

void tarmap_encode_extent(uint8_t to[static TARMAP_EXTENT], struct tarmap_extent extent);

/* After the table is complete, which only its hash needs. map->validator is shorter than its max.
 */
void tarmap_encode_header(uint8_t to[static TARMAP_HEADER], const struct tarmap *map);
