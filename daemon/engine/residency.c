/* SPDX-License-Identifier: MIT */
#include "daemon/engine/residency.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"

#define WORDS (RESIDENCY_SEGMENT / 64)

struct residency_segment {
	uint64_t resident[WORDS];
	uint64_t claimed[WORDS];
	uint32_t missing; /* blocks of this segment that are not resident */
};

/* Stands for every segment whose blocks are all resident. */
static struct residency_segment complete;

enum which { HOLE, FREE, BUSY };

int residency_init(struct residency *r, uint64_t size)
{
	uint64_t blocks = round_up_u64(size, CACHE_BLOCK) / CACHE_BLOCK;
	uint64_t n = (blocks + RESIDENCY_SEGMENT - 1) / RESIDENCY_SEGMENT;

	r->blocks = blocks;
	r->partial = n;
	r->segments = calloc(n ? n : 1, sizeof(struct residency_segment *));
	return r->segments ? 0 : -ENOMEM;
}

void residency_clear(struct residency *r)
{
	uint64_t n = (r->blocks + RESIDENCY_SEGMENT - 1) / RESIDENCY_SEGMENT;

	for (uint64_t i = 0; r->segments && i < n; i++)
		if (r->segments[i] != &complete)
			free(r->segments[i]);
	free(r->segments);
	r->segments = NULL;
}

static uint64_t segment_blocks(const struct residency *r, uint64_t index)
{
	return min_u64(RESIDENCY_SEGMENT, r->blocks - index * RESIDENCY_SEGMENT);
}

uint64_t residency_count(const struct residency *r)
{
	uint64_t n = (r->blocks + RESIDENCY_SEGMENT - 1) / RESIDENCY_SEGMENT, count = 0;

	for (uint64_t i = 0; i < n; i++)
		if (r->segments[i])
			count += segment_blocks(r, i) - r->segments[i]->missing;
	return count;
}

/* Sets or clears the bits [from, to) of one segment; returns how many were changed. */
static uint32_t bits_set(uint64_t *words, uint64_t from, uint64_t to, bool value)
{
	uint32_t changed = 0;

	while (from < to) {
		uint64_t shift = from % 64;
		uint64_t n = min_u64(64 - shift, to - from);
		uint64_t mask = (n == 64 ? UINT64_MAX : ((uint64_t)1 << n) - 1) << shift;
		uint64_t *w = &words[from / 64];
		uint64_t old = *w;

		*w = value ? old | mask : old & ~mask;
		changed += (uint32_t)__builtin_popcountll(old ^ *w);
		from += n;
	}
	return changed;
}

static void segment_complete(struct residency *r, uint64_t index)
{
	if (r->segments[index] == &complete)
		return;
	free(r->segments[index]);
	r->segments[index] = &complete;
	r->partial--;
}

/* Walks the data extents of one segment. */
static int segment_scan(struct residency_segment *s, int fd, uint64_t start, uint64_t end)
{
	off_t at = (off_t)start;

	while ((uint64_t)at < end) {
		off_t data = lseek(fd, at, SEEK_DATA), hole;

		if (data < 0)
			return errno == ENXIO ? 0 : -errno;
		if ((uint64_t)data >= end)
			return 0;
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		/* A hole that begins inside a block means that the block is not whole. */
		uint64_t from = round_up_u64((uint64_t)data - start, CACHE_BLOCK) / CACHE_BLOCK;
		uint64_t to = (min_u64((uint64_t)hole, end) - start) / CACHE_BLOCK;

		if (from < to)
			s->missing -= bits_set(s->resident, from, to, true);
		at = hole;
	}
	return 0;
}

static int segment_learn(struct residency *r, int fd, uint64_t index)
{
	_cleanup_free_ char *own = calloc(1, sizeof(struct residency_segment));
	struct residency_segment *s = (struct residency_segment *)own;
	uint64_t start = index * RESIDENCY_SEGMENT * CACHE_BLOCK;
	uint64_t blocks = segment_blocks(r, index);
	int err;

	if (!s)
		return -ENOMEM;
	s->missing = (uint32_t)blocks;
	err = segment_scan(s, fd, start, start + blocks * CACHE_BLOCK);
	if (err < 0)
		return err;
	r->segments[index] = (struct residency_segment *)steal(&own);
	if (s->missing == 0)
		segment_complete(r, index);
	return 0;
}

int residency_learn(struct residency *r, int fd, uint64_t from, uint64_t to)
{
	assert(to <= r->blocks);
	for (uint64_t b = from; b < to;
	     b = round_down_u64(b, RESIDENCY_SEGMENT) + RESIDENCY_SEGMENT) {
		uint64_t index = b / RESIDENCY_SEGMENT;
		int err = r->segments[index] ? 0 : segment_learn(r, fd, index);

		if (err < 0)
			return err;
	}
	return 0;
}

