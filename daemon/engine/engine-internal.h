/* SPDX-License-Identifier: MIT */
/*
 * What engine.c, known.c, live.c, opening.c, remember.c, room.c and whois.c share: the engine
 * itself.
 */
#pragma once

#include "daemon/engine/object.h"
#include "daemon/engine/opening.h"
#include "daemon/engine/sched.h"
#include "daemon/state.h"

struct engine {
	const struct engine_config *config;
	struct resolve_rule *rules; /* owned; one per source, same order */
	struct sched sched;
	struct object *objects; /* by key */
	struct names *names;	/* owned: what keys meant when they were opened before */
	uint64_t generations;	/* of sinks, given so far */
	struct opening_list openings;
	uint64_t numbers; /* of objects, given so far */
	bool shutdown;
	void (*drained)(void *); /* called once nothing is in flight any more */
	void *drained_arg;
};

/* An object that is open, without a reference, or NULL. */
struct object *engine_open_object(const struct engine *engine, struct bytes volume,
				  struct bytes cookie);

/* An object that is open already, with one more reference, or NULL. The kernel lost our
 * descriptor, not the object: a reopen is never refused. */
struct object *engine_find_object(struct engine *engine, struct bytes volume, struct bytes cookie);

/* Puts a new object into the table; 0 or -ENOMEM, -EINVAL. */
int engine_add_object(struct engine *engine, struct object **ret, struct source *source,
		      const struct object_params *params);

/*
 * Opens what the catalog knows; answers itself. 0; -ENOENT without an answer: it does not know the
 * key; any other error is the answer.
 */
int engine_open_known(struct engine *engine, struct engine_open *open);

/* Opens what an earlier daemon had opened and is in use; answers itself, unless it is an error. */
int engine_open_live(struct engine *engine, struct engine_open *open);

/* What is cached is an object of the catalog, and nothing that a rule could mean. */
bool engine_is_content(const struct state_object *record);

/* Says why, with the keys. */
void engine_open_log(const struct engine_open *open, const char *why);
/* The same for what was known and could not be made an object. */
void engine_open_log_known(const struct engine_open *open, const char *locator, int err);

/* What is known of a key now; what cannot be remembered is forgotten. */
void engine_remember(struct engine *engine, const struct engine_open *open,
		     const struct source *source, const char *locator,
		     const struct fetch_identity *identity, bool whole);

/* The origin of the source has said that there is no such object. */
void engine_remember_absent(struct engine *engine, const struct engine_open *open,
			    const struct source *source);

/* Takes the answer down; done() comes from the loop. */
void engine_open_answer(struct engine_open *open, int err, struct object *object);
