/* SPDX-License-Identifier: MIT */
/*
 * The objects that a trace asks for: their keys, and what each of their opens found. Learnt in a
 * first pass over the file, since an origin has to know the size of an object before the trace
 * tells it. Memory grows with the objects and with the changes of their versions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/engine/resolve.h"
#include "daemon/trace/outcome.h"
#include "daemon/trace/requests.h"
#include "daemon/util/bytes.h"

#define CATALOG_VERSIONS_MAX (1u << 20)
#define CATALOG_FAILED_MAX   (1u << 20) /* with more than that, any may have failed */
#define CATALOG_ERROR_MAX    512
#define CATALOG_NAME_MAX     512

/* What an object was, from its `open`-th open on. */
struct catalog_version {
	uint64_t open;
	uint64_t size;
	uint64_t seed; /* of its validator: other bytes for another version */
	int32_t error; /* the open failed with it; else 0 */
	bool compressed;
};

struct cachefile;

struct catalog_object {
	uint32_t index;			  /* the same as in struct trace_object */
	struct bytes volume, cookie;	  /* borrowed from the join of the first pass */
	const char *recorded;		  /* its locator in the trace, borrowed; NULL: not known */
	bool compressed;		  /* by its last object record */
	struct catalog_version *versions; /* owned, by `open` */
	size_t n_versions, room;
	uint64_t begun; /* opens of the first pass */

	/* The replay's: */
	uint64_t opens;			/* begun so far */
	unsigned int handles;		/* descriptors that the daemon has */
	struct catalog_version current; /* that its latest open found */
	struct catalog_version good;	/* the latest that was no failure: its bytes stay */
	unsigned int closing;		/* handles that were closed, and whose descriptor is not */
	char *locator;		/* that the engine will ask for; owned; NULL: no rule matches */
	uint32_t rule;		/* index of the rule that it came from */
	struct cachefile *file; /* owned by struct cachefiles */
	bool looked;		/* a second time at its origin, which has found: */
	char validator[256];
	UT_hash_handle hh; /* by locator */
};

struct catalog {
	struct catalog_object **objects; /* owned */
	size_t n_objects;
	struct catalog_object *by_locator; /* after catalog_resolve() */
	uint64_t requests;		   /* opens and reads, for a progress bar */
	uint64_t lost;			   /* records that are missing in the trace */
	uint64_t rest;			   /* bytes behind its last whole record */
	bool complete;			   /* it has its end record */
	bool changes;			   /* an object has had more than one good version */
	/* private */
	size_t room, n_versions;
	struct catalog_failed *failed;
	bool all_may_fail;
	struct intervals_budget budget;
	struct trace_outcomes *outcomes; /* of the first pass */
};

/*
 * Reads the trace once. error (CATALOG_ERROR_MAX bytes): a sentence with the file and, where there
 * is one, the offset. -EBADMSG: not a trace, damaged, or more than we take; -ENOMEM; the errno of
 * reading.
 */
int catalog_new(struct catalog **ret, const char *path, char *error);
struct catalog *catalog_free(struct catalog *catalog);

/* Finds the locator of each object by the rules that the engine will go by. -ENOMEM. */
int catalog_resolve(struct catalog *catalog, const struct resolve_rule *rules, size_t n_rules);

/* NULL: no object of the trace. Where keys share a locator, the first of them. */
struct catalog_object *catalog_find(const struct catalog *catalog, const char *locator);

/* What its n-th open finds. */
const struct catalog_version *catalog_version(const struct catalog_object *object, uint64_t n);

/*
 * Whether this READ, which begins, has failed in the trace, or may have: one that looks like a hit
 * but took a second or longer has probably met its deadline.
 */
bool catalog_failed(const struct catalog *catalog, const struct trace_request *request);

/* "volume/cookie" in printable form. Returns buf, of CATALOG_NAME_MAX bytes. */
char *catalog_name(const struct catalog_object *object, char *buf);
