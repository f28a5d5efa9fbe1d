/* SPDX-License-Identifier: MIT */
#include "fetchers/gunzip.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/checked.h"
#include "fetchers/gunzip-cursor.h"
#include "fetchers/gunzip-kept.h"
#include "fetchers/indexed.h"

#define PIECE_MAX ((uint64_t)512 << 10) /* of compressed bytes, in one read */
#define MORE	  ((uint64_t)64 << 10)
#define STEPS	  4 /* blocks that are inflated at a time */

struct gunzip_read {
	struct indexed_read base;
	struct gunzip_cursor *cursor; /* owned */
	uint64_t end;		      /* of the last block that is needed */
	size_t filled;
	/* Without a cursor: the window of the point is on its way. */
	struct gzindex_point point;
	struct loop_op op;
	uint8_t *window; /* owned; as it is stored */
	size_t window_have;
	/* A piece of the compressed bytes. */
	struct fetch_read inner;
	uint8_t *piece; /* owned */
	size_t avail, used;
	struct loop_deferred more;
	bool reading, windowing;
	int err; /* 1: all is there. Comes out when nothing is on its way any more */
	bool over;
};

static void run(struct gunzip_read *r);

static struct gunzip_read *read_of(struct indexed_read *base)
{
	return container_of(base, struct gunzip_read, base);
}

static const struct gzindex *index_of(struct gunzip_read *r)
{
	return indexed_parsed(&r->base);
}

static void explain(struct gunzip_read *r, const char *why)
{
	snprintf(r->base.read->error, FETCH_ERROR_MAX, "%s", why);
}

/* ---- the end ---------------------------------------------------------------------------- */

/* Ends the read as soon as nothing of it is under way. Not from inside a call of the reader's. */
static void end(struct gunzip_read *r, int err)
{
	if (!r->over) {
		r->over = true;
		r->err = err;
		loop_defer_cancel(indexed_loop(&r->base), &r->more);
		if (r->reading)
			indexed_inner(&r->base)->fetcher->ops->cancel_read(indexed_inner(&r->base),
									   &r->inner);
	}
	if (!r->reading && !r->windowing)
		indexed_done(&r->base, r->err);
}

static void fail(struct gunzip_read *r, int err, const char *why)
{
	explain(r, why);
	end(r, err);
}

static void finish(struct indexed_read *base)
{
	struct gunzip_read *r = read_of(base);

	if (r->cursor && r->err == 0)
		gunzip_keep(indexed_shared(base), indexed_parsed(base), r->cursor);
	else
		gunzip_cursor_free(r->cursor);
	free(r->window);
	free(r->piece);
}

/* ---- compressed bytes ------------------------------------------------------------------- */

/* Where about in the compressed stream the last byte lies that is needed for `out`. */
static uint64_t guess(struct gunzip_read *r, uint64_t out)
{
	const struct gzindex *index = index_of(r);
	uint64_t i = gzindex_find(index, out > 0 ? out - 1 : 0), in;
	struct gzindex_point p = gzindex_point(index, i),
			     next = { .in = index->inner_size, .out = index->size };

	if (i + 1 < index->n_points)
		next = gzindex_point(index, i + 1);
	if (next.out <= out)
		return next.in;
	/* Some parts of it are packed better than others. */
	in = (uint64_t)((double)(next.in - p.in) * (double)(out - p.out) /
			(double)(next.out - p.out) * 1.15);
	return min_u64(p.in + in + 4096, next.in);
}

static void piece_progress(struct fetch_read *inner, size_t filled)
{
	struct gunzip_read *r = container_of(inner, struct gunzip_read, inner);

	r->avail = filled;
	if (!r->over)
		loop_defer(indexed_loop(&r->base), &r->more);
}

static void piece_done(struct fetch_read *inner, int err)
{
	struct gunzip_read *r = container_of(inner, struct gunzip_read, inner);

	r->reading = false;
	if (r->over) {
		end(r, 0);
		return;
	}
	if (err < 0) {
		memcpy(r->base.read->error, inner->error, sizeof(inner->error));
		r->base.read->retry_after = inner->retry_after;
		end(r, err);
		return;
	}
	r->avail = inner->len;
	run(r);
}

