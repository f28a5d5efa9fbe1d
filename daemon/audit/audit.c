/* SPDX-License-Identifier: MIT */
#include "daemon/audit/audit.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "daemon/audit/audit-file.h"
#include "daemon/loop/worker.h"
#include "daemon/state.h"
#include "daemon/util/locator.h"
#include "daemon/util/log.h"
#include "daemon/util/table.h"
#include "proto/cachename.h"

/* A new object's file gets its name a moment after the kernel has said CLOSE. */
#define AUDIT_AFTER NSEC_PER_SEC
#define AUDIT_TRIES 3

/* An object that is to be looked at, or that is wrong and has to go. */
struct item {
	struct audit *audit; /* NULL: it is over, and only the eviction is waited for */
	struct worker_job job;
	struct space_eviction eviction;
	struct bytes volume, cookie; /* its own keys */
	char *name, *origin;	     /* owned, for the log */
	char digest[SHA256_HEX];     /* as it must be */
	uint64_t size;
	uint64_t due;
	unsigned int tries;
	bool wrong; /* it has been looked at */
	bool stale; /* at work, and used since: nobody knows of which bytes the result is */
	bool evicting;
	int err; /* what came of looking, and what was found */
	char found[SHA256_HEX];
	uint64_t bytes;
	STAILQ_ENTRY(item) link; /* in audit->queue, unless it is the one at work */
	UT_hash_handle hh;	 /* in audit->items, by path, unless it is stale */
	char path[CACHENAME_PATH_MAX];
	uint8_t keys[];
};

struct audit {
	struct loop *loop;
	struct state *state;
	struct engine_observer observer;
	struct engine *engine; /* borrowed, as space and dir_fd, from the start to the stop */
	struct space *space;
	int dir_fd;
	struct worker *worker; /* owned; NULL: it is not started */
	struct loop_timer timer;
	struct item *items;	    /* owned: all that are wanted */
	STAILQ_HEAD(, item) queue;  /* by the time when they are due */
	struct item *at_work;	    /* owned while it is stale; or NULL */
	atomic_bool stop;	    /* the thread sees it */
	struct state_object record; /* of the moment */
	struct audit_stats stats;
};

static void audit_next(struct audit *a);

/* ---- items -------------------------------------------------------------------------------- */

static void item_free(struct item *item)
{
	if (item->audit && !item->stale)
		HASH_DEL(item->audit->items, item);
	free(item->name);
	free(item->origin);
	free(item);
}

static struct item *item_new(const struct object *o, const char *path)
{
	struct bytes volume = object_volume(o), cookie = object_cookie(o);
	struct item *item = calloc(1, sizeof(*item) + volume.len + cookie.len);
	char origin[512];

	if (!item)
		return NULL;
	memcpy(item->keys, volume.data, volume.len);
	memcpy(item->keys + volume.len, cookie.data, cookie.len);
	item->volume = bytes_of(item->keys, volume.len);
	item->cookie = bytes_of(item->keys + volume.len, cookie.len);
	item->size = object_size(o);
	strcpy(item->path, path);
	strcpy(item->digest, verified_sha256(object_validator(o)));
	item->name = strdup(object_name(o));
	item->origin = strdup(locator_print(object_locator(o), origin, sizeof(origin)));
	if (!item->name || !item->origin) {
		item_free(item);
		return NULL;
	}
	return item;
}

static void item_later(struct item *item)
{
	struct audit *a = item->audit;

	item->due = loop_now(a->loop) + AUDIT_AFTER;
	STAILQ_INSERT_TAIL(&a->queue, item, link);
	audit_next(a);
}

static struct item *item_find(const struct audit *a, const char *path)
{
	struct item *item;

	HASH_FIND(hh, a->items, path, strlen(path), item);
	return item;
}

static void item_outdate(struct item *item)
{
	HASH_DEL(item->audit->items, item);
	item->stale = true;
}

/* Without memory it is looked at when it is used next. */
static void audit_want(struct audit *a, const struct object *o)
{
	char path[CACHENAME_PATH_MAX];
	struct item *item;

	if (cachename_path(object_volume(o), object_cookie(o), path) < 0)
		return;
	item = item_find(a, path);
	if (item && item != a->at_work)
		return;
	if (item)
		item_outdate(item);
	item = item_new(o, path);
	if (!item)
		return;
	HASH_ADD_KEYPTR(hh, a->items, item->path, strlen(item->path), item);
	if (!table_has(item)) {
		item_free(item);
		return;
	}
	item->audit = a;
	item->wrong = object_verified(o) == VERIFIED_FAILED;
	item_later(item);
}

