/* SPDX-License-Identifier: MIT */
/*
 * The text that a command makes of traces: on standard output, or in a file (-o).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A row for getopt_long(), and its lines of --help. */
enum { TRACE_TEXT_FORCE = 3000 };
#define TRACE_TEXT_OPTIONS                                   \
	{ "output", required_argument, NULL, 'o' },          \
	{                                                    \
		"force", no_argument, NULL, TRACE_TEXT_FORCE \
	}
#define TRACE_TEXT_HELP                                                  \
	"  -o, --output OUT       write there, not to standard output\n" \
	"      --force            overwrite an OUT that exists\n"

struct trace_text {
	const char *path; /* borrowed; NULL or "-": standard output */
	bool force;
};

/* CTL_OK: taken; -1: not one of these. */
int trace_text_take(struct trace_text *text, int opt);

/* Writes all of it, or leaves no file. CTL_OK, or CTL_FAILED after it has said why. */
int trace_text_write(const struct trace_text *text, const char *data, size_t len);
