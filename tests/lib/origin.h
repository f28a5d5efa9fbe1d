/* SPDX-License-Identifier: MIT */
/*
 * A scripted HTTP/1.1 server for tests, in threads of its own: HEAD and GET, single ranges, entity
 * tags, If-Match, If-Unmodified-Since, If-Range, persistent connections. It serves objects whose
 * bytes are computed (pattern.h), or the files of a directory, and breaks the rules on request:
 *
 *	/f=KIND:ARG:ARG@N/f=.../NAME	faults of http-fault.h
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct origin;

struct origin_options {
	const char *bind; /* NULL: 127.0.0.1 */
	uint16_t port;	  /* 0: any */
	const char *root; /* directory to serve; NULL: only what origin_put() made */
	FILE *log;	  /* one line per request; NULL: none */
};

/* options NULL: defaults. Negative errno. */
int origin_start(struct origin **ret, const struct origin_options *options);

/* Ends all connections. Takes NULL, returns NULL. */
struct origin *origin_stop(struct origin *origin);

uint16_t origin_port(const struct origin *origin);

/* "http://127.0.0.1:PORT" */
const char *origin_url(const struct origin *origin);

/* Makes an object, or changes the bytes, the ETag and the Last-Modified of one that exists. */
void origin_put(struct origin *origin, const char *name, uint64_t size);
void origin_remove(struct origin *origin, const char *name);

#define ORIGIN_SAME_VALIDATOR 1 /* other bytes, but ETag and Last-Modified stay */
#define ORIGIN_NO_VALIDATOR   2 /* neither ETag nor Last-Modified */
#define ORIGIN_COMPRESSED     4 /* the first block is that of superblock.h */
void origin_put_as(struct origin *origin, const char *name, uint64_t size, unsigned int flags);

#define ORIGIN_NOWHERE UINT64_MAX

/*
 * What goes wrong with an object that was put, whatever the path says, until the next one; what has
 * stopped then goes on. A request that sets a condition is a read, any other a look.
 */
struct origin_treatment {
	unsigned int status;	     /* an error answer, 0: none */
	bool reset, hang;	     /* the connection breaks; no answer */
	unsigned int delay_ms;	     /* before the answer */
	uint64_t stall_at, break_at; /* where, in the object, a body stops, or ends too early */
	uint64_t step;		     /* bytes at a time, each step_ms; 0: as they go */
	unsigned int step_ms;
};

/* NULL: nothing goes wrong. */
void origin_treat(struct origin *origin, const char *name, const struct origin_treatment *looks,
		  const struct origin_treatment *reads);

/* Of one object that was put, since then. */
struct origin_seen {
	unsigned int requests;
	uint64_t asked; /* bytes of the ranges of reads */
};
struct origin_seen origin_seen(struct origin *origin, const char *name);

/* For pattern_check(): what the object's bytes are now. */
uint64_t origin_key(struct origin *origin, const char *name);

struct origin_stats {
	unsigned int connections, requests;
	unsigned int concurrent; /* most requests that were being answered at the same time */
	uint64_t body_bytes;	 /* sent */
};

/* What happened since the start or the last call. */
struct origin_stats origin_stats(struct origin *origin);

/* The head of the last request, for looking at its fields; cut to n. Returns buf. */
char *origin_last_request(struct origin *origin, char *buf, size_t n);

/* A range that was asked for; last is UINT64_MAX where it was open. */
struct origin_range {
	uint64_t first, last;
};

#define ORIGIN_RANGES_MAX 4096 /* remembered */

/* The oldest n ranges since the last call of it; returns how many. */
size_t origin_ranges(struct origin *origin, struct origin_range *ret, size_t n);
