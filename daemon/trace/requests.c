/* SPDX-License-Identifier: MIT */
#include "daemon/trace/requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"

/* An object id of the kernel, from its OPEN (or handle record) to its release. */
struct handle {
	uint32_t id;
	struct trace_object *object;
	bool open; /* from a good answer to CLOSE or release */
	UT_hash_handle hh;
};

struct source {
	uint32_t number;
	char *name; /* owned */
	UT_hash_handle hh;
};

/* A request that is not answered yet, by its message id. */
struct waiting {
	struct trace_request request;
	UT_hash_handle hh;
};

struct trace_requests {
	struct trace_requests_callbacks callbacks;
	void *arg;
	struct trace_requests_stats stats;
	struct trace_object **objects; /* owned, by index */
	size_t n_objects, n_allocated;
	struct trace_object *by_key;	/* hh */
	struct trace_object *by_number; /* hh_number */
	struct handle *handles;
	struct source *sources;
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

static struct trace_object *object_free(struct trace_object *object)
{
	free(object->key);
	free(object->locator);
	free(object->validator);
	free(object->source);
	free(object);
	return NULL;
}

struct trace_requests *trace_requests_free(struct trace_requests *requests)
{
	struct waiting *waiting, *next_waiting;
	struct handle *handle, *next_handle;
	struct source *source, *next_source;

