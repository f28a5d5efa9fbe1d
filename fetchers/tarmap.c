/* SPDX-License-Identifier: MIT */
#include "fetchers/tarmap.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/checked.h"
#include "fetchers/indexed.h"
#include "proto/tarmap.h"

/*
 * Bytes of the archive between two files that are rather fetched along than asked about: a header,
 * or some directories. A round trip is worth more.
 */
#define GAP_MAX ((uint64_t)32 << 10)

/* A read, as far as it is: filled bytes of it are there. Then follows a run of extents. */
struct tarmap_read {
	struct indexed_read base;
	size_t filled;
	/* The run: bytes [from, from + inner.len) of the blob, with extents [first, last) in it. */
	struct fetch_read inner;
	uint64_t from, next, last;
	size_t copied;	 /* of extent `next`, clipped */
	bool reading;	 /* inner is next's */
	uint8_t *bounce; /* owned; NULL: the run is one extent and goes where it belongs */
};

static void go_on(struct tarmap_read *r, bool inside);

static struct tarmap_read *read_of(struct indexed_read *base)
{
	return container_of(base, struct tarmap_read, base);
}

static const struct tarmap *map_of(struct tarmap_read *r)
{
	return indexed_parsed(&r->base);
}

/* Extent i, cut to what of it is read. */
static struct tarmap_extent clipped(struct tarmap_read *r, uint64_t i)
{
	const struct fetch_read *read = r->base.read;
	struct tarmap_extent e = tarmap_extent(map_of(r), i);
	uint64_t begin = max_u64(e.at, read->off);
	uint64_t end = min_u64(e.at + e.len, read->off + read->len);

	return (struct tarmap_extent){ begin, e.from + (begin - e.at), end - begin };
}

/* Bytes of the read up to `at` of the device that no extent covers. */
static void fill_zeros(struct tarmap_read *r, uint64_t at)
{
	struct fetch_read *read = r->base.read;
	size_t to = (size_t)(at - read->off);

	/* An extent that began before is among what comes next. */
	if (at <= read->off + r->filled)
		return;
	memset((uint8_t *)read->buf + r->filled, 0, to - r->filled);
	r->filled = to;
}

/* avail bytes of the run are there: puts those that are new where they belong. */
static void scatter(struct tarmap_read *r, size_t avail)
{
	struct fetch_read *read = r->base.read;

	for (; r->next < r->last; r->next++, r->copied = 0) {
		struct tarmap_extent e = clipped(r, r->next);
		size_t begin = (size_t)(e.from - r->from), n;

		if (avail <= begin)
			return;
		fill_zeros(r, e.at);
		n = min_u64(avail - begin, e.len);
		if (r->bounce)
			memcpy((uint8_t *)read->buf + r->filled, r->bounce + begin + r->copied,
			       n - r->copied);
		r->filled += n - r->copied;
		r->copied = n;
		if (n < e.len)
			return;
	}
}

static void inner_progress(struct fetch_read *inner, size_t filled)
{
	struct tarmap_read *r = container_of(inner, struct tarmap_read, inner);
	struct fetch_read *read = r->base.read;
	size_t before = r->filled;

	scatter(r, filled);
	if (read->progress && r->filled > before)
		read->progress(read, r->filled);
}

static void inner_done(struct fetch_read *inner, int err)
{
	struct tarmap_read *r = container_of(inner, struct tarmap_read, inner);

	r->reading = false;
	if (err == 0)
		scatter(r, inner->len);
	else
		memcpy(r->base.read->error, inner->error, sizeof(inner->error));
	r->base.read->retry_after = inner->retry_after;
	free(r->bounce);
	r->bounce = NULL;
	if (err < 0)
		indexed_done(&r->base, err);
	else
		go_on(r, false);
}

/*
 * Takes extents into the run, from `first` on, while they lie near to each other in the blob. A
 * map that wants much to be read for little gets more, shorter runs.
 */
