/* SPDX-License-Identifier: MIT */
#include "daemon/engine/object.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/engine/flight.h"
#include "daemon/engine/prefetch.h"
#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/locator.h"
#include "daemon/util/log.h"

/* Flights at a time for a compressed image: the buffers belong to others as well. */
#define WHOLE_FLIGHTS 4

static void object_speak_again(struct loop_timer *timer);
static void object_head_again(struct loop_timer *timer);
static void object_drop_head(struct object *o);
static int object_fetch(struct object *o, uint64_t until, uint64_t from, uint64_t to);

static struct object *object_free(struct object *o)
{
	if (!o)
		return NULL;
	assert(TAILQ_EMPTY(&o->demands) && TAILQ_EMPTY(&o->flights));
	if (o->remote)
		o->fetcher->ops->detach(o->remote);
	object_drop_head(o);
	o->source->objects--;
	o->source->idle_since = loop_now(o->sched->loop);
	loop_timer_cancel(&o->quiet);
	residency_clear(&o->residency);
	free(o->name);
	free(o->locator);
	free(o->validator);
	free(o->last_error);
	free(o);
	return NULL;
}

static void object_freep(struct object **o)
{
	object_free(*o);
}

static char *printable_name(struct bytes volume, struct bytes cookie)
{
	char v[4 * 256 + 1], c[4 * 256 + 1];
	char *name;

	bytes_print(volume, v, sizeof(v));
	bytes_print(cookie, c, sizeof(c));
	return asprintf(&name, "%s/%s", v, c) < 0 ? NULL : name;
}

int object_new(struct object **ret, struct engine *engine, struct sched *sched,
	       struct source *source, uint64_t readahead_max, const struct object_params *p)
{
	size_t key_len = object_key_len(p->volume, p->cookie);
	_cleanup_(object_freep) struct object *o = calloc(1, sizeof(*o) + key_len);
	int err;

	if (!o)
		return -ENOMEM;
	o->engine = engine;
	o->sched = sched;
	o->source = source;
	source->objects++;
	o->size = p->identity->size;
	o->refs = 1;
	o->whole = o->compressed = p->whole;
	o->orphan = p->orphan;
	o->quiet.fire = object_speak_again;
	o->head_timer.fire = object_head_again;
	TAILQ_INIT(&o->demands);
	TAILQ_INIT(&o->flights);
	readahead_init(&o->readahead, readahead_max);
	o->volume_len = p->volume.len;
	o->key_len = key_len;
	object_key(o->key, p->volume, p->cookie);
	o->name = printable_name(p->volume, p->cookie);
	o->locator = strdup(p->locator);
	o->validator = strdup(p->identity->validator);
	o->verified = verified_promised(p->locator, p->identity->validator);
	if (!o->name || !o->locator || !o->validator)
		return -ENOMEM;
	err = residency_init(&o->residency, o->size);
	if (err == 0 && !o->orphan) {
		o->fetcher = p->fetcher ? p->fetcher : source->config->fetcher;
		err = o->fetcher->ops->attach(o->fetcher, &o->remote, o->locator, p->identity);
	}
	if (err < 0)
		return err;
	*ret = steal(&o);
	return 0;
}

void object_reap(struct object *o)
{
	if (o->refs == 0 && !o->failing && TAILQ_EMPTY(&o->flights))
		object_free(o);
}

void object_fail(struct object *o, int err)
{
	struct engine_demand *d;
	struct flight *f, *next;

	while ((d = TAILQ_FIRST(&o->demands)))
		demand_answer(d, err);
	o->failing = true; /* a queued flight ends at once: it must not start or free anything */
	for (f = TAILQ_FIRST(&o->flights); f; f = next) {
		next = TAILQ_NEXT(f, object_link);
		flight_cancel(f);
	}
	o->failing = false;
}

/* ---- failures, said once ------------------------------------------------------------------ */

static void object_speak_again(struct loop_timer *timer)
{
	struct object *o = container_of(timer, struct object, quiet);

	if (o->muted > 0) {
		const struct log_subject subject = object_subject(o);

		log_about(LOG_WARNING, &subject, "%s: %u more failures in the last second", o->name,
			  o->muted);
	}
	o->muted = 0;
}

/* For who asks later; without memory it is only the errno. */
static void object_note_failure(struct object *o, const char *what, int err, const char *detail)
{
	o->last_err = err;
	o->failed_at = loop_now(o->sched->loop);
	free(o->last_error);
	if (asprintf(&o->last_error, "%s%s%s", what, *detail ? ": " : "", detail) < 0)
		o->last_error = NULL;
}

