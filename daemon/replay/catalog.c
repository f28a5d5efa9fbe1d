/* SPDX-License-Identifier: MIT */
#include "daemon/replay/catalog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/trace/file.h"
#include "daemon/trace/intervals.h"
#include "daemon/util/cleanup.h"

_Static_assert(CATALOG_ERROR_MAX >= TRACE_ERROR_MAX, "the reader writes into it");

#define INTERVALS 262144 /* of all objects together, for what the trace has stored */
/* Of an image that is fetched whole: nobody's disk is to be filled by the number in a trace. */
#define COMPRESSED_MAX ((uint64_t)4 << 30)    /* bytes */
#define LONG_HIT       ((uint64_t)1000000000) /* ns */

/* A READ that has failed; only the parts that two passes see alike. */
struct catalog_failed {
	struct failed_key {
		uint64_t begun, off, len;
		uint32_t msg, id;
	} key;
	UT_hash_handle hh;
};

static const struct catalog_version never_seen = { .error = -ENOENT };

static struct catalog_object *object_free(struct catalog_object *object)
{
	free(object->versions);
	free(object->locator);
	free(object);
	return NULL;
}

struct catalog *catalog_free(struct catalog *catalog)
{
	struct catalog_failed *failed, *next_failed;

	if (!catalog)
		return NULL;
	HASH_CLEAR(hh, catalog->by_locator);
	for (size_t i = 0; i < catalog->n_objects; i++)
		object_free(catalog->objects[i]);
	free(catalog->objects);
	HASH_ITER(hh, catalog->failed, failed, next_failed) {
		HASH_DEL(catalog->failed, failed);
		free(failed);
	}
	trace_outcomes_free(catalog->outcomes);
	free(catalog);
	return NULL;
}

static void catalog_freep(struct catalog **catalog)
{
	catalog_free(*catalog);
}

/* ---- objects and versions ---------------------------------------------------------------- */

static int reserve(void **array, size_t *room, size_t n, size_t size)
{
	size_t more = *room ? *room * 2 : 4;
	void *grown;

	if (n < *room)
		return 0;
	grown = reallocarray(*array, more, size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*room = more;
	return 0;
}

/* Ours of theirs, by its index. */
static int object_get(struct catalog *catalog, struct trace_object *from,
		      struct catalog_object **ret)
{
	struct catalog_object *object;

	while (catalog->n_objects <= from->index) {
		void *array = catalog->objects;
		int r = reserve(&array, &catalog->room, catalog->n_objects, sizeof(object));

		catalog->objects = array;
		object = r == 0 ? calloc(1, sizeof(*object)) : NULL;
		if (!object)
			return -ENOMEM;
		object->index = (uint32_t)catalog->n_objects;
		catalog->objects[catalog->n_objects++] = object;
	}
	object = catalog->objects[from->index];
	object->volume = from->volume;
	object->cookie = from->cookie;
	*ret = object;
	return 0;
}

/* Text that is the same gives the same bytes, also when the object was another one meanwhile. */
static uint64_t seed_of(const struct trace_object *from)
{
	const char *validator = from->validator ? from->validator : "";

	return XXH3_64bits(validator, strlen(validator)) ^ from->size;
}

static bool version_equal(const struct catalog_version *a, const struct catalog_version *b)
{
	return a->size == b->size && a->seed == b->seed && a->error == b->error &&
	       a->compressed == b->compressed;
}

static int note_version(struct catalog *catalog, struct catalog_object *object,
			const struct trace_object *from, uint64_t open, int32_t error)
{
	struct catalog_version version = { .open = open, .error = error }, *last;
	void *array = object->versions;
	int r;

	if (error == 0) {
		version.size = from->size;
		version.compressed = object->compressed && from->size <= COMPRESSED_MAX;
		version.seed = seed_of(from) + version.compressed;
	}
	last = object->n_versions ? &object->versions[object->n_versions - 1] : NULL;
	if (last && version_equal(last, &version))
		return 0;
	for (size_t i = 0; i < object->n_versions && error == 0; i++)
		catalog->changes |= object->versions[i].error == 0 &&
				    !(object->versions[i].size == version.size &&
				      object->versions[i].seed == version.seed);
	if (catalog->n_versions++ == CATALOG_VERSIONS_MAX)
		return -E2BIG;
	r = reserve(&array, &object->room, object->n_versions, sizeof(version));
	object->versions = array;
	if (r == 0)
		object->versions[object->n_versions++] = version;
	return r;
}

const struct catalog_version *catalog_version(const struct catalog_object *object, uint64_t n)
{
	const struct catalog_version *found = NULL;
	size_t from = 0, to = object->n_versions;

	/* The last one that begins at n or before; what is older than the first is like it. */
	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (object->versions[middle].open <= n) {
			found = &object->versions[middle];
			from = middle + 1;
		} else {
			to = middle;
		}
	}
	if (!found)
		found = object->n_versions ? &object->versions[0] : &never_seen;
	return found;
}

