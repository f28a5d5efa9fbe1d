/* SPDX-License-Identifier: MIT */
/*
 * Memory that is given back all at once: millions of small things without a header each.
 */
#pragma once

#include <stddef.h>

struct arena_piece;
struct arena {
	struct arena_piece *pieces; /* owned; the newest first */
	size_t used;		    /* of the newest */
};

/* size bytes of zeros, aligned for anything; NULL: no memory. */
void *arena_alloc(struct arena *arena, size_t size);
void arena_end(struct arena *arena);