	if (!requests)
		return NULL;
	HASH_ITER(hh, requests->waiting, waiting, next_waiting) {
		HASH_DEL(requests->waiting, waiting);
		free(waiting);
	}
	HASH_ITER(hh, requests->handles, handle, next_handle) {
		HASH_DEL(requests->handles, handle);
		free(handle);
	}
	HASH_ITER(hh, requests->sources, source, next_source) {
		HASH_DEL(requests->sources, source);
		free(source->name);
		free(source);
	}
	HASH_CLEAR(hh_number, requests->by_number);
	HASH_CLEAR(hh, requests->by_key);
	for (size_t i = 0; i < requests->n_objects; i++)
		object_free(requests->objects[i]);
	free(requests->objects);
	free(requests);
	return NULL;
}

static void stray(struct trace_requests *requests)
{
	requests->stats.strays++;
}

/* ---- objects ----------------------------------------------------------------------------- */

/* The two keys as one: they may hold any byte, so the length of the first one stands in front. */
static uint8_t *join_keys(struct bytes volume, struct bytes cookie, size_t *ret_len)
{
	uint64_t len = volume.len;
	uint8_t *key = malloc(sizeof(len) + volume.len + cookie.len);

	if (!key)
		return NULL;
	memcpy(key, &len, sizeof(len));
	if (volume.len > 0)
		memcpy(key + sizeof(len), volume.data, volume.len);
	if (cookie.len > 0)
		memcpy(key + sizeof(len) + volume.len, cookie.data, cookie.len);
	*ret_len = sizeof(len) + volume.len + cookie.len;
	return key;
}

static int objects_reserve(struct trace_requests *requests)
{
	size_t n = requests->n_allocated ? 2 * requests->n_allocated : 64;
	struct trace_object **objects;

	if (requests->n_objects == TRACE_OBJECTS_MAX)
		return -E2BIG;
	if (requests->n_objects < requests->n_allocated)
		return 0;
	objects = reallocarray(requests->objects, n, sizeof(struct trace_object *));
	if (!objects)
		return -ENOMEM;
	requests->objects = objects;
	requests->n_allocated = n;
	return 0;
}

/* `key` is consumed on success. */
static int object_add(struct trace_requests *requests, uint8_t *key, size_t key_len,
		      size_t volume_len, struct trace_object **ret)
{
	struct trace_object *object;
	size_t volume_off = sizeof(uint64_t);
	int r = objects_reserve(requests);

	if (r < 0)
		return r;
	object = calloc(1, sizeof(*object));
	if (!object)
		return -ENOMEM;
	object->index = (uint32_t)requests->n_objects;
	object->key = key;
	object->volume = bytes_of(key + volume_off, volume_len);
	object->cookie = bytes_of(key + volume_off + volume_len, key_len - volume_off - volume_len);
	HASH_ADD_KEYPTR(hh, requests->by_key, object->key, key_len, object);
	if (!table_has(object)) {
		free(object);
		return -ENOMEM;
	}
	requests->objects[requests->n_objects++] = object;
	*ret = object;
	return 0;
}

/* The object of these keys; when there is none, it is made, or NULL without `make`. */
static int object_get(struct trace_requests *requests, struct bytes volume, struct bytes cookie,
		      bool make, struct trace_object **ret)
{
	struct trace_object *object;
	uint8_t *key;
	size_t len;
	int r = 0;

	key = join_keys(volume, cookie, &len);
	if (!key)
		return -ENOMEM;
	HASH_FIND(hh, requests->by_key, key, len, object);
	if (!object && make)
		r = object_add(requests, key, len, volume.len, &object);
	if (!object || object->key != key)
		free(key);
	if (r == 0)
		*ret = object;
	return r;
}

struct trace_object *trace_requests_by_number(const struct trace_requests *requests,
					      uint64_t number)
{
	struct trace_object *object;

	HASH_FIND(hh_number, requests->by_number, &number, sizeof(number), object);
	return object;
}

static int text_set(char **text, struct bytes value)
{
	char *copy;

	if (value.len == 0)
		return 0;
	copy = strndup((const char *)value.data, value.len);
	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

/* An object that is opened anew after all have closed it gets a new number, and its old one ends.
 */
static int object_set_number(struct trace_requests *requests, struct trace_object *object,
			     uint64_t number)
{
	if (object->hh_number.tbl) {
		HASH_DELETE(hh_number, requests->by_number, object);
		object->hh_number.tbl = NULL;
	}
	object->number = number;
	HASH_ADD(hh_number, requests->by_number, number, sizeof(object->number), object);
	return object->hh_number.tbl ? 0 : -ENOMEM;
}

static int feed_object(struct trace_requests *requests, const struct trace_record *record)
{
	struct trace_object *object, *owner = trace_requests_by_number(requests, record->object);
	struct source *source;
	int r = object_get(requests, record->volume, record->cookie, true, &object);

	if (r < 0)
		return r;
	if (owner && owner != object) {
		stray(requests);
		return 0;
	}
	if (!owner)
		r = object_set_number(requests, object, record->object);
	object->size = record->size;
	object->size_known = true;
	HASH_FIND(hh, requests->sources, &record->source, sizeof(record->source), source);
	if (r == 0 && source)
		r = text_set(&object->source, bytes_str(source->name));
	if (r == 0)
		r = text_set(&object->locator, record->locator);
	if (r == 0)
		r = text_set(&object->validator, record->validator);
	return r;
}

static int feed_source(struct trace_requests *requests, const struct trace_record *record)
{
	struct source *source;

	HASH_FIND(hh, requests->sources, &record->source, sizeof(record->source), source);
	if (source)
		return text_set(&source->name, record->text);
	if (HASH_COUNT(requests->sources) >= TRACE_SOURCES_MAX)
		return -E2BIG;
	source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	source->number = record->source;
	source->name =
		strndup(record->text.len ? (const char *)record->text.data : "", record->text.len);
	if (source->name)
		HASH_ADD(hh, requests->sources, number, sizeof(source->number), source);
	if (!source->name || !table_has(source)) {
		free(source->name);
		free(source);
		return -ENOMEM;
	}
	return 0;
}

/* ---- handles ----------------------------------------------------------------------------- */

static struct handle *handle_find(const struct trace_requests *requests, uint32_t id)
{
	struct handle *handle;

	HASH_FIND(hh, requests->handles, &id, sizeof(id), handle);
	return handle;
}

struct trace_object *trace_requests_by_id(const struct trace_requests *requests, uint32_t id)
{
	struct handle *handle = handle_find(requests, id);

	return handle ? handle->object : NULL;
}

/* An id that is open cannot be given again; when it is, what ended it was lost. */
static int handle_add(struct trace_requests *requests, uint32_t id, struct trace_object *object,
		      bool open)
{
	struct handle *handle = handle_find(requests, id);

	if (handle) {
		stray(requests);
	} else {
		if (HASH_COUNT(requests->handles) >= TRACE_HANDLES_MAX)
			return -E2BIG;
		handle = calloc(1, sizeof(*handle));
		if (!handle)
			return -ENOMEM;
		handle->id = id;
		HASH_ADD(hh, requests->handles, id, sizeof(handle->id), handle);
		if (!table_has(handle)) {
			free(handle);
			return -ENOMEM;
		}
	}
	handle->object = object;
	handle->open = open;
	return 0;
}

static int feed_handle(struct trace_requests *requests, const struct trace_record *record)
{
	struct trace_object *object = trace_requests_by_number(requests, record->object);

	if (!object) {
		stray(requests);
		return 0;
	}
	return handle_add(requests, record->id, object, true);
}

static void handle_close(struct trace_requests *requests, struct handle *handle, uint64_t time)
{
	handle->open = false;
	if (requests->callbacks.closed)
		requests->callbacks.closed(requests->arg, handle->object, handle->id, time);
}

static void feed_close(struct trace_requests *requests, const struct trace_record *record)
{
	struct handle *handle = handle_find(requests, record->id);

	if (handle && handle->open)
		handle_close(requests, handle, record->time);
	else
		stray(requests);
}

static void feed_release(struct trace_requests *requests, const struct trace_record *record)
{
	struct handle *handle = handle_find(requests, record->id);

	if (!handle) {
		stray(requests);
		return;
	}
	if (handle->open)
		handle_close(requests, handle, record->time);
	HASH_DEL(requests->handles, handle);
	free(handle);
}

/* ---- requests ---------------------------------------------------------------------------- */

static struct waiting *waiting_find(struct trace_requests *requests, uint32_t msg)
{
	struct waiting *waiting;

	HASH_FIND(hh, requests->waiting, &msg, sizeof(msg), waiting);
	return waiting;
}

static void request_end(struct trace_requests *requests, struct waiting *waiting)
{
	HASH_DEL(requests->waiting, waiting);
	if (!waiting->request.answered)
		requests->stats.unanswered++;
	if (requests->callbacks.ended)
		requests->callbacks.ended(requests->arg, &waiting->request);
	free(waiting);
}

/* A message id comes again only after its answer; when that is missing, there will be none. */
static int request_begin(struct trace_requests *requests, const struct trace_record *record,
			 struct trace_object *object)
{
	struct waiting *waiting = waiting_find(requests, record->msg);

	if (waiting) {
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
	HASH_ADD(hh, requests->waiting, request.msg, sizeof(waiting->request.msg), waiting);
	if (!table_has(waiting)) {
		free(waiting);
		return -ENOMEM;
	}
	requests->stats.requests++;
	if (requests->callbacks.begun)
		requests->callbacks.begun(requests->arg, &waiting->request);
	return 0;
}

static int feed_open(struct trace_requests *requests, const struct trace_record *record)
{
	struct trace_object *object;
	int r = object_get(requests, record->volume, record->cookie, true, &object);

	if (r == 0)
		r = handle_add(requests, record->id, object, false);
	return r < 0 ? r : request_begin(requests, record, object);
}

static int feed_read(struct trace_requests *requests, const struct trace_record *record)
{
	struct handle *handle = handle_find(requests, record->id);

	if (!handle || !handle->open)
		stray(requests);
	return request_begin(requests, record, handle ? handle->object : NULL);
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
	struct handle *handle;

	if (!waiting || waiting->request.kind != TRACE_OPEN) {
		stray(requests);
		return;
	}
	handle = handle_find(requests, waiting->request.id);
	if (error_of(record) == 0) {
		waiting->request.object->size = record->size;
		waiting->request.object->size_known = true;
		if (handle)
			handle->open = true;
	}
	answer(requests, waiting, record);
}

static void feed_complete(struct trace_requests *requests, const struct trace_record *record)
{
	struct waiting *waiting = waiting_find(requests, record->msg);

	if (waiting && waiting->request.kind == TRACE_READ && waiting->request.id == record->id)
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
	int r = object_get(requests, record->volume, record->cookie, false, &object);

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
		return feed_source(requests, record);
	case TRACE_OBJECT:
		return feed_object(requests, record);
	case TRACE_HANDLE:
		return feed_handle(requests, record);
	case TRACE_OPEN:
		return feed_open(requests, record);
	case TRACE_READ:
		return feed_read(requests, record);
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
		worked(requests, trace_requests_by_number(requests, record->object), record);
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
	return requests->n_objects;
}

struct trace_object *trace_requests_object(const struct trace_requests *requests, size_t index)
{
	return requests->objects[index];
}
