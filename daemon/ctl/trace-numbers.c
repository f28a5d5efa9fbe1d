/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/trace-numbers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/table.h"
#include "proto/cachefiles-abi.h"

/* Requests that wait, ids that are open, objects: of all traces together. */
#define NUMBERS_MAX (4u << 20)

enum space { MESSAGE, ID, OBJECT, SOURCE };

struct key {
	uint32_t trace, space;
	uint64_t old;
};

struct trace_number {
	struct key key;
	uint64_t now;
	struct {
		uint32_t old, now;
	} id; /* of a message: which its answer names */
	UT_hash_handle hh;
};

void trace_numbers_deinit(struct trace_numbers *numbers)
{
	struct trace_number *number, *next;

	HASH_ITER(hh, numbers->table, number, next) {
		HASH_DEL(numbers->table, number);
		free(number);
	}
	trace_names_deinit(&numbers->names);
}

static struct trace_number *find(struct trace_numbers *numbers, const struct key *key)
{
	struct trace_number *number;

	HASH_FIND(hh, numbers->table, key, sizeof(*key), number);
	return number;
}

static int add(struct trace_numbers *numbers, const struct key *key, struct trace_number **ret)
{
	struct trace_number *number;

	if (HASH_COUNT(numbers->table) >= NUMBERS_MAX)
		return -E2BIG;
	number = calloc(1, sizeof(*number));
	if (!number)
		return -ENOMEM;
	number->key = *key;
	HASH_ADD(hh, numbers->table, key, sizeof(number->key), number);
	if (!table_has(number)) {
		free(number);
		return -ENOMEM;
	}
	*ret = number;
	return 0;
}

/* From now on, the old number means a new one. */
static int begin(struct trace_numbers *numbers, struct key key, uint64_t *ret)
{
	struct trace_number *number = find(numbers, &key);
	int r = number ? 0 : add(numbers, &key, &number);

	if (r < 0)
		return r;
	number->now = ++numbers->last[key.space];
	*ret = number->now;
	return 0;
}

/* What a number means that was begun, or was never explained. */
static int look_up(struct trace_numbers *numbers, struct key key, uint64_t *ret)
{
	struct trace_number *number = find(numbers, &key);

	if (!number)
		return begin(numbers, key, ret);
	*ret = number->now;
	return 0;
}

/* The same for the last time. */
static int end(struct trace_numbers *numbers, struct key key, uint64_t *ret)
{
	struct trace_number *number = find(numbers, &key);

	*ret = number ? number->now : ++numbers->last[key.space];
	if (number) {
		HASH_DEL(numbers->table, number);
		free(number);
	}
	return 0;
}

/* What nobody refers to. */
static int pass(struct trace_numbers *numbers, struct key key, uint64_t *ret)
{
	*ret = ++numbers->last[key.space];
	return 0;
}

typedef int number_step(struct trace_numbers *numbers, struct key key, uint64_t *ret);

/* What happens to the numbers of a kind; NULL: it has none. A CLOSE has no answer. */
static const struct steps {
	number_step *message, *id, *object, *source;
} steps[TRACE_KINDS] = {
	[TRACE_SOURCE] = { .source = look_up },
	[TRACE_OBJECT] = { .source = look_up }, /* and describe() */
	[TRACE_HANDLE] = { .id = begin, .object = look_up },
	[TRACE_OPEN] = { .message = begin, .id = begin },
	[TRACE_READ] = { .message = begin, .id = look_up },
	[TRACE_CLOSE] = { .message = pass, .id = look_up },
	[TRACE_BAD] = { .message = begin, .id = look_up },
	[TRACE_COPEN] = { .message = end },
	[TRACE_COMPLETE] = { .message = end, .id = look_up },
	[TRACE_RELEASE] = { .id = end },
	[TRACE_LOOK] = { .source = look_up },
	[TRACE_FETCH] = { .object = look_up },
	[TRACE_STORE] = { .object = look_up },
};

/* A message that made no sense is answered if it was meant as one that is. */
static const struct steps *steps_of(const struct trace_record *record)
{
	if (record->kind == TRACE_BAD && record->opcode != CACHEFILES_OP_OPEN &&
	    record->opcode != CACHEFILES_OP_READ)
		return &steps[TRACE_CLOSE];
	return &steps[record->kind];
}

static int apply(struct trace_numbers *numbers, number_step *step, struct key key, uint64_t *ret)
{
	*ret = key.old;
	return step ? step(numbers, key, ret) : 0;
}

/*
 * The numbers of a message and of an id. A READ may still wait when its id is released, or given
 * anew: its answer names what the READ has named.
 */
static int apply_message(struct trace_numbers *numbers, uint32_t trace, struct trace_record *record)
{
	const struct key key = { trace, MESSAGE, record->msg };
	const struct steps *step = steps_of(record);
	struct trace_number *message = find(numbers, &key);
	uint64_t now, id;
	int r = 0;

	if (record->kind == TRACE_COMPLETE && message && message->id.old == record->id)
		id = message->id.now;
	else
		r = apply(numbers, step->id, (struct key){ trace, ID, record->id }, &id);
	if (r == 0)
		r = apply(numbers, step->message, key, &now);
	if (r < 0)
		return r;
	if (step->message == begin) {
		message = find(numbers, &key);
		message->id.old = record->id;
		message->id.now = (uint32_t)id;
	}
	record->msg = (uint32_t)now;
	record->id = (uint32_t)id;
	return 0;
}

/*
 * Whoever reads a trace knows an object by its keys, and takes the last number that it got for the
 * only one. So an object of several traces has one number; others refer to it by their own.
 */
static int describe(struct trace_numbers *numbers, uint32_t trace, struct trace_record *record)
{
	const struct key key = { trace, OBJECT, record->object };
	struct trace_number *number = find(numbers, &key);
	struct trace_object *object;
	int r = trace_names_object(&numbers->names, record->volume, record->cookie, true, &object);

	if (r == 0 && !number)
		r = add(numbers, &key, &number);
	if (r < 0)
		return r;
	if (!object->data)
		object->data = (void *)(uintptr_t)++numbers->last[OBJECT];
	number->now = (uintptr_t)object->data;
	record->object = number->now;
	return 0;
}

int trace_numbers_apply(struct trace_numbers *numbers, uint32_t trace, struct trace_record *record)
{
	uint64_t source;
	int r = apply_message(numbers, trace, record);

	if (r == 0 && record->kind == TRACE_OBJECT)
		r = describe(numbers, trace, record);
	else if (r == 0)
		r = apply(numbers, steps[record->kind].object,
			  (struct key){ trace, OBJECT, record->object }, &record->object);
	if (r == 0)
		r = apply(numbers, steps[record->kind].source,
			  (struct key){ trace, SOURCE, record->source }, &source);
	if (r == 0)
		record->source = (uint32_t)source;
	return r;
}
