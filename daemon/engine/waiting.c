/* SPDX-License-Identifier: MIT */
#include "daemon/engine/waiting.h"

#include <stdio.h>
#include <string.h>

#include "daemon/engine/engine-internal.h"
#include "daemon/engine/flight.h"
#include "daemon/util/checked.h"
#include "daemon/util/log.h"

/* A request is told of when one part in so many of its patience is over. */
#define WARN_PART 3

/* Lines about requests come no faster than this. */
#define HUSH	      (10 * NSEC_PER_SEC)

#define BEAT	      NSEC_PER_SEC
#define BEAT_LATE_MAX NSEC_PER_SEC

static double seconds(uint64_t ns)
{
	return (double)ns / (double)NSEC_PER_SEC;
}

/* ---- the loop ----------------------------------------------------------------------------- */

static void beat_again(struct waiting *w)
{
	w->beat_due = loop_now(w->loop) + BEAT;
	loop_timer_set(w->loop, &w->beat, w->beat_due);
}

static void waiting_beat(struct loop_timer *timer)
{
	struct waiting *w = container_of(timer, struct waiting, beat);
	uint64_t late = loop_now(w->loop) - w->beat_due;

	if (late > BEAT_LATE_MAX)
		log_warning("the daemon did nothing for %.1f s while requests waited: something "
			    "held it up, such as the disk of the state directory, or stopped it",
			    seconds(late));
	if (!TAILQ_EMPTY(&w->requests))
		beat_again(w);
}

/* ---- lines -------------------------------------------------------------------------------- */

static void warn_again(struct loop_timer *timer)
{
	struct hush *hush = container_of(timer, struct hush, timer);

	if (hush->muted > 0)
		log_warning("%u more requests waited for long in the last %.0f s", hush->muted,
			    seconds(HUSH));
	hush->muted = 0;
}

static void tell_again(struct loop_timer *timer)
{
	struct hush *hush = container_of(timer, struct hush, timer);

	if (hush->muted > 0)
		log_notice("%u more requests took long in the last %.0f s", hush->muted,
			   seconds(HUSH));
	hush->muted = 0;
}

static bool may_speak(struct loop *loop, struct hush *hush)
{
	if (loop_timer_armed(&hush->timer)) {
		hush->muted++;
		return false;
	}
	loop_timer_set(loop, &hush->timer, loop_now(loop) + HUSH);
	return true;
}

/* "erofs,v/blob: a read of 4096 bytes at 0", or an open. */
static void print_request(const struct engine_waiting *w, char *buf, size_t n)
{
	char v[512], c[512];

	bytes_print(w->volume, v, sizeof(v));
	bytes_print(w->cookie, c, sizeof(c));
	if (w->kind == ENGINE_REQUEST_OPEN)
		snprintf(buf, n, "%s/%s: an open", v, c);
	else
		snprintf(buf, n, "%s/%s: a read of %llu bytes at %llu", v, c,
			 (unsigned long long)w->len, (unsigned long long)w->off);
}

static void print_bytes(const struct engine_waiting *w, uint64_t now, char *buf, size_t n)
{
	if (w->progress_at)
		snprintf(buf, n, ", the last bytes came %.1f s ago (%llu of %llu are here)",
			 seconds(now - w->progress_at), (unsigned long long)w->got,
			 (unsigned long long)w->wanted);
	else
		snprintf(buf, n, ", no byte has come");
}

