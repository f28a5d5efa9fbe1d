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
	bool looked, started, canceled, done;
	int err;
};

struct looks {
	struct context_wait *wait;
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
	all->wait->pending--;
	context_wait_alive(all->wait);
	looks_start(all);
}

static void looks_start(struct looks *l)
{
	while (l->wait->err == 0 && l->next < l->n && l->wait->pending < AT_ONCE) {
		struct look *look = &l->looks[l->next++];

		if (look->err < 0 || look->looked)
			continue;
		look->started = true;
		l->wait->pending++;
		look->origin.fetcher->ops->look(look->origin.fetcher, &look->base);
	}
}

static void looks_cancel(struct looks *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct look *look = &l->looks[i];

		if (!look->started || look->canceled || look->done)
			continue;
		look->canceled = true;
		look->origin.fetcher->ops->cancel_look(look->origin.fetcher, &look->base);
	}
}

/* Those that are under way, and those that are not. */
static void looks_stop(struct looks *l)
{
	l->next = l->n;
	looks_cancel(l);
}

static void look_prepare(struct looks *l, struct look *look, struct context_look *of)
{
	*look = (struct look){
		.base.locator = of->locator,
		.base.head = of->head,
		.base.head_len = of->head_len,
		.base.done = look_done,
		.all = l,
		.looked = of->looked,
	};
	if (look->looked)
		return;
	look->err = context_origin(l->wait->context, of->locator, &look->origin, of->error);
}

static void look_finish(const struct looks *l, const struct look *look, struct context_look *of)
{
	if (look->looked)
		return;
	of->err = look->err;
	if (look->started || (look->err == 0 && l->wait->err < 0))
		of->err = context_wait_verdict(l->wait, look->done ? look->err : -ECANCELED,
					       of->locator, look->base.error, of->error);
	if (of->err < 0)
		return;
	of->identity = look->base.identity;
	of->head_filled = look->base.head_filled;
}

/* Only looks. */
struct look_wait {
	struct context_wait base;
	struct looks looks;
};

static void look_wait_cancel(struct context_wait *wait)
{
	looks_cancel(&container_of(wait, struct look_wait, base)->looks);
}

int context_look(struct context *context, struct context_look *looks, size_t n)
{
	struct look_wait wait = { .base = { .cancel = look_wait_cancel, .context = context } };
	struct looks *l = &wait.looks;
	uint32_t deadline = 0;
	int r = 0;

	*l = (struct looks){ .wait = &wait.base, .looks = calloc(n, sizeof(*l->looks)), .n = n };
	for (size_t i = 0; l->looks && i < n; i++) {
		look_prepare(l, &l->looks[i], &looks[i]);
		if (l->looks[i].err == 0 && !l->looks[i].looked &&
		    l->looks[i].origin.source->open_deadline_ms > deadline)
			deadline = l->looks[i].origin.source->open_deadline_ms;
	}
	r = l->looks ? context_wait_begin(&wait.base, context, deadline) : -ENOMEM;
	if (r < 0) {
		for (size_t i = 0; i < n; i++) {
			if (looks[i].looked)
				continue;
			looks[i].err = r;
			snprintf(looks[i].error, sizeof(looks[i].error), "%s", strerror(-r));
		}
		free(l->looks);
		return r;
	}
	looks_start(l);
	context_wait_end(&wait.base);
	for (size_t i = 0; i < n; i++) {
		look_finish(l, &l->looks[i], &looks[i]);
		r = r < 0 ? r : looks[i].err;
	}
	free(l->looks);
	return r;
}

/* ---- lists -------------------------------------------------------------------------------- */

struct list {
	struct context_wait wait;
	struct fetch_list base;
	struct fetcher *fetcher;
	bool done;
	int err;
	size_t head_len;	      /* 0: nobody wants to look */
	struct context_look *results; /* owned, as the locators in them; NULL: not begun */
	struct looks looks;
};