void object_log_failure(struct object *o, const char *what, int err, const char *detail)
{
	struct log_subject subject;
	char origin[512];

	object_note_failure(o, what, err, detail);
	if (loop_timer_armed(&o->quiet)) {
		o->muted++;
		return;
	}
	subject = object_subject(o);
	/* What a fetcher says names the origin already. */
	log_about(LOG_ERR, &subject, "%s: %s (source \"%s\"): %s: %s%s", o->name, what,
		  o->source->config->name,
		  *detail ? detail : locator_print(o->locator, origin, sizeof(origin)),
		  strerror(-err),
		  err == -ESTALE ? "; unmount it, and mount it again with `revalidate = yes` for "
				   "its source to move on to the new version"
				 : "");
	loop_timer_set(o->sched->loop, &o->quiet, loop_now(o->sched->loop) + NSEC_PER_SEC);
}

/* ---- the first bytes ----------------------------------------------------------------------- */

/* Right after copen the kernel still opens the file: lseek(2) says ENOBUFS for up to 38 ms. */
#define HEAD_TRIES 8

static void object_drop_head(struct object *o)
{
	if (o->head) {
		bufpool_put(o->sched->pool, steal(&o->head));
		sched_kick(o->sched); /* a flight may have waited for this room */
	}
	loop_timer_cancel(&o->head_timer);
}

/* false: it has been tried often enough, or there is no memory to try again. */
static bool object_head_later(struct object *o)
{
	uint64_t now = loop_now(o->sched->loop);

	return o->head_tries < HEAD_TRIES &&
	       loop_timer_set(o->sched->loop, &o->head_timer,
			      now + (NSEC_PER_MSEC << o->head_tries++)) == 0;
}

/* What is missing of the first bytes behind those that are here; a failure costs a later round
 * trip. */
static void object_fetch_head(struct object *o, uint64_t from)
{
	uint64_t to = min_u64(o->residency.blocks, HEAD_LEN / CACHE_BLOCK);

	if (from < to && !(o->sched->room && o->sched->room->scarce) &&
	    residency_learn(&o->residency, o->sink->fd, from, to) == 0)
		object_fetch(o, 0, from, to);
}

/* They came with the look at the origin, and need no fetch any more. */
void object_store_head(struct object *o)
{
	uint64_t blocks = o->head_len / CACHE_BLOCK;
	int err;

	if (!o->head || !o->sink)
		return;
	err = residency_learn(&o->residency, o->sink->fd, 0, blocks);
	if (err == -ENOBUFS && object_head_later(o))
		return;
	if (err < 0 || o->whole || residency_next_busy(&o->residency, 0, blocks) < blocks) {
		object_drop_head(o);
	} else {
		loop_timer_cancel(&o->head_timer);
		flight_new_filled(o, 0, blocks, steal(&o->head));
		if (o->head_more)
			object_fetch_head(o, blocks);
	}
}

static void object_head_again(struct loop_timer *timer)
{
	object_store_head(container_of(timer, struct object, head_timer));
}

/* ---- from a miss to flights --------------------------------------------------------------- */

/* Flights for whatever of [from, to) is neither here nor on its way; until: as flight_new(). */
static int object_fetch(struct object *o, uint64_t until, uint64_t from, uint64_t to)
{
	uint64_t b = residency_next_free(&o->residency, from, to);

	while (b < to) {
		uint64_t end =
			residency_next_busy(&o->residency, b, min_u64(to, b + FLIGHT_BLOCKS));
		int err;

		if (!flight_extend(o, until, b, end)) {
			err = flight_new(o, until, b, end);
			if (err < 0)
				return err;
		}
		b = residency_next_free(&o->residency, end, to);
	}
	return 0;
}

/* Bytes that come from its origin while another answer is waited for, at 400 Mbit/s: answers as
 * short as those of whoever goes about with gaps do not tell what rate there is. */
#define REACH_RATE (50 * 1000 * 1000) /* bytes/s */

static uint64_t object_reach(const struct object *o)
{
	return min_u64(o->source->distance, NSEC_PER_SEC) * REACH_RATE / NSEC_PER_SEC;
}

/* Widens [from, to) to what is here or on its way already, where the hole between is no longer; not
 * where that cannot be told. */
