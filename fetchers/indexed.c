/* SPDX-License-Identifier: MIT */
#include "fetchers/indexed.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"
#include "fetchers/index-file.h"

struct indexed {
	struct fetcher base;
	struct loop *loop;
	struct fetcher *next; /* borrowed */
	const struct indexed_kind *kind;
	struct fetch_refusals refusals;
	void *shared; /* owned */
};

struct indexed_object {
	struct fetch_object base;
	struct indexed *owner;
	char *locator;	   /* owned */
	char *path;	   /* owned; of the index */
	const char *inner; /* in locator */
	/* What it must be; while a look has not learnt it yet, without a validator. */
	struct fetch_identity identity;
	/* The index: none, on its way (reads wait), or loaded: then next is not NULL. */
	bool loading;
	struct index_file file;
	struct fetch_object *next; /* owned; attached */
	void *parsed;		   /* owned */
	TAILQ_HEAD(, indexed_read) waiting;
	struct indexed_look *look; /* whose this is, or NULL */
};

/* A look owns an object for as long as it takes. */
struct indexed_look {
	struct fetch_look *look;
	struct indexed_object *object; /* owned */
	struct fetch_read head;
	struct loop_deferred deferred;
	int err;
	bool reading, canceled;
};

TAILQ_HEAD(reads, indexed_read);

static void look_loaded(struct indexed_look *l, int err, const char *why);

/* ---- objects ---------------------------------------------------------------------------- */

static void object_unload(struct indexed_object *o)
{
	const struct indexed_kind *kind = o->owner->kind;

	if (o->parsed && kind->end)
		kind->end(o->parsed, o->owner->shared);
	free(o->parsed);
	free(o->file.kept);
	close_fdp(&o->file.fd);
	o->parsed = NULL;
	o->file.kept = NULL;
	o->file.fd = -1;
}

static struct indexed_object *object_free(struct indexed_object *o)
{
	if (!o)
		return NULL;
	assert(!o->loading && TAILQ_EMPTY(&o->waiting));
	if (o->next)
		o->next->fetcher->ops->detach(o->next);
	object_unload(o);
	free(o->path);
	free(o->locator);
	free(o);
	return NULL;
}

/* -EINVAL: the locator cannot be one of this kind. */
static int object_new(struct indexed_object **ret, struct indexed *owner, const char *locator)
{
	size_t scheme = strlen(owner->kind->scheme);
	const char *stop = strchr(locator, ';');
	struct indexed_object *o;

	if (strncmp(locator, owner->kind->scheme, scheme) != 0 || locator[scheme] != ':' || !stop ||
	    stop[1] == '\0')
		return -EINVAL;
	o = malloc(sizeof(*o));
	if (!o)
		return -ENOMEM;
	*o = (struct indexed_object){ .owner = owner, .file.fd = -1 };
	o->base.fetcher = &owner->base;
	TAILQ_INIT(&o->waiting);
	o->locator = strdup(locator);
	o->path = strndup(locator + scheme + 1, (size_t)(stop - locator) - scheme - 1);
	if (!o->locator || !o->path) {
		object_free(o);
		return -ENOMEM;
	}
	o->inner = o->locator + (stop + 1 - locator);
	if (fetch_unescape(o->path) < 0 || o->path[0] != '/') {
		object_free(o);
		return -EINVAL;
	}
	*ret = o;
	return 0;
}

/* All that wait go on, or end. What they end in may free the object. */
static void object_wake(struct indexed_object *o, int err, const char *why)
{
	const struct indexed_kind *kind = o->owner->kind;
	struct reads reads = TAILQ_HEAD_INITIALIZER(reads);
	struct indexed_read *r;

	TAILQ_CONCAT(&reads, &o->waiting, link);
	while ((r = TAILQ_FIRST(&reads)) != NULL) {
		TAILQ_REMOVE(&reads, r, link);
		if (err == 0 && !r->canceled) {
			r->started = true;
			kind->start(r);
			continue;
		}
		fetch_error(r->read->error, o->locator, "%s", err < 0 ? why : "canceled");
		indexed_done(r, r->canceled ? -ECANCELED : err);
	}
}

