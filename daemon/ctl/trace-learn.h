/* SPDX-License-Identifier: MIT */
/*
 * What was read in traces, for plans.
 */
#pragma once

#include "daemon/ctl/trace-filter.h"
#include "daemon/trace/plan.h"

/* One more trace, as far as the filter lets it through. CTL_FAILED with the error printed. */
int trace_learn(struct trace_plan *plan, struct trace_filter *filter, const char *path);