/* It has been opened: it may be another version, with another digest, or with none. */
static void audit_begin_anew(struct audit *a, const struct object *o)
{
	char path[CACHENAME_PATH_MAX];
	struct item *item;

	if (cachename_path(object_volume(o), object_cookie(o), path) < 0)
		return;
	item = item_find(a, path);
	if (item && item == a->at_work) {
		item_outdate(item);
	} else if (item) {
		STAILQ_REMOVE(&a->queue, item, item, link);
		item_free(item);
	}
}

/* ---- what is wrong goes ------------------------------------------------------------------- */

/* What is still used goes when it is closed. What cannot go is dropped when it is opened. */
static void evict_ended(struct item *item, int err)
{
	struct audit *a = item->audit;

	item->evicting = false;
	a->at_work = NULL;
	if (err == -EBUSY && !item->stale &&
	    !engine_is_open(a->engine, item->volume, item->cookie) && ++item->tries < AUDIT_TRIES)
		item_later(item);
	else
		item_free(item);
	audit_next(a);
}

static void evicted(struct space_eviction *eviction, int err, uint64_t bytes)
{
	struct item *item = container_of(eviction, struct item, eviction);

	if (item->audit)
		evict_ended(item, err);
	else
		item_free(item);
}

static void evict(struct item *item)
{
	struct audit *a = item->audit;
	int err = -EOPNOTSUPP;

	item->eviction.done = evicted;
	item->evicting = true;
	if (a->space)
		err = space_evict(a->space, item->volume, item->cookie, &item->eviction);
	if (err < 0)
		evict_ended(item, err);
}

/* ---- looking ------------------------------------------------------------------------------ */

static void hash_work(struct worker_job *job)
{
	struct item *item = container_of(job, struct item, job);

	item->err = audit_file(item->audit->dir_fd, item->path, item->size, &item->audit->stop,
			       item->found, &item->bytes);
}

static struct log_subject subject_of(const struct item *item)
{
	return engine_subject(item->audit->engine, item->volume, item->cookie, NULL);
}

static void found_right(struct item *item)
{
	const struct log_subject subject = subject_of(item);

	item->audit->stats.right++;
	log_about(LOG_INFO, &subject, "%s: all %llu bytes are cached, and are those of sha256:%s",
		  item->name, (unsigned long long)item->size, item->digest);
	engine_checked(item->audit->engine, item->volume, item->cookie, true);
	item_free(item);
}

static void found_wrong(struct item *item)
{
	struct audit *a = item->audit;
	bool used = engine_is_open(a->engine, item->volume, item->cookie);
	const struct log_subject subject = subject_of(item);

	a->stats.wrong++;
	log_about(LOG_ERR, &subject,
		  "%s: all %llu bytes are cached, and they are wrong: their digest is sha256:%s, "
		  "and they came for sha256:%s from %s. %s",
		  item->name, (unsigned long long)item->size, item->found, item->digest,
		  item->origin,
		  used ? "They are served until all that uses them is unmounted; do that, and "
			 "mount it again for them to be fetched anew"
		       : "They are dropped, and fetched anew when they are needed");
	engine_checked(a->engine, item->volume, item->cookie, false);
	item->wrong = true;
	item->tries = 0;
	if (used)
		item_free(item);
	else
		item_later(item);
}

/* What is not complete, or has no name while it is open, comes again when that has changed. */
static void found_nothing(struct item *item)
{
	struct audit *a = item->audit;

	if (item->err == -ENOENT && !engine_is_open(a->engine, item->volume, item->cookie) &&
	    ++item->tries < AUDIT_TRIES) {
		item_later(item);
		return;
	}
	if (item->err != -ENOENT && item->err != -ENODATA) {
		const struct log_subject subject = subject_of(item);

		a->stats.failed++;
		log_about(LOG_WARNING, &subject,
			  "%s: what is cached of it cannot be compared with its digest: %s: %s",
			  item->name, item->path, strerror(-item->err));
	}
	item_free(item);
}

