/* SPDX-License-Identifier: MIT */
#include "daemon/engine/sched.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/engine/erofs.h"
#include "daemon/engine/flight.h"
#include "daemon/engine/opening.h"
#include "daemon/util/checked.h"

/* Buffers are given back to the system when nothing has flown for so long. */
#define IDLE_AFTER NSEC_PER_SEC

/* A look brings the first bytes of the object along. A mount waits for all of them, and a new
 * connection brings ten segments in a round trip (RFC 6928): from far away the rest of HEAD_LEN
 * comes behind them. When half of the buffers are in use it is only what shows a superblock. */
#define HEAD_FAR ((size_t)12 << 10)
#define NEAR	 (2 * NSEC_PER_MSEC)

/* What read-ahead may use at most, in quarters; the rest is kept for demands. */
#define AHEAD_QUARTERS 3

/* What prefetches may use at most is one of so many parts, of which others may have taken some. */
#define PREFETCH_PART 2

static void sched_idle(struct loop_timer *timer)
{
	struct sched *s = container_of(timer, struct sched, idle);

	if (s->flights == 0)
		bufpool_trim(s->pool);
}

/* ---- shares of buffers -------------------------------------------------------------------- */

/* What a source holds beyond its share comes in flights of this part of all buffers. */
#define NARROW_PART 128

static void source_turn_second(const struct sched *s, struct source *source)
{
	uint64_t now = loop_now(s->loop) / NSEC_PER_SEC;

	if (now == source->second)
		return;
	source->earned[1] = now == source->second + 1 ? source->earned[0] : 0;
	source->earned[0] = 0;
	source->second = now;
}

void sched_earn(struct sched *s, struct source *source, uint64_t bytes)
{
	source_turn_second(s, source);
	source->earned[0] += bytes;
}

/* The least of late: what comes on top is trouble or work of an origin, and not the way to it. */
void sched_note_distance(struct source *source, uint64_t ns)
{
	if (source->distance == 0 || ns < source->distance)
		source->distance = ns;
	else
		source->distance += (ns - source->distance) / 8;
}

/*
 * Buffers that a slow origin holds are lost to the others for as long as it takes. An eighth of
 * those that are free is enough to begin with, and whoever has filled some lately may hold as many
 * more.
 */
static bool source_has_share(const struct sched *s, struct source *source, uint64_t bytes)
{
	uint64_t left = bufpool_budget(s->pool) - bufpool_used(s->pool);

	source_turn_second(s, source);
	return s->n_sources == 1 ||
	       source->bytes + bytes <= left / 8 + source->earned[0] + source->earned[1];
}

/* One origin may not hold all buffers, however fast it is, while another has something to do. */
static bool source_has_limit(const struct sched *s, const struct source *source, uint64_t bytes)
{
	return s->n_sources == 1 || source->bytes + bytes <= bufpool_budget(s->pool) * 3 / 4;
}

/* A reader is served by a source that holds its share already, but with no more than it needs. */
static void source_narrow(const struct sched *s, struct source *source, struct flight *f)
{
	uint64_t most = max_u64(1, bufpool_budget(s->pool) / NARROW_PART / CACHE_BLOCK);

	if (!source_has_share(s, source, flight_bytes(f)) && f->to - f->from > most)
		flight_cut(f, most);
}

/* ---- admission ---------------------------------------------------------------------------- */

/* No reader waits there, nor finds the requests or the buffers taken when one comes. */
static bool source_admits_prefetch(const struct sched *s, struct source *source,
				   const struct flight *f)
{
	return source->demands == 0 &&
	       source->running < max_u64(1, source->config->max_requests / PREFETCH_PART) &&
	       (source->running == 0 || source_has_share(s, source, flight_bytes(f))) &&
	       bufpool_used(s->pool) + flight_bytes(f) <= bufpool_budget(s->pool) / PREFETCH_PART;
}

static bool source_admits(struct sched *s, struct source *source, struct flight *f)
{
	unsigned int max = source->config->max_requests;

	if (source->running >= max)
		return false;
	if (f->class == FLIGHT_DEMAND)
		source_narrow(s, source, f);
	if (!source_has_limit(s, source, flight_bytes(f)))
		return false;
	if (f->class == FLIGHT_PREFETCH)
		return source_admits_prefetch(s, source, f);
	if (f->class == FLIGHT_DEMAND || source->running == 0)
		return true;
	return source->running + 1 <= max_u64(1, (uint64_t)max * AHEAD_QUARTERS / 4) &&
	       source_has_share(s, source, flight_bytes(f)) &&
	       bufpool_used(s->pool) + flight_bytes(f) <=
		       bufpool_budget(s->pool) * AHEAD_QUARTERS / 4;
}

static size_t look_len(const struct sched *s, const struct source *source)
{
	if (bufpool_used(s->pool) >= bufpool_budget(s->pool) / 2)
		return EROFS_HEAD;
	return source->distance > 0 && source->distance < NEAR ? HEAD_LEN : HEAD_FAR;
}

