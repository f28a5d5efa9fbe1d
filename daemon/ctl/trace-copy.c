/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/trace-copy.h"

#include <stdlib.h>
#include <string.h>

struct copying {
	const struct trace_record *from;
	struct trace_record *to; /* NULL: only count */
	size_t bytes;
};

static void copy_field(void *arg, const char *name, enum trace_type type, const void *value)
{
	struct copying *c = arg;
	const struct bytes *from = value;
	struct bytes *to;

	if (type != TRACE_TEXT && type != TRACE_KEY)
		return;
	if (c->to && from->len) {
		uint8_t *data = (uint8_t *)(c->to + 1) + c->bytes;

		memcpy(data, from->data, from->len);
		to = (struct bytes *)((char *)c->to +
				      ((const char *)value - (const char *)c->from));
		*to = bytes_of(data, from->len);
	}
	c->bytes += from->len;
}

struct trace_record *trace_record_copy(const struct trace_record *record)
{
	struct copying c = { .from = record };

	trace_each_field(record, copy_field, &c);
	c.to = malloc(sizeof(*c.to) + c.bytes);
	if (!c.to)
		return NULL;
	*c.to = *record;
	c.to->name = trace_kind_name(record->kind);
	c.bytes = 0;
	trace_each_field(record, copy_field, &c);
	return c.to;
}