static void object_join(struct object *o, uint64_t hole, uint64_t *from, uint64_t *to)
{
	struct residency *r = &o->residency;
	uint64_t low = *from - min_u64(*from, hole);
	uint64_t high = min_u64(*to + hole, r->blocks);
	uint64_t busy = low, joined = *from;

	if (residency_learn(r, o->sink->fd, low, high) < 0)
		return;
	while ((busy = residency_next_busy(r, busy, *from)) < *from)
		joined = busy = residency_next_free(r, busy, *from);
	*from = joined;
	busy = residency_next_busy(r, *to, high);
	if (busy < high)
		*to = busy;
}

/* Blocks [from, to) that a demand and its read-ahead want; only the first part is urgent. */
static int object_plan(struct object *o, const struct engine_demand *d)
{
	struct readahead_plan plan = readahead_miss(&o->readahead, d->pos * CACHE_BLOCK,
						    d->end * CACHE_BLOCK, object_reach(o));
	uint64_t from = plan.start / CACHE_BLOCK, behind = plan.behind / CACHE_BLOCK;
	uint64_t to = min_u64(plan.end / CACHE_BLOCK, o->residency.blocks);
	uint64_t until = d->request.due;
	int err;

	if (plan.join)
		object_join(o, plan.join / CACHE_BLOCK, &behind, &to);
	prefetch_give_way(o, behind, to);
	err = residency_learn(&o->residency, o->sink->fd, behind, to);
	if (err < 0)
		return err;
	/* What is widened, up to one flight, rides along in the same request. */
	uint64_t urgent = min_u64(to, max_u64(d->end, from + FLIGHT_BLOCKS));

	/* What is left of the disk is for those who wait. */
	if (o->sched->room && o->sched->room->scarce)
		return object_fetch(o, until, d->pos, d->end);
	err = object_fetch(o, until, from, urgent);
	/* A failure costs a later round trip. */
	if (err == 0 && object_fetch(o, 0, urgent, to) == 0)
		object_fetch(o, 0, behind, from);
	return err;
}

/* ---- compressed images: all or nothing ----------------------------------------------------- */

static void object_whole_is_complete(struct object *o)
{
	const struct log_subject subject = object_subject(o);
	struct demand_list held;
	struct engine_demand *d;

	log_about(LOG_INFO, &subject, "%s: complete, %llu bytes are cached", o->name,
		  (unsigned long long)o->size);
	o->whole = false;
	TAILQ_INIT(&held);
	TAILQ_CONCAT(&held, &o->demands, link);
	while ((d = TAILQ_FIRST(&held))) {
		TAILQ_REMOVE(&held, d, link);
		TAILQ_INSERT_TAIL(&o->demands, d, link);
		demand_continue(d);
	}
}

/* Keeps some flights going; the first block comes last, alone. */
static int object_whole_pump(struct object *o)
{
	uint64_t blocks = o->residency.blocks;
	uint64_t next = residency_next_free(&o->residency, 1, blocks);
	unsigned int flying = 0;
	struct flight *f;

	TAILQ_FOREACH(f, &o->flights, object_link)
		flying++;
	for (; next < blocks && flying < WHOLE_FLIGHTS; flying++) {
		uint64_t end = residency_next_busy(&o->residency, next,
						   min_u64(blocks, next + FLIGHT_BLOCKS));
		int err = flight_new(o, 0, next, end);

		if (err < 0)
			return err;
		next = residency_next_free(&o->residency, end, blocks);
	}
	if (flying > 0)
		return 0;
	if (residency_next_hole(&o->residency, 0, 1) == 0)
		return flight_new(o, loop_now(o->sched->loop) + o->source->config->read_deadline,
				  0, 1);
	object_whole_is_complete(o);
	return 0;
}

static void object_whole_demand(struct object *o)
{
	int err = residency_learn(&o->residency, o->sink->fd, 0, o->residency.blocks);

	if (err == 0)
		err = object_whole_pump(o);
	if (err < 0)
		object_fail(o, err);
}

void object_progress(struct object *o)
{
	o->progress_at = loop_now(o->sched->loop);
}

void object_flight_ended(struct object *o, int err)
{
	if (!o->whole || o->refs == 0 || o->failing || !o->sink) {
		object_reap(o);
		return;
	}
	if (err == 0)
		err = object_whole_pump(o);
	if (err < 0)
		object_fail(o, err);
}

/* ---- demands ------------------------------------------------------------------------------ */

static void demand_answered(struct loop_deferred *answer)
{
	struct engine_demand *d = container_of(answer, struct engine_demand, answer);

	d->done(d, d->err);
}

