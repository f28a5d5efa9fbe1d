/* SPDX-License-Identifier: MIT */
#include "daemon/engine/flight.h"

#include <assert.h>
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/engine/flight-internal.h"
#include "daemon/engine/prefetch.h"
#include "daemon/util/checked.h"

/* Stored in pieces of this size while more arrives, unless a reader is served by less. */
#define STORE_UNIT ((uint64_t)256 << 10)

/* While nobody waits for it, an origin that fails is not worth much patience. */
#define AHEAD_PATIENCE (5 * NSEC_PER_SEC)

/* Ranges that overlap are equal: a lookup by one block finds the flight that covers it. */
static int flight_compare(const void *va, const void *vb)
{
	const struct flight *a = va, *b = vb;

	if (a->to <= b->from)
		return -1;
	return a->from >= b->to ? 1 : 0;
}

struct flight *flight_find(const struct object *object, uint64_t block)
{
	struct flight key = { .from = block, .to = block + 1 };
	struct flight **at = tfind(&key, &object->flight_tree, flight_compare);

	return at ? *at : NULL;
}

static void flight_fill(struct flight *f, uint64_t filled)
{
	struct object *o = f->object;

	assert(filled >= f->filled && filled <= f->read.len);
	if (filled > f->filled) {
		object_progress(o);
		if (!f->arrived)
			sched_note_distance(o->source, loop_now(o->sched->loop) - f->begun);
		f->arrived = loop_now(o->sched->loop);
		sched_earn(o->sched, o->source, filled - f->filled);
	}
	f->filled = filled;
}

static void flight_read_progress(struct fetch_read *read, size_t filled)
{
	struct flight *f = container_of(read, struct flight, read);

	flight_fill(f, filled);
	flight_pump(f);
}

static void flight_fetched(const struct flight *f, int err)
{
	struct engine_work work = {
		.off = f->read.off,
		.len = f->read.len,
		.wished = f->wished,
		.begun = f->begun,
		.err = err,
	};

	OBSERVE(f->object->sched, fetched, f->object, &work, err < 0 ? f->filled : f->read.len,
		(enum engine_class)f->class);
}

static void flight_read_done(struct fetch_read *read, int err)
{
	struct flight *f = container_of(read, struct flight, read);
	struct sched *sched = f->object->sched;

	flight_fetched(f, err);
	f->object->source->running--;
	f->state = FLIGHT_DRAINING;
	f->fetched = loop_now(sched->loop);
	if (err < 0 && !f->err)
		f->err = err;
	if (err == 0) {
		flight_fill(f, read->len);
		/* The last block is padded: the kernel asks, and caches, whole blocks. */
		memset(f->buf + read->len, 0, flight_bytes(f) - read->len);
		f->filled = flight_bytes(f);
		sched->stats.fetch_bytes += read->len;
	} else {
		sched->stats.fetch_bytes += f->filled;
	}
	sched_kick(sched);
	flight_pump(f);
}

static enum flight_class class_of(uint64_t until)
{
	return until ? FLIGHT_DEMAND : FLIGHT_AHEAD;
}

static int flight_make(struct flight **ret, struct object *object, enum flight_class class,
		       uint64_t until, uint64_t from, uint64_t to)
{
	struct flight *f = malloc(sizeof(*f));

	if (!f)
		return -ENOMEM;
	assert(from < to && to - from <= FLIGHT_BLOCKS);
	*f = (struct flight){
		.object = object,
		.class = class,
		.from = from,
		.to = to,
		.wished = loop_now(object->sched->loop),
		.wake_at = UINT64_MAX,
		.wanted_until = until,
		.read = { .progress = flight_read_progress, .done = flight_read_done },
	};
	TAILQ_INIT(&f->waiters);
	if (!tsearch(f, &object->flight_tree, flight_compare)) {
		free(f);
		return -ENOMEM;
	}
	TAILQ_INSERT_TAIL(&object->flights, f, object_link);
	residency_claim(&object->residency, from, to);
	object->sched->flights++;
	*ret = f;
	return 0;
}

int flight_new(struct object *object, uint64_t until, uint64_t from, uint64_t to)
{
	struct flight *f;
	int err = flight_make(&f, object, class_of(until), until, from, to);

	if (err < 0)
		return err;
	f->state = FLIGHT_QUEUED;
	sched_enqueue(object->sched, f);
	return 0;
}