static void hashed(struct worker_job *job)
{
	struct item *item = container_of(job, struct item, job);
	struct audit *a = item->audit;

	a->at_work = NULL;
	a->stats.hashed_bytes += item->bytes;
	if (item->stale) {
		item_free(item);
	} else if (item->err < 0) {
		found_nothing(item);
	} else if (strcmp(item->found, item->digest) == 0) {
		found_right(item);
	} else {
		found_wrong(item);
	}
	audit_next(a);
}

/* One at a time; a timer that cannot be set is set by the next event. */
static void audit_next(struct audit *a)
{
	struct item *item = STAILQ_FIRST(&a->queue);

	if (a->at_work || !item)
		return;
	if (item->due > loop_now(a->loop)) {
		(void)loop_timer_set(a->loop, &a->timer, item->due);
		return;
	}
	STAILQ_REMOVE_HEAD(&a->queue, link);
	a->at_work = item;
	if (item->wrong) {
		evict(item);
		return;
	}
	item->job.work = hash_work;
	item->job.done = hashed;
	worker_run(a->worker, &item->job);
}

static void audit_fire(struct loop_timer *timer)
{
	audit_next(container_of(timer, struct audit, timer));
}

/* ---- what the engine tells ---------------------------------------------------------------- */

static void audit_opened(struct engine_observer *observer, struct object *o)
{
	struct audit *a = container_of(observer, struct audit, observer);

	audit_begin_anew(a, o);
	if (object_verified(o) != VERIFIED_PENDING)
		return;
	if (state_get(a->state, object_volume(o), object_cookie(o), &a->record) == 0 &&
	    a->record.check != STATE_UNCHECKED)
		object_set_verified(o, state_verified(&a->record));
	else
		audit_want(a, o);
}

static void audit_stored(struct engine_observer *observer, struct object *o,
			 const struct engine_work *work, enum engine_class class)
{
	if (object_verified(o) == VERIFIED_PENDING && object_is_complete(o))
		audit_want(container_of(observer, struct audit, observer), o);
}

static void audit_closed(struct engine_observer *observer, struct object *o)
{
	enum verified verified = object_verified(o);

	if (verified == VERIFIED_PENDING || verified == VERIFIED_FAILED)
		audit_want(container_of(observer, struct audit, observer), o);
}

/* ---- life --------------------------------------------------------------------------------- */

int audit_new(struct audit **ret, struct loop *loop, struct state *state)
{
	struct audit *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->loop = loop;
	a->state = state;
	a->timer.fire = audit_fire;
	a->observer.opened = audit_opened;
	a->observer.stored = audit_stored;
	a->observer.closed = audit_closed;
	STAILQ_INIT(&a->queue);
	*ret = a;
	return 0;
}

void audit_start(struct audit *a, struct engine *engine, struct space *space, int dir_fd)
{
	int err = a ? worker_new_idle(&a->worker, a->loop) : 0;

	if (err < 0)
		log_warning("no thread can be had (%s): nothing is compared with the digest of "
			    "the whole",
			    strerror(-err));
	if (!a || err < 0)
		return;
	a->engine = engine;
	a->space = space;
	a->dir_fd = dir_fd;
	engine_observe(engine, &a->observer);
}

void audit_stop(struct audit *a)
{
	struct item *item, *next;

	if (!a || !a->worker)
		return;
	engine_unobserve(a->engine, &a->observer);
	loop_timer_cancel(&a->timer);
	atomic_store(&a->stop, true);
	a->worker = worker_free(a->worker);
	/* An eviction ends by itself, all else with the thread. */
	if (a->at_work && !a->at_work->stale)
		item_outdate(a->at_work);
	if (a->at_work && a->at_work->evicting)
		a->at_work->audit = NULL;
	else if (a->at_work)
		item_free(a->at_work);
	HASH_ITER(hh, a->items, item, next)
		item_free(item);
	STAILQ_INIT(&a->queue);
	a->at_work = NULL;
}

struct audit *audit_free(struct audit *a)
{
	audit_stop(a);
	free(a);
	return NULL;
}

struct audit_stats audit_stats(const struct audit *a)
{
	struct audit_stats stats = { 0 };

	if (a) {
		stats = a->stats;
		stats.waiting = HASH_COUNT(a->items);
	}
	return stats;
}
