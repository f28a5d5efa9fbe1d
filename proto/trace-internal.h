/* SPDX-License-Identifier: MIT */
/*
 * What writing and reading of traces share: the table of kinds and fields, and the layout.
 */
#pragma once

#include "proto/trace.h"

struct trace_field {
	const char *name; /* NULL: the one before was the last */
	enum trace_type type;
	size_t offset; /* in struct trace_record */
};

#define TRACE_FIELDS_MAX 8 /* of a kind of ours */

struct trace_kind_row {
	const char *name;
	struct trace_field fields[TRACE_FIELDS_MAX + 1];
};

/* Written into every header, and the only place that knows which kind has which fields. */
extern const struct trace_kind_row trace_kind_rows[TRACE_KINDS];
extern const char *const trace_type_names[TRACE_TYPES];

/* All numbers of the frame are little-endian. */
#define TRACE_ORDER	   0x01020304u
#define TRACE_ORDER_OTHER  0x04030201u
#define TRACE_OFF_VERSION  8
#define TRACE_OFF_ORDER	   12
#define TRACE_OFF_LENGTH   16
#define TRACE_OFF_SCHEMA   20
#define TRACE_HEADER_FRAME (TRACE_OFF_SCHEMA + 8) /* all but the schema */
#define TRACE_VARINT_MAX   10
#define TRACE_CHECKSUM_LEN 4

/*
 * As that of PNG: the first byte shows a channel of seven bits, the line ends one that translates
 * them, and ^Z ends what somebody types out.
 */
#define TRACE_MAGIC	"\211CFT\r\n\032\n"
#define TRACE_MAGIC_LEN 8

uint32_t trace_checksum(const void *data, size_t n, uint64_t off);
