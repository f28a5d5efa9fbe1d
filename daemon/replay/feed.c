/* SPDX-License-Identifier: MIT */
#include "daemon/replay/feed.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/replay/feed-internal.h"
#include "daemon/util/checked.h"
#include "proto/cachefiles-abi.h"

/* Records that are read in one turn: signals and timers are served in between. */
#define RECORDS_MAX 4096

void feed_end(struct feed *f, const char *why)
{
	if (f->ended)
		return;
	f->ended = true;
	f->stopped = true;
	loop_timer_cancel(&f->timer);
	loop_defer_cancel(f->config.loop, &f->again);
	f->config.events.ended(f->config.arg, why);
}

void feed_fail_at(struct feed *f, uint64_t at, const char *what)
{
	char why[CATALOG_ERROR_MAX];

	snprintf(why, sizeof(why), "%.200s: offset %" PRIu64 ": %s", f->config.trace, at, what);
	feed_end(f, why);
}

/* Finer than the loop's: many requests may begin and end in one of its turns. */
static uint64_t now(const struct feed *f)
{
	struct timespec ts;

	if (f->config.virtual_time)
		return loop_now(f->config.loop);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* ---- to the device ----------------------------------------------------------------------- */

/* false: it has to wait. */
static bool is_time(struct feed *f, const struct feed_request *m)
{
	uint64_t since, when;

	if (!f->started) {
		f->started = true;
		f->start = loop_now(f->config.loop);
		f->first = m->time;
	}
	since = m->time > f->first ? m->time - f->first : 0;
	f->stats.recorded_time = max_u64(f->stats.recorded_time, since);
	if (f->config.speed <= 0)
		return true;
	when = (double)since / f->config.speed >= 0x1p62
		       ? (uint64_t)1 << 62
		       : f->start + (uint64_t)((double)since / f->config.speed);
	if (when <= loop_now(f->config.loop))
		return true;
	if (loop_timer_set(f->config.loop, &f->timer, when) < 0)
		feed_end(f, "out of memory");
	return false;
}

static const char *refusal(int err)
{
	switch (err) {
	case -EMFILE:
		return "more objects open at the same time than descriptors allow (RLIMIT_NOFILE)";
	case -EFBIG:
		return "an object that is larger than the file system of the cache files takes";
	case -ENAMETOOLONG:
		return "keys that fit into no message";
	default:
		return strerror(-err);
	}
}

static bool send_open(struct feed *f, struct feed_request *m)
{
	struct feed_handle *h = feed_handle_find(f, m->id);
	int err;

	/* While it is open, an object stays what it is, whatever a trace says. */
	m->version = *catalog_version(m->object, m->object->opens);
	m->recorded_ok = m->version.error == 0;
	if (m->object->handles == 0)
		m->object->current = m->version;
	m->version = m->object->current;
	if (m->version.error == 0)
		m->object->good = m->version;
	err = port_replay_open(f->port, &m->port, m->object, &m->object->good);
	if (err < 0) {
		feed_fail_at(f, m->at, refusal(err));
		return false;
	}
	m->object->opens++;
	h->handle = m->port.handle;
	return true;
}

/* Nobody can read what is not open: the reader has failed before. */
static void send_read(struct feed *f, struct feed_request *m)
{
	struct port_handle *handle = m->port.handle;
	uint64_t size = handle->file->size;

	/* A number in a trace is not to fill the disk. */
	if (m->port.off < size && min_u64(m->port.len, size - m->port.off) > FEED_READ_MAX) {
		port_replay_drop(f->port, handle);
		feed_fail_at(f, m->at, "a READ of more bytes than are replayed at once");
		feed_request_free(f, m);
		return;
	}
	if (handle->opened && !handle->closing) {
		port_replay_read(f->port, &m->port, handle);
	} else {
		m->undelivered = true;
		feed_request_over(f, m);
	}
	port_replay_drop(f->port, handle);
}

static void send_close(struct feed *f, struct feed_request *m)
{
	if (!port_replay_close(f->port, &m->port, m->port.handle))
		feed_request_free(f, m);
}

static bool send(struct feed *f, struct feed_request *m)
{
	TAILQ_REMOVE(&f->ready, m, link);
	if (m->port.opcode == CACHEFILES_OP_OPEN) {
		if (!send_open(f, m)) {
			feed_request_free(f, m);
			return false;
		}
		/* What is older than the trace has been answered before all of it. */
		if (m->extra)
			feed_request_owe(f, m);
	} else if (m->port.opcode == CACHEFILES_OP_READ) {
		send_read(f, m);
	} else {
		send_close(f, m);
	}
	return true;
}

/* The first of those that are read may go now. */
static bool may_go(struct feed *f, const struct feed_request *m)
{
	if (f->owed > 0 || !f->config.events.may_go(f->config.arg) || !is_time(f, m))
		return false;
	return m->port.opcode != CACHEFILES_OP_OPEN || m->object->closing == 0;
}

static void end_if_done(struct feed *f)
{
	if (f->read_all && TAILQ_EMPTY(&f->ready) && !port_replay_queued(f->port) &&
	    f->stats.outstanding == 0)
		feed_end(f, NULL);
}

/* Until the device has something to give, or all has to wait. */
static void advance(struct feed *f)
{
	for (unsigned int i = 0; !f->stopped && !port_replay_queued(f->port); i++) {
		struct feed_request *m = TAILQ_FIRST(&f->ready);

		if (i == RECORDS_MAX) {
			loop_defer(f->config.loop, &f->again);
			return;
		}
		if (m && (!may_go(f, m) || !send(f, m)))
			break;
		if (!m && (f->read_all || !feed_read_record(f)))
			break;
	}
	if (!f->stopped)
		end_if_done(f);
}

static void fire(struct loop_timer *timer)
{
	advance(container_of(timer, struct feed, timer));
}

static void run_again(struct loop_deferred *again)
{
	advance(container_of(again, struct feed, again));
}

/* ---- from the device --------------------------------------------------------------------- */

static struct feed_request *request_of(struct port_request *port)
{
	return container_of(port, struct feed_request, port);
}

static void port_delivered(void *arg, struct port_request *port)
{
	struct feed *f = arg;
	struct feed_request *m = request_of(port);

	m->delivered = now(f);
	if (port->opcode == CACHEFILES_OP_CLOSE) {
		f->stats.closes++;
		return;
	}
	f->stats.outstanding++;
	f->config.events.delivered(f->config.arg, m);
	if (port->opcode == CACHEFILES_OP_OPEN) {
		f->stats.opens++;
		return;
	}
	f->stats.reads++;
	m->present = cachefile_present(port->handle->file, port->off, port->len);
}

static void port_answered(void *arg, struct port_request *port)
{
	struct feed *f = arg;
	struct feed_request *m = request_of(port);

	if (port->opcode == CACHEFILES_OP_CLOSE) {
		feed_request_free(f, m);
		return;
	}
	if (m->delivered > 0)
		f->stats.outstanding--;
	m->took = now(f) - m->delivered;
	f->config.events.answered(f->config.arg, m);
	feed_request_over(f, m);
	feed_kick(f);
}

static void port_released(void *arg, struct catalog_object *object)
{
	feed_kick(arg);
}

static void port_idle(void *arg)
{
	advance(arg);
}

static void port_breach(void *arg, const struct catalog_object *object, const char *what)
{
	struct feed *f = arg;

	f->config.events.breach(f->config.arg, object, what);
}

const struct port_replay_events feed_port_events = {
	.delivered = port_delivered,
	.answered = port_answered,
	.released = port_released,
	.idle = port_idle,
	.breach = port_breach,
};

/* ---- life -------------------------------------------------------------------------------- */

int feed_new(struct feed **ret, const struct feed_config *config, char *error)
{
	struct feed *f = calloc(1, sizeof(*f));
	int r = f ? trace_requests_new(&f->requests, &feed_trace_callbacks, f) : -ENOMEM;

	if (r < 0)
		snprintf(error, CATALOG_ERROR_MAX, "out of memory");
	else
		r = trace_reader_new(&f->reader, config->trace, error);
	if (r < 0) {
		if (f)
			trace_requests_free(f->requests);
		free(f);
		return r;
	}
	f->config = *config;
	f->timer.fire = fire;
	f->again.run = run_again;
	TAILQ_INIT(&f->ready);
	*ret = f;
	return 0;
}

void feed_start(struct feed *f, struct port_replay *port)
{
	f->port = port;
	loop_defer(f->config.loop, &f->again);
}

void feed_stop(struct feed *f)
{
	f->stopped = true;
	loop_timer_cancel(&f->timer);
	loop_defer_cancel(f->config.loop, &f->again);
}

void feed_kick(struct feed *f)
{
	if (!f->stopped)
		loop_defer(f->config.loop, &f->again);
}

/* The join ends what the trace did not get to, and with it our requests. */
void feed_finish(struct feed *f)
{
	struct feed_handle *h, *next;
	struct feed_request *m;

	feed_stop(f);
	while ((m = TAILQ_FIRST(&f->ready))) {
		TAILQ_REMOVE(&f->ready, m, link);
		if (m->port.opcode == CACHEFILES_OP_CLOSE)
			port_replay_close(f->port, &m->port, m->port.handle);
		else if (m->port.opcode == CACHEFILES_OP_READ)
			port_replay_drop(f->port, m->port.handle);
		feed_request_free(f, m);
	}
	HASH_ITER(hh, f->handles, h, next) {
		if (h->handle)
			port_replay_close(f->port, NULL, h->handle);
		feed_handle_free(f, h);
	}
	if (!f->read_all)
		trace_requests_finish(f->requests);
	f->read_all = true;
}

struct feed *feed_free(struct feed *f)
{
	if (!f)
		return NULL;
	assert(f->alive == 0 && !f->handles);
	trace_requests_free(f->requests);
	trace_reader_free(f->reader);
	free(f);
	return NULL;
}

struct feed_stats feed_stats(const struct feed *f)
{
	return f->stats;
}