static bool source_look(struct sched *s, struct source *source)
{
	struct opening *p = TAILQ_FIRST(&source->looks);
	size_t len = look_len(s, source);
	void *head;

	if (!p || source->running >= source->config->max_requests)
		return false;
	head = bufpool_get(s->pool, len);
	if (!head)
		return false;
	sched_dequeue_look(s, p);
	source->running++;
	opening_look(p, head, len);
	return true;
}

/* Starts the first flight of the source that may start; false when none may. */
static bool source_fly(struct sched *s, struct source *source)
{
	for (int class = 0; class < FLIGHT_CLASSES; class ++) {
		struct flight *f = TAILQ_FIRST(&source->queue[class]);
		void *buf;

		if (!f)
			continue;
		if (class == FLIGHT_PREFETCH && s->room && s->room->scarce) {
			f->err = -ENOSPC; /* who asked is told: nobody says here when that is over */
			flight_cancel(f);
			return true;
		}
		if (!source_admits(s, source, f))
			return false;
		buf = bufpool_get(s->pool, flight_bytes(f));
		if (!buf)
			return false;
		sched_dequeue(s, f);
		flight_start(f, buf);
		return true;
	}
	return false;
}

/* Sources take turns, each starting one request, until none can start any more. */
static void sched_run(struct loop_deferred *run)
{
	struct sched *s = container_of(run, struct sched, run);
	size_t refused = 0;

	while (refused < s->n_sources) {
		struct source *source = &s->sources[s->next];

		s->next = (s->next + 1) % s->n_sources;
		refused = source_look(s, source) || source_fly(s, source) ? 0 : refused + 1;
	}
	if (s->flights == 0)
		loop_timer_set(s->loop, &s->idle, loop_now(s->loop) + IDLE_AFTER);
	s->ran(s);
}

/* What the places are that no source has yet: objects are there whose origin nobody knows. */
static const struct engine_source_config nowhere = {
	.name = "none",
	.open_deadline = NSEC_PER_SEC,
	.read_deadline = NSEC_PER_SEC,
	.max_requests = 1,
};

/* Objects may be there already. */
void sched_add_source(struct sched *s, const struct engine_source_config *config)
{
	struct source *source = &s->sources[s->n_sources++];

	source->config = config;
	TAILQ_INIT(&source->looks);
	for (int class = 0; class < FLIGHT_CLASSES; class ++)
		TAILQ_INIT(&source->queue[class]);
}

void sched_replace_source(struct source *source, const struct engine_source_config *config)
{
	source->config = config;
	source->earned[0] = source->earned[1] = 0;
	source->distance = 0;
}

int sched_init(struct sched *s, const struct engine_config *config)
{
	*s = (struct sched){
		.loop = config->loop,
		.room = config->room,
		.run = { .run = sched_run },
		.idle = { .fire = sched_idle },
		.sources = calloc(config->n_sources + config->n_spare + 1, sizeof(struct source)),
	};
	TAILQ_INIT(&s->observers);
	if (config->observer)
		TAILQ_INSERT_TAIL(&s->observers, config->observer, link);
	waiting_init(&s->waiting, config->loop, config->slow_request);
	if (!s->sources)
		return -ENOMEM;
	TAILQ_INIT(&s->parked);
	for (size_t i = 0; i <= config->n_sources + config->n_spare; i++)
		s->sources[i].config = &nowhere;
	for (size_t i = 0; i < config->n_sources; i++)
		sched_add_source(s, &config->sources[i]);
	return bufpool_new(&s->pool, config->buffers);
}

void sched_clear(struct sched *s)
{
	if (!s->loop)
		return;
	loop_defer_cancel(s->loop, &s->run);
	loop_timer_cancel(&s->idle);
	waiting_clear(&s->waiting);
	s->pool = bufpool_free(s->pool);
	free(s->sources);
	s->sources = NULL;
}

void sched_enqueue(struct sched *s, struct flight *f)
{
	TAILQ_INSERT_TAIL(&f->object->source->queue[f->class], f, queue_link);
	sched_kick(s);
}

void sched_dequeue(struct sched *s, struct flight *f)
{
	TAILQ_REMOVE(&f->object->source->queue[f->class], f, queue_link);
}

void sched_promote(struct sched *s, struct flight *f)
{
	sched_dequeue(s, f);
	f->class = FLIGHT_DEMAND;
	sched_enqueue(s, f);
}

void sched_enqueue_look(struct sched *s, struct opening *p)
{
	TAILQ_INSERT_TAIL(&p->source->looks, p, queue_link);
	p->queued = true;
	sched_kick(s);
}

void sched_dequeue_look(struct sched *s, struct opening *p)
{
	TAILQ_REMOVE(&p->source->looks, p, queue_link);
	p->queued = false;
}

void sched_kick(struct sched *s)
{
	loop_defer(s->loop, &s->run);
}
