/* SPDX-License-Identifier: MIT */
/*
 * Where recent reads ended: who reads on inflates nothing twice. Few for all objects together, the
 * least recent goes.
 */
#pragma once

#include "fetchers/gunzip-cursor.h"

enum { GUNZIP_KEPT_MAX = 16 }; /* 140 KiB each */

struct gunzip_kept {
	struct {
		const struct gzindex *index;  /* whose */
		struct gunzip_cursor *cursor; /* owned; NULL: free */
		uint64_t used;		      /* when */
	} slots[GUNZIP_KEPT_MAX];
	uint64_t clock;
};

/* Takes the cursor. */
void gunzip_keep(struct gunzip_kept *kept, const struct gzindex *index,
		 struct gunzip_cursor *cursor);

/*
 * The best to read a block that begins at `block` with, taken out; NULL: none is better than
 * beginning at `point`.
 */
struct gunzip_cursor *gunzip_find_kept(struct gunzip_kept *kept, const struct gzindex *index,
				       uint64_t block, uint64_t point);

/* Those of an index that goes. */
void gunzip_forget_kept(struct gunzip_kept *kept, const struct gzindex *index);
