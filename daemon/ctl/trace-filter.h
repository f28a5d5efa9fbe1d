/* SPDX-License-Identifier: MIT */
/*
 * Which part of a trace a command looks at: --from, --to and --object, for all commands that have
 * them. Times count from the first record; a glob is matched with "volume/cookie" in printable
 * form, and with the cookie alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/ctl/ctl.h"
#include "proto/trace.h"

#define TRACE_FILTER_GLOBS 64

struct trace_filter {
	uint64_t from, to; /* ns: from <= t, and t < to where it was given */
	bool has_to;
	const char *globs[TRACE_FILTER_GLOBS];
	size_t n_globs; /* 0: all objects, and what has none */
	uint64_t first; /* time of the first record */
	bool begun;
};

/* Rows for getopt_long(), whose values the command hands on to trace_filter_take(). */
enum { TRACE_FILTER_FROM = 1000, TRACE_FILTER_TO, TRACE_FILTER_OBJECT };

#define TRACE_FILTER_OPTIONS                                           \
	{ "from", required_argument, NULL, TRACE_FILTER_FROM },        \
		{ "to", required_argument, NULL, TRACE_FILTER_TO },    \
	{                                                              \
		"object", required_argument, NULL, TRACE_FILTER_OBJECT \
	}

/* These lines of --help. */
#define TRACE_FILTER_HELP                                                                  \
	"      --from TIME        from this time on, such as 1.5s, 20ms or 2min, since\n"  \
	"                         the first record\n"                                      \
	"      --to TIME          up to, but not including, this time\n"                   \
	"      --object GLOB      objects whose VOLUME/COOKIE or COOKIE matches; may be\n" \
	"                         repeated\n"

/* CTL_OK: taken; CTL_USAGE: it was one of ours, and what is wrong was printed; -1: not ours. */
int trace_filter_take(struct trace_filter *filter, const char *command, int opt);

/* ns since the first record, which is the first for which this is called. Only what was written
 * late is before it. */
int64_t trace_filter_since(struct trace_filter *filter, const struct trace_record *record);

bool trace_filter_time(const struct trace_filter *filter, int64_t since);
bool trace_filter_object(const struct trace_filter *filter, struct bytes volume,
			 struct bytes cookie);

/* "volume/cookie" as bytes_print() shows them; each is cut with "..." at half of n. Returns buf. */
#define TRACE_OBJECT_NAME_MAX 2200 /* whole names of keys as long as the kernel takes them */
char *trace_object_name(struct bytes volume, struct bytes cookie, char *buf, size_t n);
