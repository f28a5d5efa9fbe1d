/* SPDX-License-Identifier: MIT */
#include "daemon/engine/opening.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/engine/engine-internal.h"
#include "daemon/engine/erofs.h"
#include "daemon/state.h"
#include "daemon/util/checked.h"
#include "daemon/util/locator.h"
#include "daemon/util/log.h"

/* How long a mount may wait to hear that a known object has not changed. */
#define REVALIDATE_DEADLINE (5 * NSEC_PER_SEC)

/* What a fetcher says names the origin already. */
static void opening_log(const struct opening *p, int err, const char *detail, const char *then)
{
	const struct log_subject subject = engine_subject(p->engine, p->open->volume,
							  p->open->cookie, p->source->config->name);
	char v[512], c[512], origin[512];

	log_about(then ? LOG_WARNING : LOG_ERR, &subject,
		  "%s/%s: cannot open (source \"%s\"): %s: %s%s",
		  bytes_print(p->open->volume, v, sizeof(v)),
		  bytes_print(p->open->cookie, c, sizeof(c)), p->source->config->name,
		  *detail ? detail : locator_print(p->locator, origin, sizeof(origin)),
		  strerror(-err), then ? then : "");
}

static void opening_answer(struct opening *p, int err, struct object *object)
{
	struct engine_open *open = p->open;
	uint64_t now = loop_now(p->engine->config->loop);

	loop_timer_cancel(&p->deadline);
	p->open = NULL;
	open->request.queued = (p->begun ? p->begun : now) - open->request.since;
	open->request.origin = p->begun ? now - p->begun : 0;
	engine_open_answer(open, err, object);
	open->opening = NULL;
}

static void opening_free(struct opening *p)
{
	loop_timer_cancel(&p->deadline);
	TAILQ_REMOVE(&p->engine->openings, p, link);
	if (p->look.head)
		bufpool_put(p->engine->sched.pool, p->look.head);
	free(p->locator);
	free(p);
}

static int opening_remember(struct opening *p, const struct fetch_identity *identity)
{
	struct engine_open *open = p->open;
	struct state *state = p->engine->config->state;
	struct state_object record = { .size = identity->size, .whole = p->whole };

	if (strlen(p->locator) >= sizeof(record.locator))
		return -ENAMETOOLONG;
	locator_record(p->locator, record.locator, sizeof(record.locator));
	memcpy(record.validator, identity->validator, sizeof(record.validator));
	/* A failure costs a new look after the next start: the record is missing, the bytes go. */
	(void)state_put(state, open->volume, open->cookie, &record);
	return 0;
}

/* The object takes the first bytes over, padded to whole blocks at the object's end. */
static void opening_hand_head(struct opening *p, struct object *o, enum erofs_kind kind)
{
	size_t filled = p->look.head_filled;

	if (!p->look.head || filled == 0)
		return;
	if (filled == o->size) {
		o->head_len = (size_t)round_up_u64(filled, CACHE_BLOCK);
		memset((char *)p->look.head + filled, 0, o->head_len - filled);
	} else {
		o->head_len = (size_t)round_down_u64(filled, CACHE_BLOCK);
	}
	if (o->head_len == 0)
		return;
	o->head_more = o->size <= HEAD_LEN || kind == EROFS_PLAIN;
	o->head = p->look.head;
	p->look.head = NULL;
}

static int opening_make(struct opening *p, const struct fetch_identity *identity,
			struct object **ret)
{
	struct object_params params = {
		.volume = p->open->volume,
		.cookie = p->open->cookie,
		.locator = p->locator,
		.identity = identity,
		.whole = p->whole,
	};

	return engine_add_object(p->engine, ret, p->source, &params);
}

static bool identity_equal(const struct fetch_identity *a, const struct fetch_identity *b)
{
	return a->size == b->size && strcmp(a->validator, b->validator) == 0;
}

/* What has been seen at the origin becomes the pinned identity. */
static int opening_accept(struct opening *p, struct object **ret)
{
	const struct fetch_identity *seen = &p->look.identity;
	bool same = p->known && identity_equal(&p->identity, seen);
	enum erofs_kind kind =
		p->look.head ? erofs_look(p->look.head, p->look.head_filled) : EROFS_NONE;
	int err = 0;

	if (seen->size > OBJECT_SIZE_MAX)
		return -EFBIG;
	p->whole = kind == EROFS_COMPRESSED;
	if (p->whole && p->source->config->refuse_compressed)
		return -EOPNOTSUPP;
	if (!same) {
		names_forget(p->engine->names, p->open->volume, p->open->cookie);
		/* The record goes before the bytes do, and both before new ones are known. */
		err = state_forget(p->engine->config->state, p->open->volume, p->open->cookie);
		if (err == 0)
			err = p->open->discard(p->open);
	}
	if (err == 0)
		err = opening_remember(p, seen);
	if (err == 0)
		err = opening_make(p, seen, ret);
	if (err < 0)
		return err;
	if (!p->purged)
		engine_remember(p->engine, p->open, p->source, p->locator, seen, p->whole);
	opening_hand_head(p, *ret, kind);
	return 0;
}