void engine_waiting_print(const struct engine_waiting *w, uint64_t now, char *buf, size_t n)
{
	double since = seconds(now - w->wait_since);
	char bytes[96] = "";

	switch (w->wait) {
	case ENGINE_WAIT_QUEUED:
		snprintf(buf, n,
			 "queued for %.1f s behind %u requests at the origin and %u that wait",
			 since, w->running, w->ahead);
		break;
	case ENGINE_WAIT_BUFFERS:
		snprintf(buf, n, "for %.1f s there are no buffers for it (%u others wait)", since,
			 w->ahead);
		break;
	case ENGINE_WAIT_ORIGIN:
		if (w->kind == ENGINE_REQUEST_READ)
			print_bytes(w, now, bytes, sizeof(bytes));
		snprintf(buf, n, "the origin has been asked %.1f s ago%s", since, bytes);
		break;
	case ENGINE_WAIT_DISK:
		snprintf(buf, n, "its bytes are here, and are being written for %.1f s", since);
		break;
	case ENGINE_WAIT_WHOLE:
		snprintf(buf, n,
			 "it waits until all of a compressed image is here, of which bytes "
			 "came %.1f s ago",
			 seconds(now - max_u64(w->progress_at, w->since)));
		break;
	case ENGINE_WAIT_ANSWER:
		snprintf(buf, n, "its answer is on its way");
		break;
	}
}

/* ---- what a request waits for ------------------------------------------------------------- */

static unsigned int count_before(const struct flight *f)
{
	unsigned int n = 0;

	while ((f = TAILQ_PREV(f, flight_list, queue_link)))
		n++;
	return n;
}

static unsigned int count_looks_before(const struct opening *p)
{
	unsigned int n = 0;

	while ((p = TAILQ_PREV(p, opening_list, queue_link)))
		n++;
	return n;
}

/* Of something in the queue of this source. */
static enum engine_wait queue_wait(const struct source *source)
{
	return source->running < source->config->max_requests ? ENGINE_WAIT_BUFFERS
							      : ENGINE_WAIT_QUEUED;
}

static void describe_flight(const struct flight *f, struct engine_waiting *ret)
{
	ret->got = f->filled;
	ret->wanted = flight_bytes(f);
	ret->progress_at = f->arrived;
	if (f->state == FLIGHT_QUEUED) {
		ret->wait = queue_wait(f->object->source);
		ret->wait_since = max_u64(ret->since, f->wished);
		ret->ahead = count_before(f);
	} else if (flight_is_here(f) && (f->writing || f->fetched)) {
		ret->wait = ENGINE_WAIT_DISK;
		ret->wait_since = f->writing ? f->write_begun : f->fetched;
	} else {
		ret->wait = ENGINE_WAIT_ORIGIN;
		ret->wait_since = f->begun;
	}
}

static void describe_read(const struct engine_demand *d, struct engine_waiting *ret)
{
	const struct object *o = d->object;
	const struct source *source = o->source;

	ret->volume = object_volume(o);
	ret->cookie = object_cookie(o);
	ret->off = d->off;
	ret->len = d->len;
	ret->source = source->config->name;
	ret->running = source->running;
	if (d->flight) {
		describe_flight(d->flight, ret);
	} else if (o->whole) {
		ret->wait = ENGINE_WAIT_WHOLE;
		ret->progress_at = o->progress_at;
		ret->due = max_u64(ret->due, o->progress_at + source->config->read_deadline);
	}
}

static void describe_open(const struct engine_open *open, struct engine_waiting *ret)
{
	const struct opening *p = open->opening;

	ret->volume = open->volume;
	ret->cookie = open->cookie;
	if (!p)
		return;
	ret->source = p->source->config->name;
	ret->running = p->source->running;
	if (p->queued) {
		ret->wait = queue_wait(p->source);
		ret->ahead = count_looks_before(p);
	} else {
		ret->wait = ENGINE_WAIT_ORIGIN;
		ret->wait_since = p->begun;
	}
}

static void describe(const struct engine_request *request, struct engine_waiting *ret)
{
	*ret = (struct engine_waiting){
		.kind = request->kind,
		.since = request->since,
		.due = request->due,
		.wait = ENGINE_WAIT_ANSWER,
		.wait_since = request->since,
	};
	if (request->kind == ENGINE_REQUEST_OPEN)
		describe_open(container_of(request, struct engine_open, request), ret);
	else
		describe_read(container_of(request, struct engine_demand, request), ret);
}

