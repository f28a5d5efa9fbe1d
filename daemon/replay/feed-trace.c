/* SPDX-License-Identifier: MIT */
/*
 * From the records of a trace to requests that wait for their turn.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/replay/feed-internal.h"
#include "proto/cachefiles-abi.h"

/* ---- requests ---------------------------------------------------------------------------- */

static struct feed_request *request_new(struct feed *f, uint32_t opcode,
					struct catalog_object *object, uint64_t time)
{
	struct feed_request *m = NULL;

	if (f->err == 0 && f->alive >= FEED_OUTSTANDING_MAX)
		f->err = -E2BIG;
	if (f->err == 0)
		m = calloc(1, sizeof(*m));
	if (!m && f->err == 0)
		f->err = -ENOMEM;
	if (!m)
		return NULL;
	f->alive++;
	m->port.opcode = opcode;
	m->object = object;
	m->time = time;
	m->at = trace_reader_offset(f->reader);
	TAILQ_INSERT_TAIL(&f->ready, m, link);
	return m;
}

void feed_request_free(struct feed *f, struct feed_request *m)
{
	if (m->request)
		m->request->data = NULL;
	f->alive--;
	free(m);
}

/* ---- from the records to requests -------------------------------------------------------- */

struct feed_handle *feed_handle_find(const struct feed *f, uint32_t id)
{
	struct feed_handle *h;

	HASH_FIND(hh, f->handles, &id, sizeof(id), h);
	return h;
}

void feed_handle_free(struct feed *f, struct feed_handle *h)
{
	HASH_DEL(f->handles, h);
	free(h);
}

/* The object id has lost its meaning in the trace. */
static struct feed_request *handle_close(struct feed *f, uint32_t id, uint64_t time)
{
	struct feed_handle *h = feed_handle_find(f, id);
	struct feed_request *m;

	if (!h)
		return NULL;
	m = h->handle ? request_new(f, CACHEFILES_OP_CLOSE, h->handle->object, time) : NULL;
	if (m)
		m->port.handle = h->handle;
	feed_handle_free(f, h);
	return m;
}

/*
 * Both ends have come: in the trace and here. What was opened although it should not have been is
 * closed, as the kernel does with an object that nobody wants any more.
 */
static void request_judge(struct feed *f, struct feed_request *m)
{
	struct feed_handle *h =
		m->port.opcode == CACHEFILES_OP_OPEN ? feed_handle_find(f, m->id) : NULL;
	struct feed_request *close;

	f->config.events.judged(f->config.arg, m);
	if (h && h->handle == m->port.handle && m->version.error < 0) {
		close = handle_close(f, m->id, m->time);
		if (close) { /* before anything that has been read already */
			TAILQ_REMOVE(&f->ready, close, link);
			TAILQ_INSERT_HEAD(&f->ready, close, link);
		}
	}
	feed_request_free(f, m);
}

/* It has been answered in the trace, and must be here before anything else begins. */
void feed_request_owe(struct feed *f, struct feed_request *m)
{
	m->owed = true;
	f->owed++;
}

void feed_request_over(struct feed *f, struct feed_request *m)
{
	m->over = true;
	if (m->owed)
		f->owed--;
	m->owed = false;
	if (m->recorded_over)
		request_judge(f, m);
}

static struct feed_request *open_new(struct feed *f, uint32_t id, uint32_t index, uint64_t time)
{
	struct catalog_object *object = f->config.catalog->objects[index];
	struct feed_request *m;
	struct feed_handle *h;

	handle_close(f, id, time); /* an id that is open cannot come again: its end was lost */
	h = calloc(1, sizeof(*h));
	if (h) {
		h->id = id;
		HASH_ADD(hh, f->handles, id, sizeof(h->id), h);
	}
	if (!h || !table_has(h)) {
		free(h);
		f->err = f->err ? f->err : -ENOMEM;
		return NULL;
	}
	m = request_new(f, CACHEFILES_OP_OPEN, object, time);
	if (m)
		m->id = id;
	return m;
}

static struct feed_request *read_new(struct feed *f, const struct trace_request *request)
{
	struct feed_handle *h = feed_handle_find(f, request->id);
	struct feed_request *m;

	if (!h || !h->handle) {
		f->stats.strays++;
		return NULL;
	}
	m = request_new(f, CACHEFILES_OP_READ, h->handle->object, request->begun);
	if (!m)
		return NULL;
	m->port.handle = h->handle;
	port_replay_hold(h->handle);
	m->port.off = request->off;
	m->port.len = request->len;
	m->recorded_ok = !catalog_failed(f->config.catalog, request);
	return m;
}

static void trace_begun(void *arg, struct trace_request *request)
{
	struct feed *f = arg;
	struct feed_request *m;

	if (request->kind == TRACE_OPEN)
		m = open_new(f, request->id, request->object->index, request->begun);
	else
		m = read_new(f, request);
	request->data = m;
	if (m)
		m->request = request;
}

static void trace_ended(void *arg, struct trace_request *request)
{
	struct feed *f = arg;
	struct feed_request *m = request->data;

	if (!m)
		return;
	m->request = NULL;
	m->recorded_over = true;
	m->recorded_answered = request->answered;
	if (request->answered) {
		m->recorded_took =
			request->ended > request->begun ? request->ended - request->begun : 0;
		if (!m->over)
			feed_request_owe(f, m);
	}
	if (m->over)
		request_judge(f, m);
}

static void trace_closed(void *arg, struct trace_object *object, uint32_t id, uint64_t time)
{
	handle_close(arg, id, time);
}

static void trace_worked(void *arg, struct trace_object *object, const struct trace_record *record)
{
	struct feed *f = arg;

	f->config.events.worked(f->config.arg, record);
}

const struct trace_requests_callbacks feed_trace_callbacks = {
	.begun = trace_begun,
	.ended = trace_ended,
	.closed = trace_closed,
	.worked = trace_worked,
};

/* An OPEN that was answered before the recording began. */
static void note_handle(struct feed *f, const struct trace_record *record)
{
	struct trace_object *object = trace_requests_by_number(f->requests, record->object);
	struct feed_request *m;

	if (!object)
		return;
	m = open_new(f, record->id, object->index, record->time);
	if (m)
		m->extra = m->recorded_over = m->recorded_answered = true;
}

static const char *sentence(int err)
{
	return err == -E2BIG ? "more requests at the same time than are replayed" : strerror(-err);
}

/* false: the end, or nothing can follow. */
bool feed_read_record(struct feed *f)
{
	struct trace_record record;
	char error[TRACE_ERROR_MAX];
	int r = trace_reader_next(f->reader, &record, error);

	if (r < 0) {
		feed_end(f, error);
		return false;
	}
	if (r == 0) {
		trace_requests_finish(f->requests);
		f->read_all = true;
		f->stats.whole = true;
		return false;
	}
	f->stats.records++;
	r = trace_requests_feed(f->requests, &record);
	if (r == 0 && record.kind == TRACE_HANDLE)
		note_handle(f, &record);
	if (r == 0)
		r = f->err;
	if (r < 0)
		feed_fail_at(f, trace_reader_offset(f->reader), sentence(r));
	return r == 0;
}
