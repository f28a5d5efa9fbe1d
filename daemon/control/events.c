/* SPDX-License-Identifier: MIT */
#include "daemon/control/events.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/control/control-internal.h"
#include "daemon/util/checked.h"
#include "daemon/util/json.h"

/* So often each listener gets a line, so that one that has gone is noticed. */
#define ALIVE_EVERY (15 * NSEC_PER_SEC)

struct stream {
	struct events *events;
	uint64_t slow;
	char *queue; /* owned, a ring of EVENTS_QUEUE_MAX bytes */
	size_t head, len;
	uint64_t dropped; /* lines, that were not told of yet */
	bool waiting, ended;
	void (*wake)(void *arg);
	void *arg;
	TAILQ_ENTRY(stream) link;
};

struct events {
	struct engine_observer observer;
	struct loop *loop;
	struct engine *engine;
	const struct metrics *metrics;
	TAILQ_HEAD(, stream) streams;
	unsigned int n_streams;
	struct loop_deferred wake;
	struct loop_timer alive;
};

/* ---- queues ------------------------------------------------------------------------------- */

static bool has_room(const struct stream *s, size_t n)
{
	return s->len + n <= EVENTS_QUEUE_MAX;
}

static void append(struct stream *s, const char *text, size_t n)
{
	size_t at = (s->head + s->len) % EVENTS_QUEUE_MAX;
	size_t first = n < EVENTS_QUEUE_MAX - at ? n : EVENTS_QUEUE_MAX - at;

	memcpy(s->queue + at, text, first);
	memcpy(s->queue, text + first, n - first);
	s->len += n;
}

static void put_line(struct stream *s, const char *line, size_t n)
{
	char dropped[64];
	size_t more = 0;

	if (s->dropped > 0)
		more = (size_t)snprintf(dropped, sizeof(dropped),
					"{\"event\":\"dropped\",\"count\":%llu}\n",
					(unsigned long long)s->dropped);
	if (s->ended || !has_room(s, n + more)) {
		s->dropped++;
		return;
	}
	append(s, dropped, more);
	append(s, line, n);
	s->dropped = 0;
	loop_defer(s->events->loop, &s->events->wake);
}

static void wake_all(struct loop_deferred *wake)
{
	struct events *ev = container_of(wake, struct events, wake);
	struct stream *s;

	TAILQ_FOREACH(s, &ev->streams, link)
		if (s->waiting && (s->len > 0 || s->ended)) {
			s->waiting = false;
			s->wake(s->arg);
		}
}

void stream_on_data(struct stream *s, void (*wake)(void *arg), void *arg)
{
	s->wake = wake;
	s->arg = arg;
}

ssize_t stream_read(struct stream *s, char *buf, size_t max)
{
	size_t n = s->len < max ? s->len : max;
	size_t first = n < EVENTS_QUEUE_MAX - s->head ? n : EVENTS_QUEUE_MAX - s->head;

	if (n == 0) {
		s->waiting = !s->ended;
		return s->ended ? 0 : -EAGAIN;
	}
	memcpy(buf, s->queue + s->head, first);
	memcpy(buf + first, s->queue, n - first);
	s->head = (s->head + n) % EVENTS_QUEUE_MAX;
	s->len -= n;
	return (ssize_t)n;
}

void stream_end(struct stream *s)
{
	s->ended = true;
	loop_defer(s->events->loop, &s->events->wake);
}

/* ---- lines -------------------------------------------------------------------------------- */

