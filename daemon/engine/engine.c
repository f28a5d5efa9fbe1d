/* SPDX-License-Identifier: MIT */
#include "daemon/engine/engine.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/engine/engine-internal.h"
#include "daemon/engine/sink.h"
#include "daemon/state.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/locator.h"
#include "daemon/util/log.h"

static void engine_sched_ran(struct sched *sched);

/* Whole keys are compared: a seed that can be guessed makes names slow, not wrong. */
static uint64_t random_seed(const struct engine_config *config)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = loop_now(config->loop) ^ (uint64_t)(uintptr_t)config;
	return seed;
}

int engine_new(struct engine **ret, const struct engine_config *config)
{
	struct engine *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return -ENOMEM;
	e->config = config;
	TAILQ_INIT(&e->openings);
	e->rules = calloc(config->n_sources ? config->n_sources : 1, sizeof(*e->rules));
	err = e->rules ? sched_init(&e->sched, config) : -ENOMEM;
	if (err == 0)
		err = names_new(&e->names, config->names_max, random_seed(config));
	if (err < 0) {
		engine_free(e);
		return err;
	}
	e->sched.ran = engine_sched_ran;
	for (size_t i = 0; i < config->n_sources; i++)
		e->rules[i] = config->sources[i].rule;
	*ret = e;
	return 0;
}

struct engine *engine_free(struct engine *e)
{
	if (!e)
		return NULL;
	assert(!e->objects && TAILQ_EMPTY(&e->openings) && e->sched.flights == 0);
	sched_clear(&e->sched);
	names_free(e->names);
	free(e->rules);
	free(e);
	return NULL;
}

int engine_add_source(struct engine *e, const struct engine_source_config *source,
		      uint32_t *ret_number)
{
	uint32_t number = (uint32_t)e->sched.n_sources;

	if (number == e->config->n_sources + e->config->n_spare)
		return -ENOSPC;
	sched_add_source(&e->sched, source);
	OBSERVE(&e->sched, added, number, source);
	*ret_number = number;
	return 0;
}

bool engine_idle_source(const struct engine *e, uint32_t *ret_number)
{
	const struct source *idle = NULL;

	for (size_t i = e->config->n_sources; i < e->sched.n_sources; i++) {
		const struct source *source = &e->sched.sources[i];

		if (source->objects == 0 && source->running == 0 && TAILQ_EMPTY(&source->looks) &&
		    (!idle || source->idle_since < idle->idle_since))
			idle = source;
	}
	if (idle)
		*ret_number = (uint32_t)(idle - e->sched.sources);
	return idle;
}

void engine_replace_source(struct engine *e, uint32_t number,
			   const struct engine_source_config *config)
{
	struct source *source = &e->sched.sources[number];

	assert(number >= e->config->n_sources && source->objects == 0 && source->running == 0);
	sched_replace_source(source, config);
	OBSERVE(&e->sched, added, number, config);
}

void engine_each_source(const struct engine *e,
			void (*visit)(void *arg, uint32_t number,
				      const struct engine_source_config *source),
			void *arg)
{
	for (size_t i = 0; i < e->sched.n_sources; i++)
		visit(arg, (uint32_t)i, e->sched.sources[i].config);
}

/* ---- shutdown ----------------------------------------------------------------------------- */

/* The end of every look and flight leads here. */
static void engine_sched_ran(struct sched *sched)
{
	struct engine *e = container_of(sched, struct engine, sched);
	void (*drained)(void *) = e->drained;

	if (!drained || sched->flights > 0 || !TAILQ_EMPTY(&e->openings))
		return;
	e->drained = NULL;
	drained(e->drained_arg);
}

void engine_shutdown(struct engine *e, void (*done)(void *), void *arg)
{
	struct opening *p, *next;
	struct object *o, *tmp;

	assert(!e->shutdown);
	e->shutdown = true;
	e->drained = done;
	e->drained_arg = arg;
	for (p = TAILQ_FIRST(&e->openings); p; p = next) {
		next = TAILQ_NEXT(p, link);
		opening_abandon(p, -ESHUTDOWN);
	}
	HASH_ITER(hh, e->objects, o, tmp)
		object_fail(o, -ESHUTDOWN);
	sched_kick(&e->sched);
}

/* ---- open --------------------------------------------------------------------------------- */

struct object *engine_open_object(const struct engine *e, struct bytes volume, struct bytes cookie)
{
	size_t len = object_key_len(volume, cookie);
	uint8_t key[ENGINE_KEY_MAX];
	struct object *o;

