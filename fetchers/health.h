/* SPDX-License-Identifier: MIT */
/*
 * How an origin does: who is asked, and for whom others stand in. Pure; times are of loop_now().
 *
 *	works --- FAILURES in a row ---> avoided ---- its time is over ----> probed, by one request
 *	  ^                                 ^                                  |    |
 *	  |                                 `---- twice as long as before -- fails  |
 *	  `--------------------------------------------------------------- succeeds
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fetchers/fetcher.h"

enum {
	HEALTH_FAILURES = 3, /* in a row, until an origin is avoided */
	HEALTH_NAME_MAX = 96,
};

#define HEALTH_AVOIDED	   (1000000000ull)  /* ns, the first time; then twice as long */
#define HEALTH_AVOIDED_MAX (60000000000ull) /* unless the origin itself wants more */

enum health_state { HEALTH_WORKS, HEALTH_AVOIDED_NOW, HEALTH_PROBED };

struct fetch_health {
	char name[HEALTH_NAME_MAX]; /* scheme and host, or path; without secrets */
	enum health_state state;
	unsigned int failures;	   /* in a row */
	uint64_t avoided_until;	   /* ns; while it is avoided */
	uint64_t avoided_for;	   /* ns: how long it was the last time */
	uint64_t rtt;		   /* ns to the first bytes, smoothed; 0: not known */
	uint64_t bandwidth;	   /* bytes/s of one transfer, smoothed; 0: not known */
	uint64_t requests, failed; /* all that have ended, and those that were its failure */
	int last_err;		   /* of the last such failure; 0: there was none */
	uint64_t failed_at;	   /* ns */
	char last_error[FETCH_ERROR_MAX];
};

/* Whether a request may be sent there now. */
bool health_usable(const struct fetch_health *health, uint64_t now);

/* A request is sent there: each ends in one health_end(). */
void health_begin(struct fetch_health *health, uint64_t now);

/*
 * err: how it ended, with error where it is negative. What an origin says about an object is no
 * failure of its own, and what is ours says nothing. retry_after: ns, or 0.
 */
void health_end(struct fetch_health *health, uint64_t now, int err, uint64_t retry_after,
		const char *error);

/* It took so long to the first bytes; and so long for so many of them. */
void health_answered(struct fetch_health *health, uint64_t ns);
void health_received(struct fetch_health *health, uint64_t bytes, uint64_t ns);

/* We have given it up (-ECANCELED), or could not do it (-ENOMEM, -EMFILE): nobody else can help. */
bool health_is_ours(int err);

/* Whether err is a failure of the origin. */
bool health_is_failure(int err);
