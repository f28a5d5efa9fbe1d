/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "proto/trace-internal.h"

/* ---- numbers ----------------------------------------------------------------------------- */

static uint64_t zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static size_t varint_size(uint64_t v)
{
	return (size_t)(63 - __builtin_clzll(v | 1)) / 7 + 1;
}

static uint8_t *put_varint(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

static uint8_t *put_le(uint8_t *p, uint64_t v, size_t size)
{
	for (size_t i = 0; i < size; i++)
		*p++ = (uint8_t)(v >> 8 * i);
	return p;
}

/* ---- header ------------------------------------------------------------------------------ */

static size_t write_schema(char *buf, size_t n)
{
	size_t used = 0;

	for (size_t k = TRACE_UNKNOWN + 1; k < TRACE_KINDS; k++) {
		const struct trace_kind_row *row = &trace_kind_rows[k];

		used += (size_t)snprintf(buf + used, n - used, "%zu %s", k, row->name);
		for (const struct trace_field *f = row->fields; f->name; f++)
			used += (size_t)snprintf(buf + used, n - used, " %s:%s", f->name,
						 trace_type_names[f->type]);
		used += (size_t)snprintf(buf + used, n - used, "\n");
		assert(used < n);
	}
	return used;
}

size_t trace_encode_header(struct trace_encoder *encoder, void *buf, size_t n)
{
	uint8_t *start = buf, *p = start + TRACE_OFF_SCHEMA;

	assert(n >= TRACE_HEADER_MAX);
	p += write_schema((char *)p, TRACE_HEADER_MAX - TRACE_HEADER_FRAME);
	memcpy(start, TRACE_MAGIC, TRACE_MAGIC_LEN);
	put_le(start + TRACE_OFF_VERSION, TRACE_VERSION, 4);
	put_le(start + TRACE_OFF_ORDER, TRACE_ORDER, 4);
	put_le(start + TRACE_OFF_LENGTH, (uint64_t)(p - start) - TRACE_OFF_SCHEMA, 4);
	p = put_le(p, XXH3_64bits(start, (size_t)(p - start)), 8);
	encoder->off += (uint64_t)(p - start);
	return (size_t)(p - start);
}

/* ---- writing records --------------------------------------------------------------------- */

/* A number as it is encoded; of text and keys, the length. */
static uint64_t field_number(const struct trace_record *record, const struct trace_field *field)
{
	const void *value = (const char *)record + field->offset;

	switch (field->type) {
	case TRACE_U32:
		return *(const uint32_t *)value;
	case TRACE_U64:
		return *(const uint64_t *)value;
	case TRACE_S32:
		return zigzag(*(const int32_t *)value);
	default:
		return ((const struct bytes *)value)->len;
	}
}

static const struct bytes *field_bytes(const struct trace_record *record,
				       const struct trace_field *field)
{
	if (field->type != TRACE_TEXT && field->type != TRACE_KEY)
		return NULL;
	return (const void *)((const char *)record + field->offset);
}

/* Above TRACE_RECORD_MAX, and no matter by how much, when a part is. */
static size_t body_size(const struct trace_record *record, uint64_t delta)
{
	size_t size = varint_size(record->kind) + varint_size(delta);

	for (const struct trace_field *f = trace_kind_rows[record->kind].fields; f->name; f++) {
		const struct bytes *bytes = field_bytes(record, f);

		size += varint_size(field_number(record, f));
		if (bytes && bytes->len > TRACE_RECORD_MAX)
			return TRACE_RECORD_MAX + 1;
		if (bytes)
			size += bytes->len;
	}
	return size;
}

static uint8_t *put_body(uint8_t *p, const struct trace_record *record, uint64_t delta)
{
	p = put_varint(p, record->kind);
	p = put_varint(p, delta);
	for (const struct trace_field *f = trace_kind_rows[record->kind].fields; f->name; f++) {
		const struct bytes *bytes = field_bytes(record, f);

		p = put_varint(p, field_number(record, f));
		if (bytes && bytes->len > 0)
			p = (uint8_t *)memcpy(p, bytes->data, bytes->len) + bytes->len;
	}
	return p;
}

size_t trace_encode(struct trace_encoder *encoder, void *buf, size_t n,
		    const struct trace_record *record)
{
	uint64_t delta = zigzag((int64_t)(record->time - encoder->time));
	uint8_t *start = buf, *p = start;
	size_t body, size;

	if (record->kind <= TRACE_UNKNOWN || record->kind >= TRACE_KINDS)
		return 0;
	body = body_size(record, delta);
	size = varint_size(body) + body + TRACE_CHECKSUM_LEN;
	if (size > n || size > TRACE_RECORD_MAX)
		return 0;

	p = put_varint(p, body);
	p = put_body(p, record, delta);
	p = put_le(p, trace_checksum(start, (size_t)(p - start), encoder->off), TRACE_CHECKSUM_LEN);
	assert((size_t)(p - start) == size);
	encoder->time = record->time;
	encoder->off += size;
	return size;
}
