/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <xxhash.h>

#include "proto/trace-internal.h"

/* ---- a cursor ---------------------------------------------------------------------------- */

struct cursor {
	const uint8_t *p, *end;
};

static uint64_t get_le(const uint8_t *p, size_t size)
{
	uint64_t v = 0;

	for (size_t i = 0; i < size; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

static int64_t unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1 ^ -(v & 1));
}

static bool get_varint(struct cursor *c, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; c->p < c->end && shift < 64; shift += 7) {
		uint8_t byte = *c->p++;

		if (shift == 63 && byte > 1)
			return false; /* past 64 bits */
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret = v;
			return true;
		}
	}
	return false;
}

/* ---- schema ------------------------------------------------------------------------------ */

/* Names are printed: nothing but these. */
static bool in_name(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool get_char(struct cursor *c, uint8_t want)
{
	if (c->p == c->end || *c->p != want)
		return false;
	c->p++;
	return true;
}

static bool get_name(struct cursor *c, char name[TRACE_NAME_MAX])
{
	size_t n = 0;

	for (; c->p < c->end && in_name(*c->p) && n < TRACE_NAME_MAX; n++)
		name[n] = (char)*c->p++;
	if (n == 0 || n == TRACE_NAME_MAX)
		return false;
	name[n] = '\0';
	return true;
}

/* Decimal and below TRACE_SCHEMA_KINDS. */
static bool get_number(struct cursor *c, size_t *ret)
{
	const uint8_t *start = c->p;
	size_t v = 0;

	for (; c->p < c->end && *c->p >= '0' && *c->p <= '9' && v < TRACE_SCHEMA_KINDS; c->p++)
		v = v * 10 + (*c->p - (size_t)'0');
	*ret = v;
	return c->p > start && v < TRACE_SCHEMA_KINDS;
}

static enum trace_type type_of(const char *name)
{
	enum trace_type type = 0;

	while (type < TRACE_TYPES && strcmp(name, trace_type_names[type]) != 0)
		type++;
	return type;
}

/*
 * One " FIELD:TYPE". A type that we do not know could not be passed over, and a field of ours with
 * another type is not the field of ours. `taken`: the fields of ours that this line had already.
 */
static bool get_field(struct cursor *c, struct trace_schema_kind *schema, uint32_t *taken)
{
	const struct trace_field *ours = trace_kind_rows[schema->kind].fields;
	char name[TRACE_NAME_MAX], type_name[TRACE_NAME_MAX];
	struct trace_schema_field *field;
	size_t i = 0;

	if (schema->n_fields == TRACE_SCHEMA_FIELDS)
		return false;
	if (!get_name(c, name) || !get_char(c, ':') || !get_name(c, type_name))
		return false;
	field = &schema->field[schema->n_fields++];
	field->type = (uint8_t)type_of(type_name);
	if (field->type == TRACE_TYPES)
		return false;

	while (ours[i].name && strcmp(ours[i].name, name) != 0)
		i++;
	if (!ours[i].name)
		return true;
	if (ours[i].type != field->type || *taken & 1u << i)
		return false;
	*taken |= 1u << i;
	field->known = (uint8_t)(i + 1);
	return true;
}

static enum trace_kind kind_of(const char *name)
{
	for (enum trace_kind kind = TRACE_UNKNOWN + 1; kind < TRACE_KINDS; kind++)
		if (strcmp(name, trace_kind_rows[kind].name) == 0)
			return kind;
	return TRACE_UNKNOWN;
}

/* `taken`: the kinds of ours that the schema had already. */
static bool get_line(struct cursor *c, struct trace_decoder *decoder, uint32_t *taken)
{
	struct trace_schema_kind *schema;
	uint32_t fields = 0;
	size_t number;

	if (!get_number(c, &number) || !get_char(c, ' '))
		return false;
	schema = &decoder->schema[number];
	if (schema->name[0] || !get_name(c, schema->name))
		return false;
	schema->kind = kind_of(schema->name);
	if (schema->kind != TRACE_UNKNOWN && *taken & 1u << schema->kind)
		return false;
	*taken |= 1u << schema->kind;

	while (get_char(c, ' '))
		if (!get_field(c, schema, &fields))
			return false;
	return get_char(c, '\n');
}

/* ---- header ------------------------------------------------------------------------------ */

static_assert(sizeof(TRACE_MAGIC) == TRACE_MAGIC_LEN + 1, "magic");

/* Whether the name is there after the byte in front of it has become none, or up to three. */
static enum trace_verdict check_mangled(const uint8_t *data, size_t n)
{
	enum trace_verdict verdict = TRACE_NOT_A_TRACE;

	for (size_t i = 0; i <= 3; i++) {
		size_t rest = i < n ? n - i : 0;

		if (rest > 0 && memcmp(data + i, "CFT", rest < 3 ? rest : 3) != 0)
			continue;
		if (rest >= 3)
			return TRACE_MANGLED;
		verdict = TRACE_MORE;
	}
	return verdict;
}

static enum trace_verdict check_magic(const uint8_t *data, size_t n)
{
	if (memcmp(data, TRACE_MAGIC, n < TRACE_MAGIC_LEN ? n : TRACE_MAGIC_LEN) != 0)
		return check_mangled(data, n);
	return n < TRACE_MAGIC_LEN ? TRACE_MORE : TRACE_OK;
}

/* What comes in front of the schema. */
static enum trace_verdict check_frame(struct trace_decoder *decoder, const uint8_t *data, size_t n)
{
	enum trace_verdict verdict = check_magic(data, n);
	uint64_t order;

	if (verdict != TRACE_OK)
		return verdict;
	if (n < TRACE_OFF_SCHEMA)
		return TRACE_MORE;
	order = get_le(data + TRACE_OFF_ORDER, 4);
	decoder->version = (uint32_t)get_le(data + TRACE_OFF_VERSION, 4);
	if (order != TRACE_ORDER)
		return order == TRACE_ORDER_OTHER ? TRACE_BAD_ORDER : TRACE_BAD_CHECKSUM;
	if (decoder->version != TRACE_VERSION)
		return TRACE_BAD_VERSION;
	if (get_le(data + TRACE_OFF_LENGTH, 4) > TRACE_HEADER_LIMIT - TRACE_HEADER_FRAME)
		return TRACE_BAD_SCHEMA;
	return TRACE_OK;
}

enum trace_verdict trace_decode_header(struct trace_decoder *decoder, const void *buf, size_t n,
				       size_t *used)
{
	const uint8_t *data = buf;
	enum trace_verdict verdict;
	uint32_t taken = 0;
	struct cursor c;
	size_t len;

	memset(decoder, 0, sizeof(*decoder));
	verdict = check_frame(decoder, data, n);
	if (verdict != TRACE_OK)
		return verdict;
	len = TRACE_OFF_SCHEMA + (size_t)get_le(data + TRACE_OFF_LENGTH, 4);
	if (n - 8 < len)
		return TRACE_MORE;
	if (XXH3_64bits(data, len) != get_le(data + len, 8))
		return TRACE_BAD_CHECKSUM;

	c = (struct cursor){ data + TRACE_OFF_SCHEMA, data + len };
	while (c.p < c.end)
		if (!get_line(&c, decoder, &taken))
			return TRACE_BAD_SCHEMA;
	*used = len + 8;
	decoder->off = *used;
	return TRACE_OK;
}

/* ---- records ----------------------------------------------------------------------------- */

/*
 * How long the record is. The bytes may end anywhere: TRACE_MORE only as long as the length can
 * still become one that we take.
 */
static enum trace_verdict frame(const uint8_t *data, size_t n, size_t *body, size_t *body_len)
{
	size_t i = 0, len = 0;

	do {
		if (i == TRACE_VARINT_MAX)
			return TRACE_BAD_LENGTH;
		if (i == n)
			return TRACE_MORE;
		if (i >= 3 && (data[i] & 0x7f))
			return TRACE_BAD_LENGTH; /* 2^21 and more */
		if (i < 3)
			len |= (size_t)(data[i] & 0x7f) << 7 * i;
	} while (data[i++] & 0x80);
	if (len == 0 || i + len + TRACE_CHECKSUM_LEN > TRACE_RECORD_MAX)
		return TRACE_BAD_LENGTH;
	*body = i;
	*body_len = len;
	return n < i + len + TRACE_CHECKSUM_LEN ? TRACE_MORE : TRACE_OK;
}

/* `value` is the member, or NULL for a field that we do not know. */
static bool get_value(struct cursor *c, enum trace_type type, void *value)
{
	uint64_t v;

	if (!get_varint(c, &v))
		return false;
	switch (type) {
	case TRACE_U32:
		if (v > UINT32_MAX)
			return false;
		if (value)
			*(uint32_t *)value = (uint32_t)v;
		return true;
	case TRACE_U64:
		if (value)
			*(uint64_t *)value = v;
		return true;
	case TRACE_S32:
		if (v > UINT32_MAX)
			return false;
		if (value)
			*(int32_t *)value = (int32_t)unzigzag(v);
		return true;
	default:
		if (v > (size_t)(c->end - c->p))
			return false;
		if (value)
			*(struct bytes *)value = bytes_of(c->p, (size_t)v);
		c->p += v;
		return true;
	}
}

static bool get_body(struct cursor *c, const struct trace_decoder *decoder,
		     struct trace_record *ret)
{
	const struct trace_schema_kind *schema;
	const struct trace_field *ours;
	uint64_t number, delta;

	if (!get_varint(c, &number) || !get_varint(c, &delta) || number >= TRACE_SCHEMA_KINDS)
		return false;
	schema = &decoder->schema[number];
	if (!schema->name[0])
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->kind = schema->kind;
	ret->name = schema->name;
	ret->time = decoder->time + (uint64_t)unzigzag(delta);

	ours = trace_kind_rows[schema->kind].fields;
	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct trace_schema_field *field = &schema->field[i];
		void *value = NULL;

		if (field->known)
			value = (char *)ret + ours[field->known - 1].offset;
		if (!get_value(c, field->type, value))
			return false;
	}
	return c->p == c->end;
}

enum trace_verdict trace_decode(struct trace_decoder *decoder, const void *buf, size_t n,
				size_t *used, struct trace_record *ret)
{
	const uint8_t *data = buf;
	size_t body, body_len, len;
	enum trace_verdict verdict = frame(data, n, &body, &body_len);
	struct cursor c;

	if (verdict != TRACE_OK)
		return verdict;
	len = body + body_len;
	if (trace_checksum(data, len, decoder->off) != get_le(data + len, TRACE_CHECKSUM_LEN))
		return TRACE_BAD_CHECKSUM;
	c = (struct cursor){ data + body, data + len };
	if (!get_body(&c, decoder, ret))
		return TRACE_BAD_RECORD;

	*used = len + TRACE_CHECKSUM_LEN;
	decoder->time = ret->time;
	decoder->off += *used;
	return TRACE_OK;
}
