/* SPDX-License-Identifier: MIT */
/*
 * What there is now, for people and for metrics. Everything is read where it is; nothing is kept
 * for this but the counts that would be slow to find.
 */
#include "daemon/engine/engine-internal.h"
#include "daemon/engine/flight.h"
#include "daemon/util/checked.h"

void engine_observe(struct engine *e, struct engine_observer *observer)
{
	TAILQ_INSERT_TAIL(&e->sched.observers, observer, link);
}

void engine_unobserve(struct engine *e, struct engine_observer *observer)
{
	TAILQ_REMOVE(&e->sched.observers, observer, link);
}

void engine_gauges(const struct engine *e, struct engine_gauges *ret)
{
	*ret = (struct engine_gauges){
		.opens = e->sched.opens,
		.demands = e->sched.demands,
		.flights = e->sched.flights,
		.buffers_used = bufpool_used(e->sched.pool),
		.buffers_max = bufpool_budget(e->sched.pool),
		.names = names_stats(e->names),
	};
}

/* ---- of one object ------------------------------------------------------------------------ */

uint64_t object_size(const struct object *o)
{
	return o->size;
}

const char *object_name(const struct object *o)
{
	return o->name;
}

struct log_subject object_subject(const struct object *o)
{
	return engine_subject(o->engine, object_volume(o), object_cookie(o),
			      o->source ? o->source->config->name : NULL);
}

uint64_t object_number(const struct object *o)
{
	return o->number;
}

uint64_t object_mark(const struct object *o, enum object_mark which)
{
	return o->marks[which];
}

void object_set_mark(struct object *o, enum object_mark which, uint64_t mark)
{
	o->marks[which] = mark;
}

struct bytes object_volume(const struct object *o)
{
	return bytes_of(o->key, o->volume_len);
}

struct bytes object_cookie(const struct object *o)
{
	return bytes_of(o->key + o->volume_len + 1, o->key_len - o->volume_len - 1);
}

const char *object_locator(const struct object *o)
{
	return o->locator;
}

const char *object_validator(const struct object *o)
{
	return o->validator;
}

uint32_t object_source(const struct object *o)
{
	return (uint32_t)(o->source - o->sched->sources);
}

bool object_is_compressed(const struct object *o)
{
	return o->compressed;
}

bool object_is_complete(const struct object *o)
{
	return residency_is_complete(&o->residency);
}

uint64_t object_stored(const struct object *o)
{
	return o->stored;
}

enum verified object_verified(const struct object *o)
{
	return o->verified;
}

void object_set_verified(struct object *o, enum verified verified)
{
	o->verified = verified;
}

void object_look(const struct object *o, struct object_view *ret)
{
	const struct engine_demand *d;
	const struct flight *f;

	*ret = (struct object_view){
		.opens = o->refs,
		.attached = o->sink != NULL,
		.id = o->sink ? o->sink->id : 0,
		.filling = o->whole,
		.cached = min_u64(residency_count(&o->residency) * CACHE_BLOCK, o->size),
		.last_err = o->last_err,
		.last_error = o->last_error ? o->last_error : "",
		.failed_at = o->failed_at,
	};
	TAILQ_FOREACH(d, &o->demands, link)
		ret->demands++;
	TAILQ_FOREACH(f, &o->flights, object_link)
		ret->flights++;
}

/* ---- of all ------------------------------------------------------------------------------- */

/* The table keeps them in the order of their making. */
void engine_each_object(const struct engine *e, uint64_t after,
			bool (*visit)(void *arg, const struct object *object), void *arg)
{
	for (const struct object *o = e->objects; o; o = o->hh.next)
		if (o->number > after && !visit(arg, o))
			return;
}

const struct object *engine_peek_object(const struct engine *e, struct bytes volume,
					struct bytes cookie)
{
	return engine_open_object(e, volume, cookie);
}

static void flight_look(const struct flight *f, struct flight_view *ret)
{
	static const char *const states[] = {
		[FLIGHT_QUEUED] = "queued",
		[FLIGHT_FETCHING] = "fetching",
		[FLIGHT_DRAINING] = "storing",
	};
	const struct engine_demand *d;

	*ret = (struct flight_view){
		.object = f->object,
		.state = states[f->state],
		.class = (enum engine_class)f->class,
		.off = f->from * CACHE_BLOCK,
		.len = flight_bytes(f),
		.filled = f->filled,
		.stored = f->stored,
		.wished = f->wished,
		.begun = f->begun,
	};
	TAILQ_FOREACH(d, &f->waiters, flight_link)
		ret->waiters++;
}

void engine_each_flight(const struct engine *e,
			bool (*visit)(void *arg, const struct flight_view *flight), void *arg)
{
	struct flight_view view;
	const struct flight *f;

	for (const struct object *o = e->objects; o; o = o->hh.next)
		TAILQ_FOREACH(f, &o->flights, object_link) {
			flight_look(f, &view);
			if (!visit(arg, &view))
				return;
		}
}

static unsigned int flights_in(const struct flight_list *list)
{
	const struct flight *f;
	unsigned int n = 0;

	TAILQ_FOREACH(f, list, queue_link)
		n++;
	return n;
}

void engine_look_at_source(const struct engine *e, uint32_t number, struct source_view *ret)
{
	const struct source *source = &e->sched.sources[number];
	const struct opening *p;

	*ret = (struct source_view){
		.running = source->running,
		.demands = flights_in(&source->queue[FLIGHT_DEMAND]),
		.ahead = flights_in(&source->queue[FLIGHT_AHEAD]),
		.prefetches = flights_in(&source->queue[FLIGHT_PREFETCH]),
		.buffers = source->bytes,
	};
	TAILQ_FOREACH(p, &source->looks, queue_link)
		ret->looks++;
}
