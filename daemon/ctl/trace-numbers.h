/* SPDX-License-Identifier: MIT */
/*
 * The numbers of several traces become numbers of one: messages, ids, objects and sources are
 * numbered anew, each from 1, in the order in which they appear. Objects of several traces that
 * have the same keys are one.
 */
#pragma once

#include <stdint.h>

#include "daemon/trace/names.h"
#include "proto/trace.h"

struct trace_numbers {
	struct trace_number *table; /* those that may appear again */
	struct trace_names names;   /* of objects; their number is `data` */
	uint64_t last[4];	    /* given, by kind of number */
};

void trace_numbers_deinit(struct trace_numbers *numbers);

/* Replaces the numbers of a record of the n-th trace. 0, -ENOMEM, or -E2BIG: too many are in use.
 */
int trace_numbers_apply(struct trace_numbers *numbers, uint32_t trace, struct trace_record *record);
