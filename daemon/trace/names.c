/* SPDX-License-Identifier: MIT */
#include "daemon/trace/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct trace_source {
	uint32_t number;
	char *name; /* owned; NULL: empty */
	UT_hash_handle hh;
};

static struct trace_object *object_free(struct trace_object *object)
{
	free(object->key);
	free(object->locator);
	free(object->validator);
	free(object->source);
	free(object);
	return NULL;
}

void trace_names_deinit(struct trace_names *names)
{
	struct trace_handle *handle, *next_handle;
	struct trace_source *source, *next_source;

	HASH_ITER(hh, names->handles, handle, next_handle)
		trace_names_remove_handle(names, handle);
	HASH_ITER(hh, names->sources, source, next_source) {
		HASH_DEL(names->sources, source);
		free(source->name);
		free(source);
	}
	HASH_CLEAR(hh_number, names->by_number);
	HASH_CLEAR(hh, names->by_key);
	for (size_t i = 0; i < names->n_objects; i++)
		object_free(names->objects[i]);
	free(names->objects);
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

static int objects_reserve(struct trace_names *names)
{
	size_t n = names->n_allocated ? 2 * names->n_allocated : 64;
	struct trace_object **objects;

	if (names->n_objects == TRACE_OBJECTS_MAX)
		return -E2BIG;
	if (names->n_objects < names->n_allocated)
		return 0;
	objects = reallocarray(names->objects, n, sizeof(struct trace_object *));
	if (!objects)
		return -ENOMEM;
	names->objects = objects;
	names->n_allocated = n;
	return 0;
}

/* `key` is consumed on success. */
static int object_add(struct trace_names *names, uint8_t *key, size_t key_len, size_t volume_len,
		      struct trace_object **ret)
{
	struct trace_object *object;
	size_t volume_off = sizeof(uint64_t);
	int r = objects_reserve(names);

	if (r < 0)
		return r;
	object = calloc(1, sizeof(*object));
	if (!object)
		return -ENOMEM;
	object->index = (uint32_t)names->n_objects;
	object->key = key;
	object->volume = bytes_of(key + volume_off, volume_len);
	object->cookie = bytes_of(key + volume_off + volume_len, key_len - volume_off - volume_len);
	HASH_ADD_KEYPTR(hh, names->by_key, object->key, key_len, object);
	if (!table_has(object)) {
		free(object);
		return -ENOMEM;
	}
	names->objects[names->n_objects++] = object;
	*ret = object;
	return 0;
}

int trace_names_object(struct trace_names *names, struct bytes volume, struct bytes cookie,
		       bool make, struct trace_object **ret)
{
	struct trace_object *object;
	uint8_t *key;
	size_t len;
	int r = 0;

	key = join_keys(volume, cookie, &len);
	if (!key)
		return -ENOMEM;
	HASH_FIND(hh, names->by_key, key, len, object);
	if (!object && make)
		r = object_add(names, key, len, volume.len, &object);
	if (!object || object->key != key)
		free(key);
	if (r == 0)
		*ret = object;
	return r;
}

struct trace_object *trace_names_by_number(const struct trace_names *names, uint64_t number)
{
	struct trace_object *object;

	HASH_FIND(hh_number, names->by_number, &number, sizeof(number), object);
	return object;
}

/* Empty is not known. */
static int text_set(char **text, struct bytes value)
{
	char *copy = NULL;

	if (value.len > 0) {
		copy = strndup((const char *)value.data, value.len);
		if (!copy)
			return -ENOMEM;
	}
	free(*text);
	*text = copy;
	return 0;
}

/* An object that is opened again, after all have closed it, gets a new number. */
static int object_set_number(struct trace_names *names, struct trace_object *object,
			     uint64_t number)
{
	if (object->hh_number.tbl) {
		HASH_DELETE(hh_number, names->by_number, object);
		object->hh_number.tbl = NULL;
	}
	object->number = number;
	HASH_ADD(hh_number, names->by_number, number, sizeof(object->number), object);
	return object->hh_number.tbl ? 0 : -ENOMEM;
}

int trace_names_feed_object(struct trace_names *names, const struct trace_record *record)
{
	struct trace_object *object, *owner = trace_names_by_number(names, record->object);
	struct trace_source *source;
	int r = trace_names_object(names, record->volume, record->cookie, true, &object);

	if (r < 0)
		return r;
	if (owner && owner != object)
		return TRACE_STRAY; /* numbers are never given again */
	if (!owner)
		r = object_set_number(names, object, record->object);
	object->size = record->size;
	object->size_known = true;
	HASH_FIND(hh, names->sources, &record->source, sizeof(record->source), source);
	if (r == 0 && source && source->name)
		r = text_set(&object->source, bytes_str(source->name));
	if (r == 0)
		r = text_set(&object->locator, record->locator);
	if (r == 0)
		r = text_set(&object->validator, record->validator);
	return r;
}

int trace_names_feed_source(struct trace_names *names, const struct trace_record *record)
{
	struct trace_source *source;

	HASH_FIND(hh, names->sources, &record->source, sizeof(record->source), source);
	if (!source) {
		if (HASH_COUNT(names->sources) >= TRACE_SOURCES_MAX)
			return -E2BIG;
		source = calloc(1, sizeof(*source));
		if (!source)
			return -ENOMEM;
		source->number = record->source;
		HASH_ADD(hh, names->sources, number, sizeof(source->number), source);
		if (!table_has(source)) {
			free(source);
			return -ENOMEM;
		}
	}
	return text_set(&source->name, record->text);
}

/* ---- handles ----------------------------------------------------------------------------- */

struct trace_handle *trace_names_handle(const struct trace_names *names, uint32_t id)
{
	struct trace_handle *handle;

	HASH_FIND(hh, names->handles, &id, sizeof(id), handle);
	return handle;
}

int trace_names_add_handle(struct trace_names *names, uint32_t id, struct trace_object *object,
			   bool open)
{
	struct trace_handle *handle = trace_names_handle(names, id);
	const bool stray = handle != NULL;

	if (!handle) {
		if (HASH_COUNT(names->handles) >= TRACE_HANDLES_MAX)
			return -E2BIG;
		handle = calloc(1, sizeof(*handle));
		if (!handle)
			return -ENOMEM;
		handle->id = id;
		HASH_ADD(hh, names->handles, id, sizeof(handle->id), handle);
		if (!table_has(handle)) {
			free(handle);
			return -ENOMEM;
		}
	}
	handle->object = object;
	handle->open = open;
	return stray ? TRACE_STRAY : 0;
}

void trace_names_remove_handle(struct trace_names *names, struct trace_handle *handle)
{
	HASH_DEL(names->handles, handle);
	free(handle);
}