static void gather(struct tarmap_read *r, uint64_t first)
{
	const struct fetch_read *read = r->base.read;
	const struct tarmap *map = map_of(r);
	uint64_t max = 2 * ((uint64_t)read->len - r->filled) + GAP_MAX;
	struct tarmap_extent e = clipped(r, first);
	uint64_t end = e.from + e.len;

	r->from = e.from;
	r->next = first;
	r->copied = 0;
	for (r->last = first + 1; r->last < map->n; r->last++) {
		if (tarmap_extent(map, r->last).at >= read->off + read->len)
			break;
		e = clipped(r, r->last);
		if (e.from < end || e.from - end > GAP_MAX || e.from + e.len - r->from > max)
			break;
		end = e.from + e.len;
	}
	r->inner.len = (size_t)(end - r->from);
}

static void end(struct tarmap_read *r, int err, bool inside)
{
	if (inside)
		indexed_defer_done(&r->base, err);
	else
		indexed_done(&r->base, err);
}

/* inside: a call of the reader's, which must not end in done(). */
static void go_on(struct tarmap_read *r, bool inside)
{
	struct fetch_read *read = r->base.read;
	const struct tarmap *map = map_of(r);
	uint64_t stop = read->off + read->len;
	uint64_t first = tarmap_find(map, read->off + r->filled);
	uint64_t at = first < map->n ? tarmap_extent(map, first).at : stop;

	fill_zeros(r, min_u64(at, stop));
	if (r->filled == read->len) {
		end(r, 0, inside);
		return;
	}
	if (indexed_canceled(&r->base)) {
		snprintf(read->error, sizeof(read->error), "canceled");
		end(r, -ECANCELED, inside);
		return;
	}
	gather(r, first);
	r->inner.off = r->from;
	r->inner.buf = (uint8_t *)read->buf + r->filled;
	r->inner.deadline = read->deadline;
	r->inner.progress = inner_progress;
	r->inner.done = inner_done;
	if (r->last - first > 1) {
		r->bounce = malloc(r->inner.len);
		r->inner.buf = r->bounce;
	}
	if (!r->inner.buf) {
		snprintf(read->error, sizeof(read->error), "no memory");
		end(r, -ENOMEM, inside);
		return;
	}
	r->reading = true;
	indexed_inner(&r->base)->fetcher->ops->read(indexed_inner(&r->base), &r->inner);
}

/* ---- the kind --------------------------------------------------------------------------- */

static uint64_t keep_all(struct bytes first, uint64_t size)
{
	return size;
}

static const char *parse(void *parsed, struct bytes kept, struct fetch_identity *ret_inner,
			 uint64_t *ret_size)
{
	struct tarmap *map = parsed;

	static_assert(TARMAP_VALIDATOR_MAX == FETCH_VALIDATOR_MAX, "a map has room for any");
	switch (tarmap_parse(map, kept)) {
	case TARMAP_OK:
		break;
	case TARMAP_NO_MAP:
		return "the file is not a map of a layer";
	case TARMAP_NEW_VERSION:
		return "the map is of a newer version";
	default:
		return "the map is damaged";
	}
	ret_inner->size = map->inner_size;
	snprintf(ret_inner->validator, sizeof(ret_inner->validator), "%s", map->validator);
	*ret_size = map->size;
	return NULL;
}

static void start(struct indexed_read *base)
{
	struct tarmap_read *r = read_of(base);

	*r = (struct tarmap_read){ .base = r->base };
	go_on(r, true);
}

/* Where nothing is read its end is on its way. */
static void cancel(struct indexed_read *base)
{
	struct tarmap_read *r = read_of(base);

	if (r->reading)
		indexed_inner(base)->fetcher->ops->cancel_read(indexed_inner(base), &r->inner);
}

static const struct indexed_kind tarmap_kind = {
	.scheme = "tarmap",
	.file_max = TARMAP_FILE_MAX,
	.read_size = sizeof(struct tarmap_read),
	.parsed_size = sizeof(struct tarmap),
	.keep = keep_all,
	.parse = parse,
	.start = start,
	.cancel = cancel,
};

int tarmap_new(struct fetcher **ret, struct loop *loop, struct fetcher *next)
{
	return indexed_new(ret, loop, next, &tarmap_kind);
}