static struct log_subject subject_of(const struct engine_request *request,
				     const struct engine_waiting *description)
{
	const struct engine *e =
		request->kind == ENGINE_REQUEST_OPEN
			? container_of(request, struct engine_open, request)->engine
			: container_of(request, struct engine_demand, request)->object->engine;

	return engine_subject(e, description->volume, description->cookie, description->source);
}

bool engine_oldest(const struct engine *e, struct engine_waiting *ret)
{
	const struct engine_request *request = TAILQ_FIRST(&e->sched.waiting.requests);

	if (request)
		describe(request, ret);
	return request;
}

/* ---- life --------------------------------------------------------------------------------- */

void waiting_init(struct waiting *w, struct loop *loop, uint64_t slow)
{
	*w = (struct waiting){
		.loop = loop,
		.slow = slow,
		.warned = { .timer = { .fire = warn_again } },
		.told = { .timer = { .fire = tell_again } },
		.beat = { .fire = waiting_beat },
	};
	TAILQ_INIT(&w->requests);
}

void waiting_clear(struct waiting *w)
{
	loop_timer_cancel(&w->warned.timer);
	loop_timer_cancel(&w->told.timer);
	loop_timer_cancel(&w->beat);
}

void waiting_begin(struct waiting *w, struct engine_request *request, enum engine_request_kind kind,
		   uint64_t patience)
{
	uint64_t now = loop_now(w->loop);

	*request = (struct engine_request){ .kind = kind, .since = now, .due = now + patience };
	TAILQ_INSERT_TAIL(&w->requests, request, link);
	if (!loop_timer_armed(&w->beat))
		beat_again(w);
}

static void tell_slow(struct waiting *w, const struct engine_request *request, uint64_t took,
		      int err)
{
	uint64_t spent = request->queued + request->origin + request->disk;
	struct engine_waiting description;
	struct log_subject subject;
	char what[1200];

	if (!may_speak(w->loop, &w->told))
		return;
	describe(request, &description);
	print_request(&description, what, sizeof(what));
	subject = subject_of(request, &description);
	log_about(LOG_NOTICE, &subject,
		  "%s (source \"%s\") took %.1f s%s%s: %.1f s in the queue, %.1f s at the origin, "
		  "%.1f s to be written, %.1f s for other reasons",
		  what, description.source ? description.source : "", seconds(took),
		  err < 0 ? " and failed: " : "", err < 0 ? strerror(-err) : "",
		  seconds(request->queued), seconds(request->origin), seconds(request->disk),
		  seconds(waiting_span(spent, took)));
}

void waiting_end(struct waiting *w, struct engine_request *request, int err)
{
	uint64_t took = loop_now(w->loop) - request->since;

	TAILQ_REMOVE(&w->requests, request, link);
	if (w->slow && took >= w->slow)
		tell_slow(w, request, took, err);
}

uint64_t waiting_first_look(const struct engine_request *request)
{
	return request->since + (request->due - request->since) / WARN_PART;
}

bool waiting_look(struct waiting *w, const struct engine_request *request, uint64_t *ret_when)
{
	uint64_t now = loop_now(w->loop);
	struct engine_waiting description;
	struct log_subject subject;
	char what[1200], why[256];

	if (now >= request->due)
		return false;
	*ret_when = request->due;
	if (!may_speak(w->loop, &w->warned))
		return true;
	describe(request, &description);
	print_request(&description, what, sizeof(what));
	engine_waiting_print(&description, now, why, sizeof(why));
	subject = subject_of(request, &description);
	log_about(LOG_WARNING, &subject,
		  "%s (source \"%s\") waits for %.1f s, and fails in %.1f s: %s", what,
		  description.source ? description.source : "", seconds(now - request->since),
		  seconds(request->due - now), why);
	return true;
}
