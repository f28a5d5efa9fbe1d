/* SPDX-License-Identifier: MIT */
#include "daemon/engine/engine.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/engine/engine-internal.h"
#include "daemon/engine/sink.h"
#include "daemon/state.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

/* The largest key pair of an OPEN fits a message of 1 KiB. */
#define KEY_MAX 1024

static void engine_sched_ran(struct sched *sched);

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
	free(e->rules);
	free(e);
	return NULL;
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

/* An object that is open already, with one more reference, or NULL. The kernel lost our
 * descriptor, not the object: a reopen is never refused. */
static struct object *engine_find_object(struct engine *e, struct bytes volume, struct bytes cookie)
{
	size_t len = object_key_len(volume, cookie);
	uint8_t key[KEY_MAX];
	struct object *o;

	if (len > sizeof(key))
		return NULL;
	object_key(key, volume, cookie);
	HASH_FIND(hh, e->objects, key, len, o);
	if (o)
		o->refs++;
	return o;
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
	if (e->sched.observer)
		e->sched.observer->opened(e->sched.observer, o);
	if (o->whole)
		log_notice(
			"%s: a compressed EROFS image: all %llu bytes are fetched before it can be "
			"mounted, since a read that touches cached and missing bytes can hang "
			"the kernel",
			o->name, (unsigned long long)o->size);
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
	if (err < 0)
		e->sched.stats.opens_failed++;
	loop_defer(e->config->loop, &open->answer);
}

static void open_log(const struct engine_open *open, const char *why)
{
	char v[512], c[512];

	log_error("%s/%s: cannot open: %s", bytes_print(open->volume, v, sizeof(v)),
		  bytes_print(open->cookie, c, sizeof(c)), why);
}

/* A record speaks for the cached bytes only while the key still means the same origin. */
static bool record_is_current(const struct state_object *record, const char *locator)
{
	return strcmp(record->locator, locator) == 0;
}

static int open_resolved(struct engine *e, struct engine_open *open, struct source *source,
			 const char *locator)
{
	struct fetch_identity identity = { 0 };
	struct state_object *record;
	_cleanup_free_ char *own = malloc(sizeof(*record));
	struct object *o;
	int err;

	record = (struct state_object *)own;
	if (!record)
		return -ENOMEM;
	err = state_get(e->config->state, open->volume, open->cookie, record);
	if (err < 0)
		return opening_start(e, open, source, locator, NULL, false);
	identity.size = record->size;
	memcpy(identity.validator, record->validator, sizeof(record->validator));
	if (source->config->revalidate || !record_is_current(record, locator))
		return opening_start(e, open, source, locator, &identity, record->whole);
	if (record->whole && source->config->refuse_compressed) {
		open_log(open, "a compressed image, and the configuration refuses those");
		return -EOPNOTSUPP;
	}

	struct object_params params = {
		.volume = open->volume,
		.cookie = open->cookie,
		.locator = locator,
		.identity = &identity,
		.whole = record->whole,
	};

	err = engine_add_object(e, &o, source, &params);
	if (err == 0)
		engine_open_answer(open, 0, o);
	return err;
}

static int open_start(struct engine *e, struct engine_open *open)
{
	char locator[LOCATOR_MAX];
	enum resolve_verdict verdict;
	struct object *o;
	size_t rule = 0;

	if (e->shutdown)
		return -ESHUTDOWN;
	if (object_key_len(open->volume, open->cookie) > KEY_MAX)
		return -ENAMETOOLONG;
	o = engine_find_object(e, open->volume, open->cookie);
	if (o) {
		engine_open_answer(open, 0, o);
		return 0;
	}
	verdict = resolve_key(e->rules, e->config->n_sources, open->volume, open->cookie, &rule,
			      locator);
	if (verdict != RESOLVE_OK) {
		open_log(open, resolve_verdict_text(verdict));
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
	e->sched.stats.opens++;
	err = open_start(e, open);
	if (err < 0)
		engine_open_answer(open, err, NULL);
}

void engine_close(struct object *o, struct sink *sink, struct engine_close *close)
{
	struct engine *e = o->engine;
	struct loop *loop = e->config->loop;

	if (--o->refs == 0) {
		HASH_DEL(e->objects, o);
		e->sched.stats.objects--;
		object_fail(o, -ECANCELED);
	}
	if (o->sink == sink)
		o->sink = NULL;
	object_reap(o);
	sink_close(loop, sink, close);
}

struct engine_stats engine_stats(const struct engine *e)
{
	return e->sched.stats;
}
