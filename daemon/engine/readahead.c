/* SPDX-License-Identifier: MIT */
#include "daemon/engine/readahead.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "daemon/util/checked.h"

/* A stream may skip a little: EROFS leaves out what inodes and tails occupy between files. */
#define SLACK ((uint64_t)128 << 10)

/* So many misses in a row far from all others say that neighbours are not wanted. */
#define FAR_MISSES 8

void readahead_init(struct readahead *ra, uint64_t max)
{
	*ra = (struct readahead){ .unit = READAHEAD_UNIT_MAX, .max = max };
}

static bool stream_continues(const struct readahead_stream *s, uint64_t start)
{
	return s->end > 0 && start > s->start && start <= s->end + SLACK;
}

/* The stream that this miss belongs to, or the least recently used one, moved to the front. */
static struct readahead_stream *stream_take(struct readahead *ra, uint64_t start, bool *ret_found)
{
	unsigned int i = 0;
	struct readahead_stream s;

	while (i < READAHEAD_STREAMS && !stream_continues(&ra->streams[i], start))
		i++;
	*ret_found = i < READAHEAD_STREAMS;
	if (i == READAHEAD_STREAMS)
		i--;
	s = ra->streams[i];
	memmove(&ra->streams[1], &ra->streams[0], i * sizeof(s));
	ra->streams[0] = s;
	return &ra->streams[0];
}

/* Falls close before something that was fetched: going backwards, or around in one place. */
static bool is_near(const struct readahead *ra, uint64_t start)
{
	for (unsigned int i = 0; i < READAHEAD_STREAMS; i++) {
		const struct readahead_stream *s = &ra->streams[i];

		if (s->end > 0 && start + SLACK >= s->start && start <= s->end + SLACK)
			return true;
	}
	return false;
}

static struct readahead_plan plan_sequential(struct readahead *ra, struct readahead_stream *s,
					     uint64_t start, uint64_t end)
{
	uint64_t window = s->window ? 2 * s->window : max_u64(s->end - s->start, end - start);

	s->window = min_u64(window, ra->max);
	s->start = start;
	s->end = max_u64(s->end, end + s->window);
	return (struct readahead_plan){ .start = start, .end = s->end };
}

static void unit_adapt(struct readahead *ra, bool near)
{
	if (near) {
		ra->far_misses = 0;
		ra->unit = min_u64(2 * ra->unit, READAHEAD_UNIT_MAX);
	} else if (++ra->far_misses % FAR_MISSES == 0) {
		ra->unit = max_u64(ra->unit / 2, READAHEAD_UNIT_MIN);
	}
}

struct readahead_plan readahead_miss(struct readahead *ra, uint64_t start, uint64_t end)
{
	bool near = is_near(ra, start), found;
	struct readahead_stream *s = stream_take(ra, start, &found);

	assert(start < end);
	unit_adapt(ra, near);
	if (found)
		return plan_sequential(ra, s, start, end);
	*s = (struct readahead_stream){
		.start = round_down_u64(start, ra->unit),
		.end = round_up_u64(end, ra->unit),
	};
	return (struct readahead_plan){ .start = s->start, .end = s->end };
}
