/* SPDX-License-Identifier: MIT */
#include "fetchers/gunzip-kept.h"

void gunzip_keep(struct gunzip_kept *kept, const struct gzindex *index,
		 struct gunzip_cursor *cursor)
{
	unsigned int oldest = 0;

	for (unsigned int i = 0; i < GUNZIP_KEPT_MAX; i++) {
		if (!kept->slots[i].cursor) {
			oldest = i;
			break;
		}
		if (kept->slots[i].used < kept->slots[oldest].used)
			oldest = i;
	}
	gunzip_cursor_free(kept->slots[oldest].cursor);
	kept->slots[oldest].index = index;
	kept->slots[oldest].cursor = cursor;
	kept->slots[oldest].used = ++kept->clock;
}

/* The first byte that it can still give: its last block, if that is there. */
static uint64_t first_byte(const struct gunzip_cursor *c)
{
	return c->checked ? gunzip_cursor_block(c) : c->out;
}

struct gunzip_cursor *gunzip_find_kept(struct gunzip_kept *kept, const struct gzindex *index,
				       uint64_t block, uint64_t point)
{
	struct gunzip_cursor *best = NULL;
	unsigned int which = 0;

	for (unsigned int i = 0; i < GUNZIP_KEPT_MAX; i++) {
		struct gunzip_cursor *c = kept->slots[i].cursor;

		if (!c || kept->slots[i].index != index || first_byte(c) > block || c->out < point)
			continue;
		if (best && best->out >= c->out)
			continue;
		best = c;
		which = i;
	}
	if (best)
		kept->slots[which].cursor = NULL;
	return best;
}

void gunzip_forget_kept(struct gunzip_kept *kept, const struct gzindex *index)
{
	for (unsigned int i = 0; i < GUNZIP_KEPT_MAX; i++)
		if (kept->slots[i].cursor && kept->slots[i].index == index)
			kept->slots[i].cursor = gunzip_cursor_free(kept->slots[i].cursor);
}
