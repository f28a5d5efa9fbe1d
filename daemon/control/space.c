/* SPDX-License-Identifier: MIT */
/* What is dropped from the cache when somebody says so. The thread that culls answers later. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/control-internal.h"
#include "daemon/space/space.h"
#include "daemon/util/bytes.h"
#include "daemon/util/checked.h"
#include "daemon/util/json.h"

#define GARBAGE_LIMIT 256

/* Ends the wait: the answer is there, or nobody wants it. */
static void wait_end(struct control_wait *wait)
{
	if (wait->ready)
		wait->ready(wait->arg);
	else
		free(wait->answer.body);
}

static void fail_stopping(struct control_answer *a)
{
	control_fail(a, 503, "Ask its successor.", "the daemon is stopping");
}

/* ---- one object --------------------------------------------------------------------------- */

struct evict {
	struct control_wait wait;
	struct space_eviction eviction;
	char name[200]; /* printable */
};

static void fail_evict(struct control_answer *a, const char *name, int err)
{
	switch (err) {
	case -EBUSY:
		control_fail(a, 409, "Unmount what it is of first.", "%s is in use", name);
		break;
	case -EINVAL:
		control_fail(a, 400, "", "the kernel knows no key like %s", name);
		break;
	case -EOPNOTSUPP:
		control_fail(a, 501, "The log says why.", "this daemon cannot cull");
		break;
	case -ECANCELED:
		fail_stopping(a);
		break;
	default:
		control_fail(a, 503, "The log says more.", "%s was not culled: %s", name,
			     strerror(-err));
	}
}

/* That nothing was cached of it is what was wanted. */
static void answer_evicted(struct control_answer *a, uint64_t bytes)
{
	json_t *object = json_object();

	control_set_number(object, "freed_bytes", bytes);
	a->status = 200;
	control_answer_json(a, object);
}

static void evicted(struct space_eviction *eviction, int err, uint64_t bytes)
{
	struct evict *e = container_of(eviction, struct evict, eviction);
	struct control_answer *a = &e->wait.answer;

	if (err < 0 && err != -ENOENT)
		fail_evict(a, e->name, err);
	else
		answer_evicted(a, bytes);
	wait_end(&e->wait);
	free(e);
}

void control_post_evict(struct control *c, const struct control_request *r,
			struct control_answer *a)
{
	struct control_key volume, cookie;
	struct evict *e;
	int err;

	if (!control_field_key(r, a, "volume", &volume) ||
	    !control_field_key(r, a, "cookie", &cookie))
		return;
	if (!volume.given || !cookie.given) {
		control_fail(a, 400, "Both keys name one object.",
			     "\"volume\" and \"cookie\" are needed");
		return;
	}
	e = calloc(1, sizeof(*e));
	if (!e) {
		control_fail(a, 503, "Ask again.", "out of memory");
		return;
	}
	e->eviction.done = evicted;
	bytes_print(cookie.bytes, e->name, sizeof(e->name));
	err = c->config.space
		      ? space_evict(c->config.space, volume.bytes, cookie.bytes, &e->eviction)
		      : -EOPNOTSUPP;
	if (err == 0) {
		a->wait = &e->wait;
		return;
	}
	if (err == -ENOENT)
		answer_evicted(a, 0);
	else
		fail_evict(a, e->name, err);
	free(e);
}

/* ---- garbage ------------------------------------------------------------------------------ */

struct gc {
	struct control_wait wait;
	struct space_collection collection;
	json_t *objects;	   /* owned */
	uint64_t n, bytes, in_use; /* that have gone, or would; that stay */
	uint64_t records;	   /* that have gone, or would */
};

static const char *why(const struct space_garbage *garbage)
{
	switch (garbage->kind) {
	case SPACE_UNKNOWN:
		return "unknown";
	case SPACE_RECORD:
		return "record";
	default:
		return "unowned";
	}
}

static void found_garbage(struct space_collection *collection, const struct space_garbage *garbage)
{
	struct gc *gc = container_of(collection, struct gc, collection);
	json_t *object;

	if (garbage->kind == SPACE_RECORD) {
		gc->records++;
	} else if (garbage->err == 0) {
		gc->n++;
		gc->bytes += garbage->bytes;
	} else {
		gc->in_use += garbage->err == -EBUSY;
	}
	if (json_array_size(gc->objects) == GARBAGE_LIMIT)
		return;
	object = json_object();
	json_set_key(object, "volume", garbage->volume);
	json_set_key(object, "cookie", garbage->cookie);
	control_set_number(object, "bytes", garbage->bytes);
	control_set_number(object, "used", (uint64_t)(garbage->used / NSEC_PER_SEC));
	control_set_text(object, "why", why(garbage));
	if (garbage->err < 0)
		control_set_text(object, "kept",
				 garbage->err == -EBUSY ? "in use" : strerror(-garbage->err));
	json_array_append_new(gc->objects, object);
}

static void answer_gc(struct gc *gc)
{
	struct control_answer *a = &gc->wait.answer;
	json_t *object = json_object();

	json_object_set_new(object, "dry_run", json_boolean(gc->collection.dry));
	control_set_number(object, "culled", gc->n);
	control_set_number(object, "freed_bytes", gc->bytes);
	control_set_number(object, "in_use", gc->in_use);
	control_set_number(object, "records", gc->records);
	json_object_set(object, "objects", gc->objects);
	a->status = 200;
	control_answer_json(a, object);
}

static void gc_done(struct space_collection *collection, int err)
{
	struct gc *gc = container_of(collection, struct gc, collection);

	if (err == 0)
		answer_gc(gc);
	else if (err == -ECANCELED)
		fail_stopping(&gc->wait.answer);
	else
		control_fail(&gc->wait.answer, 503, "The log says more.",
			     "the cache cannot be looked through: %s", strerror(-err));
	wait_end(&gc->wait);
	json_decref(gc->objects);
	free(gc);
}

void control_post_gc(struct control *c, const struct control_request *r, struct control_answer *a)
{
	struct gc *gc;
	bool dry = false;

	if (!control_field_bool(r, a, "dry_run", &dry))
		return;
	gc = calloc(1, sizeof(*gc));
	if (!gc) {
		control_fail(a, 503, "Ask again.", "out of memory");
		return;
	}
	gc->collection.dry = dry;
	gc->collection.found = found_garbage;
	gc->collection.done = gc_done;
	gc->objects = json_array();
	if (c->config.space && space_collect(c->config.space, &gc->collection) == 0) {
		a->wait = &gc->wait;
		return;
	}
	json_decref(gc->objects);
	free(gc);
	fail_evict(a, "", -EOPNOTSUPP);
}
