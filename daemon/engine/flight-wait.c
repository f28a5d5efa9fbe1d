/* SPDX-License-Identifier: MIT */
/* Demands that wait for a flight: what wakes them, and what becomes of them when it ends. */
#include <assert.h>
#include <stdlib.h>

#include "daemon/engine/flight-internal.h"
#include "daemon/util/checked.h"

static uint64_t waiter_wants(const struct flight *f, const struct engine_demand *d)
{
	return (min_u64(d->end, f->to) - f->from) * CACHE_BLOCK;
}

static void flight_update_wake(struct flight *f)
{
	struct engine_demand *d;

	f->wake_at = UINT64_MAX;
	TAILQ_FOREACH(d, &f->waiters, flight_link)
		f->wake_at = min_u64(f->wake_at, waiter_wants(f, d));
}

void flight_wait(struct flight *f, struct engine_demand *d)
{
	assert(!d->flight && d->pos >= f->from && d->pos < f->to);
	d->flight = f;
	d->request.mark = loop_now(f->object->sched->loop);
	TAILQ_INSERT_TAIL(&f->waiters, d, flight_link);
	f->wake_at = min_u64(f->wake_at, waiter_wants(f, d));
	f->wanted_until = max_u64(f->wanted_until, d->request.due);
	f->read.deadline = max_u64(f->read.deadline, d->request.due);
	if (f->state == FLIGHT_QUEUED && f->class != FLIGHT_DEMAND)
		sched_promote(f->object->sched, f);
	else if (f->state == FLIGHT_FETCHING)
		flight_pump(f);
}

/* It waits for this flight no more: what it waited for until now is added up. */
static void waiter_release(struct flight *f, struct engine_demand *d)
{
	struct engine_request *r = &d->request;
	uint64_t now = loop_now(f->object->sched->loop);
	uint64_t begun = f->begun ? f->begun : now;
	uint64_t here = f->fetched ? f->fetched : now;

	/* What was wanted came before the rest did. */
	if (flight_is_here(f) && f->write_begun)
		here = min_u64(here, f->write_begun);
	r->queued += waiting_span(r->mark, begun);
	r->origin += waiting_span(max_u64(r->mark, begun), here);
	r->disk += waiting_span(max_u64(r->mark, here), now);
	d->flight = NULL;
}

void flight_unwait(struct engine_demand *d)
{
	struct flight *f = d->flight;
	bool modest = waiter_wants(f, d) <= f->wake_at;
	const struct engine_demand *first;

	TAILQ_REMOVE(&f->waiters, d, flight_link);
	waiter_release(f, d);
	first = TAILQ_FIRST(&f->waiters);
	/* Many who want the same give up in turn: the next one tells, without a look at all. */
	if (!first || (modest && waiter_wants(f, first) > f->wake_at))
		flight_update_wake(f);
}

/* A block that somebody waits for is kept. */
static uint64_t flight_cut_at(const struct flight *f, uint64_t blocks)
{
	const struct engine_demand *d;
	uint64_t first_end = TAILQ_EMPTY(&f->waiters) ? 0 : UINT64_MAX;

	TAILQ_FOREACH(d, &f->waiters, flight_link)
		first_end = min_u64(first_end, d->pos + 1);
	return min_u64(f->to, max_u64(f->from + blocks, first_end));
}

void flight_cut(struct flight *f, uint64_t blocks)
{
	uint64_t to = flight_cut_at(f, blocks);
	struct engine_demand *d, *next;
	struct demand_list behind;

	assert(f->state == FLIGHT_QUEUED && blocks > 0);
	residency_unclaim(&f->object->residency, to, f->to);
	f->to = to;
	f->narrow = true;
	TAILQ_INIT(&behind);
	for (d = TAILQ_FIRST(&f->waiters); d; d = next) {
		next = TAILQ_NEXT(d, flight_link);
		if (d->pos < to)
			continue;
		TAILQ_REMOVE(&f->waiters, d, flight_link);
		waiter_release(f, d);
		TAILQ_INSERT_TAIL(&behind, d, flight_link);
	}
	flight_update_wake(f);
	while ((d = TAILQ_FIRST(&behind))) {
		TAILQ_REMOVE(&behind, d, flight_link);
		demand_continue(d);
	}
}

void flight_wake(struct flight *f)
{
	struct engine_demand *d = TAILQ_FIRST(&f->waiters), *next;
	uint64_t stored_to = f->from + f->stored / CACHE_BLOCK;

	for (; d; d = next) {
		next = TAILQ_NEXT(d, flight_link);
		if (min_u64(d->end, f->to) > stored_to)
			continue;
		TAILQ_REMOVE(&f->waiters, d, flight_link);
		waiter_release(f, d);
		demand_continue(d);
	}
	flight_update_wake(f);
}

/*
 * Who came when it was at the origin already joined what may have spent its tries or its patience
 * before, and gets a flight of its own. That begins later than the demand: so what fails again is
 * the answer.
 */
static bool waiter_goes_on(const struct flight *f, const struct engine_demand *d)
{
	return f->err == 0 || (fetch_may_pass(f->err) && f->begun < d->begun);
}

bool flight_fails_somebody(const struct flight *f)
{
	const struct engine_demand *d;

	TAILQ_FOREACH(d, &f->waiters, flight_link)
		if (!waiter_goes_on(f, d))
			return true;
	return f->object->whole && !TAILQ_EMPTY(&f->object->demands);
}

void flight_settle(struct flight *f)
{
	struct demand_list waiters;
	struct engine_demand *d;

	TAILQ_INIT(&waiters);
	TAILQ_CONCAT(&waiters, &f->waiters, flight_link);
	TAILQ_FOREACH(d, &waiters, flight_link)
		waiter_release(f, d);
	while ((d = TAILQ_FIRST(&waiters))) {
		TAILQ_REMOVE(&waiters, d, flight_link);
		if (waiter_goes_on(f, d))
			demand_continue(d);
		else
			demand_answer(d, f->err);
	}
}
