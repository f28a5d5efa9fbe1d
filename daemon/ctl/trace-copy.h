/* SPDX-License-Identifier: MIT */
/*
 * A record that outlives its reader.
 */
#pragma once

#include "proto/trace.h"

/* One allocation, to be freed with free(); NULL: no memory. */
struct trace_record *trace_record_copy(const struct trace_record *record);
