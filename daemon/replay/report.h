/* SPDX-License-Identifier: MIT */
/*
 * What a replay has found: numbers beside those of the trace, and what was wrong.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/trace/histogram.h"

#define REPORT_FINDINGS_MAX 20
#define REPORT_TEXT_MAX	    768

/* The same requests in the trace and here. Times in ns, the rest as it says or in bytes. */
struct report_side {
	uint64_t opens, opens_failed;
	uint64_t reads, reads_failed;
	uint64_t asked; /* by reads */
	uint64_t fetches, fetched;
	uint64_t stored;
	uint64_t time;
	struct histogram open, read; /* how long each took that was answered in both */
};

struct report {
	const char *trace, *origin; /* borrowed */
	double speed;		    /* 0: as fast as it goes */
	bool virtual_time;
	bool faults;  /* were scripted: what fails is not wrong */
	bool checked; /* bytes were compared */
	bool whole;   /* the end of the trace was reached */
	bool interrupted;
	char why[REPORT_TEXT_MAX]; /* it could not be replayed further; "" */

	uint64_t objects;
	uint64_t lost, cut;   /* records that the trace lacks; bytes behind its last whole one */
	bool complete;	      /* the trace has its end */
	uint64_t strays;      /* requests of the trace that make no sense: not replayed */
	uint64_t withdrawn;   /* closed before their answer */
	uint64_t undelivered; /* of an object whose open had failed */
	uint64_t present;     /* reads of what was there: a kernel would not have asked */
	struct report_side here, recorded;

	uint64_t wrong_answers;
	uint64_t unanswered;
	uint64_t wrong_reads, wrong_bytes; /* given to readers */
	uint64_t wrong_stored; /* bytes in cache files at the end, or beyond their end */
	uint64_t unchecked;    /* ranges that could not be read again */
	uint64_t checked_bytes;
	char findings[REPORT_FINDINGS_MAX][REPORT_TEXT_MAX]; /* the first ones */
	uint64_t n_findings;
};

void report_deinit(struct report *report);

/* Notes one thing that was wrong, in words. */
void report_find(struct report *report, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Everything was replayed, and all answers and bytes were right. */
bool report_is_good(const struct report *report);

/* Bytes that were fetched for each that was asked for; 0 where nothing was. */
double report_amplification(const struct report_side *side);
/* Requests per second; 0 where no time has passed. */
double report_rate(const struct report_side *side);

/* NULL: no memory. */
json_t *report_json(const struct report *report);
