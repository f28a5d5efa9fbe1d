/* SPDX-License-Identifier: MIT */
/*
 * The engine's work, and what there is when a recording begins, as records. A locator is written
 * down without its secrets.
 */
#include "daemon/record/recorder-internal.h"
#include "daemon/util/locator.h"

/* ---- what there is ------------------------------------------------------------------------ */

static void source_put(struct recorder *r, uint32_t number, const char *name, const char *locator,
		       bool (*put)(struct recorder *r, struct trace_record *record))
{
	char shown[LOCATOR_MAX];
	struct trace_record record = {
		.kind = TRACE_SOURCE,
		.source = number,
		.text = bytes_str(name),
		.locator = bytes_str(locator_print(locator, shown, sizeof(shown))),
	};

	if (recorder_is_on(r))
		put(r, &record);
}

void recorder_source(struct recorder *r, uint32_t number, const char *name, const char *locator)
{
	source_put(r, number, name, locator, recorder_put_first);
}

/* Once per recording, before the first record with its number; again where that was lost. */
static void recorder_object(struct recorder *r, struct object *o,
			    bool (*put)(struct recorder *r, struct trace_record *record))
{
	char shown[LOCATOR_MAX];
	struct trace_record record;

	if (object_mark(o, OBJECT_MARK_RECORDING) == r->number)
		return;
	record = (struct trace_record){
		.kind = TRACE_OBJECT,
		.object = object_number(o),
		.source = object_source(o),
		.size = object_size(o),
		.flags = object_is_compressed(o) ? TRACE_OBJECT_COMPRESSED : 0,
		.volume = object_volume(o),
		.cookie = object_cookie(o),
		.locator = bytes_str(locator_print(object_locator(o), shown, sizeof(shown))),
		.validator = bytes_str(object_validator(o)),
	};
	if (put(r, &record))
		object_set_mark(o, OBJECT_MARK_RECORDING, r->number);
}

void recorder_handle(struct recorder *r, uint32_t object_id, struct object *o)
{
	struct trace_record record = {
		.kind = TRACE_HANDLE,
		.id = object_id,
		.object = object_number(o),
	};

	if (!recorder_is_on(r))
		return;
	recorder_object(r, o, recorder_put_first);
	recorder_put_first(r, &record);
}

void recorder_waiting_open(struct recorder *r, uint32_t msg_id, uint32_t object_id,
			   struct bytes volume, struct bytes cookie)
{
	struct trace_record record = {
		.kind = TRACE_OPEN,
		.msg = msg_id,
		.id = object_id,
		.volume = volume,
		.cookie = cookie,
	};

	if (recorder_is_on(r))
		recorder_put_first(r, &record);
}

void recorder_waiting_read(struct recorder *r, uint32_t msg_id, uint32_t object_id, uint64_t off,
			   uint64_t len)
{
	struct trace_record record = {
		.kind = TRACE_READ,
		.msg = msg_id,
		.id = object_id,
		.off = off,
		.len = len,
	};

	if (recorder_is_on(r))
		recorder_put_first(r, &record);
}

/* ---- the engine's work -------------------------------------------------------------------- */

static struct recorder *recorder_of(struct engine_observer *observer)
{
	return container_of(observer, struct recorder, observer);
}

static void recorder_added(struct engine_observer *observer, uint32_t number,
			   const struct engine_source_config *config)
{
	source_put(recorder_of(observer), number, config->name, config->place, recorder_put);
}

static void recorder_opened(struct engine_observer *observer, struct object *o)
{
	struct recorder *r = recorder_of(observer);

	if (recorder_is_on(r))
		recorder_object(r, o, recorder_put);
}

static void recorder_looked(struct engine_observer *observer, const struct engine_open *open,
			    uint32_t source, uint64_t size, uint64_t begun, int err)
{
	struct recorder *r = recorder_of(observer);
	struct trace_record record = {
		.kind = TRACE_LOOK,
		.source = source,
		.volume = open->volume,
		.cookie = open->cookie,
		.size = size,
		.took = loop_now(r->loop) - begun,
		.error = err,
	};

	if (recorder_is_on(r))
		recorder_put(r, &record);
}

static void recorder_worked(struct recorder *r, struct object *o, struct trace_record *record,
			    const struct engine_work *work)
{
	if (!recorder_is_on(r))
		return;
	recorder_object(r, o, recorder_put);
	record->object = object_number(o);
	record->off = work->off;
	record->len = work->len;
	record->queued = work->begun - work->wished;
	record->took = loop_now(r->loop) - work->begun;
	record->error = work->err;
	recorder_put(r, record);
}

static void recorder_fetched(struct engine_observer *observer, struct object *o,
			     const struct engine_work *work, uint64_t got, enum engine_class class)
{
	struct trace_record record = { .kind = TRACE_FETCH, .got = got, .class = class };

	recorder_worked(recorder_of(observer), o, &record, work);
}

static void recorder_stored(struct engine_observer *observer, struct object *o,
			    const struct engine_work *work, enum engine_class class)
{
	struct trace_record record = { .kind = TRACE_STORE };

	recorder_worked(recorder_of(observer), o, &record, work);
}

void recorder_observe(struct recorder *r)
{
	r->observer = (struct engine_observer){
		.added = recorder_added,
		.opened = recorder_opened,
		.looked = recorder_looked,
		.fetched = recorder_fetched,
		.stored = recorder_stored,
	};
}

struct engine_observer *recorder_observer(struct recorder *r)
{
	return &r->observer;
}