/* NULL: out of memory, or nobody listens. */
static json_t *event(const struct events *ev, const char *name)
{
	json_t *object = TAILQ_EMPTY(&ev->streams) ? NULL : json_object();
	struct timespec now;

	if (!object)
		return NULL;
	clock_gettime(CLOCK_REALTIME, &now);
	control_set_text(object, "event", name);
	control_set_time(object, "time",
			 (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec);
	return object;
}

/* To those who want to hear of what took so long; consumed. */
static void tell(struct events *ev, json_t *object, bool always, uint64_t took)
{
	char *line = object ? json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	size_t n = line ? strlen(line) : 0;
	struct stream *s;

	json_decref(object);
	if (line)
		line[n] = '\n'; /* in place of the NUL */
	TAILQ_FOREACH(s, &ev->streams, link) {
		if (!always && took < s->slow)
			continue;
		if (line)
			put_line(s, line, n + 1);
		else
			s->dropped++;
	}
	free(line);
}

static bool nobody_has_room(const struct events *ev)
{
	const struct stream *s;

	TAILQ_FOREACH(s, &ev->streams, link)
		if (has_room(s, 4096))
			return false;
	return true;
}

/* Nobody listens, or has room for a line: it need not be made. */
static bool count_only(struct events *ev)
{
	struct stream *s;

	if (!nobody_has_room(ev))
		return false;
	TAILQ_FOREACH(s, &ev->streams, link)
		s->dropped++;
	return true;
}

static void set_error(json_t *object, int err)
{
	if (err < 0 && object)
		control_set_text(object, "error", strerror(-err));
}

/* ---- the observer ------------------------------------------------------------------------- */

static struct events *events_of(struct engine_observer *observer)
{
	return container_of(observer, struct events, observer);
}

static void set_source(json_t *object, const struct events *ev, uint32_t number)
{
	control_set_text(object, "source", metrics_source_name(ev->metrics, number));
}

static void events_opened(struct engine_observer *observer, struct object *o)
{
	struct events *ev = events_of(observer);
	json_t *object = count_only(ev) ? NULL : event(ev, "opened");

	if (!object)
		return;
	control_set_names(object, o);
	control_set_number(object, "size", object_size(o));
	set_source(object, ev, object_source(o));
	tell(ev, object, true, 0);
}

static void events_closed(struct engine_observer *observer, struct object *o)
{
	struct events *ev = events_of(observer);
	json_t *object = count_only(ev) ? NULL : event(ev, "closed");

	if (!object)
		return;
	control_set_names(object, o);
	tell(ev, object, true, 0);
}

static uint64_t least_slow(const struct events *ev)
{
	const struct stream *s;
	uint64_t least = UINT64_MAX;

	TAILQ_FOREACH(s, &ev->streams, link)
		least = min_u64(least, s->slow);
	return least;
}

static void events_answered(struct engine_observer *observer, const struct engine_open *open,
			    int err)
{
	struct events *ev = events_of(observer);
	uint64_t took = loop_now(ev->loop) - open->begun;
	json_t *object;

	if ((err == 0 && took < least_slow(ev)) || count_only(ev))
		return;
	object = event(ev, err < 0 ? "open-failed" : "open-slow");
	if (!object)
		return;
	json_set_key(object, "volume", open->volume);
	json_set_key(object, "cookie", open->cookie);
	control_set_time(object, "seconds", took);
	set_error(object, err);
	tell(ev, object, err < 0, took);
}

/* Most reads are of no interest, and are many. */
static void events_served(struct engine_observer *observer, struct object *o,
			  const struct engine_demand *demand, int err)
{
	struct events *ev = events_of(observer);
	uint64_t took = loop_now(ev->loop) - demand->begun;
	json_t *object;

	if ((err == 0 && took < least_slow(ev)) || count_only(ev))
		return;
	object = event(ev, err < 0 ? "read-failed" : "read-slow");
	if (!object)
		return;
	control_set_names(object, o);
	control_set_number(object, "offset", demand->off);
	control_set_number(object, "bytes", demand->len);
	control_set_time(object, "seconds", took);
	set_error(object, err);
	tell(ev, object, err < 0, took);
}

static void events_fetched(struct engine_observer *observer, struct object *o,
			   const struct engine_work *work, uint64_t got, enum engine_class class)
{
	struct events *ev = events_of(observer);
	json_t *object;

	if (work->err == 0 || work->err == -ECANCELED || count_only(ev))
		return;
	object = event(ev, "fetch-failed");
	if (!object)
		return;
	control_set_names(object, o);
	set_source(object, ev, object_source(o));
	control_set_number(object, "offset", work->off);
	control_set_number(object, "bytes", work->len);
	control_set_number(object, "received", got);
	control_set_time(object, "seconds", loop_now(ev->loop) - work->begun);
	set_error(object, work->err);
	tell(ev, object, true, 0);
}

static void events_stored(struct engine_observer *observer, struct object *o,
			  const struct engine_work *work, enum engine_class class)
{
	struct events *ev = events_of(observer);
	json_t *object;

	if (work->err == 0 || work->err == -ECANCELED || count_only(ev))
		return;
	object = event(ev, "store-failed");
	if (!object)
		return;
	control_set_names(object, o);
	set_error(object, work->err);
	tell(ev, object, true, 0);
}

/* ---- life --------------------------------------------------------------------------------- */

static void say_alive(struct loop_timer *timer)
{
	struct events *ev = container_of(timer, struct events, alive);

	tell(ev, event(ev, "alive"), true, 0);
	if (!TAILQ_EMPTY(&ev->streams))
		loop_timer_set(ev->loop, timer, loop_now(ev->loop) + ALIVE_EVERY);
}

int events_new(struct events **ret, struct loop *loop, struct engine *engine,
	       const struct metrics *metrics)
{
	struct events *ev = calloc(1, sizeof(*ev));

	if (!ev)
		return -ENOMEM;
	ev->loop = loop;
	ev->engine = engine;
	ev->metrics = metrics;
	ev->wake.run = wake_all;
	ev->alive.fire = say_alive;
	TAILQ_INIT(&ev->streams);
	ev->observer = (struct engine_observer){
		.opened = events_opened,
		.closed = events_closed,
		.answered = events_answered,
		.served = events_served,
		.fetched = events_fetched,
		.stored = events_stored,
	};
	engine_observe(engine, &ev->observer);
	*ret = ev;
	return 0;
}

struct events *events_free(struct events *ev)
{
	if (!ev)
		return NULL;
	engine_unobserve(ev->engine, &ev->observer);
	loop_defer_cancel(ev->loop, &ev->wake);
	loop_timer_cancel(&ev->alive);
	free(ev);
	return NULL;
}

int stream_new(struct stream **ret, struct events *ev, uint64_t slow)
{
	static const char hello[] = "{\"event\":\"listening\"}\n";
	struct stream *s;

	if (ev->n_streams == EVENTS_STREAMS_MAX)
		return -EUSERS;
	s = calloc(1, sizeof(*s));
	if (s)
		s->queue = malloc(EVENTS_QUEUE_MAX);
	if (!s || !s->queue ||
	    loop_timer_set(ev->loop, &ev->alive, loop_now(ev->loop) + ALIVE_EVERY) < 0) {
		if (s)
			free(s->queue);
		free(s);
		return -ENOMEM;
	}
	s->events = ev;
	s->slow = slow;
	TAILQ_INSERT_TAIL(&ev->streams, s, link);
	ev->n_streams++;
	put_line(s, hello, sizeof(hello) - 1);
	*ret = s;
	return 0;
}

struct stream *stream_free(struct stream *s)
{
	if (!s)
		return NULL;
	TAILQ_REMOVE(&s->events->streams, s, link);
	if (--s->events->n_streams == 0)
		loop_timer_cancel(&s->events->alive);
	free(s->queue);
	free(s);
	return NULL;
}

void control_get_events(struct control *c, const struct control_request *r,
			struct control_answer *a)
{
	uint64_t slow_ms = 1000;
	int err;

	if (!control_number(r, a, "slow-ms", 0, 3600000, &slow_ms))
		return;
	err = stream_new(&a->stream, c->events, slow_ms * NSEC_PER_MSEC);
	a->type = "application/x-ndjson";
	if (err == -EUSERS)
		control_fail(a, 503, "End one of the others.",
			     "%d clients follow the events already, and that is as many as may",
			     EVENTS_STREAMS_MAX);
	else if (err < 0)
		control_fail(a, 503, "Ask again.", "out of memory");
}
