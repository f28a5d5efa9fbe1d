/* SPDX-License-Identifier: MIT */
/*
 * The trace that a command writes: whole or not at all.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/trace/file.h"

struct trace_output {
	const char *path; /* borrowed; "-": standard output */
	bool force;	  /* put in the place of a file that exists, once it is whole */
	uint64_t records; /* written */
	uint64_t time;	  /* of the last one */
	char *temporary;  /* owned; NULL: `path` itself is written */
	struct trace_writer *writer;
};

/* A row for getopt_long(), and its line of --help. */
enum { TRACE_OUTPUT_FORCE = 2000 };
#define TRACE_OUTPUT_OPTIONS                                   \
	{ "output", required_argument, NULL, 'o' },            \
	{                                                      \
		"force", no_argument, NULL, TRACE_OUTPUT_FORCE \
	}
#define TRACE_OUTPUT_HELP                                                \
	"  -o, --output OUT       write there; '-' is standard output\n" \
	"      --force            put it in the place of an OUT that exists\n"

/* CTL_OK: taken; -1: not one of these. */
int trace_output_take(struct trace_output *output, int opt);

/* CTL_OK, or CTL_FAILED or CTL_USAGE after it has said why. A file that was begun is removed by
 * trace_output_abort(), and by a signal that ends the program. */
int trace_output_open(struct trace_output *output, const char *command);

/* 0, or -ECANCELED after it has said why. */
int trace_output_put(struct trace_output *output, const struct trace_record *record);

/* An end record, if wanted, and the file gets its name. CTL_OK or CTL_FAILED. */
int trace_output_finish(struct trace_output *output, bool end);
void trace_output_abort(struct trace_output *output);