	if (len > sizeof(key))
		return NULL;
	object_key(key, volume, cookie);
	HASH_FIND(hh, e->objects, key, len, o);
	return o;
}

struct object *engine_find_object(struct engine *e, struct bytes volume, struct bytes cookie)
{
	struct object *o = engine_open_object(e, volume, cookie);

	if (o)
		o->refs++;
	return o;
}

static void tell_compressed(const struct object *o)
{
	const struct log_subject subject = object_subject(o);

	log_about(LOG_NOTICE, &subject,
		  "%s: a compressed EROFS image: all %llu bytes are fetched before it can be "
		  "mounted, since a read that touches cached and missing bytes can hang the kernel",
		  o->name, (unsigned long long)o->size);
}

int engine_add_object(struct engine *e, struct object **ret, struct source *source,
		      const struct object_params *params)
{
	struct object *o = engine_find_object(e, params->volume, params->cookie);
	int err;

	if (o) {
		*ret = o;
		return 0;
	}
	err = object_new(&o, e, &e->sched, source, e->config->readahead_max, params);
	if (err < 0)
		return err;
	HASH_ADD_KEYPTR(hh, e->objects, o->key, o->key_len, o);
	if (!table_has(o)) {
		o->refs = 0;
		object_reap(o);
		return -ENOMEM;
	}
	e->sched.stats.objects++;
	o->number = ++e->numbers;
	OBSERVE(&e->sched, opened, o);
	if (o->whole)
		tell_compressed(o);
	*ret = o;
	return 0;
}

static void open_answered(struct loop_deferred *answer)
{
	struct engine_open *open = container_of(answer, struct engine_open, answer);

	open->done(open, open->err, open->object);
}

void engine_open_answer(struct engine_open *open, int err, struct object *object)
{
	struct engine *e = open->engine;

	open->err = err;
	open->object = err < 0 ? NULL : object;
	waiting_end(&e->sched.waiting, &open->request, err);
	if (err < 0)
		e->sched.stats.opens_failed++;
	e->sched.opens--;
	OBSERVE(&e->sched, answered, open, err);
	loop_defer(e->config->loop, &open->answer);
}

struct log_subject engine_subject(const struct engine *e, struct bytes volume, struct bytes cookie,
				  const char *origin)
{
	struct engine_catalog *catalog = e->config->catalog;

	return (struct log_subject){
		.volume = volume,
		.cookie = cookie,
		.origin = origin,
		.image = catalog && catalog->image ? catalog->image(catalog, volume, cookie) : NULL,
	};
}

void engine_open_log(const struct engine_open *open, const char *why)
{
	const struct log_subject subject =
		engine_subject(open->engine, open->volume, open->cookie, NULL);
	char v[512], c[512];

	log_about(LOG_ERR, &subject, "%s/%s: cannot open: %s",
		  bytes_print(open->volume, v, sizeof(v)), bytes_print(open->cookie, c, sizeof(c)),
		  why);
}

void engine_open_log_known(const struct engine_open *open, const char *locator, int err)
{
	char place[512], why[640];

	snprintf(why, sizeof(why), "%s: %s", locator_print(locator, place, sizeof(place)),
		 err == -EINVAL ? "what is on record of it means nothing to its fetcher"
				: strerror(-err));
	engine_open_log(open, why);
}

/* ---- from a key to an object -------------------------------------------------------------- */

/* A record speaks for the cached bytes only while the key still means the same origin. */
static bool record_is_current(const struct state_object *record, const char *locator)
{
	char place[LOCATOR_MAX];

	locator_record(locator, place, sizeof(place));
	return strcmp(record->locator, place) == 0;
}

/* What the key means, and which bytes that are, is known. */
static int open_known(struct engine *e, struct engine_open *open, struct source *source,
		      const char *locator, const struct fetch_identity *identity, bool whole)
{
	struct object_params params = {
		.volume = open->volume,
		.cookie = open->cookie,
		.locator = locator,
		.identity = identity,
		.whole = whole,
	};
	struct object *o;
	int err;

	if (source->config->revalidate)
		return opening_start(e, open, source, locator, identity, whole);
	if (whole && source->config->refuse_compressed) {
		engine_open_log(open, "a compressed image, and the configuration refuses those");
		return -EOPNOTSUPP;
	}
	err = engine_add_object(e, &o, source, &params);
	if (err < 0)
		engine_open_log_known(open, locator, err);
	else
		engine_open_answer(open, 0, o);
	return err;
}