int flight_new_prefetch(struct object *object, uint64_t from, uint64_t to,
			struct engine_prefetch *prefetch)
{
	struct flight *f;
	int err = flight_make(&f, object, FLIGHT_PREFETCH, 0, from, to);

	if (err < 0)
		return err;
	f->state = FLIGHT_QUEUED;
	f->prefetch = prefetch;
	prefetch->flight = f;
	sched_enqueue(object->sched, f);
	return 0;
}

int flight_new_filled(struct object *object, uint64_t from, uint64_t to, void *buf)
{
	struct flight *f;
	int err = flight_make(&f, object, FLIGHT_AHEAD, 0, from, to);

	if (err < 0) {
		bufpool_put(object->sched->pool, buf);
		return err;
	}
	f->state = FLIGHT_DRAINING;
	f->begun = f->fetched = f->wished;
	f->buf = buf;
	f->filled = flight_bytes(f);
	object->source->bytes += flight_bytes(f);
	flight_pump(f);
	return 0;
}

bool flight_extend(struct object *object, uint64_t until, uint64_t from, uint64_t to)
{
	struct flight *f = from > 0 ? flight_find(object, from - 1) : NULL;

	if (!f || f->state != FLIGHT_QUEUED || f->class != class_of(until) || f->narrow ||
	    to - f->from > FLIGHT_BLOCKS)
		return false;
	/* In place: the blocks are free, so the order in the tree stays. */
	f->to = to;
	f->wanted_until = max_u64(f->wanted_until, until);
	residency_claim(&object->residency, from, to);
	return true;
}

/* How long the origin may take. A whole image takes as long as it takes, while bytes come. */
static uint64_t flight_deadline(const struct flight *f)
{
	const struct object *o = f->object;
	uint64_t patience = o->source->config->read_deadline;

	if (o->whole)
		return max_u64(f->wanted_until, f->begun + patience);
	return f->wanted_until ? f->wanted_until : f->begun + min_u64(patience, AHEAD_PATIENCE);
}

void flight_start(struct flight *f, void *buf)
{
	struct object *o = f->object;
	struct fetcher *fetcher = o->fetcher;

	f->state = FLIGHT_FETCHING;
	f->begun = loop_now(o->sched->loop);
	f->buf = buf;
	f->read.off = f->from * CACHE_BLOCK;
	f->read.len = min_u64(flight_bytes(f), o->size - f->read.off);
	f->read.buf = buf;
	f->read.deadline = flight_deadline(f);
	o->source->running++;
	o->source->bytes += flight_bytes(f);
	o->sched->stats.fetches++;
	fetcher->ops->read(o->remote, &f->read);
}

/* ---- store and end ----------------------------------------------------------------------- */

static bool flight_is_awaited(const struct flight *f)
{
	return !TAILQ_EMPTY(&f->waiters) || (f->object->whole && !TAILQ_EMPTY(&f->object->demands));
}

static void flight_log(struct flight *f)
{
	char what[96];

	if (f->err == 0 || f->err == -ECANCELED || !flight_fails_somebody(f))
		return;
	/* Whoever makes room says that the disk is full, once for all. */
	if (f->err == -ENOSPC && f->object->sched->room)
		return;
	snprintf(what, sizeof(what), "cannot fill %llu bytes at %llu",
		 (unsigned long long)flight_bytes(f), (unsigned long long)(f->from * CACHE_BLOCK));
	object_log_failure(f->object, what, f->err, f->read.error);
}

static void flight_end(struct flight *f)
{
	struct object *o = f->object;
	uint64_t stored_to = f->from + f->stored / CACHE_BLOCK;
	int err = f->err;

	flight_log(f);
	if (f->prefetch)
		prefetch_ended(f);
	tdelete(f, &o->flight_tree, flight_compare);
	TAILQ_REMOVE(&o->flights, f, object_link);
	residency_unclaim(&o->residency, stored_to, f->to);
	if (f->buf) {
		bufpool_put(o->sched->pool, f->buf);
		o->source->bytes -= flight_bytes(f);
	}
	flight_settle(f);
	free(f);
	o->sched->flights--;
	sched_kick(o->sched);
	object_flight_ended(o, err);
}

