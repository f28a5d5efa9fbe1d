/* SPDX-License-Identifier: MIT */
#include "daemon/trace/requests.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/trace/names.h"
#include "proto/cachefiles-abi.h"

/* A request that is not answered yet, by its message id. */
struct waiting {
	struct trace_request request;
	uint64_t record; /* its number in the trace */
	UT_hash_handle hh;
};

struct trace_requests {
	struct trace_requests_callbacks callbacks;
	void *arg;
	struct trace_requests_stats stats;
	struct trace_names names;
	struct waiting *waiting;
};

int trace_requests_new(struct trace_requests **ret,
		       const struct trace_requests_callbacks *callbacks, void *arg)
{
	struct trace_requests *requests = calloc(1, sizeof(*requests));

	if (!requests)
		return -ENOMEM;
	requests->callbacks = *callbacks;
	requests->arg = arg;
	*ret = requests;
	return 0;
}

struct trace_requests *trace_requests_free(struct trace_requests *requests)
{
	struct waiting *waiting, *next;

	if (!requests)
		return NULL;
	HASH_ITER(hh, requests->waiting, waiting, next) {
		HASH_DEL(requests->waiting, waiting);
		free(waiting);
	}
	trace_names_deinit(&requests->names);
	free(requests);
	return NULL;
}

static void stray(struct trace_requests *requests)
{
	requests->stats.strays++;
}

/* Of what trace_names_...() has said, what is an error. */
static int note(struct trace_requests *requests, int r)
{
	if (r != TRACE_STRAY)
		return r;
	stray(requests);
	return 0;
}

/* ---- handles ----------------------------------------------------------------------------- */

static void handle_close(struct trace_requests *requests, struct trace_handle *handle,
			 uint64_t time)
{
	handle->open = false;
	if (requests->callbacks.closed)
		requests->callbacks.closed(requests->arg, handle->object, handle->id, time);
}

/* The id means this object now. When it was open already, its end is missing in the trace. */
static int handle_begin(struct trace_requests *requests, const struct trace_record *record,
			struct trace_object *object)
{
	struct trace_handle *handle = trace_names_handle(&requests->names, record->id);
	int r;

	if (handle && handle->open)
		handle_close(requests, handle, record->time);
	r = trace_names_add_handle(&requests->names, record->id, object,
				   record->kind == TRACE_HANDLE);
	if (r < 0)
		return r;
	trace_names_handle(&requests->names, record->id)->record = requests->stats.records;
	return note(requests, r);
}

static int feed_handle(struct trace_requests *requests, const struct trace_record *record)
{
	struct trace_object *object = trace_names_by_number(&requests->names, record->object);

	if (object)
		return handle_begin(requests, record, object);
	stray(requests);
	return 0;
}

static void feed_release(struct trace_requests *requests, const struct trace_record *record)
{
	struct trace_handle *handle = trace_names_handle(&requests->names, record->id);

	if (!handle) {
		stray(requests);
		return;
	}
	if (handle->open)
		handle_close(requests, handle, record->time);
	trace_names_remove_handle(&requests->names, handle);
}

/* ---- requests ---------------------------------------------------------------------------- */

static struct waiting *waiting_find(struct trace_requests *requests, uint32_t msg)
{
	struct waiting *waiting;

	HASH_FIND(hh, requests->waiting, &msg, sizeof(msg), waiting);
	return waiting;
}

/* Messages that made no sense (TRACE_BAD) only wait for an answer, which may never come. */
static bool is_request(const struct waiting *waiting)
{
	return waiting->request.kind != TRACE_BAD;
}

static void request_end(struct trace_requests *requests, struct waiting *waiting)
{
	HASH_DEL(requests->waiting, waiting);
	if (is_request(waiting)) {
		if (!waiting->request.answered)
			requests->stats.unanswered++;
		if (requests->callbacks.ended)
			requests->callbacks.ended(requests->arg, &waiting->request);
	}
	free(waiting);
}

