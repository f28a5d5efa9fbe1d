/* SPDX-License-Identifier: MIT */
#include "daemon/engine/prefetch.h"

#include <errno.h>
#include <stdio.h>

#include "daemon/engine/engine-internal.h"
#include "daemon/engine/flight.h"
#include "daemon/util/checked.h"

/* Of all buffers one flight takes so much at most: with the smallest budget others still fit. */
#define BUFFERS_PART 4

static void prefetch_answered(struct loop_deferred *answer)
{
	struct engine_prefetch *p = container_of(answer, struct engine_prefetch, answer);

	p->done(p, p->stored, p->err, p->error);
}

void prefetch_ended(struct flight *f)
{
	struct engine_prefetch *p = f->prefetch;

	p->flight = NULL;
	p->stored = f->stored;
	p->err = f->err;
	snprintf(p->error, sizeof(p->error), "%s", f->read.error);
	loop_defer(p->loop, &p->answer);
}

void prefetch_give_way(struct object *o, uint64_t from, uint64_t to)
{
	/* Prefetches have few in a queue; readers of the object may be thousands. */
	struct flight *f = TAILQ_FIRST(&o->source->queue[FLIGHT_PREFETCH]), *next;

	for (; f; f = next) {
		next = TAILQ_NEXT(f, queue_link);
		if (f->object == o && f->from < to && f->to > from)
			flight_cancel(f);
	}
}

/* 0, or why nothing can be prefetched of it now. */
static int refusal(const struct engine *e, const struct object *o)
{
	if (e->shutdown)
		return -ESHUTDOWN;
	if (!o || !o->sink)
		return -ENOENT;
	if (o->orphan)
		return -ESTALE;
	if (o->whole)
		return -EBUSY;
	if (o->head) /* it is about to be stored: these bytes need no fetch */
		return -ENOBUFS;
	return 0;
}

static uint64_t flight_blocks(const struct object *o, const struct engine_prefetch *p)
{
	uint64_t most = min_u64(bufpool_budget(o->sched->pool) / BUFFERS_PART, BUFPOOL_BLOCK_MAX);

	return max_u64(1, min_u64(most, p->max) / CACHE_BLOCK);
}

/* The first run of blocks that is neither here nor on its way; no more than one segment is looked
 * through, so that this is short whatever is asked. */
static int prefetch_next(struct object *o, struct engine_prefetch *p, uint64_t from, uint64_t to)
{
	struct residency *r = &o->residency;
	uint64_t segment = round_down_u64(from, RESIDENCY_SEGMENT) + RESIDENCY_SEGMENT;
	uint64_t first, end;
	int err;

	to = min_u64(to, segment);
	err = residency_learn(r, o->sink->fd, from, to);
	if (err < 0)
		return err;
	first = residency_next_free(r, from, to);
	end = residency_next_busy(r, first, min_u64(to, first + flight_blocks(o, p)));
	p->busy = residency_next_hole(r, from, first) < first;
	p->off = first * CACHE_BLOCK;
	p->len = (end - first) * CACHE_BLOCK;
	if (first < to) {
		err = flight_new_prefetch(o, first, end, p);
		return err < 0 ? err : 1;
	}
	p->off = from * CACHE_BLOCK;
	p->len = (to - from) * CACHE_BLOCK;
	return 0;
}

int engine_prefetch(struct engine *e, struct bytes volume, struct bytes cookie,
		    struct engine_prefetch *p)
{
	struct object *o = engine_open_object(e, volume, cookie);
	int err = refusal(e, o);
	uint64_t end;

	if (err < 0)
		return err;
	p->loop = e->config->loop;
	p->answer = (struct loop_deferred){ .run = prefetch_answered };
	p->flight = NULL;
	p->size = o->size;
	p->busy = false;
	if (!add_u64(p->off, p->len, &end) || end > o->size)
		end = o->size;
	if (p->off >= end) {
		p->len = 0;
		return 0;
	}
	return prefetch_next(o, p, p->off / CACHE_BLOCK,
			     round_up_u64(end, CACHE_BLOCK) / CACHE_BLOCK);
}

bool engine_prefetch_waits(const struct engine_prefetch *p)
{
	return p->flight && p->flight->state == FLIGHT_QUEUED;
}

void engine_prefetch_drop(struct engine_prefetch *p)
{
	struct flight *f = p->flight;

	if (f) {
		p->flight = NULL;
		f->prefetch = NULL;
		if (TAILQ_EMPTY(&f->waiters))
			flight_cancel(f);
	}
	if (p->loop)
		loop_defer_cancel(p->loop, &p->answer);
}
