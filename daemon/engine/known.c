/* SPDX-License-Identifier: MIT */
/*
 * Objects of the catalog: their cookie names a content, so nobody has to be asked which version
 * they are of, and the origin is heard of first when something is missing in the cache.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/engine/engine-internal.h"
#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/locator.h"

/*
 * No rule makes a locator like STATE_CONTENT, so bytes that were fetched by one for the same key
 * are never taken for these, nor these for those. The place of a hash tree is left out.
 */
static void record_place(char *ret, size_t n, const char *locator)
{
	snprintf(ret, n, STATE_CONTENT "%.*s",
		 locator_is_verified(locator) ? (int)strcspn(locator, ",;") : 0, locator);
}

static void record_make(struct state_object *ret, const struct engine_known *known)
{
	ret->size = known->identity.size;
	ret->whole = known->whole;
	record_place(ret->locator, sizeof(ret->locator), known->locator);
	memcpy(ret->validator, known->identity.validator, sizeof(ret->validator));
}

bool engine_is_content(const struct state_object *record)
{
	return strncmp(record->locator, STATE_CONTENT, strlen(STATE_CONTENT)) == 0;
}

/* The validator may be another one at another place. Nothing that was not verified is taken for
 * what is. */
static bool record_fits(const struct state_object *record, const struct engine_known *known)
{
	char place[LOCATOR_MAX];

	if (!engine_is_content(record) || record->size != known->identity.size ||
	    record->whole != known->whole || record->check == STATE_WRONG)
		return false;
	record_place(place, sizeof(place), known->locator);
	return record->check == STATE_RIGHT || strcmp(record->locator, place) == 0 ||
	       !locator_is_verified(known->locator);
}

/* From here on some bytes are fetched that nobody verifies. */
static bool record_promises_more(const struct state_object *record,
				 const struct engine_known *known)
{
	return record->check != STATE_RIGHT && record->locator[strlen(STATE_CONTENT)] != '\0' &&
	       !locator_is_verified(known->locator);
}

/* Whatever is cached under this key is of this content from here on, or is dropped. */
static int known_pin(struct engine *e, struct engine_open *open, const struct engine_known *known)
{
	struct state *state = e->config->state;
	struct state_object *record;
	_cleanup_free_ char *own = malloc(sizeof(*record));
	int err;

	record = (struct state_object *)own;
	if (!record)
		return -ENOMEM;
	err = state_get(state, open->volume, open->cookie, record);
	if (err == 0 && record_fits(record, known)) {
		if (!record_promises_more(record, known))
			return 0;
		record_make(record, known);
		return state_put(state, open->volume, open->cookie, record);
	}
	/* The record goes before the bytes do, and both before new ones are known. */
	err = state_forget(state, open->volume, open->cookie);
	if (err == 0)
		err = open->discard(open);
	if (err < 0)
		return err;
	record_make(record, known);
	/* A failure costs the bytes after the next start, when there is no record. */
	(void)state_put(state, open->volume, open->cookie, record);
	return 0;
}

static int known_open(struct engine *e, struct engine_open *open, const struct engine_known *known)
{
	struct source *source = &e->sched.sources[known->source];
	struct object_params params = {
		.volume = open->volume,
		.cookie = open->cookie,
		.locator = known->locator,
		.identity = &known->identity,
		.fetcher = known->fetcher,
		.whole = known->whole,
	};
	struct object *o;
	int err;

	if (known->identity.size > OBJECT_SIZE_MAX) {
		engine_open_log_known(open, known->locator, -EFBIG);
		return -EFBIG;
	}
	if (known->whole && source->config->refuse_compressed) {
		engine_open_log(open, "a compressed image, and the configuration refuses those");
		return -EOPNOTSUPP;
	}
	err = known_pin(e, open, known);
	if (err == 0)
		err = engine_add_object(e, &o, source, &params);
	if (err < 0)
		engine_open_log_known(open, known->locator, err);
	else
		engine_open_answer(open, 0, o);
	return err;
}

int engine_open_known(struct engine *e, struct engine_open *open)
{
	struct engine_catalog *catalog = e->config->catalog;
	struct engine_known known;
	int err;

	if (!catalog)
		return -ENOENT;
	err = catalog->find(catalog, e, open->volume, open->cookie, &known);
	if (err < 0)
		return err;
	e->sched.stats.known++;
	/* What the rules made of this key is true no more: the cache is about to hold this. */
	names_forget(e->names, open->volume, open->cookie);
	err = known_open(e, open, &known);
	if (err < 0)
		engine_open_answer(open, err, NULL);
	return 0;
}
