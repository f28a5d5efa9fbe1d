/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/trace-needs.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/ctl/trace-copy.h"
#include "daemon/util/table.h"

/* A record that others refer to. */
struct described {
	struct trace_record *record; /* owned */
	bool written;		     /* as it is now */
	bool told;		     /* of an object: the output knows it, by this number */
	uint64_t number;
};

struct trace_needs_source {
	uint32_t number;
	struct described described;
	UT_hash_handle hh;
};

struct trace_needs_id {
	uint32_t id;
	bool released; /* which the output does not know yet */
	UT_hash_handle hh;
};

void trace_needs_deinit(struct trace_needs *needs, struct trace_requests *requests)
{
	struct trace_needs_source *source, *next_source;
	struct trace_needs_id *id, *next_id;

	HASH_ITER(hh, needs->sources, source, next_source) {
		HASH_DEL(needs->sources, source);
		free(source->described.record);
		free(source);
	}
	HASH_ITER(hh, needs->ids, id, next_id) {
		HASH_DEL(needs->ids, id);
		free(id);
	}
	for (size_t i = 0; requests && i < trace_requests_objects(requests); i++) {
		struct trace_object *object = trace_requests_object(requests, i);
		struct described *described = object->data;

		if (described)
			free(described->record);
		free(described);
		object->data = NULL;
	}
}

/* ---- descriptions ------------------------------------------------------------------------ */

/* Only the last one of its number counts. */
static int keep(struct described *described, const struct trace_record *record)
{
	struct trace_record *copy = trace_record_copy(record);

	if (!copy)
		return -ENOMEM;
	free(described->record);
	described->record = copy;
	described->written = false;
	return 0;
}

static int write_described(struct trace_needs *needs, struct described *described, uint64_t time)
{
	if (described->written)
		return 0;
	described->written = described->told = true;
	described->number = described->record->object;
	described->record->time = time;
	return trace_output_put(needs->output, described->record);
}

static struct trace_needs_source *find_source(struct trace_needs *needs, uint32_t number)
{
	struct trace_needs_source *source;

	HASH_FIND(hh, needs->sources, &number, sizeof(number), source);
	return source;
}

int trace_needs_keep_source(struct trace_needs *needs, const struct trace_record *record)
{
	struct trace_needs_source *source = find_source(needs, record->source);

	if (source)
		return keep(&source->described, record);
	source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	source->number = record->source;
	HASH_ADD(hh, needs->sources, number, sizeof(source->number), source);
	if (table_has(source))
		return keep(&source->described, record);
	free(source);
	return -ENOMEM;
}

/* ---- references -------------------------------------------------------------------------- */

int trace_needs_source(struct trace_needs *needs, uint32_t number, uint64_t time)
{
	struct trace_needs_source *source = find_source(needs, number);

	if (!source || !source->described.record)
		return 1;
	return write_described(needs, &source->described, time);
}

int trace_needs_object(struct trace_needs *needs, struct trace_object *object, uint64_t time)
{
	struct described *described = object ? object->data : NULL;
	int r;

	if (!described || !described->record)
		return 1;
	if (described->written)
		return 0;
	r = trace_needs_source(needs, described->record->source, time);
	/* The number of a source that nobody has described is only a number. */
	return r < 0 ? r : write_described(needs, described, time);
}

/* A number that the output knows means nothing else from now on, and may mean another object. */
int trace_needs_keep_object(struct trace_needs *needs, struct trace_object *object,
			    const struct trace_record *record)
{
	struct described *described = object->data;
	bool renumbered;
	int r;

	if (!described)
		described = object->data = calloc(1, sizeof(*described));
	if (!described)
		return -ENOMEM;
	renumbered = described->told && described->number != record->object;
	r = keep(described, record);
	if (r == 0 && renumbered)
		r = trace_needs_object(needs, object, record->time);
	return r;
}

static struct trace_needs_id *find_id(struct trace_needs *needs, uint32_t number)
{
	struct trace_needs_id *id;

	HASH_FIND(hh, needs->ids, &number, sizeof(number), id);
	return id;
}

static int write_release(struct trace_needs *needs, struct trace_needs_id *id, uint64_t time)
{
	struct trace_record record = { .kind = TRACE_RELEASE, .time = time, .id = id->id };

	HASH_DEL(needs->ids, id);
	free(id);
	return trace_output_put(needs->output, &record);
}

int trace_needs_open(struct trace_needs *needs, uint32_t number, uint64_t time)
{
	struct trace_needs_id *id = find_id(needs, number);
	int r = id ? write_release(needs, id, time) : 0;

	if (r < 0)
		return r;
	id = calloc(1, sizeof(*id));
	if (!id)
		return -ENOMEM;
	id->id = number;
	HASH_ADD(hh, needs->ids, id, sizeof(id->id), id);
	if (table_has(id))
		return 0;
	free(id);
	return -ENOMEM;
}

int trace_needs_release(struct trace_needs *needs, uint32_t number, uint64_t time, bool now)
{
	struct trace_needs_id *id = find_id(needs, number);

	if (id && now)
		return write_release(needs, id, time);
	if (id)
		id->released = true;
	return 0;
}

int trace_needs_id(struct trace_needs *needs, uint32_t number, struct trace_object *object,
		   uint64_t time)
{
	struct trace_record handle = { .kind = TRACE_HANDLE, .time = time, .id = number };
	struct trace_needs_id *id = find_id(needs, number);
	int r;

	if (id && !id->released)
		return 0;
	r = trace_needs_object(needs, object, time);
	if (r != 0)
		return r;
	r = trace_needs_open(needs, number, time);
	if (r < 0)
		return r;
	handle.object = ((struct described *)object->data)->record->object;
	return trace_output_put(needs->output, &handle);
}
