/* SPDX-License-Identifier: MIT */
/*
 * Traces by hand: the frame as cachefill-trace(5) says it, written without the encoder, around
 * schemas and bodies that the encoder would not write. And records filled at random.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <xxhash.h>

#include "proto/trace.h"

/* ---- the frame --------------------------------------------------------------------------- */

struct raw {
	uint8_t data[1 << 17];
	size_t len;
};

static inline void raw_le(struct raw *raw, uint64_t v, size_t size)
{
	for (size_t i = 0; i < size; i++)
		raw->data[raw->len++] = (uint8_t)(v >> 8 * i);
}

static inline void raw_bytes(struct raw *raw, const void *data, size_t n)
{
	memcpy(raw->data + raw->len, data, n);
	raw->len += n;
}

static inline void raw_varint(struct raw *raw, uint64_t v)
{
	for (; v > 127; v /= 128)
		raw_le(raw, v % 128 + 128, 1);
	raw_le(raw, v, 1);
}

/* Empties it first. */
static inline void raw_header(struct raw *raw, uint32_t version, uint32_t order, const char *schema)
{
	raw->len = 0;
	raw_bytes(raw,
		  "\x89"
		  "CFT\r\n\x1a\n",
		  8);
	raw_le(raw, version, 4);
	raw_le(raw, order, 4);
	raw_le(raw, strlen(schema), 4);
	raw_bytes(raw, schema, strlen(schema));
	raw_le(raw, XXH3_64bits(raw->data, raw->len), 8);
}

static inline void raw_schema(struct raw *raw, const char *schema)
{
	raw_header(raw, 1, 0x01020304, schema);
}

static inline void raw_record(struct raw *raw, const void *body, size_t n)
{
	size_t start = raw->len;

	raw_varint(raw, n);
	raw_bytes(raw, body, n);
	raw_le(raw, XXH3_64bits_withSeed(raw->data + start, raw->len - start, start), 4);
}

/* ---- random records ---------------------------------------------------------------------- */

struct random {
	uint64_t state; /* not 0 */
	uint8_t noise[3000];
};

static inline uint64_t random_next(struct random *random)
{
	random->state ^= random->state << 13;
	random->state ^= random->state >> 7;
	random->state ^= random->state << 17;
	return random->state;
}

/* As many small numbers as large ones, and the largest. */
static inline uint64_t random_number(struct random *random)
{
	uint64_t v = random_next(random);

	return v % 16 == 0 ? UINT64_MAX : v >> random_next(random) % 64;
}

static inline void random_field(void *arg, const char *name, enum trace_type type,
				const void *value)
{
	struct random *random = arg;
	void *member = (void *)(uintptr_t)value;
	uint64_t v = random_number(random);

	switch (type) {
	case TRACE_U32:
		*(uint32_t *)member = (uint32_t)v;
		break;
	case TRACE_U64:
		*(uint64_t *)member = v;
		break;
	case TRACE_S32:
		*(int32_t *)member = (int32_t)v;
		break;
	default:
		*(struct bytes *)member = bytes_of(random->noise, v % sizeof(random->noise));
	}
}

/* Of any kind; its bytes are in `random`. The time goes back now and then. */
static inline struct trace_record random_record(struct random *random, uint64_t time)
{
	struct trace_record record = {
		.kind = (enum trace_kind)(1 + random_next(random) % (TRACE_KINDS - 1)),
		.time = time + random_number(random),
	};

	for (size_t i = 0; i < 64; i++)
		random->noise[random_next(random) % sizeof(random->noise)] =
			(uint8_t)random_next(random);
	trace_each_field(&record, random_field, random);
	return record;
}

static inline bool records_equal(const struct trace_record *a, const struct trace_record *b)
{
	return a->kind == b->kind && a->time == b->time && a->msg == b->msg && a->id == b->id &&
	       a->flags == b->flags && a->opcode == b->opcode && a->source == b->source &&
	       a->class == b->class && a->object == b->object && a->off == b->off &&
	       a->len == b->len && a->got == b->got && a->size == b->size &&
	       a->queued == b->queued && a->took == b->took && a->count == b->count &&
	       a->realtime == b->realtime && a->error == b->error && a->result == b->result &&
	       bytes_equal(a->volume, b->volume) && bytes_equal(a->cookie, b->cookie) &&
	       bytes_equal(a->locator, b->locator) && bytes_equal(a->validator, b->validator) &&
	       bytes_equal(a->program, b->program) && bytes_equal(a->kernel, b->kernel) &&
	       bytes_equal(a->text, b->text);
}