/* The index is in memory: is it the one that is meant, and what does it say? */
static int object_loaded(struct indexed_object *o, const char **ret_why)
{
	const struct indexed_kind *kind = o->owner->kind;
	struct fetch_identity inner = { 0 }, identity = { 0 };
	struct fetcher *next = o->owner->next;
	int r;

	snprintf(identity.validator, sizeof(identity.validator), "%s:%s", kind->scheme,
		 o->file.sha256);
	*ret_why = "the index is not the one that it was";
	if (o->identity.validator[0] && strcmp(o->identity.validator, identity.validator) != 0)
		return -ESTALE;
	o->parsed = calloc(1, kind->parsed_size);
	*ret_why = "no memory";
	if (!o->parsed)
		return -ENOMEM;
	*ret_why = kind->parse(o->parsed, bytes_of(o->file.kept, o->file.n_kept), &inner,
			       &identity.size);
	if (*ret_why)
		return -EPROTO;
	*ret_why = "the index is of another size";
	if (o->identity.validator[0] && o->identity.size != identity.size)
		return -ESTALE;
	r = next->ops->attach(next, &o->next, o->inner, &inner);
	*ret_why = r == -ENOMEM ? "no memory" : "the index is not of such an object";
	if (r < 0)
		return r == -ENOMEM ? r : -EPROTO;
	o->identity = identity;
	if (o->file.n_kept == o->file.size) {
		close_fdp(&o->file.fd);
		o->file.fd = -1;
	}
	return 0;
}

static void file_done(struct index_file *file, int err)
{
	struct indexed_object *o = container_of(file, struct indexed_object, file);
	const char *why = file->why;

	o->loading = false;
	if (err == 0) {
		err = object_loaded(o, &why);
		if (err < 0)
			object_unload(o);
	}
	if (o->look)
		look_loaded(o->look, err, why);
	else
		object_wake(o, err, why);
}

static void object_load(struct indexed_object *o)
{
	o->loading = true;
	o->file.loop = o->owner->loop;
	o->file.size_max = o->owner->kind->file_max;
	o->file.keep = o->owner->kind->keep;
	o->file.done = file_done;
	index_file_load(&o->file, o->path);
}

/* ---- reads ------------------------------------------------------------------------------ */

void *indexed_parsed(struct indexed_read *r)
{
	return r->object->parsed;
}

void *indexed_shared(struct indexed_read *r)
{
	return r->object->owner->shared;
}

struct fetch_object *indexed_inner(struct indexed_read *r)
{
	return r->object->next;
}

struct loop *indexed_loop(struct indexed_read *r)
{
	return r->object->owner->loop;
}

int indexed_fd(struct indexed_read *r)
{
	return r->object->file.fd;
}

bool indexed_canceled(const struct indexed_read *r)
{
	return r->canceled;
}

void indexed_done(struct indexed_read *r, int err)
{
	const struct indexed_kind *kind = r->object->owner->kind;
	struct fetch_read *read = r->read;

	if (r->started && kind->finish)
		kind->finish(r);
	free(r);
	read->done(read, err);
}

static void run_deferred(struct loop_deferred *deferred)
{
	struct indexed_read *r = container_of(deferred, struct indexed_read, deferred);

	indexed_done(r, r->err);
}

void indexed_defer_done(struct indexed_read *r, int err)
{
	r->err = err;
	r->deferred.run = run_deferred;
	loop_defer(r->object->owner->loop, &r->deferred);
}

static void indexed_read(struct fetch_object *base, struct fetch_read *read)
{
	struct indexed_object *o = container_of(base, struct indexed_object, base);
	const struct indexed_kind *kind = o->owner->kind;
	struct indexed_read *r = malloc(kind->read_size);

	if (!r) {
		fetch_refuse_read(&o->owner->refusals, read);
		return;
	}
	*r = (struct indexed_read){ .read = read, .object = o };
	read->fetcher_private = r;
	if (o->next) {
		r->started = true;
		kind->start(r);
		return;
	}
	TAILQ_INSERT_TAIL(&o->waiting, r, link);
	if (!o->loading)
		object_load(o);
}

static void indexed_cancel_read(struct fetch_object *base, struct fetch_read *read)
{
	struct indexed_object *o = container_of(base, struct indexed_object, base);
	struct indexed_read *r = read->fetcher_private, *other;

	if (fetch_refused_read(&o->owner->refusals, read) || r->canceled)
		return;
	r->canceled = true;
	if (r->started) {
		o->owner->kind->cancel(r);
		return;
	}
	TAILQ_FOREACH(other, &o->waiting, link)
		if (!other->canceled)
			return;
	index_file_cancel(&o->file);
}

/* ---- looks ------------------------------------------------------------------------------ */

static void look_done(struct indexed_look *l, int err)
{
	struct fetch_look *look = l->look;

	object_free(l->object);
	free(l);
	look->done(look, err);
}

