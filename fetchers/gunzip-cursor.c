/* SPDX-License-Identifier: MIT */
#include "fetchers/gunzip-cursor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "daemon/util/checked.h"

/* CRC and length behind a member. */
#define TRAILER 8

int gunzip_window(uint8_t ret[static GZINDEX_WINDOW], const struct gzindex_point *point,
		  const void *stored)
{
	z_stream z = { .next_in = (Bytef *)stored,
		       .avail_in = point->window_len,
		       .next_out = ret,
		       .avail_out = GZINDEX_WINDOW };
	int status = inflateInit2(&z, -15);

	if (status != Z_OK)
		return -ENOMEM;
	status = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return status == Z_STREAM_END && z.avail_out == 0 &&
			       XXH3_64bits(ret, GZINDEX_WINDOW) == point->window_hash
		       ? 0
		       : -EPROTO;
}

int gunzip_cursor_new(struct gunzip_cursor **ret, const struct gzindex_point *point,
		      const uint8_t *window)
{
	struct gunzip_cursor *c = malloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->in = point->in - (point->bits > 0);
	c->out = point->out;
	c->checked = false;
	memset(&c->z, 0, sizeof(c->z));
	c->trailer = 0;
	c->bits = point->bits;
	c->whole = point->out % GZINDEX_BLOCK == 0;
	c->raw = window != NULL;
	c->between = false;
	c->has_window = window != NULL;
	if (window)
		memcpy(c->window, window, GZINDEX_WINDOW);
	if (inflateInit2(&c->z, window ? -15 : 31) != Z_OK) {
		free(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

struct gunzip_cursor *gunzip_cursor_free(struct gunzip_cursor *c)
{
	if (c)
		inflateEnd(&c->z);
	free(c);
	return NULL;
}

uint64_t gunzip_cursor_block(const struct gunzip_cursor *c)
{
	return c->checked ? round_up_u64(c->out, GZINDEX_BLOCK) - GZINDEX_BLOCK
			  : round_down_u64(c->out, GZINDEX_BLOCK);
}

/* Before the first byte of input goes in. Order matters: bits, then the window. */
static int prime(struct gunzip_cursor *c, uint8_t first)
{
	if (c->bits > 0 && inflatePrime(&c->z, c->bits, first >> (8 - c->bits)) != Z_OK)
		return -EPROTO;
	if (inflateSetDictionary(&c->z, c->window, GZINDEX_WINDOW) != Z_OK)
		return -EPROTO;
	c->has_window = false;
	return 0;
}

/* Between two members: what is left of the first, then the second has a header. */
static int pass_over(struct gunzip_cursor *c, size_t len, size_t *used)
{
	size_t n = min_u64(c->trailer, len - *used);

	c->trailer -= (unsigned int)n;
	*used += n;
	c->in += n;
	if (c->trailer > 0)
		return 0;
	c->raw = c->between = false;
	return inflateReset2(&c->z, 31) == Z_OK ? 0 : -EPROTO;
}

/* Bytes that the block being inflated has in the end. */
static size_t block_size(const struct gunzip_cursor *c, const struct gzindex *index)
{
	return min_u64(GZINDEX_BLOCK, index->size - gunzip_cursor_block(c));
}

static int end_block(struct gunzip_cursor *c, const struct gzindex *index, size_t size)
{
	uint64_t block = (c->out - 1) / GZINDEX_BLOCK;

	if (c->whole && XXH3_64bits(c->block, size) != gzindex_sum(index, block))
		return -EPROTO;
	c->checked = c->whole;
	c->whole = true;
	return 0;
}

static int inflate_some(struct gunzip_cursor *c, size_t size, const uint8_t *input, size_t len,
			size_t *used)
{
	size_t begin = c->out % GZINDEX_BLOCK;
	int status;

	c->z.next_in = (Bytef *)input + *used;
	c->z.avail_in = (uInt)(len - *used);
	c->z.next_out = c->block + begin;
	c->z.avail_out = (uInt)(size - begin);
	status = inflate(&c->z, Z_NO_FLUSH);
	c->in += len - *used - c->z.avail_in;
	*used = len - c->z.avail_in;
	c->out += size - begin - c->z.avail_out;
	if (status == Z_STREAM_END) {
		c->between = true;
		c->trailer = c->raw ? TRAILER : 0;
	} else if (status != Z_OK && status != Z_BUF_ERROR) {
		return status == Z_MEM_ERROR ? -ENOMEM : -EPROTO;
	}
	return 0;
}

int gunzip_cursor_step(struct gunzip_cursor *c, const struct gzindex *index, const void *input,
		       size_t len, size_t *ret_used)
{
	const uint8_t *from = input;
	size_t used = 0, size;
	int r = 0;

	c->checked = false;
	size = block_size(c, index);
	if (len > (size_t)1 << 30)
		len = (size_t)1 << 30;
	if (len > 0 && c->has_window) {
		r = prime(c, from[0]);
		used = c->bits > 0;
		c->in += used;
	}
	/* Also without input: zlib may have more to give. */
	while (r == 0) {
		uint64_t out = c->out;
		size_t before = used;
		bool between = c->between;

		if (between)
			r = pass_over(c, len, &used);
		else if (!c->has_window)
			r = inflate_some(c, size, from, len, &used);
		if (r == 0 && c->out > out &&
		    (c->out % GZINDEX_BLOCK == 0 || c->out == index->size)) {
			r = end_block(c, index, size);
			break;
		}
		if (used == before && c->out == out && c->between == between)
			break;
	}
	*ret_used = used;
	return r;
}
