/* SPDX-License-Identifier: MIT */
/*
 * One record as one line: for people, or as JSON.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/trace.h"

/* A record, and what the records before it tell about it. */
struct trace_line {
	const struct trace_record *record;
	uint64_t offset; /* in the file */
	int64_t since;	 /* ns since the first record */
	bool has_object;
	struct bytes volume, cookie; /* of its object, borrowed */
	bool has_after;
	uint64_t after; /* of an answer: ns since its message */
};

void trace_line_text(const struct trace_line *line);
/* 0 or -ENOMEM. */
int trace_line_json(const struct trace_line *line);