/* ---- the pass ---------------------------------------------------------------------------- */

static struct failed_key failed_key(const struct trace_request *request)
{
	return (struct failed_key){
		.begun = request->begun,
		.off = request->off,
		.len = request->len,
		.msg = request->msg,
		.id = request->id,
	};
}

static int note_failed(struct catalog *catalog, const struct trace_request *request)
{
	struct failed_key key = failed_key(request);
	struct catalog_failed *failed;

	HASH_FIND(hh, catalog->failed, &key, sizeof(key), failed);
	if (failed)
		return 0;
	if (HASH_COUNT(catalog->failed) >= CATALOG_FAILED_MAX) {
		catalog->all_may_fail = true;
		return 0;
	}
	failed = calloc(1, sizeof(*failed));
	if (!failed)
		return -ENOMEM;
	failed->key = key;
	HASH_ADD(hh, catalog->failed, key, sizeof(failed->key), failed);
	if (table_has(failed))
		return 0;
	free(failed);
	return -ENOMEM;
}

bool catalog_failed(const struct catalog *catalog, const struct trace_request *request)
{
	struct failed_key key = failed_key(request);
	struct catalog_failed *failed;

	if (catalog->all_may_fail)
		return true;
	HASH_FIND(hh, catalog->failed, &key, sizeof(key), failed);
	return failed;
}

static int pass_begun(void *arg, const struct trace_request *request)
{
	struct catalog *catalog = arg;
	struct catalog_object *object;
	int r;

	catalog->requests++;
	if (request->kind != TRACE_OPEN)
		return 0;
	r = object_get(catalog, request->object, &object);
	if (r == 0)
		object->begun++;
	return r;
}

/* The kernel opens an object once at a time: the answer is that of the latest. */
static int pass_ended(void *arg, const struct trace_request *request)
{
	struct catalog *catalog = arg;
	struct catalog_object *object;

	if (request->kind != TRACE_OPEN || !request->answered)
		return 0;
	object = catalog->objects[request->object->index];
	return note_version(catalog, object, request->object, object->begun - 1, request->error);
}

static int pass_judged(void *arg, const struct trace_judged *judged)
{
	const struct trace_request *request = judged->request;

	if (request->kind != TRACE_READ)
		return 0;
	if (judged->outcome == TRACE_WAITED ||
	    (judged->outcome == TRACE_HIT && request->ended - request->begun < LONG_HIT))
		return 0;
	return note_failed(arg, request);
}

/* What the join does not tell: flags, and opens that are older than the recording. */
static int pass_note(struct catalog *catalog, const struct trace_record *record)
{
	struct trace_requests *requests = trace_outcomes_requests(catalog->outcomes);
	struct catalog_object *object;
	struct trace_object *from;
	int r;

	if (record->kind != TRACE_OBJECT && record->kind != TRACE_HANDLE)
		return 0;
	from = trace_requests_by_number(requests, record->object);
	if (!from)
		return 0;
	r = object_get(catalog, from, &object);
	if (r < 0)
		return r;
	if (record->kind == TRACE_HANDLE)
		return note_version(catalog, object, from, object->begun++, 0);
	object->compressed = record->flags & TRACE_OBJECT_COMPRESSED;
	return 0;
}

static int pass_fail(char *error, const char *path, uint64_t off, int err)
{
	if (err == -ENOMEM)
		snprintf(error, CATALOG_ERROR_MAX, "%.200s: out of memory", path);
	else
		snprintf(error, CATALOG_ERROR_MAX,
			 "%.200s: offset %" PRIu64 ": more objects, versions, or requests at the "
			 "same time than are replayed",
			 path, off);
	return err == -ENOMEM ? err : -EBADMSG;
}

