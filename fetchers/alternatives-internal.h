/* SPDX-License-Identifier: MIT */
/*
 * What alternatives.c (origins, looks) and alternatives-read.c (objects, reads) share.
 */
#pragma once

#include "fetchers/alternatives.h"
#include "fetchers/answers.h"
#include "fetchers/common.h"
#include "fetchers/front.h"

#define ALTERNATIVES_VIA "via:" /* then the hash, and ';' */

struct alt_origin {
	char *prefix;		 /* owned */
	struct fetcher *fetcher; /* owned */
	struct fetch_health health;
	char via[16]; /* what identities of its own begin with; "" for the first */
};

struct alternatives {
	struct fetch_front front; /* next: the first origin's */
	struct loop *loop;
	struct fetch_refusals refusals;
	struct alt_origin origins[ALTERNATIVES_MAX];
	size_t n;
	bool trusted;
	struct fetch_answers answers; /* bits: origins */
};

/* One thing that is asked for, of one origin after the other. Zero at its beginning. */
struct alt_tries {
	uint32_t allowed, tried; /* bits: origins */
	uint32_t last_of_all;	 /* bits: those that are asked only when nobody else is left */
	size_t at;		 /* the one that is asked now */
	bool desperate;		 /* one that is avoided has been asked all the same */
	uint64_t begun;		 /* there, ns */
	int err;		 /* what to end with, if nobody has it */
	uint64_t retry_after;
	char error[FETCH_ERROR_MAX];
};

/* The origins that a locator may be asked for, as bits. */
uint32_t alternatives_allowed(const struct alternatives *alt, const char *locator);

/* The locator there, owned by the caller; NULL: no memory. */
char *alternatives_locator(const struct alternatives *alt, size_t i, const char *locator);

/* Chooses tries->at: false where nobody is left, or nobody waits any more. */
bool alternatives_next(struct alternatives *alt, struct alt_tries *tries, uint64_t deadline);

/*
 * What came of it. True: that is the end, and for a failure tries->err and error say which; false:
 * another origin may do better.
 */
bool alternatives_ended(struct alternatives *alt, struct alt_tries *tries, int err,
			uint64_t retry_after, const char *error);

int alternatives_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
			const struct fetch_identity *identity);
void alternatives_detach(struct fetch_object *object);
void alternatives_read(struct fetch_object *object, struct fetch_read *read);
void alternatives_cancel_read(struct fetch_object *object, struct fetch_read *read);