static void flight_stored(const struct flight *f, uint64_t stored, int err)
{
	struct engine_work work = {
		.off = f->from * CACHE_BLOCK + f->stored,
		.len = stored,
		.wished = f->write_begun,
		.begun = f->write_begun,
		.err = err,
	};

	OBSERVE(f->object->sched, stored, f->object, &work, (enum engine_class)f->class);
}

static void flight_count(struct flight *f, uint64_t stored)
{
	struct object *o = f->object;

	f->stored += stored;
	o->stored += stored;
	o->sched->stats.stored_bytes += stored;
	if (stored > 0)
		object_progress(o);
}

/* Nothing more of it can be stored. */
static void flight_refuse(struct flight *f, int err)
{
	if (!f->err)
		f->err = err;
	f->full = true;
	snprintf(f->read.error, sizeof(f->read.error), "the cache refuses writes");
	if (f->state == FLIGHT_FETCHING)
		flight_cancel(f);
}

/* Its bytes are kept until there is room for them; false: nobody makes any, or waits for them. */
static bool flight_park(struct flight *f)
{
	struct sched *sched = f->object->sched;

	if (!sched->room || f->err || !f->object->sink || !flight_is_awaited(f) ||
	    !sched->room->wanted(sched->room))
		return false;
	f->parked = true;
	TAILQ_INSERT_TAIL(&sched->parked, f, queue_link);
	return true;
}

void flight_unpark(struct flight *f, bool made)
{
	TAILQ_REMOVE(&f->object->sched->parked, f, queue_link);
	f->parked = false;
	if (!made)
		flight_refuse(f, -ENOSPC);
	flight_pump(f);
}

static void flight_write_done(struct sink_write *write, uint64_t stored, int err)
{
	struct flight *f = container_of(write, struct flight, write);

	flight_stored(f, stored, err);
	f->writing = false;
	flight_count(f, stored);
	if (err < 0 && !(err == -ENOSPC && flight_park(f)))
		flight_refuse(f, err);
	flight_wake(f);
	flight_pump(f);
}

/* Bytes from the front that can be stored: whole blocks, while there is somewhere to store them. */
static uint64_t flight_storable(const struct flight *f)
{
	return f->full ? f->stored : round_down_u64(f->filled, CACHE_BLOCK);
}

static bool flight_store_is_due(const struct flight *f, uint64_t storable)
{
	return storable > f->stored &&
	       (f->state == FLIGHT_DRAINING || storable - f->stored >= STORE_UNIT ||
		storable >= f->wake_at);
}

static void flight_store(struct flight *f, uint64_t storable)
{
	struct object *o = f->object;

	f->writing = true;
	f->write_begun = loop_now(o->sched->loop);
	f->write.done = flight_write_done;
	sink_write(o->sched->loop, o->sink, &o->residency, &f->write, f->buf + f->stored,
		   f->from * CACHE_BLOCK + f->stored, storable - f->stored);
}

void flight_pump(struct flight *f)
{
	uint64_t storable;

	if (f->writing || f->parked)
		return;
	if (!f->object->sink) {
		f->full = true; /* closed meanwhile */
		f->err = f->err ? f->err : -ECANCELED;
	}
	storable = flight_storable(f);
	if (flight_store_is_due(f, storable))
		flight_store(f, storable);
	else if (f->state == FLIGHT_DRAINING)
		flight_end(f);
}

void flight_cancel(struct flight *f)
{
	struct fetcher *fetcher = f->object->fetcher;

	if (!f->err)
		f->err = -ECANCELED;
	if (f->parked) {
		TAILQ_REMOVE(&f->object->sched->parked, f, queue_link);
		f->parked = false;
		f->full = true;
	}
	switch (f->state) {
	case FLIGHT_QUEUED:
		sched_dequeue(f->object->sched, f);
		flight_end(f);
		return;
	case FLIGHT_FETCHING:
		fetcher->ops->cancel_read(f->object->remote, &f->read);
		break;
	case FLIGHT_DRAINING:
		if (!f->writing) { /* it was parked */
			flight_end(f);
			return;
		}
		break;
	}
	if (f->writing)
		sink_write_cancel(&f->write);
}