static void opening_say(const struct opening *p, const struct object *o)
{
	bool changed = p->known && !identity_equal(&p->identity, &p->look.identity);
	bool bare = p->look.identity.validator[0] == '\0';
	struct log_subject subject;
	char origin[512];

	if (!changed && !bare)
		return;
	subject = object_subject(o);
	locator_print(p->locator, origin, sizeof(origin));
	if (changed)
		log_about(LOG_NOTICE, &subject,
			  "%s: %s has changed since it was cached: the old bytes are dropped",
			  object_name(o), origin);
	if (bare)
		log_about(LOG_WARNING, &subject,
			  "%s: %s has neither ETag nor Last-Modified: a change of its content "
			  "would not be noticed",
			  object_name(o), origin);
}

/* The origin did not say; a known object is served all the same. */
static void opening_fall_back(struct opening *p, int err, const char *detail)
{
	struct object *o = NULL;

	if (p->known) {
		opening_log(p, err, detail, "; the cached version is used");
		err = opening_make(p, &p->identity, &o);
	} else {
		opening_log(p, err, detail, NULL);
	}
	opening_answer(p, err, o);
}

/* Only while somebody waits for it: the request's keys go with its answer. */
static void opening_observe(const struct opening *p, int err)
{
	const struct sched *sched = &p->engine->sched;

	OBSERVE(sched, looked, p->open, (uint32_t)(p->source - sched->sources),
		err < 0 ? 0 : p->look.identity.size, p->begun, err);
}

static void opening_looked(struct fetch_look *look, int err)
{
	struct opening *p = container_of(look, struct opening, look);
	struct object *o = NULL;

	p->source->running--;
	sched_kick(&p->engine->sched);
	if (!p->open) {
		opening_free(p);
		return;
	}
	opening_observe(p, err);
	if (err == -ENOENT && !p->known && !p->purged)
		engine_remember_absent(p->engine, p->open, p->source);
	if (err < 0) {
		opening_fall_back(p, err, look->error);
		opening_free(p);
		return;
	}
	/* Somebody else was faster. What is open pins the version, whatever was seen here. */
	o = engine_find_object(p->engine, p->open->volume, p->open->cookie);
	if (o) {
		opening_answer(p, 0, o);
		opening_free(p);
		return;
	}
	sched_note_distance(p->source, loop_now(p->engine->config->loop) - p->begun);
	err = opening_accept(p, &o);
	if (err == -EOPNOTSUPP)
		opening_log(p, err, "a compressed image, and the configuration refuses those",
			    NULL);
	else if (err < 0)
		opening_log(p, err, "", NULL);
	else
		opening_say(p, o);
	opening_answer(p, err, o);
	opening_free(p);
}

/* Nobody waits for it any more: one that has not begun goes at once, the others by themselves. */
static void opening_stop(struct opening *p)
{
	struct fetcher *fetcher = p->source->config->fetcher;

	if (p->queued) {
		sched_dequeue_look(&p->engine->sched, p);
		opening_free(p);
	} else {
		fetcher->ops->cancel_look(fetcher, &p->look);
	}
}

static void opening_expired(struct loop_timer *timer)
{
	struct opening *p = container_of(timer, struct opening, deadline);
	struct sched *sched = &p->engine->sched;
	uint64_t next;

	/* Without memory for a timer nobody would look again: it ends now rather than never. */
	if (waiting_look(&sched->waiting, &p->open->request, &next) &&
	    loop_timer_set(sched->loop, timer, next) == 0)
		return;
	if (!p->queued)
		opening_observe(p, -ETIMEDOUT);
	opening_fall_back(p, -ETIMEDOUT,
			  *p->look.error ? p->look.error : "no answer within the deadline");
	opening_stop(p);
}

void opening_abandon(struct opening *p, int err)
{
	if (!p->open)
		return;
	if (!p->queued)
		opening_observe(p, err);
	opening_answer(p, err, NULL);
	opening_stop(p);
}

void opening_look(struct opening *p, void *head, size_t len)
{
	struct fetcher *fetcher = p->source->config->fetcher;

	p->look.head = head;
	p->look.head_len = len;
	p->begun = loop_now(p->engine->config->loop);
	p->engine->sched.stats.looks++;
	fetcher->ops->look(fetcher, &p->look);
}

static int opening_arm(struct opening *p)
{
	struct engine_request *request = &p->open->request;
	uint64_t patience = p->source->config->open_deadline;

	if (p->known)
		patience = min_u64(patience, REVALIDATE_DEADLINE);
	request->due = p->look.deadline = request->since + patience;
	return loop_timer_set(p->engine->config->loop, &p->deadline, waiting_first_look(request));
}

int opening_start(struct engine *engine, struct engine_open *open, struct source *source,
		  const char *locator, const struct fetch_identity *known, bool whole)
{
	struct opening *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->engine = engine;
	p->open = open;
	p->source = source;
	p->known = known != NULL;
	p->whole = whole;
	p->deadline.fire = opening_expired;
	p->look.done = opening_looked;
	if (known) {
		p->identity = *known;
		p->look.known = &p->identity;
	}
	TAILQ_INSERT_TAIL(&engine->openings, p, link);
	p->locator = strdup(locator);
	p->look.locator = p->locator;
	err = p->locator ? opening_arm(p) : -ENOMEM;
	if (err < 0) {
		opening_free(p);
		return err;
	}
	open->opening = p;
	sched_enqueue_look(&engine->sched, p);
	return 0;
}
