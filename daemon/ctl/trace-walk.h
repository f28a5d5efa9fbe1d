/* SPDX-License-Identifier: MIT */
/*
 * Commands that look at each record of a trace in turn, and how far they have come.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/trace/file.h"

/*
 * "cachefillctl: 42 %" on a terminal, redrawn, while files of some size are read. Zero: silent.
 * The line is erased by trace_progress_end().
 */
struct trace_progress {
	uint64_t total, done; /* bytes */
	int percent;	      /* that is shown; 0: nothing is */
};

void trace_progress_expect(struct trace_progress *progress, const char *path);
void trace_progress_add(struct trace_progress *progress, uint64_t bytes);
void trace_progress_end(struct trace_progress *progress);

/*
 * Reads a trace from its beginning to its end; each() returns 0, or a negative errno, which ends
 * the walk; -ECANCELED when it has said itself what is wrong. Trouble is printed: CTL_OK or
 * CTL_FAILED. So is that a file is cut off, which is no failure.
 */
struct trace_walk {
	const char *path;
	struct trace_reader *reader; /* while it walks */
	bool progress;
	int (*each)(struct trace_walk *walk, const struct trace_record *record);
	void *arg;
};
int trace_walk(struct trace_walk *walk);

/* Says that a file that was read to its end is cut off, if it is. */
void trace_walk_tell_rest(const char *path, const struct trace_reader *reader);
