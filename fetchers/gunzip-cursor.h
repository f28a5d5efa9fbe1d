/* SPDX-License-Identifier: MIT */
/*
 * A place in a gzip file from which it is inflated onwards, block by block of GZINDEX_BLOCK; no
 * block is given out before its sum was right. Does no I/O.
 */
#pragma once

#include <stdbool.h>
#include <zlib.h>

#include "proto/gzindex.h"

struct gunzip_cursor {
	uint64_t in;  /* the compressed byte that it wants next */
	uint64_t out; /* uncompressed bytes before the ones that come next */
	/*
	 * The block that `out` is in, or has just come to the end of: then `checked` says that all
	 * of it is there, and is right. Also that of the block before, while nothing follows it.
	 */
	uint8_t block[GZINDEX_BLOCK];
	bool checked;
	/* private */
	z_stream z;
	unsigned int trailer; /* bytes of a member's end that are still to be passed over */
	uint8_t bits;	      /* of the first byte of input that count */
	bool whole;	      /* the block was inflated from its beginning */
	bool raw;	      /* in the middle of a member, which zlib sees no header of */
	bool between;	      /* at the end of a member */
	uint8_t window[GZINDEX_WINDOW]; /* until the first byte of input */
	bool has_window;
};

/* window: GZINDEX_WINDOW bytes, as the point says; NULL for one without. -ENOMEM. */
int gunzip_cursor_new(struct gunzip_cursor **ret, const struct gzindex_point *point,
		      const uint8_t *window);
struct gunzip_cursor *gunzip_cursor_free(struct gunzip_cursor *cursor);

/* The window of a point from its bytes in the index. -EPROTO: those are damaged. */
int gunzip_window(uint8_t ret[static GZINDEX_WINDOW], const struct gzindex_point *point,
		  const void *stored);

/* Where the block that is being inflated begins. */
uint64_t gunzip_cursor_block(const struct gunzip_cursor *cursor);

/*
 * Inflates until the end of a block, or of the input; *ret_used bytes of input were taken. At the
 * end of a block `checked` is set; a block that was not begun at its beginning is passed over.
 * -EPROTO: these are not the bytes that the index was made of. -ENOMEM.
 */
int gunzip_cursor_step(struct gunzip_cursor *cursor, const struct gzindex *index, const void *input,
		       size_t len, size_t *ret_used);