static void look_run_deferred(struct loop_deferred *deferred)
{
	struct indexed_look *l = container_of(deferred, struct indexed_look, deferred);

	look_done(l, l->err);
}

static void head_done(struct fetch_read *head, int err)
{
	struct indexed_look *l = container_of(head, struct indexed_look, head);

	if (err < 0)
		memcpy(l->look->error, head->error, sizeof(head->error));
	l->look->retry_after = head->retry_after;
	look_done(l, err);
}

static void look_loaded(struct indexed_look *l, int err, const char *why)
{
	struct fetch_look *look = l->look;
	struct indexed_object *o = l->object;

	if (err == 0 && l->canceled) {
		err = -ECANCELED;
		why = "canceled";
	}
	if (err < 0) {
		fetch_error(look->error, look->locator, "%s", why);
		look_done(l, err);
		return;
	}
	look->identity = o->identity;
	look->head_filled =
		look->head_len < o->identity.size ? look->head_len : (size_t)o->identity.size;
	if (look->head_filled == 0) {
		look_done(l, 0);
		return;
	}
	l->head = (struct fetch_read){ .len = look->head_filled,
				       .buf = look->head,
				       .deadline = look->deadline,
				       .done = head_done };
	l->reading = true;
	indexed_read(&o->base, &l->head);
}

static void indexed_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct indexed *owner = container_of(fetcher, struct indexed, base);
	struct indexed_look *l = malloc(sizeof(*l));

	if (!l) {
		fetch_refuse_look(&owner->refusals, look);
		return;
	}
	*l = (struct indexed_look){ .look = look, .deferred.run = look_run_deferred };
	look->fetcher_private = l;
	l->err = object_new(&l->object, owner, look->locator);
	if (l->err == 0) {
		l->object->look = l;
		object_load(l->object);
		return;
	}
	fetch_error(look->error, look->locator, "%s",
		    l->err == -ENOMEM ? "no memory" : "this is not a locator of this kind");
	l->err = l->err == -ENOMEM ? -ENOMEM : -EIO;
	loop_defer(owner->loop, &l->deferred);
}

static void indexed_cancel_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct indexed *owner = container_of(fetcher, struct indexed, base);
	struct indexed_look *l = look->fetcher_private;

	if (fetch_refused_look(&owner->refusals, look) || l->canceled)
		return;
	l->canceled = true;
	if (l->reading)
		indexed_cancel_read(&l->object->base, &l->head);
	else if (l->object)
		index_file_cancel(&l->object->file);
}

/* ---- the contract ----------------------------------------------------------------------- */

static bool is_validator(const struct indexed_kind *kind, const char *validator)
{
	size_t scheme = strlen(kind->scheme);

	return strncmp(validator, kind->scheme, scheme) == 0 && validator[scheme] == ':' &&
	       strspn(validator + scheme + 1, "0123456789abcdef") == SHA256_HEX - 1 &&
	       validator[scheme + SHA256_HEX] == '\0';
}

static int indexed_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
			  const struct fetch_identity *identity)
{
	struct indexed *owner = container_of(fetcher, struct indexed, base);
	struct indexed_object *o;
	int r;

	if (!is_validator(owner->kind, identity->validator))
		return -EINVAL;
	r = object_new(&o, owner, locator);
	if (r < 0)
		return r;
	o->identity = *identity;
	*ret = &o->base;
	return 0;
}

static void indexed_detach(struct fetch_object *base)
{
	object_free(container_of(base, struct indexed_object, base));
}

static void indexed_free(struct fetcher *fetcher)
{
	struct indexed *owner = container_of(fetcher, struct indexed, base);

	free(owner->shared);
	free(owner);
}

static const struct fetcher_ops indexed_ops = {
	.look = indexed_look,
	.cancel_look = indexed_cancel_look,
	.attach = indexed_attach,
	.detach = indexed_detach,
	.read = indexed_read,
	.cancel_read = indexed_cancel_read,
	.free = indexed_free,
};

int indexed_new(struct fetcher **ret, struct loop *loop, struct fetcher *next,
		const struct indexed_kind *kind)
{
	struct indexed *owner = malloc(sizeof(*owner));

	if (!owner)
		return -ENOMEM;
	*owner = (struct indexed){
		.base.ops = &indexed_ops, .loop = loop, .next = next, .kind = kind
	};
	owner->shared = calloc(1, kind->shared_size + 1);
	if (!owner->shared) {
		free(owner);
		return -ENOMEM;
	}
	fetch_refusals_init(&owner->refusals, loop);
	*ret = &owner->base;
	return 0;
}
