/* SPDX-License-Identifier: MIT */
#include "daemon/engine/readahead.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "daemon/engine/bufpool.h"
#include "daemon/util/checked.h"

/* A stream may skip a little: EROFS leaves out what inodes and tails occupy between files. */
#define SLACK ((uint64_t)128 << 10)

/* One gap may be chance, the second is a habit. */
#define GAPS_MIN 2

/* So many misses within reach of others in a row are no chance; more than so many say no more. */
#define RETURNS_MIN 2
#define RETURNS_MAX 8

/* What is longer is asked for in parts of this size. */
#define PART ((uint64_t)BUFPOOL_BLOCK_MAX)

/* For who does not read at random, a hole of so many units that comes in half of the time of an
 * answer is cheaper than the miss that it would be. */
#define JOIN_UNITS 4

/* So many misses in a row far from all others say that neighbours are not wanted. */
#define FAR_MISSES 8

void readahead_init(struct readahead *ra, uint64_t max)
{
	*ra = (struct readahead){ .unit = READAHEAD_UNIT_MAX, .max = max };
}

/* READAHEAD_STREAMS: none goes on there after so large a gap. */
static unsigned int stream_find(const struct readahead *ra, uint64_t start, uint64_t gap)
{
	unsigned int i = 0;

	for (; i < READAHEAD_STREAMS; i++) {
		const struct readahead_stream *s = &ra->streams[i];

		if (s->end > 0 && start > s->start && start <= s->end + gap)
			break;
	}
	return i;
}

static struct readahead_stream *stream_to_front(struct readahead *ra, unsigned int i)
{
	struct readahead_stream s = ra->streams[i];

	memmove(&ra->streams[1], &ra->streams[0], i * sizeof(s));
	ra->streams[0] = s;
	return &ra->streams[0];
}

/* The stream that this miss goes on with; NULL: none. One that has no gaps comes first: another one
 * close behind must not take what is its next. */
static struct readahead_stream *stream_take(struct readahead *ra, uint64_t start, uint64_t reach)
{
	unsigned int i = stream_find(ra, start, SLACK);

	if (i == READAHEAD_STREAMS && reach > SLACK)
		i = stream_find(ra, start, reach);
	return i < READAHEAD_STREAMS ? stream_to_front(ra, i) : NULL;
}

/* Falls so close to something that was fetched: going on, backwards, or around in one place. */
static bool is_near(const struct readahead *ra, uint64_t start, uint64_t distance)
{
	for (unsigned int i = 0; i < READAHEAD_STREAMS; i++) {
		const struct readahead_stream *s = &ra->streams[i];

		if (s->end > 0 && start + distance >= s->start && start <= s->end + distance)
			return true;
	}
	return false;
}

/* Bytes on either side of a miss that go with it: who came back to where he was twice in a row goes
 * about there. More than a quarter of the reach spares few round trips for many bytes. */
static uint64_t neighbourhood(const struct readahead *ra, uint64_t reach)
{
	return ra->returns < RETURNS_MIN ? 0 : round_down_u64(reach / 4, READAHEAD_UNIT_MIN);
}

/* A miss of its own, in the place of the least recently used stream. */
static struct readahead_plan plan_unit(struct readahead *ra, uint64_t start, uint64_t end,
				       uint64_t reach, unsigned int gaps)
{
	struct readahead_stream *s = stream_to_front(ra, READAHEAD_STREAMS - 1);
	struct readahead_plan plan = {
		.start = round_down_u64(start, ra->unit),
		.end = round_up_u64(end, ra->unit),
	};
	uint64_t around = neighbourhood(ra, reach);

	plan.behind = plan.start - min_u64(plan.start, around);
	plan.end += around;
	*s = (struct readahead_stream){ .start = plan.behind, .end = plan.end, .gaps = gaps };
	return plan;
}

/* A few bytes more than whole parts would be a request of their own. */
static uint64_t whole_parts(uint64_t len)
{
	return len > PART ? round_down_u64(len, PART) : len;
}

static struct readahead_plan plan_sequential(struct readahead_stream *s, uint64_t start,
					     uint64_t end, uint64_t max)
{
	uint64_t window = s->window ? 2 * s->window : max_u64(s->end - s->start, end - start);

	s->window = round_down_u64(min_u64(window, max), READAHEAD_UNIT_MIN);
	s->start = start;
	end = max_u64(end, start + whole_parts(end - start + s->window));
	s->end = max_u64(s->end, end);
	return (struct readahead_plan){ .behind = start, .start = start, .end = s->end };
}

/* What lies in the gap is likely to be wanted later, and costs no round trip now. Before it is a
 * habit the stream is left as it was: it may be somebody else's. Gaps that are short beside what
 * was gone through are those of a stream that goes through all. */
static struct readahead_plan plan_gap(struct readahead *ra, struct readahead_stream *s,
				      uint64_t start, uint64_t end, uint64_t reach)
{
	uint64_t behind = s->end;
	uint64_t max = start - behind <= s->window / 2 ? ra->max : reach;
	struct readahead_plan plan;

	if (s->gaps + 1 < GAPS_MIN)
		return plan_unit(ra, start, end, reach, s->gaps + 1);
	plan = plan_sequential(s, start, end, max);
	plan.behind = behind;
	return plan;
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

static void returns_count(struct readahead *ra, bool returned)
{
	if (!returned)
		ra->returns /= 2;
	else if (ra->returns < RETURNS_MAX)
		ra->returns++;
}

static struct readahead_plan plan_miss(struct readahead *ra, uint64_t start, uint64_t end,
				       uint64_t reach)
{
	bool near = is_near(ra, start, SLACK);
	struct readahead_stream *s;

	returns_count(ra, reach > SLACK && is_near(ra, start, reach));
	s = stream_take(ra, start, reach);
	unit_adapt(ra, near);
	if (!s)
		return plan_unit(ra, start, end, reach, 0);
	if (start > s->end + SLACK)
		return plan_gap(ra, s, start, end, reach);
	return plan_sequential(s, start, end, ra->max);
}

struct readahead_plan readahead_miss(struct readahead *ra, uint64_t start, uint64_t end,
				     uint64_t reach)
{
	struct readahead_plan plan;

	assert(start < end);
	reach = min_u64(reach, min_u64(READAHEAD_REACH_MAX, ra->max));
	plan = plan_miss(ra, start, end, reach);
	if (reach > SLACK && ra->returns > 0)
		plan.join = min_u64(JOIN_UNITS * ra->unit, reach / 2);
	return plan;
}