static void list_done(struct fetch_list *base, int err)
{
	struct list *l = container_of(base, struct list, base);

	l->err = err;
	l->done = true;
	l->wait.pending--;
	context_wait_alive(&l->wait);
	/* Nobody will ask for these. */
	if (err < 0)
		looks_stop(&l->looks);
}

static void list_cancel(struct context_wait *wait)
{
	struct list *l = container_of(wait, struct list, wait);

	if (!l->done)
		l->fetcher->ops->cancel_list(l->fetcher, &l->base);
	looks_cancel(&l->looks);
}

static void results_free(struct context_look *results, size_t n)
{
	for (size_t i = 0; results && i < n; i++)
		free((char *)results[i].locator);
	free(results);
}

/* Of each part, with room for its head behind them all; the list may end before they do. */
static struct context_look *results_new(const struct fetch_list *list, size_t head_len)
{
	size_t n = list->n_parts;
	struct context_look *results = calloc(n, sizeof(*results) + head_len);

	for (size_t i = 0; results && i < n; i++) {
		results[i].head = (uint8_t *)(results + n) + i * head_len;
		results[i].head_len = head_len;
		results[i].locator = strdup(list->parts[i].locator);
		if (!results[i].locator) {
			results_free(results, n);
			return NULL;
		}
	}
	return results;
}

/* Where there is no memory they are looked at later. */
static void list_found(struct fetch_list *base)
{
	struct list *l = container_of(base, struct list, base);
	struct look *looks = calloc(base->n_parts, sizeof(*looks));

	l->results = looks ? results_new(base, l->head_len) : NULL;
	if (!l->results) {
		free(looks);
		return;
	}
	l->looks.looks = looks;
	l->looks.n = base->n_parts;
	for (size_t i = 0; i < l->looks.n; i++) {
		look_prepare(&l->looks, &looks[i], &l->results[i]);
		l->results[i].looked = true;
	}
	looks_start(&l->looks);
}

/* The list is good; its looks may be. */
static void list_take_looks(struct list *l, struct context_look **ret)
{
	for (size_t i = 0; i < l->looks.n; i++) {
		struct context_look *result = &l->results[i];

		look_finish(&l->looks, &l->looks.looks[i], result);
		free((char *)result->locator);
		result->locator = l->base.parts[i].locator;
	}
	*ret = l->results;
	l->results = NULL;
}

static int list_run(struct list *l, struct context *context, char *error)
{
	struct origin origin;
	int r = context_origin(context, l->base.locator, &origin, error);

	if (r < 0)
		return r;
	l->fetcher = origin.fetcher;
	if (!l->fetcher->ops->list) {
		snprintf(error, CONTEXT_ERROR_MAX, "it names one object");
		return -ENOTDIR;
	}
	r = context_wait_begin(&l->wait, context, origin.source->open_deadline_ms);
	if (r < 0) {
		snprintf(error, CONTEXT_ERROR_MAX, "%s", strerror(-r));
		return r;
	}
	l->wait.pending = 1;
	l->fetcher->ops->list(l->fetcher, &l->base);
	context_wait_end(&l->wait);
	return context_wait_verdict(&l->wait, l->err, l->base.locator, l->base.error, error);
}

int context_list_look(struct context *context, struct fetch_list *ret, size_t head_len,
		      struct context_look **ret_looks, const char *locator, char *error)
{
	struct list l = {
		.wait.cancel = list_cancel,
		.base.locator = locator,
		.base.done = list_done,
		.base.found = head_len > 0 ? list_found : NULL,
		.head_len = head_len,
	};
	int r;

	l.looks.wait = &l.wait;
	r = list_run(&l, context, error);
	if (r == 0) {
		*ret = l.base;
		ret->found = NULL;
		if (ret_looks)
			list_take_looks(&l, ret_looks);
	}
	results_free(l.results, l.looks.n);
	free(l.looks.looks);
	return r;
}

int context_list(struct context *context, struct fetch_list *ret, const char *locator, char *error)
{
	return context_list_look(context, ret, 0, NULL, locator, error);
}