bool residency_known(const struct residency *r, uint64_t block)
{
	return r->segments[block / RESIDENCY_SEGMENT] != NULL;
}

static uint64_t word_of(const struct residency_segment *s, uint64_t i, enum which which)
{
	switch (which) {
	case HOLE:
		return ~s->resident[i];
	case FREE:
		return ~(s->resident[i] | s->claimed[i]);
	default:
		return s->resident[i] | s->claimed[i];
	}
}

/* First block of [from, to) inside one segment for which the question has the answer yes. */
static uint64_t segment_find(const struct residency_segment *s, uint64_t from, uint64_t to,
			     enum which which)
{
	if (s == &complete)
		return which == BUSY ? from : to;
	while (from < to) {
		uint64_t w = word_of(s, from / 64, which) >> (from % 64);

		if (w)
			return min_u64(from + (uint64_t)__builtin_ctzll(w), to);
		from = round_down_u64(from, 64) + 64;
	}
	return to;
}

static uint64_t find(const struct residency *r, uint64_t from, uint64_t to, enum which which)
{
	assert(to <= r->blocks);
	while (from < to) {
		uint64_t base = round_down_u64(from, RESIDENCY_SEGMENT);
		uint64_t end = min_u64(base + RESIDENCY_SEGMENT, to);
		const struct residency_segment *s = r->segments[from / RESIDENCY_SEGMENT];

		assert(s);
		uint64_t at = base + segment_find(s, from - base, end - base, which);

		if (at < end)
			return at;
		from = end;
	}
	return to;
}

uint64_t residency_next_hole(const struct residency *r, uint64_t from, uint64_t to)
{
	return find(r, from, to, HOLE);
}

uint64_t residency_next_free(const struct residency *r, uint64_t from, uint64_t to)
{
	return find(r, from, to, FREE);
}

uint64_t residency_next_busy(const struct residency *r, uint64_t from, uint64_t to)
{
	return find(r, from, to, BUSY);
}

typedef void segment_fn(struct residency *r, uint64_t index, uint64_t from, uint64_t to);

static void for_segments(struct residency *r, uint64_t from, uint64_t to, segment_fn *fn)
{
	assert(to <= r->blocks);
	while (from < to) {
		uint64_t index = from / RESIDENCY_SEGMENT;
		uint64_t base = index * RESIDENCY_SEGMENT;
		uint64_t end = min_u64(base + RESIDENCY_SEGMENT, to);

		if (r->segments[index] && r->segments[index] != &complete)
			fn(r, index, from - base, end - base);
		from = end;
	}
}

static void segment_claim(struct residency *r, uint64_t index, uint64_t from, uint64_t to)
{
	bits_set(r->segments[index]->claimed, from, to, true);
}

static void segment_unclaim(struct residency *r, uint64_t index, uint64_t from, uint64_t to)
{
	bits_set(r->segments[index]->claimed, from, to, false);
}

static void segment_mark(struct residency *r, uint64_t index, uint64_t from, uint64_t to)
{
	struct residency_segment *s = r->segments[index];

	bits_set(s->claimed, from, to, false);
	s->missing -= bits_set(s->resident, from, to, true);
	if (s->missing == 0)
		segment_complete(r, index);
}

void residency_claim(struct residency *r, uint64_t from, uint64_t to)
{
	for_segments(r, from, to, segment_claim);
}

void residency_unclaim(struct residency *r, uint64_t from, uint64_t to)
{
	for_segments(r, from, to, segment_unclaim);
}

void residency_mark(struct residency *r, uint64_t from, uint64_t to)
{
	for_segments(r, from, to, segment_mark);
}

static void segment_unmark(struct residency *r, uint64_t index, uint64_t from, uint64_t to)
{
	r->segments[index]->missing += bits_set(r->segments[index]->resident, from, to, false);
}

/* Complete segments share one stand-in: before a bit changes they need their own. */
static int segment_open(struct residency *r, uint64_t index)
{
	struct residency_segment *s;

	if (r->segments[index] != &complete)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	bits_set(s->resident, 0, segment_blocks(r, index), true);
	r->segments[index] = s;
	r->partial++;
	return 0;
}

int residency_recheck(struct residency *r, int fd, uint64_t from, uint64_t to)
{
	off_t hole = lseek(fd, (off_t)(from * CACHE_BLOCK), SEEK_HOLE);
	int err;

	if (hole < 0)
		return errno == ENXIO ? -EIO : -errno;
	from = (uint64_t)hole / CACHE_BLOCK;
	if (from >= to)
		return 0;
	/* All behind the first hole is asked for again: data there is only fetched once more. */
	for (uint64_t i = from / RESIDENCY_SEGMENT; i <= (to - 1) / RESIDENCY_SEGMENT; i++) {
		err = segment_open(r, i);
		if (err < 0)
			return err;
	}
	for_segments(r, from, to, segment_unmark);
	return 0;
}