/* A message id comes again only after its answer; when that is missing, there will be none. */
static int request_begin(struct trace_requests *requests, const struct trace_record *record,
			 struct trace_object *object)
{
	struct waiting *waiting = waiting_find(requests, record->msg);

	if (waiting) {
		if (is_request(waiting))
			stray(requests);
		request_end(requests, waiting);
	}
	if (HASH_COUNT(requests->waiting) >= TRACE_OUTSTANDING_MAX)
		return -E2BIG;
	waiting = calloc(1, sizeof(*waiting));
	if (!waiting)
		return -ENOMEM;
	waiting->request = (struct trace_request){
		.kind = record->kind,
		.object = object,
		.msg = record->msg,
		.id = record->id,
		.off = record->off,
		.len = record->len,
		.begun = record->time,
	};
	waiting->record = requests->stats.records;
	HASH_ADD(hh, requests->waiting, request.msg, sizeof(waiting->request.msg), waiting);
	if (!table_has(waiting)) {
		free(waiting);
		return -ENOMEM;
	}
	if (!is_request(waiting))
		return 0;
	requests->stats.requests++;
	if (requests->callbacks.begun)
		requests->callbacks.begun(requests->arg, &waiting->request);
	return 0;
}

static int feed_open(struct trace_requests *requests, const struct trace_record *record)
{
	struct trace_object *object;
	int r = trace_names_object(&requests->names, record->volume, record->cookie, true, &object);

	if (r == 0)
		r = handle_begin(requests, record, object);
	return r < 0 ? r : request_begin(requests, record, object);
}

static int feed_read(struct trace_requests *requests, const struct trace_record *record)
{
	struct trace_handle *handle = trace_names_handle(&requests->names, record->id);

	if (!handle || !handle->open)
		stray(requests);
	return request_begin(requests, record, handle ? handle->object : NULL);
}

/* It has no answer, but an id that no other has as long as it waits. That one is left alone. */
static void feed_close(struct trace_requests *requests, const struct trace_record *record)
{
	struct trace_handle *handle = trace_names_handle(&requests->names, record->id);
	struct waiting *waiting = waiting_find(requests, record->msg);
	bool open = handle && handle->open;

	if (open)
		handle_close(requests, handle, record->time);
	if (!open || (waiting && is_request(waiting)))
		stray(requests);
}

/* OPENs and READs are answered, however bad they are; of an OPEN a descriptor is released. */
static int feed_bad(struct trace_requests *requests, const struct trace_record *record)
{
	struct waiting *waiting = waiting_find(requests, record->msg);
	int r = 0;

	if (record->opcode != CACHEFILES_OP_OPEN && record->opcode != CACHEFILES_OP_READ)
		return 0;
	if (waiting && is_request(waiting)) {
		stray(requests);
		return 0;
	}
	if (record->opcode == CACHEFILES_OP_OPEN &&
	    !trace_names_handle(&requests->names, record->id))
		r = trace_names_add_handle(&requests->names, record->id, NULL, false);
	return r < 0 ? r : request_begin(requests, record, NULL);
}

/* Positive errors exist in no trace of ours. */
static int32_t error_of(const struct trace_record *record)
{
	if (record->error < 0)
		return record->error;
	return record->result < 0 ? record->result : 0;
}

static void answer(struct trace_requests *requests, struct waiting *waiting,
		   const struct trace_record *record)
{
	waiting->request.answered = true;
	waiting->request.ended = record->time;
	waiting->request.error = error_of(record);
	request_end(requests, waiting);
}

static void feed_copen(struct trace_requests *requests, const struct trace_record *record)
{
	struct waiting *waiting = waiting_find(requests, record->msg);
	struct trace_handle *handle;

	if (!waiting || waiting->request.kind == TRACE_READ) {
		stray(requests);
		return;
	}
	if (!is_request(waiting)) {
		request_end(requests, waiting);
		return;
	}
	handle = trace_names_handle(&requests->names, waiting->request.id);
	if (error_of(record) == 0) {
		waiting->request.object->size = record->size;
		waiting->request.object->size_known = true;
		/* Unless the id has been given anew meanwhile, be it to the same object. */
		if (handle && handle->record == waiting->record)
			handle->open = true;
	}
	answer(requests, waiting, record);
}

