/* SPDX-License-Identifier: MIT */
/*
 * From a key to an object. Known objects (a record in the state, or one that is open) need nobody;
 * unknown ones are looked at at their origin, within the source's deadline. One `opening` is one
 * such look; it outlives the request when that was answered first.
 */
#pragma once

#include "daemon/engine/object.h"

struct opening {
	struct engine *engine;
	struct engine_open *open; /* NULL: answered already */
	struct source *source;
	bool known; /* there is a record, and `identity` is its content */
	bool whole;
	bool purged; /* while it was under way: what it learns is not remembered */
	struct fetch_identity identity;
	struct fetch_look look;
	struct loop_timer deadline;
	char *locator;	/* owned */
	bool queued;	/* waits for its turn at the origin */
	uint64_t begun; /* ns, at the origin since */
	TAILQ_ENTRY(opening) link;
	TAILQ_ENTRY(opening) queue_link;
};

/* Starts the look; open is answered through engine_open_answer(). -ENOMEM. */
int opening_start(struct engine *engine, struct engine_open *open, struct source *source,
		  const char *locator, const struct fetch_identity *known, bool whole);

/* Called by the scheduler; head (of the pool) becomes the opening's. */
void opening_look(struct opening *opening, void *head, size_t len);

/* Answers the request, if it waits still, and stops the look; the opening goes by itself. */
void opening_abandon(struct opening *opening, int err);