static int open_resolved(struct engine *e, struct engine_open *open, struct source *source,
			 const char *locator)
{
	struct fetch_identity identity = { 0 };
	struct state_object *record;
	_cleanup_free_ char *own = malloc(sizeof(*record));
	int err;

	record = (struct state_object *)own;
	if (!record)
		return -ENOMEM;
	err = state_get(e->config->state, open->volume, open->cookie, record);
	if (err < 0 || engine_is_content(record) || record->check == STATE_WRONG)
		return opening_start(e, open, source, locator, NULL, false);
	identity.size = record->size;
	memcpy(identity.validator, record->validator, sizeof(record->validator));
	if (!record_is_current(record, locator))
		return opening_start(e, open, source, locator, &identity, record->whole);
	engine_remember(e, open, source, locator, &identity, record->whole);
	return open_known(e, open, source, locator, &identity, record->whole);
}

/* The first time only: whoever mounts in a loop is told by what he gets. */
static int open_absent(struct engine *e, const struct engine_open *open, const struct name *name)
{
	e->sched.stats.remembered_absent++;
	if (name->hits == 1)
		engine_open_log(
			open,
			"the origin had no such object when it was asked last; that is remembered "
			"for a while (negative-ttl)");
	return -ENOENT;
}

/* Neither the rules nor the state are asked again. */
static int open_remembered(struct engine *e, struct engine_open *open, const struct name *name)
{
	struct fetch_identity identity = { .size = name->size };

	e->sched.stats.remembered++;
	if (name->absent)
		return open_absent(e, open, name);
	strcpy(identity.validator, name->validator); /* it was one */
	return open_known(e, open, &e->sched.sources[name->source], name->locator, &identity,
			  name->whole);
}

static int open_start(struct engine *e, struct engine_open *open)
{
	char locator[LOCATOR_MAX];
	enum resolve_verdict verdict;
	struct object *o;
	struct name name;
	size_t rule = 0;
	int err;

	if (e->shutdown)
		return -ESHUTDOWN;
	if (object_key_len(open->volume, open->cookie) > ENGINE_KEY_MAX)
		return -ENAMETOOLONG;
	o = engine_find_object(e, open->volume, open->cookie);
	if (o) {
		engine_open_answer(open, 0, o);
		return 0;
	}
	if (open->live)
		return engine_open_live(e, open);
	err = engine_open_known(e, open);
	if (err != -ENOENT)
		return err;
	if (names_find(e->names, loop_now(e->config->loop), open->volume, open->cookie, &name))
		return open_remembered(e, open, &name);
	verdict = resolve_key(e->rules, e->config->n_sources, open->volume, open->cookie, &rule,
			      locator);
	if (verdict != RESOLVE_OK) {
		engine_open_log(open, resolve_verdict_text(verdict));
		return -ENOENT;
	}
	return open_resolved(e, open, &e->sched.sources[rule], locator);
}

void engine_open(struct engine *e, struct engine_open *open)
{
	int err;

	open->engine = e;
	open->opening = NULL;
	open->answer = (struct loop_deferred){ .run = open_answered };
	open->begun = loop_now(e->config->loop);
	e->sched.stats.opens++;
	e->sched.opens++;
	waiting_begin(&e->sched.waiting, &open->request, ENGINE_REQUEST_OPEN, 0);
	err = open_start(e, open);
	if (err < 0)
		engine_open_answer(open, err, NULL);
}

void engine_attach(struct object *o, struct sink *sink)
{
	struct engine *e = o->engine;

	o->sink = sink;
	sink->room = e->config->room;
	sink->generation = ++e->generations;
	names_bind(e->names, loop_now(e->config->loop), object_volume(o), object_cookie(o),
		   sink->id, sink->generation);
	object_store_head(o);
	OBSERVE(&e->sched, attached, o);
}

void engine_close(struct object *o, struct sink *sink, struct engine_close *close)
{
	struct engine *e = o->engine;
	struct loop *loop = e->config->loop;

	if (--o->refs == 0) {
		HASH_DEL(e->objects, o);
		e->sched.stats.objects--;
		object_fail(o, -ECANCELED);
		OBSERVE(&e->sched, closed, o);
	}
	names_unbind(e->names, sink->id, sink->generation);
	if (o->sink == sink)
		o->sink = NULL;
	object_reap(o);
	sink_close(loop, sink, close);
}

struct engine_stats engine_stats(const struct engine *e)
{
	return e->sched.stats;
}