static int pass_run(struct catalog *catalog, struct trace_reader *reader, const char *path,
		    char *error)
{
	struct trace_record record;
	int r;

	while ((r = trace_reader_next(reader, &record, error)) > 0) {
		r = trace_outcomes_feed(catalog->outcomes, &record);
		if (r == 0)
			r = pass_note(catalog, &record);
		if (r < 0)
			return pass_fail(error, path, trace_reader_offset(reader), r);
	}
	if (r < 0)
		return r;
	r = trace_outcomes_finish(catalog->outcomes);
	return r < 0 ? pass_fail(error, path, trace_reader_offset(reader), r) : 0;
}

/* What no good open told: the object record says it, where there is one. */
static int pass_finish(struct catalog *catalog, struct trace_reader *reader)
{
	struct trace_requests *requests = trace_outcomes_requests(catalog->outcomes);
	struct trace_requests_stats stats = trace_requests_stats(requests);
	uint64_t off;
	int r = 0;

	for (size_t i = 0; r == 0 && i < trace_requests_objects(requests); i++) {
		struct trace_object *from = trace_requests_object(requests, i);
		struct catalog_object *object;

		r = object_get(catalog, from, &object);
		if (r < 0)
			return r;
		object->recorded = from->locator;
		if (object->n_versions == 0 && from->size_known)
			r = note_version(catalog, object, from, 0, 0);
	}
	catalog->lost = stats.lost;
	catalog->complete = stats.complete;
	catalog->rest = trace_reader_rest(reader, &off);
	return r;
}

int catalog_new(struct catalog **ret, const char *path, char *error)
{
	static const struct trace_outcomes_callbacks callbacks = {
		.begun = pass_begun,
		.ended = pass_ended,
		.judged = pass_judged,
	};
	_cleanup_(catalog_freep) struct catalog *catalog = calloc(1, sizeof(*catalog));
	struct trace_reader *reader = NULL;
	int r;

	if (strcmp(path, "-") == 0) {
		snprintf(error, CATALOG_ERROR_MAX,
			 "a trace is read twice to be replayed: it must be a file");
		return -EINVAL;
	}
	if (catalog)
		catalog->budget.max = INTERVALS;
	if (!catalog ||
	    trace_outcomes_new(&catalog->outcomes, &callbacks, catalog, &catalog->budget) < 0)
		return pass_fail(error, path, 0, -ENOMEM);
	r = trace_reader_new(&reader, path, error);
	if (r < 0)
		return r;
	r = pass_run(catalog, reader, path, error);
	if (r == 0) {
		r = pass_finish(catalog, reader);
		if (r < 0)
			r = pass_fail(error, path, trace_reader_offset(reader), r);
	}
	trace_reader_free(reader);
	if (r == 0)
		*ret = steal(&catalog);
	return r;
}

/* ---- locators ---------------------------------------------------------------------------- */

int catalog_resolve(struct catalog *catalog, const struct resolve_rule *rules, size_t n_rules)
{
	char locator[LOCATOR_MAX];

	for (size_t i = 0; i < catalog->n_objects; i++) {
		struct catalog_object *object = catalog->objects[i];
		size_t rule;

		if (resolve_key(rules, n_rules, object->volume, object->cookie, &rule, locator) !=
		    RESOLVE_OK)
			continue;
		object->rule = (uint32_t)rule;
		object->locator = strdup(locator);
		if (!object->locator)
			return -ENOMEM;
		if (catalog_find(catalog, locator))
			continue;
		HASH_ADD_KEYPTR(hh, catalog->by_locator, object->locator, strlen(object->locator),
				object);
		if (!table_has(object))
			return -ENOMEM;
	}
	return 0;
}

struct catalog_object *catalog_find(const struct catalog *catalog, const char *locator)
{
	struct catalog_object *object;

	HASH_FIND(hh, catalog->by_locator, locator, strlen(locator), object);
	return object;
}

char *catalog_name(const struct catalog_object *object, char *buf)
{
	size_t n;

	bytes_print(object->volume, buf, CATALOG_NAME_MAX / 2);
	n = strlen(buf);
	buf[n++] = '/';
	bytes_print(object->cookie, buf + n, CATALOG_NAME_MAX - n);
	return buf;
}