static void feed_complete(struct trace_requests *requests, const struct trace_record *record)
{
	struct waiting *waiting = waiting_find(requests, record->msg);

	if (waiting && waiting->request.kind != TRACE_OPEN && waiting->request.id == record->id)
		answer(requests, waiting, record);
	else
		stray(requests);
}

/* ---- feeding ----------------------------------------------------------------------------- */

static void worked(struct trace_requests *requests, struct trace_object *object,
		   const struct trace_record *record)
{
	if (requests->callbacks.worked)
		requests->callbacks.worked(requests->arg, object, record);
}

static int feed_look(struct trace_requests *requests, const struct trace_record *record)
{
	struct trace_object *object;
	int r = trace_names_object(&requests->names, record->volume, record->cookie, false,
				   &object);

	if (r == 0)
		worked(requests, object, record);
	return r;
}

static void feed_end(struct trace_requests *requests, const struct trace_record *record)
{
	requests->stats.complete = true;
	if (record->count != requests->stats.records - 1)
		stray(requests);
}

int trace_requests_feed(struct trace_requests *requests, const struct trace_record *record)
{
	struct trace_requests_stats *stats = &requests->stats;

	if (stats->records == 0 || record->time < stats->first)
		stats->first = record->time;
	if (record->time > stats->last)
		stats->last = record->time;
	stats->records++;

	switch (record->kind) {
	case TRACE_SOURCE:
		return note(requests, trace_names_feed_source(&requests->names, record));
	case TRACE_OBJECT:
		return note(requests, trace_names_feed_object(&requests->names, record));
	case TRACE_HANDLE:
		return feed_handle(requests, record);
	case TRACE_OPEN:
		return feed_open(requests, record);
	case TRACE_READ:
		return feed_read(requests, record);
	case TRACE_BAD:
		return feed_bad(requests, record);
	case TRACE_LOOK:
		return feed_look(requests, record);
	case TRACE_CLOSE:
		feed_close(requests, record);
		return 0;
	case TRACE_COPEN:
		feed_copen(requests, record);
		return 0;
	case TRACE_COMPLETE:
		feed_complete(requests, record);
		return 0;
	case TRACE_RELEASE:
		feed_release(requests, record);
		return 0;
	case TRACE_FETCH:
	case TRACE_STORE:
		worked(requests, trace_names_by_number(&requests->names, record->object), record);
		return 0;
	case TRACE_LOST:
		stats->lost += record->count;
		return 0;
	case TRACE_END:
		feed_end(requests, record);
		return 0;
	default:
		return 0; /* no part of a request */
	}
}

void trace_requests_finish(struct trace_requests *requests)
{
	struct waiting *waiting, *next;

	HASH_ITER(hh, requests->waiting, waiting, next)
		request_end(requests, waiting);
}

/* ---- asking ------------------------------------------------------------------------------ */

struct trace_requests_stats trace_requests_stats(const struct trace_requests *requests)
{
	return requests->stats;
}

size_t trace_requests_objects(const struct trace_requests *requests)
{
	return requests->names.n_objects;
}

struct trace_object *trace_requests_object(const struct trace_requests *requests, size_t index)
{
	return requests->names.objects[index];
}

struct trace_object *trace_requests_by_id(const struct trace_requests *requests, uint32_t id)
{
	struct trace_handle *handle = trace_names_handle(&requests->names, id);

	return handle ? handle->object : NULL;
}

struct trace_object *trace_requests_by_number(const struct trace_requests *requests,
					      uint64_t number)
{
	return trace_names_by_number(&requests->names, number);
}