/* The next piece: as long as it is likely to take, or a bit more where that was not enough. */
static void read_piece(struct gunzip_read *r)
{
	const struct gzindex *index = index_of(r);
	uint64_t begin = r->cursor->in, stop = guess(r, r->end);

	if (begin >= index->inner_size) {
		fail(r, -EPROTO, "the compressed data end too early");
		return;
	}
	if (stop <= begin)
		stop = min_u64(begin + MORE, index->inner_size);
	r->inner = (struct fetch_read){
		.off = begin,
		.len = (size_t)min_u64(stop - begin, PIECE_MAX),
		.deadline = r->base.read->deadline,
		.progress = piece_progress,
		.done = piece_done,
	};
	free(r->piece);
	r->piece = malloc(r->inner.len);
	r->inner.buf = r->piece;
	r->avail = r->used = 0;
	if (!r->piece) {
		fail(r, -ENOMEM, "no memory");
		return;
	}
	r->reading = true;
	indexed_inner(&r->base)->fetcher->ops->read(indexed_inner(&r->base), &r->inner);
}

/* ---- uncompressed bytes ----------------------------------------------------------------- */

/* A checked block: what of it was asked for. */
static void deliver(struct gunzip_read *r)
{
	struct fetch_read *read = r->base.read;
	const struct gunzip_cursor *c = r->cursor;
	uint64_t block = gunzip_cursor_block(c), from = read->off + r->filled;
	uint64_t to = min_u64(c->out, read->off + read->len);

	if (to <= from || from < block)
		return;
	memcpy((uint8_t *)read->buf + r->filled, c->block + (from - block), to - from);
	r->filled += to - from;
	if (read->progress)
		read->progress(read, r->filled);
}

/* Inflates what is there, some blocks of it; then the loop has its turn. */
static void run(struct gunzip_read *r)
{
	for (int steps = 0; steps < STEPS && !r->over; steps++) {
		uint64_t out = r->cursor->out;
		size_t left = r->avail - r->used, used = 0;
		int err;

		if (r->filled == r->base.read->len) {
			end(r, 0);
			return;
		}
		err = gunzip_cursor_step(r->cursor, index_of(r),
					 left > 0 ? r->piece + r->used : (const void *)"", left,
					 &used);
		r->used += used;
		if (err < 0) {
			fail(r, err,
			     err == -ENOMEM ? "no memory"
					    : "the compressed data are not those of the index");
			return;
		}
		if (r->cursor->checked)
			deliver(r);
		if (r->cursor->out != out || used > 0)
			continue;
		/* All that has arrived is used up. */
		if (!r->reading)
			read_piece(r);
		return;
	}
	if (!r->over)
		loop_defer(indexed_loop(&r->base), &r->more);
}

static void run_more(struct loop_deferred *deferred)
{
	run(container_of(deferred, struct gunzip_read, more));
}

/* ---- the beginning ---------------------------------------------------------------------- */

static void begin(struct gunzip_read *r, const uint8_t *window)
{
	if (gunzip_cursor_new(&r->cursor, &r->point, window) < 0)
		fail(r, -ENOMEM, "no memory");
	else
		read_piece(r);
}

static void window_done(struct loop_op *op, int res)
{
	struct gunzip_read *r = container_of(op, struct gunzip_read, op);
	uint8_t window[GZINDEX_WINDOW];

	r->windowing = false;
	if (r->over) {
		end(r, 0);
		return;
	}
	if (res <= 0) {
		fail(r, -EIO, "the index cannot be read");
		return;
	}
	r->window_have += (size_t)res;
	if (r->window_have < r->point.window_len) {
		r->windowing = true;
		loop_pread(indexed_loop(&r->base), &r->op, indexed_fd(&r->base),
			   r->window + r->window_have, r->point.window_len - r->window_have,
			   r->point.window_at + r->window_have);
		return;
	}
	if (gunzip_window(window, &r->point, r->window) < 0) {
		fail(r, -EPROTO, "the index is damaged");
		return;
	}
	free(r->window);
	r->window = NULL;
	begin(r, window);
}