void demand_answer(struct engine_demand *d, int err)
{
	struct object *o = d->object;

	assert(!d->answered);
	d->answered = true;
	d->err = err;
	if (d->flight)
		flight_unwait(d);
	TAILQ_REMOVE(&o->demands, d, link);
	waiting_end(&o->sched->waiting, &d->request, err);
	loop_timer_cancel(&d->deadline);
	if (err < 0)
		o->sched->stats.demands_failed++;
	o->sched->demands--;
	if (--o->source->demands == 0)
		sched_kick(o->sched); /* prefetches wait for that */
	OBSERVE(o->sched, served, o, d, err);
	loop_defer(o->sched->loop, &d->answer);
}

static void demand_expired(struct loop_timer *timer)
{
	struct engine_demand *d = container_of(timer, struct engine_demand, deadline);
	struct object *o = d->object;
	uint64_t patience = o->source->config->read_deadline;
	uint64_t next;

	/* Without memory for a timer nobody would look again: it ends now rather than never. */
	if (waiting_look(&o->sched->waiting, &d->request, &next) &&
	    loop_timer_set(o->sched->loop, timer, next) == 0)
		return;
	/* A whole image takes as long as it takes, while bytes come. */
	if (o->whole && o->progress_at + patience > loop_now(o->sched->loop) &&
	    loop_timer_set(o->sched->loop, timer, o->progress_at + patience) == 0)
		return;
	object_log_failure(o, "no answer to a read within its deadline", -ETIMEDOUT,
			   d->flight ? d->flight->read.error : "");
	demand_answer(d, -ETIMEDOUT);
}

/* Its next missing block, and who brings it. */
void demand_continue(struct engine_demand *d)
{
	struct object *o = d->object;
	struct flight *f;
	int err = 0;

	d->pos = residency_next_hole(&o->residency, d->pos, d->end);
	if (d->pos == d->end) {
		demand_answer(d, 0);
		return;
	}
	f = flight_find(o, d->pos);
	if (!f) {
		err = object_fetch(o, d->request.due, d->pos, d->end);
		f = err == 0 ? flight_find(o, d->pos) : NULL;
	}
	if (f)
		flight_wait(f, d);
	else
		demand_answer(d, err < 0 ? err : -EIO);
}

static int demand_start(struct object *o, struct engine_demand *d)
{
	int err;

	if (!o->sink)
		return -EIO;
	object_store_head(o);
	if (o->whole) {
		object_whole_demand(o);
		return 0;
	}
	err = residency_learn(&o->residency, o->sink->fd, d->pos, d->end);
	if (err < 0)
		return err;
	/* The kernel asks because it found a hole. Where we think otherwise, it has just been
	 * filled for another reader, or we are wrong: look again rather than fail this range for
	 * ever. */
	if (residency_next_hole(&o->residency, d->pos, d->end) == d->end)
		err = residency_recheck(&o->residency, o->sink->fd, d->pos, d->end);
	d->pos = residency_next_hole(&o->residency, d->pos, d->end);
	if (err == 0 && d->pos < d->end)
		err = object_plan(o, d);
	if (err == 0)
		demand_continue(d);
	return err;
}

void engine_demand(struct object *o, struct engine_demand *d)
{
	uint64_t bytes = o->residency.blocks * CACHE_BLOCK;
	uint64_t end = 0;
	int err;

	d->object = o;
	d->flight = NULL;
	d->answered = false;
	d->begun = loop_now(o->sched->loop);
	d->deadline = (struct loop_timer){ .fire = demand_expired };
	d->answer = (struct loop_deferred){ .run = demand_answered };
	TAILQ_INSERT_TAIL(&o->demands, d, link);
	waiting_begin(&o->sched->waiting, &d->request, ENGINE_REQUEST_READ,
		      o->source->config->read_deadline);
	o->sched->stats.demands++;
	o->sched->demands++;
	o->source->demands++;
	o->sched->stats.demand_bytes += d->len;

	if (o->orphan) {
		demand_answer(d, -ESTALE);
		return;
	}
	if (!add_u64(d->off, d->len, &end) || d->off >= bytes || d->len == 0) {
		log_debug("%s: a read of %llu bytes at %llu lies outside", o->name,
			  (unsigned long long)d->len, (unsigned long long)d->off);
		demand_answer(d, -EIO);
		return;
	}
	d->pos = d->off / CACHE_BLOCK;
	d->end = round_up_u64(min_u64(end, bytes), CACHE_BLOCK) / CACHE_BLOCK;
	err = loop_timer_set(o->sched->loop, &d->deadline, waiting_first_look(&d->request));
	if (err == 0)
		err = demand_start(o, d);
	if (err < 0 && !d->answered)
		demand_answer(d, err);
}
