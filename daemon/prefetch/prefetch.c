/* SPDX-License-Identifier: MIT */
#include "daemon/prefetch/prefetch.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/prefetch/prefetch-internal.h"

const char *prefetch_state_name(enum prefetch_state state)
{
	static const char *const names[] = {
		[PREFETCH_RUNNING] = "running",	  [PREFETCH_PAUSED] = "paused",
		[PREFETCH_UNOPENED] = "waiting",  [PREFETCH_LOW_DISK] = "low-disk",
		[PREFETCH_RETRYING] = "retrying", [PREFETCH_DONE] = "done",
		[PREFETCH_CANCELED] = "canceled", [PREFETCH_FAILED] = "failed",
		[PREFETCH_USELESS] = "useless",
	};

	return names[state];
}

/* ---- what the engine tells ------------------------------------------------------------------ */

static void prefetch_attached(struct engine_observer *observer, struct object *object)
{
	struct prefetch *p = container_of(observer, struct prefetch, observer);
	struct job *j;

	p->attached++;
	TAILQ_FOREACH(j, &p->jobs, link)
		job_kick(j);
}

static void prefetch_served(struct engine_observer *observer, struct object *object,
			    const struct engine_demand *demand, int err)
{
	struct prefetch *p = container_of(observer, struct prefetch, observer);
	struct job *j;

	if (p->n_running == 0)
		return;
	TAILQ_FOREACH(j, &p->jobs, link)
		job_judge(j, object_volume(object), object_cookie(object), demand->off,
			  demand->len);
}

/* ---- life --------------------------------------------------------------------------------- */

int prefetch_new(struct prefetch **ret, const struct prefetch_config *config)
{
	struct prefetch *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->config = *config;
	p->observer.attached = prefetch_attached;
	p->observer.served = prefetch_served;
	TAILQ_INIT(&p->jobs);
	turn_init(p);
	if (config->dir)
		store_load(p, config->dir);
	engine_observe(config->engine, &p->observer);
	*ret = p;
	return 0;
}

void prefetch_stop(struct prefetch *p)
{
	if (p)
		p->stopped = true;
}

struct prefetch *prefetch_free(struct prefetch *p)
{
	struct job *j;

	if (!p)
		return NULL;
	prefetch_stop(p);
	engine_unobserve(p->config.engine, &p->observer);
	while ((j = TAILQ_FIRST(&p->jobs)))
		job_free(j);
	loop_timer_cancel(&p->timer);
	free(p->dir);
	free(p);
	return NULL;
}

/* ---- jobs --------------------------------------------------------------------------------- */

static struct job *find(const struct prefetch *p, uint64_t number)
{
	struct job *j;

	TAILQ_FOREACH(j, &p->jobs, link)
		if (j->number == number)
			return j;
	return NULL;
}

int prefetch_begin(struct prefetch *p, const struct prefetch_wishes *wishes, uint64_t *ret_number)
{
	struct job *j;
	int err;

	if (p->n_running == PREFETCH_JOBS_MAX)
		return -EUSERS;
	err = job_new(&j, p, 0, wishes);
	if (err == 0)
		*ret_number = j->number;
	return err;
}

static struct job *find_running(const struct prefetch *p, uint64_t number)
{
	struct job *j = find(p, number);

	return j && !prefetch_has_ended(j->state) ? j : NULL;
}

int prefetch_add(struct prefetch *p, uint64_t number, struct bytes volume, struct bytes cookie,
		 uint64_t off, uint64_t len)
{
	struct job *j = find_running(p, number);

	return j ? ranges_add(&j->ranges, volume, cookie, off, len) : -ENOENT;
}

int prefetch_added(struct prefetch *p, uint64_t number, bool more)
{
	struct job *j = find_running(p, number);

	if (!j)
		return -ENOENT;
	j->wishes.more = more;
	j->until = 0;
	store_put(j);
	job_kick(j);
	return 0;
}

size_t prefetch_unopened(const struct prefetch *p, uint64_t number)
{
	const struct job *j = find_running(p, number);
	size_t n = 0;

	for (size_t i = 0; j && i < j->ranges.n_objects; i++) {
		const struct ranges_object *o = &j->ranges.objects[i];

		n += !engine_is_open(p->config.engine, o->volume, o->cookie);
	}
	return n;
}

int prefetch_cancel(struct prefetch *p, uint64_t number)
{
	struct job *j = find(p, number);

	if (!j)
		return -ENOENT;
	if (prefetch_has_ended(j->state))
		return -EALREADY;
	job_end(j, PREFETCH_CANCELED);
	return 0;
}

void prefetch_each(const struct prefetch *p,
		   void (*visit)(void *arg, const struct prefetch_view *view), void *arg)
{
	struct prefetch_view view;
	const struct job *j;

	TAILQ_FOREACH(j, &p->jobs, link) {
		job_look(j, &view);
		visit(arg, &view);
	}
}

int prefetch_look(const struct prefetch *p, uint64_t number, struct prefetch_view *ret)
{
	const struct job *j = find(p, number);

	if (!j)
		return -ENOENT;
	job_look(j, ret);
	return 0;
}

struct prefetch_stats prefetch_stats(const struct prefetch *p)
{
	return p->stats;
}