static void begin_later(struct loop_deferred *deferred)
{
	struct gunzip_read *r = container_of(deferred, struct gunzip_read, more);

	r->more.run = run_more;
	if (r->cursor) {
		/* The block before may be the first that is wanted. */
		if (r->cursor->checked)
			deliver(r);
		run(r);
		return;
	}
	if (r->point.window_len == 0) {
		begin(r, NULL);
		return;
	}
	r->window = malloc(r->point.window_len);
	if (!r->window) {
		fail(r, -ENOMEM, "no memory");
		return;
	}
	r->windowing = true;
	r->op.done = window_done;
	loop_pread(indexed_loop(&r->base), &r->op, indexed_fd(&r->base), r->window,
		   r->point.window_len, r->point.window_at);
}

static void start(struct indexed_read *base)
{
	struct gunzip_read *r = read_of(base);
	struct fetch_read *read = base->read;
	const struct gzindex *index = indexed_parsed(base);
	uint64_t block = round_down_u64(read->off, GZINDEX_BLOCK);

	*r = (struct gunzip_read){ .base = r->base, .more.run = begin_later };
	r->end = min_u64(round_up_u64(read->off + read->len, GZINDEX_BLOCK), index->size);
	r->point = gzindex_point(index, gzindex_find(index, block));
	r->cursor = gunzip_find_kept(indexed_shared(base), index, block, r->point.out);
	loop_defer(indexed_loop(base), &r->more);
}

static void cancel(struct indexed_read *base)
{
	struct gunzip_read *r = read_of(base);

	if (r->over)
		return;
	explain(r, "canceled");
	r->over = true;
	r->err = -ECANCELED;
	if (r->windowing)
		loop_op_cancel(indexed_loop(base), &r->op);
	if (r->reading)
		indexed_inner(base)->fetcher->ops->cancel_read(indexed_inner(base), &r->inner);
	loop_defer_cancel(indexed_loop(base), &r->more);
	if (!r->reading && !r->windowing)
		indexed_defer_done(base, -ECANCELED);
}

/* ---- the kind --------------------------------------------------------------------------- */

static uint64_t keep_table(struct bytes first, uint64_t size)
{
	uint64_t table = gzindex_table_size(first);

	/* What is none is refused when it is parsed. */
	return table > 0 && table <= size ? table : min_u64(size, GZINDEX_HEADER);
}

static const char *parse(void *parsed, struct bytes kept, struct fetch_identity *ret_inner,
			 uint64_t *ret_size)
{
	struct gzindex *index = parsed;

	static_assert(GZINDEX_VALIDATOR_MAX == FETCH_VALIDATOR_MAX, "an index has room for any");
	switch (gzindex_parse(index, kept)) {
	case GZINDEX_OK:
		break;
	case GZINDEX_NO_INDEX:
		return "the file is not an index of a gzip file";
	case GZINDEX_NEW_VERSION:
		return "the index is of a newer version";
	default:
		return "the index is damaged";
	}
	ret_inner->size = index->inner_size;
	snprintf(ret_inner->validator, sizeof(ret_inner->validator), "%s", index->validator);
	*ret_size = index->size;
	return NULL;
}

static void object_end(void *parsed, void *shared)
{
	gunzip_forget_kept(shared, parsed);
}

static const struct indexed_kind gunzip_kind = {
	.scheme = "gunzip",
	.file_max = GZINDEX_FILE_MAX,
	.read_size = sizeof(struct gunzip_read),
	.parsed_size = sizeof(struct gzindex),
	.shared_size = sizeof(struct gunzip_kept),
	.keep = keep_table,
	.parse = parse,
	.end = object_end,
	.start = start,
	.cancel = cancel,
	.finish = finish,
};

int gunzip_new(struct fetcher **ret, struct loop *loop, struct fetcher *next)
{
	return indexed_new(ret, loop, next, &gunzip_kind);
}
