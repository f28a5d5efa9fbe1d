/* SPDX-License-Identifier: MIT */
/*
 * What is remembered of names, in front of the rules and the state: (volume key, cookie key) ->
 * what the last look at the origin, or at the state, made of it. Bounded in bytes, the least
 * recently used goes first; each entry is true for a time only. That a name is absent is remembered
 * as well: it is for the caller to say so only where the origin has said so.
 *
 * Pure: time is passed in (ns, any origin), nothing is done but memory. Hashes are seeded, so that
 * names cannot be chosen to collide, and whole keys are compared always.
 *
 * Back from things to names: from the number of an open object, from a validator, from a volume key
 * or a cookie key alone (the two that an image's name is part of).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/util/bytes.h"

struct names;

/* Longer keys, both together, are not remembered: the kernel's are shorter than 256 bytes each. */
#define NAMES_KEY_MAX 512

/* What an entry counts beside its text: record, places in the indexes, the heap's own. */
#define NAMES_OVERHEAD 144

/* What is remembered of one name. Text is borrowed: until the next call that is not const. */
struct name {
	struct bytes volume, cookie; /* any bytes */
	bool absent;		     /* all below but hits, id and generation is empty then */
	bool whole;		     /* as in struct state_object */
	uint32_t source;	     /* less than 2^30 */
	uint64_t size;
	const char *locator;
	const char *validator;
	/* Of entries that are given, not of those that are put: */
	uint32_t hits;	     /* since it was put, this one included */
	uint32_t id;	     /* of the open object, where generation is not 0 */
	uint64_t generation; /* see names_bind() */
};

/* bytes: the bound; 0 remembers nothing. seed: random, once per process. -ENOMEM. */
int names_new(struct names **ret, uint64_t bytes, uint64_t seed);

/* Takes NULL, returns NULL. */
struct names *names_free(struct names *names);

/* What is remembered now; the entry is the most recently used one then. */
bool names_find(struct names *names, uint64_t now, struct bytes volume, struct bytes cookie,
		struct name *ret);
/* The same without a trace: no hit, no use. */
bool names_peek(const struct names *names, uint64_t now, struct bytes volume, struct bytes cookie,
		struct name *ret);

/*
 * Remembers it until now + ttl, in place of what was remembered of this name. What cannot be
 * remembered is forgotten, so that nothing older stays: -E2BIG (keys over NAMES_KEY_MAX, an entry
 * over the bound), -ENOMEM, or 0 with ttl 0.
 */
int names_put(struct names *names, uint64_t now, uint64_t ttl, const struct name *name);

/* Purges one name, or all of a volume in the time that these take; how many there were, with those
 * whose time was over. */
size_t names_forget(struct names *names, struct bytes volume, struct bytes cookie);
size_t names_forget_volume(struct names *names, struct bytes volume);

/* ---- back from things to names ------------------------------------------------------------ */

/*
 * This name is that of the open object `id`, from now on. Ids are used again: the generation, which
 * is not 0 and given only once, tells one use from the next. An id has one name, a name has one id.
 * false: the name is not remembered.
 */
bool names_bind(struct names *names, uint64_t now, struct bytes volume, struct bytes cookie,
		uint32_t id, uint64_t generation);

/* The object was closed. Nothing happens when the id or the name has found another since. */
void names_unbind(struct names *names, uint32_t id, uint64_t generation);

/* The name of an open object; generation 0: of whichever has this id now. */
bool names_by_id(const struct names *names, uint64_t now, uint32_t id, uint64_t generation,
		 struct name *ret);

/* Must not change the names. */
typedef void names_visit(void *arg, const struct name *name);

/* All names of which this is true; how many. No name has the empty validator. */
size_t names_by_validator(const struct names *names, uint64_t now, const char *validator,
			  names_visit *visit, void *arg);
size_t names_by_volume(const struct names *names, uint64_t now, struct bytes volume,
		       names_visit *visit, void *arg);
size_t names_by_cookie(const struct names *names, uint64_t now, struct bytes cookie,
		       names_visit *visit, void *arg);

/* All of them, the most recently used first. */
size_t names_each(const struct names *names, uint64_t now, names_visit *visit, void *arg);

struct names_stats {
	uint64_t entries, bytes; /* also of those whose time is over: nobody has asked since */
	uint64_t evicted;	 /* for want of room */
};

struct names_stats names_stats(const struct names *names);
