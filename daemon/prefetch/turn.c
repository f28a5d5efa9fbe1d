/* SPDX-License-Identifier: MIT */
/*
 * The limits of all jobs together. Who may not begin a fetch now waits in a queue, and is called
 * when one may: so jobs take turns, one fetch each.
 */
#include "daemon/prefetch/prefetch-internal.h"

static bool is_busy(const struct prefetch *p)
{
	return p->config.requests > 0 && p->running >= p->config.requests;
}

static bool is_early(const struct prefetch *p)
{
	return p->due > loop_now(p->config.loop);
}

/* Rather too early than never. */
static void wait_until_due(struct prefetch *p)
{
	if (loop_timer_set(p->config.loop, &p->timer, p->due) < 0)
		p->due = 0;
}

/* The first in the queue is called, if there is anybody and it may begin something. */
static void call(struct prefetch *p)
{
	if (p->stopped || p->called || TAILQ_EMPTY(&p->queue) || is_busy(p))
		return;
	if (is_early(p))
		wait_until_due(p);
	if (is_early(p))
		return;
	p->called = TAILQ_FIRST(&p->queue);
	TAILQ_REMOVE(&p->queue, p->called, turn);
	p->called->queued = false;
	job_kick(p->called);
}

static void turn_due(struct loop_timer *timer)
{
	call(container_of(timer, struct prefetch, timer));
}

void turn_init(struct prefetch *p)
{
	TAILQ_INIT(&p->queue);
	p->timer.fire = turn_due;
}

bool turn_take(struct job *j)
{
	struct prefetch *p = j->prefetch;
	bool first = p->called == j || (!p->called && TAILQ_EMPTY(&p->queue));

	if (first && !is_busy(p) && !is_early(p))
		return true;
	if (!j->queued)
		TAILQ_INSERT_TAIL(&p->queue, j, turn);
	j->queued = true;
	return false;
}

void turn_begun(struct job *j, uint64_t bytes)
{
	struct prefetch *p = j->prefetch;

	p->running++;
	if (p->called == j)
		p->called = NULL;
	if (p->config.rate > 0)
		p->due = job_now(j) + rate_time(p->config.rate, bytes);
}

void turn_ended(struct prefetch *p, unsigned int fetches)
{
	p->running -= fetches;
	call(p);
}

void turn_pass(struct job *j)
{
	struct prefetch *p = j->prefetch;

	if (p->called == j)
		p->called = NULL;
	call(p);
}

void turn_leave(struct job *j)
{
	struct prefetch *p = j->prefetch;

	if (j->queued)
		TAILQ_REMOVE(&p->queue, j, turn);
	j->queued = false;
	turn_pass(j);
}
