/* SPDX-License-Identifier: MIT */
/*
 * The locators of the trace, each through the fetcher of its scheme. One fetcher for each source
 * of the trace, since some confine themselves to the fixed part of their template; where the trace
 * does not tell the source of an object, its locator is the template.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/replay/origin.h"
#include "fetchers/common.h"

/* A fetcher that was made, by its template. */
struct recorded_inner {
	char *template;		 /* owned */
	struct fetcher *fetcher; /* owned */
	UT_hash_handle hh;
};

struct recorded {
	struct fetcher base;
	struct loop *loop;
	struct catalog *catalog;
	struct fetch_refusals refusals;
	struct recorded_inner *inners;
};

struct recorded_look {
	struct recorded *recorded;
	struct fetch_look inner;
	struct fetch_look *outer;
	struct fetcher *fetcher; /* NULL: there is none, err says why */
	struct loop_deferred refused;
	int err;
};

static struct recorded *recorded_of(struct fetcher *fetcher)
{
	return container_of(fetcher, struct recorded, base);
}

/* ---- which fetcher ------------------------------------------------------------------------ */

static struct recorded_inner *inner_free(struct recorded_inner *inner)
{
	if (inner->fetcher)
		inner->fetcher->ops->free(inner->fetcher);
	free(inner->template);
	free(inner);
	return NULL;
}

static int inner_make(struct recorded *r, const char *template, struct fetcher **ret, char *error)
{
	static const struct fetcher_param none[] = { { NULL, NULL } };
	const struct fetcher_class *class = fetcher_class_find(template);
	struct recorded_inner *inner;
	int err;

	if (!class) {
		fetch_error(error, template, "no fetcher for it was built in");
		return -EIO;
	}
	inner = calloc(1, sizeof(*inner));
	if (!inner)
		return -ENOMEM;
	inner->template = strdup(template);
	err = inner->template ? class->create(&inner->fetcher, r->loop, template, none, error)
			      : -ENOMEM;
	if (err == 0) {
		HASH_ADD_KEYPTR(hh, r->inners, inner->template, strlen(inner->template), inner);
		err = table_has(inner) ? 0 : -ENOMEM;
	}
	if (err < 0) {
		inner_free(inner);
		return err == -ENOMEM ? err : -EIO;
	}
	*ret = inner->fetcher;
	return 0;
}

/* error: FETCH_ERROR_MAX bytes. */
static int inner_find(struct recorded *r, const char *locator, const char **ret_locator,
		      struct fetcher **ret, char *error)
{
	const struct catalog_object *object = catalog_find(r->catalog, locator);
	struct recorded_inner *inner;
	const char *template;

	if (!object || !object->recorded) {
		fetch_error(error, locator, "the trace does not tell its locator");
		return -ENOENT;
	}
	*ret_locator = object->recorded;
	template = catalog_source(r->catalog, object->source);
	if (!template)
		template = object->recorded;
	HASH_FIND(hh, r->inners, template, strlen(template), inner);
	if (!inner)
		return inner_make(r, template, ret, error);
	*ret = inner->fetcher;
	return 0;
}

/* ---- the contract ------------------------------------------------------------------------- */

static void look_end(struct recorded_look *l, int err)
{
	struct fetch_look *outer = l->outer;

	outer->identity = l->inner.identity;
	outer->head_filled = l->inner.head_filled;
	if (err < 0)
		memcpy(outer->error, l->inner.error, sizeof(outer->error));
	free(l);
	outer->done(outer, err);
}

static void look_done(struct fetch_look *inner, int err)
{
	look_end(container_of(inner, struct recorded_look, inner), err);
}

static void look_refused(struct loop_deferred *deferred)
{
	struct recorded_look *l = container_of(deferred, struct recorded_look, refused);

	look_end(l, l->err);
}

static void recorded_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct recorded *r = recorded_of(fetcher);
	struct recorded_look *l = calloc(1, sizeof(*l));

	if (!l) {
		fetch_refuse_look(&r->refusals, look);
		return;
	}
	l->recorded = r;
	l->outer = look;
	l->inner.head = look->head;
	l->inner.head_len = look->head_len;
	l->inner.done = look_done;
	l->refused.run = look_refused;
	look->fetcher_private = l;
	l->err = inner_find(r, look->locator, &l->inner.locator, &l->fetcher, l->inner.error);
	if (l->err < 0)
		loop_defer(r->loop, &l->refused);
	else
		l->fetcher->ops->look(l->fetcher, &l->inner);
}

static void recorded_cancel_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct recorded *r = recorded_of(fetcher);
	struct recorded_look *l = look->fetcher_private;

	if (!fetch_refused_look(&r->refusals, look) && l->fetcher)
		l->fetcher->ops->cancel_look(l->fetcher, &l->inner);
}

/* The object is that of the inner fetcher, which it names itself. */
static int recorded_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
			   const struct fetch_identity *identity)
{
	char error[FETCH_ERROR_MAX];
	struct fetcher *inner;
	const char *real;
	int err = inner_find(recorded_of(fetcher), locator, &real, &inner, error);

	if (err < 0)
		return err == -ENOMEM ? err : -EINVAL;
	return inner->ops->attach(inner, ret, real, identity);
}

static void recorded_detach(struct fetch_object *object)
{
	object->fetcher->ops->detach(object);
}

static void recorded_read(struct fetch_object *object, struct fetch_read *read)
{
	object->fetcher->ops->read(object, read);
}

static void recorded_cancel_read(struct fetch_object *object, struct fetch_read *read)
{
	object->fetcher->ops->cancel_read(object, read);
}

static void recorded_free(struct fetcher *fetcher)
{
	struct recorded *r = recorded_of(fetcher);
	struct recorded_inner *inner, *next;

	HASH_ITER(hh, r->inners, inner, next) {
		HASH_DEL(r->inners, inner);
		inner_free(inner);
	}
	free(r);
}

static const struct fetcher_ops recorded_ops = {
	.look = recorded_look,
	.cancel_look = recorded_cancel_look,
	.attach = recorded_attach,
	.detach = recorded_detach,
	.read = recorded_read,
	.cancel_read = recorded_cancel_read,
	.free = recorded_free,
};

int recorded_fetcher_new(struct fetcher **ret, struct loop *loop, struct catalog *catalog)
{
	struct recorded *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->base.ops = &recorded_ops;
	r->loop = loop;
	r->catalog = catalog;
	fetch_refusals_init(&r->refusals, loop);
	*ret = &r->base;
	return 0;
}

bool recorded_is_local(const struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->n_objects; i++) {
		const char *locator = catalog->objects[i]->recorded;

		if (locator && strncmp(locator, "file:", 5) != 0)
			return false;
	}
	return true;
}
