/* SPDX-License-Identifier: MIT */
/*
 * The locators of the trace, each through the fetchers that a daemon without a configuration would
 * use for it, decorators of tar layers and of verified objects included. Nothing is tried again:
 * what fails is part of the report.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/origins.h"
#include "daemon/replay/origin.h"
#include "fetchers/common.h"

struct recorded {
	struct fetcher base;
	struct loop *loop;
	struct catalog *catalog; /* borrowed */
	struct fetch_refusals refusals;
	struct config *config;	 /* owned: without a source */
	struct origins *origins; /* owned */
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

/* error: FETCH_ERROR_MAX bytes. */
static int find_fetcher(struct recorded *r, const char *locator, const char **ret_locator,
			struct fetcher **ret, char *error)
{
	const struct catalog_object *object = catalog_find(r->catalog, locator);
	char why[ORIGINS_ERROR_MAX] = "";
	struct origin origin;
	int err;

	if (!object || !object->recorded) {
		fetch_error(error, locator, "the trace does not tell its locator");
		return -ENOENT;
	}
	err = origins_find(r->origins, object->recorded, &origin, why);
	if (err < 0) {
		snprintf(error, FETCH_ERROR_MAX, "%.*s", FETCH_ERROR_MAX - 1, why);
		return err == -ENOMEM ? err : -EIO;
	}
	*ret_locator = object->recorded;
	*ret = origin.fetcher;
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
	l->err = find_fetcher(r, look->locator, &l->inner.locator, &l->fetcher, l->inner.error);
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
	int err = find_fetcher(recorded_of(fetcher), locator, &real, &inner, error);

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

	origins_free(r->origins);
	config_free(r->config);
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
	int err = r ? config_new(&r->config) : -ENOMEM;

	if (err == 0) {
		r->config->defaults.retries = 0;
		err = origins_new(&r->origins, loop, r->config);
	}
	if (err < 0) {
		config_free(r ? r->config : NULL);
		free(r);
		return err;
	}
	r->base.ops = &recorded_ops;
	r->loop = loop;
	r->catalog = catalog;
	fetch_refusals_init(&r->refusals, loop);
	*ret = &r->base;
	return 0;
}

/* What stands in front of a locator has the place of its index, and then the locator. */
static bool is_local(const char *locator)
{
	const char *last = strrchr(locator, ';');

	return strncmp(last ? last + 1 : locator, "file:", 5) == 0;
}

bool recorded_is_local(const struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->n_objects; i++) {
		const char *locator = catalog->objects[i]->recorded;

		if (locator && !is_local(locator))
			return false;
	}
	return true;
}
