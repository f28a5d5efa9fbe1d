/* SPDX-License-Identifier: MIT */
/* Looks and lists that are waited for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/context-wait.h"

#define AT_ONCE 16 /* looks under way */

/* ---- looks -------------------------------------------------------------------------------- */

struct look {
	struct fetch_look base;
	struct looks *all;
	struct origin origin;
	bool started, done;
	int err;
};

struct looks {
	struct context_wait wait;
	struct look *looks;
	size_t n, next;
};

static void looks_start(struct looks *l);

static void look_done(struct fetch_look *base, int err)
{
	struct look *look = container_of(base, struct look, base);
	struct looks *all = look->all;

	look->done = true;
	look->err = err;
	all->wait.pending--;
	context_wait_alive(&all->wait);
	looks_start(all);
}

static void looks_start(struct looks *l)
{
	while (l->wait.err == 0 && l->next < l->n && l->wait.pending < AT_ONCE) {
		struct look *look = &l->looks[l->next++];

		if (look->err < 0)
			continue;
		look->started = true;
		l->wait.pending++;
		look->origin.fetcher->ops->look(look->origin.fetcher, &look->base);
	}
}

static void looks_cancel(struct context_wait *wait)
{
	struct looks *l = container_of(wait, struct looks, wait);

	for (size_t i = 0; i < l->n; i++) {
		struct look *look = &l->looks[i];

		if (look->started && !look->done)
			look->origin.fetcher->ops->cancel_look(look->origin.fetcher, &look->base);
	}
}

static void look_prepare(struct looks *l, struct look *look, struct context_look *of)
{
	*look = (struct look){
		.base.locator = of->locator,
		.base.head = of->head,
		.base.head_len = of->head_len,
		.base.done = look_done,
		.all = l,
	};
	look->err = context_origin(l->wait.context, of->locator, &look->origin, of->error);
}

static void look_finish(const struct looks *l, const struct look *look, struct context_look *of)
{
	of->err = look->err;
	if (look->started || (look->err == 0 && l->wait.err < 0))
		of->err = context_wait_verdict(&l->wait, look->done ? look->err : -ECANCELED,
					       of->locator, look->base.error, of->error);
	if (of->err < 0)
		return;
	of->identity = look->base.identity;
	of->head_filled = look->base.head_filled;
}

int context_look(struct context *context, struct context_look *looks, size_t n)
{
	struct looks l = { .wait.cancel = looks_cancel, .n = n };
	uint32_t deadline = 0;
	int r = 0;

	l.looks = calloc(n, sizeof(*l.looks));
	l.wait.context = context;
	for (size_t i = 0; l.looks && i < n; i++) {
		look_prepare(&l, &l.looks[i], &looks[i]);
		if (l.looks[i].err == 0 && l.looks[i].origin.source->open_deadline_ms > deadline)
			deadline = l.looks[i].origin.source->open_deadline_ms;
	}
	r = l.looks ? context_wait_begin(&l.wait, context, deadline) : -ENOMEM;
	if (r < 0) {
		for (size_t i = 0; i < n; i++) {
			looks[i].err = r;
			snprintf(looks[i].error, sizeof(looks[i].error), "%s", strerror(-r));
		}
		free(l.looks);
		return r;
	}
	looks_start(&l);
	context_wait_end(&l.wait);
	for (size_t i = 0; i < n; i++) {
		look_finish(&l, &l.looks[i], &looks[i]);
		r = r < 0 ? r : looks[i].err;
	}
	free(l.looks);
	return r;
}

/* ---- lists -------------------------------------------------------------------------------- */

struct list {
	struct context_wait wait;
	struct fetch_list base;
	struct fetcher *fetcher;
	int err;
};

static void list_done(struct fetch_list *base, int err)
{
	struct list *l = container_of(base, struct list, base);

	l->err = err;
	l->wait.pending--;
}

static void list_cancel(struct context_wait *wait)
{
	struct list *l = container_of(wait, struct list, wait);

	if (wait->pending > 0)
		l->fetcher->ops->cancel_list(l->fetcher, &l->base);
}

int context_list(struct context *context, struct fetch_list *ret, const char *locator, char *error)
{
	struct list l = {
		.wait.cancel = list_cancel,
		.base.locator = locator,
		.base.done = list_done,
	};
	struct origin origin;
	int r = context_origin(context, locator, &origin, error);

	if (r < 0)
		return r;
	l.fetcher = origin.fetcher;
	if (!l.fetcher->ops->list) {
		snprintf(error, CONTEXT_ERROR_MAX, "it names one object");
		return -ENOTDIR;
	}
	r = context_wait_begin(&l.wait, context, origin.source->open_deadline_ms);
	if (r < 0) {
		snprintf(error, CONTEXT_ERROR_MAX, "%s", strerror(-r));
		return r;
	}
	l.wait.pending = 1;
	l.fetcher->ops->list(l.fetcher, &l.base);
	context_wait_end(&l.wait);
	r = context_wait_verdict(&l.wait, l.err, locator, l.base.error, error);
	if (r == 0)
		*ret = l.base;
	return r;
}
