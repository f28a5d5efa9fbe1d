/* SPDX-License-Identifier: MIT */
/*
 * Objects that an earlier daemon opened and a mount still uses. What is cached of them was served
 * and will be, so they stay of the version that is on record: no origin is asked whether there is a
 * newer one, and no cached byte is dropped. The kernel asks without end for what is refused, so
 * what cannot be filled any more is opened all the same, and its demands fail.
 */
#include <errno.h>
#include <string.h>

#include "daemon/engine/engine-internal.h"
#include "daemon/util/checked.h"
#include "daemon/util/locator.h"
#include "daemon/util/log.h"

/* What is found out about one of them. */
struct live {
	struct object_params params; /* as far as it is known */
	struct fetch_identity identity;
	struct state_object record;
	struct source *source;
	char locator[LOCATOR_MAX];
	const char *trouble; /* why its version cannot be had; NULL: it can */
};

/* What is cached is of this version, as far as there is a record that fits the file. */
static void live_recall(struct engine *e, const struct engine_open *open, struct live *live)
{
	struct state_object *record = &live->record;
	int err = state_get(e->config->state, open->volume, open->cookie, record);

	live->identity.size = open->live_size;
	if (err < 0) {
		live->trouble = "there is no record of which version it is";
	} else if (round_up_u64(record->size, CACHE_BLOCK) != open->live_size) {
		live->trouble = "it has not the size that is on record";
	} else {
		live->identity.size = record->size;
		memcpy(live->identity.validator, record->validator, sizeof(record->validator));
	}
}

/* Of the catalog's objects the place may change, the content does not. */
static void live_find_content(struct engine *e, const struct engine_open *open, struct live *live)
{
	struct engine_catalog *catalog = e->config->catalog;
	struct engine_known known;

	if (!catalog || catalog->find(catalog, e, open->volume, open->cookie, &known) < 0) {
		live->trouble = "no image has it any more";
	} else if (known.identity.size != live->identity.size) {
		live->trouble = "its image has it with another size";
	} else {
		live->source = &e->sched.sources[known.source];
		live->identity = known.identity;
		live->params.fetcher = known.fetcher;
		strcpy(live->locator, known.locator);
	}
}

/* Earlier versions recorded the locator as it was, with its secrets. */
static bool live_is_there(const struct live *live)
{
	char place[LOCATOR_MAX];

	locator_record(live->locator, place, sizeof(place));
	return strcmp(live->record.locator, place) == 0 ||
	       strcmp(live->record.locator, live->locator) == 0;
}

/*
 * The rules of another configuration may make something else of its key: it stays where it was
 * opened. What is on record of a locator with secrets is no locator.
 */
static bool live_find_place(struct engine *e, struct live *live)
{
	struct engine_catalog *catalog = e->config->catalog;
	uint32_t source;

	if (!catalog || !catalog->place || strchr(live->record.locator, '#') ||
	    catalog->place(catalog, e, live->record.locator, &source, &live->params.fetcher) < 0)
		return false;
	live->source = &e->sched.sources[source];
	strcpy(live->locator, live->record.locator);
	return true;
}

static void live_find_origin(struct engine *e, const struct engine_open *open, struct live *live)
{
	enum resolve_verdict verdict;
	size_t rule = 0;

	verdict = resolve_key(e->rules, e->config->n_sources, open->volume, open->cookie, &rule,
			      live->locator);
	if ((verdict != RESOLVE_OK || !live_is_there(live)) && live_find_place(e, live))
		return;
	if (verdict != RESOLVE_OK) {
		live->trouble = resolve_verdict_text(verdict);
		return;
	}
	live->source = &e->sched.sources[rule];
	/* Each fetch asks for the version by its validator. */
	if (!live_is_there(live) && !live->identity.validator[0])
		live->trouble = "its source has moved, and nothing tells which version is there";
}

static void live_find(struct engine *e, const struct engine_open *open, struct live *live)
{
	live_recall(e, open, live);
	if (live->trouble)
		return;
	if (engine_is_content(&live->record))
		live_find_content(e, open, live);
	else
		live_find_origin(e, open, live);
}

static int live_orphan(struct engine *e, struct live *live, struct object **ret)
{
	live->params.orphan = true;
	live->params.whole = false;
	live->params.locator = "";
	return engine_add_object(e, ret, live->source ? live->source : e->sched.sources,
				 &live->params);
}

int engine_open_live(struct engine *e, struct engine_open *open)
{
	struct live live = { .trouble = NULL };
	struct object *o;
	int err = 0;

	e->sched.stats.inherited++;
	live_find(e, open, &live);
	live.params.volume = open->volume;
	live.params.cookie = open->cookie;
	live.params.identity = &live.identity;
	live.params.locator = live.locator;
	live.params.whole = live.record.whole;
	if (!live.trouble) {
		err = engine_add_object(e, &o, live.source, &live.params);
		if (err == -EINVAL)
			live.trouble = "what is on record of it means nothing to its fetcher";
	}
	if (live.trouble)
		err = live_orphan(e, &live, &o);
	if (err < 0)
		return err;
	if (live.trouble) {
		const struct log_subject subject = object_subject(o);

		e->sched.stats.orphans++;
		log_about(LOG_ERR, &subject,
			  "%s: is mounted since before this start, but %s: what is not cached of "
			  "it cannot be read until it has been unmounted and mounted again",
			  object_name(o), live.trouble);
	}
	engine_open_answer(open, 0, o);
	return 0;
}
